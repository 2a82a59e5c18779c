//! `taskbot check`: what is wrong with rules.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use taskbot_compiler::{Compiled, Severity};

use crate::output::{self, FINDINGS, Failure, Format, Paint, count};
use crate::{render, rules};

/// Find what is wrong with rules.
///
/// All mistakes are shown at once, each at its place, with what to do. Exit code 0: clean; 1: findings; 2: a file could not be
/// read.
#[derive(Debug, Args)]
pub struct Check {
    /// Rule files, or directories of .tb files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Report<'c> {
    rules: usize,
    errors: usize,
    warnings: usize,
    diagnostics: Vec<render::Finding<'c>>,
}

impl Check {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let compiled = rules::load(&self.files)?;
        let clean = compiled.diagnostics.is_empty();
        match self.format {
            Format::Json => {
                let findings =
                    compiled.diagnostics.iter().map(|d| render::finding(&compiled.files, d)).collect();
                let (errors, warnings) = severities(&compiled);
                output::json(&Report { rules: compiled.rules, errors, warnings, diagnostics: findings })?;
            }
            Format::Human => {
                let paint = Paint::of(&io::stdout());
                print_findings(&compiled, paint).into_iter().for_each(output::line);
                if clean {
                    let verdict =
                        if compiled.rules == 0 { "declarations only" } else { "nothing to complain about" };
                    output::line(format!(
                        "{} {}, {verdict}",
                        paint.green("ok:"),
                        count(compiled.rules, "rule")
                    ));
                }
            }
        }
        Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
    }
}

/// Every diagnostic with its source, and a last line that counts them; nothing for a clean program.
pub fn print_findings(compiled: &Compiled, paint: Paint) -> Vec<String> {
    let mut lines = render::human(&compiled.files, &compiled.diagnostics, paint);
    let (errors, warnings) = severities(compiled);
    if errors.saturating_add(warnings) > 0 {
        lines.push(format!("{}, {}", count(errors, "error"), count(warnings, "warning")));
    }
    lines
}

fn severities(compiled: &Compiled) -> (usize, usize) {
    let of = |severity: Severity| compiled.diagnostics.iter().filter(|d| d.code.severity == severity).count();
    (of(Severity::Error), of(Severity::Warning))
}
