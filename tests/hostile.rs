//! Hostile and broken messages: each is set aside with a reason, counted and shown, and the next message is served (P06, P07).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use serde_json::json;

use support::message;
use support::site::{Site, names};

fn site() -> Site {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    let look = site.task("look", "", &[("run", "#!/bin/sh\n")]);
    site.write("rules.tb", format!("on bodhi.update.testing run look\n{look}"));
    site
}

fn good(number: u32) -> Vec<u8> {
    let body = message::update(&format!("FEDORA-2024-{number:06}"), &[&format!("good-1.{number}-1.fc40")]);
    message::record(message::TESTING, &format!("good-{number}"), &body).to_string().into_bytes()
}

/// With an id that the body decides: a second message of the same id would be a duplicate.
fn envelope(body: &str) -> Vec<u8> {
    let topic = message::production(message::TESTING);
    let id = format!("2024-{}", body.len());
    format!(r#"{{"i":1,"timestamp":1,"topic":"{topic}","msg_id":"{id}","msg":{body}}}"#).into_bytes()
}

fn update(more: &str) -> Vec<u8> {
    envelope(&format!(r#"{{"update":{{"alias":"A","builds":[{{"nvr":"a-1-1"}}]{more}}}}}"#))
}

/// Each with a word that its reason holds.
fn bad() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    vec![
        ("text", b"this is not JSON".to_vec(), "JSON"),
        ("bytes", b"\xff\xfe\x00\x01".to_vec(), ""),
        ("half", br#"{"topic": "org.fedoraproject.prod.x", "msg": {"#.to_vec(), ""),
        ("null", b"null".to_vec(), ""),
        ("a number", b"7".to_vec(), ""),
        ("no topic", br#"{"msg": {}}"#.to_vec(), "topic"),
        ("null body", envelope("null"), "null"),
        ("a list as body", envelope("[]"), ""),
        ("20 MB", envelope(&format!("\"{}\"", "x".repeat(20 << 20))), "bytes"),
        ("10 000 deep", envelope(&deep), "deep"),
        ("10 000 deep, alone", deep.into_bytes(), ""),
        ("a key twice", update(r#","alias":"B""#), "alias"),
        ("not a number", update(r#","x":NaN"#), ""),
        ("a huge number", update(r#","x":1e999999"#), ""),
        ("half a surrogate", update(r#","x":"\ud800""#), ""),
        ("no builds", envelope(r#"{"update":{"alias":"A"}}"#), "builds"),
        ("builds are text", envelope(r#"{"update":{"alias":"A","builds":"a-1-1"}}"#), "builds"),
        (
            "a build is no package",
            envelope(r#"{"update":{"alias":"A","builds":[{"nvr":"nothing"}]}}"#),
            "nvr",
        ),
    ]
}

#[test]
fn p06_p07_each_is_set_aside_with_a_reason_and_the_next_is_served() {
    for (number, (name, bytes, word)) in (0..).zip(bad()) {
        let site = site();
        site.write("bus.jsonl", [good(2 * number), bytes, good(2 * number + 1)].join(&b'\n'));
        let start = Instant::now();
        let ended = site.run(&["run", "--until-idle"]);
        assert_eq!(ended.code, 0, "{name}: {ended:#?}");
        assert!(start.elapsed() < Duration::from_secs(30), "{name} took {:?}", start.elapsed());
        assert_eq!(site.counter("quarantined"), 1, "{name}: {:#?}", site.status());
        let aside = site.quarantined();
        let reason = aside[0]["reason"].as_str().unwrap();
        assert!(!reason.is_empty() && reason.contains(word), "{name}: {aside:#?}");
        let found_again = aside[0]["message"].is_string() || aside[0]["sha256"].is_string();
        assert!(found_again && aside[0]["length_bytes"].as_u64().unwrap() > 0, "{name}: {aside:#?}");
        let served = [2 * number, 2 * number + 1].map(|n| format!("look(package: \"good-1.{n}-1.fc40\")"));
        assert_eq!(names(&site.runs()), served, "{name}");
        let human = site.run(&["status"]).with_code(0).stdout;
        assert!(
            human.contains("quarantined") && human.to_lowercase().contains(&word.to_lowercase()),
            "{name}: {human}"
        );
    }
}

#[test]
fn p06_all_of_them_together_are_counted_one_by_one() {
    let site = site();
    let lines: Vec<Vec<u8>> = bad().into_iter().map(|(_, bytes, _)| bytes).chain([good(1)]).collect();
    let count = i64::try_from(lines.len() - 1).unwrap();
    site.write("bus.jsonl", lines.join(&b'\n'));
    site.run(&["run", "--until-idle"]).with_code(0);
    assert_eq!((site.counter("quarantined"), site.counter("judged")), (count, 1), "{:#?}", site.status());
}

#[test]
fn p15_no_byte_of_a_message_reaches_a_terminal_or_a_shell() {
    let site = site();
    let canary = site.path("canary");
    let hostile = format!("x$(touch {0})`touch {0}`;touch {0}\u{1b}[2J\u{202e}-1-1", canary.display());
    let body = json!({ "agent": hostile, "update": { "alias": hostile, "builds": [{ "nvr": hostile }, { "nvr": "a b-1-1" }] } });
    site.write("bus.jsonl", message::lines(&[message::record(message::TESTING, &hostile, &body)]));
    site.run(&["run", "--until-idle"]).with_code(0);
    assert!(!canary.exists());
    for arguments in [&["status"][..], &["results"], &["log"], &["log", "1"]] {
        let shown = site.run(arguments);
        let shown = format!("{}{}", shown.stdout, shown.stderr);
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{arguments:?}: {shown:?}");
    }
}
