//! Where output goes and cannot go: endless findings, full disks, readers that leave, outputs that are no regular file.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

const RULE: &str = "on koji.build.completed run rpmlint\n";

fn taskbot() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskbot"));
    command.env("NO_COLOR", "1").stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

#[test]
fn of_endless_findings_a_hundred_are_shown_and_all_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("wrong.tb");
    fs::write(&rules, (0..150).map(|n| format!("rule r{n} on no.such run rpmlint\n")).collect::<String>())
        .unwrap();
    let output = taskbot().arg("check").arg(&rules).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said.matches("[TB0201").count(), 100);
    assert!(
        said.contains("... and 50 more") && said.contains("150 errors"),
        "{}",
        said.lines().last().unwrap()
    );
}

#[test]
fn a_line_without_end_is_not_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("long.tb");
    fs::write(&rules, format!("on {} run rpmlint\n", "x".repeat(100_000))).unwrap();
    let output = taskbot().arg("check").arg(&rules).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.len() < 5_000, "{} bytes", output.stdout.len());
    assert!(String::from_utf8(output.stdout).unwrap().contains("TB0201"));
}

#[test]
fn what_cannot_be_written_is_no_success() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules.tb");
    fs::write(&rules, RULE).unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = taskbot().arg("check").arg(&rules).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot be written"));
}

#[test]
fn a_reader_that_leaves_changes_no_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("wrong.tb");
    fs::write(&rules, "on no.such run rpmlint\n").unwrap();
    let mut child = taskbot().arg("check").arg(&rules).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn an_artifact_takes_the_place_of_regular_files_only() {
    let dir = tempfile::tempdir().unwrap();
    let (rules, socket, artifact) =
        (dir.path().join("r.tb"), dir.path().join("socket"), dir.path().join("a"));
    fs::write(&rules, RULE).unwrap();
    let _listener = UnixListener::bind(&socket).unwrap();
    let compile =
        |to: &std::path::Path| taskbot().arg("compile").arg(&rules).arg("--output").arg(to).output().unwrap();
    assert_eq!(compile(&socket).status.code(), Some(2));
    assert!(fs::metadata(&socket).unwrap().file_type().is_socket(), "the socket was replaced");
    fs::write(&artifact, "old").unwrap();
    assert_eq!(compile(&artifact).status.code(), Some(0));
    assert!(fs::read(&artifact).unwrap().starts_with(b"taskbot\0"));
}
