//! `taskbot task run DIR`: what the daemon does with a task, on a checkout of one's own.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;
use taskbot_runtime::spawn::WorkerProgram;
use taskbot_runtime::steps::{LocalRun, LocalTask, run_task};
use taskbot_runtime::task::download::DownloadConfig;
use taskbot_runtime::task::{Manifest, Outcome};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::output::{self, FINDINGS, Failure, Format, Paint, Table, shown};

/// Work on tasks.
#[derive(Debug, Subcommand)]
pub enum Task {
    Run(TaskRun),
}

/// Run a task here and now, with the same steps as the daemon takes, and show its results.
///
/// Exit code 0: all results passed (or only inform); 1: one did not, or the surroundings failed it; 2: it could not be started.
#[derive(Debug, Args)]
pub struct TaskRun {
    /// The task's repository, a directory with a task.toml.
    directory: PathBuf,
    /// An input of the task, like `package=curl-8.6.0-7.fc40`.
    #[arg(short, long, value_name = "NAME=VALUE")]
    input: Vec<String>,
    /// Where work and kept files go.
    #[arg(long, value_name = "DIR", default_value = "taskbot-run")]
    out: PathBuf,
    /// A file with the message that the task sees as its cause.
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Directory with builds, laid out as koji's `packages/`, for tasks that fetch builds.
    #[arg(long, value_name = "DIR")]
    koji: Option<PathBuf>,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Task {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let Self::Run(command) = self;
        tokio::runtime::Runtime::new()?.block_on(command.run())
    }
}

impl TaskRun {
    async fn run(self) -> Result<ExitCode, Failure> {
        let absolute = |path: &PathBuf| std::path::absolute(path).map_err(Failure::from);
        if !self.directory.join("task.toml").is_file() {
            return Err(Failure::new(format!(
                "{} holds no task.toml: it is no task",
                self.directory.display()
            )));
        }
        let inputs = self.input.iter().map(|input| {
            let (name, value) = input.split_once('=').ok_or_else(|| {
                Failure::new(format!("--input {input}: write NAME=VALUE, like package=curl-8.6.0-7.fc40"))
            })?;
            Ok((name.to_owned(), value.to_owned()))
        });
        let inputs: Vec<(String, String)> = inputs.collect::<Result<_, Failure>>()?;
        check_inputs(&Manifest::read(&self.directory)?, &inputs)?;
        let event = match &self.event {
            None => "{}".to_owned(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|e| Failure::new(format!("cannot read {}: {e}", path.display())))?,
        };
        let koji = self.koji.as_ref().map(absolute).transpose()?;
        let task = LocalTask {
            checkout: absolute(&self.directory)?,
            inputs,
            out: absolute(&self.out)?,
            event,
            downloads: DownloadConfig {
                koji: koji.map(|dir| dir.display().to_string()),
                ..DownloadConfig::default()
            },
            workers: WorkerProgram::current(),
        };
        let cancel = CancellationToken::new();
        let on_signal = cancel.clone();
        tokio::spawn(async move {
            stop_signal().await;
            on_signal.cancel();
        });
        let paint = Paint::of(&io::stderr());
        let begins = |step: taskbot_runtime::dispatch::Step| {
            if self.format == Format::Human {
                output::remark(paint.dim(&format!("{step} ...")));
            }
        };
        let run = run_task(task, &cancel, begins).await;
        match self.format {
            Format::Json => print_json(&run)?,
            Format::Human => print(&run, Paint::of(&io::stdout())),
        }
        let good = |outcome: Outcome| matches!(outcome, Outcome::Passed | Outcome::Info);
        let passed = run.failure().is_none() && run.results.iter().all(|r| good(r.outcome));
        Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
    }
}

/// Ends when somebody wants the command to stop.
async fn stop_signal() {
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
}

/// The inputs that the task takes, all that it needs and no other.
fn check_inputs(manifest: &Manifest, inputs: &[(String, String)]) -> Result<(), Failure> {
    let known: Vec<&str> = manifest.inputs.iter().map(|input| input.name.as_str()).collect();
    let takes =
        if known.is_empty() { "it takes none".to_owned() } else { format!("it takes {}", known.join(", ")) };
    if let Some((name, _)) = inputs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return Err(Failure::new(format!("task {} has no input `{name}`: {takes}", manifest.name)));
    }
    let given = |name: &str| inputs.iter().any(|(given, _)| given == name);
    match manifest.inputs.iter().find(|input| input.default.is_none() && !given(&input.name)) {
        Some(missing) => {
            let (name, ty) = (&missing.name, &missing.type_name);
            Err(Failure::new(format!(
                "task {} needs the input `{name}`, of type {ty}: --input {name}=...",
                manifest.name
            )))
        }
        None => Ok(()),
    }
}

fn print(run: &LocalRun, paint: Paint) {
    let mut table = Table::new(&["STEP", "TOOK", "STATE"]);
    for step in &run.steps {
        let state = match &step.outcome {
            Ok(detail) => detail.clone().unwrap_or_else(|| "done".into()),
            Err(failure) => failure.message.clone(),
        };
        table.row(&[&step.step.to_string(), &format!("{:.1} s", step.took.as_secs_f64()), &state]);
    }
    table.print(paint);
    output::line("");
    if !run.results.is_empty() {
        let mut table = Table::new(&["OUTCOME", "TESTCASE", "ITEM", "NOTE"]);
        for result in &run.results {
            table.row(&[&output::outcome(result.outcome), &result.testcase, &result.item, &result.note]);
        }
        table.print(paint);
    }
    if let Some(failure) = run.failure() {
        output::line(format!("{} {}", paint.yellow("infrastructure error:"), shown(&failure.message)));
    }
    if !run.artifacts.is_empty() {
        output::line(format!(
            "{} kept in {}",
            output::count(run.artifacts.len(), "file"),
            run.artifact_dir.display()
        ));
    }
}

fn print_json(run: &LocalRun) -> Result<(), Failure> {
    let steps: Vec<serde_json::Value> = run
        .steps
        .iter()
        .map(|s| {
            let (detail, failure) = match &s.outcome {
                Ok(detail) => (detail.as_ref(), None),
                Err(failure) => (None, Some(&failure.message)),
            };
            json!({ "step": s.step, "seconds": s.took.as_secs_f64(), "detail": detail, "failure": failure })
        })
        .collect();
    let artifacts: Vec<String> =
        run.artifacts.iter().map(|a| run.artifact_dir.join(&a.path).display().to_string()).collect();
    let failure = run.failure().map(|f| &f.message);
    output::json(
        &json!({ "steps": steps, "results": run.results, "artifacts": artifacts, "infrastructure_error": failure }),
    )
}
