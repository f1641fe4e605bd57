"""A bot for meetings in WebRTC pages, such as one's own or Jitsi's: it joins, hears each person for
themselves, and brings their sound to the server, which makes words of it. See README.md.

The server starts it (`bots.process_command`) and tells it everything in `BOT_CONFIG`.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

from commands import follow
from page import NoPage, opened
from playwright.async_api import Error as BrowserError
from sound import SoundSocket

REPORT_ATTEMPTS = 6
LOOK_SECONDS = 0.5
# The server gives a bot 30 seconds to leave (bots.leave_seconds).
CLOSE_SECONDS = 5
DRAIN_SECONDS = 5
STOPPED = {"exit_code": 0, "completion_reason": "stopped"}
LEFT_ALONE = {"exit_code": 0, "completion_reason": "left_alone"}


@dataclass
class Settings:
    """What `bots.process_environment` may say."""

    chromium: str | None
    name_field: str | None
    join_button: str | None
    loopback: int | None
    has_sandbox: bool

    @classmethod
    def read(cls):
        """Reads them; the sandbox of Chromium does not work as root."""
        loopback = os.environ.get("WEBRTC_BOT_LOOPBACK_PORT")
        return cls(
            chromium=os.environ.get("WEBRTC_BOT_CHROMIUM"),
            name_field=os.environ.get("WEBRTC_BOT_NAME_FIELD"),
            join_button=os.environ.get("WEBRTC_BOT_JOIN_BUTTON"),
            loopback=int(loopback) if loopback else None,
            has_sandbox=os.geteuid() != 0,
        )


class Verdict:
    """Why the bot leaves. What is said first counts."""

    def __init__(self):
        self.said = {}
        self.is_given = asyncio.Event()

    def give(self, report):
        """Says how it ends."""
        self.said = self.said or report
        self.is_given.set()

    def fail(self, stage, why):
        """Says that it has failed, in a sentence."""
        print(f"failed, {stage}: {why}", flush=True)
        self.give({"exit_code": 1, "reason": "error", "failure_stage": stage, "error_details": why})


class Reports:
    """Reports to the server how the meeting goes."""

    def __init__(self, config):
        self.base = config["botManagerCallbackUrl"].rsplit("/callback/", 1)[0]
        self.who = {
            "connection_id": config["connectionId"],
            "container_id": config["container_name"],
        }

    async def send(self, name, **more):
        """Sends a report, again where the server is away for a moment."""
        await asyncio.to_thread(self._send, name, more)
        print(f"reported {name}", flush=True)

    def _send(self, name, more):
        body = json.dumps({**self.who, **more}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.base}/callback/{name}", body, headers)
        for attempt in range(1, REPORT_ATTEMPTS + 1):
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    answer.read()
                    return
            except OSError as error:
                is_refused = isinstance(error, urllib.error.HTTPError) and error.code < 500
                if is_refused or attempt == REPORT_ATTEMPTS:
                    raise
                print(f"{name}: {error}", flush=True)
                time.sleep(0.25 * 2**attempt)


class Attendance:
    """The bot in its meeting."""

    def __init__(self, config):
        self.config = config
        self.verdict = Verdict()
        self.reports = Reports(config)
        url = self.reports.base.replace("http", "ws", 1) + "/audio"
        on_over = functools.partial(self.verdict.give, STOPPED)
        self.sound = SoundSocket(url, config["token"], on_over)
        self.stage = "joining"
        self.tasks = []

    def command(self, command):
        """Does what the server asks for; what this bot cannot do, it drops."""
        print("command", json.dumps(command), flush=True)
        if command.get("action") == "leave":
            self.verdict.give(STOPPED)
        if command.get("action") == "reconfigure":
            self.sound.reopen()

    def fail(self, why):
        """Something is of no use any more."""
        self.verdict.fail(self.stage, why)

    def start(self, work):
        """Runs something beside the rest; a fault of it ends the bot."""
        task = asyncio.create_task(work)
        self.tasks.append(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task):
        if not task.cancelled() and task.exception():
            self.fail(repr(task.exception()))

    async def run(self):
        """Attends the meeting; gives the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.verdict.give, STOPPED)
        if "redisUrl" in self.config:
            url, meeting_id = self.config["redisUrl"], self.config["meeting_id"]
            self.start(follow(url, meeting_id, self.command))
        attending = self.start(self.attend())
        await self.verdict.is_given.wait()
        attending.cancel()
        await asyncio.wait([attending], timeout=CLOSE_SECONDS)
        await self.finish()
        try:
            await self.reports.send("exited", **self.verdict.said)
        except OSError as error:
            print(f"the end cannot be reported: {error}", flush=True)
        return self.verdict.said["exit_code"]

    async def attend(self):
        """Joins, and stays until it is alone."""
        try:
            await self.reports.send("joining")
            async with opened(self.config, Settings.read(), self.sound, self.fail) as page:
                await self.reports.send("started")
                self.stage = "active"
                self.start(self.sound.run())
                await self.stay(page)
        except (BrowserError, NoPage, OSError) as error:
            self.fail(str(error).split("\n", 1)[0])

    async def stay(self, page):
        """Stays as long as somebody is there, or may still come."""
        leave = self.config["automaticLeave"]
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            alone = page.alone_since()
            if alone is None:
                continue
            since, was_somebody = alone
            limit = leave["everyoneLeftTimeout" if was_somebody else "noOneJoinedTimeout"]
            if time.monotonic() - since > limit / 1000:
                self.verdict.give(LEFT_ALONE)
                return

    async def finish(self):
        """Sends the rest of the sound, and ends what runs beside the meeting."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self.sound.drain()
        except TimeoutError:
            print("sound: the rest cannot be sent", flush=True)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def main():
    """Reads `BOT_CONFIG` and attends the meeting."""
    config = os.environ.get("BOT_CONFIG")
    if not config:
        sys.exit("BOT_CONFIG is missing: the server starts this program, see docs/bots.md")
    sys.exit(asyncio.run(Attendance(json.loads(config)).run()))


if __name__ == "__main__":
    main()
