"""A bot and a feeder on redis-py: tests/python/test_redis_clients.py runs it with each version.

`client.py URL FEEDER_URL MEETING TOKEN` subscribes as the bot, and prints what it hears, a line of
JSON each. For each line of its standard input it adds a segment of that text, by the word before
it: `bot` by the bot's connection, `feeder` by one that does not sign in.
"""

import json
import sys
import threading
import time

import redis

url, feeder_url, meeting, token = sys.argv[1:]
# redis-py 8 gives up after five seconds, which a busy disk may take for a commit.
AWAY = (redis.ConnectionError, redis.TimeoutError)
CHANNEL = f"bot_commands:meeting:{meeting}"


def say(*what):
    print(json.dumps(what), flush=True)


def listen():
    pubsub = redis.Redis.from_url(url, decode_responses=True).pubsub()
    while True:
        try:
            if not pubsub.subscribed:
                pubsub.subscribe(CHANNEL)
            message = pubsub.get_message(timeout=1)
        except AWAY:
            time.sleep(0.1)
            continue
        if message is not None:
            say(message["type"], message["data"])


def add(client, text):
    """Adds a segment, again where the server is away; gives the id of the entry."""
    segment = {"segment_id": text, "start": 1, "end": 2, "text": text}
    payload = {
        "type": "transcription",
        "token": token,
        "uid": "stream",
        "meeting_id": meeting,
        "segments": [segment],
    }
    while True:
        try:
            return client.xadd("transcription_segments", {"payload": json.dumps(payload)})
        except AWAY:
            time.sleep(0.1)


clients = {
    "bot": redis.Redis.from_url(url, decode_responses=True),
    "feeder": redis.Redis.from_url(feeder_url, decode_responses=True),
}
for client in clients.values():
    assert client.ping() is True
# A feeder that has brought nothing yet takes one of the few places of those who are not known.
add(clients["feeder"], "begin")
threading.Thread(target=listen, daemon=True).start()
for line in sys.stdin:
    who, text = line.split()
    say("added", text, add(clients[who], text))
