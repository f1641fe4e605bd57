"""Databases of many users, made once and kept in `bench-data/`."""

import hashlib
import json
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from server import ADMIN_KEY, vomeet

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = REPOSITORY / "bench-data"
KNOWN_TOKENS = 100
# 2025-01-01, so that the same rows come out each time.
CREATED_AT = 1_735_689_600_000
SQLITE_MIN = (3, 37)


@dataclass(frozen=True)
class Database:
    """A file of users with a token each, and a file of some more tokens in plain text, one a line."""

    users: int
    path: Path
    tokens: Path

    def copy(self, folder):
        """A database to write to."""
        shutil.copy(self.path, folder / self.path.name)
        return folder / self.path.name


def database(binary, users):
    """The database with this many users; a changed schema makes new ones."""
    schema = hashlib.sha256((REPOSITORY / "schema.sql").read_bytes()).hexdigest()[:8]
    done = DATA / f"{schema}-{users}"
    if not done.exists():
        unfinished = done.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        _make(binary, users, unfinished)
        unfinished.rename(done)
    return Database(users, done / "vomeet.db", done / "tokens.txt")


def _make(binary, users, folder):
    path, log = folder / "vomeet.db", folder / "log"
    with vomeet(binary, path, log):
        pass
    _insert(path, users)
    with vomeet(binary, path, log) as server:
        tokens = [_new_token(server, 1 + n * users // KNOWN_TOKENS) for n in range(KNOWN_TOKENS)]
    (folder / "tokens.txt").write_text("".join(f"{token}\n" for token in tokens))


def _insert(path, users):
    """Inserts rows directly, because it would take an hour through the API."""
    if sqlite3.sqlite_version_info < SQLITE_MIN:
        raise SystemExit(f"Python's SQLite is {sqlite3.sqlite_version}; it must be 3.37 or later.")
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA synchronous = OFF", "PRAGMA cache_size = -400000", "BEGIN"):
        connection.execute(statement)
    connection.executemany(
        "INSERT INTO users (email, email_key, name, max_concurrent_bots, data, created_at)"
        " VALUES (?1, ?1, ?2, ?3, '{}', ?4)",
        ((f"user{n}@example.com", f"User {n}", n % 5, CREATED_AT + n) for n in _ids(users)),
    )
    connection.executemany(
        "INSERT INTO tokens (user_id, hash, hint, created_at) VALUES (?, ?, 'AbCd', ?)",
        ((n, _unknown_hash(n), CREATED_AT + n) for n in _ids(users)),
    )
    connection.execute("COMMIT")
    connection.close()


def _ids(users):
    return range(1, users + 1)


def _unknown_hash(n):
    """As random as the hash of a token, and the hash of none."""
    return hashlib.sha256(str(n).encode()).digest()


def _new_token(server, user):
    headers = {"X-Admin-API-Key": ADMIN_KEY}
    return json.loads(server.ask(f"/admin/users/{user}/tokens", "POST", headers))["token"]
