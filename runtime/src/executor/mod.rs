//! Executors: how a command of a task becomes a process that cannot outlive or outgrow its run.
//!
//! Comes in: a command, a directory, an environment and limits. Goes out: how it ended, and its log. It never
//! passes through a shell and never inherits the daemon's environment.

mod layers;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

pub use crate::spawn::Ended;
pub use layers::{Layer, Layers, MissingLayers, layers};

use crate::class::ErrorClass;
use crate::limits;
use crate::spawn::{self, CommandRequest, Confinement, Minded, ProcessLimits, SpawnError, WorkerProgram};

/// What one process of a task may use at most.
const TASK_LIMITS: ProcessLimits = ProcessLimits {
    cpu_seconds: Some(limits::TASK_CPU_SECONDS),
    address_space_bytes: Some(limits::TASK_ADDRESS_SPACE_BYTES),
    file_bytes: Some(limits::TASK_FILE_BYTES),
    processes: Some(limits::TASK_PROCESSES),
    open_files: Some(limits::TASK_OPEN_FILES),
};

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
    /// Directories it may write to; they must be there. Beside them only the usual devices, so point `TMPDIR`
    /// and `HOME` into them.
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

impl From<SpawnError> for ExecutorError {
    fn from(error: SpawnError) -> Self {
        Self::Spawn(error)
    }
}

/// Runs a task's command to its end; afterwards none of its processes is left.
///
/// # Errors
/// `ExecutorError` if it could not be started or logged. A command that failed, timed out or was cancelled is
/// no error.
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
    let log = OpenOptions::new().create(true).append(true).open(&command.log).await;
    let log = log.map_err(|error| ExecutorError::Log(command.log.clone(), error))?;
    let request = CommandRequest {
        argv: command.argv,
        dir: command.dir,
        env: command.env,
        stdin: String::new(),
        timeout: command.timeout,
        limits: TASK_LIMITS,
        confinement: Confinement::Writable(command.writable),
    };
    let (output, writer) = spawn::output_pipe().map_err(SpawnError::System)?;
    let writer_too = writer.try_clone().map_err(SpawnError::System)?;
    let minded = Minded::start(program, request, writer.into(), writer_too.into()).await?;
    let over = CancellationToken::new();
    let ended = async {
        let ended = minded.ended(cancel).await;
        over.cancel();
        ended
    };
    let (ended, logged) = tokio::join!(ended, copy_log(output, log, &over));
    logged.map_err(|error| ExecutorError::Log(command.log, error))?;
    Ok(ended?)
}

/// Appends output to the log up to its limit. A task whose output cannot be kept is not stopped: its output is
/// read and dropped, and the error is told at the end.
async fn copy_log(mut output: pipe::Receiver, mut log: File, over: &CancellationToken) -> io::Result<()> {
    let mut room = limits::TASK_LOG_BYTES.saturating_sub(log.metadata().await?.len());
    let (mut cut_bytes, mut kept, mut chunk) = (0_u64, Ok(()), vec![0; 64 << 10]);
    loop {
        let read = spawn::read_chunk(&mut output, &mut chunk, over).await?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        let (fits, beyond) = bytes.split_at(bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
        room -= fits.len() as u64;
        cut_bytes += beyond.len() as u64;
        if kept.is_ok() && !fits.is_empty() {
            kept = log.write_all(fits).await;
        }
    }
    kept?;
    if cut_bytes > 0 {
        log.write_all(format!("\n[taskbot: {cut_bytes} more bytes of output were cut here]\n").as_bytes())
            .await?;
    }
    log.flush().await
}
