//! Steps: what the daemon really does for each step of a run.
//!
//! Comes in: a step order. Goes out: how it ended. `attempt` does the work on one attempt's directory, `local` does
//! the same for a checkout on a laptop, without a daemon. Each step is idempotent: `provision` wipes what an earlier
//! life left, `report` writes the same files again, `clean-up` removes what is there. A step never writes to the
//! store.

mod attempt;
mod local;
mod wipe;

use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

pub use local::{Afterwards, LocalRun, LocalStep, LocalTask, run_task};
pub(crate) use wipe::sweep;

use crate::class::ErrorClass;
use crate::dispatch::{Failure, Step, StepReport};
use crate::effect::{Performed, StepOrder};
use crate::executor::{Ended, Executor};
use crate::fetch::{self, FetchRequest};
use crate::limits;
use crate::lock::Lock;
use crate::message::MessageText;
use crate::progress::{Observer, Progress};
use crate::spawn::WorkerProgram;
use crate::store::{RunId, Store};
use crate::task::download::{DownloadConfig, DownloadProgress};
use attempt::Attempt;

/// Marks a repository as one of the standard library's tasks.
const STANDARD: &str = "standard:";

/// What performing steps needs.
#[derive(Clone, Debug)]
pub struct Performer {
    /// Where causes are read.
    pub store: Store,
    /// Work directories and artifacts are below it.
    pub state_dir: PathBuf,
    /// Directory with `NAME.git` for each standard task.
    pub standard_tasks: Option<PathBuf>,
    /// The file with the commits of tasks; read for each run, so that it counts as it is.
    pub lock: PathBuf,
    /// Where external files are.
    pub downloads: DownloadConfig,
    /// The program that serves as a worker process.
    pub workers: WorkerProgram,
    /// What runs the commands of tasks.
    pub executor: Executor,
    /// Told how far long downloads are.
    pub observer: Observer,
}

/// Where the kept files of a run are.
pub fn artifact_dir(state_dir: &Path, run: RunId) -> PathBuf {
    state_dir.join("artifacts").join(run.to_string())
}

/// What is logged by an attempt that goes on; gone when it is cleaned up, after it was kept as an artifact.
pub fn live_log(state_dir: &Path, run: RunId, attempt: u32) -> PathBuf {
    attempt_dir(state_dir, run, attempt).join(attempt::LOG)
}

fn attempt_dir(state_dir: &Path, run: RunId, attempt: u32) -> PathBuf {
    state_dir.join("runs").join(run.to_string()).join(attempt.to_string())
}

fn failure(class: ErrorClass, message: impl Into<String>) -> Failure {
    Failure { class, message: message.into() }
}

impl Performer {
    /// Performs a step. Ends soon after `cancel`; then nothing counts but a step that was done before.
    pub async fn perform(&self, order: StepOrder, cancel: &CancellationToken) -> Performed {
        let outcome = match order.step {
            Step::Determine => tokio::select! {
                determined = self.determine(&order) => determined,
                () = cancel.cancelled() => Err(failure(ErrorClass::Transient, "cancelled")),
            },
            Step::Provision => self.provision(&order).await,
            Step::Clone => self.clone_task(&order, cancel).await,
            Step::Prepare => self.attempt(&order).prepare(cancel).await,
            Step::Download => {
                let tell = tell_slowly(self.observer.clone(), order.run);
                self.attempt(&order).download(&self.downloads, cancel, tell).await
            }
            Step::Run => self.attempt(&order).run(cancel).await,
            Step::Report => self.report(&order).await,
            Step::CleanUp => self.attempt(&order).clean_up(cancel).await,
        };
        match outcome {
            Ok(report) if report.ended != Some(Ended::Cancelled) => Performed::Done(report),
            _ if cancel.is_cancelled() => Performed::Interrupted,
            Ok(report) => Performed::Done(report),
            Err(failure) => Performed::Failed(failure),
        }
    }

