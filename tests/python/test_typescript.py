"""The TypeScript client as the server hands it out: npm installs it, it compiles strictly, it works under Node."""

import gzip
import io
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import urllib.request
from contextlib import contextmanager

import pytest
from documents import DOCUMENTED_URL, blocks_of
from live_server import ADMIN_KEY, REPOSITORY, running
from vomeet_client import VomeetClient

CLIENT = REPOSITORY / "clients/typescript"
SOURCES = REPOSITORY / "tests/typescript"
MODULES = REPOSITORY / ".venv/node/node_modules"
COMPILE = [
    MODULES / ".bin/tsc",
    "--strict",
    "--noUncheckedIndexedAccess",
    "--skipLibCheck",
    "false",
]
COMPILE += ["--target", "es2022", "--module", "nodenext", "--types", "node"]
SECONDS = 300
# What npm would ask if it asked an index.
NO_INDEX = {"npm_config_registry": "http://127.0.0.1:1/", "npm_config_update_notifier": "false"}


def get(address):
    """Fetch an address."""
    with urllib.request.urlopen(address, timeout=SECONDS) as response:
        return response.read()


def run(folder, *command, **variables):
    """Run a command, and give what it printed; it must end well."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tarball(server):
    """The file's name and its bytes."""
    name = re.search(r'href="(vomeet-client-[^"]+\.tgz)"', get(f"{server}/clients/").decode())[1]
    return name, get(f"{server}/clients/{name}")


@pytest.fixture(scope="module")
def app(server, tarball, tmp_path_factory):
    """A folder with the installed client and the compiled tests; above it lies what the tests need."""
    above = tmp_path_factory.mktemp("typescript")
    (above / "node_modules").symlink_to(MODULES)
    app = above / "app"
    shutil.copytree(SOURCES, app)
    (app / "package.json").write_text('{"private": true, "type": "module"}')
    options = ["--no-audit", "--no-fund", f"--cache={above / 'cache'}", "--prefix", app]
    run(app, "npm", "install", *options, f"{server}/clients/{tarball[0]}", **NO_INDEX)
    run(app, *COMPILE, *sorted(app.glob("*.ts")))
    return app


def test_npm_installs_the_files_of_the_repository_at_the_version_of_the_server(app, server):
    installed = app / "node_modules/vomeet-client"
    sources = [CLIENT / name for name in ("README.md", "api.d.ts", "package.json")]
    sources += [REPOSITORY / "LICENSE", *CLIENT.glob("dist/*")]
    names = [
        path.relative_to(CLIENT) if path.is_relative_to(CLIENT) else path.name for path in sources
    ]
    found = {path.relative_to(installed) for path in installed.rglob("*") if path.is_file()}
    assert {str(path) for path in found} == {str(name) for name in names}
    for name, path in zip(names, sources):
        assert (installed / name).read_bytes() == path.read_bytes(), name
    version = json.loads((installed / "package.json").read_text())["version"]
    assert version == json.loads(get(f"{server}/healthz"))["version"]


def test_the_same_files_give_the_same_bytes(tarball):
    with tarfile.open(fileobj=io.BytesIO(tarball[1])) as archive:
        entries = archive.getmembers()
    names = [entry.name for entry in entries]
    assert names == sorted(names)
    assert all(name.startswith("package/") for name in names)
    assert {(entry.mtime, entry.mode, entry.uid, entry.gid) for entry in entries} == {
        (499162500, 0o644, 0, 0)
    }
    assert tarball[1][4:8] == bytes(4), "the time of the compression"
    assert len(gzip.decompress(tarball[1])) > len(tarball[1])


def test_what_is_generated_is_of_this_document_and_these_sources(server, tmp_path):
    document, into = tmp_path / "openapi.json", tmp_path / "generated"
    document.write_bytes(get(f"{server}/openapi.json"))
    script = [sys.executable, CLIENT / "generate.py"]
    run(tmp_path, *script, "--document", document, "--into", into)
    generated = [into / "api.d.ts", *sorted(into.glob("dist/*"))]
    names = [path.relative_to(into) for path in generated]
    assert names == [
        path.relative_to(CLIENT) for path in (CLIENT / "api.d.ts", *sorted(CLIENT.glob("dist/*")))
    ]
    stale = [
        str(name)
        for name, path in zip(names, generated)
        if path.read_bytes() != (CLIENT / name).read_bytes()
    ]
    assert stale == [], "`make typescript` writes them"


