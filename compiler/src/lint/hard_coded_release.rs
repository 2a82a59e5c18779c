//! TB0609: a release that stands in a rule itself.

use regex_syntax::hir::literal::Extractor;

use super::comparisons::{Comparison, Relation, Subject, Written};
use super::{Context, Lint};
use crate::diagnostic::{Diagnostic, TB0609};

pub(super) static LINT: Lint = Lint { code: &TB0609, check };

/// Texts that a pattern may stand for and still be called a few releases.
const FEW: usize = 5;
/// Words of a path that say that its value is, or holds, a release.
const RELEASE_WORDS: [&str; 7] = ["release", "tag", "branch", "target", "dist", "version", "repo"];

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for comparison in context.comparisons.iter().filter(|comparison| is_release(comparison)) {
        let literals = comparison.literals.iter().filter(|literal| literal.written == Written::Rule);
        let release = literals.filter_map(|literal| {
            let release = match comparison.relation {
                Relation::Regex => of_regex(literal.text)?,
                Relation::Glob => of_glob(literal.text)?,
                _ => release(literal.text, Text::Whole)?,
            };
            Some((literal, release))
        });
        let Some((literal, release)) = release.take(1).next() else { continue };
        let message = format!("the release {release} is written into this rule");
        let help = "name it once with `let`, so that branching is one edit: `let newest = ...`";
        found.push(Diagnostic::new(&TB0609, literal.place, message, "a release by name").help(help));
    }
}

/// Whether what is compared can be a release: by its name, or because nothing names it.
fn is_release(comparison: &Comparison<'_>) -> bool {
    let named = |word: &&str| RELEASE_WORDS.iter().any(|release| word.to_ascii_lowercase().contains(release));
    let text = matches!(comparison.subject, Subject::Text | Subject::Enum(_));
    text && (comparison.words.is_empty() || comparison.words.iter().any(named))
}

/// How much of a text is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    /// All of it.
    Whole,
    /// How it begins.
    Beginning,
}

/// The word of a text that names a release: `F45`, `fc45`, `epel9`, `Fedora-45`; as a part of `dist-f45-updates` as well.
fn release(text: &str, known: Text) -> Option<String> {
    let mut words = text.split(['-', '.', '_', ' ', ':', '/']).peekable();
    let mut before = "";
    while let Some(word) = words.next() {
        let digits = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let letters = word.get(..word.len().saturating_sub(digits.len())).unwrap_or_default();
        let number = !digits.is_empty() && digits.len() <= 3 && digits.chars().all(|c| c.is_ascii_digit());
        let named = |name: &str, all: &[&str]| all.iter().any(|known| name.eq_ignore_ascii_case(known));
        // `f4` may be the beginning of `f45`.
        let whole = known == Text::Whole || words.peek().is_some() || digits.len() > 1;
        if number && whole {
            if named(letters, &["f", "fc", "el", "epel", "eln", "fedora"]) {
                return Some(word.to_owned());
            }
            if letters.is_empty() && named(before, &["fedora", "epel", "rhel", "centos"]) {
                return Some(format!("{before}-{word}"));
            }
        }
        before = word;
    }
    None
}

fn of_glob(pattern: &str) -> Option<String> {
    if pattern.contains(['?', '[']) {
        return None;
    }
    let mut parts = pattern.split('*').peekable();
    while let Some(part) = parts.next() {
        let known = if parts.peek().is_some() { Text::Beginning } else { Text::Whole };
        if let Some(found) = release(part, known) {
            return Some(found);
        }
    }
    None
}

fn of_regex(pattern: &str) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let found = Extractor::new().limit_total(FEW).limit_class(FEW).extract(&hir);
    let texts = found.literals().filter(|texts| texts.len() <= FEW)?;
    let mut releases = texts.iter().map(|literal| {
        let known = if literal.is_exact() { Text::Whole } else { Text::Beginning };
        release(std::str::from_utf8(literal.as_bytes()).ok()?, known)
    });
    let first = releases.next()??;
    releases.all(|release| release.is_some()).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::tests::codes;

    fn rule(condition: &str) -> String {
        format!("on bodhi.update.testing where has release and {condition} run rpmlint")
    }

    #[test]
    fn a_release_in_a_rule_is_told_in_a_let_it_is_not() {
        for condition in [
            "release == \"F45\"",
            "release in [\"F44\", \"F45\"]",
            "release like \"F45*\"",
            "release == \"EPEL-9\"",
        ] {
            assert_eq!(codes(&rule(condition)), ["TB0609"], "{condition}");
        }
        assert!(codes(&rule("release matches r\"^f45$\"")).contains(&"TB0609"));
        assert_eq!(codes("on koji.build.tagged where tag == \"dist-f45\" run rpmlint"), ["TB0609"]);
        let named = format!(
            "let ours = [\"F44\", \"F45\"]\nlet new = \"F45\"\n{}",
            rule("(release in ours or release == new)")
        );
        assert_eq!(codes(&named), [""; 0]);
    }

    #[test]
    fn numbers_that_are_no_release_are_not_told() {
        for clean in [
            "on bodhi.update.testing where package.name == \"f45-backgrounds\" run rpmlint",
            "on koji.build.tagged where tag == \"side-tag-45\" run rpmlint",
            "on koji.build.tagged where tag like \"f4*\" run rpmlint",
            "on koji.build.tagged where tag matches r\"^f4[0-9]$\" run rpmlint",
            "on bodhi.update.testing where (user else \"\") == \"f45\" run rpmlint",
        ] {
            assert_eq!(codes(clean), [""; 0], "{clean}");
        }
    }

    #[test]
    fn only_what_names_a_release_whole_is_one() {
        assert_eq!(release("dist-f45-updates", Text::Whole).as_deref(), Some("f45"));
        assert_eq!(release("epel8", Text::Whole).as_deref(), Some("epel8"));
        assert_eq!(release("f4", Text::Beginning), None);
        assert_eq!(release("f2fs", Text::Whole), None);
        assert_eq!(of_regex("^f45(-updates)?$").as_deref(), Some("f45"));
        assert_eq!(of_regex("^f[0-9]+$"), None);
    }
}
