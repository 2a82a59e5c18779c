//! The syntax tree: what stands in a .tb file, with the place of everything.
//!
//! Comes in: built by `parse`. Goes out: to the compiler and the formatter. Names are not resolved and nothing is checked:
//! `C` may be an enum's value or an event's, `X` a task or nothing.
//!
//! A program is mostly names and texts. Names are [`SmolStr`]: nearly all of them fit into it, without memory of their own. Texts are
//! shared with what is made of them.

use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::SmolStr;

/// A range of bytes of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Span {
    /// From byte offsets; files are refused beyond 4 GiB long before.
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(end) }
    }

    /// The text at this place; empty if the place is not in it.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// From the first byte of one to the last of the other.
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// What is wrong with a text, for the compiler's registry to give it a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: SyntaxErrorKind,
}

/// Kinds of syntax errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyntaxErrorKind {
    /// Characters that begin nothing.
    Unreadable,
    /// A string without its closing quote.
    OpenString,
    /// Brackets nested deeper than [`crate::NESTING_LIMIT`].
    TooDeep,
    /// A closing bracket without its opening one, or of another kind than the one at this place.
    WrongBracket(Option<Span>),
    /// An opening bracket without its closing one.
    Unclosed,
    /// Text that belongs to no item.
    NoItem(String),
    /// Another word was expected here.
    Unexpected {
        /// What stands here; empty at the end of the item.
        found: String,
        /// What could stand here, in words.
        expected: Vec<&'static str>,
    },
    /// A number that does not fit into 64 bits.
    NumberTooLarge,
    /// A backslash in a string before something that needs none.
    BadEscape,
    /// The parser gave up: the item is far too large.
    TooLarge,
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Items in order.
    pub items: Vec<Item>,
}

/// A name and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name; for an event all its words with dots.
    pub text: SmolStr,
    /// Where.
    pub span: Span,
}

/// The names of a path: mostly one.
pub type Names = SmallVec<[Name; 1]>;

/// A declaration or rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The whole item.
    pub span: Span,
    /// The `##` lines before it.
    pub doc: String,
    /// What it is.
    pub kind: ItemKind,
}

/// Kinds of items.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `on EVENT ... run TASK`
    Rule(Rule),
    /// `event`
    Event(Event),
    /// `record`
    Record(Record),
    /// `enum`
    Enum(Enum),
    /// `fact`
    Fact(Fact),
    /// `task`
    Task(Task),
    /// `let`
    Let(Let),
    /// `use`: the path, beside the file that holds it.
    Use(Name),
    /// `test`
    Test(Test),
}

/// `let NAME = VALUE`: a value, list or condition, looked up where it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// Its name.
    pub name: Name,
    /// What it stands for.
    pub value: Expr,
}

/// `test "NAME" given ... with ... expect ...`
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// What it shows.
    pub name: Name,
    /// The event that the message is to be.
    pub event: Name,
    /// The message's topic, where the event has several.
    pub topic: Option<Name>,
    /// The message.
    pub given: Given,
    /// Facts that it sets.
    pub facts: Vec<WithFact>,
    /// What is to come of it, at least one.
    pub expects: Vec<Expect>,
}

/// The message of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// `from "FILE"`, beside the file that holds the test.
    File(Name),
    /// A literal body as JSON text.
    Json(Name),
}

/// `with PATH [for "KEY"] = VALUE`
#[derive(Clone, Debug, PartialEq)]
pub struct WithFact {
    /// The fact, as a rule reads it.
    pub path: Expr,
    /// For which key alone.
    pub key: Option<Name>,
    /// Its answer; none: there is no such key.
    pub value: Option<Expr>,
}

/// What a test expects.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// The whole line.
    pub span: Span,
    /// What it is.
    pub kind: ExpectKind,
}

/// Kinds of expectations.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpectKind {
    /// A run with these arguments, among others that are not named.
    Run(Call),
    /// No such run.
    NoRun(Call),
    /// No run at all.
    Nothing,
    /// No run that is not expected.
    NothingElse,
    /// The message does not fit its event's shape.
    Quarantine,
}

/// What a rule waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Waits {
    /// A declared event.
    Event(Name),
    /// Messages of a topic that no event declares.
    Topic(Name),
}

