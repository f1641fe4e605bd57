-- The tables of a new file. Older files are upgraded to them by src/store/upgrade.rs; `user_version` counts the steps.
-- Times are milliseconds since 1970 in UTC. Ids never come back (AUTOINCREMENT).

CREATE TABLE users (
  id                  INTEGER PRIMARY KEY AUTOINCREMENT,
  email               TEXT    NOT NULL,
  email_key           TEXT    NOT NULL UNIQUE,  -- the address without case: src/domain/email.rs
  name                TEXT,
  image_url           TEXT,
  max_concurrent_bots INTEGER NOT NULL CHECK (max_concurrent_bots >= 0),
  data                TEXT    NOT NULL,         -- a JSON object
  created_at          INTEGER NOT NULL,
  disabled_at         INTEGER,                  -- since when all their tokens are refused
  webhook_url         TEXT,                     -- where events go; shown in `data`, where clients look for it
  erasing_at          INTEGER,                  -- since when they are being erased: they are refused and found nowhere
  webhook_events      TEXT                      -- which events go to `webhook_url`, as a JSON list; null is the usual one
) STRICT;

-- Erasures that are under way, or were when the server ended.
CREATE INDEX users_being_erased ON users (id) WHERE erasing_at IS NOT NULL;

CREATE TABLE tokens (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id        INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  hash           BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),  -- BLAKE3; the token itself is never stored
  name           TEXT,
  hint           TEXT    NOT NULL,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER,
  last_used_at   INTEGER,
  last_address   TEXT,
  disabled_at    INTEGER,
  disuse_seconds INTEGER,                    -- how long it may be unused before it expires
  replaced_by    INTEGER,                    -- the token that it was rotated to
  scope          TEXT,                       -- what it is limited to: src/domain/scope.rs
  declared       INTEGER NOT NULL DEFAULT 0, -- whether vomeet.toml configures it
  lifetime_seconds INTEGER,                  -- how long it is meant to live: what an administrator said last; null for ever
  chain_id       INTEGER,                    -- the first token of its chain, where its holder rotated an older one to it
  is_foreign     INTEGER NOT NULL DEFAULT 0  -- whether another installation issued it
) STRICT;

-- Narrow: every new token writes to a page of it, and the fewer those are, the more tokens share a page of a commit.
CREATE INDEX tokens_of_user ON tokens (user_id);

-- Configured tokens, found at each start without a scan of all the others.
CREATE INDEX declared_tokens ON tokens (id) WHERE declared = 1;

CREATE INDEX tokens_of_chain ON tokens (chain_id) WHERE chain_id IS NOT NULL;

CREATE INDEX foreign_tokens ON tokens (id) WHERE is_foreign = 1;

-- Revoked keys, so that whoever still uses one is told why.
CREATE TABLE ended_keys (
  hash     BLOB    PRIMARY KEY CHECK (length(hash) = 32),
  user_id  INTEGER REFERENCES users (id) ON DELETE CASCADE,  -- null for an admin key
  ended_at INTEGER NOT NULL,
  token_id INTEGER,                                           -- of a token that its holder rotated without grace: its id,
  chain_id INTEGER,                                           -- the first token of its chain,
  issued_at INTEGER,                                          -- and when it was made
  is_foreign INTEGER NOT NULL DEFAULT 0                       -- whether another installation issued it
) STRICT, WITHOUT ROWID;

CREATE INDEX ended_keys_of_user ON ended_keys (user_id);

CREATE INDEX ended_keys_by_token ON ended_keys (token_id) WHERE token_id IS NOT NULL;

CREATE INDEX ended_keys_of_chain ON ended_keys (chain_id) WHERE chain_id IS NOT NULL;

CREATE INDEX foreign_ended_keys ON ended_keys (ended_at) WHERE is_foreign = 1;

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
  old_until    INTEGER,
  lifetime_seconds INTEGER                                    -- how long a new secret is meant to live; null for ever
) STRICT;

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
  updated_at              INTEGER NOT NULL,
  join_at                 INTEGER           -- when a planned bot joins
) STRICT;

CREATE INDEX meetings_of_user ON meetings (user_id, id);

