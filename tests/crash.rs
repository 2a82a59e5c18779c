//! The real binary killed at random and at each step of a run: nothing is lost, nothing is told twice (P01, P02).
//!
//! Recordings are played from the start after each kill, as a bus delivers again what was not acknowledged.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use support::message;
use support::site::{Site, names_and_states};

const KILLS: u64 = 20;
const MESSAGES: usize = 60;

fn site(messages: usize, more_manifest: &str, files: &[(&str, &str)]) -> Site {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    let look = site.task("look", more_manifest, files);
    site.write("rules.tb", format!("on koji.build.completed run look\n{look}"));
    let build = |number| message::build(&format!("stream-1.{number}-1.fc40"));
    let sent: Vec<_> =
        (0..messages).map(|n| message::record(message::BUILD, &format!("id-{n}"), &build(n))).collect();
    site.write("bus.jsonl", message::lines(&sent));
    site
}

/// Every message has its one run, every run its one result, and each was handed to the sink once.
fn assert_complete(site: &Site, messages: usize) {
    let runs = site.runs();
    assert_eq!(runs.len(), messages, "{:#?}", names_and_states(&runs));
    let unfinished: Vec<_> = runs.iter().filter(|run| run["state"] != "finished").collect();
    assert!(unfinished.is_empty(), "{unfinished:#?}");
    let told: BTreeSet<&str> =
        runs.iter().map(|run| run["reasons"][0]["message"].as_str().unwrap()).collect();
    assert_eq!(told.len(), messages);
    let results = site.results();
    let items: BTreeSet<&str> = results.iter().map(|row| row["item"].as_str().unwrap()).collect();
    assert_eq!((results.len(), items.len()), (messages, messages), "no result twice, none missing");
    let status = site.status().unwrap();
    assert_eq!(
        (&status["status"]["outbox"], site.counter("judged")),
        (&0.into(), i64::try_from(messages).unwrap())
    );
    let names = fs::read_dir(site.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let documents = names.filter(|name| name.ends_with(".json")).count();
    assert_eq!(documents, messages, "one document for each run");
    let left = fs::read_dir(site.path("state/runs")).map_or(0, |entries| entries.flatten().count());
    assert_eq!(left, 0, "work directories are cleaned up, also after a crash");
}

#[test]
fn p01_p02_killed_at_random_under_a_stream_nothing_is_lost_and_nothing_told_twice() {
    let site = site(MESSAGES, "", &[("run", "#!/bin/sh\n")]);
    let mut seed = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into();
    println!("seed {seed}");
    for kill in 0..KILLS {
        // Some while it starts, most while it works, however slow the machine is.
        let daemon = if kill % 4 == 0 { site.start() } else { site.start_and_wait() };
        std::thread::sleep(Duration::from_millis(random(&mut seed) % 800));
        daemon.kill();
    }
    let after_kills = site.run_states();
    println!("{} starts served, then {after_kills:?}", site.progress("ready").len());
    site.run(&["run", "--until-idle"]).with_code(0);
    assert_complete(&site, MESSAGES);
    let again = site.runs().iter().filter(|run| run["attempt"].as_u64() > Some(1)).count();
    println!("{again} runs were cut off and began again");
}

/// xorshift.
fn random(state: &mut u64) -> u64 {
    *state |= 1 << 40;
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn p02_killed_at_each_step_of_a_run_the_next_start_finishes_it() {
    let slow = "#!/bin/sh\nsleep 0.3\n";
    let manifest = "[prepare]\nrun = [\"./prepare\"]\n[cleanup]\nrun = [\"./clean\"]\n";
    for state in ["provisioning", "fetching", "preparing", "running", "reporting", "cleaning"] {
        let site = site(1, manifest, &[("prepare", slow), ("run", slow), ("clean", slow)]);
        let mut daemon = site.start();
        let start = Instant::now();
        while !site.progress("run").iter().any(|run| run["state"] == state) {
            assert!(
                daemon.is_alive() && start.elapsed() < Duration::from_secs(60),
                "{state}: {}",
                site.daemon_log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        daemon.kill();
        site.run(&["run", "--until-idle"]).with_code(0);
        assert_complete(&site, 1);
    }
}

#[test]
fn p02_what_a_killed_daemon_left_running_is_ended_before_the_run_begins_again() {
    let script = "#!/bin/sh\necho run >> \"$TASKBOT_ARTIFACTS/../../../../../begun\" || true\nsleep 2\n";
    let site = site(1, "", &[("run", script)]);
    let daemon = site.start_and_wait();
    let start = Instant::now();
    let sleeping = || support::process::naming(site.dir()).iter().any(|process| process.contains("sleep 2"));
    while !sleeping() {
        assert!(start.elapsed() < Duration::from_secs(60), "{}", site.daemon_log());
        std::thread::sleep(Duration::from_millis(10));
    }
    let family = support::process::descendants(daemon.id());
    daemon.kill();
    support::eventually("the orphans to end", Duration::from_secs(5), || {
        support::process::survivors(&family).is_empty().then_some(())
    });
    site.run(&["run", "--until-idle"]).with_code(0);
    assert_complete(&site, 1);
}

#[test]
fn p02_the_same_message_a_hundred_times_is_one_run() {
    let site = site(1, "", &[("run", "#!/bin/sh\n")]);
    let line = fs::read_to_string(site.path("bus.jsonl")).unwrap();
    site.write("bus.jsonl", line.repeat(100));
    site.run(&["run", "--until-idle"]).with_code(0);
    assert_complete(&site, 1);
    assert_eq!(site.counter("duplicate"), 99);
}
