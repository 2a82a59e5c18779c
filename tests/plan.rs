//! `taskbot plan OLD NEW`: what a change of rules changes, on recorded messages.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::message;
use support::site::Site;

/// The rule of a Taskotron that left three packages out, and its refactoring of 2018: one string of three names.
const THREE: &str = "rule analyse on bodhi.update.testing\n  \
     where not package.name in [\"webkit\", \"chromium\", \"qt-webengine\"]\n  run static-analysis\n\
     on bodhi.update.testing run rpmlint\n";
const FUSED: &str = "rule analyse on bodhi.update.testing\n  \
     where not package.name in [\"webkit,chromium,qt-webengine\"]\n  run static-analysis\n\
     on bodhi.update.testing run rpmlint\n";

fn site(old: &str, new: &str, builds: &[&str]) -> Site {
    let site = Site::new();
    site.write("old.tb", old);
    site.write("new.tb", new);
    let messages = builds.iter().enumerate().map(|(at, nvr)| {
        let alias = format!("FEDORA-2018-{at:04}");
        message::record(message::TESTING, &format!("m{at}"), &message::update(&alias, &[*nvr]))
    });
    site.write("messages.jsonl", message::lines(&messages.collect::<Vec<_>>()));
    site
}

fn plan(site: &Site, more: &[&str], code: i32) -> Value {
    let arguments = ["plan", "old.tb", "new.tb", "--messages", "messages.jsonl", "--format", "json"];
    site.run(&[&arguments[..], more].concat()).with_code(code).json()
}

#[test]
fn three_names_fused_into_one_string_are_seen_on_the_archive() {
    let site =
        site(THREE, FUSED, &["curl-7-1.fc29", "webkit-2-1.fc29", "chromium-69-1.fc29", "vim-8-1.fc29"]);
    let report = plan(&site, &[], 1);
    let rule = &report["rules"][0];
    assert_eq!((&rule["rule"], &rule["standing"]["parts"]), (&json!("analyse"), &json!(["condition"])));
    assert_eq!((&rule["newly"]["runs"], &rule["no_longer"]["runs"]), (&json!(2), &json!(0)));
    assert_eq!(rule["unchanged"], 2);
    let first = json!({ "message": "m1", "run": "static-analysis(package: \"webkit-2-1.fc29\")" });
    assert_eq!(rule["newly"]["first"][0], first);
    assert_eq!(report["rules"][1]["standing"], json!({ "is": "same" }));
    assert_eq!(report["tasks"]["static-analysis"], json!({ "newly": 2, "no_longer": 0, "unchanged": 2 }));
    // And back: what is newly run one way is no longer run the other way.
    let back = ["plan", "new.tb", "old.tb", "--messages", "messages.jsonl", "--format", "json"];
    let back = site.run(&back).with_code(1).json();
    assert_eq!(back["rules"][0]["no_longer"]["runs"], 2);
}

