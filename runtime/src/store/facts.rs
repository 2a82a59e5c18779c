//! Facts: answers with their lifetime, questions with their retries, and the decisions that wait.
//!
//! Comes in: answers and failures of providers. Goes out: what is known, what is to be asked, what can be judged
//! again. A question leaves only by an answer or, loudly, as undecided; never as "no".

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use taskbot_graph::{FactKey, Parked};

use super::admit::subject;
use super::log::{self, Level};
use super::{Store, StoreError};
use crate::effect::Timestamp;

/// An answer in the cache: a JSON value, or none for "no such key".
pub type StoredAnswer = Option<serde_json::Value>;

/// A fact that has still to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub key: FactKey,
    /// When it was needed first.
    pub asked_at: Timestamp,
    /// Failed attempts.
    pub attempts: u32,
}

/// A message whose decision waits for facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedDecision {
    /// Row of the message.
    pub message: i64,
    /// Its topic as sent.
    pub topic: String,
    /// Its body.
    pub body: Vec<u8>,
    /// Rule set that judges it.
    pub generation: String,
}

impl Store {
    /// Answers that are known and still valid.
    pub async fn answers(
        &self,
        keys: Vec<FactKey>,
        now: Timestamp,
    ) -> Result<BTreeMap<FactKey, StoredAnswer>, StoreError> {
        self.write("looking facts up", move |c| {
            let mut query =
                c.prepare_cached("SELECT value FROM facts WHERE fact = ?1 AND key = ?2 AND expires_at > ?3")?;
            let mut known = BTreeMap::new();
            for key in keys {
                let row: Option<Option<String>> =
                    query.query_row(params![key.fact, key.key, now.millis()], |row| row.get(0)).optional()?;
                if let Some(value) = row {
                    known.insert(key, value.map(|text| super::parse(&text)).transpose()?);
                }
            }
            Ok(known)
        })
        .await
    }

    /// Keeps an answer until `expires_at` and closes its question.
    pub async fn answered(
        &self,
        key: FactKey,
        answer: StoredAnswer,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("keeping a fact", move |c| {
            let value = answer.as_ref().map(super::json).transpose()?;
            c.prepare_cached(
                "INSERT INTO facts (fact, key, value, answered_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (fact, key) DO UPDATE SET
                     value = excluded.value, answered_at = excluded.answered_at, expires_at = excluded.expires_at",
            )?
            .execute(params![key.fact, key.key, value, at.millis(), expires_at.millis()])?;
            close_question(c, &key)
        })
        .await
    }

    /// Notes that a provider failed; it is asked again at `next_at`.
    pub async fn question_failed(
        &self,
        key: FactKey,
        error: String,
        next_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("noting a failed question", move |c| {
            log::count(c, "fact-failures", 1)?;
            c.prepare_cached(
                "UPDATE questions SET attempts = attempts + 1, next_at = ?3, last_error = ?4
                 WHERE fact = ?1 AND key = ?2",
            )?
            .execute(params![key.fact, key.key, next_at.millis(), error])
            .map(drop)
        })
        .await
    }

    /// Gives a question up: whatever waits for it is undecided. Says how many (rule, subject) pairs that are.
    pub async fn question_given_up(
        &self,
        key: FactKey,
        error: String,
        at: Timestamp,
    ) -> Result<usize, StoreError> {
        self.write("giving a question up", move |c| {
            let undecided = c.execute(
                "UPDATE parked SET state = 'undecided' WHERE state = 'parked' AND (decision, rule, subject) IN
                     (SELECT decision, rule, subject FROM parked_needs WHERE fact = ?1 AND key = ?2)",
                params![key.fact, key.key],
            )?;
            log::count(c, "undecided", u32::try_from(undecided).unwrap_or(u32::MAX))?;
            let text = format!(
                "{undecided} decision(s) undecided: {} of '{}' could not be found out: {error}",
                key.fact, key.key
            );
            log::log(c, at, Level::Error, None, None, &text)?;
            close_question(c, &key)?;
            Ok(undecided)
        })
        .await
    }

