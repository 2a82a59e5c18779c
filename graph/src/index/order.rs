//! In which order the parts of a rule's condition are judged.
//!
//! Comes in: a condition, the ways into it, and which of them a message has already shown to hold: the way that leads to the rule, and
//! the check beside it. Goes out: the parts, what is rare and cheap first, so that a candidate that does not fire is done
//! with soon. It changes no meaning: one false part decides, whatever is open.

use super::access::{Need, Way, Ways};
use super::check::Check;
use crate::graph::{CompareOp, Expr, ExprId, Graph, Test};

/// Of messages on which a part holds that nothing is known of.
const USUAL: f64 = 0.5;
/// The same of a part that only excludes something.
const USUAL_EXCLUSION: f64 = 0.9;
/// What is nearly certain to hold decides that seldom.
const LEAST_DECIDED: f64 = 0.02;

/// The parts of a conjunction in the order in which they are judged; none if it is something else. `ways`: with the share of messages
/// that take them. `cost`: in steps.
pub(super) fn parts_in_order(
    graph: &Graph,
    condition: ExprId,
    (all, ways): (impl Iterator<Item = (f64, Way)>, &Ways),
    taken: Option<Way>,
    check: Option<&Check>,
    cost: impl Fn(ExprId) -> u32,
) -> Option<Vec<ExprId>> {
    let Some(Expr::And(parts)) = graph.exprs.get(condition as usize) else { return None };
    let mut shares = vec![None; parts.len()];
    for (share, way) in all {
        let holds = match check {
            _ if taken == Some(way) => share_once_found(ways, way),
            Some(check) if check.way == way => (share / check.least).min(1.0),
            _ => share,
        };
        if let Some(known) = shares.get_mut(way.part as usize) {
            *known = Some(known.map_or(holds, |known: f64| known.min(holds)));
        }
    }
    let rated = parts.iter().zip(shares).map(|(part, share)| {
        let holds = share.unwrap_or_else(|| usual_share(graph, *part));
        (f64::from(cost(*part)) / (1.0 - holds).max(LEAST_DECIDED), *part)
    });
    let mut rated: Vec<(f64, ExprId)> = rated.collect();
    rated.sort_by(|a, b| a.0.total_cmp(&b.0));
    Some(rated.into_iter().map(|(_, part)| part).collect())
}

/// The share of messages that hold what is meant, of those that hold a key of it: a piece from the middle of a text says little.
fn share_once_found(ways: &Ways, way: Way) -> f64 {
    if ways.keys(way).iter().any(|key| matches!(key.need, Need::Gram(..))) { USUAL } else { 1.0 }
}

fn usual_share(graph: &Graph, part: ExprId) -> f64 {
    match graph.exprs.get(part as usize) {
        Some(Expr::Not(_) | Expr::Compare(CompareOp::NotEqual, ..) | Expr::Test(Test::Has, _)) => {
            USUAL_EXCLUSION
        }
        _ => USUAL,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::super::access::{Known, ways};
    use super::*;
    use crate::value::Value;

    #[test]
    fn what_is_known_already_comes_last_and_what_costs_much_later() {
        let compared = |op, value: ExprId| Expr::Compare(op, value, 3);
        let exprs = vec![
            Expr::EventValue(0),
            Expr::EventValue(1),
            Expr::EventValue(2),
            Expr::Const(Value::Text("x".into())),
            compared(CompareOp::Equal, 0),
            compared(CompareOp::NotEqual, 1),
            Expr::Like(2, "*long-enough*".into()),
            compared(CompareOp::Equal, 1),
            Expr::And(vec![4, 5, 6, 7]),
        ];
        let graph = Graph { exprs, ..Graph::default() };
        let mut found = Ways::default();
        ways(&graph, &Known::new(&graph), 8, &mut found);
        let shares = found.all.iter().map(|way| (0.01, *way));
        let taken = found.all.iter().find(|way| way.part == 0).copied();
        let cost = |part| if part == 6 { 5 } else { 1 };
        let order = parts_in_order(&graph, 8, (shares, &found), taken, None, cost).unwrap();
        assert_eq!(order, [7, 6, 5, 4]);
        assert_eq!(parts_in_order(&graph, 4, (std::iter::empty(), &found), taken, None, cost), None);
    }
}
