//! The log that people ask for, and the counters.
//!
//! Comes in: lines and increments, mostly from within other transactions. Goes out: rows that `read` shows. It is no
//! substitute for `tracing`: only what an operator must be able to find later stands here.

use rusqlite::{Connection, params};

use super::{RunId, Store, StoreError};
use crate::effect::Timestamp;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Somebody should look.
    Warn,
    /// Somebody must act.
    Error,
}

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl Store {
    /// Adds to a counter.
    pub async fn count(&self, name: &'static str, by: u32) -> Result<(), StoreError> {
        self.write("counting", move |c| count(c, name, by)).await
    }

    /// Adds a line to the log.
    pub async fn log(
        &self,
        at: Timestamp,
        level: Level,
        run: Option<RunId>,
        text: String,
    ) -> Result<(), StoreError> {
        self.write("writing the log", move |c| log(c, at, level, run, None, &text)).await
    }
}

pub(super) fn count(c: &Connection, name: &str, by: u32) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO counters (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
    )?
    .execute(params![name, by])
    .map(drop)
}

pub(super) fn log(
    c: &Connection,
    at: Timestamp,
    level: Level,
    run: Option<RunId>,
    message: Option<&str>,
    text: &str,
) -> rusqlite::Result<()> {
    c.prepare_cached("INSERT INTO log (at, level, run, message, text) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![at.millis(), level.name(), run.map(|r| r.0), message, text])
        .map(drop)
}
