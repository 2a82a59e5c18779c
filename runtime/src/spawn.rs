//! The one room from which every process starts: tasks, workers, commands that answer facts.
//!
//! Comes in: a program, its whole environment, directory, limits and the directories it may write to. Goes out:
//! its output, bounded, and how it ended. Nothing is inherited: no environment, no descriptor beyond the asked
//! pipes. A command is started by a minder process of its own (`worker::mind`), which takes on its orphans and
//! kills whatever is left when it ends, when its time is over, and when the daemon is gone. It never uses a
//! shell.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::class::ErrorClass;
use crate::executor::Cage;
use crate::limits;
use crate::worker::frame::{Frame, FrameKind};
use crate::worker::mind::Report;
use crate::worker::{WORKER_WORD, WorkerKind};

/// The program that serves as a worker process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerProgram {
    /// Its file.
    pub path: PathBuf,
    /// What stands before the kind of worker on its command line.
    pub args: Vec<OsString>,
}

impl WorkerProgram {
    /// The running binary itself, also when its file was replaced meanwhile: `taskbot worker KIND`.
    pub fn current() -> Self {
        Self::at("/proc/self/exe")
    }

    /// Another program that understands `PATH worker KIND`; for tests.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), args: vec![WORKER_WORD.into()] }
    }

    /// A worker to start: in its own process group (a Ctrl-C is for the daemon), with nothing inherited.
    pub(crate) fn command(&self, kind: WorkerKind) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.args).arg(kind.word()).env_clear().process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// Resource limits of a process, as `setrlimit` knows them; `None` leaves what the daemon has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessLimits {
    /// Processor time of one process, in seconds.
    pub cpu_seconds: Option<u64>,
    /// Address space of one process, in bytes.
    pub address_space_bytes: Option<u64>,
    /// Largest file it may write, in bytes.
    pub file_bytes: Option<u64>,
    /// Processes of the same user.
    pub processes: Option<u64>,
    /// Open files of one process.
    pub open_files: Option<u64>,
}

/// What a command may see and change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Confinement {
    /// What its user may.
    User,
    /// What a task is given, behind the layers of isolation.
    Task(Box<Cage>),
}

/// One command to run to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CommandRequest {
    /// Program and arguments; a program without a slash is looked up in `PATH` of `env`, one with is relative
    /// to `dir`.
    pub argv: Vec<String>,
    /// Working directory.
    pub dir: PathBuf,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Standard input, at most `limits::COMMAND_STDIN_BYTES`.
    pub stdin: String,
    /// Wall-clock limit.
    pub timeout: Duration,
    /// Resource limits.
    pub limits: ProcessLimits,
    /// What it may write to.
    pub confinement: Confinement,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// A command that ended, and what it said.
#[derive(Clone, Debug)]
pub struct Captured {
    /// How it ended.
    pub ended: Ended,
    /// Standard output, at most as many bytes as were asked for.
    pub stdout: Vec<u8>,
    /// Bytes of standard output beyond that, which were dropped.
    pub stdout_cut_bytes: u64,
    /// Standard error, bounded in the same way.
    pub stderr: Vec<u8>,
}

/// Why a command did not run.
#[derive(Debug)]
pub enum SpawnError {
    /// The request itself cannot be carried out; text says what is wrong with it.
    Request(String),
    /// The program was not found or could not be executed.
    Program {
        /// Its name.
        program: String,
        /// The system's reason.
        reason: String,
    },
    /// The machine did not give what is needed to start it (processes, memory, pipes).
    System(io::Error),
    /// The minder process ended without a word.
    MinderLost,
    /// So many of its processes could not be killed; they hang in the kernel.
    Survivors(usize),
}

impl SpawnError {
    /// Whether trying again can help.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Request(_) | Self::Program { .. } => ErrorClass::Permanent,
            Self::System(_) | Self::MinderLost | Self::Survivors(_) => ErrorClass::Transient,
        }
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(reason) => write!(f, "the command cannot be started: {reason}"),
            Self::Program { program, reason } => {
                write!(f, "cannot execute `{program}`: {reason}; is it installed and executable?")
            }
            Self::System(error) => write!(f, "the machine could not start a process: {error}"),
            Self::Survivors(count) => write!(f, "{count} of its processes could not be killed"),
            Self::MinderLost => f.write_str(
                "the process that minds the command ended early; out of memory, or killed by hand?",
            ),
        }
    }
}

impl std::error::Error for SpawnError {}

