//! SARIF 2.1.0, as clang's analyzer, gcc from 13 on, ruff, bandit and most analyzers write it.
//!
//! Comes in: the text of a file. Goes out: one analysis for each of its runs. `kind` and `level` are the verdict: an
//! error or warning breaks its rule, a note is a remark, `open` and `review` are for somebody to look at. A suppressed
//! result is only counted, one that is gone since the baseline not even that. A run that says it did not succeed, or
//! has no list of results (by the standard: it did not come to look), is never taken for a clean one. Lists are bounded
//! while they are read; what is not needed (code flows, fixes, whole sources) is passed over without being kept.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::bounded::{Bounded, First};
use super::findings::{Analysis, Finding, Verdict};
use super::reported::cut;
use crate::limits;

/// Reads a SARIF file.
pub(super) fn read(text: &str) -> Result<Vec<Analysis>, String> {
    let log: Log = serde_json::from_str(text).map_err(|e| format!("it is not SARIF: {e}"))?;
    if log.version != "2.1.0" {
        return Err(format!("it is SARIF {:?}, read is 2.1.0", log.version));
    }
    if log.runs.0.is_empty() {
        return Err("it has no run".into());
    }
    Ok(log.runs.0.into_iter().map(Run::analysis).collect())
}

#[derive(Deserialize)]
struct Log {
    version: String,
    runs: Bounded<Run>,
}

#[derive(Deserialize)]
struct Run {
    tool: Tool,
    results: Option<Bounded<Found>>,
    invocations: Option<Bounded<Invocation>>,
    artifacts: Option<Bounded<Artifact>>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Component,
    extensions: Option<Bounded<Component>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    name: String,
    version: Option<String>,
    semantic_version: Option<String>,
    rules: Option<Bounded<Rule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: Option<String>,
    help_uri: Option<String>,
    default_configuration: Option<Configuration>,
}

#[derive(Deserialize)]
struct Configuration {
    level: Option<Level>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: Option<bool>,
    exit_code_description: Option<String>,
    tool_execution_notifications: Option<Bounded<Notification>>,
    tool_configuration_notifications: Option<Bounded<Notification>>,
}

#[derive(Deserialize)]
struct Notification {
    level: Option<Level>,
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Artifact {
    location: Option<ArtifactLocation>,
}

#[derive(Deserialize)]
struct ArtifactLocation {
    uri: Option<String>,
    index: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: Option<String>,
    rule_index: Option<i64>,
    rule: Option<RuleReference>,
    kind: Option<Kind>,
    level: Option<Level>,
    message: Option<Message>,
    locations: Option<First<Location>>,
    suppressions: Option<Bounded<Suppression>>,
    baseline_state: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleReference {
    id: Option<String>,
    index: Option<i64>,
    tool_component: Option<ComponentReference>,
}

#[derive(Deserialize)]
struct ComponentReference {
    index: Option<i64>,
}

#[derive(Deserialize)]
struct Message {
    text: Option<String>,
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Option<PhysicalLocation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: Option<ArtifactLocation>,
    region: Option<Region>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: Option<u64>,
    start_column: Option<u64>,
}

#[derive(Deserialize)]
struct Suppression {
    status: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Level {
    Error,
    Warning,
    Note,
    None,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::None => "none",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Pass,
    Open,
    Informational,
    NotApplicable,
    Review,
    Fail,
}

impl Run {
    fn analysis(self) -> Analysis {
        let driver = &self.tool.driver;
        let version = driver.version.as_ref().or(driver.semantic_version.as_ref());
        let mut analysis = Analysis {
            tool: driver.name.clone(),
            version: version.cloned().unwrap_or_default(),
            trouble: self.trouble(),
            ..Analysis::default()
        };
        let named = self.named_rules();
        let found = self.results.as_ref().map_or(&[][..], |results| &results.0);
        for result in found.iter().filter(|result| result.baseline_state.as_deref() != Some("absent")) {
            if result.is_suppressed() {
                analysis.suppressed += 1;
            } else {
                analysis.findings.push(self.finding(result, &named));
            }
        }
        analysis
    }

    fn trouble(&self) -> Vec<String> {
        let mut trouble = Vec::new();
        if self.results.is_none() {
            trouble.push("it has no list of results".to_owned());
        }
        for invocation in self.invocations.iter().flat_map(|all| &all.0) {
            let lists =
                [&invocation.tool_execution_notifications, &invocation.tool_configuration_notifications];
            let told = lists.into_iter().flatten().flat_map(|list| &list.0);
            let errors = told.filter(|one| one.level == Some(Level::Error));
            trouble.extend(errors.map(|one| one.message.as_ref().map_or("an error".into(), Message::text)));
            if invocation.execution_successful == Some(false) {
                let why = invocation.exit_code_description.as_deref();
                trouble.push(why.unwrap_or("it says that it did not succeed").to_owned());
            }
        }
        trouble
    }

