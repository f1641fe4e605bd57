"""The sound of a meeting on Jitsi: what its bridge costs the server while no engine takes any of it."""

import json
import subprocess

from server import ADMIN_KEY, pinned, vomeet
from table import Bound, Row

PARTICIPANTS, SECONDS, QUICK_SECONDS = 200, 30, 5
# An engine that never answers: the sound waits in the spool.
ENGINE = '[[transcription.engines]]\nname = "away"\nurl = "http://127.0.0.1:9/v1"\nmodel = "none"\n'


def listening(bench):
    """All participants speak all the time; one server a round, on a core of its own."""
    rounds = min(bench.rounds, 3)
    reports = [_listen(bench, QUICK_SECONDS if bench.quick else SECONDS) for _ in range(rounds)]
    busy = [report["busy_percent"] for report in reports]
    told = [report["told"] for report in reports]
    return [
        Row(f"{PARTICIPANTS} participants, 50 packets/s each: CPU of a core", None, busy, " %", Bound(below=35)),
        Row("the same: complaints of the server", None, told, "", Bound(below=1)),
    ]


def _listen(bench, seconds):
    folder = bench.folder / "bridge"
    folder.mkdir(exist_ok=True)
    (folder / "vomeet.toml").write_text(ENGINE)
    with (
        pinned(bench.server_core),
        vomeet(bench.vomeet, folder / "vomeet.db", bench.folder / "log") as server,
    ):
        token = _token(server)
        address = server.url.removeprefix("http://")
        command = ["taskset", "-c", str(bench.load_core), bench.bridge, address, token]
        numbers = [str(PARTICIPANTS), str(seconds)]
        with subprocess.Popen([*command, *numbers], stdout=subprocess.PIPE, text=True) as bridge:
            bridge.stdout.readline()
            before = server.cpu_seconds()
            report = json.loads(bridge.stdout.readline())
            after = server.cpu_seconds()
    for file in sorted(folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    report["busy_percent"] = 100 * (after - before) / seconds
    return report


def _token(server):
    headers = {"X-Admin-API-Key": ADMIN_KEY, "Content-Type": "application/json"}
    body = json.dumps({"email": "bridge@example.com"}).encode()
    user = json.loads(server.ask("/admin/users", "POST", headers, body))
    body = json.dumps({"platforms": ["jitsi"], "transcribe": True, "transcribe_only": True}).encode()
    return json.loads(server.ask(f"/admin/users/{user['id']}/tokens", "POST", headers, body))["token"]


SECTIONS = {"bridge": (listening, "the sound of a meeting on Jitsi, which no engine takes")}
