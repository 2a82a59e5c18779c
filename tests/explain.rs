//! `taskbot explain` in all directions: a rule that a message did not reach, a stored run, what leads to a rule or task.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use serde_json::json;
use support::message;
use support::site::Site;

const RULES: &str = "## Any package in C\nrule analyse on koji.build.completed where package.lang == C run static-analysis\n\
     on koji.build.completed where package.name == \"kernel\" run kernel-tests for arch in package.arches\n\
     on bodhi.update.testing where package.name == \"anaconda\" run build-test-iso\n\
     on compose.test-iso.built run install-tests\n";

fn site() -> Site {
    let site = Site::new();
    site.write("rules.tb", RULES);
    let update = message::update("FEDORA-2024-1", &["curl-8-1.fc40"]);
    site.write("update.json", message::record(message::TESTING, "u", &update).to_string());
    let mut build = message::build("curl-8.6.0-7.fc40");
    site.write("build.json", message::record(message::BUILD, "b", &build).to_string());
    build["new"] = json!(3);
    site.write("failed.json", message::record(message::BUILD, "f", &build).to_string());
    site
}

fn explain(site: &Site, more: &[&str]) -> String {
    site.run(&[&["explain", "--rules", "rules.tb"], more].concat()).with_code(0).stdout
}

#[test]
fn a_rule_that_was_not_reached_says_by_what() {
    let site = site();
    let topic = explain(&site, &["update.json", "--rule", "analyse"]);
    for line in [
        "not reached analyse  rules.tb:2:1",
        "it waits for koji.build.completed, told on buildsys.build.state.change",
        "the message's topic is bodhi.update.request.testing",
    ] {
        assert!(topic.contains(line), "{line}\n{topic}");
    }
    let condition = explain(&site, &["failed.json", "--rule", "analyse"]);
    assert!(
        condition
            .contains("is not koji.build.completed: the condition of dialect koji does not hold: `new` is 3")
    );
    let guard = explain(&site, &["build.json", "--rule", "analyse", "--fact", "nvr.lang:curl=Go"]);
    assert!(
        guard.contains("package.lang == C does not hold") && guard.contains("package.lang is \"Go\""),
        "{guard}"
    );
    assert!(!guard.contains("kernel-tests") && !guard.contains("not reached"), "{guard}");
    let json = explain(&site, &["update.json", "--rule", "analyse", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["unreached"]["is"], &json["rules"]), (&json!("other-topic"), &json!([])));
    let unknown =
        site.run(&["explain", "update.json", "--rules", "rules.tb", "--rule", "analyze"]).with_code(2);
    assert!(unknown.stderr.contains("no rule analyze; there are analyse, "), "{}", unknown.stderr);
}

