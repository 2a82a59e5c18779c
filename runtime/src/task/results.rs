//! What a task left behind, as results.
//!
//! Comes in: the manifest, the run's directories and how its command ended. Goes out: results and what was wrong with
//! them. It never trusts a file's kind, size or words, and never loses a verdict in silence: what cannot be read becomes
//! NEEDS_INSPECTION with the reason, and the file is kept.

use super::{Manifest, RunDirs, Subject, TaskResult};
use crate::executor::Ended;

/// What a run reported.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// At least one result, whatever happened.
    pub results: Vec<TaskResult>,
    /// What was wrong, for people.
    pub problems: Vec<String>,
}

/// Reads the results of a run whose command ended.
pub fn collect(manifest: &Manifest, dirs: &RunDirs, ended: Ended, subject: &Subject) -> Collected {
    todo!()
}
