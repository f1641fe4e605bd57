"""An independent engine: a server with the API of OpenAI around faster-whisper, for tests.

python openai_server.py FOLDER-OF-THE-WEIGHTS     prints the port
"""

import email
import io
import json
import sys
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from faster_whisper import WhisperModel

MODEL = WhisperModel(sys.argv[1], device="cpu", cpu_threads=1)
FIGURES = ("start", "end", "text", "avg_logprob", "no_speech_prob", "compression_ratio")


class Handler(BaseHTTPRequestHandler):
    """Answers `POST /v1/audio/transcriptions`."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        kind = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        form = email.message_from_bytes(kind + body, policy=policy.HTTP)
        fields = {
            part.get_param("name", header="content-disposition"): part for part in form.iter_parts()
        }
        sound = io.BytesIO(fields["file"].get_payload(decode=True))
        told = {
            name: fields[name].get_content().strip()
            for name in ("language", "prompt")
            if name in fields
        }
        found, about = MODEL.transcribe(
            sound, language=told.get("language"), initial_prompt=told.get("prompt")
        )
        segments = [{name: getattr(one, name) for name in FIGURES} for one in found]
        text = "".join(one["text"] for one in segments)
        answer = {"text": text, "segments": segments, "language": about.language}
        answer["language_probability"] = about.language_probability
        answer = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Says nothing."""


SERVER = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(SERVER.server_port, flush=True)
SERVER.serve_forever()