#[test]
fn what_leads_to_a_rule_or_task_needs_no_message() {
    let site = site();
    let task = explain(&site, &["--task", "static-analysis"]);
    for line in [
        "static-analysis is run by 1 rule",
        "rule analyse  rules.tb:2:1",
        "Any package in C",
        "waits for   koji.build.completed, for each message",
        "told on     buildsys.build.state.change where new == 1 (koji)",
        "has to hold package.lang == C  rules.tb:2:44",
        "asks        nvr.lang",
    ] {
        assert!(task.contains(line), "{line}\n{task}");
    }
    let rule = explain(&site, &["--rule", "koji.build.completed/kernel-tests"]);
    assert!(
        rule.contains("asks        nvr.arches") && rule.contains("one run for arch in package.arches"),
        "{rule}"
    );
    let json = explain(&site, &["--task", "install-tests", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rules"][0]["caused_by"], json!(["build-test-iso"]));
    assert_eq!(json["rules"][0]["conditions"], json!([]));
    site.run(&["explain", "--rules", "rules.tb", "--task", "depcheck"]).with_code(2);
    site.run(&["explain", "--rules", "rules.tb"]).with_code(2);
}

/// A site whose daemon told one update twice, on two topics that are one happening.
fn played() -> Site {
    let site = Site::new();
    site.configure(
        "[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n[facts.\"nvr.lang\"]\ntable = \"facts.toml\"\n",
    );
    let look = site.task("look", "", &[("run", "#!/bin/sh\necho looking\n")]);
    site.write("rules.tb", format!("on bodhi.update.testing\n  where package.lang == C\n  run look\n{look}"));
    site.write("facts.toml", "[\"nvr.lang\"]\ncurl = \"C\"\n");
    let update = message::update("FEDORA-2024-1", &["curl-8-1.fc40"]);
    let group = json!({
        "agent": "bodhi", "re-trigger": false, "update": { "alias": "FEDORA-2024-1" },
        "artifact": { "id": "FEDORA-2024-1-abc", "release": "f40", "builds": [{ "nvr": "curl-8-1.fc40" }] },
    });
    let topic = "bodhi.update.status.testing.koji-build-group.build.complete";
    let messages =
        [message::record(message::TESTING, "first", &update), message::record(topic, "second", &group)];
    site.write("bus.jsonl", message::lines(&messages));
    site.run(&["run", "--until-idle"]).with_code(0);
    site
}

#[test]
fn a_stored_run_is_explained_by_the_rules_and_facts_that_made_it() {
    let site = played();
    // What the rules and the table say today plays no part.
    let today = std::fs::read_to_string(site.path("rules.tb")).unwrap().replace("== C", "== Go");
    site.write("rules.tb", today);
    site.write("facts.toml", "[\"nvr.lang\"]\ncurl = \"Rust\"\n");
    let said = site.run(&["explain", "--run", "1"]).with_code(0).stdout;
    for line in [
        "run #1 finished look(package: \"curl-8-1.fc40\")",
        "message first on org.fedoraproject.prod.bodhi.update.request.testing",
        "nvr.lang of curl was \"C\"",
        "fired     bodhi.update.testing/look for curl-8-1.fc40 (subject 0)  ",
        "package.lang == C holds  ",
        "package.lang is \"C\"",
        "told first by message first",
        "admission: created #1 for rule bodhi.update.testing/look (subject 0) of message first",
        "admission: merged  #1 for rule bodhi.update.testing/look (subject 0) of message second",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let report = site.run(&["explain", "--run", "1", "--format", "json"]).with_code(0).json();
    assert_eq!(report["messages"].as_array().unwrap().len(), 2);
    let judged = &report["messages"][0]["judged"][0];
    assert_eq!(judged["facts"], json!([{ "fact": "nvr.lang", "key": "curl", "value": "C" }]));
    assert_eq!(judged["rules"][0]["verdict"]["is"], "fired");
    assert_eq!(judged["rule_set"].as_str().unwrap().len(), 64);
    let none = site.run(&["explain", "--run", "7"]).with_code(2);
    assert!(none.stderr.contains("no run #7"), "{}", none.stderr);
}

#[test]
fn what_windows_kept_back_is_told_with_the_run() {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    let tasks = ["look", "peek"].map(|name| site.task(name, "", &[("run", "#!/bin/sh\n")]));
    site.write(
        "rules.tb",
        format!(
            "rule rare on koji.build.completed run look\n  once per package.name within 24h\n\
             rule every on koji.build.completed run peek\n\
             rule twice on koji.build.completed run peek\n  once per package.name within 24h\n{}",
            tasks.concat()
        ),
    );
    let sent = [("first", "curl-1-1.fc40"), ("second", "curl-1-2.fc40")]
        .map(|(id, build)| message::record(message::BUILD, id, &message::build(build)));
    site.write("bus.jsonl", message::lines(&sent));
    site.run(&["run", "--until-idle"]).with_code(0);
    let runs = site.runs();
    let second = runs.iter().find(|run| run["run"] == "peek(package: \"curl-1-2.fc40\")").unwrap();
    let id = second["id"].to_string();
    let said = site.run(&["explain", "--run", &id]).with_code(0).stdout;
    for (rule, run) in [("rare", "look"), ("twice", "peek")] {
        let line = format!(
            "admission: refused by once: {run}(package: \"curl-1-2.fc40\") for rule {rule} (subject 0) of message second, \
             for message first"
        );
        let line_without = line.replace(" (subject 0)", "");
        assert!(said.contains(&line) || said.contains(&line_without), "{line}\n{said}");
    }
    let report = site.run(&["explain", "--run", &id, "--format", "json"]).with_code(0).json();
    let states: Vec<_> =
        report["messages"][0]["requests"].as_array().unwrap().iter().map(|r| &r["state"]).collect();
    assert_eq!(states, ["once", "once"], "{report:#}");
    assert_eq!(report["requests"][0]["rule"], "twice", "{report:#}");
}
