//! Outcomes as people and scripts type them.
//!
//! Comes in: a word, in capitals or not. Goes out: an outcome. Beside its own name each has the short ones of other tools.

use clap::ValueEnum;
use taskbot_runtime::task::Outcome;

/// An outcome as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OutcomeWord {
    #[value(aliases = ["pass", "ok"])]
    Passed,
    #[value(aliases = ["skip", "skipped"])]
    Info,
    #[value(alias = "fail")]
    Failed,
    #[value(aliases = ["needs-inspection", "error", "warn"])]
    NeedsInspection,
}

impl OutcomeWord {
    /// What it says.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Passed => Outcome::Passed,
            Self::Info => Outcome::Info,
            Self::Failed => Outcome::Failed,
            Self::NeedsInspection => Outcome::NeedsInspection,
        }
    }
}
