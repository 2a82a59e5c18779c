//! Sinks against their peers: each is told runs as the outbox tells them, while the peer does what peers do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

#[path = "../asking/mod.rs"]
mod asking;
mod formats;
mod http_server;
mod outbox;
mod resultsdb;
mod resultsdb_server;
#[path = "../support/mod.rs"]
mod support;
mod webhook;

use std::path::Path;

use serde_json::{Value, json};
use taskbot_graph::Argument;
use taskbot_runtime::config::Config;
use taskbot_runtime::effect::Timestamp;
use taskbot_runtime::sink::{Notice, Outlet};
use taskbot_runtime::store::{ReasonRow, RunReport, RunRow};
use taskbot_runtime::task::{Outcome, TaskResult};

/// A sink as a site configures it.
fn outlet(dir: &Path, toml: &str) -> Outlet {
    let config = Config::parse(&format!("[[sink]]\n{toml}"), &dir.join("taskbot.toml")).unwrap();
    Outlet::new(config.sinks[0].clone(), &support::worker())
}

/// A result about the run's build.
fn result(testcase: &str, outcome: Outcome, data: Value) -> TaskResult {
    TaskResult {
        testcase: testcase.into(),
        outcome,
        item: "curl-8.6.0-7.fc40".into(),
        item_type: "koji_build".into(),
        note: format!("{testcase} says so"),
        artifacts: Vec::new(),
        data: serde_json::from_value(data).unwrap(),
    }
}

/// A run that is over, with these results.
fn report(results: Vec<TaskResult>) -> RunReport {
    let at = Timestamp::from_millis(1_700_000_000_000);
    let argument =
        |name: &str, text: &str| Argument { name: name.into(), text: text.into(), json: json!(text) };
    RunReport {
        run: RunRow {
            id: 7,
            run: "look(package: \"curl-8.6.0-7.fc40\")".into(),
            task: "look".into(),
            state: "finished".into(),
            step: None,
            attempt: 1,
            note: None,
            rules: vec!["every".into()],
            outcomes: Vec::new(),
            created_at: at,
            changed_at: at,
        },
        instance: "message:m1".into(),
        repository: "https://example.org/look.git".into(),
        commit: Some("c0ffee".into()),
        arguments: vec![argument("package", "curl-8.6.0-7.fc40"), argument("arch", "x86_64")],
        reasons: vec![ReasonRow {
            message: "m1".into(),
            topic: "org.example.prod.build.done".into(),
            rule: "every".into(),
            subject: None,
            about_run: None,
        }],
        requests: Vec::new(),
        steps: Vec::new(),
        results,
        artifacts: Vec::new(),
    }
}

fn notice(results: Vec<TaskResult>) -> Notice {
    Notice::new(report(results), "/nowhere".into())
}
