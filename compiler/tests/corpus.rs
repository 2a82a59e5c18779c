//! The standard library against recorded messages of the real buses.
//!
//! The recordings are not part of the project: `TASKBOT_CORPUS` names their folder. Without it the tests say that they were
//! skipped; `TASKBOT_REQUIRE=corpus` turns that into a failure.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;

use serde_json::Value as Json;
use taskbot_compiler::{SourceText, compile};
use taskbot_graph::{Answer, FactKey, Graph, TopicFilter, Value, judge};

fn corpus() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("TASKBOT_CORPUS") {
        return Some(PathBuf::from(folder));
    }
    let required = std::env::var("TASKBOT_REQUIRE").is_ok_and(|list| list.split(',').any(|r| r == "corpus"));
    assert!(!required, "TASKBOT_REQUIRE names corpus, but TASKBOT_CORPUS is not set");
    // Past the test runner, which keeps what a passing test prints to itself.
    let _ =
        writeln!(std::io::stderr(), "skipped: needs corpus (set TASKBOT_CORPUS to the recorded messages)");
    None
}

fn rules() -> Graph {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../rules.tb")).unwrap();
    let compiled = compile(&[SourceText { path: "rules.tb".into(), text }], &[]);
    assert_eq!(compiled.diagnostics, [], "rules.tb is clean");
    compiled.graph.unwrap()
}

/// Topic without prefix and environment, and body; none outside of production.
fn split(message: &Json) -> Option<(String, Vec<u8>)> {
    let topic = TopicFilter::default().strip(message["topic"].as_str()?)?.to_owned();
    let body = message.get("msg").or_else(|| message.get("body"))?;
    Some((topic, serde_json::to_vec(body).unwrap()))
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
    let Some(corpus) = corpus() else { return };
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

#[test]
fn every_message_on_a_covered_topic_is_typed_or_refused_with_a_reason() {
    let Some(corpus) = corpus() else { return };
    // A rule for every event of the standard library, so that each of them is looked at.
    let program = compile(&[], &[]).program;
    let mut text = String::from("task look { repository \"https://example.org/look\" }\n");
    for event in &program.events {
        text.push_str(&format!("on {} run look\n", event.name));
    }
    let compiled = compile(&[SourceText { path: "all.tb".into(), text }], &[]);
    assert_eq!(compiled.diagnostics, []);
    let graph = compiled.graph.unwrap();
    let (mut typed, mut refused, mut other) = (0, Vec::new(), 0);
    for file in ["fedmsg.jsonl.gz", "fedora-messaging.jsonl.gz"] {
        let mut text = String::new();
        let file = std::fs::File::open(corpus.join(file)).unwrap();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        for line in text.lines() {
            let message: Json = serde_json::from_str(line).unwrap();
            let Some((topic, body)) = split(&message) else { continue };
            let judgement = judge(&graph, &topic, &body, &taskbot_graph::NoFacts);
            if !judgement.events.is_empty() {
                assert!(!judgement.runs.is_empty(), "{topic}: an event without a run");
                typed += 1;
            } else if let Some(refusal) = judgement.refused.first() {
                assert!(refusal.reason.contains('`'), "{topic}: no path in the reason {:?}", refusal.reason);
                refused.push(format!("{topic}: {}", refusal.reason));
            } else if compiled
                .program
                .events
                .iter()
                .any(|e| e.dialects.iter().any(|d| d.topics.contains(&topic)))
            {
                other += 1;
            }
        }
    }
    println!("typed {typed}, refused {}, other states {other}\n{}", refused.len(), refused.join("\n"));
    assert!(typed > 30, "only {typed} typed");
    assert!(refused.len() < typed, "{} refused", refused.len());
}
