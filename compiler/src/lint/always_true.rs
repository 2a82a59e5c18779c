//! TB0602: a condition, or a part of one, that every message makes true.

use taskbot_graph::{Expr, ExprId, Place};

use super::never_true::inside;
use super::{Context, Lint};
use crate::analysis::{Enums, Wanted};
use crate::diagnostic::{Diagnostic, TB0602};

pub(super) static LINT: Lint = Lint { code: &TB0602, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (_, rule, parts) in context.rules() {
        let never =
            |wanted: Wanted| context.analysis.possible(rule.event, &[wanted], Enums::Open).is_impossible();
        // What no message reaches at all is never true and always true at once: that is told as the former.
        let always: Vec<(Place, ExprId)> = parts
            .iter()
            .filter(|(_, id)| never(Wanted::False(*id)) && !never(Wanted::True(*id)))
            .copied()
            .collect();
        for (place, id) in
            always.iter().filter(|(place, _)| !always.iter().any(|(other, _)| inside(*other, *place)))
        {
            // `not x` is always true because x never is: told there.
            if matches!(context.graph.exprs.get(*id as usize), Some(Expr::Not(_))) {
                continue;
            }
            let whole = rule.condition == Some(*id);
            let message = if whole {
                "this condition is always true"
            } else {
                "this part of the condition is always true"
            };
            found.push(
                Diagnostic::new(&TB0602, *place, message, "excludes nothing")
                    .help("every message of the event has such values; leave it out, or see what was meant"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::codes;

    fn of(condition: &str) -> Vec<&'static str> {
        codes(&format!("on bodhi.update.testing where {condition} run rpmlint"))
    }

    #[test]
    fn what_excludes_nothing_is_found() {
        for always in [
            "package.name != \"a\" or package.name != \"b\"",
            "has package",
            "package.evr < \"2.0-1\" or package.evr >= \"1.0-1\"",
            "package.name == \"a\" and package.name like \"*\"",
        ] {
            assert_eq!(of(always), ["TB0602"], "{always}");
        }
    }

    #[test]
    fn what_excludes_something_is_left_alone() {
        for fine in
            ["package.name != \"a\" and package.name != \"b\"", "has release", "not (package.name == \"a\")"]
        {
            assert_eq!(of(fine), [""; 0], "{fine}");
        }
    }
}
