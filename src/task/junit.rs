//! Runs as JUnit XML, for the many tools that show it.
//!
//! Comes in: runs that are over, each with a name. Goes out: one `testsuite` for each. FAILED is a failure, NEEDS_INSPECTION an error, INFO
//! skipped; a run that its surroundings failed is one error.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use taskbot_runtime::steps::LocalRun;
use taskbot_runtime::task::Outcome;

use crate::output::shown;

/// A `testcase`: class, name, and the element of what is not good with its text.
type Case = (String, String, Option<(&'static str, String)>);

/// The document.
pub fn document(runs: &[(String, &LocalRun)]) -> std::io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer
        .create_element("testsuites")
        .write_inner_content(|writer| runs.iter().try_for_each(|(name, run)| suite(writer, name, run)))?;
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

fn suite(writer: &mut Writer<Vec<u8>>, name: &str, run: &LocalRun) -> std::io::Result<()> {
    let cases = cases(name, run);
    let count =
        |kind: &str| cases.iter().filter(|case| case.2.as_ref().is_some_and(|(k, _)| *k == kind)).count();
    let seconds: f64 = run.steps.iter().map(|step| step.took.as_secs_f64()).sum();
    writer
        .create_element("testsuite")
        .with_attributes([
            ("name", xml_text(name).as_str()),
            ("tests", cases.len().to_string().as_str()),
            ("failures", count("failure").to_string().as_str()),
            ("errors", count("error").to_string().as_str()),
            ("skipped", count("skipped").to_string().as_str()),
            ("time", format!("{seconds:.1}").as_str()),
        ])
        .write_inner_content(|writer| cases.iter().try_for_each(|case| write(writer, case)))
        .map(drop)
}

fn cases(name: &str, run: &LocalRun) -> Vec<Case> {
    let mut cases: Vec<Case> = run
        .results
        .iter()
        .map(|result| {
            let kind = match result.outcome {
                Outcome::Passed => None,
                Outcome::Info => Some("skipped"),
                Outcome::Failed => Some("failure"),
                Outcome::NeedsInspection => Some("error"),
            };
            (result.testcase.clone(), result.item.clone(), kind.map(|kind| (kind, result.note.clone())))
        })
        .collect();
    if let Some(failure) = run.failure() {
        cases.push((name.to_owned(), "infrastructure".into(), Some(("error", failure.message.clone()))));
    }
    cases
}

fn write(writer: &mut Writer<Vec<u8>>, (class, name, verdict): &Case) -> std::io::Result<()> {
    let (class, name) = (xml_text(class), xml_text(name));
    let element = writer
        .create_element("testcase")
        .with_attributes([("classname", class.as_str()), ("name", name.as_str())]);
    let Some((kind, text)) = verdict else { return element.write_empty().map(drop) };
    let text = xml_text(text);
    element
        .write_inner_content(|writer| {
            let inner = writer.create_element(*kind).with_attribute(("message", text.as_str()));
            inner.write_text_content(BytesText::new(&text)).map(drop)
        })
        .map(drop)
}

/// Escaped as for a terminal, and without the two characters that XML has no form for.
fn xml_text(text: &str) -> String {
    shown(&text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}"))
}
