//! Branch coverage: which parts of which conditions the tests saw hold, and saw fail.
//!
//! Comes in: the typed program with the places of its conditions, the graph, the tests' messages and facts. Goes out: for each
//! rule how often it fired and did not, for each part of its condition the same, and what nobody saw. A part counts only where
//! it decided something: a conjunct after a false one, or an alternative after a true one, was not looked at.

use serde::Serialize;
use taskbot_compiler::{Compiled, TypedExpr, TypedKind, TypedRule};
use taskbot_graph::{Expr, ExprId, Facts, Graph, Holds, Place, probe};

use crate::render::{self, Spot};
use crate::why;

/// How often something was so, and was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// It held.
    pub yes: u32,
    /// It did not.
    pub no: u32,
}

impl Times {
    fn add(&mut self, truth: bool) {
        let count = if truth { &mut self.yes } else { &mut self.no };
        *count = count.saturating_add(1);
    }

    fn merge(&mut self, other: Self) {
        self.yes = self.yes.saturating_add(other.yes);
        self.no = self.no.saturating_add(other.no);
    }
}

/// What there is to see: a tree of parts for each rule.
#[derive(Debug)]
pub struct Conditions {
    rules: Vec<Part>,
    parts: usize,
}

/// A condition or a part of one.
#[derive(Debug)]
struct Part {
    /// Its number, by which it is counted.
    at: usize,
    expr: Option<ExprId>,
    place: Place,
    below: Below,
}

#[derive(Debug)]
enum Below {
    Nothing,
    All(Vec<Part>),
    Any(Vec<Part>),
}

/// What was seen, by the numbers of the parts.
#[derive(Clone, Debug)]
pub struct Counts(Vec<Times>);

impl Conditions {
    /// The conditions of a program.
    pub fn of(compiled: &Compiled, graph: &Graph) -> Self {
        let mut parts = 0;
        let rules = compiled.program.rules.iter().zip(&graph.rules);
        let rules = rules
            .map(|(typed, rule)| {
                let number = next(&mut parts);
                let below = typed.condition.as_ref().zip(rule.condition).map(|(typed, id)| {
                    let part = part(graph, typed, id, &mut parts);
                    // A condition of one part is the rule's own.
                    if matches!(part.below, Below::Nothing) { Below::Nothing } else { Below::All(vec![part]) }
                });
                Part {
                    at: number,
                    expr: rule.condition,
                    place: condition_place(typed),
                    below: below.unwrap_or(Below::Nothing),
                }
            })
            .collect();
        Self { rules, parts }
    }

    /// Nothing seen yet.
    pub fn unseen(&self) -> Counts {
        Counts(vec![Times::default(); self.parts])
    }

    /// Counts what one message shows.
    pub fn see(&self, graph: &Graph, topic: &str, body: &[u8], facts: &dyn Facts, counts: &mut Counts) {
        probe(graph, topic, body, facts, &mut |rule, holds| {
            let Some(rule) = self.rules.get(rule) else { return };
            let truth = rule.expr.map_or(Some(true), &mut *holds);
            counts.add(rule.at, truth);
            if let Below::All(parts) = &rule.below {
                for part in parts {
                    look(part, holds, counts);
                }
            }
        });
    }
}

impl Counts {
    /// Adds what was seen elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| mine.merge(*theirs));
    }

    fn add(&mut self, at: usize, truth: Option<bool>) {
        if let (Some(times), Some(truth)) = (self.0.get_mut(at), truth) {
            times.add(truth);
        }
    }

    fn of(&self, part: &Part) -> Times {
        self.0.get(part.at).copied().unwrap_or_default()
    }
}

fn next(parts: &mut usize) -> usize {
    let at = *parts;
    *parts = parts.saturating_add(1);
    at
}

fn condition_place(rule: &TypedRule) -> Place {
    rule.condition.as_ref().map_or(rule.place, |condition| condition.place)
}

/// A part with the parts below it. The compiler puts alternatives that need facts last, without changing their order otherwise.
fn part(graph: &Graph, typed: &TypedExpr, id: ExprId, parts: &mut usize) -> Part {
    let at = next(parts);
    let (operands, lowered) = match (&typed.kind, graph.exprs.get(id as usize)) {
        (TypedKind::And(operands), Some(Expr::And(lowered))) => (operands, lowered),
        (TypedKind::Or(operands), Some(Expr::Or(lowered))) => (operands, lowered),
        _ => return Part { at, expr: Some(id), place: typed.place, below: Below::Nothing },
    };
    let asks = |operand: &TypedExpr| operand.any(&mut |kind| matches!(kind, TypedKind::Fact(..)));
    let (last, first): (Vec<_>, Vec<_>) = operands.iter().partition(|operand| asks(operand));
    let ids = first.into_iter().chain(last).zip(lowered);
    let mut below: Vec<Part> = ids.map(|(operand, id)| part(graph, operand, *id, parts)).collect();
    below.sort_by_key(|part| (part.place.file, part.place.start));
    let below = if matches!(typed.kind, TypedKind::And(_)) { Below::All(below) } else { Below::Any(below) };
    Part { at, expr: Some(id), place: typed.place, below }
}

