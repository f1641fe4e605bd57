//! The scratch tables of an import: what the dump says, and what became of it.

/// The scratch tables, in the schema `old`.
pub(super) const TABLES: &str = "
CREATE TABLE old.users (is_account INTEGER NOT NULL, id INTEGER NOT NULL, email TEXT NOT NULL, name TEXT,
  image_url TEXT, max_concurrent_bots INTEGER NOT NULL, data TEXT NOT NULL, webhook_url TEXT,
  webhook_secret TEXT, is_disabled INTEGER NOT NULL, created_at INTEGER, PRIMARY KEY (is_account, id)) WITHOUT ROWID;
CREATE TABLE old.tokens (is_account INTEGER NOT NULL, id INTEGER NOT NULL, owner_id INTEGER NOT NULL,
  hash BLOB NOT NULL, hint TEXT NOT NULL, name TEXT, read_only INTEGER NOT NULL, is_disabled INTEGER NOT NULL,
  created_at INTEGER, last_used_at INTEGER, expires_at INTEGER, PRIMARY KEY (is_account, id)) WITHOUT ROWID;
CREATE TABLE old.webhooks (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, url TEXT NOT NULL, secret TEXT);
CREATE TABLE old.planned (id INTEGER PRIMARY KEY, account_id INTEGER, platform TEXT, native_meeting_id TEXT,
  url TEXT, is_to_come INTEGER NOT NULL);
CREATE TABLE old.meetings (id INTEGER PRIMARY KEY, user_id INTEGER, account_id INTEGER, planned_id INTEGER,
  platform TEXT, native_meeting_id TEXT, status TEXT NOT NULL, join_at INTEGER, bot_container_id TEXT, start_time INTEGER,
  end_time INTEGER, data TEXT NOT NULL, created_at INTEGER, updated_at INTEGER);
CREATE INDEX old.meetings_planned ON meetings (planned_id) WHERE planned_id IS NOT NULL;
CREATE TABLE old.sessions (meeting_id INTEGER NOT NULL, uid TEXT NOT NULL, started_at INTEGER,
  PRIMARY KEY (meeting_id, uid)) WITHOUT ROWID;
CREATE TABLE old.segments (meeting_id INTEGER NOT NULL, uid TEXT, start INTEGER NOT NULL, is_start_clock INTEGER NOT NULL,
  end INTEGER NOT NULL, is_end_clock INTEGER NOT NULL, text TEXT NOT NULL, speaker TEXT, language TEXT,
  created_at INTEGER, segment_id TEXT, row_id INTEGER NOT NULL);
CREATE TABLE old.owners (is_account INTEGER NOT NULL, id INTEGER NOT NULL, user_id INTEGER NOT NULL,
  PRIMARY KEY (is_account, id)) WITHOUT ROWID;
CREATE TABLE old.plans (id INTEGER PRIMARY KEY, join_at INTEGER NOT NULL);
CREATE TABLE old.kept (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, begins_at INTEGER NOT NULL);
CREATE TABLE old.expected_users (is_account INTEGER NOT NULL, id INTEGER NOT NULL, user_id INTEGER NOT NULL,
  PRIMARY KEY (is_account, id)) WITHOUT ROWID;
CREATE TABLE old.expected_meetings (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, starts_at INTEGER NOT NULL,
  begins_at INTEGER NOT NULL);
CREATE TABLE old.sums (meeting_id INTEGER PRIMARY KEY, segments INTEGER NOT NULL, sum BLOB NOT NULL);
";
