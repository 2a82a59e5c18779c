//! `taskbot compile`: rules to an artifact.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::output::{self, FINDINGS, Failure, Format, Paint, count};
use crate::{check, rules};

/// Compile rules to an artifact, the decision graph as bytes.
///
/// The same rules always give the same bytes. Nothing is written if anything is an error.
#[derive(Debug, Args)]
pub struct Compile {
    /// Rule files, or directories of .tb files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where to write the artifact.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Compile {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let compiled = rules::load(&self.files)?;
        let findings = check::print_findings(&compiled, Paint::of(&io::stderr()));
        findings.into_iter().for_each(output::remark);
        let Some(graph) = compiled.graph else { return Ok(ExitCode::from(FINDINGS)) };
        let bytes = graph.to_bytes();
        write(&self.output, &bytes)
            .map_err(|e| Failure::new(format!("cannot write {}: {e}", self.output.display())))?;
        match self.format {
            Format::Json => {
                let (file, rules) = (self.output.display().to_string(), graph.rules.len());
                output::json(
                    &json!({ "file": file, "bytes": bytes.len(), "rules": rules, "hash": graph.hash() }),
                )?;
            }
            Format::Human => output::line(format!(
                "{}: {}, {} bytes, rule set {}",
                self.output.display(),
                count(graph.rules.len(), "rule"),
                bytes.len(),
                graph.hash()
            )),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whole or not at all: a reader never sees half an artifact. What is no regular file (`/dev/stdout`, a pipe) is written to, never
/// replaced.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path)).inspect_err(|_| {
        // What could not be written is of no use; that it cannot be removed either is not the news.
        let _ = std::fs::remove_file(&beside);
    })
}
