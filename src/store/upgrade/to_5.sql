-- From version 4 to 5: commits wait less for merges of the word index.

INSERT INTO words (words, rank) VALUES ('automerge', 16);
INSERT INTO words (words, rank) VALUES ('crisismerge', 64);

-- The address of a webhook has a column of its own, so that no change of the free data removes it.
ALTER TABLE users ADD COLUMN webhook_url TEXT;
UPDATE users SET webhook_url = nullif(json_extract(data, '$.webhook_url'), ''), data = json_remove(data, '$.webhook_url')
  WHERE CASE WHEN json_valid(data) THEN json_type(data, '$.webhook_url') = 'text' END;

-- An erasure is decided at once and carried out in steps.
ALTER TABLE users ADD COLUMN erasing_at INTEGER;
CREATE INDEX users_being_erased ON users (id) WHERE erasing_at IS NOT NULL;

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
