//! Results as YAML or JSON: a superset of Taskotron's ResultYAML and of results.yml of the Standard Test Interface.
//!
//! Comes in: text. Goes out: what it reports. Either `results:` with a list, or a list, or one result alone; each
//! with `outcome` or `result`, `checkname`, `testcase`, `test` or `name`, `artifact`, `artifacts` or `logs`,
//! `item`, `type`, `note`; all other keys are kept as data. Aliases, nesting and nodes are bounded, so that a small
//! file cannot become a large value.

use serde_json::{Map, Value};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Options, alias_limits, budget, options};

use super::Outcome;
use super::results::{Naming, Reported};
use crate::limits;

/// Reads a whole file of results.
pub(super) fn read(text: &str) -> Result<Vec<Reported>, String> {
    let items = match parse(text)? {
        Value::Object(mut map) => match map.remove("results") {
            Some(Value::Array(items)) => items,
            Some(Value::Null) => Vec::new(),
            Some(_) => return Err("`results` is not a list".into()),
            None if map.contains_key("outcome") || map.contains_key("result") => vec![Value::Object(map)],
            None => return Err("it has no list `results`".into()),
        },
        Value::Array(items) => items,
        Value::Null => return Err("it is empty".into()),
        _ => return Err("it is neither a list nor a table of results".into()),
    };
    if items.is_empty() {
        return Err("it reports no result".into());
    }
    items.into_iter().enumerate().map(|(i, item)| result(i, item)).collect()
}

fn parse(text: &str) -> Result<Value, String> {
    let start = text.trim_start();
    if start.starts_with(['{', '['])
        && let Ok(value) = serde_json::from_str(text)
    {
        return Ok(value);
    }
    let nodes = usize::try_from(limits::RESULTS_FILE_BYTES / 8).unwrap_or(usize::MAX);
    let bounds: Options = options! {
        budget: budget! {
            max_depth: limits::RESULTS_DEPTH,
            max_documents: 1,
            max_events: nodes,
            max_nodes: nodes,
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

fn result(index: usize, item: Value) -> Result<Reported, String> {
    let number = index + 1;
    let Value::Object(mut map) = item else { return Err(format!("result {number} is not a table")) };
    let (name, naming) =
        match (take(&mut map, &["checkname", "testcase"])?, take(&mut map, &["test", "name"])?) {
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
    let said = take(&mut map, &["outcome", "result"])?
        .ok_or_else(|| format!("result {number} has neither `outcome` nor `result`"))?;
    let mut note = take(&mut map, &["note"])?.unwrap_or_default();
    let outcome = outcome(&said).unwrap_or_else(|| {
        note = format!("unknown outcome {said:?}; {note}");
        Outcome::NeedsInspection
    });
    let item = take(&mut map, &["item"])?;
    let item_type = take(&mut map, &["type"])?;
    let mut artifacts = Vec::new();
    for key in ["artifact", "artifacts", "logs"] {
        match map.remove(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(path)) => artifacts.push(path),
            Some(Value::Array(paths)) => {
                for path in paths {
                    let Value::String(path) = path else {
                        return Err(format!("result {number}: `{key}` holds something that is no path"));
                    };
                    artifacts.push(path);
                }
            }
            Some(_) => return Err(format!("result {number}: `{key}` is no path")),
        }
    }
    Ok(Reported { name, naming, outcome, item, item_type, note, artifacts, data: map })
}

/// The words of Taskotron, of the Standard Test Interface and of tmt.
fn outcome(said: &str) -> Option<Outcome> {
    match said.to_ascii_lowercase().as_str() {
        "passed" | "pass" | "ok" => Some(Outcome::Passed),
        "info" | "skip" | "skipped" | "not_applicable" => Some(Outcome::Info),
        "failed" | "fail" => Some(Outcome::Failed),
        "needs_inspection" | "error" | "warn" | "crashed" | "aborted" | "untested" | "pending" => {
            Some(Outcome::NeedsInspection)
        }
        _ => None,
    }
}

/// The first of some keys that is there, as text.
fn take(map: &mut Map<String, Value>, keys: &[&str]) -> Result<Option<String>, String> {
    for key in keys {
        match map.remove(*key) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => return Ok(Some(text)),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => return Ok(Some(value.to_string())),
            Some(_) => return Err(format!("`{key}` is not text")),
        }
    }
    Ok(None)
}
