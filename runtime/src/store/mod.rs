//! The store: everything durable, in one SQLite database with one writer.
//!
//! Comes in: plain data from the inbox, dispatch, facts and sinks; each call is one job. Goes out: what was there,
//! and `Ok` only after the commit is on disk. Jobs that wait together are committed together
//! (group commit). The first error of any kind stops the store and with it the daemon; it is never retried,
//! because after a failed fsync nobody knows what is on the disk. Only this folder knows SQLite.
//!
//! One file a concept: `admit` (messages, decisions, happenings, quarantine), `windows` (requests that are held or
//! refused) with `release` and `storms`, `made` (runs as they are made), `runs` (runs, steps, results), `cancels`, `facts` (answers and
//! questions), `outbox`, `log` (log and counters), `read` with
//! `requests` and `history` (what the command shows), `migrate`.

mod admit;
mod cancels;
mod echoes;
mod error;
mod facts;
mod history;
mod log;
mod made;
mod migrate;
mod outbox;
mod read;
mod release;
mod requests;
mod runs;
mod storms;
mod windows;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction};
use tokio::sync::{mpsc, oneshot};

pub use admit::{Admitted, AdmittedAs, NewRun};
pub use error::{Fault, StoreError};
pub use facts::{ParkedDecision, Question, QuestionEnd, StoredAnswer};
pub use history::{StoredDecision, TaskTimes};
pub use log::Level;
pub use outbox::{NextParcel, Parcel, SinkRow, Undelivered};
pub use read::{
    ArtifactRow, LogLine, QuarantinedMessage, Reader, ReasonRow, ResultFilter, ResultRow, RunReport, RunRow,
    Status, StepRow, WaitingFact,
};
pub use release::Released;
pub use requests::{HeldRow, RequestRow};
pub use runs::{OpenRun, RunId, Waiting};

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

/// A handle on the writer thread; clones share it. The thread ends with the last handle, or when it is closed.
#[derive(Clone, Debug)]
pub struct Store {
    jobs: mpsc::Sender<Order>,
    /// Why the writer ended.
    end: Arc<OnceLock<String>>,
}

/// What the writer is told.
enum Order {
    Work(Job),
    /// Close the database, then say so.
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// Work on the open transaction; what it returns tells the caller once the commit has succeeded or failed.
type Job = Box<dyn FnOnce(&Connection) -> Worked + Send>;

struct Worked {
    failed: Option<StoreError>,
    tell: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

impl Store {
    /// Opens or makes the database in a state directory, brings it to the current format (after a copy), and starts
    /// the writer.
    pub fn open(state_dir: &Path, durability: Durability) -> Result<Self, StoreError> {
        let path = state_dir.join(FILE);
        let connection = connect(&path, durability)?;
        migrate::migrate(&connection, &path, migrate::MIGRATIONS)?;
        let end = Arc::new(OnceLock::new());
        let (jobs, waiting) = mpsc::channel(limits::STORE_JOBS_WAITING);
        std::thread::Builder::new()
            .name("store".into())
            .spawn({
                let end = Arc::clone(&end);
                move || write_all(connection, waiting, &end)
            })
            .map_err(|e| StoreError::machine("starting its thread", e))?;
        Ok(Self { jobs, end })
    }

    /// Ends the writer when all that was asked before is done, so that the database is complete in its one file. The
    /// other handles get errors from then on.
    pub async fn close(&self) -> Result<(), StoreError> {
        let (tell, told) = oneshot::channel();
        self.jobs.send(Order::Close(tell)).await.map_err(|_| self.stopped())?;
        told.await.unwrap_or_else(|_| Err(self.stopped()))
    }

    fn stopped(&self) -> StoreError {
        let cause = self.end.get().map_or("its thread is gone", String::as_str);
        StoreError::Stopped { cause: cause.to_owned() }
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
                failed: outcome.as_ref().err().cloned(),
                tell: Box::new(move |committed| {
                    // The work's own error says more than the rollback that it caused.
                    let _ = tell.send(outcome.and_then(|value| committed.map(|()| value)));
                }),
            }
        });
        self.jobs.send(Order::Work(job)).await.map_err(|_| self.stopped())?;
        told.await.unwrap_or_else(|_| Err(self.stopped()))
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
    // A statement is planned by its text alone. Else SQLite looks at the values too where an index is partial, and compiles
    // the statement again for each value.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(StoreError::database("opening the database"))?;
    connection.set_prepared_statement_cache_capacity(limits::STORE_STATEMENTS);
    Ok(connection)
}

