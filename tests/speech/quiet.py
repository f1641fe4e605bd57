"""Sound in which nobody speaks: silence, noise and tones."""

import array
import math
import random
import wave

RATE = 16_000
PERIOD = 10
"""Seconds after which a sound begins anew."""


def noise(loudness, inertia=0.0):
    """Noise; with inertia it is dull."""
    chance = random.Random(1)
    value, samples = 0.0, []
    for _ in range(RATE * PERIOD):
        value = inertia * value + (1 - inertia) * chance.gauss(0, loudness)
        samples.append(int(max(-32_000, min(32_000, value))))
    return samples


def tones(*pairs):
    """Tones of these frequencies and loudnesses, all at once."""
    samples = []
    for number in range(RATE * PERIOD):
        turn = 2 * math.pi * number / RATE
        samples.append(int(sum(loudness * math.sin(turn * pitch) for pitch, loudness in pairs)))
    return samples


KINDS = {
    "silence": lambda: [0] * (RATE * PERIOD),
    "quiet noise": lambda: noise(60),
    "loud noise": lambda: noise(3_000),
    "dull noise": lambda: noise(8_000, inertia=0.95),
    "hum": lambda: tones((50, 1_500), (100, 700), (150, 300)),
    "tones": lambda: tones((440, 4_000), (350, 2_000)),
}


def write(path, kind, seconds):
    """A WAV file of this kind and length."""
    period = array.array("h", KINDS[kind]()).tobytes()
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", None))
        whole, rest = divmod(int(seconds), PERIOD)
        for _ in range(whole):
            sound.writeframes(period)
        sound.writeframes(period[: rest * RATE * 2])
