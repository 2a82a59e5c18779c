//! What the command shows: `status`, `runs`, `results`, `log`, and the document of a run that sinks get.
//!
//! Comes in: questions of people. Goes out: plain data that serialises to stable JSON. It opens the database
//! read-only, also beside a running daemon, and never changes it. Text of messages is handed out raw: who prints it
//! escapes it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use serde::Serialize;
use taskbot_graph::{Argument, FactKey};

use super::echoes;
use super::outbox::{self, SinkRow};
use super::requests::{self, HeldRow, RequestRow};
use super::{FILE, StoreError, StoredAnswer, migrate};
use crate::effect::Timestamp;
use crate::task::TaskResult;

/// A read-only view of a store.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

/// How the daemon does: counters and what waits.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Deliveries by what became of them, failures, undecided, ...
    pub counters: BTreeMap<String, i64>,
    /// Number of runs in each state that some run is in.
    pub runs: BTreeMap<String, i64>,
    /// (rule, subject) pairs that nobody could decide: somebody has to look.
    pub undecided: i64,
    /// Facts that are asked and not answered yet.
    pub waiting_for: Vec<WaitingFact>,
    /// What windows hold.
    pub held: Vec<HeldRow>,
    /// Deliveries to sinks that wait for an attempt.
    pub outbox: i64,
    /// The same by sink, with what a sink will not take.
    pub sinks: Vec<SinkRow>,
}

/// A fact that is asked and not answered yet.
#[derive(Clone, Debug, Serialize)]
pub struct WaitingFact {
    /// `type.name`.
    pub fact: String,
    /// About what.
    pub key: String,
    /// Since when.
    pub since: Timestamp,
    /// Failed attempts.
    pub attempts: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
}

/// One run in a list.
#[derive(Clone, Debug, Serialize)]
pub struct RunRow {
    /// Its number.
    pub id: i64,
    /// Its task and arguments in one line.
    pub run: String,
    /// Name of the task.
    pub task: String,
    /// Its state.
    pub state: String,
    /// The step that is under way.
    pub step: Option<String>,
    /// Number of its attempt.
    pub attempt: u32,
    /// Why it was retried or given up.
    pub note: Option<String>,
    /// Rules that asked for it, each once.
    pub rules: Vec<String>,
    /// Its results' outcomes, in order.
    pub outcomes: Vec<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its state changed last.
    pub changed_at: Timestamp,
}

/// Everything about one run; what a sink gets.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The run.
    #[serde(flatten)]
    pub run: RunRow,
    /// Happening or message that it belongs to.
    pub instance: String,
    /// Its task's repository.
    pub repository: String,
    /// The commit that ran.
    pub commit: Option<String>,
    /// Its arguments.
    pub arguments: Vec<Argument>,
    /// Why it exists.
    pub reasons: Vec<ReasonRow>,
    /// What became of the requests of rules with windows.
    pub requests: Vec<RequestRow>,
    /// Its steps in order of time.
    pub steps: Vec<StepRow>,
    /// Its results.
    pub results: Vec<TaskResult>,
    /// What it left behind.
    pub artifacts: Vec<ArtifactRow>,
}

/// A message and rule that asked for a run.
#[derive(Clone, Debug, Serialize)]
pub struct ReasonRow {
    /// Id of the message.
    pub message: String,
    /// Its topic.
    pub topic: String,
    /// The rule.
    pub rule: String,
    /// Place of the subject in the message.
    pub subject: Option<i64>,
    /// The run that the message is about, where taskbot itself sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about_run: Option<i64>,
}

/// A step that was taken.
#[derive(Clone, Debug, Serialize)]
pub struct StepRow {
    /// Number of the attempt.
    pub attempt: u32,
    /// Name of the step.
    pub step: String,
    /// started, done, failed or interrupted.
    pub state: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What it said.
    pub detail: Option<String>,
}