    fn finding(&self, found: &Found, named: &BTreeMap<&str, &Rule>) -> Finding {
        let id = found.rule_id.as_deref().or(found.rule.as_ref().and_then(|rule| rule.id.as_deref()));
        let rule = self.rule(found).or_else(|| id.and_then(|id| of_name(named, id)));
        let id = id.or(rule.and_then(|rule| rule.id.as_deref())).unwrap_or_default();
        let level = found.level.or_else(|| rule.and_then(Rule::level)).unwrap_or(Level::Warning);
        let place = found.locations.as_ref().and_then(|list| list.0.as_ref()?.physical_location.as_ref());
        let file = place.and_then(|place| self.file(place.artifact_location.as_ref()?)).unwrap_or_default();
        let region = place.and_then(|place| place.region.as_ref());
        Finding {
            rule: short(id),
            file,
            line: region.and_then(|region| region.start_line).unwrap_or(0),
            column: region.and_then(|region| region.start_column).unwrap_or(0),
            message: found.message.as_ref().map(Message::text).unwrap_or_default(),
            verdict: verdict(found.kind.unwrap_or(Kind::Fail), level),
            severity: level.word().to_owned(),
            help: rule.and_then(|rule| rule.help_uri.as_deref()).map(short).unwrap_or_default(),
        }
    }

    /// The rules of the tool and its extensions by their names.
    fn named_rules(&self) -> BTreeMap<&str, &Rule> {
        let components =
            [&self.tool.driver].into_iter().chain(self.tool.extensions.iter().flat_map(|all| &all.0));
        let rules = components.flat_map(|component| component.rules.iter().flat_map(|rules| &rules.0));
        rules.filter_map(|rule| Some((rule.id.as_deref()?, rule))).collect()
    }

    /// The rule by its place in the tool or in an extension of it.
    fn rule(&self, found: &Found) -> Option<&Rule> {
        let reference = found.rule.as_ref();
        let component = match reference.and_then(|rule| rule.tool_component.as_ref()?.index) {
            Some(index) => at(self.tool.extensions.as_ref(), index)?,
            None => &self.tool.driver,
        };
        let index = found.rule_index.or_else(|| reference.and_then(|rule| rule.index))?;
        at(component.rules.as_ref(), index)
    }

