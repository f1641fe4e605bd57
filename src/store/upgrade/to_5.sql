-- From version 4 to 5: commits wait less for merges of the word index.

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
