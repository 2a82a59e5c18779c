//! TB0620: an element that a list holds twice.

use std::collections::BTreeMap;

use taskbot_grammar::{Expr, ExprKind, Let};
use taskbot_graph::Place;

use super::{Context, Lint, place, trees};
use crate::diagnostic::{Diagnostic, Safety, TB0620};

pub(super) static LINT: Lint = Lint { code: &TB0620, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let lets = trees::lets(context.compiled);
    trees::expressions(context, &mut |file, expr| {
        let ExprKind::List(items) = &expr.kind else { return };
        let mut seen: BTreeMap<String, &Expr> = BTreeMap::new();
        let mut before = expr;
        for item in items {
            let here = place(file, item.span);
            match value(item, &lets).map(|value| (seen.get(&value).copied(), value)) {
                Some((Some(first), _)) => {
                    let message = format!("{} stands twice in this list", context.text(here));
                    let diagnostic = Diagnostic::new(&TB0620, here, message, "the second time")
                        .other(place(file, first.span), "the first time")
                        .help("remove one, or write what was meant");
                    let with_comma = Place { start: before.span.end, ..here };
                    found.push(if context.text(with_comma).contains('#') {
                        diagnostic
                    } else {
                        diagnostic.suggest(with_comma, "", Safety::Safe)
                    });
                }
                Some((None, value)) => drop(seen.insert(value, item)),
                None => {}
            }
            before = item;
        }
    });
}

/// A literal's value; a bare word and a string of an enum's value are the same.
fn value(item: &Expr, lets: &BTreeMap<&str, (u32, &Let)>) -> Option<String> {
    match &item.kind {
        ExprKind::Text(text) => Some(format!("text {text}")),
        ExprKind::Path(names) => match names.as_slice() {
            [one] if lets.contains_key(one.text.as_str()) => Some(format!("let {}", one.text)),
            [one] => Some(format!("text {}", one.text)),
            _ => None,
        },
        ExprKind::Int(n) => Some(format!("number {n}")),
        ExprKind::Float(n) => Some(format!("number {n}")),
        ExprKind::Bool(b) => Some(format!("bool {b}")),
        ExprKind::Duration(ms) => Some(format!("duration {ms}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::{codes, mended};

    #[test]
    fn the_second_one_is_removed() {
        let rule = |list: &str| format!("on koji.build.completed where package.name in {list} run rpmlint");
        assert_eq!(mended(&rule("[\"a\", \"b\", \"a\"]")), rule("[\"a\", \"b\"]"));
        assert_eq!(codes(&rule("[\"a\", \"A\", \"b\"]")), [""; 0]);
        let named = format!("let a = \"b\"\n{}", rule("[\"a\", a]"));
        assert_eq!(codes(&named), [""; 0]);
        let axis = |list: &str| format!("on koji.build.completed run kernel-tests for arch in {list}");
        assert_eq!(mended(&axis("[x86_64, \"x86_64\"]")), axis("[x86_64]"));
    }
}
