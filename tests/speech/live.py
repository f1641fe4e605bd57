"""Speech in real time through a server with the engine inside: how late its words are, what drafts cost,
and what other callers notice of it.

    python live.py VOMEET [MODEL...]     VOMEET is a program with the feature `whisper`

It ends with an error where a word is wrong or a bound is missed; the bounds are for two quiet cores.
"""

import array
import json
import os
import struct
import sys
import threading
import time
from pathlib import Path

import fetch
import served
from child import Child, samples
from hear import errors
from websockets.sync.client import connect

LATE_MAX = {"tiny.en": 2.0, "base": 4.0}
"""Most seconds from the last sound of a voice until its words are stored."""
DRAFTS_MAX = 5.0
"""Most CPU time of live speech, with drafts, for each of the same file at once."""
P99_MAX = 1.5
"""Most time of other requests while somebody speaks, for each of the time before."""
RATE, FRAME = 16_000, 320
SILENCE_SECONDS = 8
QUIET = 500
"""Loudness below which nobody speaks; `jfk.wav` ends in noise of about 200."""
ASK_SECONDS = 12
BOT = """
[bots]
runner = "process"
process_command = ["sh", "-c", 'printf %s "$BOT_CONFIG" > told.part; mv told.part told; exec sleep 900']
[limits]
requests_per_minute_token = 0
requests_per_minute_user = 0
"""


def last_voice(sound):
    """After how many seconds the voice ends."""
    numbers = array.array("h", sound)
    loud = [place for place, value in enumerate(numbers) if abs(value) > QUIET]
    return loud[-1] / RATE


def cpu_seconds(processes):
    """CPU time of these processes so far."""
    ticks = 0
    for number in processes:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def new_meeting(server):
    """A bot in a meeting: the id of the meeting and its secret."""
    server.ask("PATCH", "/admin/users/1", served.ADMIN, b'{"max_concurrent_bots": 1}')
    headers = {"X-API-Key": server.token, "Content-Type": "application/json"}
    wanted = {"platform": "google_meet", "native_meeting_id": "abc-defg-hij", "language": "en"}
    body = json.dumps(wanted).encode()
    status, meeting = server.ask("POST", "/bots", headers, body)
    assert status == 201, meeting
    told = Path(server.folder.name) / "told"
    config = server.wait(lambda: told.read_text() if told.exists() else None)
    return meeting["id"], json.loads(config)["token"]


class Speaker:
    """Somebody who speaks into a meeting, as fast as one speaks."""

    def __init__(self, socket, sound):
        self.socket = socket
        self.ask({"stream": 0, "speaker": "Ada", "codec": "s16le", "rate": RATE})
        self.sound, self.began = sound, time.monotonic()
        self.thread = threading.Thread(target=self.speak)
        self.thread.start()

    def ask(self, text):
        """Says a text, and is told that it is well."""
        self.socket.send(json.dumps(text))
        answer = json.loads(self.socket.recv())
        assert "error" not in answer, answer

    def speak(self):
        """All of the sound, and then silence."""
        silence = bytes(RATE * SILENCE_SECONDS * 2)
        everything = self.sound + silence
        for number, place in enumerate(range(0, len(everything), FRAME * 2)):
            self.socket.send(struct.pack(">H", 0) + everything[place : place + FRAME * 2])
            time.sleep(max(0, self.began + number * FRAME / RATE - time.monotonic()))

    def end(self):
        """It has said everything."""
        self.thread.join()
        self.ask({"stream": 0, "end": True})


class Asker(threading.Thread):
    """Another caller, who asks a hundred times a second; how long each answer took."""

    def __init__(self, server):
        super().__init__()
        self.server, self.ends, self.took = server, threading.Event(), []

    def run(self):
        headers = {"X-API-Key": self.server.token}
        while not self.ends.wait(0.01):
            began = time.monotonic()
            status, answer = self.server.ask("GET", "/user", headers, None)
            self.took.append(time.monotonic() - began)
            assert status == 200, answer

    def p99(self):
        """It stops; the time that 99 of 100 answers did not take longer than."""
        self.ends.set()
        self.join()
        return sorted(self.took)[len(self.took) * 99 // 100]


def written(server, meeting):
    """What is stored as final."""
    headers = {"X-API-Key": server.token}
    _, transcript = server.ask("GET", f"/transcripts/by-id/{meeting}", headers, None)
    return " ".join(one["text"] for one in transcript["segments"] if one["completed"])


def live(binary, folder, name):
    """One model: prints its row, and says what was missed."""
    sound = samples(folder / "jfk.wav")
    seconds = len(sound) / RATE / 2
    child = Child(binary, folder / f"ggml-{name}.bin")
    child.ask(sound)
    _, of_file = child.ask(sound)
    child.end()
    settings = served.of_model(folder, name) + BOT
    with served.Server(binary, settings) as server:
        assert server.hear(folder / "jfk.wav")[0] == 200
        meeting, secret = new_meeting(server)
        asker = Asker(server)
        asker.start()
        time.sleep(ASK_SECONDS)
        before = asker.p99()
        children = server.children()
        begun = cpu_seconds(children)
        asker = Asker(server)
        asker.start()
        address = f"ws://127.0.0.1:{server.port}/bots/internal/audio"
        headers = {"Authorization": f"Bearer {secret}"}
        with connect(address, additional_headers=headers) as socket:
            speaker = Speaker(socket, sound)
            end = speaker.began + seconds + SILENCE_SECONDS
            text = ""
            while errors(text) > 0 and time.monotonic() < end:
                time.sleep(0.02)
                text = written(server, meeting)
            late = time.monotonic() - speaker.began - last_voice(sound)
            during = asker.p99()
            speaker.end()
        used = cpu_seconds(children) - begun
        assert children <= server.children(), "a process of the engine inside has died"
        assert errors(text) == 0, text
    drafts, slower = used / of_file, during / before
    print(
        f"{name:8} live: words stored {late:.2f} s after the voice; CPU time {drafts:.1f} times that "
        f"of the file; p99 of others {1000 * before:.1f} ms before, {1000 * during:.1f} ms meanwhile",
        flush=True,
    )
    bounds = [
        (late, LATE_MAX[name], "seconds until words are stored"),
        (drafts, DRAFTS_MAX, "times the CPU time of the file"),
        (slower, P99_MAX, "times the p99 of others"),
    ]
    return [
        f"{name}: {value:.2f} {what}, and {most} is the bound"
        for value, most, what in bounds
        if value > most
    ]


def main(binary, names):
    """Each model."""
    fetch.main(names)
    missed = [line for name in names for line in live(binary, fetch.cache(), name)]
    if missed:
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), sys.argv[2:] or list(fetch.MODELS))
