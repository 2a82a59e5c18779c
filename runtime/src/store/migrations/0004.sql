-- Format 4: a parcel that its sink will not take is parked.
ALTER TABLE outbox ADD COLUMN parked_at INTEGER;
