//! `taskbot log RUN --follow`: a run's output while the run goes on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::Duration;

use support::site::Site;
use support::{eventually, message};

/// A hang, and no time that anything should take.
const GUARD: Duration = Duration::from_secs(60);

#[test]
fn output_comes_while_the_run_goes_on_and_ends_with_it() {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    let script = "#!/bin/sh\necho one\nwhile [ ! -e \"$TASKBOT_WORKDIR/go\" ]; do sleep 0.1; done\n\
        printf 'two\\033[2J\\nlast'\n";
    let slow = site.task("slow", "", &[("run", script)]);
    site.write("rules.tb", format!("on bodhi.update.testing run slow\n{slow}"));
    let body = message::update("FEDORA-2024-000001", &["hello-1.0-1.fc40"]);
    site.write("bus.jsonl", message::lines(&[message::envelope(message::TESTING, "2024-1", &body)]));
    let _daemon = site.start();
    eventually("the run prints", GUARD, || {
        fs::read(site.path("state/runs/1/1/log")).ok().filter(|log| !log.is_empty())
    });

    let mut command = site.command(&["log", "1", "--follow"]);
    let mut following = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(following.stdout.take().unwrap());
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    assert_eq!(first, "one\n");
    site.write("state/runs/1/1/work/go", "");
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "two\\u{1b}[2J\nlast\n");
    let ended = following.wait_with_output().unwrap();
    assert!(ended.status.success());
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "#1 finished\n");

    // a run that is over is told from what was kept
    let told = site.run(&["log", "1", "-f"]).with_code(0);
    assert_eq!(told.stdout, "one\ntwo\\u{1b}[2J\nlast\n");
    let index = fs::read(site.path("state/artifacts/1/taskbot-attempt-1-index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    assert_eq!((&index["run"], &index["files"][0]["path"]), (&"1".into(), &"taskbot-attempt-1.log".into()));
}

#[test]
fn all_attempts_are_told_in_their_order() {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    let more = "[prepare]\nrun = [\"./prepare\"]\n[retry]\ninfrastructure = 1\n";
    let prepare = "#!/bin/sh\necho attempt $TASKBOT_ATTEMPT prepares\n[ $TASKBOT_ATTEMPT = 2 ]\n";
    let task = site.task("again", more, &[("run", "#!/bin/sh\necho runs\n"), ("prepare", prepare)]);
    site.write("rules.tb", format!("on bodhi.update.testing run again\n{task}"));
    let body = message::update("FEDORA-2024-000001", &["hello-1.0-1.fc40"]);
    site.write("bus.jsonl", message::lines(&[message::envelope(message::TESTING, "2024-1", &body)]));
    site.run(&["run", "--until-idle"]).with_code(0);
    let told = site.run(&["log", "1", "--follow"]).with_code(0);
    assert_eq!(told.stdout, "attempt 1 prepares\nattempt 2 prepares\nruns\n");
    assert_eq!(told.stderr, "attempt 2\n#1 finished\n");
    for wrong in [&["log", "--follow"][..], &["log", "1", "--follow", "--format", "json"]] {
        site.run(wrong).with_code(2);
    }
}
