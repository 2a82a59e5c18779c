//! Admission: what is to be written for one judged message. Judging is pure; what has memory begins here.
//!
//! Comes in: a message's judgement and the rule set that judged it. Goes out: plain data that the store applies in
//! one transaction: the decision with its facts, the runs with their idempotency keys and reasons, what is parked,
//! what is refused. The memory itself (has this happening been seen, does this run exist) is the store's, inside that
//! transaction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use taskbot_graph::{Answer, Argument, Ask, FactKey, Graph, Happening, Judgement, Note, Parked, Refusal};

use crate::effect::Timestamp;
use crate::intake::Quarantine;
use crate::message::Message;

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
#[derive(Clone, Debug)]
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
    pub asks: Vec<Ask>,
    /// What several messages may tell; none: the message's own id takes its place.
    pub happening: Option<Happening>,
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
pub fn decide(graph: &Graph, generation: &str, judgement: Judgement, facts: KnownFacts) -> Decision {
    let mut refused = judgement.refused;
    let mut runs = Vec::with_capacity(judgement.runs.len());
    for run in judgement.runs {
        let Some(task) = graph.tasks.iter().find(|task| task.name == run.task) else {
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
            asks: run.asks,
            happening: run.happening,
        });
    }
    let (undecided, parked) = judgement
        .parked
        .into_iter()
        .partition(|parked| parked.needs.iter().all(|need| facts.answers.contains_key(need)));
    Decision {
        generation: generation.to_owned(),
        events: judgement.events,
        facts: facts.recorded,
        runs,
        parked,
        undecided,
        refused,
        notes: judgement.notes,
    }
}