#[test]
fn three_names_fused_into_one_string_are_seen_without_any_of_them_in_the_archive() {
    let site = site(THREE, FUSED, &["curl-7-1.fc29", "vim-8-1.fc29"]);
    let report = plan(&site, &[], 1);
    let witness = &report["rules"][0]["witnesses"][0];
    assert_eq!((&report["rules"][0]["newly"]["runs"], &witness["old_runs"]), (&json!(0), &json!([])));
    let runs = witness["new_runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1, "{witness:#}");
    assert_eq!(report["rules"][0]["witnesses"][1]["new_runs"], json!([]), "and the other way round");
    // The witness is a message: both rule sets say of it what the plan says.
    site.write(
        "witness.json",
        message::record(witness["topic"].as_str().unwrap(), "w", &witness["body"]).to_string(),
    );
    let explained = |rules: &str| {
        let report =
            site.run(&["explain", "witness.json", "--rules", rules, "--rule", "analyse", "--format", "json"]);
        report.with_code(0).json()["rules"][0]["verdict"].clone()
    };
    assert_eq!(explained("old.tb")["is"], "condition-failed");
    assert_eq!(explained("new.tb")["runs"], json!(runs));
}

#[test]
fn another_spelling_changes_nothing() {
    let spelled = "# three that take a day\nlet huge = [\"webkit\", \"chromium\", \"qt-webengine\"]\n\
         ## Analysed\nrule analyse on bodhi.update.testing where (not package.name in huge) run static-analysis\n\
         on bodhi.update.testing run rpmlint\n";
    let site = site(THREE, spelled, &["webkit-2-1.fc29", "vim-8-1.fc29"]);
    assert_eq!(plan(&site, &[], 0)["changes"], false);
    let said = site.run(&["plan", "old.tb", "new.tb", "--messages", "messages.jsonl"]).with_code(0).stdout;
    assert!(said.contains("ok: nothing changes"), "{said}");
}

#[test]
fn rules_come_go_and_change_in_other_ways_than_by_their_condition() {
    let old = "rule gone on bodhi.update.testing run rpmlint\n\
         rule timed on bodhi.update.testing run static-analysis\n\
         rule never on bodhi.update.stable run depcheck\n";
    let new = "rule come on bodhi.update.testing run rpmlint\n\
         rule timed on bodhi.update.testing run static-analysis timeout 1h\n\
         rule never on bodhi.update.stable where release == \"F40\" run depcheck\n";
    let site = site(old, &new.replace("release ==", "(release else \"\") =="), &["curl-7-1.fc29"]);
    let report = plan(&site, &[], 1);
    let rules: Vec<(&str, &Value, u64, u64)> = report["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            let runs = |side: &str| rule[side]["runs"].as_u64().unwrap();
            (rule["rule"].as_str().unwrap(), &rule["standing"], runs("newly"), runs("no_longer"))
        })
        .collect();
    let changed = |part: &str| json!({ "is": "changed", "parts": [part] });
    assert_eq!(
        rules,
        [
            ("come", &json!({ "is": "added" }), 1, 0),
            ("timed", &changed("windows and limits"), 0, 0),
            ("never", &changed("condition"), 0, 0),
            ("gone", &json!({ "is": "removed" }), 0, 1),
        ]
    );
    // The task is run as before, by another rule.
    assert_eq!(report["tasks"]["rpmlint"], json!({ "newly": 0, "no_longer": 0, "unchanged": 1 }));
    let said = site.run(&["plan", "old.tb", "new.tb", "--messages", "messages.jsonl"]).with_code(1).stdout;
    assert!(said.contains("it asks for the same; `taskbot replay` shows what its windows hold"), "{said}");
}

#[test]
fn a_difference_that_facts_decide_is_said_to_be_one() {
    let old = "rule analyse on bodhi.update.testing where package.lang == C run static-analysis\n";
    let site = site(old, &old.replace("== C", "in [C, \"C++\"]"), &["curl-7-1.fc29", "cmake-3-1.fc29"]);
    let rule = &plan(&site, &[], 1)["rules"][0];
    assert_eq!((&rule["open_messages"], &rule["newly"]["runs"]), (&json!(2), &json!(0)));
    assert_eq!(rule["open"][0]["needs"], json!([{ "fact": "nvr.lang", "key": "curl" }]));
    assert_eq!(rule["witnesses"][0]["facts"][0]["value"], "C++", "{rule:#}");
    site.write("facts.toml", "[\"nvr.lang\"]\ncurl = \"C\"\ncmake = \"C++\"\n");
    let rule = &plan(&site, &["--facts", "facts.toml"], 1)["rules"][0];
    assert_eq!(
        (&rule["open_messages"], &rule["newly"]["runs"], &rule["unchanged"]),
        (&json!(0), &json!(1), &json!(1))
    );
    assert_eq!(rule["newly"]["first"][0]["run"], "static-analysis(package: \"cmake-3-1.fc29\")");
}

#[test]
fn artifacts_zipped_archives_and_other_environments() {
    let site = site(THREE, FUSED, &["webkit-2-1.fc29"]);
    site.run(&["compile", "old.tb", "--output", "old.tbc"]).with_code(0);
    let text = std::fs::read_to_string(site.path("messages.jsonl")).unwrap();
    let staging = text.replace("fedoraproject.prod", "fedoraproject.stg");
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zipped, format!("{text}\n{staging}not json\n").as_bytes()).unwrap();
    site.write("messages.jsonl.gz", zipped.finish().unwrap());
    let arguments = ["plan", "old.tbc", "new.tb", "--messages", "messages.jsonl.gz", "--format", "json"];
    let report = site.run(&arguments).with_code(1).json();
    let counts = ["messages", "unreadable", "other_environment"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1]);
    assert_eq!(report["rules"][0]["newly"]["runs"], 1);
    site.write("broken.tb", "on no.such run rpmlint\n");
    let ended = site.run(&["plan", "broken.tb", "new.tb", "--messages", "messages.jsonl"]).with_code(2);
    assert!(
        ended.stderr.contains("TB0201") && ended.stderr.contains("broken.tb has errors"),
        "{}",
        ended.stderr
    );
    site.run(&["plan", "old.tb", "new.tb", "--messages", "nowhere.jsonl"]).with_code(2);
}

#[test]
fn a_review_comment_holds_the_table_and_no_markup_of_messages() {
    let mut body = message::update("FEDORA-2018-1", &["webkit-2-1.fc29"]);
    body["agent"] = json!("x");
    let site = site(THREE, FUSED, &[]);
    let evil = "`<img src=x>` | @everyone";
    site.write("messages.jsonl", message::lines(&[message::record(message::TESTING, evil, &body)]));
    let arguments = ["plan", "old.tb", "new.tb", "--messages", "messages.jsonl", "--format", "markdown"];
    let said = site.run(&arguments).with_code(1).stdout;
    assert!(said.contains("| `analyse` | condition changed | 1 | 0 | 0 |"), "{said}");
    assert!(said.contains("of message `` `<img src=x>` \\| @everyone ``"), "{said}");
}

#[test]
fn time_is_estimated_from_what_the_store_saw() {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    let look = site.task("look", "", &[("run", "#!/bin/sh\necho looking\n")]);
    let rule = |name: &str| {
        format!("rule look on bodhi.update.testing where package.name == \"{name}\" run look\n{look}")
    };
    site.write("rules.tb", rule("hello"));
    site.write("new.tb", rule("curl"));
    let body = message::update("FEDORA-2024-000001", &["hello-1.0-1.fc40", "curl-1.0-1.fc40"]);
    site.write("bus.jsonl", message::lines(&[message::envelope(message::TESTING, "2024-1", &body)]));
    let arguments = ["plan", "rules.tb", "new.tb", "--messages", "bus.jsonl"];
    let before = site.run(&arguments).with_code(1).stdout;
    assert!(before.contains("time more       look: no history of finished runs, so no estimate"), "{before}");
    site.run(&["run", "--until-idle"]).with_code(0);
    let said = site.run(&arguments).with_code(1).stdout;
    assert!(
        said.contains("time more       look: 1 x ") && said.contains("(median of 1 finished run)"),
        "{said}"
    );
    let more = [&arguments[..], &["--format", "json"]].concat();
    let report = site.run(&more).with_code(1).json();
    assert_eq!(report["history"]["look"]["runs"], 1);
    assert!(report["history"]["look"]["median_seconds"].as_f64().unwrap() > 0.0);
}
