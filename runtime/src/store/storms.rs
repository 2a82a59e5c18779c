//! Storms: rules that ask for more than `at most` lets through, told of once each.
//!
//! Comes in: each request that is held for it. Goes out: one loud line when a storm begins, one with the count when
//! the last request of it is let go.

use rusqlite::{Connection, OptionalExtension, params};

use super::log::{self, Level};
use crate::admission::windows::AtMost;
use crate::effect::Timestamp;

/// Counts a request that is newly held.
pub(super) fn one_more(c: &Connection, rule: &str, window: AtMost, at: Timestamp) -> rusqlite::Result<()> {
    let held: i64 = c
        .prepare_cached(
            "INSERT INTO storms (rule, since, held) VALUES (?1, ?2, 1)
             ON CONFLICT (rule) DO UPDATE SET held = held + 1 RETURNING held",
        )?
        .query_row(params![rule, at.millis()], |row| row.get(0))?;
    if held > 1 {
        return Ok(());
    }
    let text = format!(
        "rule {rule} asks for more than {} runs in {} s; the rest is held: see `taskbot status`, `taskbot release`",
        window.runs,
        window.span.as_secs()
    );
    tracing::warn!(rule, runs = window.runs, span = ?window.span, "more is asked for than `at most` lets through");
    log::count(c, "storms", 1)?;
    log::log(c, at, Level::Warn, None, None, &text)
}

/// Rules that hold something back.
pub(super) fn rules(c: &Connection) -> rusqlite::Result<Vec<String>> {
    c.prepare_cached("SELECT rule FROM storms ORDER BY rule")?.query_map([], |row| row.get(0))?.collect()
}

/// Says how many a storm held, once nothing of it is held any more.
pub(super) fn end_if_over(c: &Connection, rule: &str, at: Timestamp) -> rusqlite::Result<()> {
    let held: Option<i64> = c
        .prepare_cached(
            "DELETE FROM storms WHERE rule = ?1
                 AND NOT EXISTS (SELECT 1 FROM requests WHERE rule = ?1 AND state = 'at-most')
             RETURNING held",
        )?
        .query_row([rule], |row| row.get(0))
        .optional()?;
    match held {
        Some(held) => {
            let text = format!("rule {rule} holds nothing back any more; {held} request(s) were held");
            log::log(c, at, Level::Info, None, None, &text)
        }
        None => Ok(()),
    }
}
