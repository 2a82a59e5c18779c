//! Executors: how a command of a task becomes a process that cannot outlive or outgrow its run.
//!
//! Comes in: a command, a directory, an environment and bounds. Goes out: how it ended, and its log. It never
//! passes through a shell and never inherits the daemon's environment. The sandbox puts all layers around a command that
//! the machine has: `layers` finds them, `bubblewrap`, `seccomp`, `cgroup` and `disk` are one each; what a command is given
//! goes to its minder as a `Cage`. `container` does the same by podman.

mod bounds;
pub(crate) mod bubblewrap;
pub(crate) mod cgroup;
mod container;
pub(crate) mod disk;
mod layers;
pub(crate) mod seccomp;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

pub use crate::spawn::Ended;
pub use bounds::Bounds;
pub use cgroup::Cgroups;
pub use container::Containers;
pub use layers::{AbsentLayer, Layer, Layers, MissingLayers, layers};

use crate::class::ErrorClass;
use crate::limits;
use crate::spawn::{self, CommandRequest, Confinement, Minded, SpawnError, WorkerProgram};

/// Everything that a command of a task is given, for its minder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cage {
    /// Directories that it may write to.
    pub writable: Vec<PathBuf>,
    /// Files and directories that it sees beside the system's.
    pub readable: Vec<PathBuf>,
    /// What it may use.
    pub bounds: Bounds,
    /// What is put around it.
    pub layers: Layers,
}

/// Runs commands of tasks.
#[derive(Clone, Debug)]
pub struct Executor {
    /// The program that serves as a worker process.
    pub workers: WorkerProgram,
    /// What is put around each command.
    pub layers: Layers,
    /// What the site gives one run.
    pub most: Bounds,
    /// What it says of containers.
    pub containers: Containers,
}

/// Where a command runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine, behind all layers that it has.
    Sandbox,
    /// In a container of its own, from this image: podman's name for it, or a directory.
    Container(String),
}

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
    /// Directories it may write to; they must be there. Beside them only the usual devices and small temporary
    /// directories, so point `TMPDIR` and `HOME` into them.
    pub writable: Vec<PathBuf>,
    /// Files and directories that it is to see beside the system's.
    pub readable: Vec<PathBuf>,
    /// What all its processes may use together.
    pub bounds: Bounds,
    /// Where it runs.
    pub place: Place,
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

impl Executor {
    /// The sandbox with all layers that this machine has.
    pub fn new(workers: WorkerProgram) -> Self {
        Self { workers, layers: layers(), most: Bounds::default(), containers: Containers::default() }
    }

    /// Says at the start what tasks run behind and what they do not, and removes what a crash left.
    pub fn announce(&self) {
        tracing::info!(layers = %self.layers, "tasks run behind these layers of isolation");
        for absent in &self.layers.absent {
            tracing::warn!(layer = %absent.layer, why = absent.why, "tasks run without this layer of isolation");
        }
        if let Some(cgroups) = &self.layers.cgroups {
            cgroups.sweep();
        }
    }

    /// Runs a task's command to its end; afterwards none of its processes is left.
    ///
    /// # Errors
    /// `ExecutorError` if it could not be started or logged. A command that failed, timed out or was cancelled is
    /// no error.
    pub async fn execute(
        &self,
        command: TaskCommand,
        cancel: &CancellationToken,
    ) -> Result<Ended, ExecutorError> {
        if let Place::Container(image) = &command.place {
            let image = image.clone();
            return container::execute(self, command, &image, cancel).await;
        }
        let cage = Cage {
            writable: command.writable,
            readable: command.readable,
            bounds: command.bounds,
            layers: self.layers.clone(),
        };
        let request = CommandRequest {
            argv: command.argv,
            dir: command.dir,
            env: command.env,
            stdin: String::new(),
            timeout: command.timeout,
            limits: command.bounds.of_one_process(),
            confinement: Confinement::Task(Box::new(cage)),
        };
        run_logged(&self.workers, request, &command.log, cancel).await
    }
}

/// A log, to append to.
async fn log_of(path: &Path) -> Result<File, ExecutorError> {
    let log = OpenOptions::new().create(true).append(true).open(path).await;
    log.map_err(|error| ExecutorError::Log(path.to_owned(), error))
}

/// Runs a command to its end, its two outputs appended to the log.
async fn run_logged(
    workers: &WorkerProgram,
    request: CommandRequest,
    log_path: &Path,
    cancel: &CancellationToken,
) -> Result<Ended, ExecutorError> {
    let log = log_of(log_path).await?;
    let (output, writer) = spawn::output_pipe().map_err(SpawnError::System)?;
    let writer_too = writer.try_clone().map_err(SpawnError::System)?;
    let minded = Minded::start(workers, request, writer.into(), writer_too.into()).await?;
    let over = CancellationToken::new();
    let ended = async {
        let ended = minded.ended(cancel).await;
        over.cancel();
        ended
    };
    let (ended, logged) = tokio::join!(ended, copy_log(output, log, &over));
    logged.map_err(|error| ExecutorError::Log(log_path.to_owned(), error))?;
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
