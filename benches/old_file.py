"""Makes a database of an older version, of any size, to measure an upgrade with.

    python3 benches/old_file.py old.db 2 1000000 5000000
    target/release/vomeet upgrade --check old.db
    target/release/vomeet upgrade old.db

Version 1 has users, tokens and meetings; from version 2 on there are segments.
"""

import sqlite3
import sys
from pathlib import Path

TABLES = Path(__file__).parent.parent / "src/store/upgrade"
APPLICATION_ID = 0x564F4D54

NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
USERS = """INSERT INTO users (id, email, email_key, name, max_concurrent_bots, data, created_at)
  SELECT i, 'user' || i || '@example.com', 'user' || i || '@example.com', 'User ' || i, 1,
    iif(i % 4, '{}', '{"webhook_url":"https://example.com/' || i || '"}'), 1700000000000 + i FROM n"""
TOKENS = """INSERT INTO tokens (id, user_id, hash, hint, created_at, expires_at)
  SELECT i, i, randomblob(32), 'AbCd', 1700000000000 + i, 1800000000000 + i FROM n"""
MEETINGS = """INSERT INTO meetings (id, user_id, platform, native_meeting_id, status, data, created_at, updated_at)
  SELECT i, i, 'google_meet', 'abc-defg-' || i, 'completed',
    '{"status_transition":[{"to":"completed","timestamp":"2025-10-10T12:00:00.1Z"}]}',
    1700000000000 + i, 1700000000000 + i FROM n"""
SESSIONS = """INSERT INTO sessions (id, meeting_id, uid, bot_name, started_at)
  SELECT i, i, 'session-' || i, 'Vomeet', 1700000000000 + i FROM n"""
SEGMENTS = """INSERT INTO segments (id, meeting_id, session_id, start_ms, end_ms, absolute_start,
    absolute_end, text, speaker, language, created_at, updated_at)
  SELECT i, m.id, m.id, i * 10, i * 10 + 9, 1700000000000 + i * 10, 1700000000009 + i * 10,
    'Good morning, this is sentence ' || i || ' and nobody has said so much about number ' || i % 977,
    'Speaker ' || i % 7, 'en', 1700000000000 + i, 1700000000000 + i
  FROM n JOIN meetings m ON m.id = 1 + (i - 1) / {each}"""
WORDS = """INSERT INTO words (rowid, owner, speaker, text)
  SELECT s.id, 'u' || m.user_id, s.speaker, s.text FROM segments s JOIN meetings m ON m.id = s.meeting_id"""


def main(path: str, version: int, users: int, segments: int) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000;")
    tables = (TABLES / f"at_{version}.sql").read_text()
    if sqlite3.sqlite_version_info < (3, 42):
        # What it does at deletions; nothing here is deleted.
        tables = "\n".join(line for line in tables.splitlines() if "'secure-delete'" not in line)
    db.executescript(tables)
    db.execute("BEGIN")
    for rows in [USERS, TOKENS, MEETINGS]:
        db.execute(NUMBERS + rows, [users])
    if version > 1:
        each = max(1, -(-segments // users))
        db.execute(NUMBERS + SESSIONS, [users])
        db.execute(NUMBERS + SEGMENTS.format(each=each), [segments])
        db.execute(WORDS)
    db.execute("COMMIT")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    size = Path(path).stat().st_size
    print(f"{path}: version {version}, {users} users, {segments} segments, {size / 1e6:.0f} MB")


if __name__ == "__main__":
    path, *numbers = sys.argv[1:]
    main(path, *map(int, numbers))
