-- A clock that is not believed: what it showed last, and how long servers have run with it.
ALTER TABLE clock ADD COLUMN doubted_shown INTEGER;
ALTER TABLE clock ADD COLUMN doubted_ran_ms INTEGER;
