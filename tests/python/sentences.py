"""The sentences that the program says: the text literals of the Rust sources."""

import re
from dataclasses import dataclass

from machine import REPOSITORY

SOURCES = REPOSITORY / "src"
# A comment, a raw text, a character (so that '"' begins no text), or a text.
TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|r(?P<marks>\#+)"(?P<raw>.*?)"(?P=marks)|r"(?P<plain>[^"]*)"|"""
    r"""'(?:\\.|[^'\\\n])'|"(?P<text>(?:[^"\\]|\\.)*)\"""",
    re.DOTALL,
)
ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": "\n", "\\t": "\t"}
# What is filled in: `{}`, `{error}`, `{why:?}`; two braces stand for one.
FILLED = re.compile(r"(?<!\{)\{(?:\w*)(?::[^}]*)?\}(?!\})")
# Stands for it.
ANYTHING = "…"
TESTS = re.compile(r"^(?:#\[cfg\(test\)\]|#!\[cfg\(test\)\])", re.MULTILINE)


@dataclass(frozen=True)
class Said:
    """A text literal: the file, where in it, and the text with `…` for what is filled in."""

    file: str
    at: int
    text: str


def code_of(path):
    """The source without its tests, which stand at its end."""
    text = path.read_text(encoding="utf-8")
    tests = TESTS.search(text)
    return text[: tests.start()] if tests else text


def code_texts(code):
    """The text literals of some code with their places."""
    for token in TOKEN.finditer(code):
        raw = token["raw"] if token["raw"] is not None else token["plain"]
        if raw is not None:
            yield token.start(), shown(raw)
        elif token["text"] is not None:
            text = re.sub(r"\\\n\s*", "", token["text"])
            yield token.start(), shown(re.sub(r"\\.", lambda e: ESCAPES.get(e[0], e[0]), text))


def shown(text):
    """A text as it is printed, with `…` for what is filled in."""
    return FILLED.sub(ANYTHING, text).replace("{{", "{").replace("}}", "}")


def said_in(path):
    """Everything that a file says."""
    name = path.relative_to(REPOSITORY).as_posix()
    return [Said(name, at, text) for at, text in code_texts(code_of(path))]
