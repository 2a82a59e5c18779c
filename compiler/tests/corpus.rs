//! The founding post's rules against recorded messages of the real buses, of which a person said what they mean.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod recorded;

use std::collections::BTreeMap;

use serde_json::Value as Json;
use taskbot_compiler::{SourceText, compile};
use taskbot_graph::{Answer, FactKey, Graph, TopicFilter, Value, judge};

fn rules() -> Graph {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../rules.tb")).unwrap();
    let compiled = compile(&[SourceText { path: "rules.tb".into(), text }], &[]);
    assert_eq!(compiled.diagnostics, [], "rules.tb is clean");
    compiled.graph.unwrap()
}

/// Topic without prefix and environment, and body; none outside of production.
fn split(message: &Json) -> Option<(String, Vec<u8>)> {
    let topic = TopicFilter::default().strip(message["topic"].as_str()?)?.to_owned();
    Some((topic, recorded::body(message)?))
}

/// Every package is written in C and built for two architectures.
fn facts(messages: &[Json]) -> BTreeMap<FactKey, Answer> {
    let mut facts = BTreeMap::new();
    for name in messages.iter().flat_map(|m| [&m["msg"]["name"], &m["body"]["name"]]).filter_map(Json::as_str)
    {
        let key = |fact: &str| FactKey { fact: fact.into(), key: name.into() };
        facts.insert(key("nvr.lang"), Answer::Known(Value::Text("C".into())));
        let arches = ["x86_64", "aarch64"].map(|a| Value::Text(a.into()));
        facts.insert(key("nvr.arches"), Answer::Known(Value::List(arches.into())));
    }
    facts
}

/// The founding post's rules in its order, by the names that taskbot gives them.
const RULES: [&str; 7] = [
    "bodhi.update.testing/rpmlint",
    "bodhi.update.stable/depcheck+upgradepath",
    "koji.build.completed/kernel-tests",
    "bodhi.update.pushed-testing/build-test-iso",
    "compose.test-iso.built/install-tests",
    "bodhi.update.testing/upgrade-tests",
    "koji.build.completed/static-analysis",
];

#[test]
fn every_unambiguous_fixture_is_judged_right() {
    let Some(corpus) = recorded::corpus() else { return };
    let graph = rules();
    let text = std::fs::read_to_string(corpus.join("rule-fixtures.jsonl")).unwrap();
    let fixtures: Vec<Json> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let mut judged = 0;
    for fixture in &fixtures {
        let Some(expected) = fixture["match"].as_bool() else { continue };
        let number = usize::try_from(fixture["rule"].as_u64().unwrap()).unwrap();
        let message = &fixture["message"];
        let fired = split(message).is_some_and(|(topic, body)| {
            let judgement = judge(&graph, &topic, &body, &facts(std::slice::from_ref(message)));
            judgement.runs.iter().any(|run| run.asks.iter().any(|ask| ask.reason.rule == RULES[number - 1]))
        });
        assert_eq!(fired, expected, "rule {number}, {}: {}", fixture["why"], message["topic"]);
        judged += 1;
    }
    assert!(judged >= 10, "only {judged} fixtures");
}
