//! Facts: answers with their lifetime, questions with their retries, and the decisions that wait.
//!
//! Comes in: answers and failures of providers. Goes out: what is known, what is to be asked, what can be judged
//! again. A question leaves only by an answer or, loudly, as undecided; never as "no".

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};
use taskbot_graph::FactKey;

use super::log::{self, Level};
use super::made::subject;
use super::{Store, StoreError};
use crate::admission::Decision;
use crate::effect::Timestamp;
use crate::limits;

/// An answer in the cache: a JSON value, or none for "no such key".
pub type StoredAnswer = Option<serde_json::Value>;

/// A fact that has still to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub key: FactKey,
    /// When it was tried first; none: not yet.
    pub tried_at: Option<Timestamp>,
    /// Failed attempts.
    pub attempts: u32,
}

/// How a question ended, for now or for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionEnd {
    /// The answer is kept until `expires_at`.
    Answered {
        /// The answer.
        answer: StoredAnswer,
        /// How long it counts.
        expires_at: Timestamp,
    },
    /// The provider failed; it is asked again.
    Failed {
        /// Why.
        error: String,
        /// When this attempt began.
        tried_at: Timestamp,
        /// When it is asked again.
        next_at: Timestamp,
    },
    /// The provider failed for good: whatever waits for it is undecided.
    GivenUp {
        /// Why.
        error: String,
    },
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

    /// Records how questions ended, all in one transaction.
    pub async fn questions_ended(
        &self,
        ended: Vec<(FactKey, QuestionEnd)>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("recording answers", move |c| {
            ended.iter().try_for_each(|(key, end)| match end {
                QuestionEnd::Answered { answer, expires_at } => answered(c, key, answer, at, *expires_at),
                QuestionEnd::Failed { error, tried_at, next_at } => {
                    failed(c, key, error, *tried_at, *next_at)
                }
                QuestionEnd::GivenUp { error } => given_up(c, key, error, at),
            })
        })
        .await
    }

    /// Of each fact the questions that are due, oldest first, at most `limit` with those that are under way; and when
    /// the next one is due.
    pub async fn due_questions(
        &self,
        now: Timestamp,
        under_way: BTreeSet<FactKey>,
        limit: usize,
    ) -> Result<(Vec<Question>, Option<Timestamp>), StoreError> {
        self.write("reading questions", move |c| {
            let facts: Vec<String> = c
                .prepare_cached("SELECT DISTINCT fact FROM questions")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let mut due = Vec::new();
            let mut next: Option<i64> = None;
            for fact in facts {
                due.extend(due_of(c, &fact, now, &under_way, limit)?);
                let later: Option<i64> = c
                    .prepare_cached("SELECT min(next_at) FROM questions WHERE fact = ?1 AND next_at > ?2")?
                    .query_row(params![fact, now.millis()], |row| row.get(0))?;
                next = next.into_iter().chain(later).min();
            }
            Ok((due, next.map(Timestamp::from_millis)))
        })
        .await
    }

    /// Puts the questions of undecided decisions once more: whoever restarts the daemon has perhaps mended the
    /// provider. They stay undecided until then, and are neither counted nor told of again.
    pub async fn reopen_undecided(&self, at: Timestamp) -> Result<(), StoreError> {
        self.write("reopening questions", move |c| {
            c.execute(
                "INSERT OR IGNORE INTO questions (fact, key, asked_at, next_at)
                 SELECT DISTINCT n.fact, n.key, ?1, ?1 FROM parked_needs n JOIN parked p
                     ON (n.decision, n.rule, n.subject) = (p.decision, p.rule, p.subject)
                 WHERE p.state = 'undecided'",
                [at.millis()],
            )
            .map(drop)
        })
        .await
    }

    /// Messages that wait for one of these facts.
    pub async fn parked_on(&self, keys: BTreeSet<FactKey>) -> Result<BTreeSet<i64>, StoreError> {
        self.write("reading parked decisions", move |c| {
            let mut query = c.prepare_cached(
                "SELECT d.message FROM parked_needs n JOIN decisions d ON d.id = n.decision
                 WHERE n.fact = ?1 AND n.key = ?2",
            )?;
            let mut messages = BTreeSet::new();
            for key in keys {
                let mut rows = query.query(params![key.fact, key.key])?;
                while let Some(row) = rows.next()? {
                    messages.insert(row.get(0)?);
                }
            }
            Ok(messages)
        })
        .await
    }

    /// The next messages after row `after` that wait for any fact: some at a time, however many there are.
    pub async fn parked_after(&self, after: i64) -> Result<Vec<i64>, StoreError> {
        self.write("reading parked decisions", move |c| {
            c.prepare_cached(
                "SELECT DISTINCT d.message FROM decisions d
                 WHERE d.message > ?1 AND EXISTS (SELECT 1 FROM parked WHERE decision = d.id)
                 ORDER BY d.message LIMIT ?2",
            )?
            .query_map(params![after, limits::PARKED_AT_ONCE], |row| row.get(0))?
            .collect()
        })
        .await
    }

    /// What is needed to judge a message again; none: nothing of it waits.
    pub async fn parked_decision(&self, message: i64) -> Result<Option<ParkedDecision>, StoreError> {
        self.write("reading a parked decision", move |c| {
            c.prepare_cached(
                "SELECT m.id, m.topic, m.body, d.generation FROM decisions d JOIN messages m ON m.id = d.message
                 WHERE d.message = ?1 AND EXISTS (SELECT 1 FROM parked WHERE decision = d.id)
                 ORDER BY d.id DESC LIMIT 1",
            )?
            .query_row([message], |row| {
                Ok(ParkedDecision {
                    message: row.get(0)?,
                    topic: row.get(1)?,
                    body: row.get(2)?,
                    generation: row.get(3)?,
                })
            })
            .optional()
        })
        .await
    }

    /// Calls whatever waits in a message undecided, for this reason.
    pub async fn message_given_up(
        &self,
        message: i64,
        reason: String,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("giving a message up", move |c| {
            let undecided = c.execute(
                "UPDATE parked SET state = 'undecided'
                 WHERE state = 'parked' AND decision IN (SELECT id FROM decisions WHERE message = ?1)",
                [message],
            )?;
            if undecided > 0 {
                log::count(c, "undecided", u32::try_from(undecided).unwrap_or(u32::MAX))?;
                let id: String =
                    c.query_row("SELECT message_id FROM messages WHERE id = ?1", [message], |row| {
                        row.get(0)
                    })?;
                let text = format!("{undecided} decision(s) undecided: {reason}");
                log::log(c, at, Level::Error, None, Some(&id), &text)?;
            }
            Ok(())
        })
        .await
    }
}

