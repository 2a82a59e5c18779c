//! `taskbot explain --task NAME` and `--rule NAME`: what leads to a task or a rule, without a message.
//!
//! Comes in: a compiled program. Goes out: for each rule the event and its topics, the parts of its condition, the facts that it
//! asks, the tasks that cause the event. It reads places and text of the sources, and judges nothing.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;
use taskbot_compiler::{Compiled, TypedArgument, TypedExpr, TypedKind, TypedRule};
use taskbot_graph::Scope;

use crate::output::{self, Failure, Format, Paint};
use crate::render::{self, Spot};
use crate::why;

/// Everything that leads to one rule's runs.
#[derive(Debug, Serialize)]
struct Way {
    rule: String,
    at: Spot,
    doc: String,
    event: String,
    dialects: Vec<Telling>,
    /// Once for each subject of a message, or once for each message.
    judged_for: &'static str,
    conditions: Vec<Written>,
    /// Facts as they are configured.
    facts: BTreeSet<String>,
    /// Lists whose values make a run each.
    axes: Vec<String>,
    tasks: Vec<String>,
    /// Tasks that can cause the event.
    caused_by: Vec<String>,
}

/// A dialect in which the event is told.
#[derive(Debug, Serialize)]
struct Telling {
    dialect: String,
    topics: Vec<String>,
    condition: Option<String>,
}

/// A piece of the source.
#[derive(Debug, Serialize)]
struct Written {
    text: String,
    at: Spot,
}

/// Explains what leads to a task, or to a rule.
pub fn run(
    compiled: &Compiled,
    task: Option<&str>,
    rule: Option<&str>,
    format: Format,
    paint: Paint,
) -> Result<(), Failure> {
    let rules: Vec<&TypedRule> = compiled
        .program
        .rules
        .iter()
        .filter(|r| rule.is_none_or(|name| r.name == name))
        .filter(|r| task.is_none_or(|name| tasks(compiled, r).any(|t| t == name)))
        .collect();
    if rules.is_empty() {
        return Err(unknown(compiled, task, rule));
    }
    let ways: Vec<Way> = rules.into_iter().map(|rule| way(compiled, rule)).collect();
    if format == Format::Json {
        return output::json(&json!({ "task": task, "rules": ways }));
    }
    if let Some(task) = task {
        output::line(format!("{} is run by {}", paint.bold(task), output::count(ways.len(), "rule")));
    }
    ways.iter().for_each(|way| print(way, paint));
    Ok(())
}

fn unknown(compiled: &Compiled, task: Option<&str>, rule: Option<&str>) -> Failure {
    let rules = compiled.program.rules.iter();
    let names: BTreeSet<&str> = match rule {
        Some(_) => rules.map(|r| r.name.as_str()).collect(),
        None => rules.flat_map(|r| tasks(compiled, r)).collect(),
    };
    let what = rule.map(|name| format!("there is no rule {name}"));
    let what = what.unwrap_or_else(|| format!("no rule runs {}", task.unwrap_or_default()));
    Failure::new(format!("{what}; there are {}", Vec::from_iter(names).join(", ")))
}

fn tasks<'c>(compiled: &'c Compiled, rule: &'c TypedRule) -> impl Iterator<Item = &'c str> {
    rule.actions.iter().filter_map(|(at, _)| compiled.program.tasks.get(*at)).map(|t| t.name.as_str())
}

fn way(compiled: &Compiled, rule: &TypedRule) -> Way {
    let files = &compiled.files;
    let event = compiled.program.events.get(rule.event);
    let name = event.map_or(String::new(), |e| e.name.clone());
    let dialects = event.iter().flat_map(|e| &e.dialects).map(|dialect| Telling {
        dialect: dialect.name.clone(),
        topics: dialect.topics.clone(),
        condition: dialect.condition.as_ref().map(|c| why::source_text(files, c.place)),
    });
    let parts: Vec<&TypedExpr> = match rule.condition.as_ref() {
        None => Vec::new(),
        Some(TypedExpr { kind: TypedKind::And(parts), .. }) => parts.iter().collect(),
        Some(one) => vec![one],
    };
    let written = |expr: &TypedExpr| Written {
        text: why::source_text(files, expr.place),
        at: render::spot(files, expr.place),
    };
    let has_subjects = event.is_some_and(|e| e.dialects.iter().any(|d| d.subjects.is_some()));
    let emitting = compiled.program.tasks.iter().filter(|t| t.emits.contains(&name));
    Way {
        rule: rule.name.clone(),
        at: render::spot(files, rule.place),
        doc: rule.doc.clone(),
        dialects: dialects.collect(),
        judged_for: if has_subjects && rule.scope == Scope::Subject {
            "each subject"
        } else {
            "each message"
        },
        conditions: parts.into_iter().map(written).collect(),
        facts: facts(compiled, rule),
        axes: rule
            .axes
            .iter()
            .map(|(name, list)| format!("{name} in {}", why::source_text(files, list.place)))
            .collect(),
        tasks: tasks(compiled, rule).map(str::to_owned).collect(),
        caused_by: emitting.map(|t| t.name.clone()).collect(),
        event: name,
    }
}

/// The facts that a rule asks, wherever it reads them.
fn facts(compiled: &Compiled, rule: &TypedRule) -> BTreeSet<String> {
    let arguments = rule.actions.iter().flat_map(|(_, arguments)| arguments);
    let arguments =
        arguments.filter_map(|a| if let TypedArgument::Expr(expr) = a { Some(expr) } else { None });
    let axes = rule.axes.iter().map(|(_, list)| list);
    let mut found = BTreeSet::new();
    for expr in rule.condition.iter().chain(axes).chain(arguments).chain(rule.clauses.keys()) {
        expr.any(&mut |kind| {
            if let TypedKind::Fact(at, _) = kind {
                found.extend(compiled.program.facts.get(*at).map(|fact| fact.name.clone()));
            }
            false
        });
    }
    found
}

fn print(way: &Way, paint: Paint) {
    output::line("");
    output::line(format!("rule {}  {}", paint.bold(&way.rule), paint.dim(&way.at.short())));
    way.doc.lines().for_each(|line| output::line(format!("  {line}")));
    output::line(format!("  waits for   {}, for {}", way.event, way.judged_for));
    for telling in &way.dialects {
        let condition = telling.condition.as_ref().map_or(String::new(), |c| format!(" where {c}"));
        output::line(format!("  told on     {}{condition} ({})", telling.topics.join(", "), telling.dialect));
    }
    for task in &way.caused_by {
        output::line(format!("  caused by   task {task}"));
    }
    for (at, part) in way.conditions.iter().enumerate() {
        let word = if at == 0 { "has to hold" } else { "and        " };
        output::line(format!("  {word} {}  {}", part.text, paint.dim(&part.at.short())));
    }
    way.facts.iter().for_each(|fact| output::line(format!("  asks        {fact}")));
    way.axes.iter().for_each(|axis| output::line(format!("  one run for {axis}")));
    output::line(format!("  runs        {}", way.tasks.join(", ")));
}
