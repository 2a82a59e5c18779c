//! Trigger loops: a rule runs a task, the task causes an event, the event fires the rule.
//!
//! Comes in: a compiled program. Goes out: for each loop the rule that closes it. What a task can cause is what it declares
//! (`emits`); beside that taskbot tells of every run, which counts only where a rule can match a run of its own task. A loop is
//! allowed where its author says so (`may loop`) and a window bounds it.

use std::collections::{BTreeMap, BTreeSet};

use taskbot_graph::{CompareOp, Event, Expr, Graph, Rule, Value};

use super::{Analysis, Enums, Wanted};
use crate::diagnostic::{Diagnostic, TB0410};
use crate::typed::{Looping, Program};

/// Events that taskbot tells of every run, and their value that names the task.
const OF_EVERY_RUN: &str = "taskbot.";
const TASK_VALUE: &str = "task-name";

/// A task that may follow another one, and the rule between them.
struct Step {
    to: u32,
    rule: usize,
}

/// Reports every loop that is not bounded.
pub(crate) fn loops(program: &Program, graph: &Graph, diagnostics: &mut Vec<Diagnostic>) {
    let steps = steps(program, graph);
    let mut told: BTreeSet<usize> = BTreeSet::new();
    for task in steps.keys() {
        let Some(way) = way_back(*task, &steps) else { continue };
        let bounded = way.iter().any(|rule| bounds(program, graph, *rule));
        let Some(closing) = way.last().copied().filter(|rule| !bounded && told.insert(*rule)) else {
            continue;
        };
        if way.iter().rev().skip(1).any(|rule| told.contains(rule)) {
            continue;
        }
        let Some(source) = graph.sources.rules.get(closing) else { continue };
        let name = |rule: &usize| graph.rules.get(*rule).map_or(String::new(), |r| format!("`{}`", r.name));
        let message = match way.as_slice() {
            [one] => format!("rule {} causes itself", name(one)),
            all => {
                format!("rules cause each other: {}", all.iter().map(name).collect::<Vec<_>>().join(" -> "))
            }
        };
        let mut diagnostic =
            Diagnostic::new(&TB0410, source.place, message, "its task can cause its own event")
                .help("narrow its condition; or write `may loop` and bound it with `once per` or `at most`");
        for rule in way.iter().rev().skip(1) {
            if let Some(source) = graph.sources.rules.get(*rule) {
                diagnostic = diagnostic.other(source.place, "part of the loop");
            }
        }
        diagnostics.push(diagnostic);
    }
}

/// Whether a rule's author says that it may loop, and a window bounds it.
fn bounds(program: &Program, graph: &Graph, rule: usize) -> bool {
    let (Some(typed), Some(rule)) = (program.rules.get(rule), graph.rules.get(rule)) else { return false };
    let window = rule.clauses.once.is_some() || rule.clauses.at_most.is_some();
    typed.clauses.looping == Looping::Bounded && window
}

/// For each task the tasks that may follow it.
fn steps(program: &Program, graph: &Graph) -> BTreeMap<u32, Vec<Step>> {
    let mut steps: BTreeMap<u32, Vec<Step>> = BTreeMap::new();
    let emitting: Vec<(u32, &[String])> = graph
        .tasks
        .iter()
        .zip(0..)
        .filter(|(task, _)| !task.emits.is_empty())
        .map(|(task, at)| (at, task.emits.as_slice()))
        .collect();
    let told = told(program, &emitting);
    let heard: Vec<Vec<u32>> = graph.events.iter().map(|event| heard(event, &emitting, &told)).collect();
    for (place, rule) in graph.rules.iter().enumerate() {
        let Some(event) = graph.events.get(rule.event as usize) else { continue };
        for from in heard.get(rule.event as usize).into_iter().flatten() {
            let to = rule.actions.iter().map(|action| Step { to: action.task, rule: place });
            steps.entry(*from).or_default().extend(to);
        }
        if event.name.starts_with(OF_EVERY_RUN) {
            for action in rule.actions.iter().filter(|action| fires_for(graph, rule, action.task)) {
                steps.entry(action.task).or_default().push(Step { to: action.task, rule: place });
            }
        }
    }
    steps
}

