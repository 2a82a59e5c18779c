//! Rules with mistakes: all of them are shown, each at its place, and nothing is started.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::fs;

use serde_json::{Value, json};

use support::message;
use support::site::Site;

/// Five mistakes of five kinds, with the code, line, column and the text that mends each.
const FIVE_MISTAKES: &str = "\
on bodhi.update.testng run rpmlint

on bodhi.update.testing run rpmlnt

on koji.build.completed
  where package.nam == \"kernel\"
  run rpmlint

on koji.build.completed where package.lang == Pyton run static-analysis

on koji.build.completed where package.name == 5 run kernel-tests for arch in [x86_64]
";
const PLACES: [(&str, u64, u64, Option<&str>); 5] = [
    ("TB0201", 1, 4, Some("testing")),
    ("TB0202", 3, 29, Some("rpmlint")),
    ("TB0203", 6, 17, Some("name")),
    ("TB0205", 9, 47, Some("Python")),
    ("TB0301", 11, 47, None),
];

#[test]
fn five_mistakes_are_five_diagnostics_each_at_its_place() {
    let site = Site::new();
    site.write("wrong.tb", FIVE_MISTAKES);
    let report = site.run(&["check", "wrong.tb", "--format", "json"]).with_code(1).json();
    let found = report["diagnostics"].as_array().unwrap();
    assert_eq!(found.len(), PLACES.len(), "{found:#?}");
    for (diagnostic, (code, line, column, suggestion)) in found.iter().zip(PLACES) {
        let place = (&diagnostic["file"], &diagnostic["line"], &diagnostic["column"]);
        assert_eq!(place, (&json!("wrong.tb"), &json!(line), &json!(column)), "{diagnostic:#}");
        assert_eq!(
            (&diagnostic["id"], &diagnostic["severity"]),
            (&json!(code), &json!("error")),
            "{diagnostic:#}"
        );
        assert!(!diagnostic["message"].as_str().unwrap().is_empty());
        if let Some(suggestion) = suggestion {
            let told = format!("{} {}", diagnostic["suggestion"], diagnostic["help"]);
            assert!(told.contains(suggestion), "{diagnostic:#}");
        }
    }
}

#[test]
fn people_see_each_mistake_with_its_source() {
    let site = Site::new();
    site.write("wrong.tb", FIVE_MISTAKES);
    let ended = site.run(&["check", "wrong.tb"]).with_code(1);
    for (code, line, column, _) in PLACES {
        assert!(ended.stdout.contains(code), "{code} in {}", ended.stdout);
        assert!(
            ended.stdout.contains(&format!("wrong.tb:{line}:{column}")),
            "{line}:{column} in {}",
            ended.stdout
        );
    }
    for quoted in ["bodhi.update.testng", "rpmlnt", "package.nam", "Pyton", "package.name == 5"] {
        assert!(ended.stdout.contains(quoted), "{quoted} in {}", ended.stdout);
    }
    assert!(!ended.stdout.contains('\u{1b}'), "no colours where nobody watches");
}

#[test]
fn a_syntax_error_costs_one_item() {
    let site = Site::new();
    site.write("wrong.tb", "on bodhi.update.testing run\n\non bodhi.update.stable run depchek\n");
    let report = site.run(&["check", "wrong.tb", "--format", "json"]).with_code(1).json();
    let lines: Vec<&Value> = report["diagnostics"].as_array().unwrap().iter().map(|d| &d["id"]).collect();
    assert_eq!(lines, [&json!("TB0108"), &json!("TB0202")], "{report:#}");
}

#[test]
fn a_rule_file_with_an_error_starts_nothing() {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    site.write("rules.tb", "on bodhi.update.testing run rpmlint\non bodhi.update.stable run depchek\n");
    let body = message::update("FEDORA-2024-000001", &["hello-1.0-1.fc40"]);
    site.write("bus.jsonl", message::lines(&[message::envelope(message::TESTING, "2024-1", &body)]));
    let ended = site.run(&["run", "--until-idle"]);
    assert_ne!(ended.code, 0);
    assert!(ended.stderr.contains("TB0202") && ended.stderr.contains("depchek"), "{}", ended.stderr);
    assert!(!site.path("state/taskbot.db").exists() && !site.path("out").exists());
    assert_ne!(site.run(&["status"]).code, 0, "there is no store");

    let ended = site.run(&["compile", "rules.tb", "--output", "rules.tbc"]).with_code(1);
    assert!(ended.stderr.contains("TB0202"), "{}", ended.stderr);
    assert!(!site.path("rules.tbc").exists());
}

#[test]
fn a_rule_file_with_an_error_changes_nothing() {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    let look = site.task("look", "", &[("run", "#!/bin/sh\n")]);
    site.write("rules.tb", format!("on bodhi.update.testing run look\n{look}"));
    let sent = |number: u32| {
        let body = message::update(&format!("FEDORA-2024-{number}"), &[&format!("hello-1.{number}-1.fc40")]);
        message::envelope(message::TESTING, &format!("2024-{number}"), &body)
    };
    site.write("bus.jsonl", message::lines(&[sent(1)]));
    site.run(&["run", "--until-idle"]).with_code(0);
    let before = site.status().unwrap();
    assert_eq!(before["status"]["counters"]["judged"], 1);

    site.write("bus.jsonl", message::lines(&[sent(1), sent(2)]));
    site.write("rules.tb", format!("on bodhi.update.testing run look(\n{look}"));
    assert_ne!(site.run(&["run", "--until-idle"]).code, 0);
    assert_eq!(site.status().unwrap(), before);
}

#[test]
fn the_rules_of_the_project_are_clean_and_compile_to_the_same_bytes() {
    let site = Site::new();
    let rules = support::site::project().join("rules.tb");
    fs::copy(rules, site.path("rules.tb")).unwrap();
    let report = site.run(&["check", "rules.tb", "--format", "json"]).with_code(0).json();
    assert_eq!((&report["rules"], &report["diagnostics"]), (&json!(7), &json!([])));
    site.run(&["compile", "rules.tb", "--output", "one"]).with_code(0);
    site.run(&["compile", "rules.tb", "--output", "two"]).with_code(0);
    let one = fs::read(site.path("one")).unwrap();
    assert!(!one.is_empty());
    assert!(one == fs::read(site.path("two")).unwrap(), "the artifacts differ");
}