    /// Questions that are due, oldest first.
    pub async fn due_questions(&self, now: Timestamp, limit: usize) -> Result<Vec<Question>, StoreError> {
        self.write("reading questions", move |c| {
            c.prepare_cached(
                "SELECT fact, key, asked_at, attempts FROM questions WHERE next_at <= ?1
                 ORDER BY next_at, asked_at LIMIT ?2",
            )?
            .query_map(params![now.millis(), i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                Ok(Question {
                    key: FactKey { fact: row.get(0)?, key: row.get(1)? },
                    asked_at: Timestamp::from_millis(row.get(2)?),
                    attempts: row.get(3)?,
                })
            })?
            .collect()
        })
        .await
    }

    /// Puts the questions of undecided decisions once more: whoever restarts the daemon has perhaps mended the
    /// provider.
    pub async fn reopen_undecided(&self, at: Timestamp) -> Result<(), StoreError> {
        self.write("reopening questions", move |c| {
            c.execute(
                "INSERT OR IGNORE INTO questions (fact, key, asked_at, next_at)
                 SELECT DISTINCT n.fact, n.key, ?1, ?1 FROM parked_needs n JOIN parked p
                     ON (n.decision, n.rule, n.subject) = (p.decision, p.rule, p.subject)
                 WHERE p.state = 'undecided'",
                [at.millis()],
            )?;
            c.execute("UPDATE parked SET state = 'parked' WHERE state = 'undecided'", []).map(drop)
        })
        .await
    }

    /// When the next question is due; none: nothing is asked.
    pub async fn next_question_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.write("reading questions", |c| {
            c.query_row("SELECT min(next_at) FROM questions", [], |row| row.get::<_, Option<i64>>(0))
                .map(|at| at.map(Timestamp::from_millis))
        })
        .await
    }

    /// Decisions that wait for this fact; with none, all that wait for any.
    pub async fn parked_decisions(&self, on: Option<FactKey>) -> Result<Vec<ParkedDecision>, StoreError> {
        self.write("reading parked decisions", move |c| {
            let (fact, key) = on.map(|k| (k.fact, k.key)).unzip();
            c.prepare_cached(
                "SELECT DISTINCT m.id, m.topic, m.body, d.generation
                 FROM parked p JOIN decisions d ON d.id = p.decision JOIN messages m ON m.id = d.message
                 JOIN parked_needs n ON (n.decision, n.rule, n.subject) = (p.decision, p.rule, p.subject)
                 WHERE ?1 IS NULL OR (n.fact = ?1 AND n.key = ?2) ORDER BY m.id",
            )?
            .query_map(params![fact, key], |row| {
                Ok(ParkedDecision {
                    message: row.get(0)?,
                    topic: row.get(1)?,
                    body: row.get(2)?,
                    generation: row.get(3)?,
                })
            })?
            .collect()
        })
        .await
    }
}

fn close_question(c: &Connection, key: &FactKey) -> rusqlite::Result<()> {
    c.prepare_cached("DELETE FROM questions WHERE fact = ?1 AND key = ?2")?
        .execute(params![key.fact, key.key])
        .map(drop)
}

pub(super) fn insert_parked(
    c: &Connection,
    decision: i64,
    parked: &Parked,
    state: &str,
) -> rusqlite::Result<()> {
    let subject = subject(parked.reason.subject);
    c.prepare_cached(
        "INSERT OR IGNORE INTO parked (decision, rule, subject, state) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![decision, parked.reason.rule, subject, state])?;
    for need in &parked.needs {
        c.prepare_cached(
            "INSERT OR IGNORE INTO parked_needs (decision, rule, subject, fact, key) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![decision, parked.reason.rule, subject, need.fact, need.key])?;
    }
    Ok(())
}

/// Records that a rule cannot be decided, since a required fact has no value for its key.
pub(super) fn give_up(
    c: &Connection,
    decision: i64,
    undecided: &Parked,
    at: Timestamp,
    message_id: &str,
) -> rusqlite::Result<()> {
    insert_parked(c, decision, undecided, "undecided")?;
    log::count(c, "undecided", 1)?;
    let needs: Vec<String> =
        undecided.needs.iter().map(|need| format!("{} of '{}'", need.fact, need.key)).collect();
    let text = format!(
        "rule {} is undecided: its provider knows no {}; add it there, or write `(... else ...)` in the rule",
        undecided.reason.rule,
        needs.join(", ")
    );
    log::log(c, at, Level::Error, None, Some(message_id), &text)
}
