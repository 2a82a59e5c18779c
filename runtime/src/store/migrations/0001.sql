-- Format 1. Times are milliseconds since 1970, lengths are bytes, JSON stands in TEXT.

-- Messages that some rule waits for, and those set aside; others are only counted.
CREATE TABLE messages (
    id          INTEGER PRIMARY KEY,
    message_id  TEXT NOT NULL UNIQUE,
    topic       TEXT NOT NULL,
    body        BLOB NOT NULL,
    sent_at     INTEGER,
    received_at INTEGER NOT NULL,
    source      TEXT NOT NULL
) STRICT;

-- What could not be read (message is NULL, the head is kept) or not judged (message is kept whole).
CREATE TABLE quarantine (
    id           INTEGER PRIMARY KEY,
    message      INTEGER REFERENCES messages (id),
    source       TEXT NOT NULL,
    topic        TEXT,
    event        TEXT,
    rule         TEXT,
    reason       TEXT NOT NULL,
    head         BLOB,
    sha256       TEXT,
    length_bytes INTEGER NOT NULL,
    first_at     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    times        INTEGER NOT NULL DEFAULT 1
) STRICT;
-- A poison message that is sent a million times is one row.
CREATE UNIQUE INDEX quarantine_unreadable ON quarantine (source, sha256, reason) WHERE message IS NULL;
CREATE UNIQUE INDEX quarantine_unjudged ON quarantine (message, event, coalesce(rule, ''), reason)
    WHERE message IS NOT NULL;

-- Rule sets that judged something: parked decisions are judged on by the same one, also after a reload.
CREATE TABLE generations (
    hash      TEXT PRIMARY KEY,
    artifact  BLOB NOT NULL,
    loaded_at INTEGER NOT NULL
) STRICT;

CREATE TABLE happenings (
    id            INTEGER PRIMARY KEY,
    key           TEXT NOT NULL,
    first_at      INTEGER NOT NULL,
    first_message INTEGER NOT NULL REFERENCES messages (id)
) STRICT;
CREATE INDEX happenings_by_key ON happenings (key, first_at);

CREATE TABLE decisions (
    id         INTEGER PRIMARY KEY,
    message    INTEGER NOT NULL REFERENCES messages (id),
    generation TEXT NOT NULL REFERENCES generations (hash),
    judged_at  INTEGER NOT NULL,
    events     TEXT NOT NULL,
    facts      TEXT NOT NULL,
    notes      TEXT NOT NULL,
    UNIQUE (message, generation)
) STRICT;

-- (rule, subject) pairs of a decision that wait for facts. No subject is -1.
CREATE TABLE parked (
    decision INTEGER NOT NULL REFERENCES decisions (id),
    rule     TEXT NOT NULL,
    subject  INTEGER NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('parked', 'undecided')),
    PRIMARY KEY (decision, rule, subject)
) STRICT;
CREATE TABLE parked_needs (
    decision INTEGER NOT NULL,
    rule     TEXT NOT NULL,
    subject  INTEGER NOT NULL,
    fact     TEXT NOT NULL,
    key      TEXT NOT NULL,
    PRIMARY KEY (decision, rule, subject, fact, key),
    FOREIGN KEY (decision, rule, subject) REFERENCES parked (decision, rule, subject) ON DELETE CASCADE
) STRICT;
CREATE INDEX parked_needs_by_fact ON parked_needs (fact, key);

-- Answers of fact providers; value is NULL for "no such key".
CREATE TABLE facts (
    fact        TEXT NOT NULL,
    key         TEXT NOT NULL,
    value       TEXT,
    answered_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (fact, key)
) STRICT;

-- Facts that have still to be asked, with the state of their retries.
CREATE TABLE questions (
    fact        TEXT NOT NULL,
    key         TEXT NOT NULL,
    asked_at    INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    next_at     INTEGER NOT NULL,
    last_error  TEXT,
    PRIMARY KEY (fact, key)
) STRICT;

CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    instance    TEXT NOT NULL,
    run_key     TEXT NOT NULL,
    task        TEXT NOT NULL,
    repository  TEXT NOT NULL,
    reference   TEXT,
    arguments   TEXT NOT NULL,
    commit_id   TEXT,
    state       TEXT NOT NULL CHECK (state IN ('queued', 'provisioning', 'fetching', 'preparing', 'running',
                    'reporting', 'cleaning', 'finished', 'cancelled', 'infrastructure-error')),
    step        TEXT,
    attempt     INTEGER NOT NULL DEFAULT 1,
    failures    INTEGER NOT NULL DEFAULT 0,
    retries     INTEGER NOT NULL,
    ended       TEXT,
    ending      TEXT,
    note        TEXT,
    not_before  INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    UNIQUE (instance, run_key)
) STRICT;
CREATE INDEX runs_open ON runs (not_before, id) WHERE state NOT IN ('finished', 'cancelled', 'infrastructure-error');

-- Why a run exists: each (message, rule, subject) that asked for it. No subject is -1.
CREATE TABLE reasons (
    run     INTEGER NOT NULL REFERENCES runs (id),
    message INTEGER NOT NULL REFERENCES messages (id),
    rule    TEXT NOT NULL,
    subject INTEGER NOT NULL,
    PRIMARY KEY (run, message, rule, subject)
) STRICT;

CREATE TABLE steps (
    run        INTEGER NOT NULL REFERENCES runs (id),
    attempt    INTEGER NOT NULL,
    step       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('started', 'done', 'failed', 'interrupted')),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    detail     TEXT,
    PRIMARY KEY (run, attempt, step)
) STRICT;

-- Written with the end of the step `report`, so once; the key makes a second time impossible.
CREATE TABLE results (
    run       INTEGER NOT NULL REFERENCES runs (id),
    ordinal   INTEGER NOT NULL,
    testcase  TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    item      TEXT NOT NULL,
    item_type TEXT NOT NULL,
    note      TEXT NOT NULL,
    artifacts TEXT NOT NULL,
    data      TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (run, ordinal)
) STRICT;
CREATE INDEX results_by_item ON results (item, testcase);

CREATE TABLE artifacts (
    run        INTEGER NOT NULL REFERENCES runs (id),
    path       TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    PRIMARY KEY (run, path)
) STRICT;

-- What still has to reach a sink; a row leaves by being delivered.
CREATE TABLE outbox (
    sink         TEXT NOT NULL,
    run          INTEGER NOT NULL REFERENCES runs (id),
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_at      INTEGER NOT NULL,
    delivered_at INTEGER,
    last_error   TEXT,
    PRIMARY KEY (sink, run)
) STRICT;
CREATE INDEX outbox_due ON outbox (next_at) WHERE delivered_at IS NULL;

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;

-- What people ask for with `taskbot log`.
CREATE TABLE log (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    level   TEXT NOT NULL CHECK (level IN ('info', 'warn', 'error')),
    run     INTEGER,
    message TEXT,
    text    TEXT NOT NULL
) STRICT;
