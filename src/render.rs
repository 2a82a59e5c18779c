//! Diagnostics for people, by ariadne, and for programs, as JSON.
//!
//! Comes in: diagnostics with places in bytes, and the files. Goes out: text with the source quoted, or objects with file, line
//! and column (both from 1, columns in characters). Quoted text is stripped of control and bidirectional characters
//! before it is shown, and every place is clamped to the text: the renderer panics on any other.

use std::ops::Range;

use ariadne::{Color, Config, IndexType, Label, Report, ReportKind};
use serde::Serialize;
use taskbot_compiler::{Diagnostic, Severity};
use taskbot_graph::{Place, SourceFile};

use crate::output::{Paint, shown};

/// A place for programs and for one line of text.
#[derive(Clone, Debug, Serialize)]
pub struct Spot {
    /// The file as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Spot {
    /// `rules.tb:3:7`
    pub fn short(&self) -> String {
        format!("{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Where a place is.
pub fn spot(files: &[SourceFile], place: Place) -> Spot {
    let Some(file) = files.get(place.file as usize) else {
        return Spot { file: String::new(), line: 0, column: 0 };
    };
    let before = file.text.get(..clamp(&file.text, place.start)).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let column = before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1);
    Spot { file: file.path.clone(), line: before.matches('\n').count().saturating_add(1), column }
}

/// The text of a place.
pub fn quoted(files: &[SourceFile], place: Place) -> &str {
    let text = files.get(place.file as usize).map_or("", |f| f.text.as_str());
    text.get(clamp(text, place.start)..clamp(text, place.end)).unwrap_or_default()
}

/// A byte offset within the text and on a character's boundary.
fn clamp(text: &str, at: u32) -> usize {
    let at = (at as usize).min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The text with each control or bidirectional character replaced by one of the same length in bytes.
fn harmless(text: &str) -> String {
    let bidi = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c.to_string(),
            c if c.is_control() || bidi(c) => {
                if c.len_utf8() == 3 {
                    "\u{fffd}".into()
                } else {
                    "?".repeat(c.len_utf8())
                }
            }
            c => c.to_string(),
        })
        .collect()
}

/// Findings shown to people; the rest is counted.
const SHOWN: usize = 100;
/// Longest line of source that is quoted.
const QUOTED_BYTES: usize = 2_000;

/// Diagnostics with their source, at most a hundred of them.
pub fn human(files: &[SourceFile], diagnostics: &[Diagnostic], paint: Paint) -> Vec<String> {
    let mut cache = ariadne::sources(files.iter().map(|f| (f.path.clone(), harmless(&f.text))));
    let mut lines = Vec::new();
    for diagnostic in diagnostics.iter().take(SHOWN) {
        let place = diagnostic.primary.place;
        let mut out = Vec::new();
        let quoted = line_bytes(files, place) <= QUOTED_BYTES
            && report(files, diagnostic, paint).write(&mut cache, &mut out).is_ok();
        lines.push(if quoted {
            format!("{}\n", String::from_utf8_lossy(&out).trim_end())
        } else {
            let help = diagnostic.help.as_ref().map_or(String::new(), |h| format!("\n  help: {}", shown(h)));
            let (id, name) = (diagnostic.code.id, diagnostic.code.name);
            format!(
                "[{id} {name}] {}\n  at {}{help}\n",
                shown(&diagnostic.message),
                spot(files, place).short()
            )
        });
    }
    if diagnostics.len() > SHOWN {
        lines.push(format!("... and {} more\n", diagnostics.len().saturating_sub(SHOWN)));
    }
    lines
}

/// Length of the lines that a place stands on.
fn line_bytes(files: &[SourceFile], place: Place) -> usize {
    let text = files.get(place.file as usize).map_or("", |f| f.text.as_str());
    let (start, end) = (clamp(text, place.start), clamp(text, place.end));
    let first = text.get(..start).and_then(|t| t.rfind('\n')).map_or(0, |at| at.saturating_add(1));
    let last = text.get(end..).and_then(|t| t.find('\n')).map_or(text.len(), |at| end.saturating_add(at));
    text.get(first..last).unwrap_or_default().lines().map(str::len).max().unwrap_or(0)
}

fn report(
    files: &[SourceFile],
    diagnostic: &Diagnostic,
    paint: Paint,
) -> Report<'static, (String, Range<usize>)> {
    let (kind, colour) = match diagnostic.code.severity {
        Severity::Error => (ReportKind::Error, Color::Red),
        Severity::Warning => (ReportKind::Warning, Color::Yellow),
    };
    let named = |place: Place| {
        let file = files.get(place.file as usize);
        let text = file.map_or("", |f| f.text.as_str());
        let (start, end) = (clamp(text, place.start), clamp(text, place.end));
        (file.map_or(String::new(), |f| f.path.clone()), start..end.max(start))
    };
    let label = |place: Place, text: &str, colour| {
        Label::new(named(place)).with_message(shown(text)).with_color(colour)
    };
    let mut report = Report::build(kind, named(diagnostic.primary.place))
        .with_config(Config::default().with_color(paint.is_on()).with_index_type(IndexType::Byte))
        .with_code(format!("{} {}", diagnostic.code.id, diagnostic.code.name))
        .with_message(shown(&diagnostic.message))
        .with_label(label(diagnostic.primary.place, &diagnostic.primary.text, colour));
    // A label on a long line would quote it.
    for other in diagnostic.others.iter().filter(|o| line_bytes(files, o.place) <= QUOTED_BYTES) {
        report = report.with_label(label(other.place, &other.text, Color::Blue));
    }
    report = report.with_note(diagnostic.code.why);
    if let Some(help) = &diagnostic.help {
        report = report.with_help(shown(help));
    }
    report.finish()
}