/// A kept file.
#[derive(Clone, Debug, Serialize)]
pub struct ArtifactRow {
    /// Below the run's artifact directory.
    pub path: String,
    /// Length in bytes.
    pub size_bytes: i64,
    /// Lower-case hex.
    pub sha256: String,
}

/// A result in a list.
#[derive(Clone, Debug, Serialize)]
pub struct ResultRow {
    /// The run.
    pub run: i64,
    /// Its task.
    pub task: String,
    /// When it was recorded.
    pub at: Timestamp,
    /// The result.
    #[serde(flatten)]
    pub result: TaskResult,
}

/// Which results are wanted; what is none is not looked at.
#[derive(Clone, Debug, Default)]
pub struct ResultFilter {
    /// Of this run.
    pub run: Option<i64>,
    /// About this item.
    pub item: Option<String>,
    /// Of this test case.
    pub testcase: Option<String>,
    /// With this outcome, as it is spelled in JSON.
    pub outcome: Option<String>,
}

/// A line of the log.
#[derive(Clone, Debug, Serialize)]
pub struct LogLine {
    /// Its number: larger is later.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// info, warn or error.
    pub level: String,
    /// The run that it speaks of.
    pub run: Option<i64>,
    /// The message that it speaks of.
    pub message: Option<String>,
    /// What happened.
    pub text: String,
}

/// Something that was set aside.
#[derive(Clone, Debug, Serialize)]
pub struct QuarantinedMessage {
    /// Id of the message, where it could be read.
    pub message: Option<String>,
    /// Source that delivered it.
    pub source: String,
    /// Topic, where it could be read.
    pub topic: Option<String>,
    /// Event whose shape did not fit.
    pub event: Option<String>,
    /// Rule that could not be judged.
    pub rule: Option<String>,
    /// Why.
    pub reason: String,
    /// Hash of what was sent, lower-case hex.
    pub sha256: Option<String>,
    /// Whole length.
    pub length_bytes: i64,
    /// When it was seen first.
    pub first_at: Timestamp,
    /// How often it was seen.
    pub times: i64,
}

