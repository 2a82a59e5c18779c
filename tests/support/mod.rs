//! What the end-to-end tests share: sites with their files, the real binary, peers of other projects, waiting.
//!
//! A test that needs what a machine may lack asks `require` first: it then says "skipped: needs X", and `TASKBOT_REQUIRE=X,...`
//! makes that a failure. Whatever a test starts, the value that stands for it stops when it is dropped, also by a panic.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests, each of which uses a part of it"
)]

pub mod broker;
pub mod fedmsg;
pub mod message;
pub mod process;
pub mod python;
pub mod site;

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Whether a test that needs `name` can go on. Says so past the capture of test output if not.
pub fn require(name: &str, available: bool) -> bool {
    if available {
        return true;
    }
    let required = std::env::var("TASKBOT_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|word| word.trim() == name),
        "TASKBOT_REQUIRE names {name}, which is not here"
    );
    let _ = writeln!(std::io::stderr(), "skipped: needs {name}");
    false
}

/// Whether a program can be started; `arguments` make it end at once.
pub fn has_program(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}

/// A port on 127.0.0.1 that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks again and again until there is an answer.
pub fn eventually<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < within, "waited {within:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
