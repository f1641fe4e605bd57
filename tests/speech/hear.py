"""Real speech through the engine inside, beside an independent engine in the same run.

    python hear.py VOMEET MINUTES [MODEL...]     VOMEET is a program with the feature `whisper`

It ends with an error where a word is wrong, where ours takes more than 1.5 times the CPU time of the
independent engine, or where a process does not do what it should.
"""

import json
import os
import re
import subprocess
import sys

import fetch
import served
from child import Child, samples

SAID = (
    "and so my fellow americans ask not what your country can do for you "
    "ask what you can do for your country"
)
RATIO_MAX = 1.5
"""Most CPU time of ours for each of the independent engine."""


def words(text):
    """The words of a text, without marks."""
    return re.sub(r"[^a-z ]", "", text.lower()).split()


def errors(text):
    """How many words are wrong: the least changes that make one list of the other."""
    wanted, found = SAID.split(), words(text)
    row = list(range(len(found) + 1))
    for number, word in enumerate(wanted, 1):
        before, row[0] = row[0], number
        for place, other in enumerate(found, 1):
            changed = before + (word != other)
            before, row[place] = row[place], min(changed, row[place] + 1, row[place - 1] + 1)
    return row[-1]


def text_of(heard):
    """The text of all segments."""
    return " ".join(segment["text"] for segment in heard["segments"])


def check_figures(heard, seconds):
    """Each segment has its figures and its times within the sound."""
    for segment in heard["segments"]:
        assert -1.0 < segment["avg_logprob"] < 0.0, segment
        assert 0.0 <= segment["no_speech_prob"] < 0.5, segment
        assert 0.5 < segment["compression_ratio"] < 2.4, segment
        assert 0 <= segment["start_ms"] < segment["end_ms"] <= seconds * 1000, segment


def check_words(child, sound, seconds):
    """Times of words, where they are asked for, go forward and end with the sound."""
    heard, _ = child.ask(sound, words=True)
    found = [word for segment in heard["segments"] for word in segment["words"]]
    assert [w for word in found for w in words(word["word"])] == SAID.split(), found
    starts = [word["start_ms"] for word in found]
    assert starts == sorted(starts) and starts[-1] <= seconds * 1000, found
    without, _ = child.ask(sound)
    assert not any(segment["words"] for segment in without["segments"])


def check_end(binary, model, sound):
    """A process ends with its standard input, also in the middle of its work."""
    child = Child(binary, model)
    expected = min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    assert child.niceness() == expected, child.niceness()
    question = b'{"language":"en","translates":false,"words":false,"prompt":null,"is_draft":false}'
    frame = len(question).to_bytes(4, "little") + len(sound).to_bytes(4, "little")
    child.process.stdin.write(frame + question + sound)
    child.process.stdin.flush()
    assert child.end() == 0


def check_refusals(binary, folder, name):
    """Half a model is said to be none."""
    broken = folder / "broken.bin"
    whole = (folder / f"ggml-{name}.bin").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    try:
        Child(binary, broken)
    except AssertionError as error:
        assert "cannot be read as a model" in str(error), error
        return
    finally:
        broken.unlink()
    raise AssertionError("half a model was taken")


def independent(folder, name, kind):
    """What the independent engine hears, and its CPU seconds."""
    command = [fetch.python(folder), fetch.HERE / "independent.py", folder / name]
    command += [folder / "jfk.wav", kind]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def hear(binary, folder, name):
    """One model: its words, its figures, its speed beside the independent engine's."""
    sound = samples(folder / "jfk.wav")
    seconds = len(sound) / 32_000
    child = Child(binary, folder / f"ggml-{name}.bin")
    child.ask(sound)
    heard, ours = child.ask(sound)
    wrong = errors(text_of(heard))
    check_figures(heard, seconds)
    check_words(child, sound, seconds)
    draft, of_draft = child.ask(sound, is_draft=True)
    assert errors(text_of(draft)) == 0, draft
    mebibytes = child.mebibytes()
    assert child.end() == 0
    rows = [("vomeet, inside", ours, wrong, f"{mebibytes} MiB")]
    rows.append(("vomeet, a draft", of_draft, errors(text_of(draft)), ""))
    for kind in ("float32", "int8"):
        theirs = independent(folder, name, kind)
        rows.append((f"faster-whisper, {kind}", theirs["cpu"], errors(theirs["text"]), ""))
    for engine, cpu, mistakes, memory in rows:
        print(f"{name:8} {engine:24} {cpu / seconds:8.3f} {mistakes:6} {memory}", flush=True)
    ratio = ours / rows[2][1]
    print(
        f"{name:8} CPU time of ours for each of faster-whisper (float32): {ratio:.2f}", flush=True
    )
    assert wrong == 0, text_of(heard)
    assert ratio <= RATIO_MAX, f"{ratio:.2f} is more than {RATIO_MAX}"


def main(binary, minutes, names):
    """All of it."""
    folder = fetch.cache()
    fetch.main(names)
    print(f"{'model':8} {'engine':24} {'CPU s/s':>8} {'errors':>6} memory at most", flush=True)
    for name in names:
        hear(binary, folder, name)
    sound = samples(folder / "jfk.wav")
    check_end(binary, folder / f"ggml-{names[0]}.bin", sound)
    check_refusals(binary, folder, names[0])
    print("A process ends with its server; half a model is refused.", flush=True)
    for name in names:
        served.independent_engine(binary, folder, name, errors)
        served.killed_processes(binary, folder, name, errors)
        served.nothing_is_heard(binary, folder, name, minutes)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), float(sys.argv[2]), sys.argv[3:] or list(fetch.MODELS))
