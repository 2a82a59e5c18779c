//! TB0613: the name of a package that does not exist.

use std::collections::BTreeSet;

use taskbot_grammar::{ExprKind, Fact, ItemKind};

use super::comparisons::{Comparison, Relation, Subject};
use super::{Context, Lint, separator_in_element};
use crate::diagnostic::{Diagnostic, TB0613};

pub(super) static LINT: Lint = Lint { code: &TB0613, check };

/// Findings that a close name is looked for; each look costs as much as there are names.
const SUGGESTED: usize = 100;
/// Shortest name that is looked for in a fused one: `R` is part of too many.
const PART_CHARS: usize = 2;

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let domains: Vec<(String, &BTreeSet<String>)> = domains(context);
    if domains.is_empty() {
        return;
    }
    let known = |name: &str| domains.iter().any(|(_, names)| names.contains(name));
    let facts: Vec<String> = domains.iter().map(|(fact, _)| format!("`{fact}`")).collect();
    let mut suggested: usize = 0;
    for comparison in context.comparisons.iter().filter(|c| names_packages(c)) {
        for literal in &comparison.literals {
            let fixed = comparison.relation != Relation::Glob || !literal.text.contains(['*', '?', '[']);
            let fused = separator_in_element::fused(comparison, literal.text).len() > 1;
            if !fixed || fused || known(literal.text) {
                continue;
            }
            let message =
                format!("there is no package `{}` among those of {}", literal.text, facts.join(", "));
            let diagnostic = Diagnostic::new(&TB0613, literal.place, message, "unknown package");
            suggested = suggested.saturating_add(1);
            found.push(match halves(literal.text, &known) {
                Some((a, b)) => {
                    let diagnostic = diagnostic
                        .help(format!("`{}` is `{a}` and `{b}` fused: write {a:?}, {b:?}", literal.text));
                    match comparison.relation {
                        Relation::OneOf => {
                            diagnostic.suggest(literal.place, format!("{a:?}, {b:?}"), crate::Safety::Unsafe)
                        }
                        _ => diagnostic,
                    }
                }
                None if suggested <= SUGGESTED => close(diagnostic, literal.text, &domains),
                None => diagnostic,
            });
        }
    }
}

fn names_packages(comparison: &Comparison<'_>) -> bool {
    comparison.subject == Subject::PackageName && comparison.relation != Relation::Regex
}

/// Facts about builds whose key is the package's name, with the names that have an answer.
fn domains<'c>(context: &Context<'c>) -> Vec<(String, &'c BTreeSet<String>)> {
    let items = context.compiled.trees.iter().flat_map(|tree| &tree.items);
    let facts = items.filter_map(|item| match &item.kind {
        ItemKind::Fact(fact) if is_by_name(fact) => Some(format!("{}.{}", fact.on.text, fact.name.text)),
        _ => None,
    });
    let facts: BTreeSet<String> = facts.collect();
    let known = facts.into_iter().filter_map(|fact| {
        let keys = context.domains.keys.get(&fact)?;
        Some((fact, keys))
    });
    known.collect()
}

fn is_by_name(fact: &Fact) -> bool {
    let ExprKind::Path(path) = &fact.key.kind else { return false };
    fact.on.text == "nvr" && matches!(path.as_slice(), [one] if one.text == "name")
}

/// Two known names that a text is made of.
fn halves<'t>(text: &'t str, known: &impl Fn(&str) -> bool) -> Option<(&'t str, &'t str)> {
    let cuts = text.char_indices().skip(PART_CHARS).map(|(at, _)| at);
    let mut halves = cuts.filter_map(|at| text.split_at_checked(at));
    halves.find(|(a, b)| b.chars().count() >= PART_CHARS && known(a) && known(b))
}

/// The closest of the names that begin alike.
fn close(diagnostic: Diagnostic, text: &str, domains: &[(String, &BTreeSet<String>)]) -> Diagnostic {
    let names = domains.iter().flat_map(|(_, names)| names.iter());
    let alike = names.filter(|name| name.len().abs_diff(text.len()) <= 3).map(String::as_str);
    let alike: Vec<&str> = alike.collect();
    match crate::diagnostic::closest(text, &alike) {
        Some(name) => {
            let place = diagnostic.primary.place;
            diagnostic.help(format!("did you mean {name:?}?")).suggest(
                place,
                format!("{name:?}"),
                crate::Safety::Unsafe,
            )
        }
        None => {
            diagnostic.help("write a name that exists; if it is a new package, the table of facts lacks it")
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
    use crate::lint::tests::linted;
    use crate::{Diagnostic, Domains};

    fn found(condition: &str) -> Vec<Diagnostic> {
        let names = ["kernel", "glibc", "bash", "R", "python3-requests"].map(str::to_owned);
        let domains = Domains { keys: [("nvr.lang".to_owned(), names.into())].into() };
        linted(&format!("on koji.build.completed where {condition} run rpmlint"), &domains)
    }

    #[test]
    fn a_name_that_no_package_has_is_told() {
        let fused = found("package.name in [\"bash\", \"kernelglibc\"]");
        assert_eq!(fused.len(), 1);
        assert!(fused[0].help.as_deref().unwrap().contains("`kernelglibc` is `kernel` and `glibc` fused"));
        assert_eq!(fused[0].suggestion.as_ref().unwrap().text, "\"kernel\", \"glibc\"");
        let close = found("package.name == \"kernle\"");
        assert_eq!(close[0].suggestion.as_ref().unwrap().text, "\"kernel\"");
        assert_eq!(found("package.name like \"glibcx\"").len(), 1);
        assert_eq!(found("package.name == \"something-else-entirely\"").len(), 1);
    }

    #[test]
    fn known_names_patterns_and_other_values_are_not() {
        assert_eq!(found("package.name in [\"bash\", \"kernel\"] or package.name like \"x*\""), []);
        assert_eq!(found("package.version == \"kernle\" or package.name matches r\"^kernle[0-9]$\""), []);
        assert_eq!(
            linted("on koji.build.completed where package.name == \"x\" run rpmlint", &Domains::default()),
            []
        );
    }
}
