//! TB0611: a regular expression that is not anchored.

use regex_syntax::hir::{Hir, HirKind, Look};

use super::comparisons::Relation;
use super::digits::is_anything;
use super::{Context, Lint};
use crate::diagnostic::{Diagnostic, Safety, TB0611};

pub(super) static LINT: Lint = Lint { code: &TB0611, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for comparison in context.comparisons.iter().filter(|c| c.relation == Relation::Regex) {
        for literal in &comparison.literals {
            let Ok(hir) = regex_syntax::parse(literal.text) else { continue };
            let Some(loose) = loose(&hir) else { continue };
            let text = match hir.kind() {
                HirKind::Alternation(_) => format!("^({})$", literal.text),
                _ => format!("^{}$", literal.text),
            };
            let (message, label) = match loose {
                Loose::Anywhere => ("this regular expression matches anywhere in the text", "not anchored"),
                Loose::Partly => (
                    "`^` and `$` anchor only the alternative that they stand in",
                    "the other alternatives match anywhere",
                ),
            };
            let diagnostic = Diagnostic::new(&TB0611, literal.place, message, label);
            let written = context.text(literal.place);
            found.push(match loose {
                Loose::Anywhere if written.starts_with('r') => diagnostic
                    .help(format!(
                        "anchor it, `{text}`; if anywhere is meant, say so with `.*` before and behind it"
                    ))
                    .suggest(literal.place, format!("r\"{text}\""), Safety::Unsafe),
                Loose::Anywhere => {
                    diagnostic.help("anchor it with `^` and `$`; or write `.*` where anything may stand")
                }
                Loose::Partly => diagnostic.help("put the alternatives in a group: `^(a|b)$`"),
            });
        }
    }
}

#[derive(Clone, Copy)]
enum Loose {
    /// At both ends.
    Anywhere,
    /// In some alternatives.
    Partly,
}

/// Where an expression lacks anchors that its author most likely meant; one end open is a prefix or suffix, `.*` is on purpose.
fn loose(hir: &Hir) -> Option<Loose> {
    let of = hir.properties();
    let start = (of.look_set_prefix().contains(Look::Start), of.look_set_prefix_any().contains(Look::Start));
    let end = (of.look_set_suffix().contains(Look::End), of.look_set_suffix_any().contains(Look::End));
    let partly = start == (false, true) || end == (false, true);
    // Deeper down it is on purpose: `(^|-)kernel($|-)`.
    if partly && matches!(hir.kind(), HirKind::Alternation(_)) {
        return Some(Loose::Partly);
    }
    let open = if let HirKind::Concat(parts) = hir.kind() {
        [parts.first(), parts.last()].into_iter().flatten().any(is_open)
    } else {
        is_open(hir)
    };
    (!start.1 && !end.1 && !open).then_some(Loose::Anywhere)
}

/// `.*`, `\b` and the like: an end that says where it may match.
fn is_open(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(_) => is_anything(hir),
        HirKind::Look(_) => true,
        HirKind::Capture(group) => is_open(&group.sub),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::{codes, mended};

    fn rule(pattern: &str) -> String {
        format!("on koji.build.tagged where tag matches r\"{pattern}\" run rpmlint")
    }

    #[test]
    fn what_matches_anywhere_is_told() {
        assert_eq!(mended(&rule("f[0-9][0-9]-updates")), rule("^f[0-9][0-9]-updates$"));
        assert_eq!(mended(&rule("updates|testing?")), rule("^(updates|testing?)$"));
        assert_eq!(codes(&rule("[a-z]+-updates[0-9]+")), ["TB0611"]);
        assert_eq!(codes(&rule("^updates[0-9]|testing$")), ["TB0611"]);
    }

    #[test]
    fn an_anchor_or_a_wildcard_shows_what_is_meant() {
        for pattern in
            ["^f[0-9]", "-updates[0-9]?$", "^(f|g)[0-9]$", ".*side[0-9].*", r"\bside[0-9]\b", "^a[0-9]$|^b$"]
        {
            assert_eq!(codes(&rule(pattern)), [""; 0], "{pattern}");
        }
    }
}
