"""A sentence that is spoken in a room of WebRTC is found by its words, under the name of who said it:
Chromium, the bot, its socket, Whisper inside, search. No internet."""

import re
import shutil
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "python"), str(TESTS / "speech")]
import fetch
from people import FLAGS, Room, verdict

MODEL = "tiny.en"
# Two parts of one recording, in seconds: who says which, and what is found of it. Words that are parted by
# a pause are segments of their own.
ADA_SAYS = (0, 7.9)
ADA_SAID = "what your country can do for you"
GRACE_SAYS = (8, 11)
GRACE_SAID = "what you can do for your country"
# A machine that is busy with other things stutters: then it is said again.
ATTEMPTS = 5
WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def people():
    """The browser of the people in the room."""
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        assert chromium, "this test needs Chromium: apt-get install chromium"
        yield playwright.chromium.launch(executable_path=chromium, args=FLAGS)


@pytest.fixture(scope="module")
def speech():
    """The folder with the speech and the model."""
    fetch.main([MODEL])
    return fetch.cache()


def found(room, name, words):
    """Whether a search for these words, in their order, finds somebody who said them."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        results = room.user.search_transcripts(f'"{words}"', speaker=name)["results"]
        if results:
            return True
        time.sleep(0.5)
    return False


def say_until_found(room, person, path, part, words):
    for _ in range(ATTEMPTS):
        person.say(path, *part)
        if found(room, person.name, words):
            return
    raise AssertionError(f"{person.name} is not found: {transcript(room)}\n{room.log()}")


def transcript(room):
    """Who said what, in plain words."""
    name = (room.meeting["platform"], room.meeting["native_meeting_id"])
    segments = room.user.get_transcript(*name)["segments"]
    return [
        (one["speaker"], " ".join(re.findall(r"[a-z']+", one["text"].lower()))) for one in segments
    ]


def test_what_is_said_in_a_room_is_found_under_who_said_it(people, speech, tmp_path):
    path = speech / "jfk.wav"
    engine = f'[transcription]\nwhisper_model = "{speech / f"ggml-{MODEL}.bin"}"\n'
    with Room(people, tmp_path, engine=engine) as room:
        ada, grace = room.enter("Ada"), room.enter("Grace")
        room.enter("Bob")  # who says nothing
        assert room.send_bot()["status"] == "active", room.log()
        room.wait_for_log("is here", 3)
        say_until_found(room, ada, path, ADA_SAYS, ADA_SAID)
        say_until_found(room, grace, path, GRACE_SAYS, GRACE_SAID)
        said = transcript(room)
        print("\n".join(f"{speaker}: {words}" for speaker, words in said))
        # Nobody is given the words of another, and nobody who said nothing has any.
        assert {speaker for speaker, _ in said} == {"Ada", "Grace"}, said
        for name, other in (("Ada", GRACE_SAID), ("Grace", ADA_SAID)):
            assert not [words for speaker, words in said if speaker == name and other in words], (
                said
            )
        assert verdict(room.stop_bot()) == ("completed", "stopped"), room.log()
