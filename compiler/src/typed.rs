//! The typed program: what the rules mean, as a tree.
//!
//! Comes in: built by `check`. Goes out: to `lower`, which makes the decision graph of it, and to the naive evaluator of the
//! tests, which judges it directly. Every name is resolved, every type known, every default and bare enum value in its place.

use taskbot_graph::{
    CompareOp, EnumDef, FactDef, Part, Path, Place, Presence, Quantifier, RecordDef, Scope, TaskDef, Test,
    Type, Value,
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
#[derive(Clone, Debug, PartialEq)]
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
    Path(Path),
    EventValue(usize),
    Bound(u32),
    Field(Box<TypedExpr>, u32),
    Part(Box<TypedExpr>, Part),
    MakeRecord(u32, Vec<Option<TypedExpr>>),
    MakeNvr(Box<[TypedExpr; 3]>),
    Fact(usize, Box<TypedExpr>),
    Else(Box<TypedExpr>, Box<TypedExpr>),
    Compare(CompareOp, Box<TypedExpr>, Box<TypedExpr>),
    In(Box<TypedExpr>, Vec<Value>),
    InList(Box<TypedExpr>, Box<TypedExpr>),
    Like(Box<TypedExpr>, String),
    Test(Test, Box<TypedExpr>),
    Not(Box<TypedExpr>),
    And(Vec<TypedExpr>),
    Or(Vec<TypedExpr>),
    Quantified(Quantifier, Box<TypedExpr>, Box<TypedExpr>),
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
            | TypedKind::Test(_, a)
            | TypedKind::Not(a) => visit(a),
            TypedKind::Else(a, b)
            | TypedKind::Compare(_, a, b)
            | TypedKind::InList(a, b)
            | TypedKind::Quantified(_, a, b) => {
                visit(a);
                visit(b);
            }
            TypedKind::MakeNvr(parts) => parts.iter().for_each(visit),
            TypedKind::MakeRecord(_, fields) => fields.iter().flatten().for_each(visit),
            TypedKind::And(parts) | TypedKind::Or(parts) => parts.iter().for_each(visit),
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
