//! Requests of rules with windows: what each becomes.
//!
//! Comes in: a request for a run. Goes out: runs made or merged, requests held or refused, all in the transaction of the
//! decision. What a window says is `admission::windows`; here is its memory. What is held goes on by `release`. A
//! request is decided once: its row is its key, so neither a message told twice nor a crash lets it through again.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::log::{self, Level};
use super::made::{self, Making, Novelty};
use super::runs::RunId;
use super::{cancels, storms};
use crate::admission::windows::{self, Arrived, AtMost, Keyed, Quiet};
use crate::admission::{Request, WantedRun};
use crate::effect::Timestamp;

/// What a request became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// It let the run through.
    Through {
        run: RunId,
        novelty: Novelty,
        /// Runs that are to be cancelled because of it.
        superseded: usize,
    },
    /// It waits.
    Held,
    /// It gave way, or was decided before without a run.
    Nothing,
}

/// Which held requests are let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Press {
    /// Those that are due.
    No,
    /// Whether there is room or not: the operator says so.
    Yes,
}

/// A request on its way.
pub(super) struct Asking<'a> {
    pub(super) id: i64,
    pub(super) arrived: Arrived,
    pub(super) message_id: &'a str,
    pub(super) instance: &'a str,
    pub(super) wanted: &'a WantedRun,
    pub(super) request: &'a Request,
    pub(super) at: Timestamp,
}

impl Asking<'_> {
    fn rule(&self) -> &str {
        &self.request.reason.rule
    }

    fn making(&self) -> Making<'_> {
        Making {
            instance: self.instance,
            wanted: self.wanted,
            request: self.request,
            message: self.arrived.row,
            at: self.at,
        }
    }
}

/// Takes one request of a message through its rule's windows.
pub(super) fn ask(
    c: &Connection,
    arrived: Arrived,
    message_id: &str,
    making: &Making<'_>,
) -> rusqlite::Result<Became> {
    let Making { instance, wanted, request, at, .. } = *making;
    if request.windows.is_empty() {
        let (run, novelty) = made::make(c, making)?;
        return Ok(Became::Through { run, novelty, superseded: 0 });
    }
    let Some(id) = insert(c, arrived, instance, wanted, request, at)? else {
        return decided_before(c, arrived.row, request, &wanted.key);
    };
    let asking = Asking { id, arrived, message_id, instance, wanted, request, at };
    if made::is_reason(c, instance, &wanted.key, asking.rule())? {
        // Another message of the happening told it: no new asking, so nothing is superseded.
        let (run, novelty) = make(c, &asking)?;
        return Ok(Became::Through { run, novelty, superseded: 0 });
    }
    match &request.windows.quiet {
        Some(window) => wait_for_quiet(c, &asking, window),
        None => go_on(c, &asking, Press::No),
    }
}

/// None: it is there already.
fn insert(
    c: &Connection,
    arrived: Arrived,
    instance: &str,
    wanted: &WantedRun,
    request: &Request,
    at: Timestamp,
) -> rusqlite::Result<Option<i64>> {
    let windows = &request.windows;
    c.prepare_cached(
        "INSERT INTO requests (message, received_at, rule, subject, instance, run_key, task, axes, quiet_key,
             superseding_key, once_key, state, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'through', ?12)
         ON CONFLICT (message, rule, subject, run_key) DO NOTHING RETURNING id",
    )?
    .query_row(
        params![
            arrived.row,
            arrived.at.millis(),
            request.reason.rule,
            made::subject(request.reason.subject),
            instance,
            wanted.key,
            wanted.task,
            request.axes,
            windows.quiet.as_ref().map(|w| &w.key),
            windows.superseding,
            windows.once.as_ref().map(|w| &w.key),
            at.millis()
        ],
        |row| row.get(0),
    )
    .optional()
}

fn decided_before(
    c: &Connection,
    message: i64,
    request: &Request,
    run_key: &str,
) -> rusqlite::Result<Became> {
    let run: Option<i64> = c
        .prepare_cached(
            "SELECT run FROM requests WHERE message = ?1 AND rule = ?2 AND subject = ?3 AND run_key = ?4",
        )?
        .query_row(
            params![message, request.reason.rule, made::subject(request.reason.subject), run_key],
            |row| row.get(0),
        )?;
    Ok(run.map_or(Became::Nothing, |run| Became::Through {
        run: RunId(run),
        novelty: Novelty::Known,
        superseded: 0,
    }))
}

