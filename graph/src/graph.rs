//! The decision graph as data: events with their dialects, rules with their conditions, tasks, facts.
//!
//! Comes in: built by the compiler, or read from an artifact. Goes out: to the matcher and to `explain`. Everything is flat:
//! ids are places in the vectors here; an expression only refers to expressions before it, so evaluation always ends.
//! Equal expressions are one expression: that is how conditions are shared between rules.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::matcher::LazyMatcher;
use crate::types::Type;
pub use crate::types::{EnumId, RecordId};
use crate::value::Value;

/// Place of an expression in [`Graph::exprs`].
pub type ExprId = u32;
/// Place of a path in [`Graph::paths`].
pub type PathId = u32;

/// A compiled rule set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// Enums that the rules can read.
    pub enums: Vec<EnumDef>,
    /// Records that the rules can read.
    pub records: Vec<RecordDef>,
    /// Facts.
    pub facts: Vec<FactDef>,
    /// Tasks that some rule runs.
    pub tasks: Vec<TaskDef>,
    /// Paths into message bodies.
    pub paths: Vec<Path>,
    /// Expressions; each refers only to earlier ones.
    pub exprs: Vec<Expr>,
    /// Events that some rule waits for.
    pub events: Vec<Event>,
    /// Rules in the order of their files.
    pub rules: Vec<Rule>,
    /// Which events a topic may be; sorted by topic.
    pub topics: Vec<TopicPlan>,
    /// Where everything came from, for people only: the matcher never looks here.
    #[serde(skip)]
    pub sources: Sources,
    /// The matcher of this graph, made when it is first needed.
    #[serde(skip)]
    pub(crate) matcher: LazyMatcher,
}

/// An enum's name and values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnumDef {
    /// Name in the language.
    pub name: String,
    /// Values as messages spell them.
    pub values: Vec<String>,
}

/// A record's name and fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordDef {
    /// Name in the language.
    pub name: String,
    /// Fields in order.
    pub fields: Vec<FieldDef>,
    /// Fields whose first present one names the record as an argument; empty: it is no argument.
    pub identity: Vec<u32>,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldDef {
    /// Name as messages spell it.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Whether it may be missing or null.
    pub presence: Presence,
}

/// Whether a value must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Presence {
    /// Absent or null means that the shape does not fit.
    Required,
    /// May be absent or null.
    Optional,
}

/// A fact's declaration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactDef {
    /// `type.name`, as providers are configured for it.
    pub name: String,
    /// Type of the answer.
    pub ty: Type,
    /// Optional: "no such key" is an absent value. Required: it is undecided.
    pub presence: Presence,
}

/// A task's declaration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskDef {
    /// Name in the language.
    pub name: String,
    /// `standard:NAME` for a task of the standard library, else the URL of its git repository.
    pub repository: String,
    /// Branch, tag or commit that the lock file resolves; none: the repository's HEAD.
    pub reference: Option<String>,
    /// Inputs in order.
    pub params: Vec<Param>,
    /// Events that it may cause.
    pub emits: Vec<String>,
}

/// An input of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: Type,
    /// The type as the language writes it, `[arch]`.
    pub type_name: String,
    /// Optional: left out where its value is absent.
    pub presence: Presence,
    /// Value where a rule binds none.
    pub default: Option<Value>,
}

/// Words from a body's root (or a subject's row) to a value. A list on the way is walked through element by element.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Path {
    /// Where it starts.
    pub root: Root,
    /// Member names.
    pub steps: Vec<String>,
    /// Before which steps a list stands, whose elements are each walked into.
    pub lists: Vec<u32>,
    /// Type of the value at its end; if a list was walked through, a list of what its elements hold.
    pub ty: Type,
    /// Optional if any step on the way is.
    pub presence: Presence,
}

/// Where a path starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Root {
    /// The message's body.
    Body,
    /// One element of the list of subjects.
    Subject,
    /// The body of a topic that no event declares: what has another type than the rule reads is absent.
    Raw,
}

/// A typed, named view of messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Name in the language.
    pub name: String,
    /// Its values.
    pub values: Vec<EventValue>,
    /// Ways in which it is told, tried in order.
    pub dialects: Vec<Dialect>,
}

/// A value of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventValue {
    /// Name in the language.
    pub name: String,
    /// Whether each subject has its own.
    pub scope: Scope,
}

/// One way in which an event is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dialect {
    /// Name in the language.
    pub name: String,
    /// Topics, without prefix and environment; `*` is one word, a trailing `#` any number of words.
    pub topics: Vec<String>,
    /// Holds only for messages that are this event.
    pub condition: Option<ExprId>,
    /// Paths that must be there for the dialect to fit.
    pub required: Vec<PathId>,
    /// The list whose elements are the subjects; none: the message itself is the only one.
    pub subjects: Option<Vec<String>>,
    /// An expression for each of the event's values; none: this dialect does not give it.
    pub values: Vec<Option<ExprId>>,
    /// What makes two messages tell of the same happening; all must be present.
    pub happening: Option<HappeningDef>,
}

/// A dialect's happening key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HappeningDef {
    /// Values of the key.
    pub key: Vec<ExprId>,
    /// How long messages still tell of the same.
    pub within_seconds: u64,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CompareOp {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// Which kind of missing is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Test {
    /// `has x`: present and not null.
    Has,
    /// `x is null`.
    IsNull,
    /// `x is absent`.
    IsAbsent,
}

/// How a quantifier judges the elements of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Quantifier {
    /// At least one.
    Any,
    /// Every one; true for an empty list.
    All,
    /// Not one; true for an empty list.
    None,
}

