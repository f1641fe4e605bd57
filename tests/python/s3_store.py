"""A real store of objects that checks signatures (s3s-fs), and a proxy before it that fails on demand."""

import re
import select
import socket
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / ".venv/s3s/bin/s3s-fs"
ACCESS_KEY, SECRET_KEY = "AKTESTS", "SKTESTS"
BUCKET = "copies"
# Less than the smallest backup.
HALF_BYTES = 65536
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


@contextmanager
def store(folder):
    """Serve a folder whose folders are the buckets, and give the port; one bucket is made."""
    assert PROGRAM.exists(), f"{PROGRAM} is missing: `make test-python` builds it"
    (folder / BUCKET).mkdir(parents=True)
    keys = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]
    command = [PROGRAM, "--host", "127.0.0.1", "--port", "0", *keys, folder]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"RUST_LOG": "info"},
    )
    drain = None
    try:
        port = next(
            (int(found[1]) for line in process.stdout if (found := ADDRESS.search(line))),
            None,
        )
        assert port, "the store ended before it listened"
        drain = threading.Thread(target=process.stdout.read)
        drain.start()
        yield port
    finally:
        process.kill()
        process.wait()
        if drain:
            drain.join()
        process.stdout.close()


class Proxy:
    """Passes each request on, unless `fault` says otherwise.

    `fault` is asked with the first line of a request: `None` passes it on, a number answers so,
    "cut" closes the connection in the middle of the body, "half" in the middle of the response,
    "stall" goes no further there, and "hold" answers nothing.
    """

    def __init__(self, port):
        self.fault = lambda _line: None
        self.lines = []
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(65536)
                if not piece:
                    return
                head += piece
            line = head.split(b"\r\n", 1)[0].decode()
            self.lines.append(line)
            fault = self.fault(line)
            if fault and fault.isdigit():
                _read_all(client, head)
                answer = f"HTTP/1.1 {fault} So\r\ncontent-length: 0\r\n\r\n"
                client.sendall(answer.encode())
                return
            if fault == "hold":
                while client.recv(65536):
                    pass
                return
            with socket.create_connection(self._target) as server:
                server.sendall(head)
                if fault in {"half", "stall"}:
                    _pass_half(server, client, fault == "stall")
                elif fault != "cut":
                    _pump(client, server)

    def close(self):
        """Accept nothing any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _read_all(client, head):
    """Read the rest of a body, so that the answer is not lost with a reset."""
    length = re.search(rb"(?i)content-length: (\d+)", head)
    left = int(length[1]) - len(head.split(b"\r\n\r\n", 1)[1]) if length else 0
    while left > 0 and (piece := client.recv(65536)):
        left -= len(piece)


def _pass_half(server, client, stalls):
    """Pass on a part of the body of a response; then wait until the client goes, where that is said."""
    answer = b""
    while len(answer) < HALF_BYTES:
        answer += server.recv(HALF_BYTES - len(answer))
    client.sendall(answer)
    if stalls:
        client.recv(1)


def _pump(client, server):
    while True:
        readable, _, _ = select.select([client, server], [], [])
        for source, sink in [(client, server), (server, client)]:
            if source not in readable:
                continue
            try:
                piece = source.recv(65536)
                if not piece:
                    return
                sink.sendall(piece)
            except OSError:
                return
