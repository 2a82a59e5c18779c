//! Writing what arrived: messages, decisions, happenings, runs with their reasons, quarantine.
//!
//! Comes in: arrivals, each with its fate. Goes out: what they became. Here is admission's memory: the unique keys
//! make one run of one that is asked for twice, whether by two rules, by one message told twice, or by two messages
//! of one happening. What windows make of a request is `windows`, how a run is made `made`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use taskbot_graph::{Happening, Note, Refusal};

use super::log::{self, Level};
use super::made::{Making, Novelty};
use super::runs::RunId;
use super::windows::{self, Became};
use super::{Store, StoreError, facts};
use crate::admission::windows::Arrived;
use crate::admission::{Arrival, Decision, Fate, WantedRun};
use crate::effect::Timestamp;
use crate::intake::Quarantine;
use crate::message::{Message, MessageText};

/// What an arrival became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its fate.
    pub kind: AdmittedAs,
    /// The message's topic, where it could be read.
    pub topic: Option<MessageText>,
    /// Runs that did not exist before it.
    pub new_runs: Vec<NewRun>,
    /// Runs that existed and got it as a further reason.
    pub merged_runs: usize,
    /// Older runs that are to be cancelled because of it.
    pub superseded: usize,
    /// Requests of rules that a window holds.
    pub held: usize,
    /// (rule, subject) pairs that wait for facts.
    pub parked: usize,
    /// Why it was set aside, where it was.
    pub reasons: Vec<String>,
}

/// What an arrival counts as. Each delivery counts as exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdmittedAs {
    /// Judged, and nothing about it was refused.
    Judged,
    /// The same message came before.
    Duplicate,
    /// Of a prefix or environment that is not accepted.
    OtherEnvironment,
    /// No rule waits for it.
    NoEvent,
    /// Set aside, wholly or for some rules.
    Quarantined,
}

impl AdmittedAs {
    /// Name of its counter.
    pub const fn counter(self) -> &'static str {
        match self {
            Self::Judged => "judged",
            Self::Duplicate => "duplicate",
            Self::OtherEnvironment => "other-environment",
            Self::NoEvent => "no-event",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A run that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// Its number.
    pub id: RunId,
    /// Its task and arguments in one line.
    pub key: String,
}

impl Store {
    /// Makes arrivals durable, all in one transaction, and says what each became, in the same order.
    pub async fn admit(&self, arrivals: Vec<Arrival>) -> Result<Vec<Admitted>, StoreError> {
        self.write("writing messages", move |c| {
            let admitted = arrivals
                .into_iter()
                .map(|arrival| admit(c, arrival))
                .collect::<rusqlite::Result<Vec<_>>>()?;
            count(c, &admitted)?;
            Ok(admitted)
        })
        .await
    }

    /// Applies a further judgement of a message whose decision was parked.
    pub async fn redecide(
        &self,
        message: i64,
        decision: Decision,
        at: Timestamp,
    ) -> Result<Admitted, StoreError> {
        self.write("writing a decision", move |c| {
            let (message_id, topic, received_at) = c
                .prepare_cached("SELECT message_id, topic, received_at FROM messages WHERE id = ?1")?
                .query_row([message], |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, String>(1)?,
                        Timestamp::from_millis(row.get(2)?),
                    ))
                })?;
            let known = Known { row: message, message_id: &message_id, received_at, at };
            let mut admitted = decided(c, &known, &decision)?;
            admitted.topic = Some(MessageText::new(topic));
            Ok(admitted)
        })
        .await
    }

    /// Remembers a rule set, so that what it parked is judged on by it.
    pub async fn keep_generation(
        &self,
        hash: String,
        artifact: Arc<[u8]>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("keeping a rule set", move |c| {
            c.execute(
                "INSERT INTO generations (hash, artifact, loaded_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (hash) DO UPDATE SET loaded_at = excluded.loaded_at",
                params![hash, &*artifact, at.millis()],
            )
            .map(drop)
        })
        .await
    }

    /// The bytes of a rule set that judged something here.
    pub async fn generation(&self, hash: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.write("reading a rule set", move |c| {
            c.query_row("SELECT artifact FROM generations WHERE hash = ?1", [hash], |row| row.get(0))
                .optional()
        })
        .await
    }
}

