"""Backups: what they cost those who write meanwhile, and how long they take."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import words
from bots import BATCH, BOTS, SEARCHED, file_of_bots, with_bots
from load import load
from server import ADMIN_KEY
from table import Bound, Row

SLOWER_MAX = 3
SECONDS_A_GB_MAX = 20
# A slice of load that is shorter says little about its slowest hundredth.
SLICE_SECONDS_MIN = 3


def backups(bench):
    """Batches of segments at full load, alone and while a backup is made, in turn."""
    folder = bench.folder / "backups"
    settings = {"VOMEET_BACKUP_FOLDER": str(folder), "VOMEET_BACKUP_EVERY": "", "VOMEET_BACKUP_KEEP": "1"}
    alone, during, a_gb = [], [], []
    database = words.database(bench.vomeet, SEARCHED, 1)
    with with_bots(bench, BOTS, database, settings) as (server, _, bots):
        told = file_of_bots(bench, bots)
        seconds = max(SLICE_SECONDS_MIN, round(_back_up(server)["seconds"]))
        for turn in range(bench.rounds):
            alone.append(_write(server, told, 2 * turn, seconds))
            with ThreadPoolExecutor(1) as other:
                made = other.submit(_back_up, server)
                during.append(_write(server, told, 2 * turn + 1, seconds))
            a_gb.append(made.result()["seconds"] * 1e9 / made.result()["bytes"])
            # The WAL is as short again as before.
            time.sleep(1)
    slower = [with_backup.p99_us / without.p99_us for with_backup, without in zip(during, alone)]
    rates = [with_backup.rate / without.rate for with_backup, without in zip(during, alone)]
    return [
        Row(f"batches of {BATCH}, {BOTS} connections", alone),
        Row("the same during a backup: p99 against alone", during, slower, bound=Bound(below=SLOWER_MAX)),
        Row("  rate against alone", None, rates),
        Row("a backup under this load, for each GB", None, a_gb, " s", Bound(below=SECONDS_A_GB_MAX)),
    ]


def _write(server, told, series, seconds):
    return load(server, "segments", told, series, BATCH, connections=BOTS, seconds=seconds)


def _back_up(server):
    headers = {"X-Admin-API-Key": ADMIN_KEY}
    made = json.loads(server.ask("/admin/backups", "POST", headers))
    # For an admin key none is deleted.
    Path(made["file"]).unlink()
    return made


SECTIONS = {"backup": (backups, "segments stored while a backup is made; default workers")}
