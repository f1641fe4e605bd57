-- From version 4 to 5: commits wait less for merges of the word index; segments have identities and streams; times in the
-- data of meetings have three digits.

INSERT INTO words (words, rank) VALUES ('automerge', 16);
INSERT INTO words (words, rank) VALUES ('crisismerge', 64);

-- How long a key is meant to live is stored, and no more derived from an end that may have been changed.
ALTER TABLE tokens ADD COLUMN lifetime_seconds INTEGER;
UPDATE tokens SET lifetime_seconds = (expires_at - created_at) / 1000 WHERE expires_at IS NOT NULL AND replaced_by IS NULL;
ALTER TABLE admin_keys ADD COLUMN lifetime_seconds INTEGER;
UPDATE admin_keys SET lifetime_seconds = (expires_at - coalesce(rotated_at, created_at)) / 1000 WHERE expires_at IS NOT NULL;

-- A chain is a token and all that its holder rotated it to, which the audit log tells of tokens that are there.
ALTER TABLE tokens ADD COLUMN chain_id INTEGER;
CREATE INDEX tokens_of_chain ON tokens (chain_id) WHERE chain_id IS NOT NULL;
WITH RECURSIVE
  rotated (old, new) AS (
    SELECT CAST(substr(actor, 7) AS INTEGER), subject_id FROM audit WHERE action = 'token.rotate' AND actor GLOB 'token:[0-9]*'
  ),
  chains (first, id) AS (
    SELECT old, new FROM rotated WHERE old NOT IN (SELECT new FROM rotated)
    UNION ALL SELECT chains.first, rotated.new FROM chains JOIN rotated ON rotated.old = chains.id
  )
UPDATE tokens SET chain_id = chains.first FROM chains WHERE chains.id = tokens.id;

-- Tokens that another installation issued look otherwise than our own.
ALTER TABLE tokens ADD COLUMN is_foreign INTEGER NOT NULL DEFAULT 0;
CREATE INDEX foreign_tokens ON tokens (id) WHERE is_foreign = 1;

-- What is left of a token that its holder rotated without grace: its chain is found by its id.
ALTER TABLE ended_keys ADD COLUMN token_id INTEGER;
ALTER TABLE ended_keys ADD COLUMN chain_id INTEGER;
ALTER TABLE ended_keys ADD COLUMN issued_at INTEGER;
ALTER TABLE ended_keys ADD COLUMN is_foreign INTEGER NOT NULL DEFAULT 0;
CREATE INDEX ended_keys_by_token ON ended_keys (token_id) WHERE token_id IS NOT NULL;
CREATE INDEX ended_keys_of_chain ON ended_keys (chain_id) WHERE chain_id IS NOT NULL;
CREATE INDEX foreign_ended_keys ON ended_keys (ended_at) WHERE is_foreign = 1;

-- The address of a webhook has a column of its own, so that no change of the free data removes it.
ALTER TABLE users ADD COLUMN webhook_url TEXT;
UPDATE users SET webhook_url = nullif(json_extract(data, '$.webhook_url'), ''), data = json_remove(data, '$.webhook_url')
  WHERE CASE WHEN json_valid(data) THEN json_type(data, '$.webhook_url') = 'text' END;

-- An erasure is decided at once and carried out in steps.
ALTER TABLE users ADD COLUMN erasing_at INTEGER;
CREATE INDEX users_being_erased ON users (id) WHERE erasing_at IS NOT NULL;

-- The domain of an address counts as the DNS has it, and no character of the local part becomes two. The program has
-- made sure that no two users become one.
UPDATE users SET email_key = ' ' || id WHERE email_key <> email_key(email);
UPDATE users SET email_key = email_key(email) WHERE email_key LIKE ' %';

-- Large members of events are kept once for each meeting; events that wait stay as they are.
ALTER TABLE deliveries ADD COLUMN parts TEXT;

CREATE TABLE event_parts (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  meeting_id INTEGER NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
  hash       BLOB    NOT NULL CHECK (length(hash) = 32),
  json       BLOB    NOT NULL,
  UNIQUE (meeting_id, hash)
) STRICT;

-- The latest time that is known: a clock that is far beyond it may be wrong.
CREATE TABLE clock (
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  latest INTEGER NOT NULL
) STRICT;
INSERT INTO clock (id, latest)
  SELECT 1, max(at) FROM (
    SELECT max(at) AS at FROM audit UNION ALL SELECT max(updated_at) FROM meetings
    UNION ALL SELECT max(created_at) FROM users UNION ALL SELECT max(last_used_at) FROM tokens
  ) HAVING max(at) IS NOT NULL;

