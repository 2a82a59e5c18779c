//! `taskbot replay`: it decides as the daemon does, and says what it could not decide.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use support::message;
use support::site::{Site, project};

const FACTS: &str = "[\"nvr.lang\"]\nkernel = \"C\"\nhello-leak = \"C\"\npython-hello = \"Python\"\n\
                     [\"nvr.arches\"]\nkernel = [\"x86_64\", \"s390x\"]\n";

/// The rules of the project and the sample messages.
fn samples() -> Site {
    let site = Site::new();
    fs::copy(project().join("rules.tb"), site.path("rules.tb")).unwrap();
    let text = fs::read_to_string(project().join("tests/samples/bus.jsonl")).unwrap();
    let mut messages: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // All of one day: replay takes the times of sending where the daemon takes those of arrival.
    for message in messages.iter_mut().filter(|message| message["timestamp"].is_u64()) {
        message["timestamp"] = json!(1_714_564_800);
    }
    site.write("bus.jsonl", message::lines(&messages));
    site.write("facts.toml", FACTS);
    site
}

fn replayed(site: &Site, more: &[&str]) -> Value {
    site.json(&[&["replay", "bus.jsonl"], more].concat())
}

/// The listed runs, and the summary behind them.
fn listed(site: &Site, more: &[&str]) -> (Vec<Value>, Value) {
    let arguments = [&["replay", "bus.jsonl", "--list", "--format", "json"], more].concat();
    let ended = site.run(&arguments).with_code(0);
    let mut lines: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap();
    assert_eq!(summary["event"], "summary");
    (lines, summary)
}

#[test]
fn the_runs_are_those_of_the_daemon() {
    let site = samples();
    site.configure(
        "[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n[facts.\"nvr.lang\"]\ntable = \"facts.toml\"\n\
         [facts.\"nvr.arches\"]\ntable = \"facts.toml\"\n",
    );
    let (runs, summary) = listed(&site, &["--facts", "facts.toml"]);
    assert!(!site.path("state").exists(), "nothing is stored");
    site.run(&["run", "--until-idle"]).with_code(0);
    let key = |run: &Value| run["run"].as_str().unwrap().to_owned();
    let made: Vec<Value> = site.runs();
    assert!(made.len() > 10);
    assert_eq!(runs.iter().map(key).collect::<BTreeSet<_>>(), made.iter().map(key).collect::<BTreeSet<_>>());
    assert_eq!((summary["runs"].as_u64(), runs.len()), (u64::try_from(made.len()).ok(), made.len()));
    for (counter, name) in [
        ("judged", "judged"),
        ("duplicate", "duplicate"),
        ("other-environment", "other_environment"),
        ("no-event", "no_event"),
        ("quarantined", "quarantined"),
    ] {
        assert_eq!(summary["messages"][name], json!(site.counter(counter)), "{name}");
    }
}

