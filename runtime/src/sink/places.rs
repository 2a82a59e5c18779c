//! Places in files that a result speaks of.
//!
//! Comes in: a result whose data says what an analyzer found, as results of SARIF and firehose files are kept. Goes out: the
//! tool, the rule, and each place with file and line. Data of another shape has no places; nothing of it is trusted.

use serde_json::Value;

use crate::task::TaskResult;

/// A place that something was found at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'r> {
    pub(super) file: &'r str,
    /// From 1; 0: the whole file.
    pub(super) line: u64,
    /// From 1; 0: the whole line.
    pub(super) column: u64,
    pub(super) message: &'r str,
    /// In the tool's own words; may be empty.
    pub(super) severity: &'r str,
}

fn text<'r>(value: &'r Value, key: &str) -> &'r str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The places of a result, those without a file left out.
pub(super) fn places(result: &TaskResult) -> impl Iterator<Item = Place<'_>> {
    let listed = result.data.get("places").and_then(Value::as_array).into_iter().flatten();
    let number = |place: &Value, key: &str| place.get(key).and_then(Value::as_u64).unwrap_or(0);
    listed
        .map(move |place| Place {
            file: text(place, "file"),
            line: number(place, "line"),
            column: number(place, "column"),
            message: text(place, "message"),
            severity: text(place, "severity"),
        })
        .filter(|place| !place.file.is_empty())
}

/// What an analyzer says of itself in a result: its name and version, which may be empty.
pub(super) fn tool(result: &TaskResult) -> Option<(&str, &str)> {
    let of = |key: &str| result.data.get(key).and_then(Value::as_str).unwrap_or_default();
    Some((of("tool"), of("version"))).filter(|(tool, _)| !tool.is_empty())
}

/// The tool's own name of the rule; none: the result is not about a rule.
pub(super) fn rule(result: &TaskResult) -> Option<&str> {
    result.data.get("rule").and_then(Value::as_str).filter(|rule| !rule.is_empty())
}

/// Whether a result sums up what others tell one by one.
pub(super) fn is_summary(result: &TaskResult) -> bool {
    let found = result.data.get("findings").and_then(Value::as_u64).unwrap_or(0);
    found > 0 && tool(result).is_some() && !result.data.contains_key("rule")
}
