//! `taskbot task check DIR`: what is wrong with a task's repository, before a run finds it.
//!
//! Comes in: a directory. Goes out: remarks with file and line, as text or JSON. What is looked for stands in the runtime's
//! `task::lint`; nothing is run.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use taskbot_runtime::task::lint::{Remark, Severity, lint};

use crate::output::{self, FINDINGS, Failure, Format, Paint, shown};

/// Find what is wrong with a task: its manifest, its programs, inputs, test cases, keys that should not be there.
///
/// Exit code 0: nothing; 1: errors or warnings; 2: there is no such directory.
#[derive(Debug, Args)]
pub struct TaskCheck {
    /// The task's repository.
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl TaskCheck {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        if !self.directory.is_dir() {
            return Err(Failure::new(format!("there is no directory {}", self.directory.display())));
        }
        let remarks = lint(&self.directory);
        let errors = remarks.iter().filter(|remark| remark.severity == Severity::Error).count();
        let warnings = remarks.len() - errors;
        match self.format {
            Format::Json => {
                output::json(&json!({ "errors": errors, "warnings": warnings, "remarks": remarks }))?;
            }
            Format::Human => {
                let paint = Paint::of(&io::stdout());
                remarks.iter().for_each(|remark| output::line(sentence(remark, paint)));
                let (errors, warnings) = (output::count(errors, "error"), output::count(warnings, "warning"));
                output::line(if remarks.is_empty() { "ok".into() } else { format!("{errors}, {warnings}") });
            }
        }
        Ok(if remarks.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
    }
}

fn sentence(remark: &Remark, paint: Paint) -> String {
    let word = match remark.severity {
        Severity::Error => paint.red("error"),
        Severity::Warning => paint.yellow("warning"),
    };
    let line = if remark.line > 0 { format!(":{}", remark.line) } else { String::new() };
    format!("{}{line}: {word}: {}", shown(&remark.file), shown(&remark.message))
}
