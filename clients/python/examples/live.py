"""Follow a meeting in the terminal, word by word, until it is over.

    python clients/python/examples/live.py google_meet abc-defg-hij --key TOKEN

Needs the client with its extra: pip install './clients/python[live]'.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from vomeet_client import DEFAULT_BASE_URL, VomeetClient, VomeetClientError

OVER = ("completed", "failed")


class View:
    """What was said so far, each line in its place: on a terminal a line that changes is written anew.

    Elsewhere, in a pipe say, a line is written once: when another follows it, or at the end.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._segments: dict[str, Mapping[str, Any]] = {}
        self._status = ""
        self._rows: list[str] = []
        self._written: set[str] = set()

    @property
    def is_over(self) -> bool:
        return self._status in OVER

    def merge(self, segments: Iterable[Mapping[str, Any]]) -> None:
        """Take segments in: one with an id that is known replaces what was there."""
        self._segments.update({segment["segment_id"]: segment for segment in segments})

    def remove(self, ids: Iterable[str]) -> None:
        """Take out segments that are gone."""
        for segment_id in ids:
            self._segments.pop(segment_id, None)

    def note(self, status: str) -> None:
        """Take a new status of the meeting in."""
        if status != self._status and not self._out.isatty():
            self._out.write(f"[{status}]\n")
        self._status = status

    def draw(self) -> None:
        """Show what has changed."""
        if self._out.isatty():
            self._redraw(shutil.get_terminal_size())
        else:
            self._append()
        self._out.flush()

    def _starts(self) -> list[str]:
        return sorted(self._segments, key=lambda key: self._segments[key]["absolute_start_time"])

    def _redraw(self, size: os.terminal_size) -> None:
        lines = [line(self._segments[start]) for start in self._starts()]
        rows = [row for text in lines for row in textwrap.wrap(text, size.columns - 1) or [""]]
        rows.append(f"[{self._status}]")
        same = sum(1 for _ in _common(self._rows, rows))
        # What has left the screen at the top stays as it is.
        same = max(same, len(self._rows) - (size.lines - 1))
        back = len(self._rows) - same
        self._out.write(f"\x1b[{back}A" if back else "")
        self._out.write("\r\x1b[J" + "".join(f"{row}\n" for row in rows[same:]))
        self._rows = self._rows[:same] + rows[same:]

    def _append(self) -> None:
        starts = self._starts()
        for start in starts if self.is_over else starts[:-1]:
            if start not in self._written:
                self._written.add(start)
                self._out.write(line(self._segments[start]) + "\n")


def _common(old: list[str], new: list[str]) -> Iterable[str]:
    for before, now in zip(old, new):
        if before != now:
            return
        yield now


def line(segment: Mapping[str, Any]) -> str:
    """Write a segment as one line, without anything that could steer the terminal."""
    minutes, seconds = divmod(int(segment["start"]), 60)
    text = f"{minutes:3}:{seconds:02} {segment['speaker'] or 'Somebody'}: {segment['text']}"
    return "".join(c if c.isprintable() else " " for c in text)


def follow(client: VomeetClient, platform: str, native_meeting_id: str, view: View) -> None:
    """Show a meeting until it is over.

    First subscribe, then read what there is already: so nothing is missed between the two.
    """
    for event in client.watch_meetings((platform, native_meeting_id)):
        if event["type"] == "subscribed":
            transcript = client.get_transcript(platform, native_meeting_id)
            view.note(transcript["status"])
            view.merge(transcript["segments"])
        elif event["type"] == "transcript.mutable":
            view.remove(event["payload"].get("removed", []))
            view.merge(event["payload"]["segments"])
        elif event["type"] == "meeting.status":
            view.note(event["payload"]["status"])
        view.draw()
        if view.is_over:
            return


def main() -> int:
    parser = argparse.ArgumentParser(description="Follow a meeting in the terminal.")
    parser.add_argument("platform", help="google_meet or teams")
    parser.add_argument("native_meeting_id", help="such as abc-defg-hij")
    parser.add_argument("--key", default=os.environ.get("VOMEET_API_KEY"), help="a user's token")
    parser.add_argument("--url", default=DEFAULT_BASE_URL, help="where the server is")
    arguments = parser.parse_args()
    client = VomeetClient(arguments.url, api_key=arguments.key)
    try:
        follow(client, arguments.platform, arguments.native_meeting_id, View(sys.stdout))
    except VomeetClientError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
