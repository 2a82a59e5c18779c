//! Findings as JUnit XML, for the many tools that show test results.
//!
//! Comes in: a report. Goes out: a `testsuite` for each file, in it a `testcase` for each code that was found there, so that a
//! case keeps its name when lines move; one that passes for a file without findings. Warnings are failures as well: `check`
//! does not pass with them.

use std::collections::BTreeMap;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use taskbot_compiler::{Diagnostic, Severity};

use super::{Report, sentence};
use crate::render::Places;

type Cases<'c> = BTreeMap<&'static str, Vec<&'c Diagnostic>>;

/// A report as XML.
pub(super) fn document(report: &Report<'_>) -> std::io::Result<String> {
    let places = Places::new(report.files);
    let mut suites: Vec<Cases<'_>> = vec![Cases::new(); report.files.len()];
    for diagnostic in report.shown {
        if let Some(suite) = suites.get_mut(diagnostic.primary.place.file as usize) {
            suite.entry(diagnostic.code.id).or_default().push(diagnostic);
        }
    }
    let own_from = taskbot_stdlib::modules().len();
    let told = suites.iter().zip(report.files).enumerate();
    let told: Vec<_> = told.filter(|(at, (cases, _))| *at >= own_from || !cases.is_empty()).collect();
    let tests: usize = told.iter().map(|(_, (cases, _))| cases.len().max(1)).sum();
    let failures: usize = told.iter().map(|(_, (cases, _))| cases.len()).sum();
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer
        .create_element("testsuites")
        .with_attributes([("name", "taskbot check"), ("errors", "0")])
        .with_attributes([("tests", tests.to_string().as_str()), ("failures", failures.to_string().as_str())])
        .write_inner_content(|writer| {
            told.iter().try_for_each(|(_, (cases, file))| suite(writer, &places, &file.path, cases))
        })?;
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

fn suite(
    writer: &mut Writer<Vec<u8>>,
    places: &Places<'_>,
    path: &str,
    cases: &Cases<'_>,
) -> std::io::Result<()> {
    let path = allowed(path);
    let (tests, failures) = (cases.len().max(1).to_string(), cases.len().to_string());
    let element = writer.create_element("testsuite").with_attributes([
        ("name", path.as_str()),
        ("tests", tests.as_str()),
        ("failures", failures.as_str()),
        ("errors", "0"),
        ("skipped", "0"),
    ]);
    element.write_inner_content(|writer| {
        if cases.is_empty() {
            let case = writer.create_element("testcase");
            case.with_attributes([("classname", path.as_str()), ("name", "check"), ("file", path.as_str())])
                .write_empty()?;
        }
        cases.values().try_for_each(|found| case(writer, places, &path, found))
    })?;
    Ok(())
}

/// All findings of one code in one file.
fn case(
    writer: &mut Writer<Vec<u8>>,
    places: &Places<'_>,
    path: &str,
    found: &[&Diagnostic],
) -> std::io::Result<()> {
    let Some(first) = found.first() else { return Ok(()) };
    let name = format!("{} {}", first.code.id, first.code.name);
    let line = places.spot(first.primary.place).line.to_string();
    let kind = match first.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let text = |d: &Diagnostic| format!("{}: {}", places.spot(d.primary.place).short(), sentence(d));
    let all = allowed(&found.iter().map(|d| text(d)).collect::<Vec<_>>().join("\n"));
    let more = match found.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n.saturating_sub(1)),
    };
    let message = allowed(&format!("{}{more}", first.message));
    let element = writer.create_element("testcase").with_attributes([
        ("classname", path),
        ("name", name.as_str()),
        ("file", path),
        ("line", line.as_str()),
    ]);
    element.write_inner_content(|writer| {
        let failure = writer.create_element("failure");
        failure
            .with_attributes([("type", kind), ("message", message.as_str())])
            .write_text_content(BytesText::new(&all))?;
        Ok(())
    })?;
    Ok(())
}

/// Characters that XML 1.0 has no form for, as `\u{..}`.
fn allowed(text: &str) -> String {
    let is_allowed =
        |c: char| matches!(c, '\n' | '\t' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if is_allowed(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use quick_xml::Reader;

    use super::super::samples;
    use super::*;

    /// Elements with their attributes, and the texts.
    fn parsed(xml: &str) -> Vec<String> {
        let mut reader = Reader::from_str(xml);
        let mut all = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(e) | Event::Empty(e) => {
                    let attributes = e.attributes().map(|a| {
                        let a = a.unwrap();
                        let value = a.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap();
                        format!(" {}={value}", a.key.as_ref())
                    });
                    let name = e.name().as_ref().to_owned();
                    all.push(format!("{name}{}", attributes.collect::<String>()));
                }
                Event::Eof => return all,
                _ => {}
            }
        }
    }

    #[test]
    fn each_code_of_a_file_is_a_case() {
        let (compiled, selection) = samples::found(samples::PATH, samples::TEXT);
        let xml = document(&samples::report(&compiled, &selection)).unwrap();
        let path = samples::PATH;
        let wanted = [
            "testsuites name=taskbot check errors=0 tests=3 failures=3".to_owned(),
            format!("testsuite name={path} tests=3 failures=3 errors=0 skipped=0"),
            format!("testcase classname={path} name=TB0202 unknown-task file={path} line=6"),
            "failure type=error message=there is no task `rmplint`".to_owned(),
            format!("testcase classname={path} name=TB0203 unknown-field file={path} line=2"),
            "failure type=error message=nvr has no field `nme`".to_owned(),
            format!("testcase classname={path} name=TB0691 suppression-without-reason file={path} line=6"),
            "failure type=warning message=this suppression gives no reason".to_owned(),
        ];
        assert_eq!(parsed(&xml), wanted, "{xml}");
    }

    #[test]
    fn a_clean_file_passes_and_no_byte_of_a_path_breaks_the_document() {
        let path = "a\u{1b}\u{0}\u{ffff}\u{85}😀.tb";
        let (compiled, selection) = samples::found(path, "on bodhi.update.testing run rpmlint\n");
        let xml = document(&samples::report(&compiled, &selection)).unwrap();
        let shown = "a\\u{1b}\\u{0}\\u{ffff}\\u{85}😀.tb";
        let case = format!("testcase classname={shown} name=check file={shown}");
        assert_eq!(parsed(&xml).last(), Some(&case), "{xml}");
    }
}