fn admit(c: &Connection, arrival: Arrival) -> rusqlite::Result<Admitted> {
    let at = arrival.received_at;
    let admitted = match arrival.fate {
        Fate::OtherEnvironment => plain(AdmittedAs::OtherEnvironment),
        Fate::NoEvent => plain(AdmittedAs::NoEvent),
        Fate::Unreadable(quarantine) => {
            set_aside_unreadable(c, &arrival.source, &quarantine, at)?;
            Admitted {
                topic: quarantine.topic,
                reasons: vec![quarantine.reason],
                ..plain(AdmittedAs::Quarantined)
            }
        }
        Fate::Judged { message, decision } => {
            let mut admitted = match insert_message(c, &message, at)? {
                Some(row) => {
                    let message_id = message.id.expose();
                    decided(c, &Known { row, message_id, received_at: at, at }, &decision)?
                }
                None => plain(AdmittedAs::Duplicate),
            };
            admitted.topic = Some(message.topic);
            admitted
        }
    };
    Ok(admitted)
}

/// Counts what messages became: once for all, since each counter is a write of its own.
fn count(c: &Connection, admitted: &[Admitted]) -> rusqlite::Result<()> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for one in admitted {
        *counts.entry(one.kind.counter()).or_default() += 1;
        if one.kind != AdmittedAs::Quarantined {
            *counts.entry("accepted").or_default() += 1;
        }
    }
    counts.into_iter().try_for_each(|(name, by)| log::count(c, name, by))
}

fn plain(kind: AdmittedAs) -> Admitted {
    Admitted {
        kind,
        topic: None,
        new_runs: Vec::new(),
        merged_runs: 0,
        superseded: 0,
        held: 0,
        parked: 0,
        reasons: Vec::new(),
    }
}

/// A message that is in the store.
struct Known<'m> {
    row: i64,
    message_id: &'m str,
    received_at: Timestamp,
    at: Timestamp,
}

/// None: it is there already.
fn insert_message(c: &Connection, message: &Message, at: Timestamp) -> rusqlite::Result<Option<i64>> {
    c.prepare_cached(
        "INSERT INTO messages (message_id, topic, body, sent_at, received_at, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (message_id) DO NOTHING RETURNING id",
    )?
    .query_row(
        params![
            message.id.expose(),
            message.topic.expose(),
            message.body,
            message.sent_at.map(|t| Timestamp::from(t).millis()),
            at.millis(),
            message.source
        ],
        |row| row.get(0),
    )
    .optional()
}

/// Writes a decision and everything that follows from it.
fn decided(c: &Connection, message: &Known<'_>, decision: &Decision) -> rusqlite::Result<Admitted> {
    let mut admitted = plain(AdmittedAs::Judged);
    let row = insert_decision(c, message, decision)?;
    for wanted in &decision.runs {
        request_run(c, message, wanted, &mut admitted)?;
    }
    facts::repark(c, message.row, row, decision, message.at, message.message_id)?;
    admitted.parked = decision.parked.len();
    for refusal in &decision.refused {
        set_aside_unjudged(c, message, refusal)?;
        admitted.reasons.push(refusal.reason.clone());
        admitted.kind = AdmittedAs::Quarantined;
    }
    for note in &decision.notes {
        log::count(c, note_counter(note), 1)?;
    }
    Ok(admitted)
}

fn note_counter(note: &Note) -> &'static str {
    match note {
        Note::NoSubject { .. } => "no-subject",
        Note::UnknownEnumValue { .. } => "unknown-enum-value",
    }
}

fn insert_decision(c: &Connection, message: &Known<'_>, decision: &Decision) -> rusqlite::Result<i64> {
    c.prepare_cached(
        "INSERT INTO decisions (message, generation, judged_at, events, facts, notes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (message, generation) DO UPDATE
             SET judged_at = excluded.judged_at, facts = excluded.facts, notes = excluded.notes
         RETURNING id",
    )?
    .query_row(
        params![
            message.row,
            decision.generation,
            message.at.millis(),
            super::json(&decision.events)?,
            super::json(&decision.facts)?,
            super::json(&decision.notes)?
        ],
        |row| row.get(0),
    )
}

/// The happening or the message that a run belongs to, as one text.
fn instance(c: &Connection, message: &Known<'_>, wanted: &WantedRun) -> rusqlite::Result<String> {
    Ok(match &wanted.happening {
        Some(happening) => format!("happening:{}", happening_instance(c, message, happening)?),
        None => format!("message:{}", message.message_id),
    })
}

