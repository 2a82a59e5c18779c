//! Diagnostics for people, by ariadne.
//!
//! Comes in: diagnostics with places in bytes, and the files. Goes out: text with the source quoted. Quoted text is stripped of
//! control and bidirectional characters before it is shown, and every place is clamped to the text: the renderer panics on
//! any other.

use std::ops::Range;

use ariadne::{Color, Config, IndexType, Label, Report, ReportKind};
use taskbot_compiler::{Diagnostic, Severity};
use taskbot_graph::{Place, SourceFile};

use crate::output::{Paint, shown};
use crate::render::{clamp, spot};

/// The text with each control or bidirectional character replaced by one of the same length in bytes.
pub fn harmless(text: &str) -> String {
    let bidi = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut chars = text.chars().peekable();
    std::iter::from_fn(|| chars.next().map(|c| (c, chars.peek().copied())))
        .map(|(c, next)| match c {
            '\n' | '\t' => c.to_string(),
            // A line of another system ends so.
            '\r' if next == Some('\n') => " ".into(),
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
pub fn lines(files: &[SourceFile], diagnostics: &[Diagnostic], paint: Paint) -> Vec<String> {
    let mut cache = ariadne::sources(files.iter().map(|f| (shown(&f.path), harmless(&f.text))));
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
    let (kind, colour) = match diagnostic.severity {
        Severity::Error => (ReportKind::Error, Color::Red),
        Severity::Warning => (ReportKind::Warning, Color::Yellow),
    };
    let named = |place: Place| {
        let file = files.get(place.file as usize);
        let text = file.map_or("", |f| f.text.as_str());
        let (start, end) = (clamp(text, place.start), clamp(text, place.end));
        (file.map_or(String::new(), |f| shown(&f.path)), start..end.max(start))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_line_is_not_shown() {
        assert_eq!(harmless("a\r\nb\rc"), "a \nb?c");
    }

    #[test]
    fn a_file_may_be_called_anything() {
        let path = "na\u{1b}[31mme\u{202e}.tb".to_owned();
        let text = "on a.b run c".to_owned();
        let compiled = taskbot_compiler::compile(&[taskbot_compiler::SourceText { path, text }], &[]);
        let lines = lines(&compiled.files, &compiled.diagnostics, Paint::plain());
        assert!(!lines.is_empty() && !lines.iter().any(|l| l.contains(['\u{1b}', '\u{202e}'])), "{lines:?}");
    }

    #[test]
    fn harmless_text_keeps_its_length() {
        let text = "a\u{1b}[31m\u{202e}b\u{85}\n";
        assert_eq!(harmless(text).len(), text.len());
        assert!(!harmless(text).contains('\u{1b}') && !harmless(text).contains('\u{202e}'));
    }
}
