//! TB0605: two rules that ask for the same run on some messages, neither of them needless. They are one run with two reasons; most
//! often one condition with `or` was meant.

use std::collections::{BTreeMap, BTreeSet};

use taskbot_graph::{ArgumentSource, Clauses, CompareOp, Expr, ExprId, Rule};

use super::{Context, Lint};
use crate::analysis::{Beside, Enums, Wanted, witness};
use crate::diagnostic::{Diagnostic, TB0605};

pub(super) static LINT: Lint = Lint { code: &TB0605, check };

/// Pairs of rules whose conditions are compared in one program; beyond that the rest is not.
const PAIRS: usize = 20_000;
/// Pairs of rules that are looked at for whether they are to be compared.
const LOOKS: usize = 1_000_000;

/// Findings for which a message is made up: a reader wants a few.
const EXAMPLES: usize = 20;

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
pub(crate) struct Pair {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) verdict: Verdict,
}

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let mut examples = EXAMPLES;
    for pair in context.pairs().iter().filter(|pair| pair.verdict == Verdict::Overlap) {
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
        let example = (examples > 0).then(|| {
            examples = examples.saturating_sub(1);
            witness((context.graph, pair.b), Beside::Fires((context.graph, pair.a)))
        });
        let remark = match example.flatten() {
            Some(made) => format!("both fire on {}: {}", made.topic, made.body),
            None => "on some messages both of them fire".to_owned(),
        };
        found.push(
            Diagnostic::new(&TB0605, place, message, remark)
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
    let mut near = Near { looks: LOOKS, found: BTreeSet::new() };
    for rules in groups.values().filter(|rules| rules.len() > 1) {
        near.group(context, rules);
    }
    let pairs = near.found.into_iter().take(PAIRS);
    pairs.filter_map(|(a, b)| Some(Pair { a, b, verdict: verdict(context, a, b)? })).collect()
}

/// What two rules must share for their runs to be the same: arguments, axes and what is left out of them.
fn shape(rule: &Rule, arguments: &[ArgumentSource]) -> String {
    format!("{arguments:?} {:?} {:?}", rule.axes, rule.except)
}

/// The texts that a condition leaves to a place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Texts {
    /// This one.
    One(String),
    /// Those that begin so.
    From(String),
}

impl Texts {
    fn beginning(&self) -> &str {
        match self {
            Self::One(text) | Self::From(text) => text,
        }
    }

    /// Whether a text that begins no earlier in the alphabet may be both.
    fn may_be(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::One(text), Self::One(other)) => text == other,
            (Self::One(text), Self::From(start)) => text == start,
            (Self::From(start), later) => later.beginning().starts_with(start.as_str()),
        }
    }
}

/// The places that a condition restricts, each with texts of which it leaves one.
type Limits = BTreeMap<ExprId, Vec<Texts>>;

/// Rules whose conditions may overlap.
struct Near {
    /// Pairs that may still be looked at.
    looks: usize,
    /// Earlier rule first.
    found: BTreeSet<(usize, usize)>,
}

impl Near {
    /// Adds the pairs of a group. Rules that restrict the place which tells most of the group apart (`package.name in [...]`) are
    /// only paired where one text may be meant by both, so that a thousand rules about a thousand packages stay a thousand.
    fn group(&mut self, context: &Context<'_>, rules: &[usize]) {
        let limits = rules.iter().map(|at| {
            let condition = context.graph.rules.get(*at).and_then(|rule| rule.condition);
            (*at, condition.map_or_else(Limits::new, |condition| limits(context, condition)))
        });
        let limits: Vec<(usize, Limits)> = limits.collect();
        let mut texts: BTreeMap<ExprId, BTreeSet<&Texts>> = BTreeMap::new();
        for (of, left) in limits.iter().flat_map(|(_, limits)| limits) {
            texts.entry(*of).or_default().extend(left);
        }
        let place = texts.iter().max_by_key(|(_, texts)| texts.len()).map_or(ExprId::MAX, |(of, _)| *of);
        let (told, other): (Vec<_>, Vec<_>) = limits.iter().partition(|(_, l)| l.contains_key(&place));

        let mut sorted: Vec<(&str, &Texts, usize)> = Vec::new();
        for (at, limits) in &told {
            sorted.extend(limits.get(&place).into_iter().flatten().map(|t| (t.beginning(), t, *at)));
        }
        sorted.sort_unstable();
        for (from, (_, texts, a)) in sorted.iter().enumerate() {
            let behind = sorted.iter().skip(from.saturating_add(1));
            for (_, _, b) in behind.take_while(|(_, later, _)| texts.may_be(later)) {
                if self.look(*a, *b, a != b) == Budget::Spent {
                    return;
                }
            }
        }
        for (from, (a, one)) in other.iter().enumerate() {
            for (b, two) in told.iter().chain(other.iter().skip(from.saturating_add(1))) {
                // Rules that list values of different places speak of different things.
                let strangers = lists(one) && lists(two) && !one.keys().any(|of| two.contains_key(of));
                if self.look(*a, *b, !strangers) == Budget::Spent {
                    return;
                }
            }
        }
    }

