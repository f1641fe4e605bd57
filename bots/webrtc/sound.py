"""Brings sound to the server: a stream for each speaker, by `GET /bots/internal/audio`."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections import deque
from dataclasses import dataclass

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

RATE = 16_000
BLOCK_SECONDS = 0.1
# Who falls silent is sent as silent for two seconds; after that, and before the first sound, nothing
# is sent. Who never speaks has no stream.
SILENT_BLOCKS_MAX = 20
# What is older is dropped where the server cannot be reached, and a connection that takes nothing
# for so long is given up.
BACKLOG_SECONDS = 20
ANSWER_SECONDS = 10
# A stream that the server does not take is asked for again after so long.
REFUSED_SECONDS = 5
PAUSE_SECONDS_MAX = 5
SPEAKER_CHARS_MAX = 255
# What the server says of a secret that is not accepted any more, and how it ends a connection
# because the meeting takes nothing more.
REFUSED_STATUSES = (401, 403)
OVER_CODE = 1000


class MeetingOver(Exception):
    """The meeting takes no more sound."""


@dataclass
class Block:
    """Sound of a track; without samples the track is over."""

    at: float
    track: str
    name: str
    samples: bytes | None


@dataclass
class Stream:
    """A stream that is open on the present connection."""

    number: int
    name: str
    speaker: str


class SoundSocket:
    """Keeps a connection to the server and sends what is heard, in its order.

    `on_over` is called once the server says that the meeting takes no more sound.
    """

    def __init__(self, url, secret, on_over):
        self.url = url
        self.headers = {"Authorization": f"Bearer {secret}"}
        self.on_over = on_over
        self.blocks = deque()
        self.changed = asyncio.Event()
        self.is_sending = False
        self.silent = {}
        self._forget_streams()

    def _forget_streams(self):
        self.open = {}
        self.refused_until = {}
        self.answers = {}
        self.next_number = 0

    def hear(self, track, name, samples):
        """Takes a block of a track, a tenth of a second in 16 kHz, one channel, s16le."""
        silent = 0 if any(samples) else self.silent.get(track, SILENT_BLOCKS_MAX) + 1
        self.silent[track] = silent
        if silent <= SILENT_BLOCKS_MAX:
            self._put(track, name, samples)

    def end_track(self, track, name):
        """Nothing more comes of a track."""
        self.silent.pop(track, None)
        self._put(track, name, None)

    def reopen(self):
        """Lets every stream begin anew: the meeting has another language."""
        for track, stream in self.open.items():
            self._put(track, stream.name, None)

    def _put(self, track, name, samples):
        now = time.monotonic()
        while self.blocks and self.blocks[0].at < now - BACKLOG_SECONDS:
            self.blocks.popleft()
        self.blocks.append(Block(now, track, name, samples))
        self.changed.set()

    async def drain(self):
        """Waits until everything is sent, the end of each stream too."""
        await self._sent()
        self.reopen()
        await self._sent()

    async def _sent(self):
        while self.blocks or self.is_sending:
            await asyncio.sleep(BLOCK_SECONDS)

    async def run(self):
        """Connects again whenever the connection ends, until the meeting is over."""
        pause = 0.5
        while True:
            try:
                async with connect(self.url, additional_headers=self.headers) as socket:
                    print("sound: connected", flush=True)
                    pause = 0.5
                    await self._talk(socket)
            except MeetingOver as error:
                print(f"sound: {error}", flush=True)
                self.on_over()
                return
            except InvalidStatus as error:
                print(f"sound: {error}", flush=True)
                if error.response.status_code in REFUSED_STATUSES:
                    self.on_over()
                    return
            except (OSError, WebSocketException) as error:
                print(f"sound: {error or type(error).__name__}", flush=True)
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)

    async def _talk(self, socket):
        """Sends and receives until the connection ends."""
        self._forget_streams()
        receiving = asyncio.create_task(self._receive(socket))
        sending = asyncio.create_task(self._send(socket))
        tasks = (receiving, sending)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self, socket):
        async for text in socket:
            said = json.loads(text)
            number = said.get("stream")
            waiting = self.answers.pop(number, None)
            if waiting and not waiting.done():
                waiting.set_result(said)
            elif "error" in said:
                print(f"sound: the server says: {said['error']}", flush=True)
                ended = [track for track, one in self.open.items() if one.number == number]
                for track in ended:
                    del self.open[track]
        if socket.close_code == OVER_CODE:
            raise MeetingOver("the meeting takes no more sound")
        raise ConnectionError(f"the connection ends with {socket.close_code}")

    async def _send(self, socket):
        while True:
            while not self.blocks:
                self.changed.clear()
                await self.changed.wait()
            block = self.blocks.popleft()
            self.is_sending = True
            try:
                async with asyncio.timeout(BACKLOG_SECONDS):
                    await self._send_block(socket, block)
            except BaseException:
                self.blocks.appendleft(block)
                raise
            finally:
                self.is_sending = False

    async def _send_block(self, socket, block):
        stream = self.open.get(block.track)
        if stream and (block.samples is None or stream.name != block.name):
            del self.open[block.track]
            await self._ask(socket, {"stream": stream.number, "end": True})
            stream = None
        if block.samples is None:
            return
        if stream is None:
            stream = await self._begin(socket, block)
        if stream:
            await socket.send(struct.pack(">H", stream.number) + block.samples)

    async def _begin(self, socket, block):
        """Opens a stream; gives nothing where the server does not take it now."""
        if self.refused_until.get(block.track, 0) > time.monotonic():
            return None
        number = self.next_number
        self.next_number = (number + 1) % 65_536
        speaker = self._speaker(block.name)
        wanted = {"stream": number, "speaker": speaker, "codec": "s16le", "rate": RATE}
        answer = await self._ask(socket, wanted)
        if answer.get("ready"):
            print(f"sound: hears {speaker}", flush=True)
            stream = self.open[block.track] = Stream(number, block.name, speaker)
            return stream
        reason = answer.get("reason") or answer.get("error")
        print(f"sound: {speaker} is not taken: {reason}", flush=True)
        self.refused_until[block.track] = time.monotonic() + REFUSED_SECONDS
        return None

    def _speaker(self, name):
        """A name that no other open stream has: two people may call themselves alike."""
        plain = " ".join("".join(c if c.isprintable() else " " for c in name).split())
        taken = {stream.speaker for stream in self.open.values()}
        for number in range(1, len(taken) + 2):
            suffix = "" if number == 1 else f" ({number})"
            speaker = plain[: SPEAKER_CHARS_MAX - len(suffix)] + suffix
            if speaker not in taken:
                break
        return speaker

    async def _ask(self, socket, wanted):
        answer = asyncio.get_running_loop().create_future()
        self.answers[wanted["stream"]] = answer
        await socket.send(json.dumps(wanted))
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer
