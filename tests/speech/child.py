"""A process of the engine inside, asked directly: `vomeet whisper-child`."""

import json
import os
import struct
import subprocess
import wave


def samples(path):
    """The samples of a WAV file of 16 kHz, one channel, 16 bits."""
    with wave.open(str(path)) as sound:
        assert sound.getparams()[:3] == (1, 2, 16_000), sound.getparams()
        return sound.readframes(sound.getnframes())


class Child:
    """A process with a model."""

    def __init__(self, binary, model, threads=1):
        command = [binary, "whisper-child", "--threads", str(threads), str(model)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        first = self.answer()
        assert first == "Ready", first

    def ask(self, sound, **wanted):
        """What it hears in samples, and the CPU seconds that this took."""
        question = {
            "language": "en",
            "translates": False,
            "words": False,
            "prompt": None,
            "is_draft": False,
        } | wanted
        head = json.dumps(question).encode()
        frame = struct.pack("<II", len(head), len(sound)) + head + sound
        self.process.stdin.write(frame)
        self.process.stdin.flush()
        answer = self.answer()
        assert "Heard" in answer, answer
        return answer["Heard"]["heard"], answer["Heard"]["cpu_ms"] / 1000

    def answer(self):
        """The next answer."""
        head, sound = struct.unpack("<II", self.process.stdout.read(8))
        assert sound == 0
        return json.loads(self.process.stdout.read(head))

    def mebibytes(self):
        """Most memory that it has had."""
        with open(f"/proc/{self.process.pid}/status") as status:
            (line,) = [line for line in status if line.startswith("VmHWM:")]
        return int(line.split()[1]) // 1024

    def niceness(self):
        """How much others go before."""
        return os.getpriority(os.PRIO_PROCESS, self.process.pid)

    def end(self):
        """Its standard input ends, as it does when the server is gone; returns its exit code."""
        self.process.stdin.close()
        return self.process.wait(timeout=60)
