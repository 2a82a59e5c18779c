//! Findings as workflow commands of GitHub Actions, which show them beside the changed lines.
//!
//! Comes in: a report. Goes out: one line each, `::error file=..,line=..,col=..,title=..::message`, escaped as the runner reads
//! it: `%`, CR and LF everywhere, `:` and `,` also in properties. Columns are given only within one line, as the runner
//! wants it.

use taskbot_compiler::{Diagnostic, Severity};

use super::{Report, sentence};
use crate::output::shown;
use crate::render::{Places, Whose};

/// A command for each finding.
pub(super) fn commands(report: &Report<'_>) -> Vec<String> {
    let places = Places::new(report.files);
    report.shown.iter().map(|diagnostic| command(&places, diagnostic)).collect()
}

fn command(places: &Places<'_>, diagnostic: &Diagnostic) -> String {
    let command = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = diagnostic.primary.place;
    let (start, end) = (places.spot(place), places.end(place));
    let (file, whose) = places.file(place);
    let title = property(&format!("{} {}", diagnostic.code.id, diagnostic.code.name));
    let text = sentence(diagnostic).lines().map(shown).collect::<Vec<_>>().join("\n");
    if whose == Whose::Standard {
        // There is no such file in anybody's repository.
        return format!("::{command} title={title}::{}", data(&format!("{}: {text}", start.short())));
    }
    let columns = if start.line == end.line {
        format!(",col={},endColumn={}", start.column, end.column.max(start.column))
    } else {
        String::new()
    };
    format!(
        "::{command} file={},line={},endLine={}{columns},title={title}::{}",
        property(file),
        start.line,
        end.line,
        data(&text)
    )
}

/// The text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn commands_are_escaped() {
        let (compiled, selection) = samples::found(samples::PATH, samples::TEXT);
        let found = commands(&samples::report(&compiled, &selection));
        let file = "rules%2C é%3A100%25 <a>&'\"/x y.tb";
        let wanted = [
            format!(
                "::error file={file},line=2,endLine=2,col=63,endColumn=66,title=TB0203 unknown-field::\
                 nvr has no field `nme`%0Ahelp: did you mean `name`?"
            ),
            format!(
                "::error file={file},line=6,endLine=6,col=29,endColumn=36,title=TB0202 unknown-task::\
                 there is no task `rmplint`%0Ahelp: did you mean `rpmlint`?"
            ),
        ];
        assert_eq!(found.iter().take(2).collect::<Vec<_>>(), wanted.iter().collect::<Vec<_>>());
        assert!(found.iter().all(|line| !line.contains(['\n', '\r', '\u{1b}'])), "{found:?}");
        assert!(found.last().is_some_and(|line| line.starts_with("::warning file=")), "{found:?}");
        assert_eq!(property("a\r\n%:,b"), "a%0D%0A%25%3A%2Cb");
        assert_eq!(data("a\r\n%:,b"), "a%0D%0A%25:,b");
    }
}
