"""The bot of the documentation, taken from its page and sent into a meeting by a real server."""

import json
import time

import pytest
from documents import blocks_of
from live_server import ADMIN_KEY, REPOSITORY, running
from vomeet_client import VomeetClient

PAGE = REPOSITORY / "docs" / "bots.md"
MEETING = ("google_meet", "abc-defg-hij")
PATIENCE_SECONDS = 30


@pytest.fixture
def user(tmp_path):
    """A client whose bots are the one of the documentation; all that bots print is in `tmp_path`/logs."""
    (code,) = (block.code for block in blocks_of(PAGE) if block.language == "python")
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
