//! `taskbot task`: a task's repository from its beginning to a run over many files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use support::eventually;
use support::process::{Running, descendants, survivors};
use support::site::Site;

#[test]
fn a_new_task_passes_its_check_and_runs_as_its_page_says() {
    for (kind, item) in [("build", "hello-2.12-1.fc40"), ("update", "FEDORA-2024-0123456789")] {
        let site = Site::new();
        site.run(&["task", "new", "--kind", kind, "my-task"]).with_code(0);
        let check = site.run(&["task", "check", "my-task"]).with_code(0);
        assert_eq!(check.stdout, "ok\n");
        let page = std::fs::read_to_string(site.path("my-task/README.md")).unwrap();
        assert!(!page.contains('@'), "{page}");
        let command = page.lines().find_map(|line| line.trim().strip_prefix("taskbot task run . ")).unwrap();
        let mut arguments =
            vec!["task".to_owned(), "run".into(), "my-task".into(), "--format".into(), "json".into()];
        // the page speaks from within the repository
        arguments.extend(command.split(' ').map(|word| word.replace("test/", "my-task/test/")));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let run = site.run(&arguments).with_code(0).json();
        let result = &run["results"][0];
        assert_eq!((&result["outcome"], &result["item"]), (&json!("PASSED"), &json!(item)), "{run}");
        let git = std::process::Command::new("git")
            .args(["status", "--short", "--untracked-files=all"])
            .current_dir(site.path("my-task"))
            .output()
            .unwrap();
        let status = String::from_utf8_lossy(&git.stdout).into_owned();
        assert!(git.status.success() && status.contains("?? task.toml"), "{git:?}");
    }
}

#[test]
fn a_new_task_takes_the_place_of_nothing() {
    let site = Site::new();
    site.write("mine/notes", "mine");
    let ended = site.run(&["task", "new", "mine"]).with_code(2);
    assert!(ended.stderr.contains("mine is there already"), "{}", ended.stderr);
    assert_eq!(site.path("mine").read_dir().unwrap().count(), 1);
    let ended = site.run(&["task", "new", "../escape"]).with_code(2);
    assert!(ended.stderr.contains("is no name"), "{}", ended.stderr);
}

#[test]
fn remarks_are_findings_for_people_and_programs() {
    let site = Site::new();
    site.run(&["task", "new", "mine"]).with_code(0);
    site.write(
        "mine/task.toml",
        "[task]\nname = \"mine\"\nsummry = \"Mine\"\n[run]\ncommand = [\"./run\"]\n",
    );
    let ended = site.run(&["task", "check", "mine"]).with_code(1);
    assert!(ended.stdout.starts_with("task.toml:3: error: unknown key"), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("1 error, 0 warnings\n"), "{}", ended.stdout);
    let told = site.run(&["task", "check", "mine", "--format", "json"]).with_code(1).json();
    assert_eq!((&told["errors"], &told["remarks"][0]["line"]), (&json!(1), &json!(3)));
    site.run(&["task", "check", "nowhere"]).with_code(2);
}

/// A task that fails for a file with "bad" in it, and counts its words as errors.
fn grader(site: &Site) {
    let script = "#!/bin/sh\nfor f in \"$TASKBOT_FETCHED\"/*; do\n\
        if grep -q bad \"$f\"; then o=FAILED; else o=PASSED; fi\n\
        { echo results:; echo \"- testcase: test.grader\"; echo \"  outcome: $o\"; echo \"  errors: $(wc -w < \"$f\")\"\n\
        echo \"  note: $TASKBOT_INPUT_PACKAGE\"; } > \"$TASKBOT_RESULTS\"\n\
        done\n";
    site.task("grader", "[[fetch]]\nkoji = \"{package}\"\n", &[("run", script)]);
}

#[test]
fn one_run_for_each_file_and_one_table_of_all() {
    let site = Site::new();
    grader(&site);
    site.write("rpms/good-1-1.fc40.noarch.rpm", "fine");
    site.write("rpms/poor-2-1.fc40.x86_64.rpm", "bad bad bad");
    site.write("rpms/sub/not-read-1-1.noarch.rpm", "bad");
    site.write("README", "no package");
    let command = ["task", "run", "tasks/grader", "--jobs", "2", "--each", "rpms", "README"];
    let ended = site.run(&command).with_code(1);
    let lines: Vec<String> =
        ended.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[0], "FILE OUTCOME ERRORS NOTE");
    assert_eq!(lines[1], "good-1-1.fc40.noarch.rpm PASSED 1 good-1-1.fc40");
    assert!(lines[2].starts_with("README no result - the file name README tells no `package`"), "{lines:#?}");
    assert_eq!(lines[3], "poor-2-1.fc40.x86_64.rpm FAILED 3 poor-2-1.fc40");
    assert_eq!(lines[5], "3 files: 1 FAILED, 1 PASSED, 1 no result");
    assert!(site.path("taskbot-run/good-1-1.fc40.noarch.rpm/kept").is_dir());
    assert!(!site.path("taskbot-run/good-1-1.fc40.noarch.rpm/attempt").exists());

    let told = site.run(&[&command[..], &["--format", "json"]].concat()).with_code(1).json();
    let outcomes: Vec<&Value> = told.as_array().unwrap().iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, [&json!("PASSED"), &json!("FAILED"), &Value::Null]);
    let junit = site.run(&[&command[..7], &["--format", "junit"]].concat()).with_code(1).stdout;
    assert!(
        junit.contains("<testsuite name=\"test.grader poor-2-1.fc40.x86_64.rpm\" tests=\"1\" failures=\"1\""),
        "{junit}"
    );
    let all_good = site.run(&["task", "run", "tasks/grader", "--each", "rpms/good-1-1.fc40.noarch.rpm"]);
    all_good.with_code(0);
    site.run(&["task", "run", "tasks/grader", "--each", "nowhere"]).with_code(2);
}

#[test]
fn a_stopped_run_leaves_nothing_behind() {
    let site = Site::new();
    let script = "#!/bin/sh\ntouch \"$TASKBOT_ARTIFACTS/begun\"\nexec sleep 86400\n";
    site.task("sleeper", "", &[("run", script)]);
    let command = ["task", "run", "tasks/sleeper", "--input", "package=a-1-1", "--out", "out"];
    let mut running = Running::start(&mut site.command(&command));
    let guard = Duration::from_secs(60);
    eventually("the task runs", guard, || site.path("out/attempt/artifacts/begun").exists().then_some(()));
    let below = descendants(running.id());
    running.signal(Signal::INT);
    assert_eq!(running.ended(guard).code(), Some(1));
    assert!(!site.path("out/attempt").exists());
    assert_eq!(survivors(&below), [], "the task outlived its run");
}
