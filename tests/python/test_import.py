"""Databases of three former versions in a PostgreSQL of the distribution, dumped by its own pg_dump and imported: every key is
tried against the server."""

import json
import os
import subprocess
import urllib.error
import urllib.request

import postgres
import pytest
from documents import Reader, blocks_of
from live_server import REPOSITORY, binary, running

SECONDS = 120

# October 2025.
USERS = """
CREATE TABLE users (id SERIAL PRIMARY KEY, email VARCHAR(255) NOT NULL UNIQUE, name VARCHAR(100), image_url TEXT,
  created_at TIMESTAMP DEFAULT now(), max_concurrent_bots INTEGER NOT NULL DEFAULT 1, data JSONB NOT NULL DEFAULT '{}');
INSERT INTO users (email, name, data) SELECT 'user' || n || '@example.com', E'Tab\\there ' || n, '{"team": "a\\\\b"}'
  FROM generate_series(1, 30) n;
"""
TOKENS = """
CREATE TABLE api_tokens (id SERIAL PRIMARY KEY, token VARCHAR(255) NOT NULL UNIQUE, user_id INTEGER NOT NULL REFERENCES users,
  created_at TIMESTAMP DEFAULT now());
INSERT INTO api_tokens (token, user_id) SELECT substr(md5(n::text) || md5('k' || n), 1, 40), n FROM generate_series(1, 30) n;
INSERT INTO api_tokens (token, user_id) SELECT 'a longer one "' || md5('m' || n), 1 + n % 7 FROM generate_series(1, 20) n;
INSERT INTO api_tokens (token, user_id) VALUES ('with\\a backslash of 21', 3), (repeat('k', 255), 4), ('grüße-an-alle-zusammen', 5);
"""
MEETINGS = """
CREATE TABLE meetings (id SERIAL PRIMARY KEY, user_id INTEGER REFERENCES users, platform VARCHAR(100),
  platform_specific_id VARCHAR(255), status VARCHAR(50) NOT NULL DEFAULT 'requested', bot_container_id VARCHAR(255),
  start_time TIMESTAMP, end_time TIMESTAMP, data JSONB NOT NULL DEFAULT '{}', created_at TIMESTAMP DEFAULT now(),
  updated_at TIMESTAMP DEFAULT now());
INSERT INTO meetings (user_id, platform, platform_specific_id, status, start_time, end_time, created_at)
  SELECT 1 + n % 30, 'teams', lpad(n::text, 12, '9'), CASE n % 9 WHEN 0 THEN 'failed' ELSE 'completed' END,
    timestamp '2025-10-01 10:00:00.5' + n * interval '1 hour', timestamp '2025-10-01 10:40:00' + n * interval '1 hour',
    timestamp '2025-10-01 10:00:00' + n * interval '1 hour' FROM generate_series(1, 90) n;
CREATE TABLE meeting_sessions (id SERIAL PRIMARY KEY, meeting_id INTEGER NOT NULL REFERENCES meetings,
  session_uid VARCHAR NOT NULL, session_start_time TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
  UNIQUE (meeting_id, session_uid));
INSERT INTO meeting_sessions (meeting_id, session_uid, session_start_time)
  SELECT id, 's-' || id, start_time AT TIME ZONE 'UTC' FROM meetings;
"""
SEGMENTS = """
CREATE TABLE transcriptions (id SERIAL PRIMARY KEY, meeting_id INTEGER NOT NULL REFERENCES meetings,
  start_time DOUBLE PRECISION NOT NULL, end_time DOUBLE PRECISION NOT NULL, text TEXT NOT NULL, speaker VARCHAR(255),
  language VARCHAR(10), created_at TIMESTAMP, session_uid VARCHAR);
INSERT INTO transcriptions (meeting_id, start_time, end_time, text, speaker, language, created_at, session_uid)
  SELECT m, n * 4.2, n * 4.2 + 4, E'Line ' || n || E'\\nof «' || m || '»', 'Speaker ' || n % 3, 'en', now(), 's-' || m
  FROM generate_series(1, 20) n, generate_series(1, 90) m;
"""
V25 = USERS + TOKENS + MEETINGS + SEGMENTS