/// The topics on which each event is told that some task causes.
fn told<'p>(program: &'p Program, emitting: &[(u32, &'p [String])]) -> BTreeMap<&'p str, Vec<&'p str>> {
    let emitted: BTreeSet<&str> = emitting.iter().flat_map(|(_, emits)| *emits).map(String::as_str).collect();
    let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for event in program.events.iter().filter(|event| emitted.contains(event.name.as_str())) {
        let topics = event.dialects.iter().flat_map(|d| &d.topics).map(String::as_str);
        told.entry(&event.name).or_default().extend(topics);
    }
    told
}

/// The tasks whose events rules on this one hear, by its name or, where it is a topic as it is, by what is told there.
fn heard(waits: &Event, emitting: &[(u32, &[String])], told: &BTreeMap<&str, Vec<&str>>) -> Vec<u32> {
    let covers = |topic: &&str| waits.dialects.iter().any(|d| d.covers(topic));
    let hears = |name: &String| {
        let on_topics = || told.get(name.as_str()).is_some_and(|topics| topics.iter().any(covers));
        *name == waits.name || (waits.values.is_empty() && on_topics())
    };
    emitting.iter().filter(|(_, emits)| emits.iter().any(hears)).map(|(task, _)| *task).collect()
}

/// Whether a rule on what taskbot tells of every run can match a run of this task.
fn fires_for(graph: &Graph, rule: &Rule, task: u32) -> bool {
    let (Some(event), Some(task)) = (graph.events.get(rule.event as usize), graph.tasks.get(task as usize))
    else {
        return true;
    };
    let Some(condition) = rule.condition else { return true };
    let named = event.values.iter().position(|v| v.name == TASK_VALUE);
    // The condition that would compare the name is made beside the graph, so that the graph stays as it is.
    let Some(named) = named.and_then(|at| u32::try_from(at).ok()) else { return true };
    // A name that no rule reads excludes nothing.
    let given = |d: &taskbot_graph::Dialect| d.values.get(named as usize).is_some_and(Option::is_some);
    if !event.dialects.iter().any(given) {
        return true;
    }
    let mut with = graph.clone();
    let mut add = |expr| {
        with.exprs.push(expr);
        u32::try_from(with.exprs.len().saturating_sub(1)).unwrap_or(u32::MAX)
    };
    let (value, name) =
        (add(Expr::EventValue(named)), add(Expr::Const(Value::Text(task.name.as_str().into()))));
    let own = add(Expr::Compare(CompareOp::Equal, value, name));
    let wanted = [Wanted::True(condition), Wanted::True(own)];
    !Analysis::new(&with).possible(rule.event, &wanted, Enums::Open).is_impossible()
}

/// The rules on the shortest way from a task back to itself.
fn way_back(task: u32, steps: &BTreeMap<u32, Vec<Step>>) -> Option<Vec<usize>> {
    let mut seen: BTreeSet<u32> = BTreeSet::new();
    let mut open: std::collections::VecDeque<(u32, Vec<usize>)> = [(task, Vec::new())].into();
    while let Some((at, way)) = open.pop_front() {
        for step in steps.get(&at).into_iter().flatten() {
            let mut longer = way.clone();
            longer.push(step.rule);
            if step.to == task {
                return Some(longer);
            }
            if seen.insert(step.to) {
                open.push_back((step.to, longer));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::{SourceText, compile};

    const TASKS: &str = "task a { package: nvr repository \"https://x.org/a\" emits koji.build.completed }\n\
        task b { repository \"https://x.org/b\" emits bodhi.update.testing }\n\
        task note { repository \"https://x.org/n\" }\n";

    fn codes(rules: &str) -> Vec<&'static str> {
        let source = SourceText { path: "rules.tb".into(), text: format!("{TASKS}{rules}") };
        compile(&[source], &[]).diagnostics.iter().map(|d| d.code.id).collect()
    }

    #[test]
    fn a_loop_is_found_through_tasks_and_events() {
        assert_eq!(codes("on koji.build.completed run a"), ["TB0410"]);
        assert_eq!(codes("on koji.build.completed run b"), [""; 0]);
        assert_eq!(codes("on koji.build.completed run b\non bodhi.update.testing run a"), ["TB0410"]);
        assert_eq!(
            codes("on topic \"buildsys.build.*.change\" where has body.x run a(package: body.x)"),
            ["TB0410"]
        );
    }

    #[test]
    fn a_window_bounds_a_loop_that_is_meant() {
        assert_eq!(codes("on koji.build.completed run a may loop"), ["TB0410"]);
        assert_eq!(codes("on koji.build.completed run a at most 3 per 1d"), ["TB0410"]);
        assert_eq!(codes("on koji.build.completed run a at most 3 per 1d may loop"), [""; 0]);
    }

    #[test]
    fn what_taskbot_tells_of_a_run_counts_for_its_own_task() {
        assert_eq!(codes("on taskbot.run.finished run note"), ["TB0410"]);
        assert_eq!(codes("on taskbot.run.finished where task-name == \"rpmlint\" run note"), [""; 0]);
        assert_eq!(codes("on taskbot.run.finished where task-name != \"note\" run note"), [""; 0]);
    }
}
