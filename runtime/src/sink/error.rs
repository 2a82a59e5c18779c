//! Why a sink did not take a run, and what that means for the parcel.
//!
//! Comes in: what went wrong. Goes out: its class: what may pass is tried again, later and later; what will not pass by
//! itself parks the parcel until the daemon starts again. The words are for people and safe to print; they hold no secret, and
//! of a URL the host alone, since hooks carry their secrets in the path.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::class::ErrorClass;

/// Why a sink did not take a run.
#[derive(Debug)]
pub enum SinkError {
    /// Reading or writing a file failed.
    Io(PathBuf, std::io::Error),
    /// The run cannot be put into the sink's form.
    Form(String),
    /// The peer will not take it, however often it is asked.
    Refused(String),
    /// The peer could not take it now.
    Unavailable {
        /// Why, for people.
        why: String,
        /// How long the peer asked to be left alone.
        retry_after: Option<Duration>,
    },
}

impl SinkError {
    /// The peer could not take it now.
    pub(super) fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable { why: why.into(), retry_after: None }
    }

    /// Whether trying again can help. A parcel is kept either way.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Io(..) | Self::Unavailable { .. } => ErrorClass::Transient,
            Self::Form(_) | Self::Refused(_) => ErrorClass::Permanent,
        }
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Form(what) => write!(f, "the run cannot be written: {what}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Unavailable { why, .. } => f.write_str(why),
        }
    }
}

impl std::error::Error for SinkError {}