-- The clocks of a meeting: that of its bot's session, and one for each connection of a recogniser.
CREATE TABLE streams (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  meeting_id INTEGER NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
  uid        TEXT    NOT NULL,
  started_at INTEGER NOT NULL,                                 -- stored once: its segments and events count from here
  UNIQUE (meeting_id, uid)
) STRICT;

-- Who began and ended to speak, by the clock; they name the segments that come without a speaker.
CREATE TABLE speaker_events (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  stream_id   INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
  at          INTEGER NOT NULL,
  is_start    INTEGER NOT NULL,
  participant TEXT    NOT NULL,                                -- the platform's id, or else the name
  name        TEXT    NOT NULL,
  UNIQUE (stream_id, at, is_start, participant)
) STRICT;

-- What was said until now was said in the sessions of the bots.
INSERT INTO streams (meeting_id, uid, started_at)
  SELECT meeting_id, uid, started_at FROM sessions s
  WHERE EXISTS (SELECT 1 FROM segments WHERE session_id = s.id) ORDER BY id;

DROP TRIGGER segment_is_gone;
DROP INDEX segments_in_order;
DROP INDEX unindexed_segments;

ALTER TABLE segments RENAME TO segments_of_4;

CREATE TABLE segments (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  meeting_id     INTEGER NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
  stream_id      INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
  identity       TEXT    NOT NULL,                             -- what has the same one is replaced: src/store/segments/row.rs
  absolute_start INTEGER NOT NULL,
  absolute_end   INTEGER NOT NULL,
  text           TEXT    NOT NULL,
  speaker        TEXT,
  speaker_source TEXT    NOT NULL,                             -- where the name comes from: src/domain/speaker.rs
  language       TEXT,
  completed      INTEGER NOT NULL,                             -- 0 is a draft
  created_at     INTEGER NOT NULL,
  updated_at     INTEGER NOT NULL,
  unindexed_user_id INTEGER,                                   -- whose it is, while `words` does not have it as it is now; null for a draft
  UNIQUE (meeting_id, identity)
) STRICT;

-- Ids never come back, not even those of the last segments, where they were deleted.
DELETE FROM sqlite_sequence WHERE name = 'segments';
INSERT INTO sqlite_sequence (name, seq) SELECT 'segments', seq FROM sqlite_sequence WHERE name = 'segments_of_4';

INSERT INTO segments
  SELECT s.id, s.meeting_id, t.id, t.id || ':' || s.start_ms || ':' || coalesce(s.speaker, ''), s.absolute_start, s.absolute_end,
    s.text, s.speaker, iif(s.speaker IS NULL, 'unknown', 'stream'), s.language, 1, s.created_at, s.updated_at,
    s.unindexed_user_id
  FROM segments_of_4 s JOIN sessions b ON b.id = s.session_id JOIN streams t ON t.meeting_id = b.meeting_id AND t.uid = b.uid
  ORDER BY s.id;

DROP TABLE segments_of_4;

CREATE INDEX segments_in_order ON segments (meeting_id, absolute_start, id);

CREATE INDEX segments_of_stream ON segments (stream_id);

-- Segments whose words are not final.
CREATE INDEX drafts ON segments (stream_id) WHERE completed = 0;

-- Segments that a search reads itself, until they enter `words`: src/store/segments/index.rs.
CREATE INDEX unindexed_segments ON segments (unindexed_user_id, meeting_id) WHERE unindexed_user_id IS NOT NULL;

CREATE TRIGGER segment_is_gone AFTER DELETE ON segments BEGIN
  DELETE FROM words WHERE rowid = old.id;
END;

-- The index folds letters with accents of every script: what has any letter beyond ASCII enters it anew.
UPDATE segments SET unindexed_user_id = (SELECT user_id FROM meetings WHERE id = segments.meeting_id)
  WHERE text GLOB '*[^ -~]*' OR speaker GLOB '*[^ -~]*';

-- A status that the program does not know takes no bot.
DROP INDEX open_meetings;
CREATE INDEX open_meetings ON meetings (user_id, id)
  WHERE status IN ('requested', 'joining', 'awaiting_admission', 'active', 'stopping');

UPDATE meetings SET data = json_set(data, '$.status_transition', (
    SELECT json_group_array(json(CASE
      WHEN entry.type <> 'object' THEN json_quote(entry.value)
      WHEN strftime('%Y-%m-%dT%H:%M:%fZ', entry.value ->> '$.timestamp') IS NULL THEN entry.value
      ELSE json_set(entry.value, '$.timestamp', strftime('%Y-%m-%dT%H:%M:%fZ', entry.value ->> '$.timestamp'))
    END)) FROM json_each(meetings.data, '$.status_transition') AS entry))
  WHERE json_type(data, '$.status_transition') = 'array';