fn answered(
    c: &Connection,
    key: &FactKey,
    answer: &StoredAnswer,
    at: Timestamp,
    expires_at: Timestamp,
) -> rusqlite::Result<()> {
    let value = answer.as_ref().map(super::json).transpose()?;
    c.prepare_cached(
        "INSERT INTO facts (fact, key, value, answered_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (fact, key) DO UPDATE SET
             value = excluded.value, answered_at = excluded.answered_at, expires_at = excluded.expires_at",
    )?
    .execute(params![key.fact, key.key, value, at.millis(), expires_at.millis()])?;
    close_question(c, key)
}

fn failed(
    c: &Connection,
    key: &FactKey,
    error: &str,
    tried_at: Timestamp,
    next_at: Timestamp,
) -> rusqlite::Result<()> {
    log::count(c, "fact-failures", 1)?;
    c.prepare_cached(
        "UPDATE questions SET attempts = attempts + 1, tried_at = coalesce(tried_at, ?3), next_at = ?4,
             last_error = ?5
         WHERE fact = ?1 AND key = ?2",
    )?
    .execute(params![key.fact, key.key, tried_at.millis(), next_at.millis(), error])
    .map(drop)
}

fn given_up(c: &Connection, key: &FactKey, error: &str, at: Timestamp) -> rusqlite::Result<()> {
    let undecided = c
        .prepare_cached(
            "UPDATE parked SET state = 'undecided' WHERE state = 'parked' AND (decision, rule, subject) IN
                 (SELECT decision, rule, subject FROM parked_needs WHERE fact = ?1 AND key = ?2)",
        )?
        .execute(params![key.fact, key.key])?;
    if undecided > 0 {
        log::count(c, "undecided", u32::try_from(undecided).unwrap_or(u32::MAX))?;
        let text = format!(
            "{undecided} decision(s) undecided: {} of '{}' could not be found out: {error}",
            key.fact, key.key
        );
        log::log(c, at, Level::Error, None, None, &text)?;
    }
    close_question(c, key)
}

fn due_of(
    c: &Connection,
    fact: &str,
    now: Timestamp,
    under_way: &BTreeSet<FactKey>,
    limit: usize,
) -> rusqlite::Result<Vec<Question>> {
    let free = limit.saturating_sub(under_way.iter().filter(|key| key.fact == fact).count());
    let mut query = c.prepare_cached(
        "SELECT key, tried_at, attempts FROM questions WHERE fact = ?1 AND next_at <= ?2 ORDER BY next_at",
    )?;
    let mut rows = query.query(params![fact, now.millis()])?;
    let mut due = Vec::new();
    while due.len() < free
        && let Some(row) = rows.next()?
    {
        let key = FactKey { fact: fact.to_owned(), key: row.get(0)? };
        if !under_way.contains(&key) {
            let tried_at = row.get::<_, Option<i64>>(1)?.map(Timestamp::from_millis);
            due.push(Question { key, tried_at, attempts: row.get(2)? });
        }
    }
    Ok(due)
}

fn close_question(c: &Connection, key: &FactKey) -> rusqlite::Result<()> {
    c.prepare_cached("DELETE FROM questions WHERE fact = ?1 AND key = ?2")?
        .execute(params![key.fact, key.key])
        .map(drop)
}

/// A (rule, subject) pair that waits.
struct Waiting {
    decision: i64,
    undecided: bool,
    needs: BTreeSet<FactKey>,
}

/// By rule and subject.
type WaitingPairs = BTreeMap<(String, i64), Waiting>;

