//! JUnit XML, as pytest and most test runners write it.
//!
//! Comes in: the text of a file. Goes out: one report for each `testcase`: `failure` is FAILED, `error` is
//! NEEDS_INSPECTION (the test itself broke), `skipped` is INFO. The note is the `message` of these, or where a runner
//! writes none, the first line of their text. What breaks around the tests is a report named after the suite.

use serde_json::{Map, Value};

use super::Outcome;
use super::reported::Reported;
use super::xml::{self, Attributes, Node};
use crate::limits;

/// Reads a file of JUnit XML.
pub(super) fn read(text: &str) -> Result<Vec<Reported>, String> {
    let mut reader = Reader::default();
    xml::walk(text, |path, node| reader.node(path, node))?;
    if reader.tests.is_empty() { Err("it has no test case".into()) } else { Ok(reader.tests) }
}

#[derive(Default)]
struct Reader {
    tests: Vec<Reported>,
    /// The test, or the suite with something broken around its tests, whose element is open.
    open: Option<Test>,
    /// Names of the suites that are open, the innermost last.
    suites: Vec<String>,
}

impl Reader {
    fn node(&mut self, path: &str, node: Node<'_>) -> Result<(), String> {
        let (around, name) = path.rsplit_once('/').unwrap_or(("", path));
        match (name, node) {
            ("testsuite", Node::Open(mut attributes)) => {
                self.suites.push(attributes.remove("name").unwrap_or_default());
            }
            ("testsuite", Node::Close) => drop(self.suites.pop()),
            ("testsuites", _) => {}
            _ if around.is_empty() => return Err(format!("it is not JUnit: its root is <{name}>")),
            ("testcase", Node::Open(attributes)) => self.open = Some(Test::new(attributes)),
            ("testcase", Node::Close) => self.end()?,
            ("failure" | "error", node) if around.ends_with("testsuite") => {
                let ends = matches!(node, Node::Close);
                let suite = self.suites.last();
                let test = self.open.get_or_insert_with(|| Test::of_suite(suite.map_or("", String::as_str)));
                test.verdict(name, node);
                if ends {
                    self.end()?;
                }
            }
            (_, node) => {
                if let Some(test) = self.open.as_mut().filter(|_| around.ends_with("/testcase")) {
                    test.verdict(name, node);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        self.tests.extend(self.open.take().map(|test| test.reported));
        if self.tests.len() > limits::RESULTS_PER_RUN {
            return Err(format!("it has more than {} tests", limits::RESULTS_PER_RUN));
        }
        Ok(())
    }
}

/// A test whose element is open.
struct Test {
    reported: Reported,
    /// The text so far of a verdict that is open and has no message.
    text: Option<String>,
}

impl Test {
    fn new(mut attributes: Attributes) -> Self {
        let mut text = |key: &str| attributes.remove(key).unwrap_or_default();
        let (class, name) = (text("classname"), text("name"));
        let name = if class.is_empty() { name } else { format!("{class}.{name}") };
        let data: Map<_, _> =
            attributes.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
        Self { reported: Reported { data, ..Reported::local(name, Outcome::Passed) }, text: None }
    }

    fn of_suite(name: &str) -> Self {
        Self { reported: Reported::local(name, Outcome::Passed), text: None }
    }

    fn verdict(&mut self, element: &str, node: Node<'_>) {
        let outcome = match element {
            "failure" => Outcome::Failed,
            "error" => Outcome::NeedsInspection,
            "skipped" => Outcome::Info,
            _ => return,
        };
        match node {
            Node::Open(mut attributes) => {
                // pytest writes a failure of the test and an error of its teardown into one test case: the failure is
                // the verdict
                if self.reported.outcome != Outcome::Failed {
                    self.reported.outcome = outcome;
                }
                match attributes.remove("message").filter(|message| !message.trim().is_empty()) {
                    Some(message) => self.note(element, &message),
                    None => self.text = Some(String::new()),
                }
            }
            Node::Text(more) => {
                if let Some(text) = self.text.as_mut().filter(|text| text.len() < limits::RESULT_NOTE_BYTES) {
                    text.push_str(more);
                }
            }
            Node::Close => {
                if let Some(text) = self.text.take() {
                    self.note(element, text.trim().lines().next().unwrap_or_default());
                }
            }
        }
    }

    /// What the first verdict says is the note.
    fn note(&mut self, element: &str, message: &str) {
        if self.reported.note.is_empty() {
            let skipped = if element == "skipped" { "skipped: " } else { "" };
            self.reported.note = format!("{skipped}{message}").trim_end_matches([':', ' ']).to_owned();
        }
    }
}