impl Reader {
    /// Opens the store of a state directory.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let path = state_dir.join(FILE);
        if !path.exists() {
            return Err(StoreError::Missing { path });
        }
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(StoreError::database("opening the database"))?;
        connection
            .execute_batch("PRAGMA busy_timeout = 5000")
            .map_err(StoreError::database("opening the database"))?;
        let found: i64 = connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(StoreError::database("reading its format"))?;
        let known = i64::try_from(migrate::MIGRATIONS.len()).unwrap_or(i64::MAX);
        match found.cmp(&known) {
            Ordering::Greater => Err(StoreError::Newer { found, known }),
            Ordering::Less => Err(StoreError::Older { found, known }),
            Ordering::Equal => Ok(Self { connection }),
        }
    }

    /// Counters and what waits.
    pub fn status(&self) -> Result<Status, StoreError> {
        self.read("reading the status", |c| {
            let pairs = |sql: &str| -> rusqlite::Result<BTreeMap<String, i64>> {
                c.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
            };
            let number = |sql: &str| c.query_row(sql, [], |row| row.get(0));
            Ok(Status {
                counters: pairs("SELECT name, value FROM counters")?,
                runs: pairs("SELECT state, count(*) FROM runs GROUP BY state")?,
                undecided: number("SELECT count(*) FROM parked WHERE state = 'undecided'")?,
                waiting_for: c
                    .prepare(
                        "SELECT fact, key, asked_at, attempts, last_error FROM questions ORDER BY asked_at",
                    )?
                    .query_map([], |row| {
                        Ok(WaitingFact {
                            fact: row.get(0)?,
                            key: row.get(1)?,
                            since: time(row, 2)?,
                            attempts: row.get(3)?,
                            last_error: row.get(4)?,
                        })
                    })?
                    .collect::<rusqlite::Result<_>>()?,
                held: requests::held(c)?,
                outbox: number(
                    "SELECT count(*) FROM outbox WHERE delivered_at IS NULL AND parked_at IS NULL",
                )?,
                sinks: outbox::waiting(c)?,
            })
        })
    }

    /// The newest runs, newest first.
    pub fn runs(&self, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        self.read("reading runs", |c| {
            c.prepare(&format!("{RUN} ORDER BY r.id DESC LIMIT ?1"))?.query_map([limit], run_row)?.collect()
        })
    }

    /// Everything about one run; none: no such run.
    pub fn run(&self, id: i64) -> Result<Option<RunReport>, StoreError> {
        self.read("reading a run", |c| {
            let Some(run) = c.query_row(&format!("{RUN} WHERE r.id = ?1"), [id], run_row).optional()? else {
                return Ok(None);
            };
            let (instance, repository, commit, arguments) = c.query_row(
                "SELECT instance, repository, commit_id, arguments FROM runs WHERE id = ?1",
                [id],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?)),
            )?;
            Ok(Some(RunReport {
                run,
                instance,
                repository,
                commit,
                arguments: super::parse(&arguments)?,
                reasons: echoes::reasons(c, id)?,
                requests: requests::of_run(c, id)?,
                steps: steps(c, id)?,
                results: results(c, &ResultFilter { run: Some(id), ..ResultFilter::default() }, u32::MAX)?
                    .into_iter()
                    .map(|row| row.result)
                    .collect(),
                artifacts: c
                    .prepare("SELECT path, size_bytes, sha256 FROM artifacts WHERE run = ?1 ORDER BY path")?
                    .query_map([id], |row| {
                        Ok(ArtifactRow { path: row.get(0)?, size_bytes: row.get(1)?, sha256: row.get(2)? })
                    })?
                    .collect::<rusqlite::Result<_>>()?,
            }))
        })
    }

    /// The newest results, newest first.
    pub fn results(&self, filter: &ResultFilter, limit: u32) -> Result<Vec<ResultRow>, StoreError> {
        self.read("reading results", |c| results(c, filter, limit))
    }

    /// The newest lines of the log, oldest first.
    pub fn log(&self, limit: u32) -> Result<Vec<LogLine>, StoreError> {
        self.read("reading the log", |c| {
            c.prepare(
                "SELECT * FROM (SELECT id, at, level, run, message, text FROM log ORDER BY id DESC LIMIT ?1)
                 ORDER BY id",
            )?
            .query_map([limit], |row| {
                Ok(LogLine {
                    id: row.get(0)?,
                    at: time(row, 1)?,
                    level: row.get(2)?,
                    run: row.get(3)?,
                    message: row.get(4)?,
                    text: row.get(5)?,
                })
            })?
            .collect()
        })
    }

    /// What was set aside last, newest first.
    pub fn quarantine(&self, limit: u32) -> Result<Vec<QuarantinedMessage>, StoreError> {
        self.read("reading the quarantine", |c| {
            c.prepare(
                "SELECT m.message_id, q.source, q.topic, q.event, q.rule, q.reason, q.sha256, q.length_bytes,
                     q.first_at, q.times
                 FROM quarantine q LEFT JOIN messages m ON m.id = q.message ORDER BY q.id DESC LIMIT ?1",
            )?
            .query_map([limit], |row| {
                Ok(QuarantinedMessage {
                    message: row.get(0)?,
                    source: row.get(1)?,
                    topic: row.get(2)?,
                    event: row.get(3)?,
                    rule: row.get(4)?,
                    reason: row.get(5)?,
                    sha256: row.get(6)?,
                    length_bytes: row.get(7)?,
                    first_at: time(row, 8)?,
                    times: row.get(9)?,
                })
            })?
            .collect()
        })
    }

    /// Topic and body of a message by its id, for `explain`; none: it was not kept.
    pub fn message(&self, message_id: &str) -> Result<Option<(String, Vec<u8>)>, StoreError> {
        self.read("reading a message", |c| {
            c.query_row("SELECT topic, body FROM messages WHERE message_id = ?1", [message_id], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
        })
    }

    /// Answers of fact providers, also those whose lifetime is over; none: the provider knows no such key.
    pub fn answers(&self) -> Result<Vec<(FactKey, StoredAnswer)>, StoreError> {
        self.read("reading facts", |c| {
            c.prepare("SELECT fact, key, value FROM facts ORDER BY fact, key")?
                .query_map([], |row| {
                    let key = FactKey { fact: row.get(0)?, key: row.get(1)? };
                    let value: Option<String> = row.get(2)?;
                    Ok((key, value.map(|text| super::parse(&text)).transpose()?))
                })?
                .collect()
        })
    }

    /// The runs that a message asked for.
    pub fn runs_of_message(&self, message_id: &str) -> Result<Vec<RunRow>, StoreError> {
        self.read("reading the runs of a message", |c| {
            c.prepare(&format!(
                "{RUN} WHERE r.id IN (SELECT s.run FROM reasons s JOIN messages m ON m.id = s.message
                 WHERE m.message_id = ?1) ORDER BY r.id"
            ))?
            .query_map([message_id], run_row)?
            .collect()
        })
    }

    pub(super) fn read<T>(
        &self,
        doing: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        query(&self.connection).map_err(StoreError::database(doing))
    }
}

