//! Effects: everything that dispatch and the inbox do to the world, behind one seam.
//!
//! Comes in: orders as plain data (`Transition`, `StepOrder`, `Arrival`). Goes out: what the world answered. There
//! are two worlds: `real` (store, clock, randomness, processes, network) and the simulation of the tests, which
//! crashes at every point of a scenario and repeats it from a seed. Whatever decides is pure and knows neither.

mod real;
mod time;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskbot_graph::Argument;
use tokio_util::sync::CancellationToken;

pub use real::Real;
pub use time::Timestamp;

use crate::admission::Arrival;
use crate::dispatch::{Failure, Progress, Step, StepReport, Transition};
use crate::executor::Ended;
use crate::store::{Admitted, Released, RunId, StoreError};

/// A file that a run left behind, kept by the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Below the run's artifact directory.
    pub path: PathBuf,
    /// Length in bytes.
    pub size_bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// A step to be performed, with all that it may know.
#[derive(Clone, Debug)]
pub struct StepOrder {
    /// Which run.
    pub run: RunId,
    /// Which step.
    pub step: Step,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Name of the task.
    pub task: String,
    /// Its repository as the rule set names it.
    pub repository: String,
    /// Branch, tag or commit as the rule set names it.
    pub reference: Option<String>,
    /// Commit, once determined.
    pub commit: Option<String>,
    /// Arguments. Text of messages: data, never code.
    pub arguments: Vec<Argument>,
    /// How the command ended, once it did.
    pub ended: Option<Ended>,
    /// How long the command may take, beside what its manifest says: the shortest that a rule asked for.
    pub timeout: Option<Duration>,
}

impl StepOrder {
    /// The order for a step of a run that stands at `progress`.
    pub fn update(&mut self, step: Step, progress: &Progress) {
        self.step = step;
        self.attempt = progress.attempt;
        self.commit.clone_from(&progress.commit);
        self.ended = progress.ended;
    }
}

/// How performing a step ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Performed {
    /// It was done.
    Done(StepReport),
    /// It failed.
    Failed(Failure),
    /// Its cancellation token ended it.
    Interrupted,
}

/// The world as dispatch and the inbox see it.
pub trait Effects: Send + Sync {
    /// The clock.
    fn now(&self) -> Timestamp;

    /// A random number.
    fn roll(&self) -> u64;

    /// Makes arrivals durable: one transaction for all.
    fn admit(&self, arrivals: Vec<Arrival>)
    -> impl Future<Output = Result<Vec<Admitted>, StoreError>> + Send;

    /// Lets go of held requests that are due: one transaction.
    fn release(&self, now: Timestamp) -> impl Future<Output = Result<Released, StoreError>> + Send;

    /// Makes a run's transition durable: one transaction. Gives where the run stands after it.
    fn record(
        &self,
        run: RunId,
        transition: Transition,
    ) -> impl Future<Output = Result<Progress, StoreError>> + Send;

    /// Performs a step; idempotent by (run, attempt, step). Ends soon after `cancel`.
    fn perform(&self, order: StepOrder, cancel: &CancellationToken)
    -> impl Future<Output = Performed> + Send;
}