-- At most one meeting of a user with the same platform and id has a bot in it; these rows are the seats that the limit counts.
CREATE UNIQUE INDEX seats ON meetings (user_id, platform, native_meeting_id)
  WHERE status IN ('requested', 'joining', 'awaiting_admission', 'active');

CREATE INDEX open_meetings ON meetings (user_id, id)
  WHERE status IN ('requested', 'joining', 'awaiting_admission', 'active', 'stopping');

-- Planned bots, by their time and by their meeting: a meeting of a user has one plan.
CREATE INDEX scheduled_meetings ON meetings (join_at, id) WHERE status = 'scheduled';

CREATE UNIQUE INDEX scheduled_of_user ON meetings (user_id, platform, native_meeting_id) WHERE status = 'scheduled';

CREATE INDEX meetings_by_name ON meetings (user_id, platform, native_meeting_id, id);

-- The bot of a meeting: how it reports, its settings, and when its clock began.
CREATE TABLE sessions (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  meeting_id INTEGER NOT NULL UNIQUE REFERENCES meetings (id) ON DELETE CASCADE,
  uid        TEXT    NOT NULL UNIQUE,                          -- its connectionId
  token_hash BLOB    UNIQUE CHECK (length(token_hash) = 32),   -- BLAKE3; it opens words until 120 s after the end of the meeting
  bot_name   TEXT    NOT NULL,
  language   TEXT,
  task       TEXT,
  started_at INTEGER NOT NULL,                                 -- the clock of the meeting: segments are shown from here
  cleared_at INTEGER,                                          -- when its process or container was gone
  token_id   INTEGER,                                          -- the API token by which it was sent
  plan       TEXT                                              -- what a planned bot is given besides: src/store/meetings/planned.rs
) STRICT;

CREATE INDEX uncleared ON sessions (meeting_id) WHERE cleared_at IS NULL;

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
  revision       INTEGER NOT NULL DEFAULT 0,                   -- that of its transcript in which it changed last: src/store/segments/revisions.rs
  UNIQUE (meeting_id, identity)
) STRICT;

CREATE INDEX segments_in_order ON segments (meeting_id, absolute_start, id);

CREATE INDEX segments_of_stream ON segments (stream_id);

-- Segments whose words are not final.
CREATE INDEX drafts ON segments (stream_id) WHERE completed = 0;

-- What has changed of a transcript since a client read it.
CREATE INDEX segments_by_revision ON segments (meeting_id, revision) WHERE revision > 0;

-- Segments that are gone, so that clients are told. An empty id stands for all that went up to then.
CREATE TABLE removed_segments (
  meeting_id INTEGER NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
  revision   INTEGER NOT NULL,
  segment_id TEXT    NOT NULL,
  PRIMARY KEY (meeting_id, revision, segment_id)
) STRICT, WITHOUT ROWID;

-- Segments that a search reads itself, until they enter `words`: src/store/segments/index.rs.
CREATE INDEX unindexed_segments ON segments (unindexed_user_id, meeting_id) WHERE unindexed_user_id IS NOT NULL;

-- The word index: rowid is the segment's id, owner is `u` and the user's id, so that a search finds no one else's words.
-- Marks are part of words (vowels of Hindi and Thai are), and a sign such as an emoji is a word.
CREATE VIRTUAL TABLE words USING fts5 (owner, speaker, text, columnsize = 0, tokenize = "unicode61 remove_diacritics 2 categories 'L* M* N* Co So'");

-- Nothing of a word that was deleted stays in the index.
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);

-- Parts of the index are merged sixteen at a time and not four: commits wait less for merges.
INSERT INTO words (words, rank) VALUES ('automerge', 16);
INSERT INTO words (words, rank) VALUES ('crisismerge', 64);

CREATE TRIGGER segment_is_gone AFTER DELETE ON segments BEGIN
  DELETE FROM words WHERE rowid = old.id;
END;

-- The outbox of webhook events. `next_at` is null once an event is delivered or given up.
CREATE TABLE deliveries (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  meeting_id   INTEGER NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
  uid          TEXT    NOT NULL,
  body         TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  next_at      INTEGER,
  delivered_at INTEGER,
  last_status  INTEGER,
  last_error   TEXT,
  parts        TEXT,                                       -- where its large members were: event_parts
  webhook_id   INTEGER NOT NULL DEFAULT 0                  -- to which of the user's webhooks; 0 is `webhook_url`
) STRICT;

