//! Runs that are to be cancelled: a durable word that dispatch picks up, also after a crash.
//!
//! Comes in: the operator's order, or a request that supersedes. Goes out: open runs with such a word. It is in the
//! transaction of what asks for it, so a queued run does not start after it; dispatch ends the run, `record` removes
//! the word with the run's last transition.

use rusqlite::{Connection, OptionalExtension, params};

use super::log::{self, Level};
use super::made::Making;
use super::runs::RunId;
use super::{Store, StoreError};
use crate::dispatch::{RunState, Transition};
use crate::effect::Timestamp;

impl Store {
    /// Asks for the end of a run; false: there is no such run, or it is over.
    pub async fn ask_cancel(&self, run: RunId, why: String, at: Timestamp) -> Result<bool, StoreError> {
        self.write("asking for the end of a run", move |c| {
            let asked = ask(c, run, &why, None, at)?;
            if asked {
                log::log(c, at, Level::Info, Some(run), None, &format!("to be cancelled: {why}"))?;
            }
            Ok(asked)
        })
        .await
    }
}

/// Ends the word with the run, whose note says why. A cancelled run without a word is wanted again by another rule, see
/// `made::revive`: it goes back to the queue.
pub(super) fn settle(c: &Connection, run: RunId, transition: &mut Transition) -> rusqlite::Result<()> {
    let word: Option<(String, Option<i64>)> = c
        .prepare_cached("DELETE FROM cancels WHERE run = ?1 RETURNING why, superseded_by")?
        .query_row([run.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let progress = &mut transition.progress;
    if progress.state != RunState::Cancelled {
        return Ok(());
    }
    match word {
        Some((why, superseded_by)) => {
            progress.note = Some(why);
            c.prepare_cached("UPDATE runs SET superseded_by = ?2 WHERE id = ?1")?
                .execute(params![run.0, superseded_by])
                .map(drop)
        }
        None => {
            progress.state = RunState::Queued;
            progress.attempt += 1;
            progress.ended = None;
            progress.note = None;
            Ok(())
        }
    }
}

/// Once a run: the first word stays. False: the run is over, or is to be cancelled already.
fn ask(
    c: &Connection,
    run: RunId,
    why: &str,
    superseded_by: Option<RunId>,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let asked = c
        .prepare_cached(
            "INSERT OR IGNORE INTO cancels (run, asked_at, why, superseded_by)
             SELECT id, ?2, ?3, ?4 FROM runs
             WHERE id = ?1 AND state NOT IN ('finished', 'cancelled', 'infrastructure-error')",
        )?
        .execute(params![run.0, at.millis(), why, superseded_by.map(|run| run.0)])?;
    Ok(asked == 1)
}

/// Asks for the end of exactly what the request's run replaces: unfinished runs of the same task and axes that the same
/// rule asked for with the same key, in older messages only, and that nobody else asks for or may still ask for with a
/// held request. Gives their number.
pub(super) fn supersede(
    c: &Connection,
    making: &Making<'_>,
    key: &str,
    run: RunId,
) -> rusqlite::Result<usize> {
    let request = making.request;
    let replaced: Vec<i64> = c
        .prepare_cached(
            "SELECT DISTINCT q.run FROM requests q JOIN runs r ON r.id = q.run
             WHERE q.rule = ?1 AND q.superseding_key = ?2 AND q.message < ?3 AND q.task = ?4 AND q.axes = ?5
                 AND q.run <> ?6 AND r.state NOT IN ('finished', 'cancelled', 'infrastructure-error')
                 AND NOT EXISTS (SELECT 1 FROM reasons s WHERE s.run = r.id AND (s.rule <> ?1 OR s.message >= ?3))
                 AND NOT EXISTS (SELECT 1 FROM requests o WHERE o.run = r.id
                     AND (o.superseding_key IS NOT ?2 OR o.axes <> ?5))
                 AND NOT EXISTS (SELECT 1 FROM requests h
                     WHERE h.instance = r.instance AND h.run_key = r.run_key AND h.state IN ('quiet', 'at-most')
                         AND (h.rule <> ?1 OR h.message >= ?3 OR h.superseding_key IS NOT ?2))
             ORDER BY q.run",
        )?
        .query_map(
            params![
                request.reason.rule,
                key,
                making.message,
                making.wanted.task,
                request.axes,
                run.0
            ],
            |row| row.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?;
    let mut asked = 0;
    for old in replaced.into_iter().map(RunId) {
        let why = format!("superseded by run {run}");
        if ask(c, old, &why, Some(run), making.at)? {
            asked += 1;
            log::log(c, making.at, Level::Info, Some(old), None, &why)?;
        }
    }
    Ok(asked)
}
