//! The store: everything durable, in one SQLite database with one writer.
//!
//! Comes in: plain data from the inbox, dispatch, facts and sinks; each call is one job. Goes out: what was there,
//! and `Ok` only after the commit is on disk. Jobs that wait together are committed together
//! (group commit). The first error of any kind stops the store and with it the daemon; it is never retried,
//! because after a failed fsync nobody knows what is on the disk. Only this folder knows SQLite.
//!
//! One file a concept: `admit` (messages, decisions, happenings, quarantine), `runs` (runs, steps, results), `facts`
//! (answers and questions), `outbox`, `log` (log and counters), `read` (what the command shows), `migrate`.

mod admit;
mod error;
mod facts;
mod log;
mod migrate;
mod outbox;
mod read;
mod runs;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction};
use tokio::sync::{mpsc, oneshot};

pub use admit::{Admitted, AdmittedAs, NewRun};
pub use error::StoreError;
pub use facts::{ParkedDecision, Question, QuestionEnd, StoredAnswer};
pub use log::Level;
pub use outbox::{NextParcel, Parcel};
pub use read::{
    LogLine, QuarantinedMessage, Reader, ResultFilter, ResultRow, RunReport, RunRow, Status, StepRow,
    WaitingFact,
};
pub use runs::{OpenRun, RunId};

use crate::limits;

/// File name of the database in the state directory.
pub const FILE: &str = "taskbot.db";

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A commit that says ok survives the loss of power.
    Full,
    /// A commit survives the end of the process only: for tests that end processes, not machines.
    ProcessOnly,
}

/// A handle on the writer thread; clones share it. The thread ends with the last handle.
#[derive(Clone, Debug)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
}

/// Work on the open transaction; what it returns tells the caller once the commit has succeeded or failed.
type Job = Box<dyn FnOnce(&Connection) -> Worked + Send>;

struct Worked {
    failed: bool,
    tell: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

impl Store {
    /// Opens or makes the database in a state directory, brings it to the current format (after a copy), and starts
    /// the writer.
    pub fn open(state_dir: &Path, durability: Durability) -> Result<Self, StoreError> {
        let path = state_dir.join(FILE);
        let connection = connect(&path, durability)?;
        migrate::migrate(&connection, &path, migrate::MIGRATIONS)?;
        let (jobs, waiting) = mpsc::channel(limits::STORE_JOBS_WAITING);
        std::thread::Builder::new()
            .name("store".into())
            .spawn(move || write_all(connection, waiting))
            .map_err(|e| StoreError::Database { doing: "starting its thread", cause: e.to_string() })?;
        Ok(Self { jobs })
    }

    /// Runs `work` in the writer's transaction and waits for the commit.
    async fn write<T, W>(&self, doing: &'static str, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let outcome = work(connection).map_err(StoreError::database(doing));
            Worked {
                failed: outcome.is_err(),
                tell: Box::new(move |committed| {
                    // The work's own error says more than the rollback that it caused.
                    let _ = tell.send(outcome.and_then(|value| committed.map(|()| value)));
                }),
            }
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Stopped)?;
        told.await.unwrap_or(Err(StoreError::Stopped))
    }
}

/// A value as JSON for a TEXT column.
fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

/// A value from the JSON of a TEXT column.
fn parse<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e)))
}

/// The bare spelling of a value that serialises as one word.
fn word<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    json(value).map(|text| text.trim_matches('"').to_owned())
}

fn connect(path: &PathBuf, durability: Durability) -> Result<Connection, StoreError> {
    let connection = Connection::open(path).map_err(StoreError::database("opening the database"))?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::ProcessOnly => "OFF",
    };
    connection
        .execute_batch(&format!(
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
             PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
        ))
        .map_err(StoreError::database("opening the database"))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// The writer thread: takes what waits, commits it together, tells everyone. Ends at the first error.
fn write_all(mut connection: Connection, mut waiting: mpsc::Receiver<Job>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < limits::GROUP_COMMIT_MESSAGES
            && let Ok(job) = waiting.try_recv()
        {
            batch.push(job);
        }
        if let Err(error) = commit(&mut connection, batch) {
            tracing::error!(%error, "the store stops");
            return;
        }
    }
}

fn commit(connection: &mut Connection, batch: Vec<Job>) -> Result<(), StoreError> {
    let mut worked = Vec::with_capacity(batch.len());
    let outcome = match connection.transaction() {
        Ok(transaction) => work(&transaction, batch, &mut worked)
            .and_then(|()| transaction.commit().map_err(StoreError::database("committing"))),
        Err(error) => Err(StoreError::database("beginning a transaction")(error)),
    };
    for one in worked {
        (one.tell)(outcome.clone());
    }
    outcome
}

fn work(transaction: &Transaction<'_>, batch: Vec<Job>, worked: &mut Vec<Worked>) -> Result<(), StoreError> {
    for job in batch {
        let one = job(transaction);
        let failed = one.failed;
        worked.push(one);
        if failed {
            return Err(StoreError::Stopped);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn an_error_rolls_the_group_back_and_stops_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Durability::ProcessOnly).unwrap();
        store.count("before", 1).await.unwrap();
        let broken = store.write("trying", |c| c.execute("INSERT INTO nowhere VALUES (1)", [])).await;
        assert!(matches!(broken, Err(StoreError::Database { doing: "trying", .. })), "{broken:?}");
        assert!(matches!(store.count("after", 1).await, Err(StoreError::Stopped)));
        drop(store);
        let counters = Reader::open(dir.path()).unwrap().status().unwrap().counters;
        assert_eq!(counters.get("before"), Some(&1));
        assert_eq!(counters.get("after"), None);
    }
}
