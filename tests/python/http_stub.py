"""An HTTP server that records requests and sends the responses that a test chose."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Stub:
    """`requests` is what came in, `bodies` the bytes of it; `status`, `headers` and `body` (text) are what goes out."""

    def __init__(self, base_url):
        self.base_url = base_url
        self.requests = []
        self.bodies = []
        self.answer(200, {})

    def answer(self, status, value, **headers):
        """Answer like this from now on: `value` as JSON, or as it is where it is text."""
        self.status = status
        self.body = value if isinstance(value, str) else json.dumps(value)
        self.headers = headers


@contextmanager
def stub_server():
    """Run a stub on a free port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def take(self):
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.loads(content) if content else None
            stub.bodies.append(content)
            stub.requests.append((self.command, self.path, body, dict(self.headers)))
            answer = stub.body.encode()
            self.send_response(stub.status)
            for name, value in stub.headers.items():
                self.send_header(name, value)
            if stub.status != 204:
                self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if stub.status != 204:
                self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = take

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub = Stub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
