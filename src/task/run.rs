//! `taskbot task run DIR`: what the daemon does with a task, on a checkout of one's own.
//!
//! Comes in: a task's directory, inputs, files that stand in for downloads. Goes out: results and an exit code. With `--each` it
//! is one run for each file (`each`). However it ends, nothing of the run is left but what is kept.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use taskbot_runtime::spawn::WorkerProgram;
use taskbot_runtime::steps::{Afterwards, LocalRun, LocalTask, run_task};
use taskbot_runtime::task::download::DownloadConfig;
use taskbot_runtime::task::{Manifest, Outcome};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{each, inputs, junit, show};
use crate::output::{self, FINDINGS, Failure, Paint};

const EXAMPLES: &str = "Examples:
  taskbot task run . --input package=curl-8.6.0-7.fc40
  taskbot task run . --input package=curl-8.6.0-7.fc40 --fetched test/fetched
  taskbot task run stdlib/tasks/rpmlint --each ~/packages/
  taskbot task run stdlib/tasks/rpmlint --each *.rpm --format junit > rpmlint.xml

Exit codes: 0 all results passed (or only inform); 1 one did not, or the surroundings failed a run; 2 it could not be started.";

/// Run a task here and now, with the same steps as the daemon takes, and show its results.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TaskRun {
    /// The task's repository, a directory with a task.toml.
    directory: PathBuf,
    /// An input of the task, like `package=curl-8.6.0-7.fc40`.
    #[arg(short, long, value_name = "NAME=VALUE")]
    input: Vec<String>,
    /// Run once for each of these files, or each file of these folders, given to the task as its download. Inputs are told by the
    /// file's name, name-version-release.arch.rpm.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "fetched")]
    each: Vec<PathBuf>,
    /// With --each: at most so many runs at once. Default: one for each processor.
    #[arg(short, long, requires = "each", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// A file, or a folder with files, for the task to find in $TASKBOT_FETCHED; nothing is downloaded then.
    #[arg(long, value_name = "PATH")]
    fetched: Vec<PathBuf>,
    /// Where work and kept files go.
    #[arg(long, value_name = "DIR", default_value = "taskbot-run")]
    out: PathBuf,
    /// Leave the directories of the run below --out, to look at them.
    #[arg(long)]
    keep: bool,
    /// A file with the message that the task sees as its cause.
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Directory with builds, laid out as koji's `packages/`, for tasks that fetch builds.
    #[arg(long, value_name = "DIR")]
    koji: Option<PathBuf>,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: RunFormat,
}

/// Who reads what came of runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum RunFormat {
    /// People on a terminal.
    #[default]
    Human,
    /// Programs: one JSON document.
    Json,
    /// Whatever shows test results: JUnit XML.
    Junit,
}

impl TaskRun {
    /// Runs the command.
    pub async fn run(self) -> Result<ExitCode, Failure> {
        if !self.directory.join("task.toml").is_file() {
            return Err(Failure::new(format!(
                "{} holds no task.toml: it is no task",
                self.directory.display()
            )));
        }
        let manifest = Manifest::read(&self.directory)?;
        let inputs = inputs::parse(&self.input)?;
        let task = self.task(inputs)?;
        let cancel = on_signal();
        if !self.each.is_empty() {
            let jobs = self.jobs.map_or_else(each::processors, usize::from);
            return each::run(&manifest, task, &self.each, jobs, self.format, &cancel).await;
        }
        inputs::check(&manifest, &task.inputs)?;
        let paint = Paint::of(&io::stderr());
        let begins = |step: taskbot_runtime::dispatch::Step| {
            if self.format == RunFormat::Human {
                output::remark(paint.dim(&format!("{step} ...")));
            }
        };
        let run = run_task(task, &cancel, begins).await;
        match self.format {
            RunFormat::Json => output::json(&show::document(&run))?,
            RunFormat::Junit => output::line(junit::document(&[(manifest.full_name(), &run)])?),
            RunFormat::Human => show::print(&run, Paint::of(&io::stdout())),
        }
        Ok(if passed(&run) { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
    }

    /// The run as it was asked for.
    fn task(&self, inputs: Vec<inputs::Input>) -> Result<LocalTask, Failure> {
        let absolute = |path: &PathBuf| std::path::absolute(path).map_err(Failure::from);
        let event = match &self.event {
            None => "{}".to_owned(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|e| Failure::new(format!("cannot read {}: {e}", path.display())))?,
        };
        let koji = self.koji.as_ref().map(absolute).transpose()?;
        Ok(LocalTask {
            checkout: absolute(&self.directory)?,
            inputs,
            out: absolute(&self.out)?,
            event,
            downloads: DownloadConfig {
                koji: koji.map(|dir| dir.display().to_string()),
                ..DownloadConfig::default()
            },
            fetched: self.fetched.iter().map(absolute).collect::<Result<_, _>>()?,
            afterwards: if self.keep { Afterwards::Leave } else { Afterwards::Remove },
            workers: WorkerProgram::current(),
        })
    }
}

/// Whether a run says nothing but good.
pub fn passed(run: &LocalRun) -> bool {
    let good = |outcome: Outcome| matches!(outcome, Outcome::Passed | Outcome::Info);
    run.failure().is_none() && run.results.iter().all(|result| good(result.outcome))
}

/// Cancelled when somebody wants the command to stop.
fn on_signal() -> CancellationToken {
    let cancel = CancellationToken::new();
    let on_signal = cancel.clone();
    tokio::spawn(async move {
        let terminate = async {
            match signal(SignalKind::terminate()) {
                Ok(mut signal) => drop(signal.recv().await),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = terminate => {}
        }
        on_signal.cancel();
    });
    cancel
}
