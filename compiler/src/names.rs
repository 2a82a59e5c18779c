//! Names: what is declared where.
//!
//! Comes in: the trees of all files, one's own and the standard library's. Goes out: for each name its declaration. One's own
//! declaration takes the place of the standard library's; two of one origin are an error. It looks at no type and no rule.

use std::collections::BTreeMap;

use taskbot_grammar::{self as tree, ItemKind, Name, Span};
use taskbot_graph::Place;

use crate::Origin;
use crate::diagnostic::{Diagnostic, TB0208};

/// An item and the file that holds it.
pub(crate) struct Placed<'t, T> {
    pub(crate) file: u32,
    pub(crate) origin: Origin,
    pub(crate) item: &'t tree::Item,
    pub(crate) node: &'t T,
}

impl<T> Clone for Placed<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Placed<'_, T> {}

impl<T> Placed<'_, T> {
    pub(crate) fn place(&self, span: Span) -> Place {
        Place { file: self.file, start: span.start, end: span.end }
    }
}

pub(crate) type Table<'t, T> = BTreeMap<String, Placed<'t, T>>;

/// Every declaration by its name, and all rules, tests and imports in order.
#[derive(Default)]
pub(crate) struct Names<'t> {
    pub(crate) enums: Table<'t, tree::Enum>,
    pub(crate) records: Table<'t, tree::Record>,
    pub(crate) facts: Table<'t, tree::Fact>,
    pub(crate) tasks: Table<'t, tree::Task>,
    pub(crate) events: Table<'t, tree::Event>,
    pub(crate) lets: Table<'t, tree::Let>,
    pub(crate) rules: Vec<Placed<'t, tree::Rule>>,
    pub(crate) imports: Vec<Placed<'t, Name>>,
    pub(crate) tests: Vec<Placed<'t, tree::Test>>,
}

/// Files in order, standard library first.
pub(crate) fn collect<'t>(
    files: impl Iterator<Item = (u32, Origin, &'t tree::File)>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Names<'t> {
    let mut names = Names::default();
    for (file, origin, tree) in files {
        for item in &tree.items {
            let at = Declared { file, origin, item };
            match &item.kind {
                ItemKind::Rule(node) => names.rules.push(Placed { file, origin, item, node }),
                ItemKind::Use(node) => names.imports.push(Placed { file, origin, item, node }),
                ItemKind::Test(node) => names.tests.push(Placed { file, origin, item, node }),
                ItemKind::Let(node) => at.declare(&mut names.lets, node, &node.name, diagnostics),
                ItemKind::Enum(node) => at.declare(&mut names.enums, node, &node.name, diagnostics),
                ItemKind::Record(node) => at.declare(&mut names.records, node, &node.name, diagnostics),
                ItemKind::Task(node) => at.declare(&mut names.tasks, node, &node.name, diagnostics),
                ItemKind::Event(node) => at.declare(&mut names.events, node, &node.name, diagnostics),
                ItemKind::Fact(node) => {
                    let name = Name {
                        text: format!("{}.{}", node.on.text, node.name.text).into(),
                        span: node.on.span.to(node.name.span),
                    };
                    at.declare(&mut names.facts, node, &name, diagnostics);
                }
            }
        }
    }
    names
}

struct Declared<'t> {
    file: u32,
    origin: Origin,
    item: &'t tree::Item,
}

impl<'t> Declared<'t> {
    fn declare<T>(
        &self,
        table: &mut Table<'t, T>,
        node: &'t T,
        name: &Name,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let placed = Placed { file: self.file, origin: self.origin, item: self.item, node };
        if let Some(known) = table.get(name.text.as_str())
            && known.origin == self.origin
        {
            let message = format!("`{}` is declared twice", name.text);
            let diagnostic =
                Diagnostic::new(&TB0208, placed.place(name.span), message, "the second declaration")
                    .other(known.place(known.item.span), "the first one")
                    .help("remove one, or give it another name");
            return diagnostics.push(diagnostic);
        }
        table.insert(name.text.to_string(), placed);
    }
}
