//! Windows and orders of the operator through the real binary: held, killed, let go; cancelled, superseded.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::time::Duration;

use serde_json::Value;
use support::message;
use support::site::{Site, is_final, names};

const PATIENCE: Duration = Duration::from_secs(60);

/// A site whose one rule runs `look` with these clauses, on builds of these packages.
fn site(clauses: &str, script: &str, builds: &[&str]) -> Site {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    let look = site.task("look", "", &[("run", script)]);
    site.write("rules.tb", format!("rule look on koji.build.completed run look\n  {clauses}\n{look}"));
    let sent: Vec<_> = (0..)
        .zip(builds)
        .map(|(n, build)| message::record(message::BUILD, &format!("id-{n}"), &message::build(build)))
        .collect();
    site.write("bus.jsonl", message::lines(&sent));
    site
}

fn held(site: &Site) -> Vec<Value> {
    site.status().and_then(|s| s["status"]["held"].as_array().cloned()).unwrap_or_default()
}

#[test]
fn p01_p02_what_is_held_outlives_a_kill_and_is_let_go_by_hand_once() {
    let builds = ["a-1-1.fc40", "b-1-1.fc40", "a-1-2.fc40"];
    let site = site("after 10h quiet per package.name", "#!/bin/sh\n", &builds);
    let daemon = site.start_and_wait();
    site.counted("judged", 3, PATIENCE);
    daemon.kill();
    assert_eq!(
        (held(&site)[0]["rule"].as_str(), held(&site)[0]["requests"].as_i64()),
        (Some("look"), Some(2))
    );
    let said = site.run(&["status"]).with_code(0).stdout;
    assert!(said.contains("held by quiet of rule look: 2 requests, the next until "), "{said}");
    assert!(
        site.run(&["release", "--rule", "other"])
            .with_code(1)
            .stdout
            .contains("nothing is held for rule other")
    );
    // Nobody runs: it is done at the next start, and once.
    site.run(&["release"]).with_code(0);
    site.run(&["run", "--until-idle"]).with_code(0);
    site.run(&["run", "--until-idle"]).with_code(0);
    assert_eq!(names(&site.runs()), ["look(package: \"a-1-2.fc40\")", "look(package: \"b-1-1.fc40\")"]);
    assert!(held(&site).is_empty());
    site.run(&["release"]).with_code(1);
}

#[test]
fn short_windows_end_by_themselves() {
    let builds = ["a-1-1.fc40", "a-1-2.fc40", "a-1-3.fc40"];
    let site = site("at most 1 per 2s", "#!/bin/sh\n", &builds);
    site.run(&["run", "--until-idle"]).with_code(0);
    let runs = site.runs();
    assert_eq!(runs.len(), 3, "held, never dropped");
    let log = site.json(&["log"]).to_string();
    assert!(
        log.contains("asks for more than 1 runs in 2 s") && log.contains("2 request(s) were held"),
        "{log}"
    );
}

#[test]
fn a_newer_run_supersedes_the_older_one_that_still_runs() {
    let script = "#!/bin/sh\ncase \"$TASKBOT_INPUT_PACKAGE\" in *-1-1.*) sleep 600 ;; esac\n";
    let site = site("superseding per package.name", script, &["a-1-1.fc40", "b-1-2.fc40"]);
    let daemon = site.start_and_wait();
    let running = |site: &Site| site.runs().iter().any(|run| run["state"] == "running" && run["id"] == 1);
    support::eventually("the first run", PATIENCE, || running(&site).then_some(()));
    daemon.kill();
    // The daemon was killed in the middle of the old run; the next start hears of the newer message.
    let newer = message::record(message::BUILD, "id-9", &message::build("a-1-2.fc40"));
    site.write("bus.jsonl", message::lines(&[newer]));
    site.run(&["run", "--until-idle"]).with_code(0);
    let runs = site.runs();
    let states: Vec<&str> = runs.iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["cancelled", "finished", "finished"], "{runs:#?}");
    assert_eq!(runs[0]["note"], "superseded by run 3");
}

#[test]
fn p20_cancel_ends_a_run_that_runs_and_says_what_is_over() {
    let site = site("", "#!/bin/sh\nsleep 600\n", &["a-1-1.fc40"]);
    let mut daemon = site.start_and_wait();
    support::eventually("the run", PATIENCE, || {
        site.runs().iter().any(|run| run["state"] == "running").then_some(())
    });
    site.run(&["cancel", "7"]).with_code(2);
    let said = site.run(&["cancel", "1"]).with_code(0).stdout;
    assert!(said.contains("#1 is to be cancelled"), "{said}");
    support::eventually("its end", PATIENCE, || {
        assert!(daemon.is_alive());
        site.runs()[0]["state"].as_str().is_some_and(is_final).then_some(())
    });
    daemon.kill();
    let runs = site.runs();
    assert_eq!(
        (runs[0]["state"].as_str(), runs[0]["note"].as_str()),
        (Some("cancelled"), Some("cancelled by the operator"))
    );
    assert!(site.run(&["cancel", "1"]).with_code(1).stdout.contains("#1 is cancelled already"));
}
