-- What a database of version 1 was; the tests bring it up to date.

CREATE TABLE users (
  id                  INTEGER PRIMARY KEY AUTOINCREMENT,
  email               TEXT    NOT NULL,
  email_key           TEXT    NOT NULL UNIQUE,  -- the address without case: domain/email.rs
  name                TEXT,
  image_url           TEXT,
  max_concurrent_bots INTEGER NOT NULL CHECK (max_concurrent_bots >= 0),
  data                TEXT    NOT NULL,         -- a JSON object
  created_at          INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),  -- BLAKE3; the token itself is nowhere
  name         TEXT,
  hint         TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  last_used_at INTEGER
) STRICT;

CREATE INDEX tokens_of_user ON tokens (user_id, id);

CREATE TABLE meetings (
  id                      INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id                 INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  platform                TEXT    NOT NULL,
  native_meeting_id       TEXT,
  constructed_meeting_url TEXT,
  status                  TEXT    NOT NULL,
  bot_container_id        TEXT,
  start_time              INTEGER,
  end_time                INTEGER,
  data                    TEXT    NOT NULL,
  created_at              INTEGER NOT NULL,
  updated_at              INTEGER NOT NULL
) STRICT;

CREATE INDEX meetings_of_user ON meetings (user_id, id);
