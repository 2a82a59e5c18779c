//! Worker processes: this same binary, started again to do what must not happen inside the daemon.
//!
//! Comes in: the kind of worker, from the hidden subcommand `taskbot worker KIND`. Goes out: an exit code, after the worker has
//! spoken its frames on standard input and output. Hostile bytes and C code live here, in a process with limits that can
//! be thrown away; a worker never opens the store or the configuration, and ends when the daemon does.

use std::process::ExitCode;
use std::str::FromStr;

/// What a worker process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerKind {
    /// Subscribes to fedmsg publishers and hands their messages over.
    SourceZmq,
    /// Publishes recorded messages: the other end, for `taskbot demo` and tests.
    PublishZmq,
    /// Clones and resolves git repositories.
    Fetch,
    /// Minds one command: starts it, waits for it and for everything that it left behind.
    Mind,
    /// Takes on the limits of a command, then becomes it.
    Exec,
}

impl WorkerKind {
    /// Every kind, for help texts and tests.
    pub const ALL: [Self; 5] = [Self::SourceZmq, Self::PublishZmq, Self::Fetch, Self::Mind, Self::Exec];

    /// Its word on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SourceZmq => "source-zmq",
            Self::PublishZmq => "publish-zmq",
            Self::Fetch => "fetch",
            Self::Mind => "mind",
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
    match kind {
        WorkerKind::SourceZmq
        | WorkerKind::PublishZmq
        | WorkerKind::Fetch
        | WorkerKind::Mind
        | WorkerKind::Exec => ExitCode::FAILURE,
    }
}
