//! Whether the machine has what a task needs, and what a failed preparation means.
//!
//! Comes in: a plan. Goes out: nothing, or the missing commands with what to install. It never installs anything and starts
//! no process: a command is looked for on the task's own `PATH`.

use std::fmt;
use std::path::Path;

use super::Plan;
use crate::class::ErrorClass;
use crate::executor::Ended;

/// Exit code (EX_UNAVAILABLE of sysexits.h) by which `[prepare]` says: not available on this machine, do not try again.
pub const EXIT_UNAVAILABLE: i32 = 69;

/// Commands that a task needs and the machine lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTools {
    /// The commands or files.
    pub tools: Vec<String>,
    /// What installs them here, `apt-get install -y rpmlint`.
    pub install: String,
}

/// Why a preparation failed: always infrastructure, never a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepareFailure {
    /// Permanent for `EXIT_UNAVAILABLE`, else Transient.
    pub class: ErrorClass,
    /// For people, with the last line of the log.
    pub message: String,
}

/// Checks that the commands of the plan's packages are there (kind sandbox; other kinds install them).
///
/// # Errors
/// The missing ones, with the command that installs them.
pub fn prepare_check(plan: &Plan) -> Result<(), MissingTools> {
    todo!()
}

/// What it means that a command of `[prepare]` ended so; none if it went well. `log` is the run's log file.
pub fn failure(ended: Ended, log: &Path) -> Option<PrepareFailure> {
    todo!()
}
