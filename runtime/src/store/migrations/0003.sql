-- Format 3. Windows, groups, priorities, cancellations.

-- What rules with windows asked for: one row for each (message, rule, subject, run), and what became of it.
CREATE TABLE requests (
    id              INTEGER PRIMARY KEY,
    message         INTEGER NOT NULL REFERENCES messages (id),
    received_at     INTEGER NOT NULL,
    rule            TEXT NOT NULL,
    subject         INTEGER NOT NULL,
    instance        TEXT NOT NULL,
    run_key         TEXT NOT NULL,
    task            TEXT NOT NULL,
    axes            TEXT NOT NULL,
    quiet_key       TEXT,
    superseding_key TEXT,
    once_key        TEXT,
    -- Held: quiet, at-most. Made or merged: through. Not run for good: replaced (quiet), superseded, once.
    state           TEXT NOT NULL
                    CHECK (state IN ('quiet', 'at-most', 'through', 'replaced', 'superseded', 'once')),
    -- Until when it is held; of a rule's `at-most` only the first in line has one.
    due_at          INTEGER,
    -- While it is held: the run and the request, and the window's span, which bounds `due_at` if the clock is set back.
    wanted          TEXT,
    span_ms         INTEGER,
    -- The message that went through in its place, or took its place.
    instead         INTEGER REFERENCES messages (id),
    run             INTEGER REFERENCES runs (id),
    passed_once     INTEGER NOT NULL DEFAULT 0,
    -- When a run was made by it; counts for `at most`.
    made_at         INTEGER,
    changed_at      INTEGER NOT NULL,
    UNIQUE (message, rule, subject, run_key)
) STRICT;
CREATE INDEX requests_quiet ON requests (due_at) WHERE state = 'quiet';
CREATE INDEX requests_at_most ON requests (rule, message, id) WHERE state = 'at-most';
CREATE INDEX requests_by_wanted ON requests (instance, run_key);
CREATE INDEX requests_by_quiet ON requests (rule, quiet_key, message) WHERE quiet_key IS NOT NULL;
CREATE INDEX requests_by_superseding ON requests (rule, superseding_key, message)
    WHERE superseding_key IS NOT NULL;
CREATE INDEX requests_once ON requests (rule, once_key, received_at) WHERE passed_once = 1;
CREATE INDEX requests_made ON requests (rule, made_at) WHERE made_at IS NOT NULL;
CREATE INDEX requests_by_run ON requests (run) WHERE run IS NOT NULL;

-- Rules that hold back for `at most`, from the first that was held until none is.
CREATE TABLE storms (
    rule  TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    held  INTEGER NOT NULL
) STRICT;

-- Runs that are to be cancelled; a row leaves when its run is over.
CREATE TABLE cancels (
    run           INTEGER PRIMARY KEY REFERENCES runs (id),
    asked_at      INTEGER NOT NULL,
    why           TEXT NOT NULL,
    superseded_by INTEGER REFERENCES runs (id)
) STRICT;

-- Groups of a run, each with the smallest limit of those that asked.
CREATE TABLE run_groups (
    run  INTEGER NOT NULL REFERENCES runs (id),
    name TEXT NOT NULL,
    runs INTEGER NOT NULL,
    PRIMARY KEY (run, name)
) STRICT;

-- The place in the queue: when it was made, moved by its priority.
ALTER TABLE runs ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET rank = created_at;
CREATE INDEX runs_by_rank ON runs (rank, id) WHERE state NOT IN ('finished', 'cancelled', 'infrastructure-error');
-- The shortest that a rule asked for; NULL: what its manifest says.
ALTER TABLE runs ADD COLUMN timeout_ms INTEGER;
ALTER TABLE runs ADD COLUMN superseded_by INTEGER REFERENCES runs (id);
