//! The provider that asks a program.
//!
//! Comes in: `{"fact": "nvr.lang", "key": "curl"}` on the program's standard input; never an argument, never a shell.
//! Goes out: what it says on standard output, `{"value": ...}` or `{"absent": true}`. Any other answer, exit code or
//! a timeout is a failure of the provider.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use taskbot_graph::FactKey;
use tokio_util::sync::CancellationToken;

use super::ProviderError;
use crate::executor::Ended;
use crate::limits;
use crate::message::MessageText;
use crate::spawn::{self, CommandRequest, Confinement, ProcessLimits, WorkerProgram};
use crate::store::StoredAnswer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    #[serde(default)]
    value: Option<serde_json::Value>,
    #[serde(default)]
    absent: bool,
}

pub(super) async fn ask(
    workers: &WorkerProgram,
    argv: &[String],
    timeout: Duration,
    key: &FactKey,
) -> Result<StoredAnswer, ProviderError> {
    let request = CommandRequest {
        argv: argv.to_vec(),
        dir: PathBuf::from("/"),
        env: environment(),
        stdin: serde_json::json!({ "fact": key.fact, "key": key.key }).to_string(),
        timeout,
        limits: ProcessLimits::default(),
        // It is the site's own program, not a task's.
        confinement: Confinement::User,
    };
    // Dropping the future ends the command; nobody cancels it otherwise.
    let cancel = CancellationToken::new();
    let captured = spawn::capture(workers, request, limits::FACT_ANSWER_BYTES, &cancel)
        .await
        .map_err(|e| ProviderError::transient(e.to_string()))?;
    match captured.ended {
        Ended::Exit(0) if captured.stdout_cut_bytes == 0 => read(&captured.stdout),
        Ended::Exit(0) => Err(ProviderError::transient("its answer is too large")),
        Ended::Exit(code) => Err(said(&format!("it exited with {code}"), &captured.stderr)),
        Ended::Signal(signal) => Err(said(&format!("signal {signal} ended it"), &captured.stderr)),
        Ended::TimedOut => Err(said(&format!("no answer within {} s", timeout.as_secs()), &captured.stderr)),
        Ended::Cancelled => Err(ProviderError::transient("it was cancelled")),
    }
}

fn environment() -> BTreeMap<String, String> {
    let kept = ["PATH", "HOME", "LANG"];
    kept.iter().filter_map(|name| std::env::var(name).ok().map(|value| ((*name).into(), value))).collect()
}

fn read(stdout: &[u8]) -> Result<StoredAnswer, ProviderError> {
    let wrong = |why: &str| {
        Err(ProviderError::transient(format!(
            "its answer is {why}; expected {{\"value\": ...}} or {{\"absent\": true}}"
        )))
    };
    match serde_json::from_slice::<Reply>(stdout) {
        Ok(Reply { value: Some(value), absent: false }) => Ok(Some(value)),
        Ok(Reply { value: None, absent: true }) => Ok(None),
        Ok(_) => wrong("neither a value nor absent"),
        Err(error) => wrong(&error.to_string()),
    }
}

fn said(how: &str, stderr: &[u8]) -> ProviderError {
    let text = String::from_utf8_lossy(stderr);
    match text.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => {
            let short: String = line.chars().take(200).collect();
            ProviderError::transient(format!("{how}: {}", MessageText::new(short)))
        }
        None => ProviderError::transient(how),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_two_answers_are_answers() {
        assert_eq!(read(br#"{"value": ["x86_64"]}"#), Ok(Some(json!(["x86_64"]))));
        assert_eq!(read(b" {\"absent\": true}\n"), Ok(None));
        for wrong in [
            "",
            "C",
            "{}",
            "null",
            r#"{"value": null}"#,
            r#"{"value": 1, "absent": true}"#,
            r#"{"absent": false}"#,
            r#"{"value": 1, "more": 2}"#,
            r#"{"value": 1} {"value": 2}"#,
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