#[test]
fn rules_are_counted_with_their_times() {
    let site = Site::new();
    site.write("rules.tb", "rule every on koji.build.completed run rpmlint\nrule never on compose.test-iso.built run install-tests\n");
    let build = |id: &str, timestamp: u64, nvr: &str| {
        let mut envelope = message::envelope(message::BUILD, id, &message::build(nvr));
        envelope["timestamp"] = json!(timestamp);
        envelope
    };
    let hour = 1_714_564_800; // 2024-05-01 12:00 UTC
    site.write(
        "bus.jsonl",
        message::lines(&[
            build("1", hour, "a-1-1"),
            build("2", hour + 3_600, "b-1-1"),
            build("3", hour + 7_199, "c-1-1"),
            build("4", hour + 90_000, "d-1-1"),
        ]),
    );
    let report = replayed(&site, &["--rules", "rules.tb"]);
    let [every, never] = report["rules"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    assert_eq!((&every["seen"], &every["runs"]), (&json!(4), &json!(4)));
    assert_eq!(every["first"], "2024-05-01T12:00:00.000Z");
    assert_eq!(every["last"], "2024-05-02T13:00:00.000Z");
    assert_eq!(every["busiest_hour"], json!({ "from": "2024-05-01T13:00:00.000Z", "runs": 2 }));
    assert_eq!((&never["seen"], &never["runs"], &never["first"]), (&json!(0), &json!(0), &Value::Null));
    assert_eq!(report["tasks"], json!({ "rpmlint": 4 }));

    let between = ["--since", "2024-05-01T13:00:00Z", "--until", "2024-05-02"];
    let report = replayed(&site, &[&["--rules", "rules.tb"], &between[..]].concat());
    assert_eq!((&report["runs"], &report["messages"]["outside"]), (&json!(2), &json!(2)));
}

#[test]
fn one_rule_alone_is_shown_with_its_runs() {
    let site = samples();
    let one = "koji.build.completed/static-analysis";
    let (runs, summary) = listed(&site, &["--facts", "facts.toml", "--rule", one]);
    assert_eq!(runs.len(), 2);
    assert_eq!(summary["rules"].as_array().unwrap().len(), 1);
    let kernel = &runs[0];
    assert_eq!(kernel["task"], "static-analysis");
    assert_eq!(kernel["rules"], json!([one]));
    assert!(kernel["message"].as_str().unwrap().len() > 10 && kernel["time"].is_string(), "{kernel:#}");
    assert!(kernel["arguments"]["package"].to_string().contains("kernel"), "{kernel:#}");

    let ended = site.run(&["replay", "bus.jsonl", "--rule", "static-analysis"]).with_code(2);
    assert!(ended.stderr.contains(&format!("did you mean {one}?")), "{}", ended.stderr);
}

#[test]
fn missing_facts_are_named_and_absent_keys_are_undecided() {
    let site = samples();
    let report = replayed(&site, &[]);
    let facts: Vec<&Value> =
        report["missing_facts"].as_array().unwrap().iter().map(|missing| &missing["fact"]).collect();
    assert_eq!(facts, ["nvr.arches", "nvr.lang"]);
    assert_eq!(report["missing_facts"][1]["keys"], json!(["hello-leak", "kernel", "python-hello"]));
    assert_eq!(report["undecided"], json!([]));

    site.write("facts.toml", "[\"nvr.lang\"]\nkernel = \"C\"\n[\"nvr.arches\"]\nkernel = [\"x86_64\"]\n");
    let report = replayed(&site, &["--facts", "facts.toml"]);
    assert_eq!(report["missing_facts"], json!([]));
    assert_eq!(report["undecided"][0]["keys"], json!(["hello-leak", "python-hello"]));

    site.write("facts.toml", "[\"nvr.lang\"]\nkernel = 7\n");
    let ended = site.run(&["replay", "bus.jsonl", "--facts", "facts.toml"]).with_code(2);
    assert!(ended.stderr.contains("facts.toml: nvr.lang of kernel"), "{}", ended.stderr);
}

#[test]
fn what_is_set_aside_is_told_with_its_line() {
    let site = samples();
    let mut text = fs::read_to_string(site.path("bus.jsonl")).unwrap();
    text.push_str("{\"topic\": \u{1b}[2J\n");
    site.write("bus.jsonl", text);
    let report = replayed(&site, &[]);
    let aside = report["quarantined"].as_array().unwrap();
    assert_eq!(aside.len(), 2, "{aside:#?}");
    assert_eq!((&aside[0]["line"], &aside[0]["times"]), (&json!(16), &json!(1)));
    assert!(aside[0]["reason"].as_str().unwrap().contains("`update.builds` is absent"), "{aside:#?}");
    let human = site.run(&["replay", "bus.jsonl"]).with_code(0).stdout;
    assert!(human.contains("bus.jsonl:18") && !human.contains('\u{1b}'), "{human}");
}

#[test]
fn directories_compressed_files_and_pipes_are_read_alike() {
    let site = samples();
    let bytes = fs::read(site.path("bus.jsonl")).unwrap();
    let plain = replayed(&site, &[])["rules"].clone();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&bytes).unwrap();
    let zipped = encoder.finish().unwrap();
    site.write("archive/2024.jsonl.gz", &zipped);
    site.write("archive/notes.txt", "no recording");
    assert_eq!(site.json(&["replay", "archive"])["rules"], plain);
    let piped = site.run_with_input(&["replay", "-", "--format", "json"], &bytes).with_code(0);
    assert_eq!(piped.json()["rules"], plain);

    site.write("cut.jsonl.gz", &zipped[..zipped.len() / 2]);
    let ended = site.run(&["replay", "cut.jsonl.gz"]).with_code(2);
    assert!(ended.stderr.contains("cut.jsonl.gz") && ended.stderr.contains("cut off"), "{}", ended.stderr);
    site.write("empty/notes.txt", "no recording");
    for (archive, said) in [("nowhere.jsonl", "nowhere.jsonl"), ("empty", "holds no recording")] {
        let ended = site.run(&["replay", archive]).with_code(2);
        assert!(ended.stderr.contains(said) && ended.stdout.is_empty(), "{ended:?}");
    }
}

