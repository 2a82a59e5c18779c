//! `taskbot schema infer`: what it writes compiles, and fits every message that it was written from.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;

use serde_json::{Value, json};

use support::message;
use support::site::{Site, project};

const TOPIC: &str = "tracker.issue.changed";

/// What is inferred from these bodies on one topic.
fn inferred(site: &Site, bodies: &[Value]) -> String {
    let envelopes: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(at, body)| message::envelope(TOPIC, &format!("2024-{at}"), body))
        .collect();
    site.write("bus.jsonl", message::lines(&envelopes));
    let text = site.run(&["schema", "infer", "bus.jsonl"]).with_code(0).stdout;
    site.write("inferred.tb", &text);
    text
}

/// A rule for each value of each event, so that all of every message is read.
fn rules_that_read_everything(inferred: &str) -> String {
    let mut rules = String::from("task look { repository \"https://example.org/look\" }\n");
    let mut event = "";
    for (at, line) in inferred.lines().enumerate() {
        if let Some(name) = line.strip_prefix("event ") {
            event = name.trim_end_matches(" {");
            rules.push_str(&format!("rule all-{at} on {event} run look\n"));
        } else if line.starts_with("  dialect ") || line == "}" {
            event = "";
        } else if let Some((value, _)) = line.split_once(": ")
            && !event.is_empty()
            && line.starts_with("  ")
            && !line.contains('#')
        {
            let value = value.trim().trim_start_matches("each ");
            rules.push_str(&format!("rule r{at} on {event} where has {value} run look\n"));
        }
    }
    rules
}

/// Every message of the archives is the event that was inferred from it, and everything in it can be read.
#[track_caller]
fn fits_all(site: &Site, archives: &[&str]) -> Value {
    let text = fs::read_to_string(site.path("inferred.tb")).unwrap();
    site.write("read.tb", rules_that_read_everything(&text));
    // The lints say that these rules are no rules: they only read.
    site.run(&["check", "inferred.tb", "read.tb", "--allow", "all"]).with_code(0);
    let report = site.json(&[&["replay", "--rules", "inferred.tb", "--rules", "read.tb"], archives].concat());
    assert_eq!(report["quarantined"], json!([]), "{text}");
    report
}

