//! P08 and P09: the decision graph means what the program says, and no rule sees another one.
//!
//! Random programs judged on random messages. The graph (through its bytes) must say what the naive evaluator of the typed tree says; and the
//! runs of all rules together must be the union of the runs of each alone. `TASKBOT_PAIRS` sets the number of pairs.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod naive;
mod random;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use random::{DECLARATIONS, facts, message, program, program_of};
use serde_json::Value as Json;
use taskbot_graph::{Answer, FactKey, Graph, judge};

/// The graph's judgement in the naive evaluator's words.
fn lines(graph: &Graph, topic: &str, body: &Json, facts: &BTreeMap<FactKey, Answer>) -> BTreeSet<String> {
    let judgement = judge(graph, topic, &serde_json::to_vec(body).unwrap(), facts);
    let label = |r: &taskbot_graph::Reason| {
        format!("{}[{}]", r.rule, r.subject.map_or("-".into(), |s| s.to_string()))
    };
    let runs = judgement
        .runs
        .iter()
        .flat_map(|run| run.asks.iter().map(move |ask| format!("{} runs {}", label(&ask.reason), run.key())));
    let mut lines: BTreeSet<String> = runs.collect();
    for parked in &judgement.parked {
        let needs: BTreeSet<&FactKey> = parked.needs.iter().collect();
        lines.insert(format!("{} waits for {needs:?}", label(&parked.reason)));
    }
    for refusal in judgement.refused.iter().filter(|r| r.rule.is_none()) {
        lines.insert(format!("event {} refused", refusal.event));
    }
    lines
}

#[test]
fn p09_the_graph_means_what_the_program_says_and_p08_rules_are_independent() {
    let pairs: u32 = std::env::var("TASKBOT_PAIRS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let messages = 200;
    let cases = pairs / (10 * messages) + 1;
    let mut runner = TestRunner::new(Config {
        cases,
        max_shrink_iters: 300,
        failure_persistence: None,
        ..Config::default()
    });
    let strategy = (program(), prop::collection::vec(message(), messages as usize), facts());
    let (fired, waited) = (std::cell::Cell::new(0usize), std::cell::Cell::new(0usize));
    runner
        .run(&strategy, |(text, messages, facts)| {
            let compiled = program_of(&text);
            let graph = Graph::from_bytes(&compiled.graph.unwrap().to_bytes()).unwrap();
            for (topic, body) in &messages {
                let ours = lines(&graph, topic, body, &facts);
                let naive = naive::judge(&compiled.program, topic, body, &facts);
                let naive: BTreeSet<String> =
                    naive.into_iter().filter(|l| !l.starts_with('r') || !l.ends_with(" refused")).collect();
                prop_assert_eq!(&ours, &naive, "{} {}", topic, body);
                fired.set(fired.get() + ours.iter().filter(|l| l.contains(" runs ")).count());
                waited.set(waited.get() + ours.iter().filter(|l| l.contains(" waits ")).count());
            }
            each_alone(&text, &graph, &messages[..20], &facts)
        })
        .unwrap();
    assert!(
        fired.get() > 1000 && waited.get() > 100,
        "hardly anything fired: {} runs, {} waiting",
        fired.get(),
        waited.get()
    );
}

/// fired(set) = union of fired(each).
fn each_alone(
    text: &str,
    graph: &Graph,
    messages: &[(&'static str, Json)],
    facts: &BTreeMap<FactKey, Answer>,
) -> Result<(), TestCaseError> {
    let rules: Vec<&str> = text.lines().filter(|l| l.starts_with("rule ")).collect();
    let alone: Vec<Graph> =
        rules.iter().map(|rule| program_of(&format!("{DECLARATIONS}{rule}\n")).graph.unwrap()).collect();
    for (topic, body) in messages {
        let union: BTreeSet<String> = alone.iter().flat_map(|g| lines(g, topic, body, facts)).collect();
        prop_assert_eq!(lines(graph, topic, body, facts), union);
    }
    Ok(())
}