impl Waits {
    /// The event's name or the topic.
    pub const fn name(&self) -> &Name {
        match self {
            Self::Event(name) | Self::Topic(name) => name,
        }
    }
}

/// `[rule NAME] on EVENT [where CONDITION] run T, U(...) [for x in xs ...] [except ...] [clauses]`
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The written name.
    pub name: Option<Name>,
    /// The event or topic.
    pub event: Waits,
    /// The condition.
    pub condition: Option<Expr>,
    /// The tasks.
    pub calls: Vec<Call>,
    /// The axes of the matrix.
    pub axes: Vec<AxisDecl>,
    /// Combinations left out; in each, none stands for `_`.
    pub except: Vec<(Span, Vec<Option<Expr>>)>,
    /// Windows and limits, as written.
    pub clauses: Vec<Clause>,
}

/// A window or limit of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// The whole clause.
    pub span: Span,
    /// What it is.
    pub kind: ClauseKind,
}

/// Kinds of clauses; durations in milliseconds.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant quotes its clause")]
pub enum ClauseKind {
    /// `once per KEY within DURATION`
    Once { key: Vec<Expr>, within_ms: u64 },
    /// `after DURATION quiet per KEY`
    Quiet { for_ms: u64, key: Vec<Expr> },
    /// `at most N per DURATION`
    AtMost { runs: i64, per_ms: u64 },
    /// `superseding per KEY`
    Superseding { key: Vec<Expr> },
    /// `limit N in group NAME`
    Group { runs: i64, name: Name },
    /// `priority WORD`
    Priority(Name),
    /// `timeout DURATION`
    Timeout(u64),
    /// `may loop`
    MayLoop,
}

impl ClauseKind {
    /// The word by which people call it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Once { .. } => "once",
            Self::Quiet { .. } => "after",
            Self::AtMost { .. } => "at most",
            Self::Superseding { .. } => "superseding",
            Self::Group { .. } => "limit",
            Self::Priority(_) => "priority",
            Self::Timeout(_) => "timeout",
            Self::MayLoop => "may loop",
        }
    }
}

/// `TASK(name: value, ...)`
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The task.
    pub task: Name,
    /// Written arguments.
    pub arguments: Vec<(Name, Expr)>,
}

/// `for NAME in LIST`
#[derive(Clone, Debug, PartialEq)]
pub struct AxisDecl {
    /// The axis.
    pub name: Name,
    /// A list or a path.
    pub source: Expr,
}

/// `event NAME { values and dialects }`
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its dotted name.
    pub name: Name,
    /// Its values.
    pub values: Vec<ValueDecl>,
    /// Its dialects.
    pub dialects: Vec<Dialect>,
    /// What to use instead, if it is no longer to be used.
    pub deprecated: Option<Name>,
}

/// `[each] NAME: TYPE`
#[derive(Clone, Debug, PartialEq)]
pub struct ValueDecl {
    /// Documentation.
    pub doc: String,
    /// Whether it differs from subject to subject.
    pub varies: Varies,
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeExpr,
}

/// Whether an event's value belongs to the message or to each subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Varies {
    /// One value for the message.
    Message,
    /// One for each subject: `each`.
    Subject,
}

/// `dialect NAME { ... }`
#[derive(Clone, Debug, PartialEq)]
pub struct Dialect {
    /// Its name.
    pub name: Name,
    /// Documentation.
    pub doc: String,
    /// Topics with their places.
    pub topics: Vec<Name>,
    /// Conditions, all of which must hold.
    pub conditions: Vec<Expr>,
    /// Shape of the body.
    pub body: Vec<Field>,
    /// `each b in list`
    pub subjects: Option<(Name, Expr)>,
    /// `happening a, b within 24h`
    pub happening: Option<HappeningDecl>,
    /// Definitions of values.
    pub values: Vec<(Name, ValueExpr)>,
    /// What to use instead of its topics, if they are no longer to be used.
    pub deprecated: Option<Name>,
}

/// `happening PATH, ... within DURATION`
#[derive(Clone, Debug, PartialEq)]
pub struct HappeningDecl {
    /// The whole clause.
    pub span: Span,
    /// The key.
    pub key: Vec<Expr>,
    /// Milliseconds.
    pub within_ms: u64,
}