#[test]
fn what_is_inferred_compiles_and_fits() {
    let site = Site::new();
    let bodies: Vec<Value> = (0..8)
        .map(|n| {
            json!({
                "id": n, "weight": if n == 0 { json!(1) } else { json!(1.5) }, "open": true,
                "title": "it is broken", "all": 1, "true": 1, "re-trigger ": false, "status": if n < 4 { "open" } else { "closed" },
                "assignee": if n == 2 { Value::Null } else { json!("me") },
                "user": { "name": "a", "5.0": 1, "url": null },
                "update": { "alias": "A", "builds": [{ "nvr": "a-1-1.fc40", "signed": n > 3 }] },
                "tags": [], "labels": ["x"], "matrix": [[1], [2]], "mixed": if n == 0 { json!(1) } else { json!("1") },
                "bad\u{1b}[2J": 1,
            })
        })
        .collect();
    let text = inferred(&site, &bodies);
    assert_eq!(fits_all(&site, &["bus.jsonl"])["messages"]["judged"], json!(8));
    for line in [
        "## Inferred from 8 messages on `tracker.issue.changed`, sent on 2024-05-01.",
        "  id: int",
        "  weight: float",
        "  open: bool",
        "  status: status",
        "  closed open",
        "  ## In 7 of 8 messages.",
        "  assignee: string?",
        "  user: user",
        "  \"5.0\": int",
        "  # `url` was always null",
        "  each package: nvr",
        "    each build in update.builds",
        "    package = build.nvr",
        "      # `tags` was always an empty list",
        "  labels: [string]",
        "  matrix: [[int]]",
        "      # `mixed` was now number, now string: no type holds both",
        "      # `re-trigger ` cannot be read: no path can begin with it",
        "    # happening update.alias, id within 24h",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(!text.contains("= all\n"), "a path cannot begin with a keyword: {text}");
    assert!(!text.contains("true = "), "this would be the literal: {text}");
}

#[test]
fn a_package_in_three_parts_is_one_value() {
    let site = Site::new();
    let text = inferred(&site, &[message::build("a-1-1.fc40"), message::build("b-c-2-1.fc40")]);
    assert!(text.contains("  package: nvr\n"), "{text}");
    assert!(text.contains("    package = nvr(name: name, version: version, release: release)\n"), "{text}");
    fits_all(&site, &["bus.jsonl"]);
}

#[test]
fn names_that_are_taken_are_left_alone() {
    let site = Site::new();
    // The standard library has a record `update` and an enum `arch`.
    let text = inferred(&site, &[json!({ "update": { "a": 1 }, "arch": { "b": "x" }, "nvr": { "c": 1 } })]);
    assert!(text.contains("record tracker-update {") && text.contains("record tracker-arch {"), "{text}");
    assert!(!text.contains("record nvr"), "{text}");
    fits_all(&site, &["bus.jsonl"]);
}

#[test]
fn topics_with_an_event_are_left_out_unless_they_are_named() {
    let site = Site::new();
    let envelopes = [
        message::envelope(message::BUILD, "1", &message::build("a-1-1")),
        message::envelope(TOPIC, "2", &json!({ "a": 1 })),
        json!({ "topic": "org.fedoraproject.stg.other.thing", "msg_id": "3", "msg": { "a": 1 } }),
    ];
    site.write("bus.jsonl", message::lines(&envelopes));
    let text = site.run(&["schema", "infer", "bus.jsonl"]).with_code(0).stdout;
    assert!(text.contains(&format!("event {TOPIC} {{")) && !text.contains("buildsys"), "{text}");
    assert!(!text.contains("other.thing"), "staging is not listened to: {text}");
    let text = site.run(&["schema", "infer", "bus.jsonl", "--topic", message::BUILD]).with_code(0).stdout;
    assert!(text.contains(&format!("event {} {{", message::BUILD)) && !text.contains(TOPIC), "{text}");

    site.run(&["schema", "infer", "bus.jsonl", "-o", "inferred.tb"]).with_code(0);
    let ended = site.run(&["schema", "infer", "bus.jsonl", "--rules", "inferred.tb"]).with_code(2);
    assert!(
        ended.stderr.contains("covered by an event") && ended.stderr.contains("--topic"),
        "{}",
        ended.stderr
    );
    let ended = site.run(&["schema", "infer", "bus.jsonl", "--topic", "no.such"]).with_code(2);
    assert!(ended.stderr.contains("no message on no.such"), "{}", ended.stderr);
}

#[test]
fn every_topic_of_the_samples_can_be_declared() {
    let site = Site::new();
    fs::copy(project().join("tests/samples/bus.jsonl"), site.path("bus.jsonl")).unwrap();
    site.run(&["schema", "infer", "bus.jsonl", "--topic", "#", "-o", "inferred.tb"]).with_code(0);
    let report = fits_all(&site, &["bus.jsonl"]);
    assert_eq!((&report["messages"]["judged"], &report["messages"]["no_event"]), (&json!(15), &json!(0)));
}

#[test]
fn every_topic_of_the_corpus_can_be_declared() {
    let corpus = std::env::var_os("TASKBOT_CORPUS").map(std::path::PathBuf::from);
    if !support::require("corpus", corpus.is_some()) {
        return;
    }
    let folder = std::path::absolute(corpus.unwrap()).unwrap();
    let paths = ["fedmsg.jsonl.gz", "fedora-messaging.jsonl.gz"].map(|file| folder.join(file));
    let archives = [paths[0].to_str().unwrap(), paths[1].to_str().unwrap()];
    let site = Site::new();
    let infer = [&["schema", "infer", "--topic", "#", "-o", "inferred.tb"], &archives[..]].concat();
    site.run(&infer).with_code(0);
    let report = fits_all(&site, &archives);
    assert!(report["messages"]["judged"].as_u64().unwrap() > 500, "{:#}", report["messages"]);
}
