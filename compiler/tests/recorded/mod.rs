//! Recorded messages of the real buses, for the tests that try the language on them.
//!
//! They are not part of the project: `TASKBOT_CORPUS` names their folder. Without it a test says that it was skipped;
//! `TASKBOT_REQUIRE=corpus` turns that into a failure.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value as Json;

/// The folder of the recordings; none, said aloud, where there is none.
pub fn corpus() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("TASKBOT_CORPUS") {
        return Some(PathBuf::from(folder));
    }
    let required = std::env::var("TASKBOT_REQUIRE").is_ok_and(|list| list.split(',').any(|r| r == "corpus"));
    assert!(!required, "TASKBOT_REQUIRE names corpus, but TASKBOT_CORPUS is not set");
    // Past the test runner, which keeps what a passing test prints to itself.
    let _ =
        writeln!(std::io::stderr(), "skipped: needs corpus (set TASKBOT_CORPUS to the recorded messages)");
    None
}

/// A message's body, however its bus names it.
pub fn body(message: &Json) -> Option<Vec<u8>> {
    let body = message.get("msg").or_else(|| message.get("body"))?;
    Some(serde_json::to_vec(body).unwrap())
}
