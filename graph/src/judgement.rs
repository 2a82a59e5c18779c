//! What judging a message gives: runs with their reasons, what is parked, what is refused, what is worth noting.
//!
//! Comes in: nothing, this is data. Goes out: to admission (the runtime), `explain`, `plan` and `replay`. It holds no
//! memory of other messages.

use serde::{Deserialize, Serialize};

use crate::fact::FactKey;

/// Everything that one message means to one rule set, given the facts known so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// Names of the events that the message is, in order of declaration. Empty: no rule waits for such a message.
    pub events: Vec<String>,
    /// The runs asked for, each once, in the order of rules, subjects and axes.
    pub runs: Vec<Run>,
    /// (rule, subject) pairs that wait for facts; judge again when one of them is known.
    pub parked: Vec<Parked>,
    /// Why the message, or one rule's view of it, must be quarantined.
    pub refused: Vec<Refusal>,
    /// Counted and warned about: empty subject lists, enum values that upstream invented.
    pub notes: Vec<Note>,
}

/// One task with its arguments; rules are its reasons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Name of the task, static.
    pub task: String,
    /// In the order of the task's declaration.
    pub arguments: Vec<Argument>,
    /// Which rules asked for it, at least one.
    pub asks: Vec<Ask>,
    /// What several messages may tell of the same; none: the message's own id takes its place.
    pub happening: Option<Happening>,
}

impl Run {
    /// The run in one line, `rpmlint(package: "curl-8.6.0-7.fc40")`: its identity beside the happening or message id.
    pub fn key(&self) -> String {
        let arguments: Vec<String> = self
            .arguments
            .iter()
            .map(|a| format!("{}: {}", a.name, serde_json::Value::from(a.text.as_str())))
            .collect();
        format!("{}({})", self.task, arguments.join(", "))
    }
}

/// A rule whose condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fired {
    /// Its place in [`crate::Graph::rules`].
    pub rule: u32,
    /// Place of the subject in the message's list; none for a rule that reads no subject.
    pub subject: Option<usize>,
}

/// A named, typed value on its way to a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Argument {
    /// Name of the task's parameter, static.
    pub name: String,
    /// The value's text, for a record its identity. Text of a message: data, never code.
    pub text: String,
    /// The whole value.
    pub json: serde_json::Value,
}

/// One rule's request for a run, with what its windows go by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The rule and the subject.
    pub reason: Reason,
    /// What the rule's windows compare.
    pub keys: WindowKeys,
    /// The values of the rule's axes, as one text that no other combination has.
    pub axes: String,
}

/// The keys of a rule's windows for one message, each as one text that no other value has; none: no such window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowKeys {
    /// Of `once per KEY`.
    pub once: Option<String>,
    /// Of `after ... quiet per KEY`.
    pub quiet: Option<String>,
    /// Of `superseding per KEY`.
    pub superseding: Option<String>,
}

/// A rule that asked for a run, and for which subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule's stable name.
    pub rule: String,
    /// Place of the subject in the message's list; none for a rule that reads no subject.
    pub subject: Option<usize>,
}

/// One fact of the world that several messages may tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// The event and the values that make it this one, as text.
    pub key: String,
    /// How long after the first message a further one still tells of the same, in seconds.
    pub within_seconds: u64,
}

/// A rule that cannot be decided for one subject until facts are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The rule and the subject.
    pub reason: Reason,
    /// The facts that still matter, each once.
    pub needs: Vec<FactKey>,
}

/// Why a message is set aside instead of judged. It can be replayed later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The event whose shape did not fit.
    pub event: String,
    /// The rule that read the path, where only some rules do.
    pub rule: Option<String>,
    /// What was expected where, and what was found, for people.
    pub reason: String,
}

/// Something counted that changes no decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Note {
    /// The list of subjects was empty: no subject, no run.
    NoSubject {
        /// The event.
        event: String,
    },
    /// A value that its enum does not list: equal to none of them.
    UnknownEnumValue {
        /// The enum.
        name: String,
        /// The value as sent.
        value: String,
    },
}
