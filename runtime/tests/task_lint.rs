//! What `taskbot task check` says of a task's repository.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use taskbot_runtime::task::lint::{Severity, lint};

const MANIFEST: &str = "[task]\nname = \"look\"\nsummary = \"Looks\"\n[inputs]\npackage = { type = \"nvr\" }\n[run]\ncommand = [\"./run\"]\n";
const RUN: &str = "#!/bin/sh\necho \"$TASKBOT_INPUT_PACKAGE\" > \"$TASKBOT_ARTIFACTS/name\"\n";

/// The remarks on a repository of these files, as "file:line word message".
fn remarks(files: &[(&str, &str)]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("README.md", "reads $TASKBOT_INPUT_ALL")].iter().chain(files) {
        fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
        fs::write(dir.path().join(name), text).unwrap();
        let mode = if Path::new(name).extension().is_none() { 0o755 } else { 0o644 };
        fs::set_permissions(dir.path().join(name), Permissions::from_mode(mode)).unwrap();
    }
    let told = lint(dir.path());
    let word = |severity| if severity == Severity::Error { "error" } else { "warning" };
    told.iter().map(|r| format!("{}:{} {}: {}", r.file, r.line, word(r.severity), r.message)).collect()
}

#[track_caller]
fn one(files: &[(&str, &str)], expected: &str) {
    let told = remarks(files);
    assert!(matches!(told.as_slice(), [only] if only.starts_with(expected)), "{told:#?}");
}

#[test]
fn a_sound_repository_has_no_remarks() {
    assert_eq!(remarks(&[("task.toml", MANIFEST), ("run", RUN)]), Vec::<String>::new());
}

#[test]
fn manifest_errors_keep_their_lines() {
    let wrong = MANIFEST.replace("summary", "sumary");
    one(&[("task.toml", &wrong), ("run", RUN)], "task.toml:3 error: ");
    one(&[("run", RUN)], "task.toml:0 error: task.toml: there is no such file");
}

#[test]
fn programs_must_be_there_and_executable() {
    let elsewhere = ("lib", RUN);
    one(
        &[("task.toml", MANIFEST), elsewhere],
        "task.toml:7 error: `run.command`: ./run is not in the repository",
    );
    let named = MANIFEST.replace("./run", "./run.py");
    one(&[("task.toml", &named), ("run.py", RUN)], "run.py:0 error: cannot be executed: chmod +x ./run.py");
    let text = RUN.replace("#!/bin/sh\n", "");
    one(&[("task.toml", MANIFEST), ("run", &text)], "run:1 error: has no first line");
    let gone = format!("{MANIFEST}[cleanup]\nrun = [\"no-such-program\"]\n");
    one(
        &[("task.toml", &gone), ("run", RUN)],
        "task.toml:9 warning: `cleanup.run`: there is no `no-such-program`",
    );
    let promised = format!("{gone}[prepare]\npackages = [\"no-such-program\"]\n");
    assert_eq!(remarks(&[("task.toml", &promised), ("run", RUN)]), Vec::<String>::new());
}

#[test]
fn scripts_read_what_is_declared_and_declared_is_what_is_read() {
    let other = format!("{RUN}echo $TASKBOT_INPUT_PACKAGES\n");
    one(
        &[("task.toml", MANIFEST), ("run", &other)],
        "run:3 error: reads $TASKBOT_INPUT_PACKAGES, which [inputs] of task.toml does not declare; did you mean \
         `TASKBOT_INPUT_PACKAGE`?",
    );
    let misspelt = format!("{RUN}echo $TASKBOT_RESULT\n");
    one(
        &[("task.toml", MANIFEST), ("run", &misspelt)],
        "run:3 warning: reads $TASKBOT_RESULT, which no run has; did you mean",
    );
    one(
        &[("task.toml", MANIFEST), ("run", "#!/bin/sh\n")],
        "task.toml:5 warning: input `package` is used nowhere",
    );
    let all = "#!/usr/bin/env python3\nimport os\nprint({k for k in os.environ if k.startswith('TASKBOT_INPUT_')})\n";
    assert_eq!(remarks(&[("task.toml", MANIFEST), ("run", all)]), Vec::<String>::new());
    let template = format!("{MANIFEST}[subject]\ntype = \"koji_build\"\nitem = \"{{package}}\"\n");
    assert_eq!(remarks(&[("task.toml", &template), ("run", "#!/bin/sh\n")]), Vec::<String>::new());
}

#[test]
fn test_cases_that_no_script_knows_are_told() {
    let manifest = format!("{MANIFEST}[results]\ntestcases = [\"look\", \"look.smoke\"]\n");
    let expected = "task.toml:9 warning: no script speaks of the test case look.smoke";
    one(&[("task.toml", &manifest), ("run", RUN)], expected);
    let reports = format!("{RUN}taskbot result passed smoke\n");
    assert_eq!(remarks(&[("task.toml", &manifest), ("run", &reports)]), Vec::<String>::new());
    let formats = format!("{manifest}from = [\"junit:*.xml\"]\n");
    assert_eq!(remarks(&[("task.toml", &formats), ("run", RUN)]), Vec::<String>::new());
}

#[test]
fn keys_in_the_repository_are_found() {
    let key = format!("-----BEGIN {} KEY-----\nabc\n", "OPENSSH PRIVATE");
    one(
        &[("task.toml", MANIFEST), ("run", RUN), ("conf/id.pem", &key)],
        "conf/id.pem:1 error: looks like a key",
    );
    let token = format!("{RUN}# gh{}_{}\n", "p", "a1".repeat(18));
    one(&[("task.toml", MANIFEST), ("run", &token)], "run:3 error: looks like a key");
}

#[test]
fn a_run_that_may_take_days_is_questioned() {
    let long = format!("{MANIFEST}timeout = \"3d\"\n");
    one(&[("task.toml", &long), ("run", RUN)], "task.toml:8 warning: `run.command` may take 72 hours");
}

#[test]
fn the_standard_tasks_have_no_remarks() {
    let tasks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stdlib/tasks");
    for entry in fs::read_dir(tasks).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(lint(&path), [], "{}", path.display());
    }
}
