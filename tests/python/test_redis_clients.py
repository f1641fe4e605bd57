"""The clients of Redis that bots and recognisers use, from their registries, against the Redis endpoint."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from live_server import ADMIN_KEY, LISTENS, REPOSITORY, binary
from vomeet_client import VomeetClient

SOURCES = REPOSITORY / "tests" / "redis"
# Made by `make test-python`: a folder for each version of redis-py, and what Node needs.
INSTALLED = REPOSITORY / ".venv" / "redis"
PATIENCE_SECONDS = 120
PYTHON = tuple((SOURCES / "versions.txt").read_text().split())
# redis-py 5 to 7 speak RESP2 unless they are asked, and 8 speaks RESP3.
CLIENTS = (*PYTHON, "6.4.0 in RESP3", "redis4", "redis6", "ioredis")
BOT = ["sh", "-c", "printenv BOT_CONFIG >> configs; exec sleep 600"]


class Server:
    """The real binary, which can be killed and started again on the same port."""

    def __init__(self, folder):
        self.folder, self.port = folder, 0
        self.start()

    def start(self):
        settings = {
            "VOMEET_BOTS_RUNNER": "process",
            "VOMEET_BOTS_PROCESS_COMMAND": json.dumps(BOT),
            "VOMEET_LIMITS_REQUESTS_PER_MINUTE_TOKEN": "0",
        }
        with (self.folder / "stderr.log").open("a") as stderr:
            self.process = subprocess.Popen(
                [binary(), "serve", "--listen", f"127.0.0.1:{self.port}"],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], **settings},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        for line in self.process.stdout:
            if match := LISTENS.search(line):
                self.port = int(match[1].rpartition(":")[2])
                break
        else:
            raise AssertionError((self.folder / "stderr.log").read_text())
        self.url = f"http://localhost:{self.port}"

    def stop(self, signal_number):
        self.process.send_signal(signal_number)
        self.process.wait(timeout=PATIENCE_SECONDS)
        self.process.stdout.close()


class Client:
    """A program on one of the libraries, and what it has said."""

    def __init__(self, name, server, config):
        self.name, self.config = name, config
        url = config["redisUrl"]
        feeder = f"redis://localhost:{server.port}/0"
        environment = dict(os.environ)
        if name in ("redis4", "redis6", "ioredis"):
            command = ["node", SOURCES / "client.js", name]
            # Modules are looked for beside the program.
            command[1] = INSTALLED / "node" / "client.js"
        else:
            version, _, resp3 = name.partition(" in ")
            command = [sys.executable, SOURCES / "client.py"]
            environment["PYTHONPATH"] = str(INSTALLED / version)
            if resp3:
                url, feeder = f"{url}?protocol=3", f"{feeder}?protocol=3"
        arguments = [url, feeder, str(config["meeting_id"]), config["token"]]
        self.process = subprocess.Popen(
            [*command, *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = queue.Queue()
        self.dialogue = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.said.put(json.loads(line))
        self.said.put(None)

    def next(self):
        """What it says next; anything but its end."""
        said = self.said.get(timeout=PATIENCE_SECONDS)
        assert said is not None, f"{self.name} ended: {self.process.communicate()[1]}"
        self.dialogue.append(said)
        return said

    def find(self, *wanted):
        """Waits until it says this; a library may say that it has subscribed again."""
        while (said := self.next())[: len(wanted)] != list(wanted):
            assert said[0] == "subscribe", f"{self.name} said {said}, and not {wanted}"
        return said

    def add(self, who, text):
        print(who, text, file=self.process.stdin, flush=True)

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=PATIENCE_SECONDS)
        assert self.process.returncode == 0, self.process.stderr.read()


def report(server, path, body):
    """What the bot itself says by HTTP."""
    request = urllib.request.Request(
        f"{server.url}/bots/internal/callback/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()


def config_of(server, number):
    """What the bot of a meeting was given."""
    configs = server.folder / "configs"
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        text = configs.read_text() if configs.exists() else ""
        lines = text.splitlines()
        for line in lines if text.endswith("\n") else lines[:-1]:
            if (config := json.loads(line))["meeting_id"] == number:
                return config
        time.sleep(0.05)
    raise AssertionError(f"no bot of meeting {number} was started")


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.stop(signal.SIGTERM)


def hear_a_language(user, clients, language):
    """Changes what each bot is told, and waits until it has heard it."""
    for number, client in enumerate(clients):
        user.update_bot_config("google_meet", code(number), language=language)
        kind, told = client.find("message")
        assert kind == "message"
        expected = {
            "action": "reconfigure",
            "uid": client.config["connectionId"],
            "meeting_id": client.config["meeting_id"],
            "language": language,
            "task": None,
        }
        assert json.loads(told) == expected, client.name


def code(number):
    return f"abc-defg-hi{chr(ord('a') + number)}"


def add_by_both(user, clients, when):
    """Each client adds a segment as a bot and one as a feeder, and both are in the transcript."""
    for client in clients:
        client.add("bot", f"bot-{when}")
        client.add("feeder", f"feeder-{when}")
    for number, client in enumerate(clients):
        for who in ("bot", "feeder"):
            _, _, entry = client.find("added", f"{who}-{when}")
            millis, _, rest = entry.partition("-")
            assert millis.isdigit() and rest.isdigit(), f"{client.name}: {entry}"
        segments = user.get_transcript("google_meet", code(number))["segments"]
        texts = {segment["text"] for segment in segments}
        assert {f"bot-{when}", f"feeder-{when}"} <= texts, f"{client.name}: {texts}"


def test_every_client_is_served_and_survives_a_kill(server):
    admin = VomeetClient(server.url, admin_key=ADMIN_KEY)
    user = admin.create_user("redis@example.com", max_concurrent_bots=len(CLIENTS))
    user = VomeetClient(server.url, api_key=admin.create_token(user["id"])["token"])
    clients = []
    for number, name in enumerate(CLIENTS):
        meeting = user.request_bot("google_meet", code(number))
        config = config_of(server, meeting["id"])
        report(server, "started", {"connection_id": config["connectionId"]})
        clients.append(Client(name, server, config))
    for client in clients:
        client.find("subscribe", 1)
    hear_a_language(user, clients, "fr")
    add_by_both(user, clients, "before")
    server.stop(signal.SIGKILL)
    server.start()
    subscribers = f"vomeet_redis_subscribers {len(clients)}\n"
    end = time.monotonic() + PATIENCE_SECONDS
    while subscribers not in urllib.request.urlopen(f"{server.url}/metrics").read().decode():
        assert time.monotonic() < end, "not every client has subscribed again"
        time.sleep(0.1)
    hear_a_language(user, clients, "de")
    add_by_both(user, clients, "after")
    for number, client in enumerate(clients):
        client.end()
        user.stop_bot("google_meet", code(number))
        print(f"{client.name}: {json.dumps(client.dialogue)}")