/// Brings what waits in a message to what `decision`, in row `row`, says. Only what changed is written, and a pair is
/// counted and told of when it becomes undecided, not again with each later judgement.
pub(super) fn repark(
    c: &Connection,
    message: i64,
    row: i64,
    decision: &Decision,
    at: Timestamp,
    message_id: &str,
) -> rusqlite::Result<()> {
    let mut before = waiting(c, message)?;
    for ((rule, subject), mut pair) in wanted(row, decision) {
        let was = before.remove(&(rule.clone(), subject));
        let was_undecided = was.as_ref().is_some_and(|was| was.undecided);
        if pair.undecided && !was_undecided {
            tell_undecided(c, &rule, &pair.needs, at, message_id)?;
        }
        // What was given up is asked again by the next start, not by each answer to something else.
        pair.undecided |= was_undecided && was.as_ref().is_some_and(|was| pair.needs.is_subset(&was.needs));
        let same = |was: &Waiting| {
            (was.decision, was.undecided, &was.needs) == (pair.decision, pair.undecided, &pair.needs)
        };
        if !was.as_ref().is_some_and(same) {
            if let Some(was) = was {
                delete_waiting(c, was.decision, &rule, subject)?;
            }
            insert_waiting(c, &rule, subject, &pair)?;
        }
        if !pair.undecided {
            for need in &pair.needs {
                c.prepare_cached(
                    "INSERT OR IGNORE INTO questions (fact, key, asked_at, next_at) VALUES (?1, ?2, ?3, ?3)",
                )?
                .execute(params![need.fact, need.key, at.millis()])?;
            }
        }
    }
    // Also what an older rule set parked, if this is judged by another one.
    before.iter().try_for_each(|((rule, subject), was)| delete_waiting(c, was.decision, rule, *subject))
}

/// What waits in a message as it is stored.
fn waiting(c: &Connection, message: i64) -> rusqlite::Result<WaitingPairs> {
    let mut pairs = WaitingPairs::new();
    let mut query = c.prepare_cached(
        "SELECT p.decision, p.rule, p.subject, p.state = 'undecided', n.fact, n.key
         FROM decisions d JOIN parked p ON p.decision = d.id
         JOIN parked_needs n ON (n.decision, n.rule, n.subject) = (p.decision, p.rule, p.subject)
         WHERE d.message = ?1",
    )?;
    let mut rows = query.query([message])?;
    while let Some(row) = rows.next()? {
        let (decision, undecided) = (row.get(0)?, row.get(3)?);
        let pair = pairs.entry((row.get(1)?, row.get(2)?)).or_insert_with(|| Waiting {
            decision,
            undecided,
            needs: BTreeSet::new(),
        });
        pair.needs.insert(FactKey { fact: row.get(4)?, key: row.get(5)? });
    }
    Ok(pairs)
}

/// What waits as a decision says. A pair with something that may still be answered is not undecided yet.
fn wanted(row: i64, decision: &Decision) -> WaitingPairs {
    let mut pairs = WaitingPairs::new();
    let parked = decision.parked.iter().map(|parked| (parked, false));
    for (parked, undecided) in parked.chain(decision.undecided.iter().map(|parked| (parked, true))) {
        let pair = pairs
            .entry((parked.reason.rule.clone(), subject(parked.reason.subject)))
            .or_insert_with(|| Waiting { decision: row, undecided, needs: BTreeSet::new() });
        pair.undecided &= undecided;
        pair.needs.extend(parked.needs.iter().cloned());
    }
    pairs
}

fn delete_waiting(c: &Connection, decision: i64, rule: &str, subject: i64) -> rusqlite::Result<()> {
    c.prepare_cached("DELETE FROM parked WHERE decision = ?1 AND rule = ?2 AND subject = ?3")?
        .execute(params![decision, rule, subject])
        .map(drop)
}

fn insert_waiting(c: &Connection, rule: &str, subject: i64, pair: &Waiting) -> rusqlite::Result<()> {
    let state = if pair.undecided { "undecided" } else { "parked" };
    c.prepare_cached("INSERT INTO parked (decision, rule, subject, state) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![pair.decision, rule, subject, state])?;
    for need in &pair.needs {
        c.prepare_cached(
            "INSERT INTO parked_needs (decision, rule, subject, fact, key) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![pair.decision, rule, subject, need.fact, need.key])?;
    }
    Ok(())
}

/// Tells that a rule cannot be decided, since a required fact has no value for its key.
fn tell_undecided(
    c: &Connection,
    rule: &str,
    needs: &BTreeSet<FactKey>,
    at: Timestamp,
    message_id: &str,
) -> rusqlite::Result<()> {
    log::count(c, "undecided", 1)?;
    let needs: Vec<String> = needs.iter().map(|need| format!("{} of '{}'", need.fact, need.key)).collect();
    let text = format!(
        "rule {rule} is undecided: its provider knows no {}; add it there, or write `(... else ...)` in the rule",
        needs.join(", ")
    );
    log::log(c, at, Level::Error, None, Some(message_id), &text)
}
