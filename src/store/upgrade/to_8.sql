-- Sounds that are heard, and what becomes of them: src/transcription.
CREATE TABLE sounds (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  meeting_id INTEGER NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
  stream_id  INTEGER NOT NULL UNIQUE REFERENCES streams (id) ON DELETE CASCADE,  -- its clock
  source     TEXT    NOT NULL,                             -- where it comes from: src/domain/sound.rs
  codec      TEXT    NOT NULL,                             -- as it is in the spool
  rate       INTEGER NOT NULL,                             -- samples a second
  channels   INTEGER NOT NULL,
  speaker    TEXT,                                         -- whose it is, where the source keeps speakers apart
  language   TEXT,                                         -- in which it is spoken, where that is said
  token_id   INTEGER,                                      -- the API token that its seconds are counted to
  ended_at   INTEGER,                                      -- since when nothing more comes
  heard_ms   INTEGER NOT NULL DEFAULT 0,                   -- how much of it came
  cut_ms     INTEGER NOT NULL DEFAULT 0,                   -- up to where it is cut into windows
  cut_offset INTEGER NOT NULL DEFAULT 0                    -- from where in the spool what follows is read
) STRICT;

CREATE INDEX sounds_of_meeting ON sounds (meeting_id);

-- Sounds of which something may not be cut into windows yet.
CREATE INDEX growing_sounds ON sounds (id) WHERE ended_at IS NULL OR heard_ms > cut_ms;

-- Meetings whose files are to be deleted from the spool: a row for each, until they are. The meeting may be gone.
CREATE TABLE erased_sounds (
  meeting_id INTEGER PRIMARY KEY
) STRICT;

-- Windows of sounds: each is a job until its words are stored.
CREATE TABLE windows (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  sound_id   INTEGER NOT NULL REFERENCES sounds (id) ON DELETE CASCADE,
  start_ms   INTEGER NOT NULL,                             -- on the clock of the sound
  end_ms     INTEGER NOT NULL,
  spool_offset INTEGER NOT NULL,                           -- from where in the spool it is read
  created_at INTEGER NOT NULL,
  attempts   INTEGER NOT NULL DEFAULT 0,
  first_failed_at INTEGER,                                 -- null before an attempt failed
  next_at    INTEGER,                                      -- null once it is done or given up
  outcome    TEXT,                                         -- what became of it: src/domain/sound.rs
  engine     TEXT,                                         -- who heard it
  last_error TEXT,
  done_at    INTEGER,                                      -- when its words were stored
  heard      TEXT,                                         -- its words with their times, while late speaker events may part them
  UNIQUE (sound_id, start_ms)
) STRICT;

CREATE INDEX windows_waiting ON windows (next_at, id) WHERE next_at IS NOT NULL;

CREATE INDEX windows_to_name ON windows (sound_id) WHERE heard IS NOT NULL;

CREATE INDEX windows_unheard ON windows (sound_id, created_at) WHERE next_at IS NOT NULL OR outcome = 'given_up';

-- What engines heard and is not believed, with the reason.
CREATE TABLE withheld (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  window_id  INTEGER NOT NULL REFERENCES windows (id) ON DELETE CASCADE,
  start_ms   INTEGER NOT NULL,                             -- on the clock of the sound
  end_ms     INTEGER NOT NULL,
  text       TEXT    NOT NULL,
  reason     TEXT    NOT NULL
) STRICT;

CREATE INDEX withheld_of_window ON withheld (window_id);

-- Recordings that were uploaded: a job for each meeting that is made of one.
CREATE TABLE uploads (
  meeting_id INTEGER PRIMARY KEY REFERENCES meetings (id) ON DELETE CASCADE,
  file       TEXT    NOT NULL,                             -- its name in the folder of the spool
  format     TEXT    NOT NULL,                             -- wav or opus, or what an engine takes as it is
  bytes      INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL DEFAULT 0,                  -- how long it says that it is; 0 where only an engine knows
  speakers   TEXT    NOT NULL DEFAULT '[]',                -- who speaks in which channel: a JSON list
  attempts   INTEGER NOT NULL DEFAULT 0,
  next_at    INTEGER,                                      -- null once it is done or given up
  last_error TEXT
) STRICT;

CREATE INDEX uploads_waiting ON uploads (next_at) WHERE next_at IS NOT NULL;

-- What is wrong with the sound of a meeting, from when to when.
CREATE TABLE alarms (
  meeting_id INTEGER NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
  kind       TEXT    NOT NULL,                             -- src/domain/alarm.rs
  raised_at  INTEGER NOT NULL,
  cleared_at INTEGER,
  PRIMARY KEY (meeting_id, kind)
) STRICT, WITHOUT ROWID;

-- The engine of a user's own, and the names and terms that engines are told. The key is needed to ask, so it is in plain text, as
-- in webhook_secrets.
CREATE TABLE user_transcription (
  user_id    INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  url        TEXT,
  model      TEXT,
  key        TEXT,
  vocabulary TEXT                                          -- a JSON list
) STRICT;

-- Words that segments show in place of those that came, which stay in their rows: src/store/corrections.
CREATE TABLE corrections (
  segment_id INTEGER PRIMARY KEY REFERENCES segments (id) ON DELETE CASCADE,
  text       TEXT    NOT NULL,
  corrected_at INTEGER NOT NULL
) STRICT;

-- Names that the speakers of a meeting are shown by, by the names that they came with; '' is those without one.
CREATE TABLE renamed_speakers (
  meeting_id INTEGER NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
  speaker    TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  PRIMARY KEY (meeting_id, speaker)
) STRICT, WITHOUT ROWID;

ALTER TABLE usage ADD COLUMN sound_ms INTEGER NOT NULL DEFAULT 0;

ALTER TABLE sessions ADD COLUMN has_voice INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN bridge TEXT;
