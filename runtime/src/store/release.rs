//! Letting go of held requests: those that are due, or those that the operator names.
//!
//! Comes in: the time, or the operator's word. Goes out: runs, made in the order of arrival, in one transaction with the
//! end of what held them; and when to look again. A request goes through the windows that are left to it as when it came.

use rusqlite::{Connection, OptionalExtension, params};

use super::admit::NewRun;
use super::log::{self, Level};
use super::made::Novelty;
use super::windows::{Asking, Became, Press, arrived, go_on};
use super::{Store, StoreError, storms};
use crate::admission::WantedRun;
use crate::admission::windows::Arrived;
use crate::effect::Timestamp;
use crate::limits;

/// What letting go brought.
#[derive(Clone, Debug, Default)]
pub struct Released {
    /// Runs that it made.
    pub new_runs: Vec<NewRun>,
    /// Runs that are to be cancelled because of them.
    pub superseded: usize,
    /// When something may be let go next; none: nothing is held.
    pub next: Option<Timestamp>,
}

impl Store {
    /// Lets go of what is due, in the order of arrival.
    pub async fn release(&self, now: Timestamp) -> Result<Released, StoreError> {
        self.write("letting held requests go", move |c| release(c, now)).await
    }

    /// Lets go of everything that is held, or of what is held for one rule, at the operator's word.
    pub async fn release_now(&self, rule: Option<String>, now: Timestamp) -> Result<Released, StoreError> {
        self.write("letting held requests go", move |c| release_now(c, rule.as_deref(), now)).await
    }
}

fn release(c: &Connection, now: Timestamp) -> rusqlite::Result<Released> {
    clock_set_back(c, now)?;
    let mut released = Released::default();
    let mut left = limits::RELEASED_AT_ONCE;
    let quiet: Vec<i64> = c
        .prepare_cached(
            "SELECT id FROM requests WHERE state = 'quiet' AND due_at <= ?1 ORDER BY message, id LIMIT ?2",
        )?
        .query_map(params![now.millis(), i64::try_from(left).unwrap_or(i64::MAX)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in quiet {
        left = left.saturating_sub(1);
        let_go(c, id, Press::No, now, &mut released)?;
    }
    for rule in storms::rules(c)? {
        while left > 0
            && let Some(first) = first_in_line(c, &rule)?
            && let_go(c, first, Press::No, now, &mut released)? != Became::Held
        {
            left -= 1;
        }
        storms::end_if_over(c, &rule, now)?;
    }
    released.next = if left == 0 { Some(now) } else { next_due(c)? };
    Ok(released)
}

fn release_now(c: &Connection, rule: Option<&str>, now: Timestamp) -> rusqlite::Result<Released> {
    let held: Vec<i64> = c
        .prepare_cached(
            "SELECT id FROM requests WHERE state IN ('quiet', 'at-most') AND (?1 IS NULL OR rule = ?1)
             ORDER BY message, id",
        )?
        .query_map([rule], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut released = Released::default();
    for id in &held {
        let_go(c, *id, Press::Yes, now, &mut released)?;
    }
    for rule in storms::rules(c)? {
        storms::end_if_over(c, &rule, now)?;
    }
    if !held.is_empty() {
        let whose = rule.map_or(String::new(), |rule| format!(" of rule {rule}"));
        let text = format!("{} held request(s){whose} were let go by hand", held.len());
        log::log(c, now, Level::Info, None, None, &text)?;
    }
    released.next = next_due(c)?;
    Ok(released)
}

fn let_go(
    c: &Connection,
    id: i64,
    press: Press,
    now: Timestamp,
    released: &mut Released,
) -> rusqlite::Result<Became> {
    let (arrived, instance, wanted, message_id): (Arrived, String, String, String) = c
        .prepare_cached(
            "SELECT q.message, q.received_at, q.instance, q.wanted, m.message_id
             FROM requests q JOIN messages m ON m.id = q.message WHERE q.id = ?1",
        )?
        .query_row([id], |row| Ok((arrived(row)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
    let wanted: WantedRun = super::parse(&wanted)?;
    let Some(request) = wanted.asks.first() else { return Ok(Became::Nothing) };
    let asking = Asking {
        id,
        arrived,
        message_id: &message_id,
        instance: &instance,
        wanted: &wanted,
        request,
        at: now,
    };
    let became = go_on(c, &asking, press)?;
    if let Became::Through { run, novelty, superseded } = became {
        released.superseded += superseded;
        if novelty == Novelty::New {
            let text = format!("{} asked for by {}, let go", wanted.key, request.reason.rule);
            log::log(c, now, Level::Info, Some(run), Some(&message_id), &text)?;
            released.new_runs.push(NewRun { id: run, key: wanted.key.clone() });
        }
    }
    Ok(became)
}

fn first_in_line(c: &Connection, rule: &str) -> rusqlite::Result<Option<i64>> {
    c.prepare_cached(
        "SELECT id FROM requests WHERE rule = ?1 AND state = 'at-most' ORDER BY message, id LIMIT 1",
    )?
    .query_row([rule], |row| row.get(0))
    .optional()
}

/// When something may be let go next: what is quiet then, or the first in line of a rule that has room then.
fn next_due(c: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let mut next: Option<i64> = c
        .prepare_cached("SELECT min(due_at) FROM requests WHERE state = 'quiet'")?
        .query_row([], |row| row.get(0))?;
    for rule in storms::rules(c)? {
        let first: Option<i64> = c
            .prepare_cached(
                "SELECT due_at FROM requests WHERE rule = ?1 AND state = 'at-most' ORDER BY message, id LIMIT 1",
            )?
            .query_row([rule], |row| row.get(0))
            .optional()?
            .flatten();
        next = next.into_iter().chain(first).min();
    }
    Ok(next.map(Timestamp::from_millis))
}

/// What is remembered for later than its window allows can only come from a clock that was set back. It is brought
/// down, so that nothing waits longer than its own window from when that is noticed.
fn clock_set_back(c: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let latest = now.after(limits::CLOCK_SET_BACK).millis();
    c.prepare_cached(
        "UPDATE requests SET due_at = ?1 + span_ms WHERE state = 'quiet' AND due_at > ?2 AND due_at - span_ms > ?2",
    )?
    .execute([now.millis(), latest])?;
    for rule in storms::rules(c)? {
        c.prepare_cached("UPDATE requests SET made_at = ?2 WHERE rule = ?1 AND made_at > ?3")?
            .execute(params![rule, now.millis(), latest])?;
    }
    Ok(())
}
