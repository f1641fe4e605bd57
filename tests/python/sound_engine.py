"""An engine that makes words of sound, as far as the server can tell."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Engine:
    """An engine that says the same words about every sound, until it dies."""

    def __init__(self, words):
        self.words = words
        self.asked = 0
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                engine.asked += 1
                if engine.words is None:
                    self.send_error(500)
                    return
                segment = {"id": 0, "start": 0.25, "end": 0.75, "text": f" {engine.words}"}
                answer = {"text": engine.words, "language": "en", "segments": [segment]}
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def die(self):
        self.words = None

    def settings(self, name):
        url = f"http://127.0.0.1:{self.server.server_port}/v1"
        return f'[[transcription.engines]]\nname = "{name}"\nurl = "{url}"\nmodel = "m"\n'

    def close(self):
        self.server.shutdown()
        self.server.server_close()
