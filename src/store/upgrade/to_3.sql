-- From version 2 to 3: keys with a life, reasons and a record.

ALTER TABLE users ADD COLUMN disabled_at INTEGER;

ALTER TABLE tokens ADD COLUMN last_address TEXT;
ALTER TABLE tokens ADD COLUMN disabled_at INTEGER;
ALTER TABLE tokens ADD COLUMN disuse_seconds INTEGER;
ALTER TABLE tokens ADD COLUMN replaced_by INTEGER;
ALTER TABLE tokens ADD COLUMN scope TEXT;
ALTER TABLE tokens ADD COLUMN declared INTEGER NOT NULL DEFAULT 0;

ALTER TABLE sessions ADD COLUMN token_id INTEGER;

DROP INDEX tokens_of_user;

-- It holds all that is shown of a token, so that a user's tokens are read from it alone.
CREATE INDEX tokens_of_user ON tokens (
  user_id, id, name, hint, created_at, expires_at, last_used_at, last_address, disabled_at, disuse_seconds, replaced_by, scope
);

-- The few that vomeet.toml names, found at each start without a look at all the others.
CREATE INDEX declared_tokens ON tokens (id) WHERE declared = 1;

-- Keys that open nothing any more, so that whoever holds one is told why.
CREATE TABLE ended_keys (
  hash     BLOB    PRIMARY KEY CHECK (length(hash) = 32),
  user_id  INTEGER REFERENCES users (id) ON DELETE CASCADE,  -- null for an admin key
  ended_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ended_keys_of_user ON ended_keys (user_id);

-- The named admin keys; one more may stand in the settings.
CREATE TABLE admin_keys (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  name         TEXT    NOT NULL UNIQUE,
  hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
  hint         TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  rotated_at   INTEGER,
  old_hash     BLOB    UNIQUE CHECK (length(old_hash) = 32),  -- before the rotation; accepted until `old_until`
  old_until    INTEGER
) STRICT;

-- The record of every administrative change. `hash` binds an entry to the one before: store/audit.rs.
CREATE TABLE audit (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  at           INTEGER NOT NULL,
  actor        TEXT    NOT NULL,
  address      TEXT,
  action       TEXT    NOT NULL,
  subject      TEXT    NOT NULL,
  subject_id   INTEGER,
  user_id      INTEGER,                                    -- whom it concerns
  details_hash BLOB    NOT NULL CHECK (length(details_hash) = 32),
  hash         BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX audit_of_user ON audit (user_id, id);

-- What an entry says about a person, apart from it: it goes with the person, and the chain still holds.
CREATE TABLE audit_details (
  audit_id INTEGER PRIMARY KEY REFERENCES audit (id) ON DELETE CASCADE,
  user_id  INTEGER REFERENCES users (id) ON DELETE CASCADE,
  salt     BLOB    NOT NULL,
  before   TEXT,
  after    TEXT
) STRICT;

CREATE INDEX audit_details_of_user ON audit_details (user_id);

-- The entry before the oldest that is kept; none while all are kept.
CREATE TABLE audit_base (
  id   INTEGER PRIMARY KEY,
  hash BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- What was used, by day and token; a day is counted in UTC from 1970.
CREATE TABLE usage (
  user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  day           INTEGER NOT NULL,
  token_id      INTEGER NOT NULL,
  requests      INTEGER NOT NULL DEFAULT 0,
  bots          INTEGER NOT NULL DEFAULT 0,
  bot_ms        INTEGER NOT NULL DEFAULT 0,
  transcript_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id, day, token_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_by_day ON usage (day, user_id, token_id);

-- What words the index has, to mend it after an erasure: store/erasure.rs.
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, row);

-- Removals of which something may be left in the files: a row for each, until they were wiped.
CREATE TABLE erasures (
  id INTEGER PRIMARY KEY AUTOINCREMENT
) STRICT;
