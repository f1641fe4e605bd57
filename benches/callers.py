"""What callers do in two ways: a bot is sent by a link or by an id, a search is limited or not, requests are counted or not."""

import json
from urllib.error import HTTPError
from urllib.parse import quote

from bots import post, with_bots
from load import cpu_ratios
from server import NO_LIMITS, pinned
from table import Bound, Row

NATIVE_ID = str(10**9)
ONE_WORKER = {"VOMEET_HTTP_WORKERS": "1"}
CONFLICT = 409


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


SECTIONS = {
    "links": (
        links,
        "CPU time of POST /bots by a link ÷ by platform and id, for a meeting that has a bot (409), one worker",
    ),
}
