//! The compiler: syntax trees to names to types to the decision graph.
//!
//! Comes in: the texts of one's own .tb files, and the manifests of tasks that are at hand. Goes out: all diagnostics at once,
//! and if none of them is an error the typed program and its graph. The standard library is always part of a program. It is
//! pure: it reads no file, knows no clock, and the same input gives the same bytes whatever the order of files.
#![forbid(unsafe_code)]

mod analysis;
mod check;
mod diagnostic;
mod hints;
mod imports;
mod lint;
mod lower;
mod names;
mod select;
mod session;
mod suppress;
mod syntax;
mod typed;

use std::collections::BTreeSet;
use std::sync::Arc;

use taskbot_grammar as tree;
use taskbot_graph::{Graph, SourceFile};

pub use analysis::{Beside, RuleOf, Witness, witness};
pub use diagnostic::{CODES, Code, Diagnostic, Label, Level, Safety, Severity, Suggestion, closest};
pub use imports::imports;
pub use lint::{Domains, lint};
pub use select::{Levels, Selection, UnknownCode, WrongLevel, code, select};
pub use session::{Compiler, compile};
pub use typed::{
    Looping, Program, TestFact, TestMessage, TypedArgument, TypedClauses, TypedDialect, TypedEvent,
    TypedExpect, TypedExpectKind, TypedExpr, TypedKind, TypedRule, TypedTest, TypedValue, TypedWindow,
};

/// The text of one .tb file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// As it is named in diagnostics.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The inputs that a task's manifest takes, for comparison with its declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The standard task whose repository holds it.
    pub task: String,
    /// Its inputs in order.
    pub inputs: Vec<ManifestInput>,
}

/// One input as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestInput {
    /// Its name.
    pub name: String,
    /// Its type, as the manifest writes it.
    pub ty: String,
    /// Whether it has a default, so that a declaration may leave it out.
    pub needed: Needed,
}

/// Whether an input must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// It has no default.
    Yes,
    /// It has one.
    No,
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Embedded.
    Standard,
    /// The user's.
    Own,
}

/// What compiling gives.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// All files, in the order that places refer to: the standard library's, then one's own by path.
    pub files: Vec<SourceFile>,
    /// Number of rules in one's own files, right and wrong ones.
    pub rules: usize,
    /// Everything that is wrong, by place.
    pub diagnostics: Vec<Diagnostic>,
    /// The typed program, as far as it is right.
    pub program: Program,
    /// The graph; none if one diagnostic is an error.
    pub graph: Option<Graph>,
    /// The tree of each file.
    pub(crate) trees: Vec<Arc<tree::File>>,
    /// Whose each file is.
    pub(crate) origins: Vec<Origin>,
    /// Lets that something reads.
    pub(crate) used_lets: BTreeSet<String>,
    /// For each rule of the graph the parts of its condition.
    pub(crate) parts: Vec<lower::Parts>,
}

/// Everything that is found in a program: what is wrong, lints, and what is wrong with suppressions, by place. What is off or
/// suppressed is there as well: `select` chooses.
pub fn findings(compiled: &Compiled, domains: &Domains) -> Vec<Diagnostic> {
    let mut found = compiled.diagnostics.clone();
    found.extend(lint(compiled, domains));
    suppress::apply(compiled, &mut found);
    found.sort_by_key(|d| (d.primary.place.file, d.primary.place.start, d.code.id));
    found
}
