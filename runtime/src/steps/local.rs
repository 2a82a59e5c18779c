//! `taskbot task run DIR`: the same steps on a checkout of one's own, without a daemon, a store or a commit.
//!
//! Comes in: a directory with a `task.toml`, inputs as text, an empty directory for everything that is left behind.
//! Goes out: how each step ended, results and artifacts. It changes nothing in the checkout beyond what the task
//! itself does.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::attempt::Attempt;
use crate::dispatch::{Failure, Step, StepReport};
use crate::effect::Artifact;
use crate::executor::{Ended, Executor};
use crate::spawn::WorkerProgram;
use crate::task::TaskResult;
use crate::task::download::DownloadConfig;

/// A task to run here and now.
#[derive(Clone, Debug)]
pub struct LocalTask {
    /// Its repository's directory.
    pub checkout: PathBuf,
    /// Inputs as `(name, text)`.
    pub inputs: Vec<(String, String)>,
    /// Directory for work and artifacts; made if absent. `attempt` in it is wiped, `kept` stays.
    pub out: PathBuf,
    /// What the task sees as the message that caused it; `{}` for none.
    pub event: String,
    /// Where external files are.
    pub downloads: DownloadConfig,
    /// Files and folders that stand in for everything the task would download.
    pub fetched: Vec<PathBuf>,
    /// What becomes of its directories.
    pub afterwards: Afterwards,
    /// The program that serves as a worker process.
    pub workers: WorkerProgram,
}

/// What becomes of the directories of a run that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// They are removed, as the daemon does.
    Remove,
    /// They are left to be looked at; the next run removes them.
    Leave,
}

/// A step that was taken.
#[derive(Clone, Debug)]
pub struct LocalStep {
    /// Which.
    pub step: Step,
    /// How long it took.
    pub took: Duration,
    /// How it ended: with what it said, or why it failed.
    pub outcome: Result<Option<String>, Failure>,
}

/// How the run went.
#[derive(Clone, Debug)]
pub struct LocalRun {
    /// The steps in order. The first that failed was followed by `clean-up` alone.
    pub steps: Vec<LocalStep>,
    /// How the command ended; none: it never started.
    pub ended: Option<Ended>,
    /// Its results; empty if its surroundings failed it.
    pub results: Vec<TaskResult>,
    /// Kept files, below `artifact_dir`.
    pub artifacts: Vec<Artifact>,
    /// Where kept files are.
    pub artifact_dir: PathBuf,
}

impl LocalRun {
    /// Why its surroundings failed it; none: it went through.
    pub fn failure(&self) -> Option<&Failure> {
        self.steps.iter().filter(|s| s.step != Step::CleanUp).find_map(|s| s.outcome.as_ref().err())
    }
}

/// Runs a task; `begins` is called before each step. A cancelled run is cleaned up as well.
pub async fn run_task(task: LocalTask, cancel: &CancellationToken, mut begins: impl FnMut(Step)) -> LocalRun {
    let kept = task.out.join("kept");
    let root = task.out.join("attempt");
    let executor = Executor::new(task.workers.clone());
    let mut attempt = Attempt::new(root, kept.clone(), "local".into(), 1, task.inputs.clone(), executor);
    attempt.dirs.checkout.clone_from(&task.checkout);
    let mut run = LocalRun {
        steps: Vec::new(),
        ended: None,
        results: Vec::new(),
        artifacts: Vec::new(),
        artifact_dir: kept,
    };
    for &step in Step::ALL {
        let failed = run.steps.iter().any(|s| s.outcome.is_err());
        // What a commit decides has no place here, and after a failure only cleaning has.
        if step == Step::Determine || (failed && step != Step::CleanUp) {
            continue;
        }
        begins(step);
        let since = Instant::now();
        let outcome = perform(&attempt, &task, step, run.ended, cancel).await;
        let outcome = outcome.map(|report| {
            run.ended = report.ended.or(run.ended);
            run.results.extend(report.results);
            run.artifacts.extend(report.artifacts);
            report.detail
        });
        run.steps.push(LocalStep { step, took: since.elapsed(), outcome });
    }
    run
}

async fn perform(
    attempt: &Attempt,
    task: &LocalTask,
    step: Step,
    ended: Option<Ended>,
    cancel: &CancellationToken,
) -> Result<StepReport, Failure> {
    match step {
        Step::Determine => Ok(StepReport::default()),
        Step::Provision => attempt.provision(task.event.clone()).await,
        Step::Clone => attempt.check().await,
        Step::Prepare => attempt.prepare(cancel).await,
        Step::Download if !task.fetched.is_empty() => attempt.take_files(&task.fetched, cancel).await,
        Step::Download => attempt.download(&task.downloads, cancel, |_| ()).await,
        Step::Run => attempt.run(cancel).await,
        Step::Report => attempt.report(ended.unwrap_or(Ended::Cancelled)).await,
        Step::CleanUp if task.afterwards == Afterwards::Leave => {
            attempt.leave(&CancellationToken::new()).await
        }
        Step::CleanUp => attempt.clean_up(&CancellationToken::new()).await,
    }
}
