"""A database of many segments: users, their meetings and transcripts."""

import hashlib
import json
import random
import shutil
import sqlite3
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import fill
from server import ADMIN_KEY, vomeet

# The first user that is made: one user holds half of all words; the other half is spread over many.
MUCH_ID = 1
TALKERS = 100
SPEAKERS = ("Ada", "Grace", "Edsger", "Barbara")
NATIVE_ID = "abc-defg-hij"
VOCABULARY = 20_000
WORDS_A_SEGMENT = 10
SEGMENT_MS = 4000


@dataclass(frozen=True)
class Words:
    """A file, the token of the user who holds half of the words, and that of one who holds a hundredth of the rest."""

    path: Path
    much: str
    little: str

    def copy(self, folder):
        """A database to write to."""
        shutil.copy(self.path, folder / self.path.name)
        return folder / self.path.name


def split_off(path, native_id, segments):
    """Gives the one user another meeting with so many of their segments, of the middle of the file; returns its id."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    meeting_id = connection.execute(_MEETING, (MUCH_ID, native_id, "{}")).lastrowid
    connection.execute(
        "INSERT INTO streams (id, meeting_id, uid, started_at) VALUES (?1, ?1, ?1, ?2)",
        (meeting_id, fill.CREATED_AT),
    )
    connection.execute(
        "UPDATE segments SET meeting_id = ?1, stream_id = ?1 WHERE id IN"
        " (SELECT s.id FROM segments s JOIN meetings m ON m.id = s.meeting_id"
        " WHERE m.user_id = ?2 AND s.id > (SELECT max(id) / 2 FROM segments) ORDER BY s.id LIMIT ?3)",
        (meeting_id, MUCH_ID, segments),
    )
    connection.execute("COMMIT")
    connection.close()
    return meeting_id


def database(binary, segments, meetings):
    """The database with this many segments, and as many meetings of the one user."""
    schema = hashlib.sha256((fill.REPOSITORY / "schema.sql").read_bytes()).hexdigest()[:8]
    done = fill.DATA / f"{schema}-words-{segments}-{meetings}"
    if not done.exists():
        unfinished = done.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        tokens = _make(binary, segments, meetings, unfinished)
        (unfinished / "tokens.json").write_text(json.dumps(tokens))
        unfinished.rename(done)
    much, little = json.loads((done / "tokens.json").read_text())
    return Words(done / "vomeet.db", much, little)


def _make(binary, segments, meetings, folder):
    path, log = folder / "vomeet.db", folder / "log"
    with vomeet(binary, path, log) as server:
        tokens = [_token(server, n) for n in range(1 + TALKERS)][:2]
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA synchronous = OFF", "PRAGMA cache_size = -400000", "BEGIN"):
        connection.execute(statement)
    connection.executemany(_MEETING, ((n, NATIVE_ID, "{}") for n in _owners(meetings)))
    connection.execute(
        "INSERT INTO sessions (meeting_id, uid, bot_name, started_at)"
        " SELECT id, 'session ' || id, 'Vomeet', created_at FROM meetings"
    )
    connection.execute(
        "INSERT INTO streams (id, meeting_id, uid, started_at)"
        " SELECT meeting_id, meeting_id, uid, started_at FROM sessions"
    )
    rows = list(_said(segments, meetings))
    connection.executemany(_SEGMENT, (row[:9] for row in rows))
    connection.executemany(
        "INSERT INTO words (rowid, owner, speaker, text) VALUES (?, ?, ?, ?)",
        ((row[0], f"u{row[9]}", row[6], row[5]) for row in rows),
    )
    connection.execute("COMMIT")
    connection.close()
    return tokens


_MEETING = (
    "INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)"
    f" VALUES (?1, 'google_meet', ?2, 'completed', ?3, {fill.CREATED_AT}, {fill.CREATED_AT})"
)
_SEGMENT = (
    "INSERT INTO segments (id, meeting_id, stream_id, identity, text, speaker, speaker_source, language,"
    " completed, absolute_start, absolute_end, created_at, updated_at)"
    " VALUES (?1, ?2, ?3, ?3 || ':' || ?4 || ':' || ?7, ?6, ?7, 'stream', ?8, 1,"
    f" {fill.CREATED_AT} + ?4, {fill.CREATED_AT} + ?5, ?9, ?9)"
)


def _owners(meetings):
    """The one user's meetings, then one for each of the others."""
    return [1] * meetings + list(range(2, 2 + TALKERS))


def _said(segments, meetings):
    """Segments: half of them in the one user's newest meeting, the rest in those of the others, in turn."""
    chance = random.Random(1)
    weights = list(accumulate(1 / rank for rank in range(1, 1 + VOCABULARY)))
    for n in range(1, 1 + segments):
        is_much = n % 2 == 0
        other = (n // 2) % TALKERS
        meeting = meetings if is_much else meetings + 1 + other
        start = n * SEGMENT_MS // 2 if is_much else n // (2 * TALKERS) * SEGMENT_MS
        picks = (bisect(weights, chance.random() * weights[-1]) for _ in range(WORDS_A_SEGMENT))
        text = " ".join(f"word{pick}" for pick in picks)
        user = 1 if is_much else 2 + other
        speaker = SPEAKERS[n // 7 % len(SPEAKERS)]
        when = fill.CREATED_AT + start
        yield (n, meeting, meeting, start, start + SEGMENT_MS, text, speaker, "en", when, user)


def _token(server, n):
    headers = {"X-Admin-API-Key": ADMIN_KEY, "Content-Type": "application/json"}
    body = json.dumps({"email": f"talker{n}@example.com"}).encode()
    user = json.loads(server.ask("/admin/users", "POST", headers, body))["id"]
    return json.loads(server.ask(f"/admin/users/{user}/tokens", "POST", headers))["token"]
