"""Load: wrk with `load.lua`, and the disk's own rate of fsyncs."""

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from server import pinned

SCRIPT = Path(__file__).with_name("load.lua")
# Our log is written at most 50 ms after its request; that belongs to the request's cost.
SETTLE_SECONDS = 0.1
SLICE_SECONDS = 1
PAGE_BYTES = 4096
# As SQLite's log between two checkpoints: a file of 4000 pages, overwritten in place.
LOG_PAGES = 4000


@dataclass
class Sample:
    """What one slice of load gave."""

    cpu_us: float
    """CPU time of the server for each request."""
    rate: float
    """Requests per second."""
    p50_us: float
    p99_us: float


def cpu_ratios(over, under):
    """How often the CPU time of `under` goes into that of `over`, round by round."""
    return [one.cpu_us / other.cpu_us for one, other in zip(over, under)]


def require(program, package):
    """The message if wrk is not installed."""
    if shutil.which(program) is None:
        raise SystemExit(f"{program} is missing; install it with: apt-get install {package}")


def load(server, kind, *arguments, connections, core=None, is_refused=False, seconds=SLICE_SECONDS):
    """A slice of one kind of request (see `load.lua`) over keep-alive connections; all are refused, or none is."""
    size = ["-t1", f"-c{connections}", f"-d{seconds}s"]
    command = ["wrk", *size, "-s", SCRIPT, server.url, "--", kind, *map(str, arguments)]
    before = server.cpu_seconds()
    with pinned(core):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate()
    time.sleep(SETTLE_SECONDS)
    cpu_seconds = server.cpu_seconds() - before
    outcome = _outcome(output, is_refused)
    requests = outcome["requests"]
    return Sample(
        cpu_us=cpu_seconds * 1e6 / requests,
        rate=requests / outcome["seconds"],
        p50_us=outcome["p50_us"],
        p99_us=outcome["p99_us"],
    )


def _outcome(output, is_refused):
    last = output.strip().rpartition("\n")[2]
    try:
        outcome = json.loads(last)
    except ValueError:
        raise SystemExit(f"wrk failed: {output}") from None
    expected = outcome["requests"] if is_refused else 0
    if outcome["refused"] != expected or outcome["broken"] or not outcome["requests"]:
        raise SystemExit(f"Not what was expected, so the results would mean nothing: {last}")
    return outcome


def fsyncs_per_second(folder):
    """How often the disk makes one page durable, in a file that is overwritten in place."""
    page = os.urandom(PAGE_BYTES)
    path = folder / "fsync"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(file, page * LOG_PAGES, 0)
        os.fsync(file)
        done, began = 0, time.perf_counter()
        while time.perf_counter() < began + SLICE_SECONDS:
            os.pwrite(file, page, done % LOG_PAGES * PAGE_BYTES)
            os.fdatasync(file)
            done += 1
        return done / (time.perf_counter() - began)
    finally:
        os.close(file)
        path.unlink()
