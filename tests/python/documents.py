"""The code blocks of a Markdown document, and a reader that carries them out in order."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, field

from live_server import binary

DOCUMENTED_URL = "http://localhost:18056"
# Stands in a documented object for the members that are not written.
ELLIPSIS = "…"
BLOCK_SECONDS = 30
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass
class Block:
    """A fenced block; `reason` is why it must not be run, or None."""

    place: str
    language: str
    code: str
    reason: str | None

    @property
    def title(self):
        """The first line, to tell blocks apart by."""
        return self.code.splitlines()[0]


def blocks_of(path):
    """List the fenced blocks of a document in their order."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            place=f"{path.name}:{text.count(chr(10), 0, match.start('language')) + 1}",
            language=match["language"],
            code=match["code"],
            reason=match["reason"],
        )
        for match in BLOCK.finditer(text)
    ]


@dataclass
class Reader:
    """Does what a document says, against a live server, in one shell environment and one Python."""

    base_url: str
    directory: object
    namespace: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)
    last_output: str = ""

    def __post_init__(self):
        # curl must fail where the server refuses, or a refused command would pass unseen.
        (self.directory / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")
        path = f"{binary().parent}:{os.environ['PATH']}"
        self.environment = {"PATH": path, "CURL_HOME": str(self.directory)}

    def follow(self, block):
        """Run a bash or Python block; hold a JSON block against the output of the bash before it."""
        code = block.code.replace(DOCUMENTED_URL, self.base_url)
        if block.language == "bash":
            self._run_bash(code, block.place)
        elif block.language == "python":
            exec(compile(code, block.place, "exec"), self.namespace)  # noqa: S102
        elif block.language == "json":
            assert_same_shape(json.loads(code), json.loads(self.last_output), block.place)

    def _run_bash(self, code, place):
        after = self.directory / "environment"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"set -a\n{code}\nenv -0 > {after}"],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=BLOCK_SECONDS,
            check=False,
        )
        assert done.returncode == 0, (
            f"{place} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
        self.last_output = done.stdout
        pairs = after.read_text(encoding="utf-8").rstrip("\0").split("\0")
        self.environment = dict(pair.split("=", 1) for pair in pairs)


def assert_same_shape(documented, actual, place):
    """Insist on the same keys and types; each documented item of a list must have its like there.

    An object that is written with the member ``"…": "…"`` may have more members than are written.
    """
    assert type(documented) is type(actual), f"{place}: {documented!r} is written, {actual!r} came"
    if isinstance(documented, dict):
        written = {key: value for key, value in documented.items() if key != ELLIPSIS}
        came = actual.keys() & written.keys() if ELLIPSIS in documented else actual.keys()
        assert written.keys() == came, f"{place}: other keys came: {actual!r}"
        for key, value in written.items():
            assert_same_shape(value, actual[key], f"{place} {key}")
    if isinstance(documented, list):
        for item in documented:
            assert any(has_same_shape(item, other) for other in actual), (
                f"{place}: nothing like {item!r} in {actual!r}"
            )


def has_same_shape(documented, actual):
    """Tell what `assert_same_shape` insists on."""
    try:
        assert_same_shape(documented, actual, "")
    except AssertionError:
        return False
    return True
