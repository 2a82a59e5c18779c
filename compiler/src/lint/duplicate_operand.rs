//! TB0621: a part of an `and` or `or` that stands there twice.

use std::collections::HashMap;

use taskbot_grammar::{Expr, ExprKind};

use super::{Context, Lint, place, trees};
use crate::diagnostic::{Diagnostic, TB0621};

pub(super) static LINT: Lint = Lint { code: &TB0621, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    trees::expressions(context, &mut |file, expr| {
        let (ExprKind::And(parts) | ExprKind::Or(parts)) = &expr.kind else { return };
        let word = if matches!(expr.kind, ExprKind::And(_)) { "and" } else { "or" };
        let mut seen: HashMap<String, &Expr> = HashMap::new();
        for part in parts {
            let here = place(file, part.span);
            if let Some(first) = seen.insert(trees::form(context.text(here)), part) {
                let message = format!("this part of the `{word}` stands there twice");
                let diagnostic = Diagnostic::new(&TB0621, here, message, "the second time")
                    .other(place(file, first.span), "the first time")
                    .help("remove one, or write what was meant");
                found.push(diagnostic);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::codes;

    fn rule(condition: &str) -> String {
        format!("on koji.build.completed where {condition} run rpmlint")
    }

    #[test]
    fn the_same_part_twice_is_told_whatever_its_layout() {
        for condition in [
            "package.name == \"a\" or package.name  ==\n \"a\"",
            "package.name == \"a\" and (package.lang == C or package.lang == C)",
        ] {
            assert_eq!(codes(&rule(condition)), ["TB0621"], "{condition}");
        }
    }

    #[test]
    fn parts_that_differ_are_not() {
        assert_eq!(codes(&rule("package.name == \"a\" or package.name == \"b\"")), [""; 0]);
        assert_eq!(codes(&rule("package.name == \"a b\" or package.name == \"a  b\"")), ["TB0606"; 2]);
    }
}
