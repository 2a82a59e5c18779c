//! TB0605: two rules that ask for the same run on some messages, neither of them needless. They are one run with two reasons; most
//! often one condition with `or` was meant.

use std::collections::{BTreeMap, HashMap};

use taskbot_graph::{ArgumentSource, Clauses, Expr, ExprId, Rule, Value};

use super::{Context, Lint};
use crate::analysis::{Enums, Wanted};
use crate::diagnostic::{Diagnostic, TB0605};

pub(super) static LINT: Lint = Lint { code: &TB0605, check };

/// Pairs of rules that are compared in one program; beyond that the rest is not looked at.
const PAIRS: usize = 20_000;

/// How two conditions stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Each implies the other.
    Same,
    /// The first implies the second.
    FirstIsNarrower,
    /// The second implies the first.
    SecondIsNarrower,
    /// Both can be true at once.
    Overlap,
}

/// Two rules that ask for a same run, by their places in the graph, the earlier one first.
pub(super) struct Pair {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) verdict: Verdict,
}

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for pair in pairs(context).into_iter().filter(|pair| pair.verdict == Verdict::Overlap) {
        let (Some(a), Some(b)) = (context.graph.rules.get(pair.a), context.graph.rules.get(pair.b)) else {
            continue;
        };
        if a.clauses != Clauses::default() || b.clauses != Clauses::default() {
            continue;
        }
        let (Some(place), Some(other)) = (context.rule_place(pair.b), context.rule_place(pair.a)) else {
            continue;
        };
        let message = format!("rules `{}` and `{}` ask for the same run", a.name, b.name);
        found.push(
            Diagnostic::new(&TB0605, place, message, "on some messages both of them fire")
                .other(other, "the other one")
                .help("join their conditions with `or`, or let them exclude each other"),
        );
    }
}

/// Pairs of own rules on one event with a task and arguments in common, whose conditions are not known to exclude each other.
pub(super) fn pairs(context: &Context<'_>) -> Vec<Pair> {
    let mut groups: BTreeMap<(u32, u32, String), Vec<usize>> = BTreeMap::new();
    for (at, rule, _) in context.rules() {
        for action in &rule.actions {
            let key = (rule.event, action.task, shape(rule, &action.arguments));
            groups.entry(key).or_default().push(at);
        }
    }
    let mut out = Vec::new();
    let mut left = PAIRS;
    for rules in groups.values().filter(|rules| rules.len() > 1) {
        for (a, b) in candidates(context, rules) {
            if left == 0 {
                return out;
            }
            left = left.saturating_sub(1);
            if !out.iter().any(|p: &Pair| p.a == a && p.b == b)
                && let Some(verdict) = verdict(context, a, b)
            {
                out.push(Pair { a, b, verdict });
            }
        }
    }
    out
}

/// What two rules must share for their runs to be the same: arguments, axes and what is left out of them.
fn shape(rule: &Rule, arguments: &[ArgumentSource]) -> String {
    format!("{arguments:?} {:?} {:?}", rule.axes, rule.except)
}

/// The pairs of a group that may overlap. Rules that each name the values of one place (`package.name in [...]`) are only paired where
/// they share one, so that a thousand rules about a thousand packages stay a thousand.
fn candidates(context: &Context<'_>, rules: &[usize]) -> Vec<(usize, usize)> {
    let mut by_value: HashMap<(ExprId, String), Vec<usize>> = HashMap::new();
    let mut free: Vec<usize> = Vec::new();
    for at in rules {
        let sets = context.graph.rules.get(*at).and_then(|r| r.condition).map(|c| finite(context, c));
        match sets.and_then(|sets| sets.into_iter().min_by_key(|(of, _)| *of)) {
            Some((of, values)) => {
                values.iter().for_each(|v| by_value.entry((of, v.text())).or_default().push(*at));
            }
            None => free.push(*at),
        }
    }
    let mut out = Vec::new();
    let mut both = |a: &usize, b: &usize| {
        if a != b {
            out.push((*a.min(b), *a.max(b)));
        }
    };
    for (at, a) in free.iter().enumerate().take(PAIRS) {
        rules.iter().filter(|b| !free.contains(b)).take(PAIRS).for_each(|b| both(a, b));
        free.iter().skip(at.saturating_add(1)).take(PAIRS).for_each(|b| both(a, b));
    }
    for sharing in by_value.values() {
        for (at, a) in sharing.iter().enumerate() {
            sharing.iter().skip(at.saturating_add(1)).take(PAIRS).for_each(|b| both(a, b));
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// Places that a condition restricts to listed values.
fn finite<'c>(context: &Context<'c>, condition: ExprId) -> Vec<(ExprId, Vec<&'c Value>)> {
    let graph = context.graph;
    match graph.exprs.get(condition as usize) {
        Some(Expr::And(parts)) => parts.iter().flat_map(|part| finite(context, *part)).collect(),
        Some(Expr::In(of, values)) => vec![(*of, values.iter().collect())],
        Some(Expr::Compare(taskbot_graph::CompareOp::Equal, of, constant)) => {
            match graph.exprs.get(*constant as usize) {
                Some(Expr::Const(value)) => vec![(*of, vec![value])],
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

fn verdict(context: &Context<'_>, a: usize, b: usize) -> Option<Verdict> {
    let (first, second) = (context.graph.rules.get(a)?, context.graph.rules.get(b)?);
    let can =
        |wanted: &[Wanted]| !context.analysis.possible(first.event, wanted, Enums::Open).is_impossible();
    let truths = |rule: &Rule| rule.condition.map(Wanted::True);
    let both: Vec<Wanted> = truths(first).into_iter().chain(truths(second)).collect();
    if !can(&both) {
        return None;
    }
    let implies = |x: &Rule, y: &Rule| match y.condition {
        None => true,
        Some(condition) => !can(&truths(x).into_iter().chain([Wanted::False(condition)]).collect::<Vec<_>>()),
    };
    Some(match (implies(first, second), implies(second, first)) {
        (true, true) => Verdict::Same,
        (true, false) => Verdict::FirstIsNarrower,
        (false, true) => Verdict::SecondIsNarrower,
        (false, false) => Verdict::Overlap,
    })
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::codes;

    fn two(a: &str, b: &str) -> Vec<&'static str> {
        codes(&format!(
            "rule a on bodhi.update.testing where {a} run rpmlint\nrule b on bodhi.update.testing where {b} run rpmlint"
        ))
    }

    #[test]
    fn rules_that_overlap_are_found() {
        assert_eq!(two("package.name like \"a*\"", "package.name like \"*b\""), ["TB0605"]);
        assert_eq!(two("package.name in [\"a\", \"b\"]", "package.name in [\"c\", \"b\"]"), ["TB0605"]);
    }

    #[test]
    fn rules_that_exclude_each_other_are_left_alone() {
        assert_eq!(two("package.name like \"a*\"", "package.name like \"b*\""), [""; 0]);
        assert_eq!(two("package.name in [\"a\", \"b\"]", "package.name in [\"c\", \"d\"]"), [""; 0]);
    }
}
