"""What those see who look after the server: the overview, the metrics, the console's first page."""

import gzip
import re
import time
from contextlib import ExitStack
from http.client import HTTPConnection

import fill
from load import load
from server import ADMIN_KEY, vomeet
from table import Bound, Row

USERS = 100_000
OK = 200
ADMIN = ("X-Admin-API-Key", ADMIN_KEY)
OVERVIEW_MS_MAX = 5
# Of the time of one worker, where Prometheus asks each second.
SCRAPE_PERCENT_MAX = 2
PAGE_MS_MAX, PAGE_KB_MAX = 100, 150
# What a browser loads because it is named: by the page, and by modules that are loaded at once.
NAMED = {
    "text/html": re.compile(rb'(?:src|href)="([^"#]+)"'),
    "text/javascript": re.compile(rb'^(?:import|export)[^;(]*?from "\./([^"]+)"', re.MULTILINE),
}


def overview(bench):
    """The server at one glance, asked for by one administrator after the other."""
    database = fill.database(bench.vomeet, USERS)
    with ExitStack() as stack:
        server = bench.pinned_vomeet(stack, database)
        request = ("get", "/admin/overview", *ADMIN)
        alone = {"connections": 1, "core": bench.load_core}
        load(server, *request, **alone)
        samples = [load(server, *request, **alone) for _ in range(bench.rounds)]
    slowest = [sample.p99_us / 1000 for sample in samples]
    bound = Bound(below=OVERVIEW_MS_MAX)
    return [Row(f"GET /admin/overview with {USERS:,} users, p99", samples, slowest, " ms", bound)]


def metrics(bench):
    """A scrape after much else was counted: its CPU time is time that no request gets."""
    database = fill.database(bench.vomeet, USERS)
    with ExitStack() as stack:
        server = bench.pinned_vomeet(stack, database)
        user = ("get_as_each", "/user", "X-API-Key", database.tokens)
        scrape = ("get", "/metrics")
        contestants = {"user": (server, user), "scrape": (server, scrape)}
        samples = bench.alternate(contestants)
    shares = [100 * sample.cpu_us / 1e6 for sample in samples["scrape"]]
    bound = Bound(below=SCRAPE_PERCENT_MAX)
    return [
        Row("GET /user", samples["user"]),
        Row("GET /metrics: share of a worker at a scrape a second", samples["scrape"], shares, " %", bound),
    ]


def first_page(bench):
    """The console until somebody can sign in, over one connection, one file after the other."""
    times, sizes, numbers = [], [], []
    with vomeet(bench.vomeet, bench.folder / "console.db", bench.folder / "log") as server:
        _load_page(server)
        for _ in range(bench.rounds):
            began = time.perf_counter()
            number, size = _load_page(server)
            times.append((time.perf_counter() - began) * 1000)
            numbers.append(number)
            sizes.append(size / 1000)
    return [
        Row("files", None, numbers),
        Row("bytes of all, compressed", None, sizes, " kB", Bound(below=PAGE_KB_MAX)),
        Row("time for all", None, times, " ms", Bound(below=PAGE_MS_MAX)),
    ]


def _load_page(server):
    """Loads the page and all that it names: how many files, and their bytes as they were sent."""
    connection = HTTPConnection(server.url.removeprefix("http://"))
    waiting, known, size = [""], {""}, 0
    while waiting:
        connection.request("GET", f"/console/{waiting.pop(0)}", headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        body = response.read()
        if response.status != OK:
            raise SystemExit(f"A file of the console: status {response.status}.")
        size += len(body)
        if response.getheader("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        kind = response.getheader("Content-Type").partition(";")[0]
        for name in NAMED[kind].findall(body) if kind in NAMED else ():
            if (name := name.decode()) not in known:
                known.add(name)
                waiting.append(name)
    connection.close()
    return len(known), size


SECTIONS = {
    "overview": (overview, "the overview, one connection, one worker"),
    "metrics": (metrics, "what Prometheus takes from those who use the API, one worker"),
    "console": (first_page, "the first page of the console, default workers"),
}
