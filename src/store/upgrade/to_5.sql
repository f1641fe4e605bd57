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
