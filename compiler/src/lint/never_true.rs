//! TB0601: a condition, or a part of one, that no message can make true.

use taskbot_graph::{Expr, ExprId, Place, Rule};

use super::{Context, Lint};
use crate::analysis::{Enums, Wanted};
use crate::diagnostic::{Diagnostic, TB0601};
use crate::lower::Parts;

pub(super) static LINT: Lint = Lint { code: &TB0601, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (_, rule, parts) in context.rules() {
        let never = |ids: &[ExprId]| {
            let wanted: Vec<Wanted> = ids.iter().map(|id| Wanted::True(*id)).collect();
            context.analysis.possible(rule.event, &wanted, Enums::Open).is_impossible()
        };
        let impossible: Vec<(Place, ExprId)> =
            parts.iter().filter(|(_, id)| never(&[*id])).copied().collect();
        // The smallest ones: what is around them is never true because of them.
        let smallest: Vec<&(Place, ExprId)> = impossible
            .iter()
            .filter(|(place, _)| !impossible.iter().any(|(other, _)| inside(*other, *place)))
            .collect();
        for (place, id) in smallest {
            // Nothing is in an empty list: told as that.
            if matches!(context.graph.exprs.get(*id as usize), Some(Expr::In(_, values)) if values.is_empty())
            {
                continue;
            }
            let whole = rule.condition == Some(*id);
            let message = if whole {
                "this condition is never true"
            } else {
                "this part of the condition is never true"
            };
            let mut diagnostic = Diagnostic::new(&TB0601, *place, message, "never true");
            for place in contradiction(context, rule, *id, parts) {
                diagnostic = diagnostic.other(place, "this and the other part exclude each other");
            }
            found.push(diagnostic.help("no message of the event can have such values; see what was meant"));
        }
    }
}

pub(super) fn inside(inner: Place, outer: Place) -> bool {
    inner != outer && inner.file == outer.file && inner.start >= outer.start && inner.end <= outer.end
}

/// The places of two parts of an `and` that exclude each other, if two do.
fn contradiction(context: &Context<'_>, rule: &Rule, whole: ExprId, parts: &Parts) -> Vec<Place> {
    let Some(Expr::And(ids)) = context.graph.exprs.get(whole as usize) else {
        return Vec::new();
    };
    let place = |id: ExprId| parts.iter().find(|(_, part)| *part == id).map(|(place, _)| *place);
    for (at, a) in ids.iter().enumerate() {
        for b in ids.iter().skip(at.saturating_add(1)) {
            let wanted = [Wanted::True(*a), Wanted::True(*b)];
            if context.analysis.possible(rule.event, &wanted, Enums::Open).is_impossible() {
                return place(*a).into_iter().chain(place(*b)).collect();
            }
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::codes;

    fn of(condition: &str) -> Vec<&'static str> {
        codes(&format!("on bodhi.update.testing where {condition} run rpmlint"))
    }

    #[test]
    fn contradictions_are_found() {
        for never in [
            "package.name == \"a\" and package.name == \"b\"",
            "package.name == \"a\" and package.name like \"b*\"",
            "package.evr > \"2.0-1\" and package.evr < \"1.0-1\"",
            "package.name in [\"a\", \"b\"] and package.name not_in_c",
            "(has user and user == \"x\") and not has user",
            "package.name == \"a\" or (has user and user like \"x*\" and user like \"y*\")",
        ] {
            let condition =
                never.replace("package.name not_in_c", "not (package.name in [\"b\", \"a\", \"c\"])");
            assert_eq!(of(&condition), ["TB0601"], "{condition}");
        }
    }

    #[test]
    fn what_can_be_is_left_alone() {
        for fine in [
            "package.name == \"a\" or package.name == \"b\"",
            "package.name like \"*a\" and package.name like \"b*\"",
            "package.evr > \"1.0-1\" and package.evr < \"1.0-2\"",
            "not has release or release == \"F\"",
        ] {
            assert_eq!(of(fine), [""; 0], "{fine}");
        }
    }
}
