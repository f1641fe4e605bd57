"""Commands of the server, by its Redis endpoint (RESP2)."""

import asyncio
import json
import ssl
from urllib.parse import unquote, urlsplit

PAUSE_SECONDS = 1
ANSWER_SECONDS = 10


async def follow(url, meeting_id, on_command):
    """Hands on each command for the bot of a meeting, for ever; it comes again where it is cut off."""
    while True:
        try:
            await _follow_once(url, f"bot_commands:meeting:{meeting_id}", on_command)
        except (OSError, EOFError, ValueError) as error:
            print(f"commands: {error}", flush=True)
        await asyncio.sleep(PAUSE_SECONDS)


async def _follow_once(url, channel, on_command):
    parts = urlsplit(url)
    context = ssl.create_default_context() if parts.scheme == "rediss" else None
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 6379, ssl=context)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            if parts.password:
                name = unquote(parts.username or "default")
                await _call(reader, writer, "AUTH", name, unquote(parts.password))
            await _call(reader, writer, "SUBSCRIBE", channel)
        print("commands: subscribed", flush=True)
        while True:
            kind, _, text = await _answer(reader)
            if kind == "message":
                on_command(json.loads(text))
    finally:
        writer.close()


async def _call(reader, writer, *words):
    words = [word.encode() for word in words]
    parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)]
    writer.write(b"".join(parts))
    await writer.drain()
    return await _answer(reader)


async def _answer(reader):
    """One answer: a text, a list of answers, or nothing."""
    line = (await reader.readuntil(b"\r\n"))[:-2].decode()
    mark, rest = line[:1], line[1:]
    if mark == "*":
        return [await _answer(reader) for _ in range(int(rest))]
    if mark == "$":
        return None if rest == "-1" else (await reader.readexactly(int(rest) + 2))[:-2].decode()
    if mark in ("+", ":"):
        return rest
    raise ValueError(f"the Redis endpoint says {line}")
