//! TB0618: `all` or `none` over a list that may be empty.

use taskbot_graph::Quantifier;

use super::{Context, Lint};
use crate::diagnostic::{Diagnostic, TB0618};
use crate::typed::{TypedExpr, TypedKind};

pub(super) static LINT: Lint = Lint { code: &TB0618, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for site in &context.sites {
        let Some(condition) = &site.typed.condition else { continue };
        let mut vacuous = Vec::new();
        quantifiers(condition, Sense::AsWritten, &mut vacuous);
        if vacuous.is_empty() {
            continue;
        }
        // Whatever else the rule says of a list shows that its author thought of how many there are.
        let mut guarded: Vec<&TypedExpr> = site.typed.axes.iter().map(|(_, list)| list).collect();
        counted(condition, &mut guarded);
        for (quantifier, list, place) in vacuous {
            if guarded.iter().any(|other| same(other, list)) {
                continue;
            }
            let word = if quantifier == Quantifier::All { "all" } else { "none" };
            let name = match context.text(list.place) {
                "" => "LIST",
                text => text,
            };
            let message = format!("this `{word}` is true for an empty `{name}`");
            let help = format!(
                "add `count(x in {name}) > 0 and ...` if there must be one, \
                 `count(x in {name}) == 0 or ...` if none is fine"
            );
            found.push(Diagnostic::new(&TB0618, place, message, "true for an empty list").help(help));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sense {
    AsWritten,
    Opposite,
}

type Vacuous<'e> = (Quantifier, &'e TypedExpr, taskbot_graph::Place);

/// Quantifiers that make the condition truer where their list is empty. Not below others: there the outer one decides.
fn quantifiers<'e>(expr: &'e TypedExpr, sense: Sense, out: &mut Vec<Vacuous<'e>>) {
    match &expr.kind {
        TypedKind::And(parts) | TypedKind::Or(parts) => {
            parts.iter().for_each(|part| quantifiers(part, sense, out));
        }
        TypedKind::Not(of) => {
            let sense = if sense == Sense::AsWritten { Sense::Opposite } else { Sense::AsWritten };
            quantifiers(of, sense, out);
        }
        TypedKind::Quantified(quantifier @ (Quantifier::All | Quantifier::None), list, _)
            if sense == Sense::AsWritten =>
        {
            out.push((*quantifier, list, expr.place));
        }
        _ => {}
    }
}

/// Lists that a condition asks for an element or the number of elements.
fn counted<'e>(expr: &'e TypedExpr, out: &mut Vec<&'e TypedExpr>) {
    match &expr.kind {
        TypedKind::Quantified(Quantifier::Any, list, _)
        | TypedKind::Count(list, _)
        | TypedKind::InList(_, list) => out.push(list),
        _ => {}
    }
    expr.operands(&mut |operand| counted(operand, out));
}

/// Whether two lists are the same value, wherever they are written.
fn same(a: &TypedExpr, b: &TypedExpr) -> bool {
    match (&a.kind, &b.kind) {
        (TypedKind::EventValue(a), TypedKind::EventValue(b)) => a == b,
        (TypedKind::Path(a), TypedKind::Path(b)) => a.root == b.root && a.steps == b.steps,
        (TypedKind::Bound(a), TypedKind::Bound(b)) => a == b,
        (TypedKind::Field(a, one), TypedKind::Field(b, other)) => one == other && same(a, b),
        (TypedKind::Part(a, one), TypedKind::Part(b, other)) => one == other && same(a, b),
        (TypedKind::Fact(one, a), TypedKind::Fact(other, b)) => one == other && same(a, b),
        (TypedKind::Else(a, _), _) => same(a, b),
        (_, TypedKind::Else(b, _)) => same(a, b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::codes;

    fn rule(condition: &str) -> String {
        format!("on koji.build.completed where {condition} run rpmlint")
    }

    #[test]
    fn a_quantifier_that_an_empty_list_makes_true_is_told() {
        for condition in [
            "(all a in package.arches where a == noarch)",
            "package.name == \"x\" and none(a in package.arches where a == s390x)",
            "not not all(a in package.arches where a == noarch)",
        ] {
            assert_eq!(codes(&rule(condition)), ["TB0618"], "{condition}");
        }
    }

    #[test]
    fn a_rule_that_says_more_of_the_list_is_not() {
        for condition in [
            "count(a in package.arches) > 0 and all(a in package.arches where a == noarch)",
            "all(a in package.arches where a != noarch) and any(a in package.arches where a == x86_64)",
            "(x86_64 in package.arches) and none(a in package.arches where a == s390x)",
            "not all(a in package.arches where a == noarch)",
            "not any(a in package.arches where a == noarch)",
        ] {
            assert_eq!(codes(&rule(condition)), [""; 0], "{condition}");
        }
        let matrix = "on koji.build.completed where none(a in package.arches where a == s390x) run kernel-tests for arch in package.arches";
        assert_eq!(codes(matrix), [""; 0]);
    }
}
