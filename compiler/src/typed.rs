//! The typed program: what the rules mean, as a tree.
//!
//! Comes in: built by `check`. Goes out: to `lower`, which makes the decision graph of it, and to the naive evaluator of the
//! tests, which judges it directly. Every name is resolved, every type known, every default and bare enum value in its place.

use std::sync::Arc;

use smol_str::SmolStr;
use taskbot_graph::{
    AtMost, CompareOp, EnumDef, FactDef, GroupLimit, Part, Path, Place, Presence, Priority, Quantifier,
    RecordDef, Scope, TaskDef, Test, Type, Value,
};

/// A program: all its files and the standard library.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// Enums.
    pub enums: Vec<EnumDef>,
    /// Records; their fields refer to records before them.
    pub records: Vec<RecordDef>,
    /// Facts.
    pub facts: Vec<FactDef>,
    /// Tasks.
    pub tasks: Vec<TaskDef>,
    /// Events.
    pub events: Vec<TypedEvent>,
    /// Rules in the order of their files.
    pub rules: Vec<TypedRule>,
    /// Tests in the order of their files.
    pub tests: Vec<TypedTest>,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedEvent {
    /// Its dotted name.
    pub name: String,
    /// Its documentation.
    pub doc: String,
    /// Where its name stands.
    pub place: Place,
    /// Its values.
    pub values: Vec<TypedValue>,
    /// Its dialects.
    pub dialects: Vec<TypedDialect>,
    /// What to use instead, if it is no longer to be used.
    pub deprecated: Option<String>,
}

/// A value of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedValue {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Whether every dialect gives it.
    pub presence: Presence,
    /// Whether each subject has its own.
    pub scope: Scope,
}

/// A dialect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TypedDialect {
    /// Its name.
    pub name: String,
    /// Its topics.
    pub topics: Vec<String>,
    /// When a message of its topics is this event.
    pub condition: Option<TypedExpr>,
    /// What must be there.
    pub required: Vec<Path>,
    /// The list of subjects.
    pub subjects: Option<Vec<String>>,
    /// One for each value of the event.
    pub values: Vec<Option<TypedExpr>>,
    /// Key and seconds.
    pub happening: Option<(Vec<TypedExpr>, u64)>,
    /// What to use instead of its topics, if they are no longer to be used.
    pub deprecated: Option<String>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedRule {
    /// Its stable name.
    pub name: String,
    /// Its documentation.
    pub doc: String,
    /// Where it stands.
    pub place: Place,
    /// Place in [`Program::events`].
    pub event: usize,
    /// Whether it reads the subject.
    pub scope: Scope,
    /// When it fires.
    pub condition: Option<TypedExpr>,
    /// Name and list of each axis.
    pub axes: Vec<(String, TypedExpr)>,
    /// Combinations left out.
    pub except: Vec<Vec<Option<Value>>>,
    /// Task (place in [`Program::tasks`]) and one argument for each of its parameters.
    pub actions: Vec<(usize, Vec<TypedArgument>)>,
    /// Its windows and limits.
    pub clauses: TypedClauses,
}

impl TypedRule {
    /// Every expression of the rule.
    pub fn exprs(&self) -> impl Iterator<Item = &TypedExpr> {
        let arguments = self.actions.iter().flat_map(|(_, arguments)| arguments);
        let arguments = arguments.filter_map(|a| if let TypedArgument::Expr(e) = a { Some(e) } else { None });
        let axes = self.axes.iter().map(|(_, list)| list);
        self.condition.iter().chain(axes).chain(arguments).chain(self.clauses.keys())
    }

    /// The same, to be changed.
    pub(crate) fn exprs_mut(&mut self) -> impl Iterator<Item = &mut TypedExpr> {
        let arguments = self.actions.iter_mut().flat_map(|(_, arguments)| arguments);
        let arguments = arguments.filter_map(|a| if let TypedArgument::Expr(e) = a { Some(e) } else { None });
        let axes = self.axes.iter_mut().map(|(_, list)| list);
        let TypedClauses { once, quiet, superseding, .. } = &mut self.clauses;
        let windows = once.iter_mut().chain(quiet).flat_map(|w| &mut w.key);
        let keys = windows.chain(superseding.iter_mut().flatten());
        self.condition.iter_mut().chain(axes).chain(arguments).chain(keys)
    }
}

