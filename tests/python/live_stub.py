"""A live feed that sends what a test chose and records what it receives; it also serves JSON by GET."""

import json
import threading
from contextlib import contextmanager
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response
from websockets.sync.server import serve


class LiveStub:
    """`script` is what is sent after the first message, then the socket closes with `close`.

    `answers` maps paths to what GET brings there; `refuse` is a status, in place of a feed.
    """

    def __init__(self):
        self.base_url = ""
        self.script = []
        self.close = (1000, "")
        self.answers = {}
        self.refuse = None
        self.requests = []
        self.received = []

    def answer(self, _, request):
        self.requests.append((request.path, dict(request.headers.raw_items())))
        if not request.path.endswith("/ws"):
            return response(200, self.answers[request.path])
        if self.refuse:
            elsewhere = self.base_url.replace("http:", "ws:") + "/elsewhere/ws"
            return response(self.refuse, {"detail": "No."}, Location=elsewhere)
        return None

    def speak(self, connection):
        self.received.append(json.loads(connection.recv()))
        try:
            for message in self.script:
                connection.send(message if isinstance(message, str) else json.dumps(message))
            if self.close:
                connection.close(*self.close)
            else:
                connection.recv()
        except ConnectionClosed:
            pass


def response(status, value, **headers):
    body = json.dumps(value).encode()
    headers = Headers(
        [("Content-Length", str(len(body))), ("Content-Type", "application/json"), *headers.items()]
    )
    return Response(status, HTTPStatus(status).phrase, headers, body)


@contextmanager
def live_stub():
    """Run a stub on a free port of its own."""
    stub = LiveStub()
    with serve(stub.speak, "127.0.0.1", 0, process_request=stub.answer) as server:
        stub.base_url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield stub
        server.shutdown()
        thread.join()
