//! Carrying out what the state machine says, for one run, until it gives its slot back.
//!
//! Comes in: an open run, the effects, and two ways to be told to end: the daemon stops, or the run is cancelled.
//! Goes out: where the run stands. It decides nothing. When the daemon stops it leaves the run as recorded: the next
//! start resumes it.

use tokio_util::sync::CancellationToken;

use super::machine::{Effect, Input, Progress, step};
use crate::effect::{Effects, Performed};
use crate::store::{OpenRun, RunId, StoreError};

/// Tells observers that a run stands somewhere new.
pub trait Observe: Send + Sync {
    /// Called after each durable transition.
    fn moved(&self, run: RunId, key: &str, progress: &Progress);
}

/// How a run can be told to end.
#[derive(Clone, Debug, Default)]
pub struct Stops {
    /// The daemon stops: leave the run resumable.
    pub daemon: CancellationToken,
    /// The run is cancelled: end and clean up. A child of it reaches the step under way.
    pub run: CancellationToken,
}

/// Drives a run until it is over, waits for its next attempt, or the daemon stops.
pub async fn drive<E: Effects>(
    effects: &E,
    run: OpenRun,
    stops: &Stops,
    observer: &impl Observe,
) -> Result<Progress, StoreError> {
    let OpenRun { id, key, mut order, mut progress } = run;
    let mut input = if stops.run.is_cancelled() { Input::Cancelled } else { Input::Begin };
    loop {
        let (next, todo) = step(progress, input, effects.now(), effects.roll());
        progress = next;
        let mut ended = None;
        for effect in todo {
            match effect {
                Effect::Record(transition) => {
                    progress = effects.record(id, *transition).await?;
                    observer.moved(id, &key, &progress);
                }
                Effect::Perform(step) => {
                    order.update(step, &progress);
                    ended = Some(perform(effects, &order, stops).await);
                }
                Effect::Release => return Ok(progress),
            }
        }
        input = match ended {
            Some(input) => input,
            // The machine has nothing to do: leave it as recorded.
            None => return Ok(progress),
        };
    }
}

async fn perform<E: Effects>(effects: &E, order: &crate::effect::StepOrder, stops: &Stops) -> Input {
    // Cleaning is not cancelled by cancelling the run: it is what cancelling leads to.
    let cleaning = order.step == super::Step::CleanUp;
    let cancel = if cleaning { stops.daemon.child_token() } else { stops.run.child_token() };
    if stops.daemon.is_cancelled() {
        return Input::Stopped;
    }
    let performing = effects.perform(order.clone(), &cancel);
    tokio::pin!(performing);
    let performed = tokio::select! {
        performed = &mut performing => performed,
        () = stops.daemon.cancelled() => {
            cancel.cancel();
            performing.await
        }
    };
    match performed {
        Performed::Done(report) => Input::Done(report),
        // A command that was killed because the daemon stops has not failed.
        Performed::Failed(_) if stops.daemon.is_cancelled() => Input::Stopped,
        Performed::Failed(failure) => Input::Failed(failure),
        Performed::Interrupted if stops.daemon.is_cancelled() => Input::Stopped,
        Performed::Interrupted => Input::Cancelled,
    }
}
