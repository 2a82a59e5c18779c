//! Runs as they are made: one for each (happening or message, task with arguments), whoever asks.
//!
//! Comes in: a request that its rule's windows let through. Goes out: the run, new or known, with the request as one of
//! its reasons, the highest priority, the shortest timeout and all groups of those that asked.

use rusqlite::{Connection, OptionalExtension, params};

use super::runs::RunId;
use crate::admission::{Request, Standing, WantedRun};
use crate::dispatch::{Progress, RunState, rank};
use crate::effect::Timestamp;

/// A request that makes a run.
#[derive(Clone, Copy)]
pub(super) struct Making<'a> {
    /// Its happening or message.
    pub(super) instance: &'a str,
    pub(super) wanted: &'a WantedRun,
    pub(super) request: &'a Request,
    /// Row of the message.
    pub(super) message: i64,
    pub(super) at: Timestamp,
}

/// Whether a run was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    New,
    Known,
}

/// No subject is -1 in the store.
pub(super) fn subject(subject: Option<usize>) -> i64 {
    subject.and_then(|s| i64::try_from(s).ok()).unwrap_or(-1)
}

/// Whether a run was made.
pub(super) fn exists(c: &Connection, instance: &str, run_key: &str) -> rusqlite::Result<bool> {
    c.prepare_cached("SELECT EXISTS (SELECT 1 FROM runs WHERE instance = ?1 AND run_key = ?2)")?
        .query_row([instance, run_key], |row| row.get(0))
}

/// Whether a rule is a reason of a run.
pub(super) fn is_reason(c: &Connection, instance: &str, run_key: &str, rule: &str) -> rusqlite::Result<bool> {
    c.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM runs r JOIN reasons s ON s.run = r.id
         WHERE r.instance = ?1 AND r.run_key = ?2 AND s.rule = ?3)",
    )?
    .query_row([instance, run_key, rule], |row| row.get(0))
}

/// Makes the run, or makes the request one more reason of it.
pub(super) fn make(c: &Connection, making: &Making<'_>) -> rusqlite::Result<(RunId, Novelty)> {
    let (reason, standing) = (&making.request.reason, &making.request.standing);
    let (run, novelty) = match insert(c, making)? {
        Some(run) => (run, Novelty::New),
        None => {
            let run = c
                .prepare_cached("SELECT id FROM runs WHERE instance = ?1 AND run_key = ?2")?
                .query_row([making.instance, &making.wanted.key], |row| row.get(0).map(RunId))?;
            if !is_reason(c, making.instance, &making.wanted.key, &reason.rule)? {
                revive(c, run, making.at)?;
            }
            (run, Novelty::Known)
        }
    };
    c.prepare_cached("INSERT OR IGNORE INTO reasons (run, message, rule, subject) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![run.0, making.message, reason.rule, subject(reason.subject)])?;
    // Beside a low priority of another request, a normal one counts as well.
    if novelty == Novelty::Known || *standing != Standing::default() {
        stand(c, run, standing)?;
    }
    Ok((run, novelty))
}

fn insert(c: &Connection, making: &Making<'_>) -> rusqlite::Result<Option<RunId>> {
    let wanted = making.wanted;
    c.prepare_cached(
        "INSERT INTO runs (instance, run_key, task, repository, reference, arguments, state, retries, not_before,
             created_at, changed_at, rank)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9, ?10)
         ON CONFLICT (instance, run_key) DO NOTHING RETURNING id",
    )?
    .query_row(
        params![
            making.instance,
            wanted.key,
            wanted.task,
            wanted.repository,
            wanted.reference,
            super::json(&wanted.arguments)?,
            RunState::Queued.name(),
            Progress::new().retries,
            making.at.millis(),
            rank(making.at, making.request.standing.priority).millis()
        ],
        |row| row.get(0).map(RunId),
    )
    .optional()
}

/// Adds what one request means for the run to what the others do.
fn stand(c: &Connection, run: RunId, standing: &Standing) -> rusqlite::Result<()> {
    let created: Timestamp = c
        .prepare_cached("SELECT created_at FROM runs WHERE id = ?1")?
        .query_row([run.0], |row| row.get(0).map(Timestamp::from_millis))?;
    let timeout_ms = standing.timeout.map(|t| i64::try_from(t.as_millis()).unwrap_or(i64::MAX));
    c.prepare_cached(
        "UPDATE runs SET rank = min(rank, ?2), timeout_ms = min(coalesce(timeout_ms, ?3), coalesce(?3, timeout_ms))
         WHERE id = ?1",
    )?
    .execute(params![run.0, rank(created, standing.priority).millis(), timeout_ms])?;
    if let Some(group) = &standing.group {
        c.prepare_cached(
            "INSERT INTO run_groups (run, name, runs) VALUES (?1, ?2, ?3)
             ON CONFLICT (run, name) DO UPDATE SET runs = min(runs, excluded.runs)",
        )?
        .execute(params![run.0, group.name, group.runs.max(1)])?;
    }
    Ok(())
}

/// A further rule asks for a run that was superseded for the one that asked before: it is wanted again.
fn revive(c: &Connection, run: RunId, at: Timestamp) -> rusqlite::Result<()> {
    c.prepare_cached("DELETE FROM cancels WHERE run = ?1 AND superseded_by IS NOT NULL")?.execute([run.0])?;
    let revived = c
        .prepare_cached(
            "UPDATE runs SET state = 'queued', step = NULL, attempt = attempt + 1, ended = NULL, ending = NULL,
                 note = NULL, superseded_by = NULL, not_before = ?2, changed_at = ?2
             WHERE id = ?1 AND state = 'cancelled' AND superseded_by IS NOT NULL",
        )?
        .execute(params![run.0, at.millis()])?;
    if revived == 1 {
        // Its end is told anew, when it has one.
        c.prepare_cached("DELETE FROM outbox WHERE run = ?1")?.execute([run.0])?;
    }
    Ok(())
}