CREATE INDEX deliveries_waiting ON deliveries (meeting_id, webhook_id, id) WHERE next_at IS NOT NULL;

CREATE INDEX deliveries_of_user ON deliveries (user_id, id);

CREATE INDEX deliveries_of_meeting ON deliveries (meeting_id, id);

-- Large members of events, once for each meeting and compressed: src/store/webhooks/event_parts.rs.
CREATE TABLE event_parts (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  meeting_id INTEGER NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
  hash       BLOB    NOT NULL CHECK (length(hash) = 32),
  json       BLOB    NOT NULL,
  UNIQUE (meeting_id, hash)
) STRICT;

-- Must be read back to sign, so it is stored in plain text, and apart from what responses show.
CREATE TABLE webhook_secrets (
  user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  secret  TEXT NOT NULL,
  old_secret TEXT,                                         -- before the rotation; signs as well until `old_until`
  old_until INTEGER
) STRICT;

-- The webhooks of a user besides `webhook_url`. An event keeps the id of one that is deleted: ids never come back.
CREATE TABLE webhooks (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  url        TEXT    NOT NULL,
  events     TEXT    NOT NULL,                             -- which events go there, as a JSON list
  secret     TEXT    NOT NULL,                             -- in plain text, as in webhook_secrets
  old_secret TEXT,                                         -- before the rotation; signs as well until `old_until`
  old_until  INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX webhooks_of_user ON webhooks (user_id);

-- Secrets that were rotated, found by their end without a scan of all the others.
CREATE INDEX rotated_webhook_secrets ON webhook_secrets (old_until) WHERE old_until IS NOT NULL;
CREATE INDEX rotated_secrets_of_webhooks ON webhooks (old_until) WHERE old_until IS NOT NULL;

-- The audit log. `hash` binds an entry to the one before: src/store/audit/log.rs.
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

CREATE INDEX audit_of_user ON audit (user_id);

-- What an entry says about a person, apart from it: it is deleted with the person, and the chain still verifies.
CREATE TABLE audit_details (
  audit_id INTEGER PRIMARY KEY REFERENCES audit (id) ON DELETE CASCADE,
  salt     BLOB    NOT NULL,
  before   TEXT,
  after    TEXT
) STRICT;

-- Details are found by their entries: with an index of their own, every change would write to one more page.
CREATE TRIGGER user_is_gone AFTER DELETE ON users BEGIN
  DELETE FROM audit_details WHERE audit_id IN (SELECT id FROM audit WHERE user_id = old.id);
END;

-- The entry before the oldest one, once retention has deleted entries.
CREATE TABLE audit_base (
  id   INTEGER PRIMARY KEY,
  hash BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- Usage by day and token; a day is counted in UTC from 1970.
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

-- The words of the index, to mend it after a deletion: src/store/scrub.rs.
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, row);

-- Deletions of which something may be left in the files: a row for each, until they are scrubbed.
CREATE TABLE erasures (
  id INTEGER PRIMARY KEY AUTOINCREMENT
) STRICT;

-- Share links: what each opens is the words of one meeting, and nothing else.
CREATE TABLE shares (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  meeting_id INTEGER NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
  made_by    INTEGER NOT NULL,                                 -- its maker's token, or the first of its chain: it ends with that
  hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),  -- BLAKE3 of its 160 bits; the link itself is never stored
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX shares_of_user ON shares (user_id, id);

CREATE INDEX shares_of_meeting ON shares (meeting_id);

CREATE INDEX shares_by_end ON shares (expires_at);

-- The latest time that is known, in one row: a clock that is far beyond it may be wrong.
CREATE TABLE clock (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  latest         INTEGER NOT NULL,
  doubted_shown  INTEGER,  -- what a clock that is not believed showed last,
  doubted_ran_ms INTEGER   -- and how long servers have run with it
) STRICT;

-- When a backup took the place of the database, in one row: what clients have read until then may not be there.
CREATE TABLE last_restore (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  at INTEGER NOT NULL
) STRICT;
