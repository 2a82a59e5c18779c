//! What the tests of the edges share: the worker program, and a loud word where something is missing.
//!
//! Tests that need what a machine may lack say so and end; naming it in `TASKBOT_REQUIRE` (words with commas)
//! makes that a failure.
#![allow(dead_code, clippy::panic, clippy::unwrap_used, reason = "tests, each of which uses a part of it")]

use std::io::Write;
use std::path::PathBuf;

use taskbot_runtime::spawn::WorkerProgram;

/// The worker program that cargo builds beside the tests: `examples/worker.rs`.
pub fn worker() -> WorkerProgram {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/worker");
    assert!(program.is_file(), "first run: cargo build -p taskbot-runtime --example worker");
    WorkerProgram::at(program)
}

/// Says that a test was skipped, past the capture of test output; fails where the lack is not allowed.
pub fn skip(need: &str, how: &str) {
    let required = std::env::var("TASKBOT_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|word| word == need), "TASKBOT_REQUIRE names {need}, but: {how}");
    let _ = writeln!(std::io::stderr(), "skipped: needs {need} ({how})");
}

/// The folder of real messages.
pub fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("TASKBOT_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        skip("corpus", "set TASKBOT_CORPUS to the folder of recorded messages");
    }
    folder
}

/// A Python with these packages (words with spaces), in an environment of the tests' own that is made once.
pub fn python(package: &str) -> Option<PathBuf> {
    let folder: String = package.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{folder}"));
    let python = folder.join("bin/python");
    let done = folder.join("done");
    let run = |program: &std::path::Path, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    let made = done.exists()
        || run("python3".as_ref(), &["-m", "venv", folder.to_str().unwrap()])
            && run(
                &python,
                &[&["-m", "pip", "install", "--quiet"], &package.split(' ').collect::<Vec<_>>()[..]].concat(),
            )
            && std::fs::write(&done, "").is_ok();
    if !made {
        skip("python", &format!("could not install {package} from the package index"));
    }
    made.then_some(python)
}
