"""Bots and their watchers: segments stored, read, searched and pushed to the live feed."""

import json
import time
import urllib.request
from contextlib import ExitStack, contextmanager

import words
from load import load
from server import ADMIN_KEY, vomeet
from table import Bound, Row

BOTS = 64
BATCH = 10
MEETINGS, TRANSCRIPT = 10_000, 50_000
SEARCHED = 1_000_000
STORED = (1_000, 1_000_000)
PATIENCE_SECONDS = 20
# A bot that leaves what it was told where the benchmark finds it, and waits.
WAITING_BOT = ["sh", "-c", 'printf %s "$BOT_CONFIG" > "bot-$$.part"; mv "bot-$$.part" "bot-$$.json"; exec sleep 900']
READ_BYTES = 64 * 1024


@contextmanager
def with_bots(bench, number, stored=None, settings=None):
    """A server with this many active bots, on a copy of a database if one is given: gives it and each bot's configuration."""
    folder = bench.folder / "bots"
    folder.mkdir(exist_ok=True)
    if stored is not None:
        stored.copy(folder)
    settings = {
        "VOMEET_BOTS_RUNNER": "process",
        "VOMEET_BOTS_PROCESS_COMMAND": json.dumps(WAITING_BOT),
        "VOMEET_BOTS_PROCESS_FOLDER": str(folder),
        "VOMEET_BOTS_LOG_FOLDER": str(folder),
        "VOMEET_BOTS_GRACE_SECONDS": "1",
        **(settings or {}),
    }
    database = folder / "vomeet.db"
    with vomeet(bench.vomeet, database, bench.folder / "log", settings=settings) as server:
        token = _new_user(server, number)
        for n in range(number):
            as_user(server, token, "POST", "/bots", {"platform": "teams", "native_meeting_id": str(10**9 + n)})
        bots = _told(folder, number)
        for bot in bots:
            report = {"connection_id": bot["connectionId"], "status": "active"}
            post(server, "/bots/internal/callback/status_change", report)
        try:
            yield server, token, bots
        finally:
            for n in range(number):
                as_user(server, token, "DELETE", f"/bots/teams/{10**9 + n}")
            _until(lambda: not as_user(server, token, "GET", "/bots/status")["running_bots"])
    for file in folder.iterdir():
        file.unlink()


def _told(folder, number):
    def all_there():
        files = sorted(folder.glob("bot-*.json"))
        return files if len(files) == number else None

    return [json.loads(file.read_text()) for file in _until(all_there)]