const RUN: &str =
    "SELECT r.id, r.run_key, r.task, r.state, r.step, r.attempt, r.note, r.created_at, r.changed_at,
     (SELECT json_group_array(rule) FROM (SELECT DISTINCT rule FROM reasons WHERE run = r.id ORDER BY rule)),
     (SELECT json_group_array(outcome) FROM (SELECT outcome FROM results WHERE run = r.id ORDER BY ordinal))
     FROM runs r";

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        run: row.get(1)?,
        task: row.get(2)?,
        state: row.get(3)?,
        step: row.get(4)?,
        attempt: row.get(5)?,
        note: row.get(6)?,
        created_at: time(row, 7)?,
        changed_at: time(row, 8)?,
        rules: super::parse(&row.get::<_, String>(9)?)?,
        outcomes: super::parse(&row.get::<_, String>(10)?)?,
    })
}

fn steps(c: &Connection, run: i64) -> rusqlite::Result<Vec<StepRow>> {
    c.prepare(
        "SELECT attempt, step, state, started_at, ended_at, detail FROM steps WHERE run = ?1
         ORDER BY attempt, started_at, rowid",
    )?
    .query_map([run], |row| {
        Ok(StepRow {
            attempt: row.get(0)?,
            step: row.get(1)?,
            state: row.get(2)?,
            started_at: time(row, 3)?,
            ended_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
            detail: row.get(5)?,
        })
    })?
    .collect()
}

fn results(c: &Connection, filter: &ResultFilter, limit: u32) -> rusqlite::Result<Vec<ResultRow>> {
    c.prepare(
        "SELECT s.run, r.task, s.at, s.testcase, s.outcome, s.item, s.item_type, s.note, s.artifacts, s.data
         FROM results s JOIN runs r ON r.id = s.run
         WHERE (?1 IS NULL OR s.run = ?1) AND (?2 IS NULL OR s.item = ?2) AND (?3 IS NULL OR s.testcase = ?3)
             AND (?4 IS NULL OR s.outcome = ?4)
         ORDER BY s.run DESC, s.ordinal LIMIT ?5",
    )?
    .query_map(params![filter.run, filter.item, filter.testcase, filter.outcome, limit], |row| {
        Ok(ResultRow {
            run: row.get(0)?,
            task: row.get(1)?,
            at: time(row, 2)?,
            result: TaskResult {
                testcase: row.get(3)?,
                outcome: super::parse(&format!("\"{}\"", row.get::<_, String>(4)?))?,
                item: row.get(5)?,
                item_type: row.get(6)?,
                note: row.get(7)?,
                artifacts: super::parse(&row.get::<_, String>(8)?)?,
                data: super::parse(&row.get::<_, String>(9)?)?,
            },
        })
    })?
    .collect()
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}
