"""Serves the room's page, and carries what its people tell each other until they are connected."""

import itertools
import json
import queue
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

FOLDER = Path(__file__).parent
FILES = {"/rooms/one": ("room.html", "text/html"), "/room.js": ("room.js", "text/javascript")}


class Room:
    """Who is in the room, and what each has still to be told."""

    def __init__(self):
        self.numbers = itertools.count(1)
        self.names = {}
        self.told = {}
        self.lock = threading.Lock()

    def join(self, name):
        """Lets somebody in: their id, and who is there."""
        with self.lock:
            others = [{"id": id, "name": other} for id, other in self.names.items()]
            id = f"p{next(self.numbers)}"
            self.names[id] = name
            self.told[id] = queue.Queue()
        return {"id": id, "others": others}

    def tell(self, message):
        """Hands something on to whom it is for."""
        self.told[message["to"]].put(message)
        return {}

    def leave(self, id):
        """Tells the others that somebody has left."""
        with self.lock:
            self.names.pop(id, None)
            for other in self.names:
                self.told[other].put({"from": id, "left": True})
        return {}


class Handler(BaseHTTPRequestHandler):
    """The requests of the page."""

    def do_GET(self):
        """The page, or what somebody is told, as it comes."""
        path = urlsplit(self.path)
        if path.path == "/events":
            self._tell(self.server.room.told[parse_qs(path.query)["id"][0]])
        elif path.path in FILES:
            name, kind = FILES[path.path]
            self._answer((FOLDER / name).read_bytes(), kind)
        else:
            self.send_error(404)

    def do_POST(self):
        """Join, send, leave."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        room = self.server.room
        if self.path == "/join":
            answer = room.join(body["name"])
        elif self.path == "/send":
            answer = room.tell(body)
        else:
            answer = room.leave(body["id"])
        self._answer(json.dumps(answer).encode(), "application/json")

    def _tell(self, told):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        while True:
            self.wfile.write(f"data: {json.dumps(told.get())}\n\n".encode())

    def _answer(self, body, kind):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


class Server(ThreadingHTTPServer):
    """Serves until it is shut down; a tab that has gone is no fault."""

    daemon_threads = True

    def handle_error(self, *_):
        """Says nothing."""


@contextmanager
def served():
    """Serves a room on a free port, which it gives."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.room = Room()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()
