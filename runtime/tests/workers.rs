//! Worker processes end with the daemon, whichever way it goes.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use taskbot_runtime::source::{SourceConfig, SourceEvents, run_with};
use taskbot_runtime::spawn::{CommandRequest, Confinement, ProcessLimits, capture};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Living processes whose command line holds this word.
fn processes(word: &str) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.split('\0').any(|w| w == word))
    })
    .collect()
}

async fn gone(pids: &[i32]) -> bool {
    for _ in 0..100 {
        if !pids
            .iter()
            .any(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()))
        {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

/// This test's own program, started again as a stand-in for the daemon by the test below.
#[tokio::test]
#[ignore = "a part of the other test"]
async fn daemon() {
    let request = CommandRequest {
        argv: ["sh", "-c", "setsid sleep 3611 & sleep 3612"].map(str::to_owned).to_vec(),
        dir: "/".into(),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        stdin: String::new(),
        timeout: Duration::from_secs(60),
        limits: ProcessLimits::default(),
        confinement: Confinement::User,
    };
    let (program, cancel) = (support::worker(), CancellationToken::new());
    let (sender, _deliveries) = mpsc::channel(1);
    let endpoints = vec!["tcp://127.0.0.1:9".to_owned()];
    let config = SourceConfig::Fedmsg { name: "f".to_owned(), endpoints, silence_seconds: 0 };
    let source = run_with(&program, config, sender, cancel.clone(), SourceEvents::new(|_| {}));
    let (source, captured) = tokio::join!(source, capture(&program, request, 100, &cancel));
    source.unwrap();
    captured.unwrap();
}

#[tokio::test]
async fn p20_a_daemon_that_is_killed_takes_everything_with_it() {
    let mut daemon = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "daemon", "--ignored"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = async {
        while processes("3611").is_empty()
            || processes("3612").is_empty()
            || processes("source-zmq").is_empty()
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), started).await.unwrap();
    let pids = [processes("3611"), processes("3612"), processes("source-zmq"), processes("mind")].concat();
    assert!(pids.len() >= 4);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert!(gone(&pids).await, "{pids:?}");
}
