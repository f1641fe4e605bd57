"""The bot for pages of WebRTC, sent by a real server into a room with people. No engine is there:
what comes is kept, and how much came of whom is what these tests look at."""

import math
import shutil
import struct
import sys
import wave
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "python"), str(TESTS / "room")]
from people import FLAGS, Room, verdict

SECONDS = 5
# So much of it must have come: a busy machine may swallow a little.
ENOUGH_SECONDS = 4


@pytest.fixture(scope="module")
def people():
    """The browser of the people in the room."""
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        assert chromium, "this test needs Chromium: apt-get install chromium"
        yield playwright.chromium.launch(executable_path=chromium, args=FLAGS)


@pytest.fixture(scope="module")
def hum(tmp_path_factory):
    """A WAV file that hums."""
    path = tmp_path_factory.mktemp("hum") / "hum.wav"
    rate = 16_000
    samples = [int(8000 * math.sin(at / 10)) for at in range(SECONDS * rate)]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return path


def test_each_person_has_a_sound_of_their_own(people, hum, tmp_path):
    with Room(people, tmp_path) as room:
        first, other = room.enter("Ada"), room.enter("Grace")
        room.enter("Bob")  # who says nothing
        assert room.send_bot()["status"] == "active", room.log()
        # Who comes while the bot is there is heard as well, and whoever is called alike is another.
        second = room.enter("Ada")
        room.wait_for_log("is here", 4)
        for number, person in enumerate((first, other, second), 1):
            person.say(hum, 0, SECONDS)
            room.wait_for_seconds(number * ENOUGH_SECONDS)
        other.leave()
        room.wait_for_log("page: Grace has left")
        over = room.stop_bot()
        assert verdict(over) == ("completed", "stopped"), room.log()
        assert over["data"]["status_transition"][-1]["source"] == "bot_callback"
        assert '"action": "leave"' in room.log()
        sounds = room.sounds()
        assert set(sounds) == {"Ada", "Grace", "Ada (2)"}
        assert min(seconds for seconds, _ in sounds.values()) >= ENOUGH_SECONDS, sounds
        assert sounds["Grace"][1] < sounds["Ada"][1], sounds


def test_a_name_that_the_page_shows_later_counts_from_then_on(people, hum, tmp_path):
    with Room(people, tmp_path, query="?names=later") as room:
        ada = room.enter("Ada")
        assert room.send_bot()["status"] == "active", room.log()
        room.wait_for_log("is here")
        ada.say(hum, 0, SECONDS)
        room.wait_for_seconds(ENOUGH_SECONDS)
        ada.tab.evaluate("introduce()")
        room.wait_for_log("page: Ada is here")
        ada.say(hum, 0, SECONDS)
        room.wait_for_seconds(2 * SECONDS)
        unnamed = ada.stream()
        room.stop_bot()
        sounds = room.sounds()
        assert list(sounds) == [unnamed, "Ada"]
        assert min(seconds for seconds, _ in sounds.values()) >= ENOUGH_SECONDS, sounds
        assert sounds[unnamed][1] < sounds["Ada"][1], sounds


def test_it_stays_while_the_server_is_restarted(people, hum, tmp_path):
    with Room(people, tmp_path) as room:
        ada = room.enter("Ada")
        assert room.send_bot()["status"] == "active", room.log()
        room.wait_for_log("is here")
        ada.say(hum, 0, SECONDS)
        room.wait_for_seconds(ENOUGH_SECONDS)
        room.restart_server()
        room.wait_for_log("sound: connected", 2)
        room.wait_for_log("commands: subscribed", 2)
        before = room.spooled_seconds()
        ada.say(hum, 0, SECONDS)
        room.wait_for_seconds(before + ENOUGH_SECONDS)
        assert verdict(room.stop_bot()) == ("completed", "stopped"), room.log()
        assert '"action": "leave"' in room.log()
        # One sound, which went on.
        sounds = room.sounds()
        assert set(sounds) == {"Ada"}
        assert sounds["Ada"][0] >= 2 * ENOUGH_SECONDS, sounds


def test_without_the_redis_endpoint_it_leaves_by_signal(people, tmp_path):
    with Room(people, tmp_path, VOMEET_BOTS_REDIS_LISTEN="off") as room:
        assert room.send_bot()["status"] == "active", room.log()
        over = room.stop_bot()
        assert verdict(over) == ("completed", "stopped"), room.log()
        last = over["data"]["status_transition"][-1]
        assert (last["source"], last["exit_code"]) == ("bot_callback", 0), room.log()


@pytest.mark.parametrize("was_somebody", [False, True])
def test_it_leaves_when_it_is_alone(people, tmp_path, was_somebody):
    # The other limit is never reached.
    reached = "EVERYONE_LEFT" if was_somebody else "NO_ONE_JOINED"
    limits = {
        "VOMEET_BOTS_EVERYONE_LEFT_SECONDS": "3600",
        "VOMEET_BOTS_NO_ONE_JOINED_SECONDS": "3600",
    }
    limits[f"VOMEET_BOTS_{reached}_SECONDS"] = "1"
    with Room(people, tmp_path, **limits) as room:
        if was_somebody:
            ada = room.enter("Ada")
        room.send_bot()
        if was_somebody:
            room.wait_for_log("is here")
            ada.leave()
        over = room.wait_until("completed", "failed")
        room.meeting = None
        assert verdict(over) == ("completed", "left_alone"), room.log()


def test_what_it_cannot_open_is_said(people, tmp_path):
    with Room(people, tmp_path) as room:
        over = room.send_bot("/rooms/none")
        room.meeting = None
        assert over["status"] == "failed"
        assert over["data"]["failure_stage"] == "joining", over
        assert "the page answers with 404" in str(over["data"]), over
