//! Compiling, for the first time and again.
//!
//! Comes in: the texts of one's own .tb files, and manifests. Goes out: what the compiler makes of them. A `Compiler` remembers the last
//! program and does only what changed: of a file that changed the items that changed are parsed, and rules are checked and lowered
//! again where they, or any declaration, changed. The result is the same as that of a fresh compiler, byte for byte. What is remembered is
//! the last program, as it was given out, and its declarations' texts: no more than a small multiple of one program.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use taskbot_grammar::{self as tree, ItemKind, Kept, SyntaxError};
use taskbot_graph::{Place, SourceFile};

use crate::check::{self, Before, Checked};
use crate::diagnostic::{Diagnostic, Severity};
use crate::lower::{self, Lowered, Shared};
use crate::{Compiled, Manifest, Origin, Program, SourceText, analysis, imports, names, syntax};

/// A compiler that remembers what it compiled last.
#[derive(Debug, Default)]
pub struct Compiler {
    last: Option<Last>,
}

/// What is remembered of a program.
#[derive(Debug)]
struct Last {
    compiled: Compiled,
    /// For each file what of it could not be read.
    errors: Vec<Vec<SyntaxError>>,
    declarations: Declarations,
    /// How each rule of the program was checked.
    checked: Vec<Checked>,
    /// What it takes to lower it again, but for what was given out.
    lowered: Option<Lowered>,
}

impl Compiler {
    /// Compiles a program: the same result as that of `compile`, sooner if it is much like the last one.
    pub fn compile(&mut self, sources: &[SourceText], manifests: &[Manifest]) -> &Compiled {
        let last = self.last.take();
        &self.last.insert(build(last, sources, manifests)).compiled
    }
}

/// Compiles a program. Nothing is lowered if anything is an error.
pub fn compile(sources: &[SourceText], manifests: &[Manifest]) -> Compiled {
    build(None, sources, manifests).compiled
}

/// What rules are checked against. While it is the same, a rule that is the same means the same.
#[derive(Debug, Default, PartialEq)]
struct Declarations {
    manifests: Vec<Manifest>,
    /// Their texts in order. Of lets and facts also where they stand: their places become those of rules.
    items: Vec<(String, Option<Place>)>,
}

/// What was read of a file.
struct Read {
    tree: Arc<tree::File>,
    errors: Vec<SyntaxError>,
    /// Its place among the files of before, and which of its items are those of before.
    kept: Option<(usize, Kept)>,
}

/// The standard library's files, in the order of its modules: read once, however often something is compiled.
fn standard() -> &'static [(SourceFile, Arc<tree::File>)] {
    static FILES: OnceLock<Vec<(SourceFile, Arc<tree::File>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let files = taskbot_stdlib::modules().iter().map(|(name, text)| {
            let file = SourceFile { path: format!("std/{name}.tb"), text: (*text).to_owned() };
            (file, Arc::new(tree::parse(text).0))
        });
        files.collect()
    })
}

