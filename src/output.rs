//! How commands speak: formats, colours, tables, exit codes.
//!
//! Comes in: what a command has to say. Goes out: standard output for what was asked, standard error for everything else. Text
//! that came from messages or tasks is escaped here at the latest, so that no byte of it can steer a terminal.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};

use clap::ValueEnum;
use serde::Serialize;
use taskbot_runtime::message::MessageText;
use taskbot_runtime::task::Outcome;

/// Exit code when something was found, or did not pass.
pub const FINDINGS: u8 = 1;
/// Exit code of wrong usage and of everything that failed on our side.
pub const USAGE_OR_INTERNAL: u8 = 2;

/// Who reads the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// People on a terminal.
    #[default]
    Human,
    /// Programs: one JSON document, or one a line for what goes on.
    Json,
}

/// Why a command could not do its work, in one sentence that says what to do next.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// From a sentence.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Says on standard error why a command failed.
pub fn complain(failure: &Failure) {
    let paint = Paint::of(&io::stderr());
    let text: Vec<String> = failure.0.lines().map(shown).collect();
    remark(format!("{} {}", paint.red("error:"), text.join("\n")));
}

/// What became of standard output: whoever reads may go away, and a disk may be full.
static OUTPUT: AtomicU8 = AtomicU8::new(OPEN);
const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const FAILED: u8 = 2;

/// Prints one line. After a reader went away (`taskbot log | head`) nothing is printed any more, and the command goes on.
pub fn line(text: impl fmt::Display) {
    if OUTPUT.load(Ordering::Relaxed) != OPEN {
        return;
    }
    if let Err(error) = writeln!(io::stdout(), "{text}") {
        let state = if error.kind() == io::ErrorKind::BrokenPipe { CLOSED } else { FAILED };
        OUTPUT.store(state, Ordering::Relaxed);
        if state == FAILED {
            remark(format!("standard output cannot be written: {error}"));
        }
    }
}

/// Whether anybody still reads what is printed.
pub fn is_read() -> bool {
    OUTPUT.load(Ordering::Relaxed) == OPEN
}

/// The exit code of a command, unless what it had to say could not be written.
pub fn exit_code(code: ExitCode) -> ExitCode {
    let flushed = io::stdout().flush().is_ok() || OUTPUT.load(Ordering::Relaxed) == CLOSED;
    if flushed && OUTPUT.load(Ordering::Relaxed) != FAILED { code } else { ExitCode::from(USAGE_OR_INTERNAL) }
}

/// Says something on standard error. Nobody can be told that nobody listens.
pub fn remark(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a JSON document.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints a JSON document on one line, for what goes on.
pub fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string(value)?);
    Ok(())
}

/// Text from outside, escaped for a terminal.
pub fn shown(text: &str) -> String {
    MessageText::new(text).to_string()
}

/// Colours, where the output is a terminal that wants them.
#[derive(Clone, Copy, Debug)]
pub struct Paint(Colours);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    On,
    Off,
}

impl Paint {
    /// For a stream: on for terminals, unless `NO_COLOR` is set.
    pub fn of(stream: &impl IsTerminal) -> Self {
        let plain = |name: &str, value: &str| std::env::var_os(name).is_some_and(|v| v == value);
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) || plain("TERM", "dumb");
        let wanted = stream.is_terminal() && !unwanted;
        Self(if wanted { Colours::On } else { Colours::Off })
    }

    /// Never coloured: for text that goes on elsewhere.
    pub const fn plain() -> Self {
        Self(Colours::Off)
    }

    /// Whether colours are on.
    pub fn is_on(self) -> bool {
        self.0 == Colours::On
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.is_on() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Something good.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Something bad.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Something to look at.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Something less important.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// A heading.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// An outcome or a run's state, in the colour of what it means.
    pub fn verdict(self, text: &str) -> String {
        match text {
            "PASSED" | "finished" => self.green(text),
            "FAILED" => self.red(text),
            "NEEDS_INSPECTION" | "infrastructure-error" | "cancelled" => self.yellow(text),
            _ => text.to_owned(),
        }
    }
}

/// Rows in columns, each as wide as its widest cell; the last one is free.
#[derive(Debug, Default)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// With a heading.
    pub fn new(heading: &[&str]) -> Self {
        Self(vec![heading.iter().map(|h| (*h).to_owned()).collect()])
    }

    /// Adds a row; cells are escaped.
    pub fn row(&mut self, cells: &[&str]) {
        self.0.push(cells.iter().map(|c| shown(c)).collect());
    }

    /// The lines, the first in bold, states and outcomes in colour.
    pub fn lines(&self, paint: Paint) -> Vec<String> {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |at: usize| self.0.iter().filter_map(|r| r.get(at)).map(|c| c.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let cell = |row: usize, at: usize, text: &str| {
            let padding = widths.get(at).map_or(0, |w| w.saturating_sub(text.chars().count()));
            let last = at.saturating_add(1) == columns;
            let painted = if row == 0 { paint.bold(text) } else { paint.verdict(text) };
            if last { painted } else { format!("{painted}{}", " ".repeat(padding)) }
        };
        let line = |(row, cells): (usize, &Vec<String>)| {
            cells
                .iter()
                .enumerate()
                .map(|(at, text)| cell(row, at, text))
                .collect::<Vec<_>>()
                .join("  ")
                .trim_end()
                .to_owned()
        };
        self.0.iter().enumerate().map(line).collect()
    }

    /// Prints it.
    pub fn print(&self, paint: Paint) {
        self.lines(paint).into_iter().for_each(line);
    }
}

/// An outcome as JSON spells it.
pub fn outcome(outcome: Outcome) -> String {
    match serde_json::to_value(outcome) {
        Ok(serde_json::Value::String(text)) => text,
        _ => format!("{outcome:?}"),
    }
}

/// `1 rule`, `2 rules`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_and_escape() {
        let mut table = Table::new(&["RUN", "STATE"]);
        table.row(&["a-long-name", "finished"]);
        table.row(&["b\u{1b}[2J", "é"]);
        let lines = table.lines(Paint(Colours::Off));
        assert_eq!(lines, ["RUN          STATE", "a-long-name  finished", "b\\u{1b}[2J   é"]);
    }
}
