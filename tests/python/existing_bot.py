"""Talks with the server as an existing bot of some version does; run as a bot of a real server.

What each version reads, sends, in which order, and how often it repeats that. No browser, and no
code of theirs: it begins where the bot has its page, and each word is made up.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

VERSION, *MANNERS = sys.argv[1:]
# Releases of one version differ: with the manner `early` it is the first of them.
IS_EARLY = "early" in MANNERS
# What the newest release of the strict version knows; anything else is refused.
KNOWN = set(
    """
    platform meetingUrl botName passcode nativeMeetingId token connectionId meeting_id container_name redisUrl
    meetingApiCallbackUrl language task transcribeEnabled recordingEnabled transcriptionServiceUrl
    transcriptionServiceToken transcriptionModel voiceAgentEnabled automaticLeave
    """.split()  # noqa: SIM905 - a list of them fills a page
)
if IS_EARLY:
    KNOWN -= {"passcode", "transcriptionModel"}
# Without these, a version ends with 1 before it does anything.
REQUIRED = {
    "platform",
    "meetingUrl",
    "botName",
    "redisUrl",
    "connectionId",
    "meeting_id",
    "automaticLeave",
}
if VERSION in ("V25", "O26"):
    REQUIRED |= {"token", "nativeMeetingId", "botManagerCallbackUrl"}
else:
    REQUIRED |= {"meetingApiCallbackUrl"}
# How often a report is sent, how long until it is sent again, and what a good answer says.
ATTEMPTS, PAUSE, GOOD = {
    "V25": (1, 0, None),
    "O26": (3, 1, {"processed", "ok", "container_updated"}),
    "V10": (3, 1, {"processed", "ok", "container_updated", "ignored"}),
    "V12": (5, 0.5, None),
}[VERSION]


def say(*words):
    print(*words, flush=True)


def read_config():
    config = json.loads(os.environ["VEXA_BOT_CONFIG" if VERSION == "V12" else "BOT_CONFIG"])
    missing = REQUIRED - set(config)
    unknown = set(config) - KNOWN if VERSION == "V12" else set()
    if missing or unknown:
        say("invalid configuration", sorted(missing), sorted(unknown))
        sys.exit(1)
    return config


CONFIG = read_config()
MEETING = CONFIG["meeting_id"]
BEGAN = time.time()
if VERSION == "V12":
    CALLBACK = CONFIG["meetingApiCallbackUrl"]
else:
    name = "meetingApiCallbackUrl" if VERSION == "V10" else "botManagerCallbackUrl"
    CALLBACK = CONFIG[name].replace("/exited", "/status_change")


def post(url, body, **headers):
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def report(status, **more):
    """Reports the status, as often as this version does until the answer is good."""
    body = {
        "connection_id": CONFIG["connectionId"],
        "container_id": CONFIG["container_name"],
        "status": status,
    }
    body["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    body.update(more)
    for attempt in range(ATTEMPTS):
        try:
            said = post(CALLBACK, body)["status"]
        except urllib.error.URLError as error:
            said = str(error)
        say("reported", status, more.get("completion_reason", "-"), "->", said)
        if GOOD is None or said in GOOD:
            return
        if attempt + 1 < ATTEMPTS:
            time.sleep(PAUSE * 2**attempt)
    say("gave up", status)


class Redis:
    """A connection that speaks RESP2, as node-redis 4 opens it."""

    def __init__(self, has_secret):
        url = urlsplit(CONFIG["redisUrl"])
        self.file = socket.create_connection((url.hostname, url.port)).makefile("rwb")
        if has_secret:
            assert self.call("AUTH", url.username, url.password) == "OK"

    def send(self, *words):
        words = [str(word).encode() for word in words]
        parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)]
        self.file.write(b"".join(parts))
        self.file.flush()

    def next(self):
        line = self.file.readline()[:-2].decode()
        mark, rest = line[:1], line[1:]
        if mark == "*":
            return [self.next() for _ in range(int(rest))]
        if mark == "$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode()
        assert mark in "+:", f"the server says {line!r}"
        return rest

    def call(self, *words):
        self.send(*words)
        return self.next()

    def add(self, payload):
        self.call("XADD", "transcription_segments", "*", "payload", json.dumps(payload))


class Words:
    """Whatever brings the words of this version: its recogniser, or the bot itself."""

    def __init__(self):
        self.by_recogniser = VERSION in ("V25", "O26")
        assert not self.by_recogniser or os.environ["WHISPER_LIVE_URL"] == "ws://whisper:9090"
        assert VERSION != "V12" or CONFIG["transcriptionServiceUrl"] == "http://whisper:8083"
        self.redis = Redis(has_secret=not self.by_recogniser)
        self.count = 0
        self.start_stream("en")

    def start_stream(self, language):
        """A recogniser begins a new stream for each language; later bots keep theirs."""
        self.language = language
        if self.by_recogniser:
            self.stream = f"stream-{language}"
        elif self.count:
            return
        else:
            self.stream = CONFIG["connectionId"]
        if VERSION != "V12":
            started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BEGAN))
            self.redis.add({"type": "session_start", **self.names(), "start_timestamp": started})

    def names(self):
        if VERSION == "V12":
            return {"meeting_id": MEETING, "native_meeting_id": CONFIG["nativeMeetingId"]}
        meeting = str(MEETING) if VERSION == "V10" else CONFIG["nativeMeetingId"]
        names = {"token": CONFIG["token"], "uid": self.stream, "meeting_id": meeting}
        return {**names, "platform": CONFIG["platform"]}

    def segment(self, text):
        self.count += 1
        at = self.count
        segment = {
            "start": at,
            "end": at + 1,
            "text": text,
            "language": self.language,
            "completed": True,
        }
        if self.by_recogniser:
            segment.update(start=f"{at:.3f}", end=f"{at + 1:.3f}")
        else:
            segment.update(speaker="Ada", segment_id=f"{CONFIG['connectionId']}:Ada:{at}")
        return segment

    def by_wire(self, text):
        self.redis.add({"type": "transcription", **self.names(), "segments": [self.segment(text)]})
        if VERSION in ("V10", "V12"):
            self.redis.call(
                "PUBLISH", f"tc:meeting:{MEETING}:mutable", json.dumps({"type": "transcript"})
            )

    def by_post(self, text):
        url = CALLBACK.rsplit("/callback/", 1)[0] + "/segments"
        body = {"uid": self.stream, "segments": [self.segment(text)]}
        post(url, body, Authorization=f"Bearer {CONFIG['token']}")


def leave_lobby():
    """The last report of the strict version before it is admitted, however it is stopped."""
    text = "stopped while it waited to be admitted"
    leave("failed", 0, text, failure_stage="awaiting_admission", completion_reason="stopped")


def leave(status, code, reason, **more):
    """The last report, with what this version adds to it; then the end."""
    if VERSION == "V10":
        more["bot_logs"] = ["the last line of its log"]
        more["bot_resources"] = {"samples": 1, "peak_memory_bytes": 1}
        more["speaker_events"] = [{"speaker": "Ada", "type": "joined", "timestamp": 0}]
    report(status, reason=reason, exit_code=code, **more)
    os._exit(code)


def on_signal(*_):
    say("SIGTERM")
    if VERSION == "V12" and words is None:
        leave_lobby()
    if VERSION == "V12":
        leave("completed", 0, "stopped", completion_reason="stopped")
    leave("failed", 143, "signal_sigterm", failure_stage="active")


def on_command(command, words):
    say("command", json.dumps(command))
    if command["meeting_id"] != MEETING:
        return
    # What a version does not know, it drops.
    if command["action"] == "reconfigure" and VERSION != "V12":
        words.start_stream(command["language"])
        words.by_wire(f"now in {command['language']}")
    elif command["action"] == "speak" and VERSION in ("V10", "V12"):
        has_voice = VERSION == "V10" or CONFIG.get("voiceAgentEnabled") is True
        say("spoke" if has_voice else "has no voice for", command["text"])
    elif command["action"] == "chat_send" and VERSION == "V10":
        say("wrote", command["text"])
    elif command["action"] == "leave" and "deaf" not in MANNERS:
        if "late" in MANNERS:
            report("active")  # it was under way when the command came
        if words is None:
            leave_lobby()
        leave("completed", 0, "self_initiated_leave", completion_reason="stopped")


def listen():
    """Subscribes, and hears commands from then on; the main thread is for signals."""
    commands = Redis(has_secret=True)
    name = f"meeting:{MEETING}"
    if VERSION == "V25" and IS_EARLY:
        name = CONFIG["connectionId"]
    assert commands.call("SUBSCRIBE", f"bot_commands:{name}")[0] == "subscribe"

    def hear():
        while True:
            kind, _, text = commands.next()
            assert kind == "message"
            on_command(json.loads(text), words)

    threading.Thread(target=hear, daemon=True).start()


words = None
signal.signal(signal.SIGTERM, on_signal)
# The strict version waits for the answer to this before it does anything else, and its first
# releases hear no command until they are admitted.
if VERSION == "V12":
    report("joining")
if not (VERSION == "V12" and IS_EARLY):
    listen()
if VERSION != "V12":
    report("joining")
report("awaiting_admission")
if VERSION in ("V10", "V12"):
    report("needs_human_help" if VERSION == "V10" else "needs_help")
if "lobby" not in MANNERS:
    report("active")
    words = Words()
    if VERSION == "V12" and IS_EARLY:
        listen()
    words.by_wire("by the wire")
    words.by_post("by POST")
while True:
    signal.pause()
