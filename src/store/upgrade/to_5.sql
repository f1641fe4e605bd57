-- From version 4 to 5: commits wait less for merges of the word index.

INSERT INTO words (words, rank) VALUES ('automerge', 16);
INSERT INTO words (words, rank) VALUES ('crisismerge', 64);

-- Large members of events are kept once for each meeting; events that wait stay as they are.
ALTER TABLE deliveries ADD COLUMN parts TEXT;

CREATE TABLE event_parts (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  meeting_id INTEGER NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
  hash       BLOB    NOT NULL CHECK (length(hash) = 32),
  json       BLOB    NOT NULL,
  UNIQUE (meeting_id, hash)
) STRICT;
