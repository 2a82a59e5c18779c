//! A run of a task in a temporary directory, without the daemon.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(dead_code, reason = "each test file uses its part")]

#[path = "../support/mod.rs"]
pub mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use taskbot_runtime::executor::{Bounds, Ended, Executor, Place, TaskCommand};
use taskbot_runtime::task::download::{DownloadConfig, DownloadError, DownloadRequest, download};
use taskbot_runtime::task::results::{self, Collected};
use taskbot_runtime::task::{
    Manifest, Outcome, Plan, PlannedCommand, PlannedFetch, RunDirs, RunIds, Subject, TaskResult,
};
use tokio_util::sync::CancellationToken;

/// Directories of one run; gone with the value.
pub struct Run {
    pub dirs: RunDirs,
    pub root: tempfile::TempDir,
}

impl Run {
    pub fn new(checkout: &Path) -> Self {
        let root = tempfile::tempdir().unwrap();
        let sub = |name: &str| root.path().join(name);
        let dirs = RunDirs {
            work: sub("work"),
            checkout: checkout.to_owned(),
            fetched: sub("fetched"),
            artifacts: sub("artifacts"),
            results_file: sub("out/results"),
            event_file: sub("event.json"),
            log_file: sub("log"),
        };
        for dir in [&dirs.work, &dirs.fetched, &dirs.artifacts, &sub("out")] {
            fs::create_dir(dir).unwrap();
        }
        Self { dirs, root }
    }

    pub fn ids() -> RunIds {
        RunIds { run: "r1".into(), attempt: 1, deadline: SystemTime::now() + Duration::from_secs(600) }
    }

    /// Runs a planned command as it is planned, behind all layers that this machine has.
    pub fn execute(&self, plan: &Plan, command: &PlannedCommand) -> Ended {
        let command = TaskCommand {
            argv: command.argv.clone(),
            dir: plan.dir.clone(),
            env: plan.env.clone(),
            log: self.dirs.log_file.clone(),
            writable: plan.writable.clone(),
            readable: vec![
                self.dirs.checkout.clone(),
                self.dirs.fetched.clone(),
                self.dirs.event_file.clone(),
            ],
            bounds: Bounds::default(),
            place: Place::Sandbox,
            timeout: command.timeout,
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let never = CancellationToken::new();
        runtime.block_on(Executor::new(support::worker()).execute(command, &never)).unwrap()
    }

    /// Makes a planned download; the files.
    pub fn download(
        &self,
        fetch: &PlannedFetch,
        site: &DownloadConfig,
    ) -> Result<Vec<PathBuf>, DownloadError> {
        let request = DownloadRequest::new(fetch.clone(), self.dirs.fetched.clone(), site.clone());
        let (worker, cancel) = (support::worker(), CancellationToken::new());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(download(&worker, request, &cancel, |_| ()))
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.dirs.log_file).unwrap_or_default()
    }

    pub fn collect(&self, manifest: &Manifest, ended: Ended) -> Collected {
        let subject = Subject { item: "bash-5.2-1.fc40".into(), item_type: "koji_build".into() };
        results::collect(manifest, &self.dirs, ended, &subject)
    }
}

/// The worker program that cargo builds beside the tests: `examples/worker.rs`.
pub fn find<'a>(results: &'a [TaskResult], testcase: &str) -> &'a TaskResult {
    let found: Vec<_> = results.iter().filter(|result| result.testcase == testcase).collect();
    assert_eq!(found.len(), 1, "{testcase} in {results:#?}");
    found[0]
}

pub fn outcomes(results: &[TaskResult]) -> Vec<(&str, Outcome)> {
    results.iter().map(|result| (result.testcase.as_str(), result.outcome)).collect()
}

pub fn stdlib() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../stdlib").canonicalize().unwrap()
}
