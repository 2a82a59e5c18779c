//! Worker processes: this same binary, started again to do what must not happen inside the daemon.
//!
//! Comes in: the kind of worker, from the hidden subcommand `taskbot worker KIND`. Goes out: an exit code,
//! after the worker has spoken its frames on standard input and output. Hostile bytes and C code live here, in
//! a process with limits that can be thrown away; a worker never opens the store or the configuration, and ends
//! when the daemon does.

mod cage;
pub(crate) mod download;
pub(crate) mod exec;
pub(crate) mod fetch;
pub(crate) mod frame;
mod http;
mod link;
pub(crate) mod mind;
pub(crate) mod publish_zmq;
pub(crate) mod reach;
pub(crate) mod source_zmq;
mod zmtp;

use std::io;
use std::process::ExitCode;
use std::str::FromStr;

/// The hidden subcommand that the kind of worker follows.
pub(crate) const WORKER_WORD: &str = "worker";

/// What a worker process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerKind {
    /// Subscribes to fedmsg publishers and hands their messages over.
    SourceZmq,
    /// Publishes recorded messages: the other end, for `taskbot demo` and tests.
    PublishZmq,
    /// Clones and resolves git repositories.
    Fetch,
    /// Gets files that tasks need.
    Download,
    /// Minds one command: starts it, waits for it and for everything that it left behind.
    Mind,
    /// The first process of a task's cage, which minds its command from within.
    Init,
    /// Takes on the limits of a command, then becomes it.
    Exec,
}

impl WorkerKind {
    /// Every kind, for help texts and tests.
    pub const ALL: [Self; 7] =
        [Self::SourceZmq, Self::PublishZmq, Self::Fetch, Self::Download, Self::Mind, Self::Init, Self::Exec];

    /// Its word on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SourceZmq => "source-zmq",
            Self::PublishZmq => "publish-zmq",
            Self::Fetch => "fetch",
            Self::Download => "download",
            Self::Mind => "mind",
            Self::Init => "init",
            Self::Exec => "exec",
        }
    }
}

impl FromStr for WorkerKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.word() == word)
            .ok_or_else(|| format!("`{word}` is no worker; taskbot starts its workers itself"))
    }
}

/// Runs a worker to its end. `src/` calls it for `taskbot worker KIND`, before it does anything else.
pub fn main(kind: WorkerKind) -> ExitCode {
    close_inherited();
    match kind {
        WorkerKind::SourceZmq => source_zmq::main(),
        WorkerKind::PublishZmq => publish_zmq::main(),
        WorkerKind::Fetch => fetch::main(),
        WorkerKind::Download => download::main(),
        WorkerKind::Mind => mind::main(),
        WorkerKind::Init => mind::init(),
        WorkerKind::Exec => exec::main(),
    }
}

/// Closes what leaked into this process beside the three standard descriptors: whoever started the daemon may
/// have left some open for all its children. Called before anything is opened here, so no descriptor in use is
/// among them.
fn close_inherited() {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let open: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        // The one that listed the directory is closed already, which is the error that is passed over.
        let _ = nix::unistd::close(descriptor);
    }
}

/// Ends this process when its standard input does: the daemon holds the other end as long as it lives and wants
/// the worker.
fn end_with_the_daemon() {
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
}