def test_calls(app, server):
    said = run(
        app,
        "node",
        "--test",
        "--test-reporter=tap",
        "calls.js",
        BASE_URL=server,
        ADMIN_KEY=ADMIN_KEY,
    )
    assert re.search(r"^# pass 7$", said, re.MULTILINE), said


def test_the_feed_against_a_stub(app):
    said = run(app, "node", "--test", "--test-reporter=tap", "feed.js")
    assert re.search(r"^# pass 10$", said, re.MULTILINE), said


def test_the_readme_compiles_and_works(app, demo_server):
    blocks = blocks_of(CLIENT / "README.md")
    assert [block.language for block in blocks if block.reason] == ["bash"]
    code = [block.code for block in blocks if not block.reason]
    assert {block.language for block in blocks if not block.reason} == {"typescript"}
    text = "\n".join(code).replace(DOCUMENTED_URL, demo_server)
    (app / "readme.ts").write_text(text, encoding="utf-8")
    run(app, *COMPILE, "readme.ts", "ws.d.ts")
    said = run(app, "node", "readme.js")
    assert "\nAda: Good morning, everybody. Shall we begin?\n" in said
    assert said.endswith("\n404 User not found\n"), said


class Forwarder:
    """An address that stays while the server behind it is another one."""

    def __init__(self, listener):
        self.target = None
        self._listener = listener
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def lead_to(self, url):
        """From now on this server is the one behind it."""
        host, port = url.removeprefix("http://").split(":")
        self.target = (host, int(port))

    def serve(self):
        """Connect each caller with the present server; with none, the caller is sent away."""
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except (OSError, TypeError):
                caller.close()
                continue
            for source, sink in ((caller, server), (server, caller)):
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


@contextmanager
def forwarding():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        forwarder = Forwarder(listener)
        threading.Thread(target=forwarder.serve, daemon=True).start()
        yield forwarder
        listener.shutdown(socket.SHUT_RDWR)


class Watching:
    """live.js, and the events that it prints."""

    def __init__(self, app, url, key):
        command = ["node", "live.js", url, key]
        self.process = subprocess.Popen(command, cwd=app, stdout=subprocess.PIPE, text=True)
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def until(self, wanted):
        """Wait for an event for which `wanted` is true."""
        while event := self._lines.get(timeout=SECONDS):
            if wanted(event):
                return event
        raise AssertionError("it ended before that")


def is_type(name):
    return lambda event: event.get("type") == name


def test_the_live_feed_goes_on_after_a_restart_and_ends_with_its_key(app, tmp_path):
    with forwarding() as forwarder:
        with running(tmp_path, VOMEET_BOTS_RUNNER="demo") as url:
            forwarder.lead_to(url)
            admin = VomeetClient(url, admin_key=ADMIN_KEY)
            user = admin.create_user("ada@example.com", max_concurrent_bots=1)
            token = admin.create_token(user["id"])
            client = VomeetClient(url, api_key=token["token"])
            client.request_bot("google_meet", "abc-defg-hij")
            watching = Watching(app, forwarder.url, token["token"])
            try:
                watching.until(is_type("subscribed"))
                watching.until(is_type("transcript.mutable"))
            except BaseException:
                watching.process.kill()
                raise
        try:
            with running(tmp_path, VOMEET_BOTS_RUNNER="demo") as url:
                # Of several meetings at one link, the newest is subscribed to.
                client = VomeetClient(url, api_key=token["token"])
                meeting = client.request_bot("google_meet", "abc-defg-hij")
                forwarder.lead_to(url)
                watching.until(is_type("subscribed"))
                event = watching.until(is_type("transcript.mutable"))
                assert event["meeting"]["id"] == meeting["id"]
                VomeetClient(url, admin_key=ADMIN_KEY).delete_token(token["id"])
                refused = watching.until(lambda event: "refused" in event)
                assert refused == {"refused": "invalid_api_key", "code": "revoked", "status": None}
                assert watching.process.wait(timeout=SECONDS) == 0
        finally:
            watching.process.kill()
            watching.process.wait()