impl From<io::Error> for SpawnError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// Runs a command to its end and keeps at most `output_bytes` of each of its two outputs.
///
/// # Errors
/// `SpawnError` if it could not be started. A command that failed, timed out or was cancelled is no error: see
/// `Captured::ended`.
pub async fn capture(
    program: &WorkerProgram,
    request: CommandRequest,
    output_bytes: usize,
    cancel: &CancellationToken,
) -> Result<Captured, SpawnError> {
    let (stdout, stdout_writer) = output_pipe()?;
    let (stderr, stderr_writer) = output_pipe()?;
    let minded = Minded::start(program, request, stdout_writer.into(), stderr_writer.into()).await?;
    let over = CancellationToken::new();
    let ended = async {
        let ended = minded.ended(cancel).await;
        over.cancel();
        ended
    };
    let (ended, stdout, stderr) =
        tokio::join!(ended, keep(stdout, output_bytes, &over), keep(stderr, output_bytes, &over));
    let (stdout, stdout_cut_bytes) = stdout?;
    Ok(Captured { ended: ended?, stdout, stdout_cut_bytes, stderr: stderr?.0 })
}

/// Runs a program of the machine's own, with nothing inherited, to see whether it works here.
///
/// # Errors
/// What it said, or why it could not be started.
pub(crate) fn succeeds(program: &Path, arguments: &[impl AsRef<OsStr>]) -> Result<(), String> {
    let output = std::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{}, {}", said.trim(), output.status)) }
}

/// A pipe for a command's output: the daemon's end, and the command's.
pub(crate) fn output_pipe() -> io::Result<(pipe::Receiver, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((pipe::Receiver::from_owned_fd(reader.into())?, writer.into()))
}

/// Reads a chunk of a command's output; nothing at its end. A process that survived its minder may hold the
/// pipe open: it is not waited for.
pub(crate) async fn read_chunk(
    from: &mut (impl AsyncRead + Unpin),
    chunk: &mut [u8],
    over: &CancellationToken,
) -> io::Result<usize> {
    let lingering = async {
        over.cancelled().await;
        tokio::time::sleep(limits::OUTPUT_LINGER).await;
    };
    tokio::select! {
        read = from.read(chunk) => read,
        () = lingering => Ok(0),
    }
}

/// The first `limit` bytes of an output, and how many more came.
async fn keep(
    mut from: pipe::Receiver,
    limit: usize,
    over: &CancellationToken,
) -> io::Result<(Vec<u8>, u64)> {
    let (mut kept, mut cut, mut chunk) = (Vec::new(), 0, vec![0; 16 << 10]);
    loop {
        let read = read_chunk(&mut from, &mut chunk, over).await?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok((kept, cut));
        };
        let room = bytes.len().min(limit.saturating_sub(kept.len()));
        kept.extend(bytes.iter().take(room));
        cut += (bytes.len() - room) as u64;
    }
}

/// A command that runs under its minder. Dropping it stops the command.
pub(crate) struct Minded {
    minder: Child,
    control: UnixStream,
    /// When even a busy minder must have answered.
    backstop: Duration,
}

impl Minded {
    /// Starts a command with these outputs.
    pub(crate) async fn start(
        program: &WorkerProgram,
        request: CommandRequest,
        stdout: Stdio,
        stderr: Stdio,
    ) -> Result<Self, SpawnError> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut control = UnixStream::from_std(ours)?;
        let mut command = program.command(WorkerKind::Mind);
        let minder = command.stdin(OwnedFd::from(theirs)).stdout(stdout).stderr(stderr).spawn()?;
        drop(command);
        Frame::json(FrameKind::Request, &request)?.send(&mut control).await?;
        let backstop = request.timeout + limits::TERM_GRACE + limits::KILL_PATIENCE + limits::OUTPUT_LINGER;
        Ok(Self { minder, control, backstop })
    }

    /// Waits for its end, or brings it about when `cancel` says so.
    pub(crate) async fn ended(mut self, cancel: &CancellationToken) -> Result<Ended, SpawnError> {
        let (mut answers, mut orders) = self.control.split();
        let stop = async {
            cancel.cancelled().await;
            let _ = orders.shutdown().await;
            std::future::pending::<()>().await;
        };
        let answer = tokio::select! {
            answer = Frame::receive(&mut answers) => answer,
            () = tokio::time::sleep(self.backstop) => Ok(None),
            () = stop => Ok(None),
        };
        let Ok(Some(frame)) = answer else {
            self.minder.start_kill()?;
            self.minder.wait().await?;
            return Err(SpawnError::MinderLost);
        };
        self.minder.wait().await?;
        match frame.parse(FrameKind::Answer)? {
            Report::Ended(ended) => Ok(ended),
            Report::Ready => Err(SpawnError::MinderLost),
            Report::Survivors(count) => Err(SpawnError::Survivors(count)),
            Report::Request(reason) => Err(SpawnError::Request(reason)),
            Report::Program { program, reason } => Err(SpawnError::Program { program, reason }),
            Report::System(reason) => Err(SpawnError::System(io::Error::other(reason))),
        }
    }
}
