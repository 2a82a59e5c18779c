//! Rules as the generator holds them: what the naive reference judges by, and what the text of a program is written from.
//!
//! Comes in: nothing; these are data. A test on a value that is absent or null never holds, also a negated one: the text says so with
//! a guard (`has x and ...`) wherever the value may be missing. It knows nothing of taskbot.

use crate::shape::Slot;

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its number; its name is `r` and the number.
    pub number: usize,
    /// What it waits for.
    pub on: On,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
}

impl Rule {
    /// Its name in the program and in results.
    pub fn name(&self) -> String {
        format!("r{}", self.number)
    }

    /// Whether it is judged for each subject.
    pub fn reads_subject(&self) -> bool {
        self.conditions.iter().any(|c| matches!(c, Condition::Subject(_)))
    }
}

/// What a rule waits for; the numbers are places in [`crate::shape::Topics`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    /// A topic that an event declares.
    Topic(usize),
    /// A topic that no event declares for itself.
    Raw(usize),
    /// A pattern with one `*`.
    Star(usize),
    /// A pattern with a trailing `#`.
    Hash(usize),
    /// A topic whose event has subjects.
    Subjects(usize),
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// A value passes a test.
    Value(Slot, Test),
    /// One element of a list passes all tests; a test of no slot is one of the element itself.
    Any(Slot, Vec<(Option<Slot>, Test)>),
    /// One of them holds.
    Or(Vec<Condition>),
    /// The subject, a build, passes.
    Subject(SubjectTest),
}

/// A test of a value that is there.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is there.
    Has,
    /// Equal.
    Is(Literal),
    /// Not equal.
    IsNot(Literal),
    /// One of these texts.
    In(Vec<String>),
    /// At least the first, below the second.
    Within(i64, i64),
    /// At least.
    AtLeast(i64),
    /// Below.
    Below(i64),
    /// Begins so.
    Prefix(String),
    /// Ends so.
    Suffix(String),
    /// A glob of the whole text.
    Glob(String),
    /// A regular expression, found in the text.
    Matches(String),
    /// The test fails.
    Not(Box<Test>),
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
    /// True or false.
    Flag(bool),
}

/// A test of a build.
#[derive(Clone, Debug, PartialEq)]
pub enum SubjectTest {
    /// Of its name.
    Name(Test),
    /// Its version and release are older than `a.b.c-r.fN`.
    Older([u64; 4], String),
    /// A fact that nobody has answered: the rule is parked where it would decide.
    Dependants(i64),
}
