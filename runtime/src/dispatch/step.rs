//! The names of things in a run's life: its states, its steps, how it may end.
//!
//! Comes in: nothing, this is data. Goes out: to the state machine, the store and the command. The spelling here is
//! the spelling in the store, so it is never changed, only added to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Declares an enum whose variants have one fixed spelling, in the store, in JSON and on the terminal.
macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its one spelling.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL.iter().copied().find(|v| v.name() == text).ok_or_else(|| UnknownName(text.to_owned()))
            }
        }
    };
}

/// A spelling that none of the values has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName(pub String);

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown name '{}'", self.0)
    }
}

impl std::error::Error for UnknownName {}

spelled! {
    /// Where a run stands. What its results say is another thing.
    RunState {
        /// Waits for its turn, or for its next attempt.
        Queued = "queued",
        /// Its task's kind is determined, resources are provided.
        Provisioning = "provisioning",
        /// Its task's repository is cloned.
        Fetching = "fetching",
        /// Its preparation runs, external files are downloaded.
        Preparing = "preparing",
        /// Its command runs.
        Running = "running",
        /// Its results are read and recorded.
        Reporting = "reporting",
        /// What it used is given back.
        Cleaning = "cleaning",
        /// It went through; its results say what it found.
        Finished = "finished",
        /// Somebody cancelled it.
        Cancelled = "cancelled",
        /// The surroundings failed it, not the tested thing: no verdict.
        InfrastructureError = "infrastructure-error",
    }
}

impl RunState {
    /// Whether nothing happens to the run any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Cancelled | Self::InfrastructureError)
    }
}

spelled! {
    /// One step of an attempt, in the order in which they are taken.
    Step {
        /// 1: which repository at which commit.
        Determine = "determine",
        /// 1a: directories and isolation.
        Provision = "provision",
        /// 2: the repository at that commit.
        Clone = "clone",
        /// 2a: the task's own preparation.
        Prepare = "prepare",
        /// 2b: external files.
        Download = "download",
        /// 3: the task's command.
        Run = "run",
        /// 4: results and artifacts.
        Report = "report",
        /// 5: always taken, also after a crash.
        CleanUp = "clean-up",
    }
}

impl Step {
    /// The first of an attempt.
    pub const FIRST: Self = Self::Determine;

    /// The step after it; none after the last.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Determine => Some(Self::Provision),
            Self::Provision => Some(Self::Clone),
            Self::Clone => Some(Self::Prepare),
            Self::Prepare => Some(Self::Download),
            Self::Download => Some(Self::Run),
            Self::Run => Some(Self::Report),
            Self::Report => Some(Self::CleanUp),
            Self::CleanUp => None,
        }
    }

    /// The state of a run that is in this step.
    pub const fn state(self) -> RunState {
        match self {
            Self::Determine | Self::Provision => RunState::Provisioning,
            Self::Clone => RunState::Fetching,
            Self::Prepare | Self::Download => RunState::Preparing,
            Self::Run => RunState::Running,
            Self::Report => RunState::Reporting,
            Self::CleanUp => RunState::Cleaning,
        }
    }
}

spelled! {
    /// What follows when cleaning is done.
    Ending {
        /// The run is finished.
        Finish = "finish",
        /// Another attempt.
        Retry = "retry",
        /// Another attempt that is nobody's failure: the last was cut off by a crash.
        Restart = "restart",
        /// The run is cancelled.
        Cancel = "cancel",
        /// The run ends without a verdict.
        GiveUp = "give-up",
    }
}
