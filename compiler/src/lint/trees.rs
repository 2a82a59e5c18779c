//! Walks over the trees of one's own files, for lints that need no types.
//!
//! Comes in: trees. Goes out: each expression that rules and lets write, where it is written; and a form of an expression in
//! which layout and comments make no difference.

use std::collections::BTreeMap;

use taskbot_grammar::{Expr, ExprKind, ItemKind, Let, tokens};

use super::Context;
use crate::Compiled;

/// Every let by name, with its file; one's own take the place of others.
pub(super) fn lets(compiled: &Compiled) -> BTreeMap<&str, (u32, &Let)> {
    let files = compiled.trees.iter().zip(0..);
    let items = files.flat_map(|(tree, file)| tree.items.iter().map(move |item| (file, item)));
    let lets = items.filter_map(|(file, item)| match &item.kind {
        ItemKind::Let(named) => Some((named.name.text.as_str(), (file, named))),
        _ => None,
    });
    lets.collect()
}

/// Calls `visit` with every expression of one's own rules and lets, and everything below it.
pub(super) fn expressions<'c>(context: &Context<'c>, visit: &mut impl FnMut(u32, &'c Expr)) {
    for (file, tree) in context.own_trees() {
        for item in &tree.items {
            match &item.kind {
                ItemKind::Let(named) => below(file, &named.value, visit),
                ItemKind::Rule(rule) => {
                    let arguments = rule.calls.iter().flat_map(|call| &call.arguments).map(|(_, e)| e);
                    let axes = rule.axes.iter().map(|axis| &axis.source);
                    for expr in rule.condition.iter().chain(axes).chain(arguments) {
                        below(file, expr, visit);
                    }
                }
                _ => {}
            }
        }
    }
}

fn below<'c>(file: u32, expr: &'c Expr, visit: &mut impl FnMut(u32, &'c Expr)) {
    visit(file, expr);
    match &expr.kind {
        ExprKind::List(parts) | ExprKind::And(parts) | ExprKind::Or(parts) => {
            parts.iter().for_each(|part| below(file, part, visit));
        }
        ExprKind::Apply(_, arguments) => arguments.iter().for_each(|(_, part)| below(file, part, visit)),
        ExprKind::Else(a, b) | ExprKind::Compare(_, a, b) | ExprKind::In(a, b) => {
            below(file, a, visit);
            below(file, b, visit);
        }
        ExprKind::Like(a, _)
        | ExprKind::Matches(a, _)
        | ExprKind::Has(a)
        | ExprKind::Is(a, _)
        | ExprKind::Not(a) => below(file, a, visit),
        ExprKind::Quantified { list, condition, .. } => {
            below(file, list, visit);
            below(file, condition, visit);
        }
        ExprKind::Count { list, condition, .. } => {
            below(file, list, visit);
            condition.iter().for_each(|part| below(file, part, visit));
        }
        ExprKind::Bool(_)
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Text(_)
        | ExprKind::Duration(_)
        | ExprKind::Path(_) => {}
    }
}

/// A source text without layout and comments: equal forms are written alike.
pub(super) fn form(source: &str) -> String {
    let words = tokens(source).into_iter().filter(|token| !token.kind.is_trivia());
    words.map(|token| token.span.of(source)).collect::<Vec<_>>().join(" ")
}
