"""The bot of the documentation, taken from its page and sent into a meeting by a real server."""

import json
import sqlite3
import subprocess
import sys
import time
import wave

import pytest
from documents import blocks_of
from live_server import ADMIN_KEY, REPOSITORY, running
from vomeet_client import VomeetClient

PAGE = REPOSITORY / "docs" / "bots.md"
MEETING = ("google_meet", "abc-defg-hij")
PATIENCE_SECONDS = 30


# An engine that is away: sound waits for it on disk.
ENGINE = '[[transcription.engines]]\nname = "away"\nurl = "http://127.0.0.1:9/v1"\nmodel = "none"\n'


def python_blocks():
    """The programs of the page: the client of the audio socket, and the bot."""
    return [block.code for block in blocks_of(PAGE) if block.language == "python"]


@pytest.fixture
def user(tmp_path):
    """A client whose bots are the one of the documentation; all that bots print is in `tmp_path`/logs."""
    _, code = python_blocks()
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 40, f"the bot in 40 lines has {len(lines)}"
    (tmp_path / "bot.py").write_text(code)
    settings = {
        "VOMEET_BOTS_RUNNER": "process",
        "VOMEET_BOTS_PROCESS_COMMAND": json.dumps(["python3", "bot.py"]),
        "VOMEET_BOTS_LOG_FOLDER": str(tmp_path / "logs"),
    }
    with running(tmp_path, **settings) as base_url:
        admin = VomeetClient(base_url, admin_key=ADMIN_KEY)
        user = admin.create_user("bots@example.com", max_concurrent_bots=1)
        yield VomeetClient(base_url, api_key=admin.create_token(user["id"])["token"])


def wait_until(client, *states):
    """Waits until the newest meeting is in one of the states, and gives it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        meeting = client.get_meetings(limit=1)[0]
        if meeting["status"] in states:
            return meeting
        time.sleep(0.05)
    raise AssertionError(f"{meeting['status']} is none of {states}")


def test_the_bot_of_the_documentation_works(user, tmp_path):
    user.request_bot(*MEETING)
    over = wait_until(user, "completed", "failed")
    assert over["status"] == "completed", (tmp_path / "logs" / "meeting-1.log").read_text()
    assert over["data"]["completion_reason"] == "left_alone"
    states = [step["to"] for step in over["data"]["status_transition"]]
    assert states == ["joining", "awaiting_admission", "active", "completed"]
    texts = [segment["text"] for segment in user.get_transcript(*MEETING)["segments"]]
    assert texts == ["Good morning.", "This bot has forty lines.", "Goodbye."]
    assert over["data"]["participants"] == ["Bot"]


def test_the_bot_of_the_documentation_leaves_when_it_is_told_to(user):
    user.request_bot(*MEETING)
    wait_until(user, "active")
    user.stop_bot(*MEETING)
    over = wait_until(user, "completed", "failed")
    assert (over["status"], over["data"]["completion_reason"]) == ("completed", "stopped")
    last = over["data"]["status_transition"][-1]
    assert (last["from"], last["source"]) == ("stopping", "bot_callback")


def test_the_client_of_the_audio_socket_sends_each_voice_under_its_name(tmp_path):
    code, _ = python_blocks()
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 40, f"the client in 40 lines has {len(lines)}"
    (tmp_path / "voices.py").write_text(code)
    (tmp_path / "vomeet.toml").write_text(ENGINE)
    for name, rate, seconds in [("ada", 16_000, 0.5), ("bob", 48_000, 0.3)]:
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(bytes(2 * round(rate * seconds)))
    told = tmp_path / "told"
    settings = {
        "VOMEET_BOTS_RUNNER": "process",
        "VOMEET_BOTS_PROCESS_COMMAND": json.dumps(
            [
                "sh",
                "-c",
                f'printf %s "$BOT_CONFIG" > {told}.part; mv {told}.part {told}; exec sleep 900',
            ]
        ),
    }
    with running(tmp_path, **settings) as base_url:
        admin = VomeetClient(base_url, admin_key=ADMIN_KEY)
        owner = admin.create_user("bots@example.com", max_concurrent_bots=1)
        client = VomeetClient(base_url, api_key=admin.create_token(owner["id"])["token"])
        client.request_bot(*MEETING)
        end = time.monotonic() + PATIENCE_SECONDS
        while not told.exists():
            assert time.monotonic() < end, "no bot was started"
            time.sleep(0.05)
        secret = json.loads(told.read_text())["token"]
        address = base_url.replace("http", "ws", 1)
        command = [sys.executable, "voices.py", address, secret, "Ada=ada.wav", "Bob=bob.wav"]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        assert done.stdout.count("'ended': True") == 2, done.stdout
        client.stop_bot(*MEETING)
        wait_until(client, "completed", "failed")
    with sqlite3.connect(next(tmp_path.glob("*.db"))) as database:
        heard = database.execute(
            "SELECT speaker, rate, heard_ms FROM sounds ORDER BY id"
        ).fetchall()
    assert [row[:2] for row in heard] == [("Ada", 16_000), ("Bob", 48_000)]
    # What comes late on a busy machine comes after silence.
    assert [
        heard_ms >= sent_ms for (_, _, heard_ms), sent_ms in zip(heard, [500, 300], strict=True)
    ] == [True, True]
