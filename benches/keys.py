"""Keys under load: revocation and rotation while tokens are used, wrong keys, and a long audit log that is verified."""

import json
import subprocess
import time

from server import ADMIN_KEY, vomeet
from table import Bound, Row

CHANGES, QUICK_CHANGES = 1_000_000, 20_000
TRIES, QUICK_TRIES = 10_000_000, 200_000
# Each key that is tried comes from another address, and none may be refused for that of another.
BEHIND_A_PROXY = {"VOMEET_HTTP_TRUSTED_PROXIES": "127.0.0.1", "VOMEET_LOG": "warn"}
UNLIMITED = {"VOMEET_LIMITS_FAILED_KEYS_PER_MINUTE": "0", "VOMEET_LOG": "warn"}


def trust(bench):
    """Tokens that are revoked and rotated while they are used; their audit log; wrong keys."""
    changes, tries = (QUICK_CHANGES, QUICK_TRIES) if bench.quick else (CHANGES, TRIES)
    database, log = bench.folder / "keys.db", bench.folder / "log"
    with vomeet(bench.vomeet, database, log, settings=UNLIMITED) as server:
        body = json.dumps({"email": "keys@example.com"}).encode()
        headers = {"X-Admin-API-Key": ADMIN_KEY, "Content-Type": "application/json"}
        user = json.loads(server.ask("/admin/users", "POST", headers, body))["id"]
        ended = _keys(bench, "end", server, str(user), str(changes))
    entries, seconds = _verified(bench, database)
    with vomeet(bench.vomeet, database, log, settings=BEHIND_A_PROXY) as server:
        tried = _keys(bench, "try", server, str(tries), str(server.pid))
    grown = (tried["kib_at_the_end"] - tried["kib_after_a_tenth"]) / 1024
    none = Bound(below=1)
    return [
        Row("tokens rotated", None, [ended["rotations"]]),
        Row("tokens revoked", None, [ended["revocations"]]),
        Row("requests with the same tokens meanwhile", None, [ended["asked"]]),
        Row("  with one whose revocation was acknowledged", None, [ended["ended_asked"]]),
        Row("    accepted", None, [ended["accepted_after_end"]], "", none),
        Row("  with one that was not changed meanwhile", None, [ended["good_asked"]]),
        Row("    refused", None, [ended["good_refused"]], "", none),
        Row("changes a second", None, [changes / ended["seconds"]]),
        Row("entries of the audit log", None, [entries]),
        Row("  time to verify it", None, [seconds], " s", Bound(below=10)),
        Row("wrong keys, each from another network", None, [tried["tried"]]),
        Row("  accepted, or refused for another reason", None, [tried["tried"] - tried["refused"]], "", none),
        Row("  memory grown after the first tenth", None, [grown], " MiB", none),
    ]


def _keys(bench, what, server, *words):
    command = [bench.keys, what, server.url.removeprefix("http://"), *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def _verified(bench, database):
    """How many entries the audit log has, and the seconds that it takes to verify them."""
    began = time.perf_counter()
    command = [bench.vomeet, "audit", "verify", "--database", database, "--output", "json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=bench.folder)
    return json.loads(done.stdout)["entries"], time.perf_counter() - began


SECTIONS = {"keys": (trust, "keys that end while eight clients ask with them, default workers")}
