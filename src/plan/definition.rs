//! What a rule says, as text that is equal for equal rules of different rule sets.
//!
//! Comes in: a graph and one of its rules. Goes out: its parts (condition, event, tasks, matrix, windows), each spelled out to the
//! last constant, without places, comments or the numbers that one graph gives its expressions. It judges nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use taskbot_graph::{ArgumentSource, Clauses, Expr, ExprId, Graph, Rule};

/// Spells a part of a rule out.
type Spelling = fn(&Graph, &Rule) -> String;

/// What a rule's clauses are called.
pub const WINDOWS: &str = "windows and limits";

/// The parts of a rule that differ, in words; empty: both say the same.
pub fn differences(old: (&Graph, &Rule), new: (&Graph, &Rule)) -> Vec<&'static str> {
    let parts: [(&'static str, Spelling); 5] = [
        ("condition", condition),
        ("tasks", tasks),
        ("matrix", matrix),
        (WINDOWS, clauses),
        ("what its tasks are", declarations),
    ];
    let differing = parts.into_iter().filter(|(_, part)| part(old.0, old.1) != part(new.0, new.1));
    let mut names: Vec<&'static str> = differing.map(|(name, _)| name).collect();
    // A value that only one of them reads is a difference of what they say, not of the event.
    let read: BTreeSet<u32> =
        read_values(old.0, old.1).intersection(&read_values(new.0, new.1)).copied().collect();
    if event(old.0, old.1, &read) != event(new.0, new.1, &read) {
        names.push("event");
    }
    names
}

fn condition(graph: &Graph, rule: &Rule) -> String {
    rule.condition.map_or(String::new(), |condition| spelled(graph, condition))
}

fn matrix(graph: &Graph, rule: &Rule) -> String {
    let axes = rule.axes.iter().map(|axis| format!("{} in {}", axis.name, spelled(graph, axis.list)));
    format!("{} except {:?}", Vec::from_iter(axes).join(", "), rule.except)
}

fn tasks(graph: &Graph, rule: &Rule) -> String {
    let mut out = String::new();
    for action in &rule.actions {
        let name = graph.tasks.get(action.task as usize).map_or("", |t| t.name.as_str());
        // Writing to a string cannot fail, here and below.
        let _ = write!(out, "{name}(");
        for source in &action.arguments {
            let text = match source {
                ArgumentSource::Axis(at) => format!("axis {at}"),
                ArgumentSource::Expr(id) => spelled(graph, *id),
                ArgumentSource::Default => "default".to_owned(),
            };
            let _ = write!(out, "{text}, ");
        }
        out.push(')');
    }
    out
}

fn declarations(graph: &Graph, rule: &Rule) -> String {
    let tasks = rule.actions.iter().filter_map(|action| graph.tasks.get(action.task as usize));
    tasks.fold(String::new(), |mut out, task| {
        let _ = write!(out, "{} {:?} {:?};", task.repository, task.reference, task.params);
        out
    })
}

fn clauses(graph: &Graph, rule: &Rule) -> String {
    let Clauses { once, quiet, at_most, superseding, group, priority, timeout_seconds } = &rule.clauses;
    let key = |key: &[ExprId]| Vec::from_iter(key.iter().map(|id| spelled(graph, *id))).join(", ");
    let once = once.as_ref().map(|w| (key(&w.key), w.within_seconds));
    let quiet = quiet.as_ref().map(|w| (key(&w.key), w.for_seconds));
    let superseding = superseding.as_deref().map(key);
    format!("{once:?} {quiet:?} {at_most:?} {superseding:?} {group:?} {priority:?} {timeout_seconds:?}")
}

/// The event as far as these values go: whatever other rules read of it does not matter.
fn event(graph: &Graph, rule: &Rule, read: &BTreeSet<u32>) -> String {
    let Some(event) = graph.events.get(rule.event as usize) else { return String::new() };
    event.dialects.iter().fold(event.name.clone(), |mut out, dialect| {
        let _ = write!(out, " {} {:?} {:?}", dialect.name, dialect.topics, dialect.subjects);
        let required = dialect.required.iter().filter_map(|path| graph.paths.get(*path as usize));
        for path in required {
            let _ = write!(out, " {path:?}");
        }
        let happening = dialect.happening.iter().flat_map(|h| h.key.iter().copied());
        let within = dialect.happening.as_ref().map(|h| h.within_seconds);
        let values = read.iter().filter_map(|at| dialect.values.get(*at as usize).copied().flatten());
        for id in dialect.condition.into_iter().chain(happening).chain(values) {
            let _ = write!(out, " {}", spelled(graph, id));
        }
        let _ = write!(out, " {within:?}");
        out
    })
}

/// The expressions that a rule is made of.
pub fn roots(rule: &Rule) -> impl Iterator<Item = ExprId> {
    let arguments = rule.actions.iter().flat_map(|action| &action.arguments);
    let arguments = arguments.filter_map(|a| if let ArgumentSource::Expr(id) = a { Some(*id) } else { None });
    let clauses = &rule.clauses;
    let keys = clauses.once.iter().flat_map(|w| &w.key).chain(clauses.quiet.iter().flat_map(|w| &w.key));
    let keys = keys.chain(clauses.superseding.iter().flatten()).copied();
    rule.condition.into_iter().chain(rule.axes.iter().map(|axis| axis.list)).chain(arguments).chain(keys)
}

fn read_values(graph: &Graph, rule: &Rule) -> BTreeSet<u32> {
    let mut read = BTreeSet::new();
    let mut open: Vec<ExprId> = roots(rule).collect();
    while let Some(expr) = open.pop().and_then(|id| graph.exprs.get(id as usize)) {
        if let Expr::EventValue(at) = expr {
            read.insert(*at);
        }
        expr.operands(&mut |operand| open.push(operand));
    }
    read
}

/// An expression with everything below it.
fn spelled(graph: &Graph, id: ExprId) -> String {
    let Some(expr) = graph.exprs.get(id as usize) else { return String::new() };
    let head = match expr {
        Expr::Const(value) => format!("{value:?}"),
        Expr::Path(path) => format!("{:?}", graph.paths.get(*path as usize)),
        Expr::EventValue(at) => format!("value {at}"),
        Expr::Bound(depth) => format!("bound {depth}"),
        Expr::Field(_, at) => format!("field {at}"),
        Expr::Part(_, part) => format!("{part:?}"),
        Expr::MakeRecord(_, fields) => {
            let there: Vec<bool> = fields.iter().map(Option::is_some).collect();
            format!("record {there:?}")
        }
        Expr::Fact(at, _) => {
            format!("fact {}", graph.facts.get(*at as usize).map_or("", |f| f.name.as_str()))
        }
        Expr::Compare(op, ..) => format!("{op:?}"),
        Expr::In(_, values) => format!("in {values:?}"),
        Expr::Like(_, pattern) => format!("like {pattern:?}"),
        Expr::Matches(_, pattern) => format!("matches {pattern:?}"),
        Expr::Test(test, _) => format!("{test:?}"),
        Expr::Quantified(quantifier, ..) => format!("{quantifier:?}"),
        Expr::MakeNvr(_) => "nvr".to_owned(),
        Expr::Else(..) => "else".to_owned(),
        Expr::InList(..) => "in list".to_owned(),
        Expr::Not(_) => "not".to_owned(),
        Expr::And(_) => "and".to_owned(),
        Expr::Or(_) => "or".to_owned(),
        Expr::Count(..) => "count".to_owned(),
    };
    let mut operands = Vec::new();
    expr.operands(&mut |operand| operands.push(spelled(graph, operand)));
    format!("{head}({})", operands.join(", "))
}
