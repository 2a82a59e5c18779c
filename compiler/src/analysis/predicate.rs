//! Predicates: what a literal says of a variable's value.
//!
//! Comes in: a value. Goes out: whether it holds, exactly as the matcher judges it. They are the common ground of formulas, domains
//! and automata.

use std::sync::Arc;

use taskbot_graph::{CompareOp, Glob, Pattern, Value};

/// What a literal says of a variable's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Pred {
    Has,
    IsNull,
    IsAbsent,
    /// It is true.
    Holds,
    Compare(CompareOp, Value),
    In(Arc<[Value]>),
    Like(String),
    Matches(String),
    /// It is a list that holds this.
    Contains(Value),
}

/// A literal on the variable: the predicate, and whether it holds.
pub(super) type Said<'p> = (&'p Pred, bool);

/// Whether a value is as everything says.
pub(super) fn fits(value: &Value, said: &[Said<'_>]) -> bool {
    said.iter().all(|(pred, holds)| test(value, pred) == *holds)
}

fn test(value: &Value, pred: &Pred) -> bool {
    match pred {
        Pred::Has => true,
        Pred::IsNull | Pred::IsAbsent => false,
        Pred::Holds => *value == Value::Bool(true),
        Pred::Compare(op, constant) => compare(*op, value, constant),
        Pred::In(set) => set.iter().any(|v| v.same(value)),
        Pred::Like(glob) => Glob::new(glob).is_ok_and(|g| g.matches(&value.text())),
        Pred::Matches(pattern) => Pattern::new(pattern).is_ok_and(|p| p.matches(&value.text())),
        Pred::Contains(item) => {
            matches!(value, Value::List(items) if items.iter().any(|v| v.same(item)))
        }
    }
}

/// Every constant that a literal compares with.
pub(super) fn constants<'p>(said: &[Said<'p>]) -> Vec<&'p Value> {
    said.iter()
        .flat_map(|(pred, _)| match pred {
            Pred::Compare(_, value) => std::slice::from_ref(value),
            Pred::In(values) => values,
            _ => &[],
        })
        .collect()
}

/// As the matcher compares.
pub(super) fn compare(op: CompareOp, a: &Value, b: &Value) -> bool {
    let order = a.order(b);
    match op {
        CompareOp::Equal => a.same(b),
        CompareOp::NotEqual => !a.same(b),
        CompareOp::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        CompareOp::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
        CompareOp::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
        CompareOp::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
    }
}
