-- Format 2.

-- The first attempt at an answer, from which the deadline counts; NULL: not asked yet.
ALTER TABLE questions ADD COLUMN tried_at INTEGER;
CREATE INDEX questions_due ON questions (fact, next_at);

-- Attempts that an orderly stop cut off: unlike a crash they say nothing against the run.
ALTER TABLE runs ADD COLUMN stops INTEGER NOT NULL DEFAULT 0;