    fn look(&mut self, a: usize, b: usize, near: bool) -> Budget {
        if self.looks == 0 || self.found.len() >= PAIRS {
            return Budget::Spent;
        }
        self.looks = self.looks.saturating_sub(1);
        if near {
            self.found.insert((a.min(b), a.max(b)));
        }
        Budget::Left
    }
}

/// Whether more may be looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Budget {
    Left,
    Spent,
}

/// Whether some place may only be one of listed values.
fn lists(limits: &Limits) -> bool {
    limits.values().any(|texts| texts.iter().all(|text| matches!(text, Texts::One(_))))
}

/// What a condition restricts to listed values, or to a pattern with a beginning.
fn limits(context: &Context<'_>, condition: ExprId) -> Limits {
    let exprs = &context.graph.exprs;
    let mut out = Limits::new();
    match exprs.get(condition as usize) {
        Some(Expr::And(parts)) => {
            for (of, texts) in parts.iter().flat_map(|part| limits(context, *part)) {
                out.entry(of).or_default().extend(texts);
            }
        }
        Some(Expr::In(of, values)) => {
            out.insert(*of, values.iter().map(|v| Texts::One(v.text())).collect());
        }
        Some(Expr::Compare(CompareOp::Equal, of, constant)) => {
            if let Some(Expr::Const(value)) = exprs.get(*constant as usize) {
                out.insert(*of, vec![Texts::One(value.text())]);
            }
        }
        Some(Expr::Like(of, glob)) => {
            let beginning: String = glob.chars().take_while(|c| !"*?[".contains(*c)).collect();
            if !beginning.is_empty() {
                out.insert(*of, vec![Texts::From(beginning)]);
            }
        }
        _ => {}
    }
    out
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
    fn a_message_shows_that_both_fire() {
        let rules = "rule a on bodhi.update.testing where package.name like \"a*\" run rpmlint\n\
             rule b on bodhi.update.testing where package.name like \"*b\" run rpmlint";
        let found = crate::lint::tests::linted(rules, &crate::Domains::default());
        let text =
            found.iter().find(|d| d.code.id == "TB0605").map(|d| d.primary.text.clone()).unwrap_or_default();
        assert!(text.starts_with("both fire on bodhi.update.") && text.contains("ab-1.0-1.fc40"), "{text}");
    }

    #[test]
    fn rules_that_overlap_are_found() {
        assert_eq!(two("package.name like \"a*\"", "package.name like \"*b\""), ["TB0605"]);
        assert_eq!(two("package.name in [\"a\", \"b\"]", "package.name in [\"c\", \"b\"]"), ["TB0605"]);
        assert_eq!(two("package.name in [\"apple\", \"b\"]", "package.name like \"ap*\""), ["TB0605"]);
        assert_eq!(two("package.name like \"ap*\"", "package.name like \"a*e\""), ["TB0605"]);
    }

    #[test]
    fn rules_that_exclude_each_other_are_left_alone() {
        assert_eq!(two("package.name like \"a*\"", "package.name like \"b*\""), [""; 0]);
        assert_eq!(two("package.name in [\"a\", \"b\"]", "package.name in [\"c\", \"d\"]"), [""; 0]);
    }
}