/// A rule that stands somewhere else than before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    /// Where it stood.
    pub(crate) from: Place,
    /// Where it stands now.
    pub(crate) to: Place,
}

impl Moved {
    /// Moves a place with the rule. What it took from lets and facts stays where that is.
    pub(crate) fn shift(self, at: &mut Place) {
        let Self { from, to } = self;
        if at.file == from.file && at.start >= from.start && at.end <= from.end {
            let by = to.start.wrapping_sub(from.start);
            *at = Place { file: to.file, start: at.start.wrapping_add(by), end: at.end.wrapping_add(by) };
        }
    }
}

/// A rule's windows and limits; see [`taskbot_graph::Clauses`] for their meaning.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the same clauses as those of the graph")]
pub struct TypedClauses {
    pub once: Option<TypedWindow>,
    pub quiet: Option<TypedWindow>,
    pub at_most: Option<AtMost>,
    pub superseding: Option<Vec<TypedExpr>>,
    pub group: Option<GroupLimit>,
    pub priority: Priority,
    pub timeout_seconds: Option<u64>,
    /// Whether the author says that the rule may cause itself again.
    pub looping: Looping,
}

impl TypedClauses {
    /// Every value of a key.
    pub fn keys(&self) -> impl Iterator<Item = &TypedExpr> {
        let windows = self.once.iter().chain(&self.quiet).flat_map(|w| &w.key);
        windows.chain(self.superseding.iter().flatten())
    }
}

/// A keyed window.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedWindow {
    /// Values of its key.
    pub key: Vec<TypedExpr>,
    /// Its length.
    pub seconds: u64,
}

/// Whether a rule may cause itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Looping {
    /// A loop is an error.
    #[default]
    No,
    /// `may loop`: bounded by a window.
    Bounded,
}

/// A test beside the rules.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedTest {
    /// What it shows.
    pub name: String,
    /// The whole test.
    pub place: Place,
    /// The event that the message is to be.
    pub event: String,
    /// Where the event's name stands.
    pub event_place: Place,
    /// The message's topic: as written, else the event's first exact one.
    pub topic: Option<String>,
    /// The message.
    pub given: TestMessage,
    /// Facts that it sets.
    pub facts: Vec<TestFact>,
    /// What is expected.
    pub expects: Vec<TypedExpect>,
}

/// The message of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum TestMessage {
    /// A file, relative to the one that holds the test.
    File(String, Place),
    /// A literal body as JSON text.
    Json(String, Place),
}

/// A fact that a test sets.
#[derive(Clone, Debug, PartialEq)]
pub struct TestFact {
    /// `type.name`.
    pub fact: String,
    /// For this key alone; none: for every key that has no answer of its own.
    pub key: Option<String>,
    /// The answer; none: there is no such key.
    pub answer: Option<Value>,
    /// Where it stands.
    pub place: Place,
}

/// What a test expects.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedExpect {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub kind: TypedExpectKind,
}

/// Kinds of expectations; arguments as the text that a run's argument has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the same kinds as those of the tree")]
pub enum TypedExpectKind {
    Run { task: String, arguments: Vec<(String, String)> },
    NoRun { task: String, arguments: Vec<(String, String)> },
    Nothing,
    NothingElse,
    Quarantine,
}

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub enum TypedArgument {
    /// The value of an axis, by place.
    Axis(usize),
    /// An expression.
    Expr(TypedExpr),
    /// The parameter's default, or nothing for an optional one.
    Default,
}

/// An expression with its type.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedExpr {
    /// What it is.
    pub kind: TypedKind,
    /// Its type.
    pub ty: Type,
    /// Whether it may be missing here, guards considered.
    pub presence: Presence,
    /// Where it stands.
    pub place: Place,
}

