"""Real speech through a server: `POST /v1/audio/transcriptions`, with engines that die."""

import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import fetch
import quiet

ADMIN = {"X-Admin-API-Key": "token", "Content-Type": "application/json"}
BOUNDARY = "a-boundary-of-the-test"
OF_SMALL_MODEL = 2
"""Most words that the independent engine gets wrong: cut at pauses, it says "am I" for "my"."""
PATIENCE = 300
"""Seconds until something that must happen counts as missing."""


class Server:
    """A server with these settings, and a token of a user."""

    def __init__(self, binary, settings):
        self.folder = tempfile.TemporaryDirectory(prefix="vomeet-hear-")
        path = Path(self.folder.name)
        (path / "vomeet.toml").write_text(settings)
        command = [binary, "serve", "--listen", "127.0.0.1:0"]
        self.log, self.said = path / "log", path / "said"
        with self.log.open("w") as log, self.said.open("w") as said:
            self.process = subprocess.Popen(command, cwd=path, stdout=said, stderr=log)
        self.port = self.wait(self.address)
        user = self.ask("POST", "/admin/users", ADMIN, b'{"email": "ada@example.com"}')[1]
        path = f"/admin/users/{user['id']}/tokens"
        self.token = self.ask("POST", path, ADMIN, b"{}")[1]["token"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.folder.cleanup()

    def wait(self, found):
        """What `found` returns, once it is something."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            if (value := found()) is not None:
                return value
            time.sleep(0.5)
        sys.exit(f"The server did not do what it should:\n{self.log.read_text()[-4000:]}")

    def address(self):
        """The port, once the server says it."""
        found = re.search(r"http://[a-z0-9.]+:(\d+)", self.said.read_text())
        return int(found[1]) if found else None

    def ask(self, method, path, headers, body):
        """A request: the status and the JSON of its response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, json.loads(text or b"null")

    def hear(self, sound):
        """The words of a file."""
        parts = {"model": b"any", "response_format": b"verbose_json", "language": b"en"}
        body = b""
        for name, value in parts.items():
            head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
            body += head.encode() + value + b"\r\n"
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        )
        body += head.encode() + sound.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
        headers = {"Authorization": f"Bearer {self.token}"}
        headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
        return self.ask("POST", "/v1/audio/transcriptions", headers, body)

    def children(self):
        """The processes of the engine inside."""
        found = set()
        for task in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            found.update(int(number) for number in task.read_text().split())
        return found


class Independent:
    """The independent engine as a server."""

    def __init__(self, folder, name):
        program = fetch.python(folder)
        command = [program, fetch.HERE / "openai_server.py", folder / name]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def settings(self, name):
        """Its entry in the settings."""
        url = f"http://127.0.0.1:{self.port}/v1"
        return f'[[transcription.engines]]\nname = "{name}"\nurl = "{url}"\nmodel = "any"\n'

    def kill(self):
        """It is gone at once."""
        self.process.kill()
        self.process.wait()


def of_model(folder, name):
    """The settings of the engine inside."""
    return f'[transcription]\nwhisper_model = "{folder}/ggml-{name}.bin"\n'


def independent_engine(binary, folder, name, errors):
    """The independent engine by HTTP; while it hears, it is killed, and another one hears."""
    first, second = Independent(folder, name), Independent(folder, name)
    settings = first.settings("first") + second.settings("second")
    with Server(binary, settings) as server:
        status, heard = server.hear(folder / "jfk.wav")
        assert status == 200 and errors(heard["text"]) <= OF_SMALL_MODEL, (status, heard)
        print(f"{name:8} by HTTP, {heard['segments'][0]['avg_logprob']:.2f}: {heard['text']}")
        killer = threading.Timer(0.3, first.kill)
        killer.start()
        status, heard = server.hear(folder / "jfk.wav")
        killer.join()
        assert status == 200 and errors(heard["text"]) <= OF_SMALL_MODEL, (status, heard)
        metrics = server_metrics(server)
        assert 'vomeet_engine_resting{engine="first"} 1' in metrics, metrics
        print(f"{name:8} the first engine dies in the middle, and the second one hears")
    second.kill()


def server_metrics(server):
    """The metrics about engines."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return "\n".join(line for line in lines if line.startswith("vomeet_engine"))


def killed_processes(binary, folder, name, errors, times=5):
    """The process of the engine inside is killed at random moments; a request is made again where it
    fails, and the words are right in the end."""
    random.seed(name)
    with Server(binary, of_model(folder, name)) as server:
        for number in range(times):

            def kill():
                for child in server.children():
                    os.kill(child, signal.SIGKILL)

            killer = threading.Timer(random.uniform(0.05, 1.5), kill)
            killer.start()

            def heard():
                status, answer = server.hear(folder / "jfk.wav")
                assert status in (200, 503), (status, answer)
                return answer if status == 200 else None

            answer = server.wait(heard)
            killer.join()
            assert errors(answer["text"]) == 0, answer
        died = re.search(
            r'failures_total\{engine="whisper",reason="died"\} (\d+)', server_metrics(server)
        )
        assert int(died[1]) > 0, "no kill has met a process at work"
        print(
            f"{name:8} its process was killed {times} times, {died[1]} at work; every word is right"
        )


def nothing_is_heard(binary, folder, name, minutes):
    """Where nobody speaks there is no segment; without the gate there is."""
    model = of_model(folder, name)
    with tempfile.TemporaryDirectory(prefix="vomeet-quiet-") as scratch:
        path = Path(scratch) / "quiet.wav"
        with Server(binary, model) as server:
            for kind in quiet.KINDS:
                quiet.write(path, kind, minutes * 60 / len(quiet.KINDS))
                status, heard = server.hear(path)
                assert (status, heard["segments"]) == (200, []), (kind, status, heard)
        # Whisper tries silence again and again, so a few seconds of it take long.
        with Server(binary, model + "gate = false\n") as server:
            quiet.write(path, "silence", 10)
            status, heard = server.hear(path)
            said = heard["text"].strip()
            assert status == 200 and said, "the control hears nothing either"
    print(f"{name:8} {minutes} minutes of silence, noise and tones: no segment", flush=True)
    print(f"{name:8} silence without the gate: {said}", flush=True)
