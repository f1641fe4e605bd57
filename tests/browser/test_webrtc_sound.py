"""The parts of the bot for pages of WebRTC that need no page: what it opens, and what it sends."""

import asyncio
import json
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from websockets.asyncio.server import serve

BOT = Path(__file__).resolve().parents[2] / "bots" / "webrtc"
sys.path.insert(0, str(BOT))
import sound as sound_of_bot
from page import NoPage, address
from sound import SoundSocket

LOUD, SILENT = b"\x01\x00" * 1600, bytes(3200)
PATIENCE_SECONDS = 60


PAGE = "https://a.example.org/b?c=d"
JITSI = "#config.prejoinConfig.enabled=false&userInfo.displayName=%22The%20%26%20bot%22"


@pytest.mark.parametrize(("platform", "opened"), [("generic", PAGE), ("jitsi", PAGE + JITSI)])
def test_what_it_opens(platform, opened):
    config = {"platform": platform, "meetingUrl": PAGE, "botName": "The & bot"}
    assert address(config, SimpleNamespace(loopback=None)) == opened


@pytest.mark.parametrize(
    ("platform", "link", "why"),
    [
        ("generic", "http://a.example.org/b", "is not https"),
        ("google_meet", "https://meet.google.com/abc-defg-hij", "does not log in to google_meet"),
    ],
)
def test_what_it_does_not_open(platform, link, why):
    config = {"platform": platform, "meetingUrl": link, "botName": "bot"}
    with pytest.raises(NoPage, match=why):
        address(config, SimpleNamespace(loopback=None))


class Listener:
    """Stands for the server: what it is told, and what it answers to the openings that come."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.told = []
        self.is_over = asyncio.Event()
        self.came = asyncio.Event()

    async def take(self, socket):
        """One connection."""
        async for message in socket:
            if isinstance(message, bytes):
                (number,) = struct.unpack(">H", message[:2])
                self.told.append((number, "silence" if not any(message[2:]) else "sound"))
            else:
                asked = json.loads(message)
                number = asked["stream"]
                self.told.append((number, "end" if "end" in asked else asked["speaker"]))
                ready = {"ended": True} if "end" in asked else {"ready": True}
                if "end" not in asked and self.answers:
                    ready = self.answers.pop(0)
                if ready is None:
                    await socket.close(1012)
                    return
                await socket.send(json.dumps({"stream": number, **ready}))
            self.came.set()

    async def has(self, count):
        """Waits until it was told so much."""
        while len(self.told) < count:
            self.came.clear()
            await self.came.wait()
        return self.told


def talk(work, *answers):
    """Runs `work` with a socket of the bot and the listener that it talks to."""

    async def run():
        listener = Listener(*answers)
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            serve(listener.take, "127.0.0.1", 0) as server,
        ):
            port = server.sockets[0].getsockname()[1]
            socket = SoundSocket(f"ws://127.0.0.1:{port}/", "secret", listener.is_over.set)
            running = asyncio.create_task(socket.run())
            await work(socket, listener)
            running.cancel()

    asyncio.run(run())


def test_streams_begin_and_end_in_order():
    async def work(socket, listener):
        socket.hear("a", "Ada", LOUD)
        socket.hear("b", " Ada\n", LOUD)
        socket.hear("a", "Ada Lovelace", LOUD)
        socket.end_track("b", "Ada")
        await socket.drain()
        assert await listener.has(9) == [
            (0, "Ada"),
            (0, "sound"),
            (1, "Ada (2)"),
            (1, "sound"),
            (0, "end"),
            (2, "Ada Lovelace"),
            (2, "sound"),
            (1, "end"),
            (2, "end"),
        ]

    talk(work)


def test_silence_is_not_sent_before_the_first_sound_nor_when_it_lasts():
    async def work(socket, listener):
        for blocks in ([SILENT] * 9, [LOUD], [SILENT] * 100, [LOUD]):
            for block in blocks:
                socket.hear("a", "Ada", block)
        await socket.drain()
        sound, silence = (0, "sound"), (0, "silence")
        assert listener.told == [(0, "Ada"), sound, *[silence] * 20, sound, (0, "end")]

    talk(work)


def test_what_the_server_does_not_take_now_is_asked_again_later(monkeypatch):
    async def work(socket, listener):
        monkeypatch.setattr(sound_of_bot, "REFUSED_SECONDS", 3600)
        for _ in range(10):
            socket.hear("a", "Ada", LOUD)
        await socket.drain()
        assert listener.told == [(0, "Ada")]
        monkeypatch.setattr(sound_of_bot, "REFUSED_SECONDS", 0.1)
        socket.hear("b", "Bob", LOUD)
        while len(listener.told) < 4:
            socket.hear("b", "Bob", LOUD)
            await asyncio.sleep(0.05)
        assert listener.told[1:4] == [(1, "Bob"), (2, "Bob"), (2, "sound")]

    full = {"status": "WAIT", "reason": "full"}
    talk(work, full, full)


def test_what_was_not_taken_is_sent_by_the_next_connection():
    async def work(socket, listener):
        socket.hear("a", "Ada", LOUD)
        socket.hear("a", "Ada", LOUD)
        told = await listener.has(4)
        assert told == [(0, "Ada"), (0, "Ada"), (0, "sound"), (0, "sound")]

    talk(work, None)


def test_sound_that_is_too_old_is_dropped(monkeypatch):
    monkeypatch.setattr(sound_of_bot, "BACKLOG_SECONDS", 0.5)

    async def work():
        socket = SoundSocket("ws://127.0.0.1:9/", "secret", None)
        for _ in range(20):
            socket.hear("a", "Ada", LOUD)
            await asyncio.sleep(0.1)
        assert 1 <= len(socket.blocks) <= 6

    asyncio.run(work())


def test_the_end_of_the_meeting_is_understood(monkeypatch):
    async def over(_, socket):
        await socket.send('{"error": "the meeting is over"}')

    async def work(socket, listener):
        await listener.is_over.wait()

    monkeypatch.setattr(Listener, "take", over)
    talk(work)