/// Keeps the request until its key was quiet; what it takes the place of goes.
fn wait_for_quiet(c: &Connection, asking: &Asking<'_>, window: &Keyed) -> rusqlite::Result<Became> {
    let newer = c
        .prepare_cached(
            "SELECT message, received_at FROM requests WHERE rule = ?1 AND quiet_key = ?2 AND message > ?3
             ORDER BY message LIMIT 1",
        )?
        .query_row(params![asking.rule(), window.key, asking.arrived.row], arrived)
        .optional()?;
    replace_older(c, asking, &window.key)?;
    match windows::quiet(asking.arrived, window.span, newer) {
        Quiet::Replaced(newer) => {
            give_way(c, asking.id, "replaced", newer.row, asking.at)?;
            Ok(Became::Nothing)
        }
        // Decided late: it was quiet for long enough while the message waited for facts.
        Quiet::Until(due) if due <= asking.at => go_on(c, asking, Press::No),
        Quiet::Until(due) => hold(c, asking, Hold::Quiet(due, window.span)),
    }
}

/// Requests of older messages with the key that still waited when this one came.
fn replace_older(c: &Connection, asking: &Asking<'_>, key: &str) -> rusqlite::Result<()> {
    let mut query = c.prepare_cached(
        "SELECT message, received_at, id, due_at FROM requests
         WHERE rule = ?1 AND quiet_key = ?2 AND message < ?3 AND state = 'quiet'",
    )?;
    let mut rows = query.query(params![asking.rule(), key, asking.arrived.row])?;
    let mut replaced = Vec::new();
    while let Some(row) = rows.next()? {
        let due = Timestamp::from_millis(row.get(3)?);
        if windows::replaces(asking.arrived, arrived(row)?, due) {
            replaced.push(row.get(2)?);
        }
    }
    replaced.into_iter().try_for_each(|id| give_way(c, id, "replaced", asking.arrived.row, asking.at))
}

/// The windows after `quiet`, then the run.
pub(super) fn go_on(c: &Connection, asking: &Asking<'_>, press: Press) -> rusqlite::Result<Became> {
    if let Some((newer, run)) = superseded_by(c, asking)? {
        give_way(c, asking.id, "superseded", newer, asking.at)?;
        let text =
            format!("{} of rule {} is not run: run {run} superseded it", asking.wanted.key, asking.rule());
        log::log(c, asking.at, Level::Info, None, Some(asking.message_id), &text)?;
        return Ok(Became::Nothing);
    }
    if let Some(window) = &asking.request.windows.once {
        if let Some(first) = first_with_key(c, asking, window)? {
            give_way(c, asking.id, "once", first.row, asking.at)?;
            let text = format!(
                "{} of rule {} is not run: once per {}",
                asking.wanted.key,
                asking.rule(),
                window.key
            );
            log::log(c, asking.at, Level::Info, None, Some(asking.message_id), &text)?;
            return Ok(Became::Nothing);
        }
        c.prepare_cached("UPDATE requests SET passed_once = 1 WHERE id = ?1")?.execute([asking.id])?;
    }
    if let Some(window) = asking.request.windows.at_most
        && press == Press::No
        && !made::exists(c, asking.instance, &asking.wanted.key)?
    {
        match in_line(c, asking, window)? {
            InLine::Room => {}
            InLine::First(due) => return hold(c, asking, Hold::AtMost(Some(due), window)),
            InLine::Behind => return hold(c, asking, Hold::AtMost(None, window)),
        }
    }
    through(c, asking)
}

/// The run, and what it supersedes.
fn through(c: &Connection, asking: &Asking<'_>) -> rusqlite::Result<Became> {
    let (run, novelty) = make(c, asking)?;
    let superseded = match &asking.request.windows.superseding {
        Some(key) => cancels::supersede(c, &asking.making(), key, run)?,
        None => 0,
    };
    Ok(Became::Through { run, novelty, superseded })
}

/// Makes the run or becomes one of its reasons.
fn make(c: &Connection, asking: &Asking<'_>) -> rusqlite::Result<(RunId, Novelty)> {
    let (run, novelty) = made::make(c, &asking.making())?;
    let made_at = (novelty == Novelty::New).then_some(asking.at.millis());
    c.prepare_cached(
        "UPDATE requests SET state = 'through', due_at = NULL, wanted = NULL, span_ms = NULL, run = ?2, made_at = ?3,
             changed_at = ?4
         WHERE id = ?1",
    )?
    .execute(params![asking.id, run.0, made_at, asking.at.millis()])?;
    Ok((run, novelty))
}

