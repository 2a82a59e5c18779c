//! TB0607: a pattern for "this number and later" that leaves numbers out.

use super::comparisons::Relation;
use super::digits::{self, Numbers};
use super::{Context, Lint};
use crate::diagnostic::{Diagnostic, TB0607};

pub(super) static LINT: Lint = Lint { code: &TB0607, check };

/// Holes that are told one by one.
const TOLD: usize = 4;

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for comparison in &context.comparisons {
        let read = match comparison.relation {
            Relation::Regex => digits::of_regex,
            Relation::Glob => digits::of_glob,
            _ => continue,
        };
        for literal in comparison.literals.iter().filter(|l| l.text.contains(['[', '\\'])) {
            let Some(numbers) = read(literal.text) else { continue };
            let holes = numbers.holes();
            let (Some(first), Some(hole)) = (numbers.matched.first(), holes.first()) else { continue };
            let message = format!(
                "this pattern matches {}, and can never match {}",
                span(&numbers, *first, hole.0.saturating_sub(1)),
                span(&numbers, hole.0, hole.1)
            );
            let all: Vec<String> = holes.iter().take(TOLD).map(|(a, b)| span(&numbers, *a, *b)).collect();
            let more = if holes.len() > TOLD { " and more" } else { "" };
            let help = format!(
                "it leaves out {}{more}; write `like \"{}*{}\"`, a list of those that are meant, \
                 or compare a number with `>=`",
                all.join("; "),
                numbers.before,
                numbers.behind
            );
            found.push(Diagnostic::new(&TB0607, literal.place, message, "has a gap").help(help));
        }
    }
}

/// `f40`, `f40 and f41`, `f40, f41 and f42`, `f40 to f49`
fn span(numbers: &Numbers, first: u32, last: u32) -> String {
    let name = |number: u32| format!("{}{number}{}", numbers.before, numbers.behind);
    match last.saturating_sub(first) {
        0 => name(first),
        1 => format!("{} and {}", name(first), name(last)),
        2 => format!("{}, {} and {}", name(first), name(first.saturating_add(1)), name(last)),
        _ => format!("{} to {}", name(first), name(last)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
    use crate::Domains;
    use crate::lint::tests::{codes, linted};

    fn rule(condition: &str) -> String {
        format!("on koji.build.tagged where {condition} run rpmlint")
    }

    #[test]
    fn it_is_said_what_can_never_match() {
        let found = linted(&rule("tag matches r\"^f[3-9][3-9]$\""), &Domains::default());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, "this pattern matches f33 to f39, and can never match f40, f41 and f42");
        assert!(found[0].help.as_deref().unwrap().contains("f50, f51 and f52"));
        let found = linted(&rule("tag like \"f[3-4][3-9]-updates\""), &Domains::default());
        assert!(found[0].message.ends_with("f40-updates, f41-updates and f42-updates"), "{found:?}");
    }

    #[test]
    fn whole_ranges_and_lists_of_numbers_have_no_gap() {
        for condition in [
            "tag matches r\"^f[34][0-9]$\"",
            "tag matches r\"^f(3[3-9]|[4-9][0-9])$\"",
            "tag matches r\"^side-tag-[0-9]+$\"",
            "tag like \"f[3-9][0-9]-updates\"",
        ] {
            assert_eq!(codes(&rule(condition)), [""; 0], "{condition}");
        }
        for few in ["^f(39|41)$", "^epel[7-9]$"] {
            assert!(!codes(&rule(&format!("tag matches r{few:?}"))).contains(&"TB0607"), "{few}");
        }
    }
}
