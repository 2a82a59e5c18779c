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

/// When the outbox has something to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextParcel {
    /// When the first parcel is due.
    pub at: Timestamp,
    /// Whether some parcel has not been tried at all.
    pub untried: bool,
}

impl Store {
    /// What is due for these sinks, oldest first.
    pub async fn due_parcels(
        &self,
        sinks: Vec<String>,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Parcel>, StoreError> {
        self.write("reading the outbox", move |c| {
            c.prepare_cached(
                "SELECT sink, run, attempts FROM outbox WHERE delivered_at IS NULL AND next_at <= ?1
                     AND sink IN (SELECT value FROM json_each(?2))
                 ORDER BY next_at, run LIMIT ?3",
            )?
            .query_map(
                params![now.millis(), super::json(&sinks)?, i64::try_from(limit).unwrap_or(i64::MAX)],
                |row| Ok(Parcel { sink: row.get(0)?, run: RunId(row.get(1)?), attempts: row.get(2)? }),
            )?
            .collect()
        })
        .await
    }

    /// The parcel that is due next for these sinks; none: the outbox is empty.
    pub async fn next_parcel(&self, sinks: Vec<String>) -> Result<Option<NextParcel>, StoreError> {
        self.write("reading the outbox", move |c| {
            c.query_row(
                "SELECT min(next_at), min(attempts) FROM outbox WHERE delivered_at IS NULL
                     AND sink IN (SELECT value FROM json_each(?1))",
                [super::json(&sinks)?],
                |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)),
            )
            .map(|(at, attempts)| {
                at.map(|at| NextParcel { at: Timestamp::from_millis(at), untried: attempts == Some(0) })
            })
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
                "UPDATE outbox SET attempts = attempts + 1, next_at = ?3, last_error = ?4
                 WHERE sink = ?1 AND run = ?2",
                params![parcel.sink, parcel.run.0, next_at.millis(), error],
            )
            .map(drop)
        })
        .await
    }
}