/// A diagnostic for programs.
#[derive(Debug, Serialize)]
pub struct Finding<'d> {
    id: &'d str,
    name: &'d str,
    severity: Severity,
    message: &'d str,
    #[serde(flatten)]
    spot: Spot,
    end: Spot,
    label: &'d str,
    why: &'d str,
    others: Vec<OtherPlace<'d>>,
    help: Option<&'d str>,
    suggestion: Option<&'d str>,
}

#[derive(Debug, Serialize)]
struct OtherPlace<'d> {
    #[serde(flatten)]
    spot: Spot,
    label: &'d str,
}

/// A diagnostic as an object.
pub fn finding<'d>(files: &[SourceFile], diagnostic: &'d Diagnostic) -> Finding<'d> {
    let place = diagnostic.primary.place;
    Finding {
        id: diagnostic.code.id,
        name: diagnostic.code.name,
        severity: diagnostic.code.severity,
        message: &diagnostic.message,
        spot: spot(files, place),
        end: spot(files, Place { start: place.end, ..place }),
        label: &diagnostic.primary.text,
        why: diagnostic.code.why,
        others: diagnostic
            .others
            .iter()
            .map(|o| OtherPlace { spot: spot(files, o.place), label: &o.text })
            .collect(),
        help: diagnostic.help.as_deref(),
        suggestion: diagnostic.suggestion.as_ref().map(|s| s.text.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spots_count_characters_from_one() {
        let files = [SourceFile { path: "a.tb".into(), text: "é\n  xé y".into() }];
        let spot = spot(&files, Place { file: 0, start: 9, end: 10 });
        assert_eq!((spot.line, spot.column), (2, 6));
    }

    #[test]
    fn harmless_text_keeps_its_length() {
        let text = "a\u{1b}[31m\u{202e}b\u{85}\n";
        assert_eq!(harmless(text).len(), text.len());
        assert!(!harmless(text).contains('\u{1b}') && !harmless(text).contains('\u{202e}'));
    }
}
