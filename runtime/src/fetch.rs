//! Cloning a task's repository: the daemon's side of the fetch worker, which alone names git2.
//!
//! Comes in: a URL, a pinned commit and an empty directory. Goes out: the files of that commit, or a classed error. It never
//! runs hooks, filters or submodules, and never outlives its deadline.

use std::path::PathBuf;
use std::time::Duration;

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