    /// The repository at one commit: the recorded one, else the locked one, else what its reference stands for now.
    async fn determine(&self, order: &StepOrder) -> Result<StepReport, Failure> {
        let url = self.url(&order.repository)?;
        let commit = match &order.commit {
            Some(commit) => commit.clone(),
            None => {
                let lock =
                    Lock::read(&self.lock).map_err(|e| failure(ErrorClass::Permanent, e.to_string()))?;
                match lock.commit(&order.task, &order.repository) {
                    Some(commit) => commit.to_owned(),
                    None => {
                        let reference = order.reference.as_deref();
                        fetch::resolve_with(
                            &self.workers,
                            &url,
                            reference,
                            limits::RESOLVE_DEADLINE,
                            &self.downloads,
                        )
                        .await
                        .map_err(|e| failure(e.class(), e.to_string()))?
                    }
                }
            }
        };
        let detail = Some(format!("{} at {commit}", order.repository));
        Ok(StepReport { detail, commit: Some(commit), ..StepReport::default() })
    }

    fn url(&self, repository: &str) -> Result<String, Failure> {
        let Some(name) = repository.strip_prefix(STANDARD) else { return Ok(repository.to_owned()) };
        let plain =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let dir = self.standard_tasks.as_deref().filter(|_| plain).ok_or_else(|| {
            failure(ErrorClass::Permanent, format!("'{repository}' is no task of this installation"))
        })?;
        let path = dir.join(format!("{name}.git"));
        if !path.is_dir() {
            let message =
                format!("the standard library has no task '{name}' ({} is not there)", path.display());
            return Err(failure(ErrorClass::Permanent, message));
        }
        path.into_os_string()
            .into_string()
            .map_err(|path| failure(ErrorClass::Permanent, format!("{} is not UTF-8", path.display())))
    }

    async fn provision(&self, order: &StepOrder) -> Result<StepReport, Failure> {
        let cause =
            self.store.cause(order.run).await.map_err(|e| failure(ErrorClass::Fatal, e.to_string()))?;
        self.attempt(order).provision(event_json(cause)).await
    }

    async fn clone_task(&self, order: &StepOrder, cancel: &CancellationToken) -> Result<StepReport, Failure> {
        let Some(commit) = order.commit.clone() else {
            return Err(failure(ErrorClass::Transient, "no commit is determined"));
        };
        let attempt = self.attempt(order);
        let request = FetchRequest {
            url: self.url(&order.repository)?,
            commit,
            into: attempt.dirs.checkout.clone(),
            deadline: limits::FETCH_DEADLINE,
            site: self.downloads.clone(),
        };
        fetch::checkout_with(&self.workers, request, cancel)
            .await
            .map_err(|e| failure(e.class(), e.to_string()))?;
        attempt.check().await
    }

    async fn report(&self, order: &StepOrder) -> Result<StepReport, Failure> {
        let Some(ended) = order.ended else {
            return Err(failure(ErrorClass::Transient, "how the command ended is not recorded"));
        };
        self.attempt(order).report(ended).await
    }

    fn attempt(&self, order: &StepOrder) -> Attempt {
        let root = attempt_dir(&self.state_dir, order.run, order.attempt);
        let inputs = order.arguments.iter().map(|a| (a.name.clone(), input_text(a))).collect();
        Attempt::new(
            root,
            artifact_dir(&self.state_dir, order.run),
            order.run.to_string(),
            order.attempt,
            inputs,
            self.executor.clone(),
        )
        .within(order.timeout)
    }
}

/// Tells an observer of a download that takes long, now and then.
fn tell_slowly(observer: Observer, id: RunId) -> impl FnMut(DownloadProgress) {
    let mut told = Instant::now();
    move |progress| {
        if told.elapsed() >= limits::DOWNLOAD_TOLD {
            told = Instant::now();
            let DownloadProgress { file, done_bytes, total_bytes } = progress;
            let file = MessageText::new(file).to_string();
            observer.tell(Progress::Download { id, file, done_bytes, total_bytes });
        }
    }
}

/// An argument as a task gets it: its text, but lists as JSON.
fn input_text(argument: &taskbot_graph::Argument) -> String {
    if argument.json.is_array() { argument.json.to_string() } else { argument.text.clone() }
}

/// What a task sees of the message that caused it.
fn event_json(cause: Option<(String, String, Vec<u8>)>) -> String {
    let Some((id, topic, body)) = cause else { return "{}".into() };
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    serde_json::json!({ "id": id, "topic": topic, "body": body }).to_string()
}
