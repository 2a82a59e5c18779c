//! A run as SARIF 2.1.0, the form that editors and code forges show at the lines it speaks of.
//!
//! Comes in: a notice. Goes out: one SARIF run for each analyzer whose findings the results hold, and one for the task's own
//! results. FAILED is an error at each place, NEEDS_INSPECTION is for review, INFO is informational, PASSED passes. A result without
//! a place names the tested item instead. What the surroundings failed is an execution that was not successful.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::notice::Notice;
use super::places::{self, Place, is_summary};
use crate::task::{Outcome, TaskResult};

/// Where the schema is published.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) fn document(notice: &Notice) -> Value {
    let mut tools: BTreeMap<(&str, &str), Vec<&TaskResult>> = BTreeMap::new();
    for result in &notice.run.results {
        let tool = places::tool(result).unwrap_or((notice.run.run.task.as_str(), ""));
        tools.entry(tool).or_default().push(result);
    }
    if tools.is_empty() {
        tools.insert((notice.run.run.task.as_str(), ""), Vec::new());
    }
    let runs: Vec<Value> = tools.iter().map(|((tool, version), of)| run(notice, tool, version, of)).collect();
    json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": runs })
}

fn run(notice: &Notice, tool: &str, version: &str, of: &[&TaskResult]) -> Value {
    let mut rules = Rules::default();
    let mut troubles = Vec::new();
    let mut results = Vec::new();
    for result in of {
        match (is_summary(result), result.outcome) {
            // What a tool could not look at is about the tool, no result of a rule.
            (true, Outcome::NeedsInspection) => {
                troubles.push(json!({ "level": "error", "message": { "text": result.note } }));
            }
            (true, _) => {}
            (false, _) => results.extend(rules.results(result)),
        }
    }
    let mut driver = Map::from_iter([
        ("name".to_owned(), json!(tool)),
        ("rules".to_owned(), Value::Array(rules.described)),
    ]);
    if !version.is_empty() {
        driver.insert("version".into(), json!(version));
    }
    let finished = notice.run.run.state == "finished";
    if !finished {
        let why = notice.run.run.note.as_deref().unwrap_or("no reason is recorded");
        troubles.push(json!({ "level": "error", "message": { "text": why } }));
    }
    json!({
        "tool": { "driver": driver },
        "automationDetails": { "id": format!("taskbot/{}/", notice.run.run.task), "guid": notice.run_id() },
        "invocations": [{ "executionSuccessful": finished, "toolExecutionNotifications": troubles }],
        "columnKind": "unicodeCodePoints",
        "results": results,
    })
}

/// The rules of one tool, each described once.
#[derive(Default)]
struct Rules<'r> {
    index: BTreeMap<&'r str, usize>,
    described: Vec<Value>,
}

impl<'r> Rules<'r> {
    fn index(&mut self, id: &'r str, result: &TaskResult) -> usize {
        *self.index.entry(id).or_insert_with(|| {
            let mut rule =
                Map::from_iter([("id".to_owned(), json!(id)), ("name".to_owned(), json!(result.testcase))]);
            let help =
                result.data.get("help").and_then(Value::as_str).filter(|help| help.starts_with("https://"));
            rule.extend(help.map(|help| ("helpUri".to_owned(), json!(uri(help)))));
            self.described.push(Value::Object(rule));
            self.described.len() - 1
        })
    }

    /// A result for each place, at least one.
    fn results(&mut self, result: &'r TaskResult) -> Vec<Value> {
        let id = places::rule(result).unwrap_or(&result.testcase);
        let index = self.index(id, result);
        let (kind, level) = match result.outcome {
            Outcome::Passed => ("pass", "none"),
            Outcome::Info => ("informational", "none"),
            Outcome::Failed => ("fail", "error"),
            Outcome::NeedsInspection => ("review", "none"),
        };
        let one = |message: &str, location: Value| {
            let message = if message.is_empty() { &result.testcase } else { message };
            json!({
                "ruleId": id, "ruleIndex": index, "kind": kind, "level": level,
                "message": { "text": message }, "locations": [location],
            })
        };
        let mut results: Vec<Value> =
            places::places(result).map(|at| one(at.message, location(at))).collect();
        if results.is_empty() {
            let item = json!({ "logicalLocations": [{ "fullyQualifiedName": result.item, "kind": result.item_type }] });
            results.push(one(&result.note, item));
        }
        results
    }
}

fn location(place: Place<'_>) -> Value {
    let mut physical = Map::from_iter([("artifactLocation".to_owned(), json!({ "uri": uri(place.file) }))]);
    // Lines and columns begin with 1; without a line there is no region.
    if place.line > 0 {
        let mut region = Map::from_iter([("startLine".to_owned(), json!(place.line))]);
        if place.column > 0 {
            region.insert("startColumn".into(), json!(place.column));
        }
        physical.insert("region".into(), Value::Object(region));
    }
    json!({ "physicalLocation": physical })
}

/// A path or URL as a URI reference: what none may hold is written as `%XX`.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let scheme = path.starts_with("https://");
    path.bytes()
        .map(|byte| match byte {
            byte if plain(byte) || scheme && b":?#=&+%@!,;".contains(&byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
