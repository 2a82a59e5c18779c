//! A run as JUnit XML, for the many tools that show it.
//!
//! Comes in: a run's document. Goes out: one `testsuite`. FAILED is a failure, NEEDS_INSPECTION an error, INFO
//! skipped; a run that its surroundings failed is one error and no verdict. Text of messages and tasks is escaped
//! twice: characters that XML has no form for, then the markup.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::message::MessageText;
use crate::store::RunReport;
use crate::task::{Outcome, TaskResult};

pub(super) fn document(run: &RunReport) -> std::io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let broken = run.run.state == "infrastructure-error";
    let count = |outcome| run.results.iter().filter(|r| r.outcome == outcome).count();
    let errors = count(Outcome::NeedsInspection) + usize::from(broken);
    let tests = run.results.len() + usize::from(broken);
    writer
        .create_element("testsuite")
        .with_attributes([
            ("name", shown(&run.run.run).as_str()),
            ("tests", tests.to_string().as_str()),
            ("failures", count(Outcome::Failed).to_string().as_str()),
            ("errors", errors.to_string().as_str()),
            ("skipped", count(Outcome::Info).to_string().as_str()),
            ("timestamp", run.run.changed_at.to_string().as_str()),
        ])
        .write_inner_content(|writer| {
            for result in &run.results {
                testcase(writer, result)?;
            }
            if broken {
                let why = run.run.note.as_deref().unwrap_or("no reason is recorded");
                verdict(writer, &run.run.task, "infrastructure", Some(("error", why)))?;
            }
            Ok(())
        })?;
    Ok(writer.into_inner())
}

fn testcase(writer: &mut Writer<Vec<u8>>, result: &TaskResult) -> std::io::Result<()> {
    let child = match result.outcome {
        Outcome::Passed => None,
        Outcome::Info => Some("skipped"),
        Outcome::Failed => Some("failure"),
        Outcome::NeedsInspection => Some("error"),
    };
    verdict(writer, &result.testcase, &result.item, child.map(|child| (child, result.note.as_str())))
}

fn verdict(
    writer: &mut Writer<Vec<u8>>,
    class: &str,
    name: &str,
    child: Option<(&str, &str)>,
) -> std::io::Result<()> {
    let (class, name) = (shown(class), shown(name));
    let element = writer
        .create_element("testcase")
        .with_attributes([("classname", class.as_str()), ("name", name.as_str())]);
    let Some((child, text)) = child else { return element.write_empty().map(drop) };
    element
        .write_inner_content(|writer| {
            let text = shown(text);
            let inner = writer.create_element(child).with_attribute(("message", text.as_str()));
            inner.write_text_content(BytesText::new(&text)).map(drop)
        })
        .map(drop)
}

/// Control characters as `\u{..}`: XML 1.0 has no form for most of them.
fn shown(text: &str) -> String {
    MessageText::new(text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")).to_string()
}