/// An expression. Its operands are earlier places in [`Graph::exprs`].
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub enum Expr {
    /// A literal.
    Const(Value),
    /// A value of the message, read through a dialect's path.
    Path(PathId),
    /// A value of the event, whichever dialect gives it: place in [`Event::values`].
    EventValue(u32),
    /// The element that the innermost-but-`n` quantifier is at.
    Bound(u32),
    /// A field of a record, by its place.
    Field(ExprId, u32),
    /// A part of a built-in type.
    Part(ExprId, Part),
    /// A record made of its fields in order; none: absent.
    MakeRecord(RecordId, Vec<Option<ExprId>>),
    /// A build's name from its name, version and release.
    MakeNvr([ExprId; 3]),
    /// A fact, with its key.
    Fact(u32, ExprId),
    /// The first if it is present, else the second.
    Else(ExprId, ExprId),
    /// A comparison of two values of one type.
    Compare(CompareOp, ExprId, ExprId),
    /// Is it one of these? The constants are sorted by the compiler.
    In(ExprId, Arc<[Value]>),
    /// Does a list hold it?
    InList(ExprId, ExprId),
    /// Does a glob match it as a whole? `*` is any text, `?` one character, `[ab]` one of them.
    Like(ExprId, String),
    /// Does a regular expression match somewhere in it?
    Matches(ExprId, String),
    /// Is it there?
    Test(Test, ExprId),
    /// The opposite.
    Not(ExprId),
    /// All of them. Expressions that need facts stand last.
    And(Vec<ExprId>),
    /// One of them. Expressions that need facts stand last.
    Or(Vec<ExprId>),
    /// A condition over the elements of a list, each bound in turn.
    Quantified(Quantifier, ExprId, ExprId),
    /// How many elements of a list hold a condition, each bound in turn; none: how many there are.
    Count(ExprId, Option<ExprId>),
}

/// A part of a built-in type's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Part {
    /// Of an nvr.
    Name,
    /// Of an nvr or evr.
    Version,
    /// Of an nvr or evr.
    Release,
    /// Of an nvr.
    Evr,
}

/// What a rule is judged on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Once for each message.
    Message,
    /// Once for each subject.
    Subject,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Stable name.
    pub name: String,
    /// Place in [`Graph::events`].
    pub event: u32,
    /// Whether it reads the subject.
    pub scope: Scope,
    /// When it fires; none: always.
    pub condition: Option<ExprId>,
    /// Axes of its matrix, in order.
    pub axes: Vec<Axis>,
    /// Combinations of the matrix that are left out: a value for each axis, none for any.
    pub except: Vec<Vec<Option<Value>>>,
    /// What it runs.
    pub actions: Vec<Action>,
    /// What admission does with its requests.
    pub clauses: Clauses,
}

/// A rule's windows and limits. The matcher only computes their keys: what has memory is admission's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Clauses {
    /// `once per KEY within DURATION`
    pub once: Option<Once>,
    /// `after DURATION quiet per KEY`
    pub quiet: Option<Quiet>,
    /// `at most N per DURATION`
    pub at_most: Option<AtMost>,
    /// `superseding per KEY`
    pub superseding: Option<Vec<ExprId>>,
    /// `limit N in group NAME`
    pub group: Option<GroupLimit>,
    /// `priority high`
    pub priority: Priority,
    /// `timeout DURATION`, in seconds: of the task's own command.
    pub timeout_seconds: Option<u64>,
}

/// The first message with a key goes through; further ones within the window do not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Once {
    /// Values of the key.
    pub key: Vec<ExprId>,
    /// From the message that went through.
    pub within_seconds: u64,
}

/// The last message with a key goes through when no other came for so long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quiet {
    /// Values of the key.
    pub key: Vec<ExprId>,
    /// How long nothing may come.
    pub for_seconds: u64,
}

/// No more runs of the rule in any such span; what exceeds it is held until there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtMost {
    /// Number of runs.
    pub runs: u32,
    /// The span.
    pub per_seconds: u64,
}

/// No more runs of the group at once, whichever rules asked for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLimit {
    /// Name of the group.
    pub name: String,
    /// Number of runs.
    pub runs: u32,
}

/// Which of the waiting runs goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of the language")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

/// One axis of a matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Its name.
    pub name: String,
    /// A list of values.
    pub list: ExprId,
}

/// One task of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Place in [`Graph::tasks`].
    pub task: u32,
    /// One for each parameter of the task.
    pub arguments: Vec<ArgumentSource>,
}

/// Where an argument's value comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ArgumentSource {
    /// An axis of the rule's matrix, by place.
    Axis(u32),
    /// An expression.
    Expr(ExprId),
    /// The parameter's default.
    Default,
}

/// Which events a topic may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopicPlan {
    /// The topic as dialects declare it, patterns included.
    pub topic: String,
    /// Events with a dialect on it, each once, in order.
    pub events: Vec<u32>,
}

/// Where a graph came from: files, places, and the order in which people wrote conditions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sources {
    /// Files with their text.
    pub files: Vec<SourceFile>,
    /// One for each rule of the graph.
    pub rules: Vec<RuleSource>,
}

/// A source file as compiled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceFile {
    /// As it was named to the compiler.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

/// A piece of a source file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Place in [`Sources::files`].
    pub file: u32,
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

/// Where a rule stands, and its condition as it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleSource {
    /// The whole rule.
    pub place: Place,
    /// Its `##` documentation.
    pub doc: String,
    /// The parts of its condition joined by `and`, in the order of the source.
    pub conjuncts: Vec<Conjunct>,
}

/// One part of a condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conjunct {
    /// The compiled part.
    pub expr: ExprId,
    /// Where it stands.
    pub place: Place,
    /// The values that it reads, as written.
    pub reads: Vec<(ExprId, Place)>,
}