# The line of 2026 with scopes and names of keys, and names of segments.
V10 = (
    V25
    + """
ALTER TABLE api_tokens ADD scopes TEXT[] NOT NULL DEFAULT '{}', ADD name VARCHAR(255), ADD last_used_at TIMESTAMP,
  ADD expires_at TIMESTAMP;
UPDATE api_tokens SET scopes = '{bot,tx}', name = 'laptop' WHERE id % 3 = 0;
UPDATE api_tokens SET scopes = '{tx}' WHERE id % 3 = 1;
UPDATE api_tokens SET scopes = '{bot}' WHERE id = 7;
UPDATE api_tokens SET expires_at = '2025-10-01' WHERE id = 5;
ALTER TABLE transcriptions ADD segment_id VARCHAR;
UPDATE transcriptions SET segment_id = 'seg-' || id WHERE id % 2 = 0;
CREATE UNIQUE INDEX one_segment ON transcriptions (meeting_id, segment_id) WHERE segment_id IS NOT NULL;
"""
)

# January 2026: accounts, whose keys are the only ones that open anything.
O26 = (
    USERS
    + TOKENS
    + MEETINGS
    + SEGMENTS
    + """
CREATE TABLE accounts (id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL, api_key VARCHAR(64) NOT NULL UNIQUE,
  api_secret VARCHAR(64), webhook_url TEXT, webhook_secret VARCHAR(64), max_concurrent_bots INTEGER NOT NULL DEFAULT 5,
  data JSONB NOT NULL DEFAULT '{}', enabled BOOLEAN NOT NULL DEFAULT true, created_at TIMESTAMP DEFAULT now());
INSERT INTO accounts (name, api_key, enabled)
  SELECT 'App ' || n, 'acc_' || md5('a' || n), n <> 4 FROM generate_series(1, 6) n;
CREATE TABLE scheduled_meetings (id SERIAL PRIMARY KEY, account_id INTEGER NOT NULL REFERENCES accounts,
  platform VARCHAR(100) NOT NULL, native_meeting_id VARCHAR(255) NOT NULL, meeting_url TEXT,
  status VARCHAR(50) NOT NULL DEFAULT 'scheduled');
INSERT INTO scheduled_meetings (account_id, platform, native_meeting_id, status)
  SELECT 1 + n % 6, 'teams', lpad(n::text, 12, '8'), 'completed' FROM generate_series(1, 90) n;
ALTER TABLE meetings ADD account_id INTEGER REFERENCES accounts, ADD scheduled_meeting_id INTEGER REFERENCES scheduled_meetings;
UPDATE meetings SET account_id = 1 + id % 6, user_id = NULL, scheduled_meeting_id = id, platform = NULL,
  platform_specific_id = NULL WHERE id % 10 <> 0;
CREATE TABLE audio_chunks (id SERIAL PRIMARY KEY, meeting_id INTEGER NOT NULL REFERENCES meetings, session_uid VARCHAR,
  audio_key VARCHAR(512) NOT NULL UNIQUE, chunk_index INTEGER NOT NULL, chunk_timestamp BIGINT NOT NULL,
  duration DOUBLE PRECISION, full_text TEXT, segments JSONB, language VARCHAR(10), speaker VARCHAR(255),
  created_at TIMESTAMP DEFAULT now());
INSERT INTO audio_chunks (meeting_id, session_uid, audio_key, chunk_index, chunk_timestamp, full_text, segments)
  SELECT n, 's-' || n, 'k' || n, 0, 1759312800000 + n * 1000, 'ab',
    '[{"start": 0, "end": 1.5, "text": "chunk a"}, {"start": 1.5, "end": 3, "text": "chunk b"}]' FROM generate_series(1, 90) n;
"""
)

KEYS_OF_USERS = """
SELECT token, coalesce(string_agg(m.id::text, ',' ORDER BY m.id), '') FROM api_tokens t LEFT JOIN meetings m USING (user_id)
GROUP BY t.id
"""
KEYS_OF_ACCOUNTS = """
SELECT api_key, CASE WHEN enabled THEN coalesce(string_agg(m.id::text, ',' ORDER BY m.id), '') ELSE 'refused' END
FROM accounts a LEFT JOIN meetings m ON m.account_id = a.id GROUP BY a.id
UNION ALL SELECT token, 'refused' FROM api_tokens
"""
KEYS_THAT_EXPIRE = KEYS_OF_USERS.replace(
    "SELECT token, coalesce(",
    "SELECT token, CASE WHEN expires_at < now() OR scopes = '{bot}' THEN 'refused' ELSE coalesce(",
).replace(", '') FROM", ", '') END FROM")


