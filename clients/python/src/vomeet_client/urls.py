"""Meeting links, taken apart as the server does it.

The table of cases in the project's ``tests/links.json`` holds for both.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

_LINK_BYTES_MAX = 4096
_WRAPPERS_MAX = 3
_TEAMS_HOSTS = (
    "teams.microsoft.com",
    "teams.live.com",
    "teams.cloud.microsoft",
    "teams.microsoft.us",
    "gov.teams.microsoft.us",
    "dod.teams.microsoft.us",
)
_GOOGLE_HOSTS = ("google.com", "www.google.com")
_SAFE_LINKS = "safelinks.protection.outlook.com"
_AROUND = "<>\"'“”„‘’«»([ "
_BEHIND = ".,;!)]"
_SCHEME = re.compile(r"[A-Za-z0-9+.-]*://")
_MEET_CODE = re.compile(r"[A-Za-z]{3}-[A-Za-z]{4}-[A-Za-z]{3}", re.ASCII)
_TEAMS_NUMBER = re.compile(r"[0-9]{10,15}", re.ASCII)
_TEAMS_THREAD = re.compile(r"19:[A-Za-z0-9_-]+@thread\.(v2|tacv2|skype)", re.ASCII)
_ZOOM_NUMBER = re.compile(r"[0-9]{9,11}", re.ASCII)
_PASSCODE = re.compile(r"[0-9A-Za-z._~=+/-]{1,128}", re.ASCII)


class MeetingLink(NamedTuple):
    """Where a link leads; ``url`` is what a bot opens."""

    platform: str
    native_meeting_id: str
    passcode: str | None
    url: str


def parse_url(meeting_url: str) -> tuple[str, str, str | None]:
    """Split a meeting link into platform, native meeting id and passcode.

    Reads links of Google Meet, Teams and Zoom, also those that Google or Outlook wrap, or that
    stand in brackets or quotes. The passcode is None where the link has none.

    Raises ValueError for every other link. Which rooms of Jitsi and which pages a bot may go to,
    only the server knows: give such a link to ``request_bot_from_url``.
    """
    link = parse_link(meeting_url)
    return link.platform, link.native_meeting_id, link.passcode


def parse_link(meeting_url: str, hosts: Sequence[str] = ()) -> MeetingLink:
    """Take a link apart; raises ValueError with a sentence for a link that leads to no meeting.

    ``hosts`` are those of Jitsi: a host, or ``*.`` and a domain for all hosts below it.
    """
    if len(meeting_url.encode()) > _LINK_BYTES_MAX:
        raise ValueError(f"a link has at most {_LINK_BYTES_MAX} bytes")
    url = _split(_bare(meeting_url))
    for _ in range(_WRAPPERS_MAX):
        inner = _unwrapped(url)
        if inner is None:
            return _meeting(url, hosts)
        url = _split(_bare(inner))
    raise ValueError("too many links stand around this link")


def _bare(link: str) -> str:
    before, link = None, link.strip()
    while link != before:
        before = link
        link = link.strip(_AROUND).strip().rstrip(_BEHIND)
    return link.replace("&amp;", "&")


def _split(link: str) -> SplitResult:
    no_link = ValueError("this is not a link to a meeting")
    if re.search(r"\s", link):
        raise no_link
    try:
        url = urlsplit(link if _SCHEME.match(link) else f"https://{link}")
        port, host = url.port, (url.hostname or "")
        host = host.encode("idna").decode() if not host.isascii() else host
    except ValueError as error:
        raise no_link from error
    if url.scheme not in ("http", "https"):
        raise no_link
    if url.username or url.password or "@" in url.netloc:
        raise ValueError("a link to a meeting names no user")
    if not host:
        raise no_link
    if _is_address(host):
        raise ValueError("a link to a meeting names a host, not an address")
    if port not in (None, 443 if url.scheme == "https" else 80):
        raise ValueError("a link to a meeting names no port")
    if url.scheme == "http" and not _is_known(host):
        raise ValueError("a link to this host must begin with https://")
    return url._replace(scheme="https", netloc=host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.rsplit(".", 1)[-1].isdigit()
    return True


def _is_known(host: str) -> bool:
    return (
        host in ("meet.google.com", "g.co", *_GOOGLE_HOSTS, *_TEAMS_HOSTS)
        or _is_below(host, "zoom.us")
        or _is_below(host, _SAFE_LINKS)
    )


def _is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _parameter(url: SplitResult, name: str) -> str | None:
    return parse_qs(url.query).get(name, [None])[0]


def _unwrapped(url: SplitResult) -> str | None:
    host = url.netloc
    if host in _GOOGLE_HOSTS and url.path == "/url":
        return _parameter(url, "q") or _parameter(url, "url")
    if _is_below(host, _SAFE_LINKS):
        return _parameter(url, "url")
    if host in _TEAMS_HOSTS and url.path == "/dl/launcher/launcher.html":
        path = _parameter(url, "url") or ""
        return f"https://{host}{path}" if path.startswith("/") else None
    return None


def _segments(path: str) -> list[str]:
    return [unquote(part) for part in path.split("/") if part]


def _meeting(url: SplitResult, hosts: Sequence[str]) -> MeetingLink:
    host = url.netloc
    if host in ("meet.google.com", "g.co"):
        return _google_meet(url)
    if host in _TEAMS_HOSTS:
        return _teams(url)
    if _is_below(host, "zoom.us"):
        return _zoom(url)
    if _is_below(host, "zoom.com"):
        raise ValueError(
            "this Zoom host forwards to another one: open the link and send the zoom.us address"
            " that it leads to"
        )
    return _jitsi(url, hosts)


def _google_meet(url: SplitResult) -> MeetingLink:
    path = _segments(url.path)
    first, last = (path[0], path[-1]) if path else ("", "")
    is_other = first == "lookup" or (url.netloc == "g.co" and first != "meet")
    if is_other or not _MEET_CODE.fullmatch(last):
        raise ValueError("a Google Meet link ends in a code such as abc-defg-hij")
    code = last.lower()
    return MeetingLink("google_meet", code, None, f"https://meet.google.com/{code}")


def _teams(url: SplitResult) -> MeetingLink:
    host = url.netloc
    # The web application has the path behind the hash.
    inner = urlsplit(f"https://{host}{url.fragment}") if url.fragment.startswith("/") else url
    path = _segments(inner.path)
    if path[:2] == ["l", "meetup-join"] and len(path) > 2 and _TEAMS_THREAD.fullmatch(path[2]):
        return MeetingLink("teams", path[2], None, url.geturl())
    if len(path) == 2 and path[0] == "meet" and _TEAMS_NUMBER.fullmatch(path[1]):
        return _numbered("teams", f"https://{host}/meet/{path[1]}", inner, "p")
    raise ValueError(
        "a Teams link has the form /l/meetup-join/19:…@thread.v2/… or /meet/1234567890"
    )


def _zoom(url: SplitResult) -> MeetingLink:
    path = _segments(url.path)
    if path[:-1] in (["j"], ["wc", "join"]) and _ZOOM_NUMBER.fullmatch(path[-1]):
        return _numbered("zoom", f"https://{url.netloc}/j/{path[-1]}", url, "pwd")
    raise ValueError("a Zoom link has the form /j/123456789, with 9 to 11 digits")


def _numbered(platform: str, address: str, url: SplitResult, name: str) -> MeetingLink:
    number = address.rsplit("/", 1)[-1]
    for pair in url.query.split("&"):
        key, _, value = pair.partition("=")
        if key != name or not value:
            continue
        # A plus in a passcode is a plus.
        passcode = unquote(value)
        if not _PASSCODE.fullmatch(passcode):
            raise ValueError("the passcode of the link is not one")
        opened = f"{address}?{name}={passcode.replace('+', '%2B')}"
        return MeetingLink(platform, number, passcode, opened)
    return MeetingLink(platform, number, None, address)


def _jitsi(url: SplitResult, hosts: Sequence[str]) -> MeetingLink:
    host = url.netloc
    if not any(_fits(host, allowed) for allowed in hosts):
        raise ValueError(
            f"this link leads to no platform, and bots.hosts does not name {host};"
            " request_bot_from_url asks the server"
        )
    path = _segments(url.path)
    is_room = len(path) == 1 and not url.query and not re.search(r"[@/\x00-\x1f]", path[0])
    if not is_room:
        raise ValueError("a page of your own is named by the server: use request_bot_from_url")
    address = f"https://{host}/{quote(path[0])}"
    return MeetingLink("jitsi", f"{path[0]}@{host}", None, address)


def _fits(host: str, allowed: str) -> bool:
    if allowed.startswith("*."):
        return host.endswith(allowed[1:])
    return host == allowed
