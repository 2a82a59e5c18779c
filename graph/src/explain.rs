//! Why each rule fired or did not.

use serde::Serialize;

use crate::fact::{FactKey, Facts};
use crate::graph::{Graph, Place};
use crate::judgement::Judgement;

/// What a message meant to each rule.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Events that the message is.
    pub events: Vec<String>,
    /// One for each rule and subject, in the order of rules.
    pub rules: Vec<RuleReport>,
    /// The judgement itself.
    #[serde(skip)]
    pub judgement: Judgement,
}

/// What a message meant to one rule, for one subject.
#[derive(Clone, Debug, Serialize)]
pub struct RuleReport {
    /// The rule's name.
    pub rule: String,
    /// The event that it waits for.
    pub event: String,
    /// Where it stands.
    pub place: Option<Place>,
    /// Place of the subject in the message's list, and its text.
    pub subject: Option<(usize, String)>,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of judging a rule.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It asks for these runs.
    Fired {
        /// Keys of the runs.
        runs: Vec<String>,
    },
    /// A part of its condition does not hold.
    ConditionFailed {
        /// Where the part stands.
        place: Option<Place>,
        /// What it saw.
        seen: Vec<Seen>,
    },
    /// It waits for facts.
    Waiting {
        /// The facts.
        needs: Vec<FactKey>,
    },
    /// The message lacks the shape that it needs.
    Refused {
        /// What was expected where, and what was found.
        reason: String,
    },
    /// The message is another event, and why.
    OtherEvent {
        /// Topic, or dialect condition.
        reason: String,
    },
    /// The list of subjects is empty.
    NoSubject,
}

/// A value that a condition read.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// As written in the rule.
    pub text: String,
    /// What it was.
    pub value: String,
}

/// Explains a message, rule by rule; same meaning as [`crate::judge`].
pub fn explain(_graph: &Graph, _topic: &str, _body: &[u8], _facts: &dyn Facts) -> Explanation {
    Explanation { events: Vec::new(), rules: Vec::new(), judgement: Judgement::default() }
}
