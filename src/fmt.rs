//! `taskbot fmt`: one layout for every rule file.
//!
//! Comes in: paths, or text on standard input. Goes out: files in their layout, each replaced at once (by `fix`) or left as it was. What
//! the layout is, `taskbot_grammar::format` decides; a file with syntax errors is never touched.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::fix::{self, Change};
use crate::output::{self, FINDINGS, Failure, Paint, count, shown};
use crate::rules;

/// Lay out rule files in one way.
///
/// Meaning, comments and their places stay. A file with syntax errors is left alone. Exit code 0: done, or nothing to do; 1: a
/// file has syntax errors, or with --check would change; 2: a file could not be read or written.
#[derive(Debug, Args)]
pub struct Fmt {
    /// Rule files, or directories of .tb files; `-` for standard input, which is written to standard output.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; name the files that would change, and end with 1 if there are any.
    #[arg(long)]
    check: bool,
    /// Change nothing; show what would change.
    #[arg(long)]
    diff: bool,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    AsItWas,
    Changed,
    Broken,
}

impl Fmt {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        if self.files.iter().any(|path| path == Path::new("-")) {
            return self.standard_input();
        }
        let mut outcomes = Vec::new();
        for path in rules::files(&self.files)? {
            outcomes.push(self.file(&path)?);
        }
        let number = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
        let (changed, broken) = (number(Outcome::Changed), number(Outcome::Broken));
        let verb = if self.writes() { "changed" } else { "would change" };
        output::remark(format!(
            "{} {verb}, {} as it should be",
            count(changed, "file"),
            number(Outcome::AsItWas)
        ));
        let found = broken > 0 || (self.check && changed > 0);
        Ok(if found { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
    }

    const fn writes(&self) -> bool {
        !self.check && !self.diff
    }

    fn standard_input(&self) -> Result<ExitCode, Failure> {
        if self.files.len() > 1 {
            return Err(Failure::new("`-` stands alone: standard input is formatted, or files are"));
        }
        let mut text = String::new();
        io::stdin().take(rules::FILE_BYTES_MAX).read_to_string(&mut text)?;
        let Some(formatted) = formatted("standard input", &text)? else {
            return Ok(ExitCode::from(FINDINGS));
        };
        let is_found = self.check && formatted != text;
        if self.writes() {
            if let Some(lines) = formatted.strip_suffix('\n') {
                output::line(lines);
            }
        } else if formatted != text {
            self.tell(&Change { path: "standard input".into(), before: text, after: formatted });
        }
        Ok(if is_found { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
    }

    fn file(&self, path: &Path) -> Result<Outcome, Failure> {
        let source = rules::read(path)?;
        let Some(formatted) = formatted(&source.path, &source.text)? else { return Ok(Outcome::Broken) };
        if formatted == source.text {
            return Ok(Outcome::AsItWas);
        }
        let change = Change { path: source.path, before: source.text, after: formatted };
        if self.writes() {
            fix::write(std::slice::from_ref(&change))?;
        }
        self.tell(&change);
        Ok(Outcome::Changed)
    }

    /// Names what changes, or shows it.
    fn tell(&self, change: &Change) {
        if !self.diff {
            output::line(shown(&change.path));
        } else if let Some(lines) =
            fix::difference(std::slice::from_ref(change), Paint::of(&io::stdout())).strip_suffix('\n')
        {
            output::line(lines);
        }
    }
}

/// The formatted text; none, with a remark, for a text with syntax errors.
fn formatted(name: &str, text: &str) -> Result<Option<String>, Failure> {
    let formatted = match taskbot_grammar::format(text) {
        Ok(formatted) => formatted,
        Err(errors) => {
            let first = errors.first().map_or(0, |error| error.span.start as usize);
            let line = text.get(..first).map_or(1, |before| before.matches('\n').count().saturating_add(1));
            let errors = count(errors.len(), "syntax error");
            output::remark(format!(
                "{}:{line}: left alone: {errors}; `taskbot check` shows more",
                shown(name)
            ));
            return Ok(None);
        }
    };
    if taskbot_grammar::words(&formatted) != taskbot_grammar::words(text) {
        let why = "left alone: its words would change, which is a mistake of taskbot; please report it";
        return Err(Failure::new(format!("{name}: {why}")));
    }
    Ok(Some(formatted))
}
