-- From version 3 to 4: segments enter the word index once they rest; a new token writes to fewer pages.

-- What is there already is in the index.
ALTER TABLE segments ADD COLUMN unindexed_user_id INTEGER;

-- The few that a search must read by itself, and that enter `words` once they rest: store/segments/index.rs.
CREATE INDEX unindexed_segments ON segments (unindexed_user_id, meeting_id) WHERE unindexed_user_id IS NOT NULL;

DROP INDEX tokens_of_user;

-- Narrow: every new token writes to a page of it, and the fewer those are, the more tokens share a page of a commit.
CREATE INDEX tokens_of_user ON tokens (user_id);

DROP INDEX audit_of_user;

CREATE INDEX audit_of_user ON audit (user_id);

ALTER TABLE audit_details RENAME TO audit_details_of_3;

-- What an entry says about a person, apart from it: it goes with the person, and the chain still holds.
CREATE TABLE audit_details (
  audit_id INTEGER PRIMARY KEY REFERENCES audit (id) ON DELETE CASCADE,
  salt     BLOB    NOT NULL,
  before   TEXT,
  after    TEXT
) STRICT;

INSERT INTO audit_details SELECT audit_id, salt, before, after FROM audit_details_of_3;

DROP TABLE audit_details_of_3;

-- They are found by their entries: with an index of their own, every change would write to one more page.
CREATE TRIGGER user_is_gone AFTER DELETE ON users BEGIN
  DELETE FROM audit_details WHERE audit_id IN (SELECT id FROM audit WHERE user_id = old.id);
END;
