//! What the command shows of requests: what is held, and what became of the requests of a message or for a run.
//!
//! Comes in: questions of people. Goes out: plain data that serialises to stable JSON. Only rules with windows have
//! requests on record: without a window a request is a reason of its run at once.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};
use serde::Serialize;

use super::StoreError;
use super::read::Reader;
use crate::effect::Timestamp;

/// What one window of a rule holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldRow {
    /// The rule.
    pub rule: String,
    /// `quiet` or `at-most`.
    pub window: String,
    /// Number of requests.
    pub requests: i64,
    /// When the next of them goes on.
    pub next: Option<Timestamp>,
}

/// One rule's request for a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestRow {
    /// The rule.
    pub rule: String,
    /// Id of the message.
    pub message: String,
    /// Place of the subject in the message.
    pub subject: Option<i64>,
    /// The run that it asks for, in one line.
    pub run: String,
    /// `through`; held by `quiet` or `at-most`; not run for good because of `once`, `replaced` or `superseded`.
    pub state: String,
    /// The message that it gave way to.
    pub instead: Option<String>,
    /// Until when it is held, where that is known.
    pub until: Option<Timestamp>,
    /// When it became this.
    pub since: Timestamp,
}

impl Reader {
    /// What became of the requests of a message, in the order in which its rules asked.
    pub fn requests_of_message(&self, message_id: &str) -> Result<Vec<RequestRow>, StoreError> {
        self.read("reading the requests of a message", |c| {
            c.prepare(&format!("{REQUEST} WHERE m.message_id = ?1 ORDER BY q.id"))?
                .query_map([message_id], request_row)?
                .collect()
        })
    }
}

/// What is held now, by rule and window.
pub(super) fn held(c: &Connection) -> rusqlite::Result<Vec<HeldRow>> {
    let mut rows: Vec<HeldRow> = c
        .prepare(
            "SELECT rule, state, count(*), min(due_at) FROM requests WHERE state = 'quiet' GROUP BY rule
             UNION ALL
             SELECT rule, state, count(*), NULL FROM requests WHERE state = 'at-most' GROUP BY rule
             ORDER BY 1, 2",
        )?
        .query_map([], |row| {
            Ok(HeldRow {
                rule: row.get(0)?,
                window: row.get(1)?,
                requests: row.get(2)?,
                next: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_millis),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    // Of a line only the first knows when.
    let first: BTreeMap<String, Option<i64>> = c
        .prepare(
            "SELECT rule, due_at FROM requests q WHERE state = 'at-most' AND id =
                 (SELECT id FROM requests WHERE rule = q.rule AND state = 'at-most' ORDER BY message, id LIMIT 1)",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for row in rows.iter_mut().filter(|row| row.window == "at-most") {
        row.next = first.get(&row.rule).copied().flatten().map(Timestamp::from_millis);
    }
    Ok(rows)
}

/// The requests for a run: those that let it through, and those that a window holds or that gave way.
pub(super) fn of_run(c: &Connection, run: i64) -> rusqlite::Result<Vec<RequestRow>> {
    c.prepare(&format!(
        "{REQUEST} JOIN runs r ON (r.instance, r.run_key) = (q.instance, q.run_key) WHERE r.id = ?1 ORDER BY q.id"
    ))?
    .query_map([run], request_row)?
    .collect()
}

const REQUEST: &str =
    "SELECT q.rule, m.message_id, nullif(q.subject, -1), q.run_key, q.state, i.message_id, q.due_at,
     q.changed_at
     FROM requests q JOIN messages m ON m.id = q.message LEFT JOIN messages i ON i.id = q.instead";

fn request_row(row: &Row<'_>) -> rusqlite::Result<RequestRow> {
    Ok(RequestRow {
        rule: row.get(0)?,
        message: row.get(1)?,
        subject: row.get(2)?,
        run: row.get(3)?,
        state: row.get(4)?,
        instead: row.get(5)?,
        until: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
        since: Timestamp::from_millis(row.get(7)?),
    })
}
