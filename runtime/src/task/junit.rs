//! JUnit XML, as pytest and most test runners write it.
//!
//! Comes in: the text of a file. Goes out: one report for each `testcase`: `failure` is FAILED, `error` is
//! NEEDS_INSPECTION (the test itself broke), `skipped` is INFO. A document type is refused: no runner writes one,
//! and it is where entities come from.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use super::Outcome;
use super::results::Reported;
use crate::limits;

/// Reads a file of JUnit XML.
pub(super) fn read(text: &str) -> Result<Vec<Reported>, String> {
    let mut reader = Reader::from_str(text);
    let mut tests: Vec<Reported> = Vec::new();
    let mut open: Option<Reported> = None;
    let mut path: Vec<String> = Vec::new();
    loop {
        if path.len() > limits::RESULTS_DEPTH {
            return Err("its elements are nested too deep".into());
        }
        let event = reader.read_event().map_err(|e| format!("it is not XML: {e}"))?;
        match event {
            Event::Start(element) => {
                if path.is_empty() {
                    check_root(&element)?;
                }
                if element.name().as_ref() == "testcase" {
                    open = Some(test(&element)?);
                } else if let Some(test) = &mut open {
                    judge(test, &element)?;
                }
                path.push(element.name().as_ref().to_owned());
            }
            Event::Empty(element) if element.name().as_ref() == "testcase" => tests.push(test(&element)?),
            Event::Empty(element) => match &mut open {
                Some(test) => judge(test, &element)?,
                None if path.is_empty() => check_root(&element)?,
                None => {}
            },
            Event::End(element) => {
                path.pop();
                if element.name().as_ref() == "testcase" {
                    tests.extend(open.take());
                }
            }
            Event::DocType(_) => return Err("it declares a document type".into()),
            Event::Eof if path.is_empty() => break,
            Event::Eof => return Err("it ends in the middle".into()),
            _ => {}
        }
        if tests.len() > limits::RESULTS_PER_RUN {
            return Err(format!("it has more than {} tests", limits::RESULTS_PER_RUN));
        }
    }
    if tests.is_empty() { Err("it has no test case".into()) } else { Ok(tests) }
}

fn check_root(element: &BytesStart<'_>) -> Result<(), String> {
    match element.name().as_ref() {
        "testsuites" | "testsuite" => Ok(()),
        other => Err(format!("it is not JUnit: its root is <{other}>")),
    }
}

fn test(element: &BytesStart<'_>) -> Result<Reported, String> {
    let mut attributes = attributes(element)?;
    let mut text = |key: &str| match attributes.remove(key) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let (class, name) = (text("classname"), text("name"));
    let name = if class.is_empty() { name } else { format!("{class}.{name}") };
    Ok(Reported { data: attributes, ..Reported::local(name, Outcome::Passed) })
}

fn judge(test: &mut Reported, element: &BytesStart<'_>) -> Result<(), String> {
    let outcome = match element.name().as_ref() {
        "failure" => Outcome::Failed,
        "error" => Outcome::NeedsInspection,
        "skipped" => Outcome::Info,
        _ => return Ok(()),
    };
    // pytest writes a failure of the test and an error of its teardown into one test case: the failure is the verdict
    if test.outcome != Outcome::Failed {
        test.outcome = outcome;
    }
    let message = match attributes(element)?.remove("message") {
        Some(Value::String(message)) => message,
        _ => String::new(),
    };
    if test.note.is_empty() {
        test.note = if outcome == Outcome::Info { format!("skipped: {message}") } else { message };
    }
    Ok(())
}

fn attributes(element: &BytesStart<'_>) -> Result<Map<String, Value>, String> {
    let mut map = Map::new();
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|e| format!("it is not XML: {e}"))?;
        let key = attribute.key.as_ref().to_owned();
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|e| format!("attribute {key}: {e}"))?;
        map.insert(key, Value::String(value.into_owned()));
    }
    Ok(map)
}
