//! The life of a run as a pure state machine: `step(progress, input) -> (progress, effects)`.
//!
//! Comes in: where a run stands, what just happened, the time and a random number. Goes out: where it stands now and
//! what is to be done, in order: first the durable record, then the deed. It does nothing by itself, so it runs the
//! same in the daemon and in the simulation. Invariants: a step is recorded as started before it is performed; every
//! attempt that started a step goes through cleaning; results are recorded with the end of `report` and nowhere else.

use std::time::Duration;

use super::step::{Ending, RunState, Step};
use crate::class::ErrorClass;
use crate::effect::{Artifact, Timestamp};
use crate::executor::Ended;
use crate::limits;
use crate::task::TaskResult;

/// Where a run stands. All of it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its state.
    pub state: RunState,
    /// The step that was started last in this attempt and has not ended.
    pub step: Option<Step>,
    /// Number of this attempt, from 1.
    pub attempt: u32,
    /// Attempts that the surroundings failed.
    pub failures: u32,
    /// Attempts that an orderly stop of the daemon cut off.
    pub stops: u32,
    /// How many failures are allowed before the run is given up.
    pub retries: u32,
    /// How the task's command ended, once it did.
    pub ended: Option<Ended>,
    /// What follows when cleaning is done; set when cleaning starts.
    pub ending: Option<Ending>,
    /// Commit that the repository is cloned at, once determined; the same for all attempts.
    pub commit: Option<String>,
    /// Why it was given up or retried, for people.
    pub note: Option<String>,
}

impl Progress {
    /// A run that nobody has started.
    pub const fn new() -> Self {
        Self {
            state: RunState::Queued,
            step: None,
            attempt: 1,
            failures: 0,
            stops: 0,
            retries: limits::INFRASTRUCTURE_RETRIES_DEFAULT,
            ended: None,
            ending: None,
            commit: None,
            note: None,
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// What a performed step brings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepReport {
    /// One line or a little JSON for `status` and `explain`.
    pub detail: Option<String>,
    /// From `determine`: the commit.
    pub commit: Option<String>,
    /// From `clone`: how often the manifest allows infrastructure to fail.
    pub retries: Option<u32>,
    /// From `run`: how the command ended.
    pub ended: Option<Ended>,
    /// From `report`.
    pub results: Vec<TaskResult>,
    /// From `report`: files that were kept.
    pub artifacts: Vec<Artifact>,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whether another attempt can help.
    pub class: ErrorClass,
    /// What happened and what to do, for people.
    pub message: String,
}

/// What happened to a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A slot is free: start it, or go on where a crash or shutdown left it.
    Begin,
    /// The step under way was done.
    Done(StepReport),
    /// The step under way failed.
    Failed(Failure),
    /// Somebody cancelled the run; the step under way was ended.
    Cancelled,
    /// The daemon is told to stop; the step under way was ended.
    Stopped,
}

/// One end of a step, for the record.
#[derive(Clone, Debug, PartialEq)]
pub enum StepEnd {
    /// It was done.
    Done(StepReport),
    /// It failed, for this reason.
    Failed(String),
    /// It was cut off by a crash, a shutdown or a cancellation.
    Interrupted,
}

/// A durable change of a run: one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Where the run stands after it.
    pub progress: Progress,
    /// The attempt and step that ended with it.
    pub ended: Option<(u32, Step, StepEnd)>,
    /// The attempt and step that start with it.
    pub started: Option<(u32, Step)>,
    /// Not to be continued before this time.
    pub not_before: Timestamp,
    /// When it happened.
    pub at: Timestamp,
}

/// Something to be done for a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Write it down; nothing further is done before it is durable.
    Record(Box<Transition>),
    /// Perform a step; its end is the next input.
    Perform(Step),
    /// Give the slot back: the run is over, or waits for its next attempt.
    Release,
}

