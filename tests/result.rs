//! `taskbot result`: what scripts report from within a run is what the run reports.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use serde_json::{Value, json};

use support::site::Site;

/// A run of a task whose script may call `$taskbot`: the one that is in a sandbox, or this build where it has none.
fn run_of(site: &Site, script: &str) -> Value {
    let build = env!("CARGO_BIN_EXE_taskbot");
    let taskbot = format!("test -d /run/taskbot && taskbot=taskbot || taskbot={build}");
    site.task("look", "", &[("run", &format!("#!/bin/sh\n{taskbot}\n{script}"))]);
    let arguments = ["task", "run", "tasks/look", "--input", "package=a-1-1", "--format", "json"];
    site.run(&arguments).json()
}

fn results_of(site: &Site, script: &str) -> Value {
    run_of(site, script)["results"].take()
}

#[test]
fn a_script_reports_its_results() {
    let site = Site::new();
    let results = results_of(
        &site,
        "$taskbot result error dist.whole --note 'it did not come to its end'\n\
         $taskbot result PASS adds\n\
         echo lookups > \"$TASKBOT_ARTIFACTS/dns.log\"\n\
         cd \"$TASKBOT_ARTIFACTS\"\n\
         $taskbot result failed check-dns --item b-1-1 --type rpm --note 'no \"answer\"' --artifact ./dns.log --data arch=x86_64 --data 'cmd=a=b'\n\
         $taskbot result skip dist.whole\n",
    );
    assert_eq!(
        results,
        json!([
            { "testcase": "dist.whole", "outcome": "INFO", "item": "a-1-1", "type": "koji_build" },
            { "testcase": "test.look.adds", "outcome": "PASSED", "item": "a-1-1", "type": "koji_build" },
            { "testcase": "test.look.check-dns", "outcome": "FAILED", "item": "b-1-1", "type": "rpm", "note": "no \"answer\"",
              "artifacts": ["dns.log"], "data": { "arch": "x86_64", "cmd": "a=b" } },
        ])
    );
}

#[test]
fn processes_that_report_at_once_lose_nothing() {
    let site = Site::new();
    let results = results_of(
        &site,
        "for i in $(seq 20); do $taskbot result passed part-$i & done\n\
         for i in $(seq 5); do $taskbot result passed dist.all --note $i & done\nwait\n",
    );
    let mut names: Vec<&str> =
        results.as_array().unwrap().iter().map(|result| result["testcase"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), results.as_array().unwrap().len()), (21, 21), "{results}");
}

#[test]
fn what_is_wrong_is_said_and_leaves_the_results_as_they_were() {
    let site = Site::new();
    let run = run_of(
        &site,
        "$taskbot result passed a\n\
         { $taskbot result passed b --artifact nowhere.log; echo $?; $taskbot result passed b --data x; echo $?;\n\
         $taskbot result passed b --data outcome=FAILED; echo $?; $taskbot result; echo $?; } > \"$TASKBOT_ARTIFACTS/said\" 2>&1\n",
    );
    assert_eq!(run["results"].as_array().unwrap().len(), 1, "{run}");
    let artifacts = run["artifacts"].as_array().unwrap().iter();
    let path = artifacts.map(|path| path.as_str().unwrap()).find(|path| path.ends_with("/said")).unwrap();
    let said = std::fs::read_to_string(path).unwrap();
    for part in [
        "artifact nowhere.log: there is no such file in $TASKBOT_ARTIFACTS",
        "write NAME=VALUE, like arch=x86_64",
        "data `outcome` is a part of the result itself",
        "Usage: taskbot result",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(said.lines().filter(|line| *line == "2").count(), 4, "{said}");
}
