"""What callers do in two ways: a bot is sent by a link or by an id, a search is limited or not, requests are counted or not."""

import json
from contextlib import ExitStack
from dataclasses import replace
from urllib.error import HTTPError
from urllib.parse import quote

import fill
import words
from bots import SEARCHED, as_user, post, with_bots
from load import cpu_ratios
from server import ADMIN_KEY, HIGH_LIMITS, NO_LIMITS, pinned
from table import Bound, Row

NATIVE_ID = str(10**9)
ONE_WORKER = {"VOMEET_HTTP_WORKERS": "1"}
USERS = 1_000
CONFLICT = 409
SMALL_MEETING, SMALL_SEGMENTS = "abc-defg-hik", 1000


def links(bench):
    """A bot that is sent to a meeting by its link, against one that is sent by platform and id; one is there already."""
    link = f"https://teams.microsoft.com/meet/{NATIVE_ID}?p=Ab1"
    safe_link = f"https://eur01.safelinks.protection.outlook.com/?url={quote(link, safe='')}&reserved=0"
    bodies = {
        "by platform and id": {"platform": "teams", "native_meeting_id": NATIVE_ID},
        "by its link": {"meeting_url": link},
        "by its link, wrapped by Outlook": {"meeting_url": safe_link},
    }
    settings = ONE_WORKER | NO_LIMITS
    with pinned(bench.server_core), with_bots(bench, 1, settings=settings) as (server, token, _):
        for body in bodies.values():
            _require_conflict(server, token, body)
        contestants = {
            what: (server, ("post", "/bots", json.dumps(body), "X-API-Key", token))
            for what, body in bodies.items()
        }
        samples = bench.alternate(contestants, is_refused=True)
    by_id = samples.pop("by platform and id")
    rows = [Row("by platform and id", by_id)]
    for what, taken in samples.items():
        rows.append(Row(what, taken, cpu_ratios(taken, by_id), bound=Bound(below=1.5)))
    return rows


def _require_conflict(server, token, body):
    """The message if the bot is refused for another reason than the one that is there."""
    status = None
    try:
        post(server, "/bots", body, {"X-API-Key": token})
    except HTTPError as refused:
        status = refused.code
    if status != CONFLICT:
        raise SystemExit(f"A bot for a meeting that has one: status {status}, not {CONFLICT}.")


def scopes(bench):
    """A search in a meeting of a thousand segments, against the same in all that the user said."""
    database = words.database(bench.vomeet, SEARCHED, 1)
    copy = database.copy(bench.folder)
    meeting_id = words.split_off(copy, SMALL_MEETING, SMALL_SEGMENTS)
    rows = []
    with ExitStack() as stack:
        server = bench.pinned_vomeet(stack, words.Words(copy, database.much, database.little))
        limited = _limited_token(server)
        for what, query, bound in (
            ("a word in nearly all", "word0", Bound(below=6)),
            ("a rare word", "word19000", Bound(below=2)),
        ):
            everywhere = f"/transcripts/search?q={query}"
            within = f"{everywhere}&meeting_id={meeting_id}"
            searches = {
                f"{what}, everywhere": (everywhere, database.much),
                f"{what}, by meeting_id": (within, database.much),
                f"{what}, by a token of the meeting": (everywhere, limited),
            }
            rows += _search_rows(bench, server, searches, bound)
        _require_found_in(server, meeting_id, limited)
    copy.unlink()
    return rows


def _search_rows(bench, server, searches, bound):
    contestants = {
        what: (server, ("get", path, "X-API-Key", token))
        for what, (path, token) in searches.items()
    }
    first, *others = bench.alternate(contestants).items()
    what, everywhere = first
    rows = [Row(what, everywhere)]
    for what, taken in others:
        rows.append(Row(what, taken, cpu_ratios(taken, everywhere), bound=bound))
    return rows


def _limited_token(server):
    """A token of the user of half of the words, limited to their small meeting."""
    meeting = {"platform": "google_meet", "native_meeting_id": SMALL_MEETING}
    admin = {"X-Admin-API-Key": ADMIN_KEY}
    return post(server, f"/admin/users/{words.MUCH_ID}/tokens", {"meeting": meeting}, admin)["token"]


def _require_found_in(server, meeting_id, limited):
    """The message if the limited token finds nothing, or something in another meeting."""
    results = as_user(server, limited, "GET", "/transcripts/search?q=word0")["results"]
    found = {result["meeting"]["id"] for result in results}
    if found != {meeting_id}:
        raise SystemExit(f"A search in meeting {meeting_id} finds something in {found or 'none'}.")


def limits(bench):
    """The token check with limits that are never reached, against the same without limits."""
    database = fill.database(bench.vomeet, USERS)
    contestants = {}
    with ExitStack() as stack:
        for name, settings in (("off", NO_LIMITS), ("on", HIGH_LIMITS)):
            folder = bench.folder / f"limits-{name}"
            folder.mkdir()
            copy = replace(database, path=database.copy(folder))
            server = bench.pinned_vomeet(stack, copy, settings)
            contestants[name] = (server, ("get_as_each", "/user", "X-API-Key", copy.tokens))
        samples = bench.alternate(contestants)
    ratios = cpu_ratios(samples["on"], samples["off"])
    return [
        Row("GET /user, limits off", samples["off"]),
        Row("GET /user, limits on", samples["on"], ratios, bound=Bound(below=1.2)),
    ]


def polls(bench):
    """Who asks for a transcript again, against who reads it: nothing has changed."""
    database = words.database(bench.vomeet, SEARCHED, 1)
    copy = database.copy(bench.folder)
    words.split_off(copy, SMALL_MEETING, SMALL_SEGMENTS)
    path = f"/transcripts/google_meet/{SMALL_MEETING}"
    with ExitStack() as stack:
        server = bench.pinned_vomeet(stack, words.Words(copy, database.much, database.little))
        key = ("X-API-Key", database.much)
        cursor = as_user(server, database.much, "GET", path)["cursor"]
        # Every tag is right: what is measured is the way to the response without a body.
        ways = {
            "GET /user": ("get", "/user", *key),
            "the whole": ("get", path, *key),
            "with a cursor": ("get", f"{path}?after={cursor}", *key),
            "with its ETag": ("get", path, *key, "If-None-Match", "*"),
        }
        samples = bench.alternate({what: (server, request) for what, request in ways.items()})
    copy.unlink()
    user, whole = samples.pop("GET /user"), samples.pop("the whole")
    rows = [Row("GET /user", user), Row("the whole", whole)]
    for what, bound in (("with a cursor", Bound(below=6)), ("with its ETag", Bound(below=3))):
        rows.append(Row(f"{what}: CPU time against GET /user", samples[what], cpu_ratios(samples[what], user), bound=bound))
        rows.append(Row("  against the whole", None, cpu_ratios(samples[what], whole), bound=Bound(below=0.2)))
    return rows


SECTIONS = {
    "polls": (
        polls,
        f"CPU time of a poll of a transcript of {SMALL_SEGMENTS:,} segments that has not changed ÷ GET /user, and ÷ the whole, one worker",
    ),
    "links": (
        links,
        "CPU time of POST /bots by a link ÷ by platform and id, for a meeting that has a bot (409), one worker",
    ),
    "scopes": (
        scopes,
        f"CPU time of a search in one meeting of {SMALL_SEGMENTS:,} segments ÷ in all of the user, of {SEARCHED:,} segments",
    ),
    "limits": (
        limits,
        "CPU time with limits of requests for tokens and users ÷ without, one worker",
    ),
}
