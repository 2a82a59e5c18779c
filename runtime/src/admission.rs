//! Admission: what is to be written for one judged message. Judging is pure; what has memory begins here.
//!
//! Comes in: a message's judgement and the rule set that judged it. Goes out: plain data that the store applies in
//! one transaction: the decision with its facts, the runs with their idempotency keys and the requests of rules for
//! them, what is parked, what is refused. What a window says of a request is `windows`, which is pure; the memory itself
//! (has this happening been seen, does this run exist, what went through a window) is the store's, inside that
//! transaction.

pub mod windows;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskbot_graph::{
    Answer, Argument, Ask, Clauses, FactKey, GroupLimit, Happening, Judgement, Note, Parked, Priority,
    Reason, Refusal,
};

use crate::effect::Timestamp;
use crate::generation::Generation;
use crate::intake::Quarantine;
use crate::message::Message;
use windows::{AtMost, Keyed, Windows};

/// What became of one delivery, before it is durable.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// When it was taken from its source: windows take the order of arrival.
    pub received_at: Timestamp,
    /// Name of the source.
    pub source: String,
    /// What it is.
    pub fate: Fate,
}

/// What an arrival is. Each delivery has exactly one.
#[derive(Clone, Debug)]
pub enum Fate {
    /// Not a message within the limits.
    Unreadable(Quarantine),
    /// A message of a prefix or environment that is not accepted, such as staging.
    OtherEnvironment,
    /// A message that no rule waits for.
    NoEvent,
    /// A message that was judged.
    Judged {
        /// The message.
        message: Message,
        /// What it means.
        decision: Decision,
    },
}

/// What a message means to one rule set, with what was known when it was judged.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Hash of the rule set.
    pub generation: String,
    /// Events that the message is.
    pub events: Vec<String>,
    /// Every fact that was known, so that judging again gives the same.
    pub facts: Vec<RecordedFact>,
    /// The runs asked for.
    pub runs: Vec<WantedRun>,
    /// What waits for facts.
    pub parked: Vec<Parked>,
    /// What waits for facts that will not come: the provider says that there is no such key, and the fact is required.
    pub undecided: Vec<Parked>,
    /// What could not be judged.
    pub refused: Vec<Refusal>,
    /// What is worth noting.
    pub notes: Vec<Note>,
}

/// A run that a message asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WantedRun {
    /// Its identity beside the happening or message.
    pub key: String,
    /// Name of the task.
    pub task: String,
    /// The task's repository, from the rule set.
    pub repository: String,
    /// Branch, tag or commit, from the rule set.
    pub reference: Option<String>,
    /// Arguments in the order of the task's declaration.
    pub arguments: Vec<Argument>,
    /// The requests of the rules that asked for it.
    pub asks: Vec<Request>,
    /// What several messages may tell; none: the message's own id takes its place.
    pub happening: Option<Happening>,
}

/// One rule's request for a run: the unit that windows decide on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The rule and the subject.
    pub reason: Reason,
    /// The values of the rule's axes, as one text.
    pub axes: String,
    /// What decides whether and when it goes through.
    pub windows: Windows,
    /// What it means for the run, once it does.
    pub standing: Standing,
}

/// How dispatch treats a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its place in the queue.
    pub priority: Priority,
    /// A group that it belongs to.
    pub group: Option<GroupLimit>,
    /// How long its command may take, beside what its manifest says.
    pub timeout: Option<Duration>,
}

impl Request {
    /// A rule's request with the windows that its clauses make of the keys.
    pub fn new(ask: Ask, clauses: &Clauses) -> Self {
        let keyed = |key: Option<String>, seconds: Option<u64>| {
            key.zip(seconds).map(|(key, seconds)| Keyed { key, span: Duration::from_secs(seconds) })
        };
        let windows = Windows {
            quiet: keyed(ask.keys.quiet, clauses.quiet.as_ref().map(|w| w.for_seconds)),
            superseding: ask.keys.superseding,
            once: keyed(ask.keys.once, clauses.once.as_ref().map(|w| w.within_seconds)),
            at_most: clauses
                .at_most
                .map(|w| AtMost { runs: w.runs, span: Duration::from_secs(w.per_seconds) }),
        };
        let standing = Standing {
            priority: clauses.priority,
            group: clauses.group.clone(),
            timeout: clauses.timeout_seconds.map(Duration::from_secs),
        };
        Self { reason: ask.reason, axes: ask.axes, windows, standing }
    }
}

/// A fact as it was known to a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFact {
    /// Which fact, about what.
    #[serde(flatten)]
    pub key: FactKey,
    /// The provider's JSON answer; null: no such key.
    pub value: serde_json::Value,
}

/// The answers used for a judgement: typed for the matcher, raw for the record.
#[derive(Clone, Debug, Default)]
pub struct KnownFacts {
    /// For the matcher.
    pub answers: BTreeMap<FactKey, Answer>,
    /// For the record.
    pub recorded: Vec<RecordedFact>,
}

/// Turns a judgement into what is to be written.
pub fn decide(generation: &Generation, judgement: Judgement, facts: KnownFacts) -> Decision {
    let mut refused = judgement.refused;
    let mut runs = Vec::with_capacity(judgement.runs.len());
    for run in judgement.runs {
        let Some(task) = generation.rules.tasks().iter().find(|task| task.name == run.task) else {
            // A valid artifact names only its own tasks; a forged one must not lose the run in silence.
            refused.push(Refusal {
                event: judgement.events.first().cloned().unwrap_or_default(),
                rule: run.asks.first().map(|ask| ask.reason.rule.clone()),
                reason: format!("the rule set has no task '{}'; compile it again", run.task),
            });
            continue;
        };
        runs.push(WantedRun {
            key: run.key(),
            repository: task.repository.clone(),
            reference: task.reference.clone(),
            task: run.task,
            arguments: run.arguments,
            asks: run
                .asks
                .into_iter()
                .map(|ask| {
                    let clauses = generation.clauses(&ask.reason.rule).unwrap_or_default();
                    Request::new(ask, &clauses)
                })
                .collect(),
            happening: run.happening,
        });
    }
    let (undecided, parked) = judgement
        .parked
        .into_iter()
        .partition(|parked| parked.needs.iter().all(|need| facts.answers.contains_key(need)));
    Decision {
        generation: generation.hash.clone(),
        events: judgement.events,
        facts: facts.recorded,
        runs,
        parked,
        undecided,
        refused,
        notes: judgement.notes,
    }
}