/// Kinds of typed expressions; see [`taskbot_graph::Expr`] for their meaning.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the same kinds as those of the graph, as a tree")]
pub enum TypedKind {
    Const(Value),
    Path(Box<Path>),
    EventValue(usize),
    Bound(u32),
    Field(Box<TypedExpr>, u32),
    Part(Box<TypedExpr>, Part),
    MakeRecord(u32, Vec<Option<TypedExpr>>),
    MakeNvr(Box<[TypedExpr; 3]>),
    Fact(usize, Box<TypedExpr>),
    Else(Box<TypedExpr>, Box<TypedExpr>),
    Compare(CompareOp, Box<TypedExpr>, Box<TypedExpr>),
    In(Box<TypedExpr>, Arc<[Value]>),
    InList(Box<TypedExpr>, Box<TypedExpr>),
    Like(Box<TypedExpr>, SmolStr),
    Matches(Box<TypedExpr>, SmolStr),
    Test(Test, Box<TypedExpr>),
    Not(Box<TypedExpr>),
    And(Vec<TypedExpr>),
    Or(Vec<TypedExpr>),
    Quantified(Quantifier, Box<TypedExpr>, Box<TypedExpr>),
    Count(Box<TypedExpr>, Option<Box<TypedExpr>>),
    /// A list of constants, only as the source of an axis.
    List(Vec<Value>),
}

impl TypedExpr {
    /// Calls `visit` with each direct operand.
    pub fn operands<'e>(&'e self, visit: &mut impl FnMut(&'e TypedExpr)) {
        match &self.kind {
            TypedKind::Const(_)
            | TypedKind::Path(_)
            | TypedKind::EventValue(_)
            | TypedKind::Bound(_)
            | TypedKind::List(_) => {}
            TypedKind::Field(a, _)
            | TypedKind::Part(a, _)
            | TypedKind::Fact(_, a)
            | TypedKind::In(a, _)
            | TypedKind::Like(a, _)
            | TypedKind::Matches(a, _)
            | TypedKind::Test(_, a)
            | TypedKind::Not(a) => visit(a),
            TypedKind::Else(a, b)
            | TypedKind::Compare(_, a, b)
            | TypedKind::InList(a, b)
            | TypedKind::Quantified(_, a, b) => {
                visit(a);
                visit(b);
            }
            TypedKind::Count(list, condition) => {
                visit(list);
                condition.iter().for_each(|c| visit(c));
            }
            TypedKind::MakeNvr(parts) => parts.iter().for_each(visit),
            TypedKind::MakeRecord(_, fields) => fields.iter().flatten().for_each(visit),
            TypedKind::And(parts) | TypedKind::Or(parts) => parts.iter().for_each(visit),
        }
    }

    /// Calls `visit` with each direct operand, to be changed.
    pub(crate) fn operands_mut(&mut self, visit: &mut impl FnMut(&mut TypedExpr)) {
        match &mut self.kind {
            TypedKind::Const(_)
            | TypedKind::Path(_)
            | TypedKind::EventValue(_)
            | TypedKind::Bound(_)
            | TypedKind::List(_) => {}
            TypedKind::Field(a, _)
            | TypedKind::Part(a, _)
            | TypedKind::Fact(_, a)
            | TypedKind::In(a, _)
            | TypedKind::Like(a, _)
            | TypedKind::Matches(a, _)
            | TypedKind::Test(_, a)
            | TypedKind::Not(a) => visit(a),
            TypedKind::Else(a, b)
            | TypedKind::Compare(_, a, b)
            | TypedKind::InList(a, b)
            | TypedKind::Quantified(_, a, b) => {
                visit(a);
                visit(b);
            }
            TypedKind::Count(list, condition) => {
                visit(list);
                condition.iter_mut().for_each(|c| visit(c));
            }
            TypedKind::MakeNvr(parts) => parts.iter_mut().for_each(visit),
            TypedKind::MakeRecord(_, fields) => fields.iter_mut().flatten().for_each(visit),
            TypedKind::And(parts) | TypedKind::Or(parts) => parts.iter_mut().for_each(visit),
        }
    }

    /// Whether it, or anything below it, is such an expression.
    pub fn any(&self, test: &mut impl FnMut(&TypedKind) -> bool) -> bool {
        if test(&self.kind) {
            return true;
        }
        let mut found = false;
        self.operands(&mut |operand| found = found || operand.any(test));
        found
    }
}
