//! The outbox: runs that are over and have still to reach a sink.
//!
//! Comes in: deliveries and failures. Goes out: what is due. A parcel leaves only by being delivered; one that its sink will
//! not take is parked with the reason, until the daemon starts again.

use rusqlite::{Connection, params};
use serde::Serialize;

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

/// What becomes of a parcel that was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// It is tried again then.
    Again(Timestamp),
    /// Its sink will not take it, as it said then.
    Parked(Timestamp),
}

/// What waits for one sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SinkRow {
    /// Name of the sink.
    pub sink: String,
    /// Parcels that wait for their first or next attempt.
    pub waiting: i64,
    /// Parcels that the sink will not take.
    pub parked: i64,
    /// When the next attempt is due.
    pub next: Option<Timestamp>,
    /// What the sink said last of one of them.
    pub last_error: Option<String>,
}

impl Store {
    /// What is due for a sink, oldest first.
    pub async fn due_parcels(
        &self,
        sink: String,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Parcel>, StoreError> {
        self.write("reading the outbox", move |c| {
            c.prepare_cached(
                "SELECT sink, run, attempts FROM outbox
                 WHERE delivered_at IS NULL AND parked_at IS NULL AND next_at <= ?1 AND sink = ?2
                 ORDER BY next_at, run LIMIT ?3",
            )?
            .query_map(params![now.millis(), sink, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                Ok(Parcel { sink: row.get(0)?, run: RunId(row.get(1)?), attempts: row.get(2)? })
            })?
            .collect()
        })
        .await
    }

    /// The parcel that is due next for a sink; none: nothing waits for it.
    pub async fn next_parcel(&self, sink: String) -> Result<Option<NextParcel>, StoreError> {
        self.write("reading the outbox", move |c| {
            c.prepare_cached(
                "SELECT min(next_at), min(attempts) FROM outbox
                 WHERE delivered_at IS NULL AND parked_at IS NULL AND sink = ?1",
            )?
            .query_row([sink], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)))
            .map(|(at, attempts)| {
                at.map(|at| NextParcel { at: Timestamp::from_millis(at), untried: attempts == Some(0) })
            })
        })
        .await
    }

    /// Notes that a parcel arrived.
    pub async fn delivered(&self, parcel: Parcel, at: Timestamp) -> Result<(), StoreError> {
        self.write("emptying the outbox", move |c| {
            c.prepare_cached(
                "UPDATE outbox SET delivered_at = ?3, last_error = NULL WHERE sink = ?1 AND run = ?2",
            )?
            .execute(params![parcel.sink, parcel.run.0, at.millis()])
            .map(drop)
        })
        .await
    }

    /// Notes that a sink did not take a parcel.
    pub async fn not_delivered(
        &self,
        parcel: Parcel,
        error: String,
        what: Undelivered,
    ) -> Result<(), StoreError> {
        self.write("noting a failed sink", move |c| {
            let (next_at, parked_at) = match what {
                Undelivered::Again(at) => (at, None),
                Undelivered::Parked(at) => (at, Some(at.millis())),
            };
            c.prepare_cached(
                "UPDATE outbox SET attempts = attempts + 1, next_at = ?3, parked_at = ?4, last_error = ?5
                 WHERE sink = ?1 AND run = ?2",
            )?
            .execute(params![parcel.sink, parcel.run.0, next_at.millis(), parked_at, error])
            .map(drop)
        })
        .await
    }

    /// Lets the parked parcels of a sink be tried again.
    pub async fn unpark(&self, sink: String, at: Timestamp) -> Result<(), StoreError> {
        self.write("taking up parked parcels", move |c| {
            c.prepare_cached(
                "UPDATE outbox SET parked_at = NULL, attempts = 0, next_at = ?2
                 WHERE sink = ?1 AND parked_at IS NOT NULL AND delivered_at IS NULL",
            )?
            .execute(params![sink, at.millis()])
            .map(drop)
        })
        .await
    }
}

/// What waits, by sink; also for those that are not configured any more.
pub(super) fn waiting(c: &Connection) -> rusqlite::Result<Vec<SinkRow>> {
    c.prepare(
        "SELECT sink, sum(parked_at IS NULL), sum(parked_at IS NOT NULL),
             min(CASE WHEN parked_at IS NULL THEN next_at END),
             (SELECT last_error FROM outbox l WHERE l.sink = o.sink AND delivered_at IS NULL AND last_error IS NOT NULL
              ORDER BY parked_at IS NULL, next_at DESC LIMIT 1)
         FROM outbox o WHERE delivered_at IS NULL GROUP BY sink ORDER BY sink",
    )?
    .query_map([], |row| {
        Ok(SinkRow {
            sink: row.get(0)?,
            waiting: row.get(1)?,
            parked: row.get(2)?,
            next: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_millis),
            last_error: row.get(4)?,
        })
    })?
    .collect()
}
