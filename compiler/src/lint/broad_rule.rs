//! TB0701: a rule without condition, window or limit.

use super::{Context, Lint, place};
use crate::diagnostic::{Diagnostic, TB0701};

pub(super) static LINT: Lint = Lint { code: &TB0701, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for site in &context.sites {
        let clauses = &site.typed.clauses;
        let bounded = clauses.once.is_some()
            || clauses.quiet.is_some()
            || clauses.at_most.is_some()
            || clauses.group.is_some();
        if site.typed.condition.is_none() && !bounded {
            let name = site.tree.event.name();
            let message = format!("whatever `{}` tells makes runs, without bound", name.text);
            let diagnostic =
                Diagnostic::new(&TB0701, place(site.file, name.span), message, "every one of them").help(
                    "add a condition, or a bound such as `at most 20 per 1h` or `limit 2 in group NAME`",
                );
            found.push(diagnostic);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::all_codes;

    #[test]
    fn a_condition_a_window_or_a_limit_bounds_a_rule() {
        let broad = |rule: &str| {
            all_codes(&format!("on bodhi.update.testing {rule}")).iter().filter(|c| **c == "TB0701").count()
        };
        assert_eq!(broad("run rpmlint"), 1);
        assert_eq!(broad("run rpmlint priority high"), 1);
        assert_eq!(broad("where package.name == \"a\" run rpmlint"), 0);
        assert_eq!(broad("run rpmlint at most 20 per 1h"), 0);
        assert_eq!(broad("run rpmlint limit 2 in group small"), 0);
        assert_eq!(broad("run rpmlint once per package.name within 24h"), 0);
    }
}