/// The right side of a value's definition.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueExpr {
    /// An expression.
    Expr(Expr),
    /// A record, field by field.
    Record(Span, Vec<(Name, Expr)>),
}

/// `NAME: TYPE` of a record or of a body's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Documentation.
    pub doc: String,
    /// Its name; quoted in the source if it is no word.
    pub name: Name,
    /// Its type.
    pub ty: TypeExpr,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// The whole type.
    pub span: Span,
    /// What it is.
    pub kind: TypeKind,
    /// Whether `?` follows.
    pub optional: Optional,
}

/// Whether a value may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optional {
    /// It must be there.
    No,
    /// It may be absent or null.
    Yes,
}

/// Kinds of types.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// A built-in type, enum or record.
    Named(String),
    /// `[T]`
    List(Box<TypeExpr>),
    /// `{ fields }`, only in bodies.
    Shape(Vec<Field>),
}

/// `record NAME { fields, identity }`
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its name.
    pub name: Name,
    /// Its fields.
    pub fields: Vec<Field>,
    /// `identity a else b`
    pub identity: Vec<Name>,
}

/// `enum NAME { values }`
#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    /// Its name.
    pub name: Name,
    /// Its values.
    pub values: Vec<Name>,
}

/// `fact TYPE.NAME: TYPE { key PATH }`
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// The type that it is about.
    pub on: Name,
    /// Its name.
    pub name: Name,
    /// Type of the answer.
    pub ty: TypeExpr,
    /// The key, read from a value of the type.
    pub key: Expr,
}

/// `task NAME { parameters, repository, emits }`
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its name.
    pub name: Name,
    /// Its inputs.
    pub params: Vec<ParamDecl>,
    /// Its repository, and what to take of it.
    pub repository: Option<(StaticText, Option<StaticText>)>,
    /// Events that it may cause.
    pub emits: Vec<Name>,
}

/// What must be a literal, because it decides what is executed.
#[derive(Clone, Debug, PartialEq)]
pub enum StaticText {
    /// It is one.
    Literal(Name),
    /// A path stands there.
    Path(Expr),
}

/// `NAME: TYPE [= DEFAULT]`
#[derive(Clone, Debug, PartialEq)]
pub struct ParamDecl {
    /// Documentation.
    pub doc: String,
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeExpr,
    /// Its default.
    pub default: Option<Expr>,
}

/// An expression and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// The whole expression.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the operators of every language")]
pub enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// `null` or `absent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There, and null.
    Null,
    /// Not there.
    Absent,
}

/// Words that judge the elements of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// At least one.
    Any,
    /// Every one.
    All,
    /// Not one.
    None,
}

/// Kinds of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// true, false
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A string with its escapes resolved.
    Text(Arc<str>),
    /// A duration in milliseconds.
    Duration(u64),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `a.b."c d"`: names, or a bare value of an enum.
    Path(Names),
    /// `nvr(name: a, version: b, release: c)`
    Apply(Name, Vec<(Name, Expr)>),
    /// `a else b`
    Else(Box<Expr>, Box<Expr>),
    /// `a == b`
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    /// `a in b`
    In(Box<Expr>, Box<Expr>),
    /// `a like "glob"`
    Like(Box<Expr>, Name),
    /// `a matches r"regex"`
    Matches(Box<Expr>, Name),
    /// `has a`
    Has(Box<Expr>),
    /// `a is null`, `a is absent`
    Is(Box<Expr>, Missing),
    /// `not a`
    Not(Box<Expr>),
    /// `a and b and c`
    And(Vec<Expr>),
    /// `a or b or c`
    Or(Vec<Expr>),
    /// `(any x in list where condition)`
    Quantified {
        /// The word.
        quantifier: Quantifier,
        /// The bound name.
        name: Name,
        /// The list.
        list: Box<Expr>,
        /// The condition on each element.
        condition: Box<Expr>,
    },
    /// `count(x in list where condition)`
    Count {
        /// The bound name.
        name: Name,
        /// The list.
        list: Box<Expr>,
        /// The condition on each element; none: all count.
        condition: Option<Box<Expr>>,
    },
}