/// A newer message, and its run, that went through with the key, task and axes: what this request asks for is
/// replaced already.
fn superseded_by(c: &Connection, asking: &Asking<'_>) -> rusqlite::Result<Option<(i64, i64)>> {
    let Some(key) = &asking.request.windows.superseding else { return Ok(None) };
    c.prepare_cached(
        "SELECT q.message, q.run FROM requests q JOIN runs r ON r.id = q.run
         WHERE q.rule = ?1 AND q.superseding_key = ?2 AND q.message > ?3 AND q.task = ?4 AND q.axes = ?5
             AND (r.instance, r.run_key) <> (?6, ?7)
         ORDER BY q.message LIMIT 1",
    )?
    .query_row(
        params![
            asking.rule(),
            key,
            asking.arrived.row,
            asking.wanted.task,
            asking.request.axes,
            asking.instance,
            asking.wanted.key
        ],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .optional()
}

fn first_with_key(c: &Connection, asking: &Asking<'_>, window: &Keyed) -> rusqlite::Result<Option<Arrived>> {
    let (from, to) = (asking.arrived.at.before(window.span), asking.arrived.at.after(window.span));
    let passed: Vec<Arrived> = c
        .prepare_cached(
            "SELECT DISTINCT message, received_at FROM requests
             WHERE rule = ?1 AND once_key = ?2 AND passed_once = 1 AND received_at BETWEEN ?3 AND ?4",
        )?
        .query_map(params![asking.rule(), window.key, from.millis(), to.millis()], arrived)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(windows::once(asking.arrived, window.span, passed))
}

/// Where a request stands in the line of its rule.
enum InLine {
    Room,
    First(Timestamp),
    Behind,
}

fn in_line(c: &Connection, asking: &Asking<'_>, window: AtMost) -> rusqlite::Result<InLine> {
    let behind: bool = c
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM requests
             WHERE rule = ?1 AND state = 'at-most' AND (message, id) < (?2, ?3))",
        )?
        .query_row(params![asking.rule(), asking.arrived.row, asking.id], |row| row.get(0))?;
    if behind {
        return Ok(InLine::Behind);
    }
    let made: Vec<Timestamp> = c
        .prepare_cached(
            "SELECT made_at FROM requests WHERE rule = ?1 AND made_at IS NOT NULL ORDER BY made_at DESC LIMIT ?2",
        )?
        .query_map(params![asking.rule(), window.runs.max(1)], |row| row.get(0).map(Timestamp::from_millis))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(windows::no_room(window, made, asking.at).map_or(InLine::Room, InLine::First))
}

/// Which window holds a request, and until when.
enum Hold {
    Quiet(Timestamp, Duration),
    /// Without a time: others are before it in the line.
    AtMost(Option<Timestamp>, AtMost),
}

fn hold(c: &Connection, asking: &Asking<'_>, hold: Hold) -> rusqlite::Result<Became> {
    let (state, due, span, storm) = match hold {
        Hold::Quiet(due, span) => ("quiet", Some(due), span, None),
        Hold::AtMost(due, window) => ("at-most", due, window.span, Some(window)),
    };
    let due = due.map(Timestamp::millis);
    let alone = WantedRun { asks: vec![asking.request.clone()], ..asking.wanted.clone() };
    let newly = c
        .prepare_cached(
            "UPDATE requests SET state = ?2, due_at = ?3, changed_at = ?4, wanted = ?5, span_ms = ?6
             WHERE id = ?1 AND state <> ?2",
        )?
        .execute(params![
            asking.id,
            state,
            due,
            asking.at.millis(),
            super::json(&alone)?,
            i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
        ])?;
    if newly == 0 {
        c.prepare_cached("UPDATE requests SET due_at = ?2 WHERE id = ?1")?
            .execute(params![asking.id, due])?;
        return Ok(Became::Held);
    }
    log::count(c, "held", 1)?;
    if let Some(window) = storm {
        storms::one_more(c, asking.rule(), window, asking.at)?;
    }
    Ok(Became::Held)
}

/// Ends a request without a run, for good.
fn give_way(
    c: &Connection,
    id: i64,
    state: &'static str,
    instead: i64,
    at: Timestamp,
) -> rusqlite::Result<()> {
    log::count(c, state, 1)?;
    c.prepare_cached(
        "UPDATE requests SET state = ?2, due_at = NULL, wanted = NULL, span_ms = NULL, instead = ?3, changed_at = ?4
         WHERE id = ?1",
    )?
    .execute(params![id, state, instead, at.millis()])
    .map(drop)
}

pub(super) fn arrived(row: &Row<'_>) -> rusqlite::Result<Arrived> {
    Ok(Arrived { row: row.get(0)?, at: Timestamp::from_millis(row.get(1)?) })
}