@pytest.fixture(scope="module")
def database():
    """A PostgreSQL that the tests of this file share."""
    with postgres.running() as server:
        yield server


def vomeet(directory, *arguments, **options):
    """Run the binary in a folder."""
    return subprocess.run(
        [binary(), *arguments],
        cwd=directory,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=SECONDS,
        text=True,
        check=False,
        **options,
    )


def opened(base_url, key):
    """List the meetings that a key opens, as the query writes them."""
    request = urllib.request.Request(f"{base_url}/meetings", headers={"X-API-Key": key})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            meetings = json.load(response)["meetings"]
    except urllib.error.HTTPError as error:
        assert error.code in (401, 403), error
        return "refused"
    return ",".join(str(id) for id in sorted(meeting["id"] for meeting in meetings))


@pytest.mark.parametrize(
    ("name", "schema", "query", "code", "segments"),
    [
        ("v25", V25, KEYS_OF_USERS, 0, 1800),
        ("v10", V10, KEYS_THAT_EXPIRE, 40, 1800),
        ("o26", O26, KEYS_OF_ACCOUNTS, 40, 1980),
    ],
)
def test_every_key_opens_the_same_meetings(database, tmp_path, name, schema, query, code, segments):
    database.create(name, schema)
    database.dump(name, tmp_path / "dump.sql")
    done = vomeet(tmp_path, "import", "dump.sql", "--output", "json")
    assert done.returncode == code, done
    report = json.loads(done.stdout)
    assert report["imported"]["meetings"] == 90
    assert report["verified"]["segments"] == report["imported"]["segments"] == segments
    keys = database.rows(name, query)
    same = 0
    limits = {"VOMEET_LIMITS_FAILED_KEYS_PER_MINUTE": "0"}
    with running(tmp_path, **limits) as base_url:
        for key, meetings in keys:
            assert opened(base_url, key) == meetings, key[:4]
            same += 1
        compared = vomeet(
            tmp_path,
            "import",
            "verify",
            "--old",
            base_url,
            "--new",
            base_url,
            "--keys-from",
            "dump.sql",
        )
    assert compared.returncode == 0, compared
    assert f"keys that open the same meetings: {len(keys)} of {len(keys)}" in compared.stderr
    print(f"{name}: keys that open the same meetings: {same} of {len(keys)}")


def test_the_document_is_followed_with_a_dump_of_that_database(database, tmp_path):
    database.create("documented", V25)
    database.dump("documented", tmp_path / "of_the_container.sql")
    # Stands for the container, whatever it is told.
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh\ncat '{tmp_path}/of_the_container.sql'\n")
    docker.chmod(0o755)
    reader = Reader("http://nobody.invalid", tmp_path)
    reader.environment["PATH"] = f"{docker.parent}:{reader.environment['PATH']}"
    skipped = []
    for block in blocks_of(REPOSITORY / "docs/moving.md"):
        if block.reason:
            skipped.append(block.code.split(" --")[0])
        else:
            reader.follow(block)
    assert skipped == ["vomeet import verify"]
    assert (tmp_path / "vomeet.db").exists()


def test_what_pg_dump_writes_otherwise_is_answered_with_what_to_type(database, tmp_path):
    database.create("other", USERS)
    for format_, said in [
        (["--format", "custom"], "pg_restore --file=-"),
        (["--format", "tar"], "pg_restore --file=-"),
        (["--inserts"], "without --inserts"),
        (["--format", "plain", "--compress", "6"], "gunzip --stdout"),
        (["--format", "directory"], "a plain dump is one file"),
    ]:
        file = tmp_path / format_[-1].strip("-")
        database.dump("other", file, *format_)
        done = vomeet(tmp_path, "import", str(file))
        assert done.returncode == 41, done
        assert said in done.stderr, done
    database.dump("other", tmp_path / "plain", "--data-only")
    with (tmp_path / "plain").open() as pipe:
        done = vomeet(tmp_path, "import", "-", "--dry-run", stdin=pipe)
    assert done.returncode == 0, done
    assert not (tmp_path / "vomeet.db").exists()