/// Takes each rule's request for a run through its windows; the run exists as soon as one lets it through.
fn request_run(
    c: &Connection,
    message: &Known<'_>,
    wanted: &WantedRun,
    admitted: &mut Admitted,
) -> rusqlite::Result<()> {
    let instance = instance(c, message, wanted)?;
    let arrived = Arrived { row: message.row, at: message.received_at };
    let (mut new, mut rules) = (None, Vec::new());
    for request in &wanted.asks {
        let making = Making { instance: &instance, wanted, request, message: message.row, at: message.at };
        match windows::ask(c, arrived, message.message_id, &making)? {
            Became::Through { run, novelty, superseded } => {
                rules.push(request.reason.rule.as_str());
                admitted.superseded += superseded;
                new = new.or((novelty == Novelty::New).then_some(run));
            }
            Became::Held => admitted.held += 1,
            Became::Nothing => {}
        }
    }
    match new {
        Some(id) => {
            let text = format!("{} asked for by {}", wanted.key, rules.join(", "));
            log::log(c, message.at, Level::Info, Some(id), Some(message.message_id), &text)?;
            admitted.new_runs.push(NewRun { id, key: wanted.key.clone() });
        }
        None if rules.is_empty() => {}
        None => admitted.merged_runs += 1,
    }
    Ok(())
}

/// The happening that a message tells of: one begun within the window around its arrival, else a new one. A message
/// that waited for facts may be older than the happening that a later one began; then the window begins with it.
fn happening_instance(c: &Connection, message: &Known<'_>, happening: &Happening) -> rusqlite::Result<i64> {
    let window = std::time::Duration::from_secs(happening.within_seconds);
    let (from, to) = (message.received_at.before(window), message.received_at.after(window));
    let known: Option<(i64, i64)> = c
        .prepare_cached(
            "SELECT id, first_at FROM happenings WHERE key = ?1 AND first_at BETWEEN ?2 AND ?3
             ORDER BY first_at DESC LIMIT 1",
        )?
        .query_row(params![happening.key, from.millis(), to.millis()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((id, first_at)) = known {
        if message.received_at.millis() < first_at {
            c.execute(
                "UPDATE happenings SET first_at = ?2 WHERE id = ?1",
                params![id, message.received_at.millis()],
            )?;
        }
        return Ok(id);
    }
    c.prepare_cached(
        "INSERT INTO happenings (key, first_at, first_message) VALUES (?1, ?2, ?3) RETURNING id",
    )?
    .query_row(params![happening.key, message.received_at.millis(), message.row], |row| row.get(0))
}

fn set_aside_unreadable(c: &Connection, source: &str, q: &Quarantine, at: Timestamp) -> rusqlite::Result<()> {
    log::count(c, "unreadable", 1)?;
    let times: i64 = c
        .prepare_cached(
            "INSERT INTO quarantine (source, topic, reason, head, sha256, length_bytes, first_at, last_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
             ON CONFLICT (source, sha256, reason) WHERE message IS NULL
             DO UPDATE SET times = times + 1, last_at = excluded.last_at
             RETURNING times",
        )?
        .query_row(
            params![
                source,
                q.topic.as_ref().map(MessageText::expose),
                q.reason,
                q.head,
                q.sha256,
                i64::try_from(q.length_bytes).unwrap_or(i64::MAX),
                at.millis()
            ],
            |row| row.get(0),
        )?;
    if times == 1 {
        log::log(c, at, Level::Warn, None, None, &format!("set aside, from {source}: {}", q.reason))?;
    }
    Ok(())
}

/// Counted and told of once, however often the message is judged.
fn set_aside_unjudged(c: &Connection, message: &Known<'_>, refusal: &Refusal) -> rusqlite::Result<()> {
    let new = c
        .prepare_cached(
            "INSERT INTO quarantine (message, source, topic, event, rule, reason, length_bytes, first_at, last_at)
             SELECT id, source, topic, ?2, ?3, ?4, length(body), ?5, ?5 FROM messages WHERE id = ?1
             ON CONFLICT (message, event, coalesce(rule, ''), reason) WHERE message IS NOT NULL DO NOTHING",
        )?
        .execute(params![message.row, refusal.event, refusal.rule, refusal.reason, message.at.millis()])?;
    if new == 0 {
        return Ok(());
    }
    log::count(c, "refused", 1)?;
    let text = match &refusal.rule {
        Some(rule) => format!("{} for rule {rule}: {}", refusal.event, refusal.reason),
        None => format!("{}: {}", refusal.event, refusal.reason),
    };
    log::log(c, message.at, Level::Warn, None, Some(message.message_id), &text)
}