fn build(last: Option<Last>, sources: &[SourceText], manifests: &[Manifest]) -> Last {
    let own_from = standard().len();
    let mut remembered = last.map(Remembered::new);
    let files = files(sources);
    let read = files.iter().enumerate().map(|(at, file)| match standard().get(at) {
        Some((_, tree)) => Read { tree: Arc::clone(tree), errors: Vec::new(), kept: None },
        None => read_file(file, remembered.as_mut()),
    });
    let read: Vec<Read> = read.collect();

    let mut diagnostics = Vec::new();
    let mut unread = BTreeSet::new();
    for ((of, file), at) in read.iter().zip(&files).zip(0..).filter(|((of, _), _)| !of.errors.is_empty()) {
        unread.extend(tree::declared(&file.text));
        diagnostics.extend(of.errors.iter().map(|e| syntax::diagnostic(at, &file.text, e.clone())));
    }
    let origin = |at| if at < own_from { Origin::Standard } else { Origin::Own };
    let placed = read.iter().zip(0_u32..).zip(0..).map(|((of, place), at)| (place, origin(at), &*of.tree));
    let names = names::collect(placed, &mut diagnostics);
    let own = read.iter().zip(&files).zip(0..).skip(own_from);
    let declarations = declarations(own.map(|((of, file), at)| (at, file, &*of.tree)), manifests);
    let (before, lowered) =
        remembered.and_then(|remembered| remembered.before(&read, &declarations)).unwrap_or_default();
    imports::check(&names, &files, &mut diagnostics);
    let check::Typed { program, used_lets, checked, shared } =
        check::check(&names, manifests, before, &mut diagnostics);
    settle(&mut diagnostics, &files, &unread);

    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    let lowered = (!failed).then(|| lower(&program, &shared, &files, &checked, lowered));
    let mut lowered = lowered.filter(|lowered| {
        let before = diagnostics.len();
        analysis::loops(&program, &lowered.graph, &mut diagnostics);
        diagnostics.len() == before
    });
    let graph = lowered.as_mut().map(|lowered| std::mem::take(&mut lowered.graph));
    let parts = lowered.as_mut().map(|lowered| std::mem::take(&mut lowered.parts)).unwrap_or_default();
    let rules = names.rules.len();
    let origins = (0..files.len()).map(origin).collect();
    let (trees, errors) = read.into_iter().map(|of| (of.tree, of.errors)).unzip();
    let compiled = Compiled { files, rules, diagnostics, program, graph, trees, origins, used_lets, parts };
    Last { compiled, errors, declarations, checked, lowered }
}

/// Lowers a program; of one that was lowered before, what changed.
fn lower(
    program: &Program,
    shared: &Shared,
    files: &[SourceFile],
    checked: &[Checked],
    before: Option<Lowered>,
) -> Lowered {
    let again = before.and_then(|before| {
        let same = before.same(program, checked);
        before.again(program, shared, same)
    });
    let mut lowered = again.unwrap_or_else(|| lower::lower(program, shared));
    lowered.graph.sources.files = files.to_vec();
    lowered
}

/// Brings diagnostics into their order, and leaves out what another one has told.
fn settle(diagnostics: &mut Vec<Diagnostic>, files: &[SourceFile], unread: &BTreeSet<String>) {
    // What a declaration with a syntax error declares is not told to be unknown as well.
    let unknown = ["TB0201", "TB0202", "TB0204", "TB0206"];
    diagnostics
        .retain(|d| !unknown.contains(&d.code.id) || !unread.contains(text_at(files, d.primary.place)));
    // A let is looked into wherever it is used, and told of once.
    diagnostics.sort_by_key(|d| (d.primary.place.file, d.primary.place.start, d.code.id));
    diagnostics.dedup_by(|a, b| a.code.id == b.code.id && a.primary == b.primary && a.message == b.message);
}

fn text_at(files: &[SourceFile], place: Place) -> &str {
    let text = files.get(place.file as usize).map_or("", |file| file.text.as_str());
    text.get(place.start as usize..place.end as usize).unwrap_or_default()
}

/// One's own declarations.
fn declarations<'f>(
    own: impl Iterator<Item = (u32, &'f SourceFile, &'f tree::File)>,
    manifests: &[Manifest],
) -> Declarations {
    let mut items = Vec::new();
    for (file, source, tree) in own {
        for item in &tree.items {
            let place = match &item.kind {
                ItemKind::Rule(_) | ItemKind::Test(_) | ItemKind::Use(_) => continue,
                ItemKind::Let(_) | ItemKind::Fact(_) => {
                    Some(Place { file, start: item.span.start, end: item.span.end })
                }
                _ => None,
            };
            items.push((item.span.of(&source.text).to_owned(), place));
        }
    }
    Declarations { manifests: manifests.to_vec(), items }
}