/// Takes one step. `at` is now; `roll` is a random number that spreads retries.
pub fn step(progress: Progress, input: Input, at: Timestamp, roll: u64) -> (Progress, Vec<Effect>) {
    let attempt = progress.attempt;
    match input {
        Input::Begin => begin(progress, at),
        Input::Done(report) => done(progress, report, at, roll),
        Input::Failed(failure) => {
            let Some(failed) = progress.step else { return (progress, vec![Effect::Release]) };
            let end = Some((attempt, failed, StepEnd::Failed(failure.message.clone())));
            if failed == Step::CleanUp {
                // Cleaning is tried once an attempt; what it left is found again by its directory.
                return close(progress, end, at, roll);
            }
            let retry = failure.class == ErrorClass::Transient && progress.failures < progress.retries;
            let next = Progress {
                failures: progress.failures + 1,
                note: Some(failure.message),
                ending: Some(if retry { Ending::Retry } else { Ending::GiveUp }),
                ..progress
            };
            start(next, Step::CleanUp, end, at)
        }
        Input::Stopped => stopped(progress, at),
        Input::Cancelled => {
            let end = progress.step.map(|step| (attempt, step, StepEnd::Interrupted));
            // Results that are recorded stay: a cancellation after `report` comes too late.
            let ending = progress.ending.filter(|e| *e == Ending::Finish).unwrap_or(Ending::Cancel);
            let next = Progress { ending: Some(ending), ..progress };
            match next.step {
                None if next.state == RunState::Queued => close(next, end, at, roll),
                None | Some(_) => start(next, Step::CleanUp, end, at),
            }
        }
    }
}

/// Starts a queued run, or goes on from the last safe point: the start of an attempt, `report`, or `clean-up`.
fn begin(progress: Progress, at: Timestamp) -> (Progress, Vec<Effect>) {
    let attempt = progress.attempt;
    match progress.step {
        _ if progress.state.is_final() => (progress, vec![Effect::Release]),
        None => start(progress, Step::FIRST, None, at),
        // Both can be done again: report overwrites what it kept, cleaning removes what is left.
        Some(step @ (Step::Report | Step::CleanUp)) => start(progress, step, None, at),
        Some(cut_off) => {
            let crashes = attempt.saturating_sub(progress.failures).saturating_sub(progress.stops);
            let again = crashes <= limits::RUN_RESTARTS;
            let next = Progress {
                ending: Some(if again { Ending::Restart } else { Ending::GiveUp }),
                note: Some(format!("taskbot stopped during the step {cut_off}")),
                ..progress
            };
            start(next, Step::CleanUp, Some((attempt, cut_off, StepEnd::Interrupted)), at)
        }
    }
}

/// Leaves the run where it is, for the next start; an attempt that this costs is not counted as a crash.
fn stopped(progress: Progress, at: Timestamp) -> (Progress, Vec<Effect>) {
    let cut_off = progress.step.is_some_and(|step| !matches!(step, Step::Report | Step::CleanUp));
    if !cut_off {
        return (progress, vec![Effect::Release]);
    }
    let next = Progress { stops: progress.stops.saturating_add(1), ..progress };
    let record = Transition { progress: next.clone(), ended: None, started: None, not_before: at, at };
    (next, vec![Effect::Record(Box::new(record)), Effect::Release])
}

fn done(progress: Progress, report: StepReport, at: Timestamp, roll: u64) -> (Progress, Vec<Effect>) {
    let Some(step) = progress.step else { return (progress, vec![Effect::Release]) };
    let mut next = progress;
    next.commit = report.commit.clone().or(next.commit);
    next.retries = report.retries.unwrap_or(next.retries);
    next.ended = report.ended.or(next.ended);
    if step == Step::Report {
        next.ending = Some(Ending::Finish);
        next.note = None;
    }
    let end = Some((next.attempt, step, StepEnd::Done(report)));
    match step.next() {
        Some(following) => start(next, following, end, at),
        None => close(next, end, at, roll),
    }
}

/// Records the start of a step, then performs it.
fn start(
    progress: Progress,
    step: Step,
    ended: Option<(u32, Step, StepEnd)>,
    at: Timestamp,
) -> (Progress, Vec<Effect>) {
    let next = Progress { state: step.state(), step: Some(step), ..progress };
    let started = Some((next.attempt, step));
    let record = Transition { progress: next.clone(), ended, started, not_before: at, at };
    (next, vec![Effect::Record(Box::new(record)), Effect::Perform(step)])
}