/// Four builds, the second a minute after the first, the third a minute later, the last two hours after the first.
fn four_builds(rules: &str) -> Site {
    let site = Site::new();
    let tasks = ["look", "peek"].map(|name| {
        format!("task {name} {{\n  package: nvr\n  repository \"https://example.org/{name}.git\"\n}}\n")
    });
    site.write("rules.tb", format!("{rules}{}", tasks.concat()));
    let noon = 1_714_564_800; // 2024-05-01 12:00 UTC
    let sent = [("1", 0, "a-1-1"), ("2", 60, "a-1-2"), ("3", 120, "b-1-1"), ("4", 7_200, "a-1-3")];
    let builds = sent.map(|(id, seconds, nvr)| {
        let mut envelope = message::envelope(message::BUILD, id, &message::build(nvr));
        envelope["timestamp"] = json!(noon + seconds);
        envelope
    });
    site.write("bus.jsonl", message::lines(&builds));
    site
}

/// The listed runs as `12:10 a-1-2`, and what the windows of the one rule kept back.
fn with_windows(clauses: &str) -> (Vec<String>, Value) {
    let site = four_builds(&format!("rule look on koji.build.completed run look\n  {clauses}\n"));
    let (runs, summary) = listed(&site, &[]);
    let line = |run: &Value| {
        let (time, package) = (run["time"].as_str().unwrap(), run["run"].as_str().unwrap());
        format!("{} {}", &time[11..16], package.split('"').nth(1).unwrap())
    };
    assert_eq!(summary["rules"][0]["runs"], json!(runs.len()));
    (runs.iter().map(line).collect(), summary["rules"][0]["kept_back"].clone())
}

fn kept(quiet: usize, replaced: usize, once: usize, at_most: usize) -> Value {
    json!({ "quiet": quiet, "replaced": replaced, "once": once, "at_most": at_most })
}

#[test]
fn windows_hold_and_refuse_by_the_times_of_sending() {
    for (clauses, runs, kept_back) in [
        ("", &["12:00 a-1-1", "12:01 a-1-2", "12:02 b-1-1", "14:00 a-1-3"][..], kept(0, 0, 0, 0)),
        ("once per package.name within 1h", &["12:00 a-1-1", "12:02 b-1-1", "14:00 a-1-3"], kept(0, 0, 1, 0)),
        (
            "after 10m quiet per package.name",
            &["12:11 a-1-2", "12:12 b-1-1", "14:10 a-1-3"],
            kept(4, 1, 0, 0),
        ),
        (
            "at most 1 per 30m",
            &["12:00 a-1-1", "12:30 a-1-2", "13:00 b-1-1", "14:00 a-1-3"],
            kept(0, 0, 0, 2),
        ),
        (
            "after 10m quiet per package.name once per package.name within 3h at most 1 per 1h",
            &["12:11 a-1-2", "13:11 b-1-1"],
            kept(4, 1, 1, 1),
        ),
    ] {
        assert_eq!(with_windows(clauses), (runs.iter().map(|run| (*run).to_owned()).collect(), kept_back));
    }
}

#[test]
fn a_run_that_another_rule_made_is_not_made_again_by_a_window() {
    let site = four_builds(
        "rule now on koji.build.completed run peek\n\
         rule later on koji.build.completed run peek\n  after 10m quiet per package.name\n",
    );
    let report = replayed(&site, &[]);
    assert_eq!(report["runs"], json!(4));
    let runs: Vec<&Value> = report["rules"].as_array().unwrap().iter().map(|rule| &rule["runs"]).collect();
    assert_eq!(runs, [4, 0]);
    let human = site.run(&["replay", "bus.jsonl"]).with_code(0).stdout;
    let heading = human.lines().position(|line| line.starts_with("RULE WITH WINDOWS")).unwrap();
    let row: Vec<&str> = human.lines().nth(heading + 1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["later", "0", "4", "1", "0", "0"], "{human}");
}

#[test]
fn rules_with_an_error_replay_nothing() {
    let site = samples();
    site.write("rules.tb", "on koji.build.done run rpmlint\n");
    let ended = site.run(&["replay", "bus.jsonl"]).with_code(1);
    assert!(ended.stderr.contains("TB0201") && ended.stdout.is_empty(), "{ended:?}");
}

#[test]
fn the_corpus_is_replayed_as_the_daemon_counts_it() {
    let corpus = std::env::var_os("TASKBOT_CORPUS").map(std::path::PathBuf::from);
    if !support::require("corpus", corpus.is_some()) {
        return;
    }
    let site = samples();
    let folder = std::path::absolute(corpus.unwrap()).unwrap();
    let paths = ["fedmsg.jsonl.gz", "fedora-messaging.jsonl.gz"].map(|file| folder.join(file));
    let report = site.json(&["replay", paths[0].to_str().unwrap(), paths[1].to_str().unwrap()]);
    let fates = ["judged", "duplicate", "no_event", "other_environment", "quarantined"];
    let sum: u64 = fates.iter().map(|fate| report["messages"][fate].as_u64().unwrap()).sum();
    assert_eq!((sum, &report["messages"]["read"]), (815, &json!(815)));
    assert!(report["runs"].as_u64().unwrap() > 20, "{report:#}");
}
