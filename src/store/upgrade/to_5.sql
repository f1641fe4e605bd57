-- From version 4 to 5: commits wait less for merges of the word index; segments have identities and streams; times in the
-- data of meetings have three digits.

INSERT INTO words (words, rank) VALUES ('automerge', 16);
INSERT INTO words (words, rank) VALUES ('crisismerge', 64);

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
