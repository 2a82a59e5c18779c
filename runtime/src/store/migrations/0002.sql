-- Format 2.

-- The first attempt at an answer, from which the deadline counts; NULL: not asked yet.
ALTER TABLE questions ADD COLUMN tried_at INTEGER;
CREATE INDEX questions_due ON questions (fact, next_at);