/// Looks at a part as people read it, from left to right until it is decided.
fn look(part: &Part, holds: &mut Holds<'_>, counts: &mut Counts) -> Option<bool> {
    let truth = match &part.below {
        Below::Nothing => part.expr.and_then(holds),
        Below::All(parts) => {
            parts.iter().find_map(|p| not(look(p, holds, counts), true)).unwrap_or(Some(true))
        }
        Below::Any(parts) => {
            parts.iter().find_map(|p| not(look(p, holds, counts), false)).unwrap_or(Some(false))
        }
    };
    counts.add(part.at, truth);
    truth
}

/// What ends the looking: anything but this truth.
fn not(truth: Option<bool>, going_on: bool) -> Option<Option<bool>> {
    (truth != Some(going_on)).then_some(truth)
}

/// What the tests saw of all rules.
#[derive(Debug, Serialize)]
pub struct Coverage {
    /// One for each rule.
    pub rules: Vec<RuleCoverage>,
    /// Branches that were seen.
    pub seen: usize,
    /// All branches.
    pub branches: usize,
    /// Of a hundred, rounded down, so that only all of them are 100.
    pub percent: usize,
}

/// What the tests saw of one rule.
#[derive(Debug, Serialize)]
pub struct RuleCoverage {
    /// Its name.
    pub rule: String,
    /// Where it stands.
    pub at: Spot,
    /// As written; none: it always fires.
    pub condition: Option<String>,
    /// It fired, and did not.
    pub fired: Times,
    /// The parts of its condition; none where that has only one, which is what makes it fire.
    pub parts: Vec<PartCoverage>,
    /// What no test showed.
    pub unseen: Vec<Unseen>,
}

/// What the tests saw of a part of a condition.
#[derive(Debug, Serialize)]
pub struct PartCoverage {
    /// As written.
    pub text: String,
    /// Where it stands.
    pub at: Spot,
    /// It held, and did not.
    pub held: Times,
}

/// A branch that no test took.
#[derive(Debug, Serialize)]
pub struct Unseen {
    /// In words.
    pub what: String,
    /// Where.
    pub at: Spot,
}

/// What was seen of a program's rules.
pub fn coverage(compiled: &Compiled, conditions: &Conditions, counts: &Counts) -> Coverage {
    let files = &compiled.files;
    let mut out = Coverage { rules: Vec::new(), seen: 0, branches: 0, percent: 100 };
    for (typed, root) in compiled.program.rules.iter().zip(&conditions.rules) {
        let at = render::spot(files, typed.place);
        let fired = counts.of(root);
        let mut unseen = Vec::new();
        let condition = typed.condition.as_ref().map(|condition| why::source_text(files, condition.place));
        let branches = if condition.is_some() { Branches::Both } else { Branches::FiresAlways };
        out.branch(&mut unseen, fired, branches, &at, ["was never looked at", "never fired", "always fired"]);
        let mut parts = Vec::new();
        if let Below::All(below) = &root.below {
            below.iter().for_each(|part| leaves(part, &mut |leaf| parts.push(leaf)));
        }
        let parts = parts.into_iter().map(|leaf| {
            let (text, at) = (why::source_text(files, leaf.place), render::spot(files, leaf.place));
            let held = counts.of(leaf);
            let words = ["was never looked at", "was never true", "was never false"];
            let words = words.map(|word| format!("`{text}` {word}"));
            out.branch(&mut unseen, held, Branches::Both, &at, words.each_ref().map(String::as_str));
            PartCoverage { text, at, held }
        });
        let parts = parts.collect();
        out.rules.push(RuleCoverage { rule: typed.name.clone(), at, condition, fired, parts, unseen });
    }
    out.percent = out.seen.saturating_mul(100).checked_div(out.branches).unwrap_or(100);
    out
}

/// What a condition, or none, can come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Branches {
    Both,
    FiresAlways,
}

impl Coverage {
    /// Counts the two branches of a condition, or the one of a rule without: it only can fire.
    fn branch(&mut self, unseen: &mut Vec<Unseen>, times: Times, of: Branches, at: &Spot, words: [&str; 3]) {
        let [never, not_yes, not_no] = words;
        let branches: &[bool] =
            if of == Branches::Both { &[times.yes > 0, times.no > 0] } else { &[times.yes > 0] };
        self.branches = self.branches.saturating_add(branches.len());
        self.seen = self.seen.saturating_add(branches.iter().filter(|seen| **seen).count());
        let what = match branches {
            [false, false] => Some(never),
            [false, ..] => Some(not_yes),
            [_, false] => Some(not_no),
            _ => None,
        };
        unseen.extend(what.map(|what| Unseen { what: what.to_owned(), at: at.clone() }));
    }
}

fn leaves<'p>(part: &'p Part, tell: &mut dyn FnMut(&'p Part)) {
    match &part.below {
        Below::Nothing => tell(part),
        Below::All(parts) | Below::Any(parts) => parts.iter().for_each(|part| leaves(part, tell)),
    }
}
