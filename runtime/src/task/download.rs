//! Downloads of a task, before it runs.
//!
//! Comes in: a planned download and where this site keeps packages. Goes out: files below the run's `fetched` directory.
//! It never follows a link out of its source and never puts a message's value into a path before it was read as its type.

use std::path::PathBuf;

use super::{PlannedFetch, RunDirs};
use crate::class::ErrorClass;

/// `[downloads]` of the daemon's configuration.
#[derive(Clone, Debug, Default)]
pub struct DownloadConfig {
    /// Base of koji's `packages/` layout: a directory (or `file://`), `<base>/<name>/<version>/<release>/<arch>/*.rpm`.
    pub koji: Option<String>,
}

/// Why a download did not happen.
#[derive(Debug)]
pub enum DownloadError {
    /// This kind of download is not built, or not configured.
    Unsupported(String),
    /// The build is not there.
    NotFound(String),
    /// What is there may not be used: too large, too many files.
    Refused(String),
    /// Reading or writing failed.
    Io(String),
}

/// Gets one download into `dirs.fetched`; the files in the order of their names.
///
/// # Errors
/// See `DownloadError`.
pub fn download(
    fetch: &PlannedFetch,
    dirs: &RunDirs,
    config: &DownloadConfig,
) -> Result<Vec<PathBuf>, DownloadError> {
    todo!()
}

impl DownloadError {
    /// Only reading and writing may go better next time; a build that is not there yet may arrive.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unsupported(_) | Self::Refused(_) => ErrorClass::Permanent,
            Self::NotFound(_) | Self::Io(_) => ErrorClass::Transient,
        }
    }
}