/// The writer thread: takes what waits, commits it together, tells everyone. Ends at the first error.
fn write_all(mut connection: Connection, mut waiting: mpsc::Receiver<Order>, end: &OnceLock<String>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut batch = Vec::new();
        let mut close = None;
        let mut next = Some(first);
        while let Some(order) = next {
            match order {
                Order::Work(job) => batch.push(job),
                Order::Close(tell) => close = Some(tell),
            }
            let full = batch.len() >= limits::GROUP_COMMIT_MESSAGES || close.is_some();
            next = if full { None } else { waiting.try_recv().ok() };
        }
        if let Err(error) = commit(&mut connection, batch, end) {
            tracing::error!(%error, "the store stops");
            return;
        }
        if let Some(tell) = close {
            let _ = end.set("it was closed, since taskbot ends".into());
            let _ = tell.send(checkpoint(connection));
            return;
        }
    }
}

/// Brings all that is in the write-ahead log into the database's one file.
fn checkpoint(connection: Connection) -> Result<(), StoreError> {
    let failed = || StoreError::database("closing the database");
    // It returns a row; that readers are in its way is no error.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed())?;
    connection.close().map_err(|(_, error)| failed()(error))
}

fn commit(connection: &mut Connection, batch: Vec<Job>, end: &OnceLock<String>) -> Result<(), StoreError> {
    let mut worked = Vec::with_capacity(batch.len());
    let outcome = match connection.transaction() {
        Ok(transaction) => work(&transaction, batch, &mut worked)
            .and_then(|()| transaction.commit().map_err(StoreError::database("committing"))),
        Err(error) => Err(StoreError::database("beginning a transaction")(error)),
    };
    if let Err(error) = &outcome {
        // Before anyone is told, so that nobody finds the writer gone without its cause.
        let _ = end.set(error.to_string());
    }
    let told = outcome.clone().map_err(|error| StoreError::Stopped { cause: error.to_string() });
    for one in worked {
        (one.tell)(told.clone());
    }
    outcome
}

fn work(transaction: &Transaction<'_>, batch: Vec<Job>, worked: &mut Vec<Worked>) -> Result<(), StoreError> {
    for job in batch {
        let one = job(transaction);
        let failed = one.failed.clone();
        worked.push(one);
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use rusqlite::{OptionalExtension, StatementStatus};

    use super::*;

    #[tokio::test]
    async fn an_error_rolls_the_group_back_and_stops_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Durability::ProcessOnly).unwrap();
        store.count("before", 1).await.unwrap();
        let broken = store.write("trying", |c| c.execute("INSERT INTO nowhere VALUES (1)", [])).await;
        assert!(matches!(broken, Err(StoreError::Database { doing: "trying", .. })), "{broken:?}");
        assert!(broken.unwrap_err().to_string().contains("mistake of taskbot"));
        let after = store.count("after", 1).await.unwrap_err().to_string();
        assert!(after.contains("has stopped") && after.contains("no such table: nowhere"), "{after}");
        drop(store);
        let counters = Reader::open(dir.path()).unwrap().status().unwrap().counters;
        assert_eq!(counters.get("before"), Some(&1));
        assert_eq!(counters.get("after"), None);
    }

    #[test]
    fn a_statement_is_compiled_once_whatever_it_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path(), Durability::ProcessOnly).unwrap());
        let connection = connect(&dir.path().join(FILE), Durability::ProcessOnly).unwrap();
        // The index of what waits for quiet is partial: it is for one state alone.
        let mut query =
            connection.prepare("SELECT id FROM requests WHERE state = ?1 AND due_at < ?2").unwrap();
        for state in ["quiet", "at-most", "quiet", "made"] {
            query.query_row((state, 1), |_| Ok(())).optional().unwrap();
        }
        assert_eq!(query.get_status(StatementStatus::RePrepare), 0);
    }

    #[tokio::test]
    async fn a_closed_database_is_complete_in_its_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Durability::Full).unwrap();
        store.count("kept", 7).await.unwrap();
        store.close().await.unwrap();
        assert!(!dir.path().join("taskbot.db-wal").exists());
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(dir.path().join(FILE), copy.path().join(FILE)).unwrap();
        let counters = Reader::open(copy.path()).unwrap().status().unwrap().counters;
        assert_eq!(counters.get("kept"), Some(&7));
        let late = store.count("late", 1).await.unwrap_err().to_string();
        assert!(late.contains("closed"), "{late}");
    }
}
