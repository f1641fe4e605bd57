"""The benchmark: our release binary beside a bare hyper server, in one run, as a table of ratios.

Two servers are never compared across time: each round loads every one of them for a slice of a
second, one after the other, and a result is the median over the rounds of the ratio within a
round. The steadiest one is the server's CPU time for each request. For it the server has one
worker on one core and the load generator has another.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import backup
import batches
import bots
import bridge
import callers
import console
import fill
import keys
import watch
import wire
from load import cpu_ratios, fsyncs_per_second, load, require
from server import ADMIN_KEY, hello, pinned, vomeet
from table import Bound, Row, show

CONNECTIONS = 64
ADMIN = ("X-Admin-API-Key", ADMIN_KEY)
FEW, MANY, MOST = 1_000, 100_000, 1_000_000
PAGE = 100
# Many short rounds, not few long ones: a neighbour's noise then spoils a round, not the median.
ROUNDS, QUICK_ROUNDS = 9, 3
# Every fsync takes this much longer in the rows of a slow disk.
FSYNC_DELAY_US = 5000
FSYNCS = "fsync,fdatasync"
SLOW_DISK = (
    *("strace", "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", f"trace={FSYNCS}"),
    *("-e", f"inject={FSYNCS}:delay_enter={FSYNC_DELAY_US}"),
)


@dataclass
class Bench:
    """The servers, folders and options that every section uses."""

    vomeet: Path
    hello: Path
    watch: Path
    keys: Path
    bridge: Path
    quick: bool
    rounds: int
    server_core: int
    load_core: int
    folder: Path

    def pinned_vomeet(self, stack, database, settings=None):
        """Our server with one worker on its core, as long as the stack lasts."""
        log = self.folder / "log"
        with pinned(self.server_core):
            server = vomeet(self.vomeet, database.path, log, workers=1, settings=settings)
            return stack.enter_context(server)

    def pinned_hello(self, stack):
        """The bare server with one worker on the same core."""
        with pinned(self.server_core):
            return stack.enter_context(hello(self.hello, self.folder, workers=1))

    def pinned_load(self, server, request, is_refused=False):
        """A slice of load from the other core."""
        options = {"connections": CONNECTIONS, "core": self.load_core, "is_refused": is_refused}
        return load(server, *request, **options)

    def alternate(self, contestants, is_refused=False):
        """Samples for each contestant (a server and a request), taken in turn after a warm-up."""
        for server, request in contestants.values():
            self.pinned_load(server, request, is_refused)
        samples = {name: [] for name in contestants}
        for _ in range(self.rounds):
            for name, (server, request) in contestants.items():
                samples[name].append(self.pinned_load(server, request, is_refused))
        return samples


def user(database):
    """The token check alone, with one token after the other."""
    return ("get_as_each", "/user", "X-API-Key", database.tokens)


def meetings(database):
    """An empty list."""
    return ("get_as_each", "/meetings", "X-API-Key", database.tokens)


def webhooks(database):
    """An empty list, which is read from the file each time."""
    return ("get_as_each", "/user/webhooks", "X-API-Key", database.tokens)


def user_by_id(database):
    """Any user, with their tokens."""
    return ("by_id", "GET", "/admin/users/{id}", database.users, *ADMIN)


def page(query=""):
    """A hundred users."""
    return ("get", f"/admin/users?limit={PAGE}{query}", *ADMIN)


def against_hello(bench):
    """The same requests to hello and to us; 1.00 would mean that all we do is free."""
    few, many = (fill.database(bench.vomeet, users) for users in (FEW, MANY))
    reads = (
        ("GET /user", many, user, Bound(least=0.88)),
        ("GET /meetings, none there", many, meetings, Bound(least=0.5)),
        ("GET /user/webhooks, none there", many, webhooks, None),
        (f"GET /admin/users/{{id}}, any of {MANY:,}", many, user_by_id, Bound(least=0.45)),
        (f"GET /admin/users/{{id}}, any of {FEW:,}", few, user_by_id, None),
    )
    rows = []
    with ExitStack() as stack:
        bare = bench.pinned_hello(stack)
        ours = {database: bench.pinned_vomeet(stack, database) for database in (few, many)}
        for name, database, read, bound in reads:
            request = read(database)
            contestants = {"bare": (bare, request), "ours": (ours[database], request)}
            samples = bench.alternate(contestants)
            ratios = cpu_ratios(samples["bare"], samples["ours"])
            rows += [
                Row("hello to the same", samples["bare"]),
                Row(name, samples["ours"], ratios, bound=bound),
            ]
    return rows


def pages(bench):
    """A page at the end against one at the start."""
    rows = []
    bounds = {"after": Bound(below=1.3), "skip": Bound(below=1.5)}
    for users in (MANY, MOST):
        last = users - PAGE
        database = fill.database(bench.vomeet, users)
        requests = {"start": page(), "after": page(f"&after={last}"), "skip": page(f"&skip={last}")}
        with ExitStack() as stack:
            server = bench.pinned_vomeet(stack, database)
            samples = bench.alternate({name: (server, what) for name, what in requests.items()})
        rows.append(Row(f"first {PAGE} of {users:,}", samples["start"]))
        for name in list(samples)[1:]:
            ratios = cpu_ratios(samples[name], samples["start"])
            bound = bounds[name] if users == MOST else None
            what = f"last {PAGE} of {users:,} by {name}"
            rows.append(Row(what, samples[name], ratios, bound=bound))
    return rows


def sizes(bench):
    """The same reads among few users and among very many."""
    reads = {
        "GET /user": (user, Bound(below=1.3)),
        "GET /meetings": (meetings, None),
        "GET /admin/users/{id}": (user_by_id, None),
        f"GET /admin/users, {PAGE}": (lambda _: page(), None),
    }
    few, most = (fill.database(bench.vomeet, users) for users in (FEW, MOST))
    rows = []
    with ExitStack() as stack:
        small, large = (bench.pinned_vomeet(stack, database) for database in (few, most))
        for name, (read, bound) in reads.items():
            samples = bench.alternate({"few": (small, read(few)), "most": (large, read(most))})
            ratios = cpu_ratios(samples["most"], samples["few"])
            rows += [
                Row(f"{name} with {FEW:,}", samples["few"]),
                Row(f"{name} with {MOST:,}", samples["most"], ratios, bound=bound),
            ]
    return rows


def creations(series):
    """Kinds of durable creation; `series` keeps new addresses apart."""
    return {
        "tokens": ("by_id", "POST", "/admin/users/{id}/tokens", FEW, *ADMIN),
        "users": ("new_users", series, *ADMIN),
    }


def durable(bench):
    """Writes at 1, 16 and 64 connections; server and load generator share the cores."""
    numbers = (1, 16, CONNECTIONS)
    database = fill.database(bench.vomeet, FEW)
    fsyncs, samples = [], {}
    for turn in range(bench.rounds):
        fsyncs.append(fsyncs_per_second(bench.folder))
        copy = database.copy(bench.folder)
        with vomeet(bench.vomeet, copy, bench.folder / "log") as server:
            for number in numbers:
                for kind, request in creations(f"{turn}-{number}").items():
                    sample = load(server, *request, connections=number)
                    samples.setdefault((kind, number), []).append(sample)
        copy.unlink()
    rows = [Row("fsyncs of the disk alone", figures=fsyncs, unit=" /s")]
    for kind in creations(""):
        bounds = (Bound(least=4), Bound(least=1.5), Bound(below=30))
        rows += _durable_rows(kind, [samples[kind, number] for number in numbers], fsyncs, bounds)
    both = zip(samples["tokens", CONNECTIONS], samples["users", CONNECTIONS])
    ratios = [tokens.rate / users.rate for tokens, users in both]
    rows.append(Row(f"tokens, {CONNECTIONS} connections: rate against users", None, ratios, bound=Bound(least=0.6)))
    return rows


def many_against_one(kind):
    """The name of a row."""
    return f"{kind}, {CONNECTIONS} connections: rate against 1"


def _durable_rows(kind, samples, fsyncs, bounds):
    one, some, most = samples
    bounds = bounds if kind == "tokens" else (None,) * len(bounds)
    against_one = [many.rate / single.rate for many, single in zip(most, one)]
    against_disk = [many.rate / rate for many, rate in zip(most, fsyncs)]
    waits = [many.p99_us / single.p50_us for many, single in zip(most, one)]
    return [
        Row(f"{kind}, 1 connection", one),
        Row(f"{kind}, 16 connections", some),
        Row(many_against_one(kind), most, against_one, bound=bounds[0]),
        Row("  rate against the disk's fsyncs", None, against_disk, bound=bounds[1]),
        Row("  p99 against p50 at 1 connection", None, waits, bound=bounds[2]),
    ]


def slow_disk(bench):
    """Token creation where every fsync takes 5 ms longer, delayed by strace."""
    database = fill.database(bench.vomeet, FEW)
    request = creations("")["tokens"]
    copy = database.copy(bench.folder)
    samples = {1: [], CONNECTIONS: []}
    with vomeet(bench.vomeet, copy, bench.folder / "log", before=SLOW_DISK) as server:
        for _ in range(bench.rounds):
            for number, taken in samples.items():
                taken.append(load(server, *request, connections=number))
    one, most = samples.values()
    ratios = [many.rate / single.rate for many, single in zip(most, one)]
    row = Row(many_against_one("tokens"), most, ratios, bound=Bound(least=20))
    return [Row("tokens, 1 connection", one), row]


def footprint(bench):
    """Memory, start and size, with default settings."""
    database = fill.database(bench.vomeet, MANY)
    copy, log = database.copy(bench.folder), bench.folder / "log"
    starts, at_rest = [], []
    for _ in range(3 + bench.rounds):
        with vomeet(bench.vomeet, copy, log) as server:
            starts.append(server.first_answer_ms)
            at_rest.append(server.resident_mb())
    loads = [user(database), user_by_id(database), page(), *creations("").values()]
    with vomeet(bench.vomeet, copy, log) as server:
        for request in loads:
            load(server, *request, connections=CONNECTIONS)
        after_load = server.resident_mb()
    size = bench.vomeet.stat().st_size / 1e6
    return [
        Row(f"start to first response, {MANY:,} users", None, starts, " ms", Bound(below=50)),
        Row("memory at rest", None, at_rest, " MB", Bound(below=14)),
        Row(f"memory after load at {CONNECTIONS} connections", None, [after_load], " MB"),
        Row("size of the binary", None, [size], " MB"),
    ]


SECTIONS = {
    "hello": (against_hello, "CPU time of hello ÷ ours, the same requests, one worker"),
    "pages": (pages, f"CPU time of a page of {PAGE} users ÷ that of the first"),
    "sizes": (sizes, f"CPU time with {MOST:,} users ÷ with {FEW:,}"),
    "durable": (durable, "durable creation, each acknowledged after its fsync, default workers"),
    "slow-disk": (slow_disk, "the same, every fsync 5 ms slower"),
    "footprint": (footprint, "memory, start, size; default workers"),
    **backup.SECTIONS,
    **bots.SECTIONS,
    **batches.SECTIONS,
    **callers.SECTIONS,
    **console.SECTIONS,
    **watch.SECTIONS,
    **bridge.SECTIONS,
    **keys.SECTIONS,
    **wire.SECTIONS,
}


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure vomeet against a bare hyper server.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a bound is missed")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="a section; repeatable")
    parser.add_argument("--vomeet", type=Path, help="a binary that is built already")
    parser.add_argument("--hello", type=Path, help="the bare server, built already")
    parser.add_argument("--watch", type=Path, help="the watchers, built already")
    parser.add_argument("--keys", type=Path, help="the clients of keys, built already")
    parser.add_argument("--bridge", type=Path, help="the bridge, built already")
    return parser.parse_args()


def built(name, *command):
    """Builds with cargo and gives the program of this name."""
    command = ("cargo", *command, "--message-format=json-render-diagnostics")
    output = subprocess.run(command, cwd=fill.REPOSITORY, check=True, stdout=subprocess.PIPE).stdout
    artifacts = [json.loads(line) for line in output.splitlines()]
    programs = [
        each["executable"] for each in artifacts if each.get("target", {}).get("name") == name
    ]
    return Path(next(program for program in programs if program))


def setting(bench):
    """What the results depend on, in a line."""
    with open("/proc/cpuinfo") as cores:
        name = next(line.partition(":")[2] for line in cores if line.startswith("model name"))
    return (
        f"{name.strip()}, {os.cpu_count()} cores, Linux {os.uname().release}.\n"
        f"{bench.rounds} rounds of a second; {CONNECTIONS} connections where nothing else is said.\n"
        "Each result is the median of the rounds; the spread is from the least to the most.\n"
    )


def main():
    """Measures what is asked for and prints the table."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    asked = arguments()
    chosen = asked.only or list(SECTIONS)
    require("wrk", "wrk")
    if "slow-disk" in chosen:
        require("strace", "strace")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("One core is for the server and one for the load; there is only one.")
    vomeet_binary = asked.vomeet or built("vomeet", "build", "--release", "--bin", "vomeet")
    hello_binary = asked.hello or built("hello", "bench", "--no-run", "--bench", "hello")
    watch_binary = asked.watch or built("watch", "bench", "--no-run", "--bench", "watch")
    keys_binary = asked.keys or built("keys", "bench", "--no-run", "--bench", "keys")
    bridge_binary = asked.bridge or built("bridge", "bench", "--no-run", "--bench", "bridge")
    fill.DATA.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=fill.DATA))
    try:
        binaries = (vomeet_binary, hello_binary, watch_binary, keys_binary, bridge_binary)
        rounds = QUICK_ROUNDS if asked.quick else ROUNDS
        programs = (each.resolve() for each in binaries)
        bench = Bench(*programs, asked.quick, rounds, *cores[:2], folder)
        sections = {}
        for name in chosen:
            measure, title = SECTIONS[name]
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            sections[title] = measure(bench)
    finally:
        shutil.rmtree(folder)
    print(setting(bench))
    print(show(sections))
    missed = [row for rows in sections.values() for row in rows if row.verdict() == "MISSED"]
    sys.exit(1 if missed and asked.strict else 0)


if __name__ == "__main__":
    main()
