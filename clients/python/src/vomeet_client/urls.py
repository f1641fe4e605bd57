"""Meeting links, taken apart."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qs, urlsplit

_GOOGLE_MEET_PATH = re.compile(r"/([a-z]{3}-[a-z]{4}-[a-z]{3})/?")
_TEAMS_PATH = re.compile(r"/meet/([0-9]{10,15})/?")


def parse_url(meeting_url: str) -> tuple[str, str, str | None]:
    """Split a meeting link into platform, native meeting id and passcode.

    Takes ``https://meet.google.com/abc-defg-hij`` and
    ``https://teams.live.com/meet/1234567890?p=PASSCODE``; the scheme may be missing, other query
    parameters are ignored. The passcode is None where the link has none.

    Raises ValueError for every other link.
    """
    link = _split(meeting_url)
    if link.scheme in ("http", "https"):
        if link.hostname == "meet.google.com" and (match := _GOOGLE_MEET_PATH.fullmatch(link.path)):
            return "google_meet", match[1], None
        if link.hostname == "teams.live.com" and (match := _TEAMS_PATH.fullmatch(link.path)):
            return "teams", match[1], _passcode(link.query)
    raise ValueError(f"Not a Google Meet or Teams meeting link: {meeting_url}")


def _split(meeting_url: str) -> SplitResult:
    link = meeting_url.strip()
    return urlsplit(link if "://" in link else f"https://{link}")


def _passcode(query: str) -> str | None:
    return parse_qs(query).get("p", [None])[0]
