//! `taskbot task`: what authors of tasks do with a task's repository.
//!
//! Comes in: a directory. Goes out: a new task (`new`), remarks on one (`check`), or what it says of inputs (`run`: once, or once for each
//! of many files). The steps of a run are the daemon's own; nothing of a task is judged here.

mod check;
mod each;
mod inputs;
mod junit;
mod new;
mod run;
mod show;

use std::process::ExitCode;

use clap::Subcommand;

use crate::output::Failure;

/// Work on tasks.
#[derive(Debug, Subcommand)]
pub enum Task {
    New(new::TaskNew),
    Check(check::TaskCheck),
    Run(run::TaskRun),
}

impl Task {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::New(command) => command.run(),
            Self::Check(command) => command.run(),
            Self::Run(command) => tokio::runtime::Runtime::new()?.block_on(command.run()),
        }
    }
}
