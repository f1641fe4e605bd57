-- What has changed of a transcript since a client read it: src/store/segments/revisions.rs.
ALTER TABLE segments ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

CREATE INDEX segments_by_revision ON segments (meeting_id, revision) WHERE revision > 0;

CREATE TABLE removed_segments (
  meeting_id INTEGER NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
  revision   INTEGER NOT NULL,
  segment_id TEXT    NOT NULL,
  PRIMARY KEY (meeting_id, revision, segment_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE last_restore (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  at INTEGER NOT NULL
) STRICT;

-- Bots that are planned: src/store/meetings/planned.rs.
ALTER TABLE meetings ADD COLUMN join_at INTEGER;

ALTER TABLE sessions ADD COLUMN plan TEXT;

CREATE INDEX scheduled_meetings ON meetings (join_at, id) WHERE status = 'scheduled';

CREATE UNIQUE INDEX scheduled_of_user ON meetings (user_id, platform, native_meeting_id) WHERE status = 'scheduled';

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

-- Several webhooks of a user, each with its events, its secret, and the one before while it rotates.
CREATE TABLE webhooks (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  url        TEXT    NOT NULL,
  events     TEXT    NOT NULL,
  secret     TEXT    NOT NULL,
  old_secret TEXT,
  old_until  INTEGER,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX webhooks_of_user ON webhooks (user_id);
ALTER TABLE users ADD COLUMN webhook_events TEXT;
ALTER TABLE webhook_secrets ADD COLUMN old_secret TEXT;
ALTER TABLE webhook_secrets ADD COLUMN old_until INTEGER;
CREATE INDEX rotated_webhook_secrets ON webhook_secrets (old_until) WHERE old_until IS NOT NULL;
CREATE INDEX rotated_secrets_of_webhooks ON webhooks (old_until) WHERE old_until IS NOT NULL;

-- The events so far are those of the one webhook that a user had.
ALTER TABLE deliveries ADD COLUMN webhook_id INTEGER NOT NULL DEFAULT 0;
DROP INDEX deliveries_waiting;
CREATE INDEX deliveries_waiting ON deliveries (meeting_id, webhook_id, id) WHERE next_at IS NOT NULL;
