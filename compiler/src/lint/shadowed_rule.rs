//! TB0604: a rule that another one makes needless: whenever it asks for its runs, the other one asks for them as well.

use taskbot_graph::{Clauses, Scope};

use super::same_run::Verdict;
use super::{Context, Lint};
use crate::diagnostic::{Diagnostic, TB0604};

pub(super) static LINT: Lint = Lint { code: &TB0604, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for pair in context.pairs() {
        let (Some(a), Some(b)) = (context.graph.rules.get(pair.a), context.graph.rules.get(pair.b)) else {
            continue;
        };
        // A window or limit is what one of them is there for.
        if a.clauses != Clauses::default() || b.clauses != Clauses::default() {
            continue;
        }
        let all_of = |x: &taskbot_graph::Rule, y: &taskbot_graph::Rule| {
            x.actions.iter().all(|action| y.actions.contains(action))
                && (y.scope == Scope::Message || x.scope == y.scope)
        };
        let (needless, by, same) = match pair.verdict {
            Verdict::Same if all_of(b, a) => (pair.b, pair.a, all_of(a, b)),
            Verdict::Same | Verdict::FirstIsNarrower if all_of(a, b) => (pair.a, pair.b, false),
            Verdict::SecondIsNarrower if all_of(b, a) => (pair.b, pair.a, false),
            _ => continue,
        };
        let (Some(place), Some(other)) = (context.rule_place(needless), context.rule_place(by)) else {
            continue;
        };
        let name = |at: usize| context.graph.rules.get(at).map_or("", |r| r.name.as_str());
        let message = if same {
            format!("rule `{}` is the same as `{}`", name(needless), name(by))
        } else {
            format!("rule `{}` adds nothing to `{}`", name(needless), name(by))
        };
        found.push(
            Diagnostic::new(&TB0604, place, message, "whenever this one fires, the other one does")
                .other(other, "the other one")
                .help("remove it, or narrow the other one"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::codes;

    fn two(a: &str, b: &str) -> Vec<&'static str> {
        codes(&format!("rule a on bodhi.update.testing {a}\nrule b on bodhi.update.testing {b}"))
    }

    #[test]
    fn a_narrower_rule_for_the_same_run_is_needless() {
        let curl = "where package.name == \"curl\" run rpmlint";
        assert_eq!(two(curl, "run rpmlint"), ["TB0604"]);
        assert_eq!(two(curl, curl), ["TB0604"]);
        assert_eq!(two(curl, "where package.name like \"c*\" run rpmlint, depcheck"), ["TB0604"]);
    }

    #[test]
    fn other_runs_and_windows_are_left_alone() {
        let curl = "where package.name == \"curl\" run rpmlint";
        assert_eq!(two(curl, "run depcheck"), [""; 0]);
        assert_eq!(two(curl, "run rpmlint once per package.name within 1d"), [""; 0]);
        assert_eq!(two(curl, "where package.name == \"bash\" run rpmlint"), [""; 0]);
    }
}
