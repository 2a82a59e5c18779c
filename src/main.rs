//! The `taskbot` command: one file a subcommand, wiring and terminal output.
//!
//! Comes in: the command line. Goes out: text for people or JSON, and an exit code: 0 clean, 1 findings, 2 usage or internal. It
//! closes the circle that the rooms below leave open: it hands the daemon a function that compiles the rules, the compiler a
//! loaded set of files and manifests, and the fetch worker the standard tasks. No rule is judged and no task is run here.
#![forbid(unsafe_code)]

mod admission;
mod archive;
mod cancel;
mod check;
mod code_page;
mod compile;
mod demo;
mod domains;
mod explain;
mod fix;
mod fmt;
mod format;
mod graph;
mod known_facts;
mod library;
mod lock;
mod log;
mod names;
mod outcome_word;
mod output;
mod plan;
mod recorded;
mod release;
mod render;
mod replay;
mod result;
mod results;
mod rules;
mod run;
mod schema;
mod site;
mod standard_tasks;
mod status;
mod task;
mod test;
mod why;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs quality-assurance tasks when something happens in a Linux distribution.
#[derive(Debug, Parser)]
#[command(name = "taskbot", version, after_help = FIRST_STEPS, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const FIRST_STEPS: &str = "First steps:
  taskbot demo               see recorded messages become runs and results
  taskbot check rules.tb     find what is wrong with rules
  taskbot explain TB0203     read about a finding
  taskbot test rules.tb      run the tests that stand beside rules
  taskbot explain msg.json   see why each rule fires for a message, or not
  taskbot run                listen, with the configuration in taskbot.toml

Exit codes: 0 clean, 1 findings, 2 wrong usage or an internal error.";

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Fmt(fmt::Fmt),
    Compile(compile::Compile),
    Run(run::Run),
    #[command(subcommand)]
    Task(task::Task),
    Test(test::Test),
    Plan(plan::Plan),
    Explain(explain::Explain),
    Replay(replay::Replay),
    Graph(graph::Graph),
    #[command(subcommand)]
    Schema(schema::Schema),
    Events(library::Events),
    Tasks(library::Tasks),
    Facts(library::Facts),
    Status(status::Status),
    Result(result::ReportResult),
    Results(results::Results),
    Log(log::Log),
    Cancel(cancel::Cancel),
    Release(release::Release),
    Lock(lock::Lock),
    Demo(demo::Demo),
    /// A process of the daemon's own.
    #[command(hide = true)]
    Worker {
        /// Its kind.
        kind: taskbot_runtime::worker::WorkerKind,
        /// What it takes.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Worker { kind, .. } => return taskbot_runtime::worker::main(kind),
        Command::Check(command) => command.run(),
        Command::Fmt(command) => command.run(),
        Command::Compile(command) => command.run(),
        Command::Run(command) => command.run(),
        Command::Task(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Plan(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Graph(command) => command.run(),
        Command::Schema(command) => command.run(),
        Command::Events(command) => command.run(),
        Command::Tasks(command) => command.run(),
        Command::Facts(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Result(command) => command.run(),
        Command::Results(command) => command.run(),
        Command::Log(command) => command.run(),
        Command::Cancel(command) => command.run(),
        Command::Release(command) => command.run(),
        Command::Lock(command) => command.run(),
        Command::Demo(command) => command.run(),
    };
    match outcome {
        Ok(code) => output::exit_code(code),
        Err(failure) => {
            output::complain(&failure);
            ExitCode::from(output::USAGE_OR_INTERNAL)
        }
    }
}
