//! Findings as one JSON document.
//!
//! Comes in: a report. Goes out: counts, and each finding as an object with file, line and column (both from 1, columns in
//! characters; `end` is the first character behind).

use serde::Serialize;
use taskbot_compiler::{Diagnostic, Safety, Severity};

use super::Report;
use crate::fix::Mended;
use crate::render::{Places, Spot};

#[derive(Debug, Serialize)]
pub(super) struct Document<'c> {
    rules: usize,
    errors: usize,
    warnings: usize,
    diagnostics: Vec<Finding<'c>>,
    suppressed: Vec<Finding<'c>>,
    mended: &'c [Mended],
}

#[derive(Debug, Serialize)]
struct Finding<'d> {
    id: &'d str,
    name: &'d str,
    severity: Severity,
    message: &'d str,
    #[serde(flatten)]
    spot: Spot,
    end: Spot,
    label: &'d str,
    why: &'d str,
    others: Vec<OtherPlace<'d>>,
    help: Option<&'d str>,
    suggestion: Option<&'d str>,
    fix: Option<Fix<'d>>,
    /// Why it is suppressed.
    reason: Option<&'d str>,
}

#[derive(Debug, Serialize)]
struct OtherPlace<'d> {
    #[serde(flatten)]
    spot: Spot,
    label: &'d str,
}

/// The suggestion with its place.
#[derive(Debug, Serialize)]
struct Fix<'d> {
    #[serde(flatten)]
    spot: Spot,
    end: Spot,
    text: &'d str,
    safety: Safety,
}

/// A report as an object.
pub(super) fn document<'c>(report: &Report<'c>) -> Document<'c> {
    let places = Places::new(report.files);
    let (errors, warnings) = report.severities();
    Document {
        rules: report.rules,
        errors,
        warnings,
        diagnostics: report.shown.iter().map(|d| finding(&places, d)).collect(),
        suppressed: report.suppressed.iter().map(|d| finding(&places, d)).collect(),
        mended: report.mended,
    }
}

fn finding<'d>(places: &Places<'_>, diagnostic: &'d Diagnostic) -> Finding<'d> {
    let place = diagnostic.primary.place;
    let others = diagnostic.others.iter();
    let fix = |s: &'d taskbot_compiler::Suggestion| Fix {
        spot: places.spot(s.place),
        end: places.end(s.place),
        text: &s.text,
        safety: s.safety,
    };
    Finding {
        id: diagnostic.code.id,
        name: diagnostic.code.name,
        severity: diagnostic.severity,
        message: &diagnostic.message,
        spot: places.spot(place),
        end: places.end(place),
        label: &diagnostic.primary.text,
        why: diagnostic.code.why,
        others: others.map(|o| OtherPlace { spot: places.spot(o.place), label: &o.text }).collect(),
        help: diagnostic.help.as_deref(),
        suggestion: diagnostic.suggestion.as_ref().map(|s| s.text.as_str()),
        fix: diagnostic.suggestion.as_ref().map(fix),
        reason: diagnostic.suppressed.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use serde_json::json;

    use super::super::samples;

    #[test]
    fn findings_have_places_in_characters_and_fixes_with_their_safety() {
        let (compiled, selection) = samples::found(samples::PATH, samples::TEXT);
        let value = serde_json::to_value(super::document(&samples::report(&compiled, &selection))).unwrap();
        assert_eq!(
            (&value["errors"], &value["warnings"], &value["rules"]),
            (&json!(2), &json!(1), &json!(2))
        );
        let found = value["diagnostics"].as_array().unwrap();
        let ids: Vec<_> = found.iter().map(|d| d["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["TB0203", "TB0202", "TB0691"]);
        assert_eq!((&found[0]["line"], &found[0]["column"]), (&json!(2), &json!(63)));
        assert_eq!(found[0]["end"]["column"], 66);
        assert_eq!(
            (&found[0]["fix"]["text"], &found[0]["fix"]["safety"]),
            (&json!("name"), &json!("unsafe"))
        );
        assert_eq!(found[2]["fix"], json!(null));
        assert_eq!(value["suppressed"][0]["reason"], "😀 <later>");
    }
}
