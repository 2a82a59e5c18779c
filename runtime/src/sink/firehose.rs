//! A run as firehose XML, the common form of static analyzers' reports.
//!
//! Comes in: a notice. Goes out: one `analysis`: an `issue` for each place that a result names, or for the item as a whole where a
//! test failed without a place; `info` for what passed or is only worth knowing; `failure` for what could not be judged, or was not
//! because the surroundings failed. The tested build is named where it is one and its architecture is known. A place without line
//! or column has 0 there: the schema wants both.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use taskbot_graph::Nvr;

use super::notice::Notice;
use super::places::{self, Place, is_summary};
use crate::task::{Outcome, TaskResult};

type Xml = Writer<Vec<u8>>;
type Written = std::io::Result<()>;

pub(super) fn document(notice: &Notice) -> std::io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer.create_element("analysis").write_inner_content(|writer| {
        writer.create_element("metadata").write_inner_content(|writer| metadata(writer, notice))?;
        writer.create_element("results").write_inner_content(|writer| {
            notice
                .run
                .results
                .iter()
                .filter(|result| !is_told_by_its_rules(result))
                .try_for_each(|r| told(writer, r))?;
            match notice.run.run.state.as_str() {
                "finished" => Ok(()),
                state => {
                    let why = notice.run.run.note.as_deref().unwrap_or("no reason is recorded");
                    said(writer, "failure", "failure-id", state, why)
                }
            }
        })?;
        Ok(())
    })?;
    Ok(writer.into_inner())
}

/// A summary that says no more than the results of the rules do.
fn is_told_by_its_rules(result: &TaskResult) -> bool {
    is_summary(result) && result.outcome != Outcome::NeedsInspection
}

fn metadata(writer: &mut Xml, notice: &Notice) -> Written {
    // One analysis has one generator: that of all results, if it is one.
    let mut tools = notice.run.results.iter().filter_map(places::tool);
    let first = tools.next().filter(|first| tools.all(|tool| tool.0 == first.0));
    let (name, version) = first.unwrap_or((notice.run.run.task.as_str(), ""));
    let mut generator = writer.create_element("generator").with_attribute(("name", legal(name).as_str()));
    if !version.is_empty() {
        generator = generator.with_attribute(("version", legal(version).as_str()));
    }
    generator.write_empty()?;
    let arch = notice.run.arguments.iter().find(|argument| argument.name == "arch");
    let build = notice.run.results.first().and_then(|result| Nvr::parse(&result.item));
    let (Some(arch), Some(Nvr { name, version, release })) = (arch, build) else { return Ok(()) };
    writer
        .create_element("sut")
        .write_inner_content(|writer| {
            let attributes =
                [("name", &name), ("version", &version), ("release", &release), ("build-arch", &arch.text)];
            let attributes = attributes.map(|(key, value)| (key, legal(value)));
            let attributes = attributes.iter().map(|(key, value)| (*key, value.as_str()));
            writer.create_element("source-rpm").with_attributes(attributes).write_empty().map(drop)
        })
        .map(drop)
}

fn told(writer: &mut Xml, result: &TaskResult) -> Written {
    match result.outcome {
        Outcome::Passed | Outcome::Info if places::places(result).next().is_none() => {
            said(writer, "info", "info-id", &result.testcase, &result.note)
        }
        Outcome::NeedsInspection if places::places(result).next().is_none() => {
            said(writer, "failure", "failure-id", &result.testcase, &result.note)
        }
        _ => {
            let mut any = false;
            for place in places::places(result) {
                any = true;
                issue(writer, result, place)?;
            }
            if any {
                return Ok(());
            }
            let place = Place { file: &result.item, line: 0, column: 0, message: &result.note, severity: "" };
            issue(writer, result, place)
        }
    }
}

fn issue(writer: &mut Xml, result: &TaskResult, place: Place<'_>) -> Written {
    let test = legal(places::rule(result).unwrap_or(&result.testcase));
    let mut issue = writer.create_element("issue").with_attribute(("test-id", test.as_str()));
    if !place.severity.is_empty() {
        issue = issue.with_attribute(("severity", legal(place.severity).as_str()));
    }
    issue
        .write_inner_content(|writer| {
            let message = if place.message.is_empty() { &result.testcase } else { place.message };
            text(writer, "message", message)?;
            writer
                .create_element("location")
                .write_inner_content(|writer| {
                    let file = legal(place.file);
                    writer
                        .create_element("file")
                        .with_attribute(("given-path", file.as_str()))
                        .write_empty()?;
                    let [line, column] = [place.line, place.column].map(|number| number.to_string());
                    let point = [("line", line.as_str()), ("column", column.as_str())];
                    writer.create_element("point").with_attributes(point).write_empty().map(drop)
                })
                .map(drop)
        })
        .map(drop)
}

/// An element with an id and a message: `info` or `failure`.
fn said(writer: &mut Xml, element: &str, key: &str, id: &str, message: &str) -> Written {
    let id = legal(id);
    writer
        .create_element(element)
        .with_attribute((key, id.as_str()))
        .write_inner_content(|writer| text(writer, "message", message))
        .map(drop)
}

fn text(writer: &mut Xml, element: &str, text: &str) -> Written {
    writer.create_element(element).write_text_content(BytesText::new(&legal(text))).map(drop)
}

/// Without the two characters that a notice may still hold and XML has no form for.
fn legal(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
