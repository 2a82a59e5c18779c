-- Format 4: a parcel that its sink will not take is parked; messages about runs are recorded as such.
ALTER TABLE outbox ADD COLUMN parked_at INTEGER;

-- Id of a message of taskbot itself, the run that it is about, and how many runs led to it.
CREATE TABLE echoes (
    message TEXT PRIMARY KEY,
    run     INTEGER NOT NULL REFERENCES runs (id),
    depth   INTEGER NOT NULL
) STRICT;
