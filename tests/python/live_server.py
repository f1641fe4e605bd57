"""The real binary, started on a free port with a database of its own."""

import os
import queue
import re
import signal
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ADMIN_KEY = "token"
START_SECONDS = 20
STOP_SECONDS = 20
LISTENS = re.compile(r"listens on (http://\S+)")


def binary():
    """VOMEET_BINARY, else the debug build, else the release build."""
    if chosen := os.environ.get("VOMEET_BINARY"):
        return Path(chosen).resolve()
    built = [REPOSITORY / "target" / profile / "vomeet" for profile in ("debug", "release")]
    return next((path for path in built if path.exists()), built[0])


@contextmanager
def running(directory, listen="127.0.0.1:0", **settings):
    """Start a server in `directory`, give its base URL, stop it and insist on a clean end.

    `settings` are variables of its environment.
    """
    log = directory / "stderr.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [binary(), "serve", "--listen", listen, "--database", directory / "vomeet.db"],
            cwd=directory,
            env={"PATH": os.environ["PATH"], **settings},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    addresses = queue.Queue()
    reader = threading.Thread(target=_read_output, args=(process.stdout, addresses))
    reader.start()
    try:
        base_url = addresses.get(timeout=START_SECONDS)
        assert base_url, f"the server ended before it listened:\n{log.read_text()}"
        yield base_url
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=STOP_SECONDS)
        assert status == 0, f"SIGTERM ended the server with {status}:\n{log.read_text()}"
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


def _read_output(stdout, addresses):
    """Read to the end, so that the server never blocks on a full pipe."""
    for line in stdout:
        if match := LISTENS.search(line):
            addresses.put(match[1].rstrip("/"))
    addresses.put(None)
