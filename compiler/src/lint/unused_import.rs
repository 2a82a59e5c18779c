//! TB0615: a `use` of a file that the using file needs nothing of.

use std::collections::{BTreeMap, BTreeSet};

use taskbot_grammar::{Item, ItemKind, TokenKind, tokens};

use super::{Context, Lint, place};
use crate::Origin;
use crate::diagnostic::{Diagnostic, TB0615};
use crate::imports::beside;

pub(super) static LINT: Lint = Lint { code: &TB0615, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let files = context.compiled.files.iter().zip(0..);
    let by_path: BTreeMap<&str, u32> = files.map(|(file, at)| (file.path.as_str(), at)).collect();
    let uses = Uses { context, by_path };
    let standard = uses.standard();
    for (file, tree) in context.own_trees() {
        let mut words: Option<BTreeSet<&str>> = None;
        for item in &tree.items {
            let ItemKind::Use(path) = &item.kind else { continue };
            let Some(used) = uses.file(file, &path.text) else { continue };
            let mut offered = Offered::default();
            uses.collect(used, &mut BTreeSet::from([file]), &mut offered);
            let words = words.get_or_insert_with(|| words_of(context, file));
            // What takes the place of a declaration of the standard library is read wherever that was.
            let read = |name: &String| {
                let written =
                    words.contains(name.as_str()) || name.split('.').all(|word| words.contains(word));
                written || standard.contains(name)
            };
            if offered.acts == Acts::No && !offered.names.iter().any(read) {
                let message = format!("nothing of {:?} is read here", path.text);
                let diagnostic = Diagnostic::new(&TB0615, place(file, path.span), message, "unused")
                    .help("remove the line, or move it to the file that needs it");
                found.push(diagnostic);
            }
        }
    }
}

/// Whether a file does something by being part of the program.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Acts {
    /// It only declares.
    #[default]
    No,
    /// It has rules or tests.
    Yes,
}

/// What a file, and the files that it uses, are good for.
#[derive(Default)]
struct Offered {
    acts: Acts,
    names: BTreeSet<String>,
}

struct Uses<'u, 'c> {
    context: &'u Context<'c>,
    by_path: BTreeMap<&'c str, u32>,
}

impl Uses<'_, '_> {
    /// The file that a `use` of another file means.
    fn file(&self, from: u32, path: &str) -> Option<u32> {
        let from = self.context.compiled.files.get(from as usize)?;
        self.by_path.get(beside(&from.path, path)?.as_str()).copied()
    }

    fn collect(&self, file: u32, seen: &mut BTreeSet<u32>, offered: &mut Offered) {
        if !seen.insert(file) {
            return;
        }
        let Some(tree) = self.context.compiled.trees.get(file as usize) else { return };
        for item in &tree.items {
            match &item.kind {
                ItemKind::Rule(_) | ItemKind::Test(_) => offered.acts = Acts::Yes,
                ItemKind::Use(path) => {
                    if let Some(used) = self.file(file, &path.text) {
                        self.collect(used, seen, offered);
                    }
                }
                _ => offered.names.extend(declared(item)),
            }
        }
    }

    /// Names that the standard library declares.
    fn standard(&self) -> BTreeSet<String> {
        let compiled = self.context.compiled;
        let files = compiled.trees.iter().zip(&compiled.origins);
        let standard = files.filter(|(_, origin)| **origin == Origin::Standard);
        standard
            .flat_map(|(tree, _)| &tree.items)
            .filter(|item| !matches!(item.kind, ItemKind::Rule(_)))
            .filter_map(|item| declared(item).into_iter().next())
            .collect()
    }
}

/// The names that an item gives to others: its own first, then an enum's values.
fn declared(item: &Item) -> Vec<String> {
    match &item.kind {
        ItemKind::Event(event) => vec![event.name.text.to_string()],
        ItemKind::Record(record) => vec![record.name.text.to_string()],
        ItemKind::Task(task) => vec![task.name.text.to_string()],
        ItemKind::Let(named) => vec![named.name.text.to_string()],
        ItemKind::Fact(fact) => vec![fact.name.text.to_string()],
        ItemKind::Enum(of) => {
            [&of.name].into_iter().chain(&of.values).map(|name| name.text.to_string()).collect()
        }
        ItemKind::Rule(_) | ItemKind::Use(_) | ItemKind::Test(_) => Vec::new(),
    }
}

/// Every word that a file writes, also in strings: `"C++"` may be an enum's value.
fn words_of<'c>(context: &Context<'c>, file: u32) -> BTreeSet<&'c str> {
    let text = context.compiled.files.get(file as usize).map_or("", |file| file.text.as_str());
    let written = tokens(text).into_iter().filter(|token| !token.kind.is_trivia());
    let words = written.map(|token| match token.kind {
        TokenKind::Word | TokenKind::Number => token.span.of(text),
        _ => token.span.of(text).trim_matches('"'),
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "tests")]
    use crate::{Domains, SourceText, compile, lint};

    fn codes(files: &[(&str, &str)]) -> Vec<(String, &'static str)> {
        let sources =
            files.iter().map(|(path, text)| SourceText { path: (*path).into(), text: (*text).into() });
        let compiled = compile(&sources.collect::<Vec<_>>(), &[]);
        assert_eq!(compiled.diagnostics, []);
        let found = lint(&compiled, &Domains::default());
        found
            .iter()
            .filter(|d| d.code.id == "TB0615")
            .map(|d| (compiled.files[d.primary.place.file as usize].path.clone(), d.code.id))
            .collect()
    }

    const LETS: (&str, &str) = ("lets.tb", "let ours = [\"kernel\"]");
    const RULE: &str = "on koji.build.completed where package.name in ours run rpmlint";

    #[test]
    fn a_file_that_is_read_elsewhere_only_is_unused_here() {
        let (a, b) =
            (format!("use \"lets.tb\"\n{RULE}"), "use \"lets.tb\"\non bodhi.update.testing run rpmlint");
        assert_eq!(codes(&[LETS, ("a.tb", &a), ("b.tb", b)]), [("b.tb".to_owned(), "TB0615")]);
    }

    #[test]
    fn what_is_read_through_another_file_or_acts_by_itself_is_used() {
        let a = format!("use \"all.tb\"\n{RULE}");
        assert_eq!(
            codes(&[LETS, ("all.tb", "use \"lets.tb\"\non bodhi.update.testing run rpmlint"), ("a.tb", &a)]),
            [("all.tb".to_owned(), "TB0615")]
        );
        assert_eq!(
            codes(&[("more.tb", "on bodhi.update.testing run rpmlint"), ("a.tb", "use \"more.tb\"")]),
            []
        );
        let task = ("task.tb", "task rpmlint { package: nvr\n repository \"https://example.org/t.git\" }");
        assert_eq!(codes(&[task, ("a.tb", "use \"task.tb\"\non bodhi.update.stable run depcheck")]), []);
        let colour = (
            "colour.tb",
            "enum colour { red \"dark red\" }\ntask t { c: colour repository \"https://example.org/t.git\" }",
        );
        assert_eq!(
            codes(&[colour, ("a.tb", "use \"colour.tb\"\non bodhi.update.stable run t(c: \"dark red\")")]),
            []
        );
    }
}