    fn file(&self, location: &ArtifactLocation) -> Option<String> {
        let listed = || at(self.artifacts.as_ref(), location.index?)?.location.as_ref()?.uri.as_ref();
        let uri = location.uri.as_ref().or_else(listed)?;
        Some(short(uri.strip_prefix("file://").unwrap_or(uri)))
    }
}

impl Rule {
    fn level(&self) -> Option<Level> {
        self.default_configuration.as_ref()?.level
    }
}

impl Message {
    /// Messages by number stand elsewhere in the file; their number is enough to find them.
    fn text(&self) -> String {
        match (&self.text, &self.id) {
            (Some(text), _) => text.clone(),
            (None, Some(id)) => format!("message {id}"),
            (None, None) => String::new(),
        }
    }
}

impl Found {
    /// Whether somebody decided that it need not be mended; one that is still talked about, or was declined, counts.
    fn is_suppressed(&self) -> bool {
        let all = self.suppressions.as_ref().map_or(&[][..], |list| &list.0);
        let undecided = |one: &Suppression| matches!(one.status.as_deref(), Some("underReview" | "rejected"));
        !all.is_empty() && !all.iter().any(undecided)
    }
}

fn verdict(kind: Kind, level: Level) -> Verdict {
    match (kind, level) {
        (Kind::Pass, _) => Verdict::Holds,
        (Kind::Open | Kind::Review, _) => Verdict::Unclear,
        (Kind::Informational | Kind::NotApplicable, _) | (Kind::Fail, Level::Note | Level::None) => {
            Verdict::Remark
        }
        (Kind::Fail, Level::Error | Level::Warning) => Verdict::Broken,
    }
}

/// What stands once in a file may belong to all of its findings.
fn short(text: &str) -> String {
    cut(text, limits::RESULT_NAME_BYTES)
}

/// A rule by its name, or a finer name below it: `CA1000/1` is of `CA1000`.
fn of_name<'a>(named: &BTreeMap<&str, &'a Rule>, id: &str) -> Option<&'a Rule> {
    let rule = named.get(id).or_else(|| named.get(id.rsplit_once('/')?.0));
    rule.copied()
}

/// An element by an index of the file; -1 stands for none.
fn at<T>(list: Option<&Bounded<T>>, index: i64) -> Option<&T> {
    list?.0.get(usize::try_from(index).ok()?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use serde_json::{Value, json};

    use super::*;

    fn run(run: Value) -> Analysis {
        let text = json!({ "version": "2.1.0", "runs": [run] }).to_string();
        read(&text).unwrap().swap_remove(0)
    }

    /// A run with one result, and rules that it may be of.
    fn of(result: Value) -> Analysis {
        run(json!({
            "tool": {
                "driver": { "name": "x", "rules": [
                    { "id": "loud", "defaultConfiguration": { "level": "error" }, "helpUri": "https://example.org/loud" },
                    { "id": "soft", "defaultConfiguration": { "level": "note" } },
                ] },
                "extensions": [{ "name": "y", "rules": [{ "id": "far", "defaultConfiguration": { "level": "none" } }] }],
            },
            "artifacts": [{ "location": { "uri": "file:///src/a.c" } }],
            "results": [result],
        }))
    }

    #[test]
    fn kind_and_level_are_the_verdict() {
        for (result, verdict) in [
            (json!({}), Verdict::Broken),
            (json!({ "level": "error" }), Verdict::Broken),
            (json!({ "level": "note" }), Verdict::Remark),
            (json!({ "level": "none" }), Verdict::Remark),
            (json!({ "kind": "pass", "level": "none" }), Verdict::Holds),
            (json!({ "kind": "open" }), Verdict::Unclear),
            (json!({ "kind": "review" }), Verdict::Unclear),
            (json!({ "kind": "notApplicable" }), Verdict::Remark),
            (json!({ "kind": "informational" }), Verdict::Remark),
        ] {
            assert_eq!(of(result.clone()).findings[0].verdict, verdict, "{result}");
        }
    }

    #[test]
    fn a_result_finds_its_rule_by_place_or_name() {
        for (result, rule, severity) in [
            (json!({ "ruleIndex": 0 }), "loud", "error"),
            (json!({ "ruleId": "soft" }), "soft", "note"),
            (json!({ "ruleId": "soft/1" }), "soft/1", "note"),
            (json!({ "ruleId": "far" }), "far", "none"),
            (json!({ "rule": { "index": 0, "toolComponent": { "index": 0 } } }), "far", "none"),
            (json!({ "rule": { "id": "loud" } }), "loud", "error"),
            (json!({ "ruleId": "unknown", "ruleIndex": -1 }), "unknown", "warning"),
            (json!({ "ruleIndex": 99 }), "", "warning"),
        ] {
            let finding = &of(result.clone()).findings[0];
            assert_eq!((finding.rule.as_str(), finding.severity.as_str()), (rule, severity), "{result}");
        }
        assert_eq!(of(json!({ "ruleIndex": 0 })).findings[0].help, "https://example.org/loud");
    }

    #[test]
    fn the_first_place_counts_and_may_stand_in_the_list_of_files() {
        let place = |at: Value| json!({ "physicalLocation": { "artifactLocation": at, "region": { "startLine": 3 } } });
        let two = [place(json!({ "index": 0 })), place(json!({ "uri": "b.c" }))];
        let found = of(json!({ "locations": two, "message": { "id": "m1" } }));
        let finding = &found.findings[0];
        assert_eq!(
            (finding.file.as_str(), finding.line, finding.message.as_str()),
            ("/src/a.c", 3, "message m1")
        );
        assert_eq!(of(json!({ "locations": [] })).findings[0].file, "");
    }

    #[test]
    fn only_what_was_decided_is_suppressed() {
        for (suppressions, suppressed) in [
            (json!([]), 0),
            (json!([{ "kind": "inSource" }]), 1),
            (json!([{ "kind": "external", "status": "accepted" }]), 1),
            (json!([{ "kind": "external", "status": "underReview" }]), 0),
            (json!([{ "kind": "inSource" }, { "kind": "external", "status": "rejected" }]), 0),
        ] {
            let analysis = of(json!({ "suppressions": suppressions }));
            assert_eq!(
                (analysis.suppressed, analysis.findings.len()),
                (suppressed, 1 - suppressed),
                "{suppressions}"
            );
        }
        let gone = of(json!({ "baselineState": "absent" }));
        assert_eq!((gone.suppressed, gone.findings.len()), (0, 0));
    }

    #[test]
    fn a_run_that_did_not_look_is_not_clean() {
        let tool = json!({ "driver": { "name": "x" } });
        for (more, why) in [
            (json!({}), "it has no list of results"),
            (json!({ "results": null }), "it has no list of results"),
            (
                json!({ "results": [], "invocations": [{ "executionSuccessful": false }] }),
                "it says that it did not succeed",
            ),
            (
                json!({ "results": [], "invocations": [{ "executionSuccessful": false, "exitCodeDescription": "no memory" }] }),
                "no memory",
            ),
            (
                json!({ "results": [], "invocations": [{ "toolExecutionNotifications": [
                    { "level": "warning", "message": { "text": "slow" } }, { "level": "error", "message": { "text": "broke" } }
                ] }] }),
                "broke",
            ),
        ] {
            let mut whole = more;
            whole["tool"] = tool.clone();
            assert_eq!(run(whole).trouble, [why]);
        }
        let clean = json!({ "tool": tool, "results": [], "invocations": [{ "executionSuccessful": true }] });
        assert!(run(clean).trouble.is_empty());
    }
}