/// Cleaning is over: the run's final state, or its next attempt.
fn close(
    progress: Progress,
    ended: Option<(u32, Step, StepEnd)>,
    at: Timestamp,
    roll: u64,
) -> (Progress, Vec<Effect>) {
    let ending = progress.ending.unwrap_or(Ending::GiveUp);
    let (state, not_before) = match ending {
        Ending::Finish => (RunState::Finished, at),
        Ending::Cancel => (RunState::Cancelled, at),
        Ending::GiveUp => (RunState::InfrastructureError, at),
        Ending::Restart => (RunState::Queued, at),
        Ending::Retry => (RunState::Queued, at.after(back_off(progress.failures, roll))),
    };
    let again = state == RunState::Queued;
    let next = Progress {
        state,
        step: None,
        attempt: progress.attempt + u32::from(again),
        ended: if again { None } else { progress.ended },
        ending: None,
        ..progress
    };
    let record = Transition { progress: next.clone(), ended, started: None, not_before, at };
    (next, vec![Effect::Record(Box::new(record)), Effect::Release])
}

/// How long to wait before the next attempt: doubled with each failure, capped, and spread by up to half.
pub fn back_off(failures: u32, roll: u64) -> Duration {
    let doubled =
        limits::RETRY_FIRST.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    let full = doubled.min(limits::RETRY_LONGEST);
    let half_millis = u64::try_from(full.as_millis() / 2).unwrap_or(u64::MAX).max(1);
    full / 2 + Duration::from_millis(roll % half_millis)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "tests")]
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    /// Runs the machine against a script: what each performed step does. Gives all transitions and where it stopped.
    fn play(
        mut progress: Progress,
        mut world: impl FnMut(Step, u32) -> Input,
    ) -> (Progress, Vec<Transition>) {
        let mut records = Vec::new();
        let mut input = Input::Begin;
        for _ in 0..1000 {
            let (next, effects) = step(progress, input, NOW, 7);
            progress = next;
            let mut answer = None;
            for effect in effects {
                match effect {
                    Effect::Record(record) => records.push(*record),
                    Effect::Perform(step) => answer = Some(world(step, progress.attempt)),
                    Effect::Release => {}
                }
            }
            match answer {
                Some(next) => input = next,
                None if progress.state.is_final() => return (progress, records),
                None => input = Input::Begin,
            }
        }
        panic!("the run does not end: {progress:?}")
    }

    fn fine() -> Input {
        Input::Done(StepReport::default())
    }

    fn failure(class: ErrorClass) -> Input {
        Input::Failed(Failure { class, message: "the network is down".into() })
    }

    #[test]
    fn takes_the_steps_in_the_order_of_the_founding_post() {
        let mut seen = Vec::new();
        let (end, records) = play(Progress::new(), |step, _| {
            seen.push(step);
            fine()
        });
        assert_eq!(seen, Step::ALL);
        assert_eq!(end.state, RunState::Finished);
        let states: Vec<RunState> = records.iter().map(|r| r.progress.state).collect();
        assert!(states.is_sorted(), "{states:?}");
    }

    #[test]
    fn infrastructure_is_retried_as_often_as_allowed_then_given_up_without_a_verdict() {
        for at in [Step::Determine, Step::Clone, Step::Prepare, Step::Download, Step::Run, Step::Report] {
            let (end, records) =
                play(
                    Progress::new(),
                    |step, _| {
                        if step == at { failure(ErrorClass::Transient) } else { fine() }
                    },
                );
            assert_eq!((end.state, end.attempt, end.failures), (RunState::InfrastructureError, 3, 3), "{at}");
            assert_eq!(end.note.as_deref(), Some("the network is down"));
            let cleaned = records
                .iter()
                .filter(|r| matches!(r.ended, Some((_, Step::CleanUp, StepEnd::Done(_)))))
                .count();
            assert_eq!(cleaned, 3, "each attempt is cleaned up");
        }
    }

    #[test]
    fn a_second_attempt_may_succeed_and_waits_before_it() {
        let (end, records) = play(Progress::new(), |step, attempt| {
            if (step, attempt) == (Step::Clone, 1) { failure(ErrorClass::Transient) } else { fine() }
        });
        assert_eq!((end.state, end.attempt, end.note), (RunState::Finished, 2, None));
        let waited = records.iter().find(|r| r.progress.state == RunState::Queued).map(|r| r.not_before);
        assert!(waited > Some(NOW), "{waited:?}");
    }

    #[test]
    fn what_no_retry_can_help_is_given_up_at_once() {
        for class in [ErrorClass::Permanent, ErrorClass::Poison] {
            let (end, _) =
                play(
                    Progress::new(),
                    |step, _| {
                        if step == Step::Provision { failure(class) } else { fine() }
                    },
                );
            assert_eq!((end.state, end.attempt), (RunState::InfrastructureError, 1));
        }
    }

    #[test]
    fn a_failing_clean_up_keeps_the_verdict() {
        let (end, _) = play(Progress::new(), |step, _| {
            if step == Step::CleanUp { failure(ErrorClass::Transient) } else { fine() }
        });
        assert_eq!((end.state, end.attempt), (RunState::Finished, 1));
    }

    #[test]
    fn cancelling_cleans_up_in_every_step() {
        for &at in Step::ALL {
            let mut seen = Vec::new();
            let mut cancelled = false;
            let (end, _) = play(Progress::new(), |step, _| {
                seen.push(step);
                if step == at && !cancelled {
                    cancelled = true;
                    Input::Cancelled
                } else {
                    fine()
                }
            });
            let state = if at == Step::CleanUp { RunState::Finished } else { RunState::Cancelled };
            assert_eq!((end.state, seen.last()), (state, Some(&Step::CleanUp)), "{at}");
        }
    }

    #[test]
    fn a_queued_run_is_cancelled_without_cleaning() {
        let (end, effects) = step(Progress::new(), Input::Cancelled, NOW, 0);
        assert_eq!((end.state, effects.len()), (RunState::Cancelled, 2));
    }

    #[test]
    fn after_a_crash_it_goes_on_from_a_safe_point() {
        for &cut in Step::ALL {
            let before = Progress { state: cut.state(), step: Some(cut), ..Progress::new() };
            let mut seen = Vec::new();
            let ending = if cut == Step::CleanUp { Some(Ending::Finish) } else { None };
            let (end, _) = play(Progress { ending, ..before }, |step, _| {
                seen.push(step);
                fine()
            });
            let attempts = if cut < Step::Report { 2 } else { 1 };
            assert_eq!((end.state, end.attempt, end.failures), (RunState::Finished, attempts, 0), "{cut}");
            let first = if cut < Step::Report { Step::CleanUp } else { cut };
            assert_eq!(seen.first(), Some(&first), "the cut-off attempt is wiped first");
        }
    }

    #[test]
    fn a_run_that_always_takes_the_daemon_down_is_given_up() {
        let mut progress = Progress::new();
        while !progress.state.is_final() {
            // The daemon dies in the step `run`; afterwards cleaning succeeds.
            progress = Progress { state: RunState::Running, step: Some(Step::Run), ..progress };
            (progress, _) = step(progress, Input::Begin, NOW, 0);
            (progress, _) = step(progress, fine(), NOW, 0);
            assert!(progress.attempt < 100, "never given up");
        }
        assert_eq!(progress.state, RunState::InfrastructureError);
    }

    #[test]
    fn no_number_of_orderly_stops_gives_a_run_up() {
        let mut progress = Progress::new();
        for stops in 1..100 {
            progress = Progress { state: RunState::Running, step: Some(Step::Run), ..progress };
            (progress, _) = step(progress, Input::Stopped, NOW, 0);
            assert_eq!((progress.state, progress.stops), (RunState::Running, stops), "as it was");
            (progress, _) = step(progress, Input::Begin, NOW, 0);
            (progress, _) = step(progress, fine(), NOW, 0);
            assert_eq!(progress.state, RunState::Queued);
        }
        for unharmed in [Step::Report, Step::CleanUp] {
            let before = Progress { step: Some(unharmed), ..Progress::new() };
            let (after, effects) = step(before.clone(), Input::Stopped, NOW, 0);
            assert_eq!((after, effects), (before, vec![Effect::Release]), "resumed within its attempt");
        }
    }

    #[test]
    fn back_off_grows_to_its_bound() {
        assert!(back_off(1, 0) >= limits::RETRY_FIRST / 2 && back_off(1, u64::MAX) <= limits::RETRY_FIRST);
        for failures in [10, 40, u32::MAX] {
            assert!(back_off(failures, u64::MAX) <= limits::RETRY_LONGEST);
        }
        assert!(back_off(3, 0) > back_off(1, 0));
    }
}
