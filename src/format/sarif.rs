//! Findings as SARIF 2.1.0, which code scanning reads.
//!
//! Comes in: a report. Goes out: one run. Rules are the codes that were found, with their page as help; results have regions in
//! UTF-16 code units (the format's own default), other places, fixes, and a fingerprint that stays when lines move; those
//! that a comment suppresses are there and say so. The standard library is in this program and not on disk: its places are
//! named without a region.
//!
//! The format: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use taskbot_compiler::{CODES, Code, Diagnostic, Level, Severity, Suggestion};
use taskbot_graph::Place;

use super::{Report, sentence};
use crate::render::{Places, Whose};

/// A report as a log of one run.
pub(super) fn document(report: &Report<'_>) -> Value {
    let places = Places::new(report.files);
    let all = || report.shown.iter().chain(report.suppressed);
    let codes: Vec<&Code> =
        CODES.iter().copied().filter(|code| all().any(|d| d.code.id == code.id)).collect();
    let mut seen = BTreeMap::new();
    let results: Vec<Value> = all()
        .map(|diagnostic| {
            let rule = codes.iter().position(|code| code.id == diagnostic.code.id);
            result(&places, diagnostic, rule, &mut seen)
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "taskbot",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": codes.into_iter().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "utf16CodeUnits",
            "results": results,
        }],
    })
}

