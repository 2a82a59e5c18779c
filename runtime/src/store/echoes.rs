//! Messages of taskbot about its own runs: which run each is about, and how long the chain is that it stands in.
//!
//! Comes in: a run that is over, and the ids of messages about it that some rule waits for. Goes out: whether they may be
//! admitted. The first message of a chain came from outside; each run that an echo asked for is one longer.

use rusqlite::{Connection, params};

use super::log::{self, Level};
use super::{ReasonRow, RunId, Store, StoreError};
use crate::effect::Timestamp;
use crate::limits;

impl Store {
    /// Remembers what messages are about. False: the chain would be too long, which is logged, and they are to be dropped.
    pub async fn echoed(&self, run: RunId, messages: Vec<String>, at: Timestamp) -> Result<bool, StoreError> {
        self.write("recording what a message is about", move |c| {
            // The shortest way counts: a run that a message from outside asked for as well is no loop.
            let depth: u32 = c
                .prepare_cached(
                    "SELECT 1 + coalesce(min(coalesce(e.depth, 0)), 0) FROM reasons r JOIN messages m ON m.id = r.message
                     LEFT JOIN echoes e ON e.message = m.message_id WHERE r.run = ?1",
                )?
                .query_row([run.0], |row| row.get(0))?;
            if depth > limits::CHAIN_DEPTH {
                log::count(c, "chains-cut", 1)?;
                let text = format!("a chain of more than {} runs ends here: is it a loop?", limits::CHAIN_DEPTH);
                log::log(c, at, Level::Error, Some(run), None, &text)?;
                return Ok(false);
            }
            for message in messages {
                c.prepare_cached("INSERT OR IGNORE INTO echoes (message, run, depth) VALUES (?1, ?2, ?3)")?
                    .execute(params![message, run.0, depth])?;
            }
            Ok(true)
        })
        .await
    }
}

/// Why a run exists, with what the messages are about.
pub(super) fn reasons(c: &Connection, run: i64) -> rusqlite::Result<Vec<ReasonRow>> {
    c.prepare(
        "SELECT m.message_id, m.topic, r.rule, nullif(r.subject, -1), e.run
         FROM reasons r JOIN messages m ON m.id = r.message LEFT JOIN echoes e ON e.message = m.message_id
         WHERE r.run = ?1 ORDER BY r.message, r.rule, r.subject",
    )?
    .query_map([run], |row| {
        Ok(ReasonRow {
            message: row.get(0)?,
            topic: row.get(1)?,
            rule: row.get(2)?,
            subject: row.get(3)?,
            about_run: row.get(4)?,
        })
    })?
    .collect()
}
