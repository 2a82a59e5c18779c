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
mod suppress;
mod syntax;
mod typed;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use taskbot_grammar as tree;
use taskbot_graph::{Graph, Place, SourceFile};

pub use analysis::{Beside, RuleOf, Witness, witness};
pub use diagnostic::{CODES, Code, Diagnostic, Label, Level, Safety, Severity, Suggestion, closest};
pub use imports::imports;
pub use lint::{Domains, lint};
pub use select::{Levels, Selection, UnknownCode, WrongLevel, code, select};
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

/// A file's tree, and what of it could not be read.
type Parsed = (Arc<tree::File>, Vec<tree::SyntaxError>);

fn parsed_of(text: &str) -> Parsed {
    let (tree, errors) = tree::parse(text);
    (Arc::new(tree), errors)
}

/// The standard library's files, in the order of its modules: read once, however often something is compiled.
fn standard_trees() -> &'static [Parsed] {
    static TREES: OnceLock<Vec<Parsed>> = OnceLock::new();
    TREES.get_or_init(|| taskbot_stdlib::modules().iter().map(|(_, text)| parsed_of(text)).collect())
}

/// Compiles a program. Nothing is lowered if anything is an error.
pub fn compile(sources: &[SourceText], manifests: &[Manifest]) -> Compiled {
    let standard = taskbot_stdlib::modules()
        .iter()
        .map(|(name, text)| SourceFile { path: format!("std/{name}.tb"), text: (*text).to_owned() });
    let mut own: Vec<&SourceText> = sources.iter().collect();
    own.sort_by(|a, b| a.path.cmp(&b.path));
    own.dedup_by(|a, b| a.path == b.path);
    let mut files: Vec<SourceFile> = standard.collect();
    let own_from = files.len();
    files.extend(own.into_iter().map(|s| SourceFile { path: s.path.clone(), text: s.text.clone() }));

    let mut diagnostics = Vec::new();
    let mut declared = BTreeSet::new();
    let mut trees: Vec<Arc<tree::File>> = Vec::with_capacity(files.len());
    let mut parsed = standard_trees().iter().cloned();
    for (file, at) in files.iter().zip(0..) {
        let (tree, errors) = parsed.next().unwrap_or_else(|| parsed_of(&file.text));
        if !errors.is_empty() {
            declared.extend(tree::declared(&file.text));
        }
        diagnostics.extend(errors.into_iter().map(|e| syntax::diagnostic(at, &file.text, e)));
        trees.push(tree);
    }
    let placed = trees.iter().enumerate().map(|(at, tree)| {
        let origin = if at < own_from { Origin::Standard } else { Origin::Own };
        (u32::try_from(at).unwrap_or(u32::MAX), origin, &**tree)
    });
    let names = names::collect(placed, &mut diagnostics);
    imports::check(&names, &files, &mut diagnostics);
    let (program, used_lets) = check::check(&names, manifests, &mut diagnostics);
    // What a declaration with a syntax error declares is not told to be unknown as well.
    let unknown = ["TB0201", "TB0202", "TB0204", "TB0206"];
    diagnostics
        .retain(|d| !unknown.contains(&d.code.id) || !declared.contains(text_at(&files, d.primary.place)));
    // A let is looked into wherever it is used, and told of once.
    diagnostics.sort_by_key(|d| (d.primary.place.file, d.primary.place.start, d.code.id));
    diagnostics.dedup_by(|a, b| a.code.id == b.code.id && a.primary == b.primary && a.message == b.message);

    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    let lowered = (!failed).then(|| lower::lower(&program, files.clone()));
    let (graph, parts) = lowered.map_or((None, Vec::new()), |(graph, parts)| (Some(graph), parts));
    let graph = graph.filter(|graph| {
        let before = diagnostics.len();
        analysis::loops(&program, graph, &mut diagnostics);
        diagnostics.len() == before
    });
    let rules = names.rules.len();
    let origin = |at| if at < own_from { Origin::Standard } else { Origin::Own };
    let origins = (0..files.len()).map(origin).collect();
    Compiled { files, rules, diagnostics, program, graph, trees, origins, used_lets, parts }
}

fn text_at(files: &[SourceFile], place: Place) -> &str {
    let text = files.get(place.file as usize).map_or("", |file| file.text.as_str());
    text.get(place.start as usize..place.end as usize).unwrap_or_default()
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