def _until(ask):
    """Asks until there is a result."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.01)
    raise SystemExit("The bots of the benchmark did not come, or did not go.")


def _new_user(server, limit):
    admin = {"X-Admin-API-Key": ADMIN_KEY, "Content-Type": "application/json"}
    body = json.dumps({"email": "bench@example.com", "max_concurrent_bots": limit}).encode()
    user = json.loads(server.ask("/admin/users", "POST", admin, body))["id"]
    return json.loads(server.ask(f"/admin/users/{user}/tokens", "POST", admin))["token"]


def as_user(server, token, method, path, body=None):
    """One request of a user; gives what its response says."""
    headers = {"X-API-Key": token, "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    return json.loads(server.ask(path, method, headers, data))


def post(server, path, body, headers=None):
    """Posts JSON; gives what the response says."""
    headers = {"Content-Type": "application/json", **(headers or {})}
    return json.loads(server.ask(path, "POST", headers, json.dumps(body).encode()))


def file_of_bots(bench, bots):
    """The secret and the session of each bot, as `load.lua` reads them."""
    told = bench.folder / "told.txt"
    told.write_text("".join(f"{bot['token']} {bot['connectionId']}\n" for bot in bots))
    return told


def segments(bench):
    """Batches of ten new segments, each acknowledged after its fsync, at one connection and at many."""
    samples = {1: [], BOTS: []}
    with with_bots(bench, BOTS) as (server, _, bots):
        told = file_of_bots(bench, bots)
        series = 0
        for _ in range(bench.rounds):
            for number, taken in samples.items():
                series += 1
                taken.append(load(server, "segments", told, series, BATCH, connections=number))
    one, many = samples.values()
    ratios = [most.rate / single.rate for most, single in zip(many, one)]
    return [
        Row(f"batches of {BATCH}, 1 connection", one),
        Row(f"batches of {BATCH}, {BOTS} connections: rate against 1", many, ratios, bound=Bound(least=4)),
    ]


def changing(bench):
    """Batches of ten segments that change while somebody speaks, beside new ones, among few and among very many."""
    rows = []
    for number in STORED:
        is_most = number == max(STORED)
        new, changed = _changing(bench, words.database(bench.vomeet, number, 1))
        ratios = [one.rate / other.rate for one, other in zip(changed, new)]
        bound = Bound(least=0.7) if is_most else None
        rows.append(Row(f"new ones, {number:,} stored", new))
        rows.append(_slowest(new, is_most))
        rows.append(Row(f"changed ones, {number:,} stored: rate against new", changed, ratios, bound=bound))
        rows.append(_slowest(changed, is_most))
    return rows


def _changing(bench, database):
    with with_bots(bench, BOTS, database) as (server, _, bots):
        return in_turn(bench, server, bots, "segments", "changed_segments")


def in_turn(bench, server, bots, *kinds):
    """Samples of each kind of batch, taken in turn, of all bots."""
    samples = {kind: [] for kind in kinds}
    told = file_of_bots(bench, bots)
    series = 0
    for _ in range(bench.rounds):
        for kind, taken in samples.items():
            series += 1
            taken.append(load(server, kind, told, series, BATCH, connections=len(bots)))
    return samples.values()


def _slowest(samples, is_bound):
    figures = [sample.p99_us / 1000 for sample in samples]
    return Row("  p99", None, figures, " ms", Bound(below=50) if is_bound else None)


def reading(bench):
    """Memory while long responses are sent."""
    database = words.database(bench.vomeet, 2 * TRANSCRIPT, MEETINGS)
    paths = {
        f"GET /meetings, {MEETINGS:,} of them": "/meetings",
        f"GET /transcripts, {TRANSCRIPT:,} segments": "/transcripts/google_meet/abc-defg-hij",
        "the same as WebVTT": "/transcripts/google_meet/abc-defg-hij?format=vtt",
    }
    rows = []
    copy = database.copy(bench.folder)
    with vomeet(bench.vomeet, copy, bench.folder / "log") as server:
        for path in paths.values():
            _read(server, path, database.much)
        for what, path in paths.items():
            growths, megabytes = [], 0
            for _ in range(bench.rounds):
                before = server.resident_mb()
                server.forget_peak()
                megabytes = _read(server, path, database.much) / 1e6
                growths.append(max(server.peak_mb() - before, 0))
            rows.append(Row(f"{what}, {megabytes:.1f} MB: memory grows by", None, growths, " MB", Bound(below=4)))
    copy.unlink()
    return rows


def _read(server, path, token):
    """Reads a response a piece at a time and gives its length."""
    request = urllib.request.Request(server.url + path, headers={"X-API-Key": token})
    length = 0
    with urllib.request.urlopen(request) as answer:
        while piece := answer.read(READ_BYTES):
            length += len(piece)
    return length


def searching(bench):
    """The first page of a search, in the time of point reads over HTTP."""
    database = words.database(bench.vomeet, SEARCHED, 1)
    queries = {
        "a word in nearly all": "word0",
        "a rare word": "word19000",
        "two words": "word1+word2",
        "a phrase": "%22word0+word1%22",
        "a beginning": "word190*",
        "a word, one speaker": "word0&speaker=Ada",
        "a word, nobody's": "word0&speaker=Nobody",
    }
    contestants = {}
    rows = []
    copy = database.copy(bench.folder)
    with ExitStack() as stack:
        server = bench.pinned_vomeet(stack, words.Words(copy, database.much, database.little))
        admin = ("X-Admin-API-Key", ADMIN_KEY)
        contestants["point"] = (server, ("by_id", "GET", "/admin/users/{id}", words.TALKERS, *admin))
        for who, token in (("half of them", database.much), ("1 in 200", database.little)):
            for what, query in queries.items():
                request = ("get", f"/transcripts/search?q={query}", "X-API-Key", token)
                contestants[f"{what}, by who said {who}"] = (server, request)
        samples = bench.alternate(contestants)
    point = samples.pop("point")
    rows.append(Row("GET /admin/users/{id}, a point read", point))
    for what, taken in samples.items():
        ratios = [one.cpu_us / other.cpu_us for one, other in zip(taken, point)]
        bound = None if what.startswith("a word, nobody's") else Bound(below=300)
        rows.append(Row(what, taken, ratios, bound=bound))
    copy.unlink()
    return rows


SECTIONS = {
    "segments": (segments, "durable storing of what bots hear, default workers"),
    "changing": (changing, f"batches of {BATCH} of {BOTS} bots, default workers"),
    "reading": (reading, "memory while long responses are sent, default workers"),
    "searching": (searching, f"CPU time of a search over {SEARCHED:,} segments ÷ a point read"),
}