fn rule(code: &Code) -> Value {
    json!({
        "id": code.id,
        "name": code.name,
        "shortDescription": { "text": code.name.replace('-', " ") },
        "fullDescription": { "text": code.why },
        "help": { "text": code.page, "markdown": code.page },
        "defaultConfiguration": { "level": level(code.severity()), "enabled": code.level != Level::Off },
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(
    places: &Places<'_>,
    diagnostic: &Diagnostic,
    rule: Option<usize>,
    seen: &mut BTreeMap<String, usize>,
) -> Value {
    let related = diagnostic.others.iter().enumerate().map(|(at, other)| {
        let mut location = location(places, other.place, &other.text);
        if let Some(location) = location.as_object_mut() {
            location.insert("id".into(), json!(at.saturating_add(1)));
        }
        location
    });
    let suppressions = diagnostic.suppressed.iter();
    let suppressions = suppressions.map(|reason| json!({ "kind": "inSource", "justification": reason }));
    // A list that is empty says as much as none; but all results of a run have suppressions, or none has.
    json!({
        "ruleId": diagnostic.code.id,
        "ruleIndex": rule,
        "level": level(diagnostic.severity),
        "message": { "text": sentence(diagnostic) },
        "locations": [location(places, diagnostic.primary.place, &diagnostic.primary.text)],
        "relatedLocations": related.collect::<Vec<_>>(),
        "fixes": fixes(places, diagnostic),
        "partialFingerprints": { "taskbotFinding/v1": fingerprint(places, diagnostic, seen) },
        "suppressions": suppressions.collect::<Vec<_>>(),
    })
}

fn fixes(places: &Places<'_>, diagnostic: &Diagnostic) -> Vec<Value> {
    let fix = |suggestion: &Suggestion| {
        let replacement = json!({
            "deletedRegion": region(places, suggestion.place),
            "insertedContent": { "text": suggestion.text },
        });
        let artifact = artifact(places.file(suggestion.place).0);
        json!({
            "description": { "text": diagnostic.help.as_deref().unwrap_or("replace it") },
            "artifactChanges": [{ "artifactLocation": artifact, "replacements": [replacement] }],
        })
    };
    diagnostic.suggestion.iter().map(fix).collect()
}

fn location(places: &Places<'_>, place: Place, text: &str) -> Value {
    let message = json!({ "text": text });
    match places.file(place) {
        (_, Whose::Standard) => {
            let name = places.spot(place).short();
            json!({ "logicalLocations": [{ "fullyQualifiedName": name }], "message": message })
        }
        (path, Whose::Own) => json!({
            "physicalLocation": { "artifactLocation": artifact(path), "region": region(places, place) },
            "message": message,
        }),
    }
}

/// The end of a region is the first column behind it.
fn region(places: &Places<'_>, place: Place) -> Value {
    let (start_line, start_column) = places.utf16(place);
    let (end_line, end_column) = places.utf16(Place { start: place.end.max(place.start), ..place });
    json!({
        "startLine": start_line.max(1),
        "startColumn": start_column,
        "endLine": end_line.max(1),
        "endColumn": end_column,
    })
}

/// A path as a URI: relative ones are below the root of the sources.
fn artifact(path: &str) -> Value {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    if uri.starts_with('/') {
        json!({ "uri": format!("file://{uri}") })
    } else {
        json!({ "uri": uri, "uriBaseId": "%SRCROOT%" })
    }
}

/// The same for a finding whose line moved: its code, its file, the text of its line, and the how manieth it is of those.
fn fingerprint(places: &Places<'_>, diagnostic: &Diagnostic, seen: &mut BTreeMap<String, usize>) -> String {
    let place = diagnostic.primary.place;
    let key =
        format!("{}\n{}\n{}", diagnostic.code.id, places.file(place).0, places.whole_line(place).trim());
    let before = seen.entry(key.clone()).or_default();
    let hash = Sha256::digest(format!("{key}\n{before}").as_bytes());
    *before = before.saturating_add(1);
    hash.iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::super::samples;
    use super::*;

    fn run(path: &str, text: &str) -> Value {
        let (compiled, selection) = samples::found(path, text);
        document(&samples::report(&compiled, &selection))["runs"][0].take()
    }

    #[test]
    fn results_have_what_the_format_asks_for() {
        let run = run(samples::PATH, samples::TEXT);
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let results = run["results"].as_array().unwrap();
        assert_eq!((rules.len(), results.len()), (4, 4));
        for result in results {
            assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
            assert!(!result["message"]["text"].as_str().unwrap().is_empty());
            let physical = &result["locations"][0]["physicalLocation"];
            let uri = "rules%2C%20%C3%A9%3A100%25%20%3Ca%3E%26%27%22/x%20y.tb";
            assert_eq!(physical["artifactLocation"], json!({ "uri": uri, "uriBaseId": "%SRCROOT%" }));
            assert!(result["suppressions"].is_array());
        }
        for rule in rules {
            assert!(rule["help"]["markdown"].as_str().unwrap().starts_with("# TB"), "{rule}");
        }
        // Two code units for the one character before it in the line.
        let region = json!({ "startLine": 2, "startColumn": 64, "endLine": 2, "endColumn": 67 });
        assert_eq!(results[0]["locations"][0]["physicalLocation"]["region"], region);
        assert_eq!(
            results[0]["fixes"][0]["artifactChanges"][0]["replacements"],
            json!([{ "deletedRegion": region, "insertedContent": { "text": "name" } }])
        );
        let suppressed = &results[3];
        assert_eq!(suppressed["ruleId"], "TB0692");
        let wanted = json!([{ "kind": "inSource", "justification": "😀 <later>" }]);
        assert_eq!((&suppressed["suppressions"], &suppressed["level"]), (&wanted, &json!("warning")));
    }

    #[test]
    fn fingerprints_stay_when_lines_move_and_tell_twins_apart() {
        let prints = |text: &str| -> Vec<Value> {
            let run = run("/a/b.tb", text);
            assert_eq!(
                run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
                "file:///a/b.tb"
            );
            run["results"].as_array().unwrap().iter().map(|r| r["partialFingerprints"].clone()).collect()
        };
        let text =
            "rule a on koji.build.completed\n  run rmplint\nrule b on koji.build.completed\n  run rmplint\n";
        let before = prints(text);
        assert_eq!(before.len(), 2);
        assert_ne!(before[0], before[1]);
        assert_eq!(before, prints(&format!("# moved\n\n{text}")));
    }

    #[test]
    fn a_place_in_the_standard_library_is_named_and_is_no_file() {
        let text = "on koji.build.completed where package.lang == Pyhton run static-analysis\n";
        let (compiled, mut selection) = samples::found("a.tb", text);
        let place = Place { file: 0, start: 0, end: 3 };
        selection.shown[0].others.push(taskbot_compiler::Label { place, text: "declared here".into() });
        let document = document(&samples::report(&compiled, &selection));
        let related = &document["runs"][0]["results"][0]["relatedLocations"];
        let name = format!("{}:1:1", compiled.files[0].path);
        let last = related.as_array().unwrap().last().unwrap();
        assert_eq!(last["logicalLocations"], json!([{ "fullyQualifiedName": name }]));
        assert!(last.get("physicalLocation").is_none() && last["id"].is_u64());
    }
}