/// All files of a program in their order: the standard library's, then one's own by path.
fn files(sources: &[SourceText]) -> Vec<SourceFile> {
    let mut own: Vec<&SourceText> = sources.iter().collect();
    own.sort_by(|a, b| a.path.cmp(&b.path));
    own.dedup_by(|a, b| a.path == b.path);
    let own = own.into_iter().map(|s| SourceFile { path: s.path.clone(), text: s.text.to_string() });
    standard().iter().map(|(file, _)| file.clone()).chain(own).collect()
}

/// Reads a file; of one that was read before, what changed.
fn read_file(file: &SourceFile, remembered: Option<&mut Remembered>) -> Read {
    let known = remembered.and_then(|remembered| remembered.files.remove(&file.path));
    let Some((at, text, tree, errors)) = known else {
        let (tree, errors) = tree::parse(&file.text);
        return Read { tree: Arc::new(tree), errors, kept: None };
    };
    if text == file.text {
        let kept = Kept { first: tree.items.len(), last: 0 };
        return Read { tree, errors, kept: Some((at, kept)) };
    }
    let (tree, errors, kept) = tree::parse_again(&text, (Arc::unwrap_or_clone(tree), errors), &file.text);
    Read { tree: Arc::new(tree), errors, kept: Some((at, kept)) }
}

/// The last program, ready to be taken apart.
struct Remembered {
    /// One's own files by path: place, text, tree, and what could not be read.
    files: BTreeMap<String, (usize, String, Arc<tree::File>, Vec<SyntaxError>)>,
    /// For each file, which of its items are rules.
    rules: Vec<Vec<usize>>,
    program: Program,
    checked: Vec<Checked>,
    lowered: Option<Lowered>,
    declarations: Declarations,
}

impl Remembered {
    fn new(last: Last) -> Self {
        let Last { compiled, errors, declarations, checked, mut lowered } = last;
        if let (Some(lowered), Some(graph)) = (&mut lowered, compiled.graph) {
            (lowered.graph, lowered.parts) = (graph, compiled.parts);
        }
        let rules = compiled.trees.iter().map(|tree| rules_of(tree)).collect();
        let files = compiled.files.into_iter().zip(compiled.trees).zip(errors).enumerate();
        let own = files.zip(compiled.origins).filter(|(_, origin)| *origin == Origin::Own);
        let files = own.map(|((at, ((file, tree), errors)), _)| (file.path, (at, file.text, tree, errors)));
        Self { files: files.collect(), rules, program: compiled.program, checked, lowered, declarations }
    }

    /// The rules that need not be checked again, and the lowered program; none if what they build on changed.
    fn before(self, read: &[Read], declarations: &Declarations) -> Option<(Before, Option<Lowered>)> {
        if self.declarations != *declarations {
            return None;
        }
        let firsts = self.rules.iter().scan(0_usize, |first, rules| {
            let of_file = *first;
            *first = first.saturating_add(rules.len());
            Some(of_file)
        });
        let firsts: Vec<usize> = firsts.collect();
        let mut places = Vec::new();
        for of in read {
            let known = of.kept.and_then(|(at, kept)| Some((kept, *firsts.get(at)?, self.rules.get(at)?)));
            let now = rules_of(&of.tree);
            let Some((kept, first, then)) = known else {
                places.extend(now.iter().map(|_| None));
                continue;
            };
            let kept_last = of.tree.items.len().saturating_sub(kept.last);
            let from_end = |at: usize| then.len().checked_sub(now.len().saturating_sub(at));
            places.extend(now.iter().enumerate().map(|(at, item)| match *item {
                item if item < kept.first => first.checked_add(at),
                item if item >= kept_last => from_end(at).and_then(|at| first.checked_add(at)),
                _ => None,
            }));
        }
        Some((Before::new(self.program.rules, self.checked, places), self.lowered))
    }
}

/// Which items are rules.
fn rules_of(tree: &tree::File) -> Vec<usize> {
    let rules = tree.items.iter().enumerate().filter(|(_, item)| matches!(item.kind, ItemKind::Rule(_)));
    rules.map(|(at, _)| at).collect()
}
