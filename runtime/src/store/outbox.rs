//! The outbox: runs that are over and have still to reach a sink.
//!
//! Comes in: deliveries and failures. Goes out: what is due. A parcel leaves only by being delivered.

use rusqlite::params;

use super::{RunId, Store, StoreError};
use crate::effect::Timestamp;

/// One run on its way to one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Name of the sink.
    pub sink: String,
    /// The run.
    pub run: RunId,
    /// Failed attempts.
    pub attempts: u32,
}

impl Store {
    /// What is due, oldest first.
    pub async fn due_parcels(&self, now: Timestamp, limit: usize) -> Result<Vec<Parcel>, StoreError> {
        self.write("reading the outbox", move |c| {
            c.prepare_cached(
                "SELECT sink, run, attempts FROM outbox WHERE delivered_at IS NULL AND next_at <= ?1
                 ORDER BY next_at, run LIMIT ?2",
            )?
            .query_map(params![now.millis(), i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                Ok(Parcel { sink: row.get(0)?, run: RunId(row.get(1)?), attempts: row.get(2)? })
            })?
            .collect()
        })
        .await
    }

    /// When the next parcel is due; none: the outbox is empty.
    pub async fn next_parcel_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.write("reading the outbox", |c| {
            c.query_row("SELECT min(next_at) FROM outbox WHERE delivered_at IS NULL", [], |row| {
                row.get::<_, Option<i64>>(0)
            })
            .map(|at| at.map(Timestamp::from_millis))
        })
        .await
    }

    /// Notes that a parcel arrived.
    pub async fn delivered(&self, parcel: Parcel, at: Timestamp) -> Result<(), StoreError> {
        self.write("emptying the outbox", move |c| {
            c.execute(
                "UPDATE outbox SET delivered_at = ?3, last_error = NULL WHERE sink = ?1 AND run = ?2",
                params![parcel.sink, parcel.run.0, at.millis()],
            )
            .map(drop)
        })
        .await
    }

    /// Notes that a sink failed; it is tried again at `next_at`.
    pub async fn not_delivered(
        &self,
        parcel: Parcel,
        error: String,
        next_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("noting a failed sink", move |c| {
            c.execute(
                "UPDATE outbox SET attempts = attempts + 1, next_at = ?3, last_error = ?4 WHERE sink = ?1 AND run = ?2",
                params![parcel.sink, parcel.run.0, next_at.millis(), error],
            )
            .map(drop)
        })
        .await
    }
}
