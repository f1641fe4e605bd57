"""A room with people who speak, and the bot in it, sent by a real server."""

import base64
import json
import sqlite3
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from live_server import ADMIN_KEY, REPOSITORY, running
from patience import wait_for
from signalling import served
from vomeet_client import VomeetClient

FOLDER = Path(__file__).parent
BOT = REPOSITORY / "bots" / "webrtc" / "bot.py"
HOST = "room.example.org"
# Of a page; a path of one part would be a room of Jitsi.
PATH = "/rooms/one"
PATIENCE_MS = 120_000
BYTES_A_SECOND = 32_000
# What lets two browsers of this machine reach each other, and play without a click.
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]
# An engine that is not there: sound is taken, and waits.
NO_ENGINE = '[[transcription.engines]]\nname = "away"\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\n'


class Person:
    """Somebody in the room, in a tab of their own."""

    def __init__(self, context, port, name, query):
        self.name = name
        self.tab = context.new_page()
        self.tab.set_default_timeout(PATIENCE_MS)
        self.tab.goto(f"http://127.0.0.1:{port}{PATH}{query}")
        self.tab.fill("#name", name)
        self.tab.click("#join")
        self.tab.wait_for_selector("body[data-joined]")

    def say(self, path, begin, end):
        """Says a part of a WAV file, in seconds; is over when it is said."""
        file = base64.b64encode(path.read_bytes()).decode()
        self.tab.evaluate("([file, from, to]) => say(file, from, to)", [file, begin, end])

    def stream(self):
        """What WebRTC calls the stream of their sound."""
        return self.tab.evaluate("window.mouth.stream.id")

    def leave(self):
        """Closes the tab."""
        self.tab.close(run_before_unload=True)


class Room:
    """A room, the server that sends the bot, and a browser for the people."""

    def __init__(self, browser, folder, engine=NO_ENGINE, query="", **settings):
        self.browser = browser
        self.folder = folder
        self.query = query
        self.engine = engine
        self.settings = settings
        self.stack = ExitStack()
        self.meeting = None

    def __enter__(self):
        self.port = self.stack.enter_context(served())
        self.context = self.browser.new_context()
        self.stack.callback(self.context.close)
        self.context.add_init_script(path=FOLDER / "microphone.js")
        (self.folder / "vomeet.toml").write_text(self.engine)
        self.server = self.stack.enter_context(ExitStack())
        self.start_server("127.0.0.1:0")
        admin = VomeetClient(self.base_url, admin_key=ADMIN_KEY)
        user = admin.create_user("room@example.com", max_concurrent_bots=1)
        self.user = VomeetClient(self.base_url, api_key=admin.create_token(user["id"])["token"])
        return self

    def __exit__(self, *fault):
        if self.meeting and not fault[0]:
            self.stop_bot()
        return self.stack.__exit__(*fault)

    def start_server(self, listen):
        """Starts the server, at an address or at a free port."""
        bot = {
            "WEBRTC_BOT_LOOPBACK_PORT": self.port,
            "WEBRTC_BOT_NAME_FIELD": "#name",
            "WEBRTC_BOT_JOIN_BUTTON": "#join",
        }
        settings = {
            "VOMEET_BOTS_RUNNER": "process",
            "VOMEET_BOTS_PROCESS_COMMAND": json.dumps([sys.executable, "-u", str(BOT)]),
            "VOMEET_BOTS_PROCESS_ENVIRONMENT": json.dumps([f"{k}={v}" for k, v in bot.items()]),
            "VOMEET_BOTS_PLATFORMS": '["generic"]',
            "VOMEET_BOTS_HOSTS": json.dumps([HOST]),
            "VOMEET_BOTS_LOG_FOLDER": str(self.folder / "logs"),
            "VOMEET_LIMITS_REQUESTS_PER_MINUTE_TOKEN": "0",
            **self.settings,
        }
        self.base_url = self.server.enter_context(running(self.folder, listen, **settings))

    def restart_server(self):
        """Stops the server and starts it again at the same address."""
        self.server.close()
        self.start_server(f"127.0.0.1:{urlsplit(self.base_url).port}")

    def enter(self, name):
        """Lets somebody in."""
        return Person(self.context, self.port, name, self.query)

    def send_bot(self, path=PATH):
        """Sends the bot to a page of the room's host, and waits until it is in, or is not."""
        link = f"https://{HOST}{path}{self.query}"
        self.meeting = self.user.request_bot_from_url(link, bot_name="Recorder")
        return self.wait_until("active", "completed", "failed")

    def wait_until(self, *states):
        """The meeting, once it is in one of these states."""

        def look():
            meetings = self.user.get_meetings(limit=1)
            return next((one for one in meetings if one["status"] in states), None)

        return wait_for(look, self.log)

    def log(self):
        """What the bot has printed."""
        path = self.folder / "logs" / "meeting-1.log"
        return path.read_text() if path.exists() else "no bot has printed anything"

    def wait_for_log(self, text, times=1):
        """Waits until the bot has printed something so often."""
        wait_for(lambda: self.log().count(text) >= times, self.log)

    def spooled_seconds(self):
        """How much sound the server has on disk, of all speakers together."""
        files = self.folder.rglob("*.sound")
        return sum(file.stat().st_size for file in files) / BYTES_A_SECOND

    def wait_for_seconds(self, seconds):
        """Waits until the server has so much sound on disk."""
        wait_for(lambda: self.spooled_seconds() >= seconds, self.log)

    def sounds(self):
        """Stops the server, and gives what came: of each speaker, how many seconds, and when it ended."""
        self.server.close()
        with sqlite3.connect(self.folder / "vomeet.db") as db:
            rows = db.execute(
                "SELECT speaker, heard_ms, ended_at FROM sounds ORDER BY id"
            ).fetchall()
        assert len({speaker for speaker, _, _ in rows}) == len(rows), rows
        return {speaker: (heard_ms / 1000, ended_at) for speaker, heard_ms, ended_at in rows}

    def stop_bot(self):
        """Stops the bot: the meeting, once it is over."""
        name = (self.meeting["platform"], self.meeting["native_meeting_id"])
        self.meeting = None
        self.user.stop_bot(*name)
        return self.wait_until("completed", "failed")


def verdict(meeting):
    """How a meeting has ended."""
    return meeting["status"], meeting["data"].get("completion_reason")
