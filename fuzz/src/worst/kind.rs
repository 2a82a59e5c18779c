//! What is searched for: kinds of cases, each with the condition and message that the search begins with.
//!
//! Comes in: the name of a kind. Goes out: its first case, and which of the changes it is open to. A kind keeps its subject:
//! the search for slow globs compares no versions.

use super::case::{
    Alike, Asks, Case, Condition, Filler, Letters, Message, Pattern, Quantifier, Topic, Written,
};

/// A kind of case.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name on the command line.
    pub name: &'static str,
    /// Where the search begins.
    pub first: fn() -> Case,
    /// What may be changed.
    pub open: Open,
    /// What the search goes by.
    pub by: By,
}

/// What a search may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Sizes, and which values are the same.
    Sizes,
    /// Also the condition, how the message is written, and what of it is broken.
    Everything,
}

/// Which time a search goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Finding out which rules fire.
    Fired,
    /// With what they ask for.
    Judged,
}

/// All kinds.
pub const KINDS: [Kind; 21] = [
    matching("equality", || condition(Condition::Equal)),
    matching("sets", || condition(Condition::Among(8))),
    matching("ranges", || condition(Condition::Between)),
    matching("prefixes", || condition(Condition::Begins(4))),
    matching("globs", || condition(Condition::Glob { stars: 2, piece: 4 })),
    matching("patterns", patterns),
    matching("any", || quantified(Quantifier::Any, Condition::Equal)),
    matching("nested", nested),
    matching("in-list", || quantified(Quantifier::Any, Condition::InTexts)),
    matching("texts", || quantified(Quantifier::All, Condition::SameTexts)),
    matching("versions", || condition(Condition::AmongVersions(4))),
    matching("subjects", || asking(Asks::RunEach, Condition::Older)),
    matching("enums", || condition(Condition::Red)),
    matching("members", members),
    matching("numbers", numbers),
    matching("topics", topics),
    judging("arguments", || asking(Asks::TextEach, Condition::Equal)),
    judging("axes", || asking(Asks::TextsEach, Condition::Equal)),
    judging("keys", || asking(Asks::KeyEach, Condition::Equal)),
    judging("misfits", misfits),
    Kind { open: Open::Everything, ..judging("anything", || quantified(Quantifier::Any, Condition::Equal)) },
];

const fn matching(name: &'static str, first: fn() -> Case) -> Kind {
    Kind { name, first, open: Open::Sizes, by: By::Fired }
}

const fn judging(name: &'static str, first: fn() -> Case) -> Kind {
    Kind { name, first, open: Open::Sizes, by: By::Judged }
}

fn condition(condition: Condition) -> Case {
    let filler = Filler { letter: 'a', length: 16, letters: Letters::One };
    Case {
        rules: 4,
        condition,
        constants: Alike::Same,
        asks: Asks::Run,
        declared: 0,
        fields: 0,
        message: Message {
            text: filler,
            elements: 8,
            element: Filler { length: 4, ..filler },
            alike: Alike::Distinct,
            subjects: 1,
            strangers: 0,
            digits: 0,
            written: Written::Plain,
            broken: Vec::new(),
            topic: Topic::Known,
        },
    }
}

fn quantified(quantifier: Quantifier, of: Condition) -> Case {
    condition(Condition::Quantified(quantifier, Box::new(of)))
}

fn patterns() -> Case {
    let case = condition(Condition::Pattern(Pattern::Ambiguous, 32));
    let text = Filler { letters: Letters::Two, length: 2_000, ..case.message.text };
    Case { message: Message { text, ..case.message }, ..case }
}

fn nested() -> Case {
    let inner = Condition::Quantified(Quantifier::Any, Box::new(Condition::Not(Box::new(Condition::Older))));
    quantified(Quantifier::All, Condition::Not(Box::new(inner)))
}

fn asking(asks: Asks, of: Condition) -> Case {
    let case = condition(of);
    let message = Message { subjects: 8, ..case.message };
    Case { asks, message, ..case }
}

fn misfits() -> Case {
    let case = asking(Asks::RunEach, Condition::Names);
    let message = Message { written: Written::Misshapen, ..case.message };
    Case { message, ..case }
}

fn members() -> Case {
    let case = quantified(Quantifier::Any, Condition::Equal);
    let message = Message { strangers: 8, ..case.message };
    Case { declared: 8, fields: 8, message, ..case }
}

fn numbers() -> Case {
    let case = quantified(Quantifier::Any, Condition::Between);
    let message = Message { digits: 80, ..case.message };
    Case { message, ..case }
}

fn topics() -> Case {
    let case = condition(Condition::Equal);
    let message = Message { topic: Topic::Fresh, ..case.message };
    Case { declared: 8, message, ..case }
}
