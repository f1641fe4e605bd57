"""The live feed: how soon stored segments reach all watchers, and the memory that a watcher takes."""

import json
import subprocess

from bots import with_bots
from table import Bound, Row

FEW, MANY = 100, 1000
PER_SECOND, SECONDS = 10, 10
PLATFORM, NATIVE_ID = "teams", str(10**9)


def watching(bench):
    """Segments of one bot, stored one after the other, at all watchers of its meeting; one bot and server a round."""
    found = {FEW: [], MANY: []}
    for _ in range(bench.rounds):
        for watchers, reports in found.items():
            with with_bots(bench, 1) as (server, token, bots):
                reports.append(_watch(bench, server, token, bots[0], watchers))
    few, many = found.values()
    answered = [report["since_answered_ms"]["p99"] for report in few]
    sent = [report["since_sent_ms"]["p99"] for report in few]
    missed = [report["missed"] + report["faulty_watchers"] for report in many]
    weight = [report["kib_a_watcher"] for report in many]
    return [
        Row(f"commit to all of {FEW} watchers, p99", None, answered, " ms", Bound(below=10)),
        Row("the same with the request and its commit, p99", None, sent, " ms"),
        Row(f"{MANY} watchers, {PER_SECOND} updates/s: missed", None, missed, "", Bound(below=1)),
        Row(f"memory for each of {MANY} watchers", None, weight, " KiB", Bound(below=64)),
    ]


def _watch(bench, server, token, bot, watchers):
    address = server.url.removeprefix("http://")
    whose = (token, bot["token"], bot["connectionId"], PLATFORM, NATIVE_ID, str(server.pid))
    numbers = (str(watchers), str(PER_SECOND * SECONDS), str(PER_SECOND))
    done = subprocess.run(
        [bench.watch, address, *whose, *numbers], check=True, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout)


SECTIONS = {"watching": (watching, "from a bot's words to those who watch, default workers")}
