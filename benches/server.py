"""The servers: started on a free loopback port, watched from outside, stopped at the end."""

import os
import re
import signal
import subprocess
import time
import urllib.request
from contextlib import contextmanager

# A good one: a weak key costs each connection a look at the table of connections.
ADMIN_KEY = "bench-4f1c2a9be07d3358"
STOP_SECONDS = 20
# The limits are on while they are measured, and too high to be reached.
HIGH_LIMITS = {
    "VOMEET_BOTS_RUNNING_MAX": "100000",
    "VOMEET_LIMITS_REQUESTS_PER_MINUTE_TOKEN": "1000000",
    "VOMEET_LIMITS_REQUESTS_PER_MINUTE_USER": "1000000",
}
NO_LIMITS = {
    "VOMEET_LIMITS_REQUESTS_PER_MINUTE_TOKEN": "0",
    "VOMEET_LIMITS_REQUESTS_PER_MINUTE_USER": "0",
}
LISTENS = re.compile(r"listens on (http://\S+)")
# The clock of a process (clock_getcpuclockid(3)) counts all its threads, the ended ones included.
CPU_CLOCK = 2


class Server:
    """A running server."""

    def __init__(self, process, url, first_answer_ms=None):
        self.pid = process.pid
        self.url = url
        self.first_answer_ms = first_answer_ms

    def cpu_seconds(self):
        """CPU time of all threads since the start."""
        return time.clock_gettime((~self.pid << 3) | CPU_CLOCK)

    def resident_mb(self):
        """Resident memory now, in MB of 1,000,000 bytes."""
        with open(f"/proc/{self.pid}/status") as status:
            kib = next(line for line in status if line.startswith("VmRSS")).split()[1]
        return int(kib) * 1024 / 1e6

    def peak_mb(self):
        """The most resident memory since `forget_peak`, in MB of 1,000,000 bytes."""
        with open(f"/proc/{self.pid}/status") as status:
            kib = next(line for line in status if line.startswith("VmHWM")).split()[1]
        return int(kib) * 1024 / 1e6

    def forget_peak(self):
        """Begins to look for the peak anew (proc(5), clear_refs)."""
        with open(f"/proc/{self.pid}/clear_refs", "w") as clear:
            clear.write("5")

    def ask(self, path, method="GET", headers=None, body=None):
        """One request; gives the body of its response."""
        request = urllib.request.Request(self.url + path, body, headers or {}, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read()


@contextmanager
def vomeet(binary, database, log, workers=None, before=(), settings=None):
    """Our server on a database; `log` takes its standard error, `before` goes before the command."""
    limit = {} if workers is None else {"VOMEET_HTTP_WORKERS": str(workers)}
    limit |= HIGH_LIMITS | {"ADMIN_API_TOKEN": ADMIN_KEY} | (settings or {})
    command = [*before, binary, "serve", "--listen", "127.0.0.1:0", "--database", database]
    with log.open("a") as stderr:
        began = time.perf_counter()
        process = _start(command, database.parent, limit, stderr)
    with _stopped_at_the_end(process):
        server = Server(process, _address(process, log))
        server.ask("/healthz")
        server.first_answer_ms = (time.perf_counter() - began) * 1000
        yield server


@contextmanager
def hello(binary, folder, workers):
    """The bare server."""
    process = _start([binary, str(workers)], folder, {}, subprocess.DEVNULL)
    with _stopped_at_the_end(process):
        yield Server(process, _address(process, None))


def _start(command, folder, variables, stderr):
    """In `folder`, where no .env and no vomeet.toml lies, and without the caller's environment."""
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
    )


def _address(process, log):
    line = process.stdout.readline()
    if match := LISTENS.search(line):
        return match[1]
    said = log.read_text() if log else ""
    raise SystemExit(f"A server ended before it listened: {said or line or process.args}")


@contextmanager
def _stopped_at_the_end(process):
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@contextmanager
def pinned(core):
    """What is started inside runs on this core alone; on any if it is None."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
