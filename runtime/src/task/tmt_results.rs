//! `results.yaml` of tmt, the Test Management Tool.
//!
//! Comes in: the text of a file and the folder below the artifacts in which it stands, which its logs are relative to.
//! Goes out: one report for each test and each of its subresults, `/tests/smoke` as `tests.smoke`; where the tests ran on
//! several guests, the guest is part of the name, so that one does not hide the other. tmt itself lets failed checks
//! (the kernel's log, a time limit) decide over a test's result; here they say why. All else is kept as data.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Outcome;
use super::reported::{Reported, below};
use super::result_yaml;
use crate::limits;

/// Reads a file of tmt's results.
pub(super) fn read(text: &str, folder: &str) -> Result<Vec<Reported>, String> {
    let tests = match result_yaml::parse(text)? {
        Value::Array(tests) if tests.is_empty() => return Err("it reports no result".into()),
        Value::Array(tests) => tests,
        Value::Null => return Err("it is empty".into()),
        _ => return Err("it is no list of results".into()),
    };
    let guests: BTreeSet<&str> = tests.iter().filter_map(guest).collect();
    let several_guests = guests.len() > 1;
    let mut reported = Vec::new();
    for (number, test) in (1..).zip(tests) {
        let guest = guest(&test).filter(|_| several_guests).map(str::to_owned);
        let Value::Object(test) = test else { return Err(format!("result {number} is not a table")) };
        add_test(test, guest, folder, &mut reported).map_err(|why| format!("result {number}: {why}"))?;
        if reported.len() > limits::RESULTS_PER_RUN {
            return Err(format!("it has more than {} results", limits::RESULTS_PER_RUN));
        }
        if reported.iter().map(|one| one.artifacts.len()).sum::<usize>() > limits::RESULTS_LISTED {
            return Err(format!("it names more than {} logs", limits::RESULTS_LISTED));
        }
    }
    Ok(reported)
}

fn guest(test: &Value) -> Option<&str> {
    test.get("guest")?.get("name")?.as_str()
}

/// A test and its subresults.
fn add_test(
    mut test: Map<String, Value>,
    guest: Option<String>,
    folder: &str,
    reported: &mut Vec<Reported>,
) -> Result<(), String> {
    let parts = match test.remove("subresult") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(parts)) => parts,
        Some(_) => return Err("`subresult` is no list".into()),
    };
    let mut whole = one(test, folder)?;
    if let Some(guest) = guest {
        whole.name = below(&whole.name, &guest);
    }
    let above = whole.name.clone();
    reported.push(whole);
    for part in parts {
        let Value::Object(part) = part else { return Err("a subresult is not a table".into()) };
        let mut part = one(part, folder)?;
        part.name = below(&above, &part.name);
        reported.push(part);
    }
    Ok(())
}

fn one(mut map: Map<String, Value>, folder: &str) -> Result<Reported, String> {
    let name = result_yaml::take_text(&mut map, &["name"])?.ok_or("it has no `name`")?;
    let said = result_yaml::take_text(&mut map, &["result"])?.ok_or("it has no `result`")?;
    let mut notes = result_yaml::take_texts(&mut map, "note")?;
    let outcome = result_yaml::outcome(&said).unwrap_or_else(|| {
        notes.insert(0, format!("unknown result {said:?}"));
        Outcome::NeedsInspection
    });
    notes.extend(failed_checks(map.get("check")));
    let logs = result_yaml::take_texts(&mut map, "log")?;
    let artifacts = logs.into_iter().map(|log| within(folder, log)).collect();
    let mut data = Value::Object(map);
    tidy(&mut data);
    let Value::Object(data) = data else { return Err("it is not a table".into()) };
    Ok(Reported { note: notes.join("; "), artifacts, data, ..Reported::local(dotted(&name), outcome) })
}

/// `/tests/smoke` as `tests.smoke`.
fn dotted(name: &str) -> String {
    name.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

/// A log's path relative to the artifacts. One that is absolute stays so, and is refused as such.
fn within(folder: &str, log: String) -> String {
    if folder.is_empty() || log.starts_with('/') { log } else { format!("{folder}/{log}") }
}

/// Why checks around a test failed.
fn failed_checks(checks: Option<&Value>) -> Vec<String> {
    let checks = checks.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let text = |check: &Value, key: &str| {
        check.get(key).and_then(Value::as_str).map_or_else(String::new, str::to_owned)
    };
    let failed = checks.iter().filter(|check| matches!(text(check, "result").as_str(), "fail" | "error"));
    let said = failed.map(|check| {
        let notes = check.get("note").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let notes: Vec<&str> = notes.iter().filter_map(Value::as_str).collect();
        format!("check {}: {}", text(check, "name"), notes.join("; ")).trim_end_matches([':', ' ']).to_owned()
    });
    said.collect()
}

/// Without what says nothing: nulls, empty texts, lists and tables, and the names of tmt's own classes.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("__class__");
            map.values_mut().for_each(tidy);
            map.retain(|_, value| !says_nothing(value));
        }
        Value::Array(list) => {
            list.iter_mut().for_each(tidy);
            list.retain(|value| !says_nothing(value));
        }
        _ => {}
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
