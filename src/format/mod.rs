//! The formats that findings are told in, one file each.
//!
//! Comes in: a report of what `taskbot check` found. Goes out: text. Nothing is chosen or left out here, except that people are
//! shown a hundred findings at most.

mod github;
pub mod human;
mod json;
mod junit;
mod sarif;

use clap::ValueEnum;
use taskbot_compiler::{Diagnostic, Severity};
use taskbot_graph::SourceFile;

use crate::fix::Mended;
use crate::output::Failure;

/// Who reads the findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// People on a terminal.
    #[default]
    Human,
    /// Programs: one JSON document.
    Json,
    /// Code scanning: SARIF 2.1.0.
    Sarif,
    /// GitHub Actions: a workflow command for each finding.
    Github,
    /// Whatever shows test results: JUnit XML.
    Junit,
}

/// What was found.
#[derive(Debug)]
pub struct Report<'c> {
    /// All files, the standard library's first.
    pub files: &'c [SourceFile],
    /// Number of rules in one's own files.
    pub rules: usize,
    /// The findings.
    pub shown: &'c [Diagnostic],
    /// Those that comments suppress.
    pub suppressed: &'c [Diagnostic],
    /// What was mended before.
    pub mended: &'c [Mended],
}

impl Report<'_> {
    /// Numbers of errors and of warnings.
    pub fn severities(&self) -> (usize, usize) {
        severities(self.shown)
    }

    /// The report for a program; none for people, who are told by `check` itself.
    pub fn for_programs(&self, format: ReportFormat) -> Result<Option<String>, Failure> {
        Ok(match format {
            ReportFormat::Human => None,
            ReportFormat::Json => Some(serde_json::to_string_pretty(&json::document(self))?),
            ReportFormat::Sarif => Some(serde_json::to_string_pretty(&sarif::document(self))?),
            ReportFormat::Github => Some(github::commands(self).join("\n")),
            ReportFormat::Junit => Some(junit::document(self)?),
        })
    }
}

/// Numbers of errors and of warnings.
pub fn severities(shown: &[Diagnostic]) -> (usize, usize) {
    let of = |severity| shown.iter().filter(|d| d.severity == severity).count();
    (of(Severity::Error), of(Severity::Warning))
}

/// What is wrong and what to do, for formats that have one text.
fn sentence(diagnostic: &Diagnostic) -> String {
    let help = diagnostic.help.as_ref().map_or(String::new(), |help| format!("\nhelp: {help}"));
    format!("{}{help}", diagnostic.message)
}

#[cfg(test)]
pub(crate) mod samples {
    //! Reports for the tests of the formats.

    use taskbot_compiler::{Compiled, Domains, Levels, Selection, SourceText, compile, findings, select};

    use super::Report;

    /// A path that means something in URIs, workflow commands and XML.
    pub const PATH: &str = "rules, é:100% <a>&'\"/x y.tb";
    /// Two errors, a warning, one that is suppressed; with characters of two UTF-16 code units.
    pub const TEXT: &str = "\
# taskbot: allow unknown-code because 😀 <later>
on koji.build.completed where package.name == \"😀\" and package.nme == \"k\"
  # taskbot: allow TB0999 because x
  run rpmlint

on koji.build.completed run rmplint # taskbot: allow TB0690, \u{1b}[31m & ]]>
";

    /// What was found in a text.
    pub fn found(path: &str, text: &str) -> (Compiled, Selection) {
        let compiled = compile(&[SourceText { path: path.into(), text: text.into() }], &[]);
        let selection = select(&findings(&compiled, &Domains::default()), &Levels::default());
        (compiled, selection)
    }

    /// As a report.
    pub fn report<'c>(compiled: &'c Compiled, selection: &'c Selection) -> Report<'c> {
        Report {
            files: &compiled.files,
            rules: compiled.rules,
            shown: &selection.shown,
            suppressed: &selection.suppressed,
            mended: &[],
        }
    }
}
