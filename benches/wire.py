"""The Redis endpoint: bots that are subscribed and feeders that write, and the memory that each connection takes."""

import asyncio
import json
import time

from bots import as_user, with_bots
from table import Bound, Row

BOTS, FEEDERS = 500, 50
PER_SECOND, SECONDS = 100, 10
# Each bot is told another language so often meanwhile.
COMMANDS = 2
LANGUAGES = ("fr", "de")
PATIENCE_SECONDS = 60


def wire(bench):
    """One server a round, with a process for each bot."""
    waits, missed, memory = [], [], []
    for _ in range(bench.rounds):
        with with_bots(bench, BOTS) as (server, token, bots):
            found = asyncio.run(_round(server, token, bots))
        waits.append(found[0])
        missed.append(found[1])
        memory.append(found[2])
    what = f"{BOTS} bots subscribed, {FEEDERS} feeders, {PER_SECOND} messages/s"
    return [
        Row(f"{what}: XADD to its reply, p99", None, waits, " ms", Bound(below=20)),
        Row(f"  commands to {BOTS} bots that were missed", None, missed, "", Bound(below=1)),
        Row("  memory for each connection", None, memory, " KiB", Bound(below=32)),
    ]


async def _round(server, token, bots):
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    address = (host, int(port))
    before = server.resident_mb()
    subscribers = await asyncio.gather(*(_subscribe(address, bot) for bot in bots))
    feeders = await asyncio.gather(*(_feeder(address, bot) for bot in bots[:FEEDERS]))
    connections = len(subscribers) + len(feeders)
    kib = (server.resident_mb() - before) * 1e6 / 1024 / connections
    hearing = [asyncio.create_task(_hear(reader)) for reader, _ in subscribers]
    telling = asyncio.create_task(asyncio.to_thread(_tell, server, token))
    period = FEEDERS / PER_SECOND
    waits = await asyncio.gather(
        *(_feed(feeder, n * period / FEEDERS, period) for n, feeder in enumerate(feeders))
    )
    await telling
    done, late = await asyncio.wait(hearing, timeout=PATIENCE_SECONDS)
    for task in late:
        task.cancel()
    missed = len(late) * COMMANDS + sum(COMMANDS - task.result() for task in done)
    for _, writer in subscribers:
        writer.close()
    waits = sorted(wait for each in waits for wait in each)
    return waits[len(waits) * 99 // 100], missed, kib


def _command(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


async def _reply(reader):
    """One reply or push: its first line, and all texts below it."""
    line = await reader.readuntil(b"\r\n")
    if line[:1] in b"*>%":
        count = int(line[1:]) * (2 if line[:1] == b"%" else 1)
        return [await _reply(reader) for _ in range(count)]
    if line[:1] == b"$" and int(line[1:]) >= 0:
        return (await reader.readexactly(int(line[1:]) + 2))[:-2]
    if line[:1] == b"-":
        raise SystemExit(f"The server refused a command: {line}")
    return line


async def _subscribe(address, bot):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(_command("HELLO", "3", "AUTH", "bot", bot["token"]))
    await _reply(reader)
    writer.write(_command("SUBSCRIBE", f"bot_commands:meeting:{bot['meeting_id']}"))
    await _reply(reader)
    return reader, writer


async def _hear(reader):
    """How many of its commands a bot hears, in their order."""
    for language in LANGUAGES:
        command = json.loads((await _reply(reader))[2])
        if command["language"] != language:
            return 0
    return len(LANGUAGES)


def _tell(server, token):
    for language in LANGUAGES:
        for n in range(BOTS):
            path = f"/bots/teams/{10**9 + n}/config"
            as_user(server, token, "PUT", path, {"language": language})


async def _feeder(address, bot):
    reader, writer = await asyncio.open_connection(*address)
    payload = {"type": "session_start", "token": bot["token"], "uid": "stream"}
    writer.write(_command("XADD", "transcription_segments", "*", "payload", json.dumps(payload)))
    await _reply(reader)
    return reader, writer, bot["token"]


async def _feed(feeder, delay, period):
    """Adds a segment again and again; gives the milliseconds that each reply took."""
    reader, writer, token = feeder
    begin = time.perf_counter() + delay
    waits = []
    for n in range(int(SECONDS / period)):
        await asyncio.sleep(max(0, begin + n * period - time.perf_counter()))
        segment = {"start": n, "end": n + 1, "text": "a few words that somebody has said"}
        payload = {"type": "transcription", "token": token, "uid": "stream", "segments": [segment]}
        sent = time.perf_counter()
        writer.write(
            _command("XADD", "transcription_segments", "*", "payload", json.dumps(payload))
        )
        await _reply(reader)
        waits.append((time.perf_counter() - sent) * 1000)
    writer.close()
    return waits


SECTIONS = {
    "wire": (
        wire,
        "the Redis endpoint: bots that hear commands and feeders that write, default workers",
    )
}
