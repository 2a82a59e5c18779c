//! `taskbot check`: what is wrong with rules.
//!
//! Comes in: rule files, and what is chosen of the lints, of the format and of fixes. Goes out: findings on standard output, and
//! the files mended where that was asked for. What is wrong is the compiler's business, how it is told the formats'.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use taskbot_compiler::{Compiled, Diagnostic, Level, Levels, Safety, findings, select};

use crate::fix::{self, Mended, Mending};
use crate::format::{self, Report, ReportFormat};
use crate::output::{self, FINDINGS, Failure, Paint, count, shown};
use crate::{domains, rules};

/// Find what is wrong with rules.
///
/// All mistakes are shown at once, each at its place, with what to do; `taskbot explain CODE` says more about one. Exit code 0:
/// clean; 1: findings, warnings too; 2: wrong usage, or a file could not be read.
#[derive(Debug, Args)]
pub struct Check {
    /// Rule files, or directories of .tb files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// Show a lint that is off by default; CODE is an id, a name, or `all`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    warn: Vec<String>,
    /// Make the findings of a lint errors; `all` are those that are shown.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    deny: Vec<String>,
    /// Do not show a lint.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    allow: Vec<String>,
    /// Mend what can be mended without changing what the rules mean, and write the files.
    #[arg(long, group = "mend")]
    fix: bool,
    /// Show what --fix would change, and write nothing.
    #[arg(long, group = "mend", conflicts_with = "format")]
    diff: bool,
    /// With --fix or --diff: also take suggestions that change what the rules mean.
    #[arg(long, requires = "mend")]
    unsafe_fixes: bool,
    /// Table of facts, as the daemon reads it: names of packages are checked against its keys. May be given more than once.
    #[arg(long, value_name = "FILE")]
    facts: Vec<PathBuf>,
}

impl Check {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let levels = self.levels()?;
        let domains = domains::load(&self.facts)?;
        let sources = rules::sources(&self.files)?;
        let mending = if self.fix || self.diff {
            let safety = if self.unsafe_fixes { Safety::Unsafe } else { Safety::Safe };
            fix::mend(sources, &levels, &domains, safety, rules::compiled)?
        } else {
            let compiled = rules::compiled(&sources)?;
            let left = select(&findings(&compiled, &domains), &levels);
            Mending { left, mended: Vec::new(), changes: Vec::new(), compiled }
        };
        if self.diff {
            return Ok(show_difference(&mending));
        }
        fix::write(&mending.changes)?;
        let report = Report {
            files: &mending.compiled.files,
            rules: mending.compiled.rules,
            shown: &mending.left.shown,
            suppressed: &mending.left.suppressed,
            mended: &mending.mended,
        };
        match report.for_programs(self.format)? {
            Some(text) if text.is_empty() => {}
            Some(text) => output::line(text),
            None => print(&report, Paint::of(&io::stdout())),
        }
        if !matches!(self.format, ReportFormat::Human | ReportFormat::Json) && !mending.mended.is_empty() {
            output::remark(format!("{} mended", count(mending.mended.len(), "finding")));
        }
        Ok(if report.shown.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
    }

    fn levels(&self) -> Result<Levels, Failure> {
        let mut levels = Levels::default();
        for (codes, level) in
            [(&self.allow, Level::Off), (&self.warn, Level::Warning), (&self.deny, Level::Error)]
        {
            codes.iter().try_for_each(|code| levels.choose(code, level))?;
        }
        Ok(levels)
    }
}

/// What mending would change, on standard output; all else on standard error.
fn show_difference(mending: &Mending) -> ExitCode {
    let difference = fix::difference(&mending.changes, Paint::of(&io::stdout()));
    if !difference.is_empty() {
        output::line(difference.trim_end_matches('\n'));
    }
    let (mended, left) = (mending.mended.len(), mending.left.shown.len());
    output::remark(format!("{} would be mended, {} left", count(mended, "finding"), left));
    if mended == 0 && left == 0 { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) }
}

fn print(report: &Report<'_>, paint: Paint) {
    for Mended { id, name, message, spot, .. } in report.mended {
        let message = shown(message);
        output::line(format!("{} {} [{id} {name}] {message}", paint.green("mended:"), shown(&spot.short())));
    }
    let suppressed = match report.suppressed.len() {
        0 => String::new(),
        n => format!(", {} suppressed", count(n, "finding")),
    };
    if report.shown.is_empty() {
        let verdict = if report.rules == 0 { "declarations only" } else { "nothing to complain about" };
        output::line(format!(
            "{} {}, {verdict}{suppressed}",
            paint.green("ok:"),
            count(report.rules, "rule")
        ));
        return;
    }
    format::human::lines(report.files, report.shown, paint).into_iter().for_each(output::line);
    let fixes =
        |safety| report.shown.iter().flat_map(|d| &d.suggestion).filter(|s| s.safety == safety).count();
    match (fixes(Safety::Safe), fixes(Safety::Unsafe)) {
        (0, 0) => {}
        (safe, 0) => output::line(format!("--fix mends {safe} of them")),
        (0, more) => output::line(format!("--fix --unsafe-fixes takes {}", count(more, "suggestion"))),
        (safe, more) => {
            output::line(format!("--fix mends {safe} of them, --unsafe-fixes takes {more} more"));
        }
    }
    last_line(report.shown, &suppressed).into_iter().for_each(output::line);
}

/// Every diagnostic with its source, and a last line that counts them; nothing for a clean program.
pub fn print_findings(compiled: &Compiled, paint: Paint) -> Vec<String> {
    let mut lines = format::human::lines(&compiled.files, &compiled.diagnostics, paint);
    lines.extend(last_line(&compiled.diagnostics, ""));
    lines
}

fn last_line(shown: &[Diagnostic], more: &str) -> Option<String> {
    let first = shown.first()?;
    let (errors, warnings) = format::severities(shown);
    let counts = format!("{}, {}{more}", count(errors, "error"), count(warnings, "warning"));
    Some(format!("{counts}; `taskbot explain {}` says more", first.code.id))
}
