//! Results as YAML or JSON: a superset of Taskotron's ResultYAML and of results.yml of the Standard Test Interface.
//!
//! Comes in: text. Goes out: what it reports. Either `results:` with a list, or a list, or one result alone; each
//! with `outcome` or `result`, `checkname`, `testcase`, `test` or `name`, `artifact`, `artifacts`, `log` or `logs`,
//! `item`, `type`, `note`; all other keys are kept as data. Aliases, nesting and nodes are bounded, so that a small
//! file cannot become a large value.

use serde_json::{Map, Value};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Options, alias_limits, budget, options};

use super::Outcome;
use super::bounded;
use super::reported::{Naming, Reported};
use crate::limits;

/// Reads a whole file of results.
pub(super) fn read(text: &str) -> Result<Vec<Reported>, String> {
    let items = items(text)?;
    if items.is_empty() {
        return Err("it reports no result".into());
    }
    items.into_iter().enumerate().map(|(i, item)| result(i, item)).collect()
}

/// The results of a file, each as it was written.
pub(super) fn items(text: &str) -> Result<Vec<Value>, String> {
    match parse(text)? {
        Value::Object(mut map) => match map.remove("results") {
            Some(Value::Array(items)) => Ok(items),
            Some(Value::Null) => Ok(Vec::new()),
            Some(_) => Err("`results` is not a list".into()),
            None if map.contains_key("outcome") || map.contains_key("result") => Ok(vec![Value::Object(map)]),
            None => Err("it has no list `results`".into()),
        },
        Value::Array(items) => Ok(items),
        Value::Null => Err("it is empty".into()),
        _ => Err("it is neither a list nor a table of results".into()),
    }
}

/// Any YAML or JSON, within bounds.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let start = text.trim_start();
    if start.starts_with(['{', '['])
        && let Ok(value) = bounded::json(text)
    {
        return Ok(value);
    }
    let bounds: Options = options! {
        budget: budget! {
            max_depth: limits::RESULTS_DEPTH,
            max_documents: 1,
            max_events: limits::RESULTS_YAML_NODES,
            max_nodes: limits::RESULTS_YAML_NODES,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        alias_limits: alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: 1_000,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, bounds).map_err(|e| format!("it is not YAML: {e}"))
}

/// One result of a file, which is number `index` of them, from 0.
pub(super) fn result(index: usize, item: Value) -> Result<Reported, String> {
    let number = index + 1;
    let Value::Object(mut map) = item else { return Err(format!("result {number} is not a table")) };
    let named = |why: String| format!("result {number}: {why}");
    let full = take_text(&mut map, &["checkname", "testcase"]).map_err(named)?;
    let short = take_text(&mut map, &["test", "name"]).map_err(named)?;
    let (name, naming) = match (full, short) {
        (Some(full), other) => {
            if let Some(other) = other {
                map.insert("test".into(), Value::String(other));
            }
            (full, Naming::Full)
        }
        (None, Some(name)) if name.contains('.') => (name, Naming::Full),
        (None, Some(name)) => (name, Naming::Local),
        (None, None) => (String::new(), Naming::Local),
    };
    let said = take_text(&mut map, &["outcome", "result"])
        .map_err(named)?
        .ok_or_else(|| format!("result {number} has neither `outcome` nor `result`"))?;
    let mut note = take_texts(&mut map, "note").map_err(named)?.join("; ");
    let outcome = outcome(&said).unwrap_or_else(|| {
        note = format!("unknown outcome {said:?}; {note}");
        Outcome::NeedsInspection
    });
    let item = take_text(&mut map, &["item"]).map_err(named)?;
    let item_type = take_text(&mut map, &["type"]).map_err(named)?;
    let mut artifacts = Vec::new();
    for key in ["artifact", "artifacts", "log", "logs"] {
        artifacts.extend(take_texts(&mut map, key).map_err(named)?);
    }
    Ok(Reported { name, naming, outcome, item, item_type, note, artifacts, data: map })
}

/// The words of Taskotron, ResultsDB, the Standard Test Interface and tmt.
pub(super) fn outcome(said: &str) -> Option<Outcome> {
    match said.to_ascii_lowercase().as_str() {
        "passed" | "pass" | "ok" => Some(Outcome::Passed),
        "info" | "skip" | "skipped" | "not_applicable" => Some(Outcome::Info),
        "failed" | "fail" => Some(Outcome::Failed),
        "needs_inspection" | "error" | "warn" | "crashed" | "aborted" | "untested" | "pending" | "queued"
        | "running" => Some(Outcome::NeedsInspection),
        _ => None,
    }
}

/// The first of some keys that is there, as text.
pub(super) fn take_text(map: &mut Map<String, Value>, keys: &[&str]) -> Result<Option<String>, String> {
    for key in keys {
        match map.remove(*key) {
            None | Some(Value::Null) => {}
            Some(value) => return text(key, value).map(Some),
        }
    }
    Ok(None)
}

/// The texts of a key: one, or a list.
pub(super) fn take_texts(map: &mut Map<String, Value>, key: &str) -> Result<Vec<String>, String> {
    match map.remove(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list.into_iter().map(|value| text(key, value)).collect(),
        Some(value) => Ok(vec![text(key, value)?]),
    }
}

fn text(key: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(format!("`{key}` is not text")),
    }
}
