//! Runs: which are open, and each durable change of one.
//!
//! Comes in: transitions of the state machine. Goes out: runs that can go on. A transition is one transaction: the
//! run's state, the end of one step, the start of the next, and with the end of `report` its results and artifacts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::log::{self, Level};
use super::{Store, StoreError, cancels};
use crate::dispatch::{Progress, RunState, Step, StepEnd, StepReport, Transition};
use crate::effect::{StepOrder, Timestamp};
use crate::executor::Ended;

/// Number of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A run that is not over.
#[derive(Clone, Debug)]
pub struct OpenRun {
    /// Its number.
    pub id: RunId,
    /// Its task and arguments in one line.
    pub key: String,
    /// What its steps may know.
    pub order: StepOrder,
    /// Where it stands.
    pub progress: Progress,
}

/// What waits for its turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Whether anything does.
    pub any: bool,
    /// When the next one that has to wait for a time may go on.
    pub next: Option<Timestamp>,
}

/// Columns as `open_run` reads them.
const OPEN: &str =
    "SELECT id, run_key, task, repository, reference, arguments, commit_id, state, step, attempt, failures,
     retries, ended, ending, note, stops, timeout_ms
     FROM runs WHERE state NOT IN ('finished', 'cancelled', 'infrastructure-error')";

/// Groups with runs under way: how many, and the smallest limit that one of them has.
struct Groups(BTreeMap<String, (u32, u32)>);

impl Groups {
    fn of(c: &Connection, under_way: &[RunId]) -> rusqlite::Result<Self> {
        let mut groups = Self(BTreeMap::new());
        for run in under_way {
            groups.add(groups_of(c, *run)?);
        }
        Ok(groups)
    }

    fn add(&mut self, groups: Vec<(String, u32)>) {
        for (name, limit) in groups {
            let (count, smallest) = self.0.entry(name).or_insert((0, limit));
            *count += 1;
            *smallest = limit.min(*smallest);
        }
    }

    /// Counts a run in, if all of its groups have room.
    fn enter(&mut self, c: &Connection, run: RunId) -> rusqlite::Result<bool> {
        let groups = groups_of(c, run)?;
        let full = |(name, limit): &(String, u32)| {
            self.0.get(name).is_some_and(|(count, smallest)| count >= limit.min(smallest))
        };
        if groups.iter().any(full) {
            return Ok(false);
        }
        self.add(groups);
        Ok(true)
    }
}

