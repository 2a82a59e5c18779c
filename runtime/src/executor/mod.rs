//! Executors: how a command of a task becomes a process that cannot outlive or outgrow its run.
//!
//! Comes in: a command, a directory, an environment and limits. Goes out: how it ended, and its log. It never passes through a
//! shell and never inherits the daemon's environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// One command of a task, ready to start.
#[derive(Clone, Debug)]
pub struct TaskCommand {
    /// Program and arguments; a program with a slash is relative to `dir`.
    pub argv: Vec<String>,
    /// Working directory.
    pub dir: PathBuf,
    /// The whole environment; nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// File that standard output and error are appended to, at most `limits::TASK_LOG_BYTES`.
    pub log: PathBuf,
    /// Directories it may write to.
    pub writable: Vec<PathBuf>,
    /// Wall-clock limit.
    pub timeout: Duration,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Exit(i32),
    /// A signal ended it.
    Signal(i32),
    /// It was killed at its timeout.
    TimedOut,
    /// It was killed because its run was cancelled.
    Cancelled,
}