fn groups_of(c: &Connection, run: RunId) -> rusqlite::Result<Vec<(String, u32)>> {
    c.prepare_cached("SELECT name, runs FROM run_groups WHERE run = ?1")?
        .query_map([run.0], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

impl Store {
    /// Runs that may go on now, in the order of the queue, without those that are under way, that are to be cancelled,
    /// or that a group of theirs has no room for.
    pub async fn due_runs(
        &self,
        now: Timestamp,
        under_way: Vec<RunId>,
        limit: usize,
    ) -> Result<Vec<OpenRun>, StoreError> {
        self.write("reading open runs", move |c| {
            let mut due = Vec::new();
            let mut groups = Groups::of(c, &under_way)?;
            let mut query = c.prepare_cached(&format!(
                "{OPEN} AND not_before <= ?1 AND id NOT IN (SELECT run FROM cancels) ORDER BY rank, id"
            ))?;
            let mut rows = query.query([now.millis()])?;
            while due.len() < limit
                && let Some(row) = rows.next()?
            {
                let id = RunId(row.get(0)?);
                if !under_way.contains(&id) && groups.enter(c, id)? {
                    due.push(open_run(row, id)?);
                }
            }
            Ok(due)
        })
        .await
    }

    /// Runs that are to be cancelled and are not over.
    pub async fn cancelled_runs(&self) -> Result<Vec<OpenRun>, StoreError> {
        self.write("reading runs to cancel", |c| {
            c.prepare_cached(&format!("{OPEN} AND id IN (SELECT run FROM cancels) ORDER BY id"))?
                .query_map([], |row| open_run(row, RunId(row.get(0)?)))?
                .collect()
        })
        .await
    }

    /// All runs that are not over.
    pub async fn open_run_ids(&self) -> Result<BTreeSet<RunId>, StoreError> {
        self.write("reading open runs", |c| {
            c.prepare_cached(
                "SELECT id FROM runs WHERE state NOT IN ('finished', 'cancelled', 'infrastructure-error')",
            )?
            .query_map([], |row| row.get(0).map(RunId))?
            .collect()
        })
        .await
    }

    /// The runs that are not over and not under way. Those that could go on at `now` wait for a slot or for a group.
    pub async fn waiting_runs(&self, now: Timestamp, under_way: Vec<RunId>) -> Result<Waiting, StoreError> {
        self.write("reading open runs", move |c| {
            let other =
                |row: &Row<'_>| -> rusqlite::Result<bool> { Ok(!under_way.contains(&RunId(row.get(0)?))) };
            let mut waiting = Waiting::default();
            let mut open = c.prepare_cached(
                "SELECT id FROM runs WHERE state NOT IN ('finished', 'cancelled', 'infrastructure-error')",
            )?;
            let mut rows = open.query([])?;
            while let Some(row) = rows.next()?
                && !waiting.any
            {
                waiting.any = other(row)?;
            }
            let mut later = c.prepare_cached(
                "SELECT id, not_before FROM runs
                 WHERE state NOT IN ('finished', 'cancelled', 'infrastructure-error') AND not_before > ?1
                 ORDER BY not_before",
            )?;
            let mut rows = later.query([now.millis()])?;
            while let Some(row) = rows.next()?
                && waiting.next.is_none()
            {
                waiting.next = other(row)?.then_some(Timestamp::from_millis(row.get(1)?));
            }
            Ok(waiting)
        })
        .await
    }

    /// The message that asked for a run first, as a task may see it: id, topic and body.
    pub async fn cause(&self, run: RunId) -> Result<Option<(String, String, Vec<u8>)>, StoreError> {
        self.write("reading a run's message", move |c| {
            c.prepare_cached(
                "SELECT m.message_id, m.topic, m.body FROM reasons r JOIN messages m ON m.id = r.message
                 WHERE r.run = ?1 ORDER BY m.id LIMIT 1",
            )?
            .query_row([run.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()
        })
        .await
    }

    /// Makes a transition durable. A run that is over is told to `sinks` through the outbox. Gives where the run stands
    /// now: the word to cancel it may have been taken back meanwhile, then it is queued again.
    pub async fn record(
        &self,
        run: RunId,
        transition: Transition,
        sinks: Arc<[String]>,
    ) -> Result<Progress, StoreError> {
        self.write("recording a step", move |c| Ok(record(c, run, transition, &sinks)?.progress)).await
    }
}

fn record(
    c: &Connection,
    run: RunId,
    mut transition: Transition,
    sinks: &[String],
) -> rusqlite::Result<Transition> {
    if transition.progress.state.is_final() {
        cancels::settle(c, run, &mut transition)?;
    }
    let transition = transition;
    let at = transition.at.millis();
    let progress = &transition.progress;
    if let Some((attempt, step, end)) = &transition.ended {
        let (state, detail) = match end {
            StepEnd::Done(report) => ("done", report.detail.as_deref()),
            StepEnd::Failed(message) => ("failed", Some(message.as_str())),
            StepEnd::Interrupted => ("interrupted", None),
        };
        c.prepare_cached(
            "UPDATE steps SET state = ?4, ended_at = ?5, detail = ?6 WHERE run = ?1 AND attempt = ?2 AND step = ?3",
        )?
        .execute(params![run.0, attempt, step.name(), state, at, detail])?;
        match end {
            StepEnd::Done(report) if *step == Step::Report => insert_results(c, run, report, at)?,
            StepEnd::Failed(message) => {
                let text = format!("step {step} of attempt {attempt} failed: {message}");
                log::log(c, transition.at, Level::Warn, Some(run), None, &text)?;
            }
            StepEnd::Done(_) | StepEnd::Interrupted => {}
        }
    }
    if let Some((attempt, step)) = transition.started {
        c.prepare_cached(
            "INSERT INTO steps (run, attempt, step, state, started_at) VALUES (?1, ?2, ?3, 'started', ?4)
             ON CONFLICT (run, attempt, step)
             DO UPDATE SET state = 'started', started_at = excluded.started_at, ended_at = NULL, detail = NULL",
        )?
        .execute(params![run.0, attempt, step.name(), at])?;
    }
    update_run(c, run, &transition)?;
    if progress.state.is_final() {
        log::count(c, progress.state.name(), 1)?;
        log_end(c, run, &transition)?;
        for sink in sinks {
            c.prepare_cached("INSERT OR IGNORE INTO outbox (sink, run, next_at) VALUES (?1, ?2, ?3)")?
                .execute(params![sink, run.0, at])?;
        }
    }
    Ok(transition)
}

fn update_run(c: &Connection, run: RunId, transition: &Transition) -> rusqlite::Result<()> {
    let progress = &transition.progress;
    c.prepare_cached(
        "UPDATE runs SET state = ?2, step = ?3, attempt = ?4, failures = ?5, retries = ?6, ended = ?7, ending = ?8,
             commit_id = ?9, note = ?10, not_before = ?11, changed_at = ?12, stops = ?13
         WHERE id = ?1",
    )?
    .execute(params![
        run.0,
        progress.state.name(),
        progress.step.map(Step::name),
        progress.attempt,
        progress.failures,
        progress.retries,
        progress.ended.map(ended_text),
        progress.ending.map(crate::dispatch::Ending::name),
        progress.commit,
        progress.note,
        transition.not_before.millis(),
        transition.at.millis(),
        progress.stops
    ])
    .map(drop)
}

fn log_end(c: &Connection, run: RunId, transition: &Transition) -> rusqlite::Result<()> {
    let (key, outcomes): (String, Option<String>) = c
        .prepare_cached(
            "SELECT run_key, (SELECT group_concat(outcome, ', ') FROM results WHERE run = ?1) FROM runs WHERE id = ?1",
        )?
        .query_row([run.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let progress = &transition.progress;
    let (level, why) = match progress.state {
        RunState::InfrastructureError => (Level::Error, progress.note.as_deref()),
        RunState::Cancelled => (Level::Info, progress.note.as_deref()),
        _ => (Level::Info, outcomes.as_deref()),
    };
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    log::log(c, transition.at, level, Some(run), None, &format!("{key} {}{why}", progress.state))
}

/// No `OR IGNORE`: a second report of one run is a mistake of dispatch, and stops the daemon rather than doubling
/// results.
fn insert_results(c: &Connection, run: RunId, report: &StepReport, at: i64) -> rusqlite::Result<()> {
    for (ordinal, result) in (0_i64..).zip(&report.results) {
        c.prepare_cached(
            "INSERT INTO results (run, ordinal, testcase, outcome, item, item_type, note, artifacts, data, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            run.0,
            ordinal,
            result.testcase,
            super::word(&result.outcome)?,
            result.item,
            result.item_type,
            result.note,
            super::json(&result.artifacts)?,
            super::json(&result.data)?,
            at
        ])?;
    }
    for artifact in &report.artifacts {
        c.prepare_cached("INSERT INTO artifacts (run, path, size_bytes, sha256) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                run.0,
                artifact.path.to_string_lossy(),
                i64::try_from(artifact.size_bytes).unwrap_or(i64::MAX),
                artifact.sha256
            ])?;
    }
    Ok(())
}

fn open_run(row: &Row<'_>, id: RunId) -> rusqlite::Result<OpenRun> {
    let progress = Progress {
        commit: row.get(6)?,
        state: name(row, 7)?,
        step: optional_name(row, 8)?,
        attempt: row.get(9)?,
        failures: row.get(10)?,
        retries: row.get(11)?,
        ended: row.get::<_, Option<String>>(12)?.and_then(|text| parse_ended(&text)),
        ending: optional_name(row, 13)?,
        note: row.get(14)?,
        stops: row.get(15)?,
    };
    let mut order = StepOrder {
        run: id,
        step: Step::FIRST,
        attempt: progress.attempt,
        task: row.get(2)?,
        repository: row.get(3)?,
        reference: row.get(4)?,
        commit: None,
        arguments: super::parse(&row.get::<_, String>(5)?)?,
        ended: None,
        timeout: row
            .get::<_, Option<i64>>(16)?
            .map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0))),
    };
    order.update(progress.step.unwrap_or(Step::FIRST), &progress);
    Ok(OpenRun { id, key: row.get(1)?, order, progress })
}

fn name<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err = crate::dispatch::UnknownName>,
{
    let text: String = row.get(column)?;
    text.parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

fn optional_name<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T: std::str::FromStr<Err = crate::dispatch::UnknownName>,
{
    match row.get::<_, Option<String>>(column)? {
        Some(_) => name(row, column).map(Some),
        None => Ok(None),
    }
}

fn ended_text(ended: Ended) -> String {
    match ended {
        Ended::Exit(code) => format!("exit {code}"),
        Ended::Signal(signal) => format!("signal {signal}"),
        Ended::TimedOut => "timed out".into(),
        Ended::Cancelled => "cancelled".into(),
    }
}

fn parse_ended(text: &str) -> Option<Ended> {
    match text.split_once(' ') {
        Some(("exit", code)) => code.parse().ok().map(Ended::Exit),
        Some(("signal", signal)) => signal.parse().ok().map(Ended::Signal),
        Some(("timed", "out")) => Some(Ended::TimedOut),
        _ => (text == "cancelled").then_some(Ended::Cancelled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_command_ended_survives_the_store() {
        for ended in [Ended::Exit(0), Ended::Exit(77), Ended::Signal(9), Ended::TimedOut, Ended::Cancelled] {
            assert_eq!(parse_ended(&ended_text(ended)), Some(ended));
        }
    }

    #[test]
    fn the_final_states_are_those_that_the_queries_leave_out() {
        let last: Vec<&str> = RunState::ALL.iter().filter(|s| s.is_final()).map(|s| s.name()).collect();
        assert_eq!(last, ["finished", "cancelled", "infrastructure-error"]);
    }
}
