//! What analyzers found, as results: few, with names that stay.
//!
//! Comes in: for each run of a tool, what it found and whether it looked at everything. Goes out: one result for each
//! tool, there whether it found something or not, and one below it for each rule that was broken, with a count and the
//! places. Several files of one tool, one for each source file it may be, are one tool: otherwise the result of the
//! last would hide those of the others. A finding that stands in several files at the same place counts once.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Outcome;
use super::reported::{Reported, below, cut, one_line};
use crate::limits;

/// One run of a tool.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    /// The tool's name.
    pub(super) tool: String,
    /// Its version, as it says it.
    pub(super) version: String,
    /// What it found.
    pub(super) findings: Vec<Finding>,
    /// How many findings somebody suppressed.
    pub(super) suppressed: usize,
    /// Why it may not have looked at everything.
    pub(super) trouble: Vec<String>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    /// The rule that found it; may be empty.
    pub(super) rule: String,
    /// Where.
    pub(super) file: String,
    /// Line from 1; 0 where it is about the whole file.
    pub(super) line: u64,
    /// Column from 1; 0 where it is about the whole line.
    pub(super) column: u64,
    /// What is wrong there.
    pub(super) message: String,
    /// What it means.
    pub(super) verdict: Verdict,
    /// How bad, in the tool's own words; may be empty.
    pub(super) severity: String,
    /// Page about the rule; may be empty.
    pub(super) help: String,
}

/// What a finding means for the rule, the worse the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// The rule holds there.
    Holds,
    /// Worth knowing.
    Remark,
    /// Somebody has to look.
    Unclear,
    /// The rule is broken there.
    Broken,
}

impl Verdict {
    fn outcome(self) -> Outcome {
        match self {
            Self::Holds => Outcome::Passed,
            Self::Remark => Outcome::Info,
            Self::Unclear => Outcome::NeedsInspection,
            Self::Broken => Outcome::Failed,
        }
    }
}

/// All analyses of a run, each with the file that it stood in, as results.
pub(super) fn results(analyses: Vec<(String, Analysis)>) -> Vec<Reported> {
    let mut tools: BTreeMap<String, Tool> = BTreeMap::new();
    for (file, analysis) in analyses {
        let tool = tools.entry(word(&analysis.tool, "analyzer")).or_default();
        if !tool.files.contains(&file) {
            tool.files.push(file);
        }
        let all = &mut tool.all;
        all.version = analysis.version;
        all.findings.extend(analysis.findings);
        all.suppressed += analysis.suppressed;
        all.trouble.extend(analysis.trouble);
    }
    tools.into_iter().flat_map(|(name, tool)| tool.results(&name)).collect()
}

#[derive(Default)]
struct Tool {
    files: Vec<String>,
    all: Analysis,
}

impl Tool {
    fn results(mut self, name: &str) -> Vec<Reported> {
        self.all.findings.sort();
        self.all.findings.dedup();
        let rules: Vec<Reported> =
            self.all.findings.chunk_by(|a, b| a.rule == b.rule).map(|of| self.rule(name, of)).collect();
        let broken = rules.iter().filter(|rule| rule.outcome != Outcome::Passed).count();
        let mut results = vec![self.summary(name, broken)];
        results.extend(rules);
        results
    }

    fn summary(&self, name: &str, rules: usize) -> Reported {
        let worst = self.all.findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Holds);
        // a remark is a result of its rule, no reason to hold the tool's verdict back
        let mut verdict = if worst <= Verdict::Remark { Verdict::Holds } else { worst };
        let mut note = match shown(&self.all.findings) {
            0 => "nothing found".to_owned(),
            found => format!("{} of {}", counted(found, "finding"), counted(rules, "rule")),
        };
        if self.all.suppressed > 0 {
            note.push_str(&format!(", {} suppressed", self.all.suppressed));
        }
        if let Some(first) = self.all.trouble.first() {
            verdict = verdict.max(Verdict::Unclear);
            let more = self.all.trouble.len() - 1;
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            note = format!("{note}; it may not have looked at everything: {first}{more}");
        }
        let mut data = self.data(name, &self.all.findings);
        if self.all.suppressed > 0 {
            data.insert("suppressed".into(), json!(self.all.suppressed));
        }
        Reported { note, data, artifacts: self.files.clone(), ..Reported::local(name, verdict.outcome()) }
    }

    /// Findings of one rule, at least one.
    fn rule(&self, tool: &str, findings: &[Finding]) -> Reported {
        let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Holds);
        let rule = findings.first().map_or("", |finding| finding.rule.as_str());
        let name = word(rule, "other");
        let mut worst = findings.iter().filter(|finding| finding.verdict == verdict);
        let first = worst.next().map(Finding::sentence).unwrap_or_default();
        let count = shown(findings);
        let note = match (verdict, count) {
            (Verdict::Holds, _) => format!("it holds, said {}", counted(findings.len(), "time")),
            (_, 1) => first,
            (_, count) => format!("{}, first {first}", counted(count, "finding")),
        };
        let mut data = self.data(tool, findings);
        data.insert("rule".into(), Value::String(cut(&one_line(rule), limits::RESULT_NAME_BYTES)));
        let places: Vec<Value> = findings
            .iter()
            .filter(|finding| finding.verdict != Verdict::Holds)
            .take(limits::RESULT_PLACES)
            .map(Finding::place)
            .collect();
        if count > places.len() {
            data.insert("places_left_out".into(), json!(count - places.len()));
        }
        data.insert("places".into(), Value::Array(places));
        if let Some(help) = findings.iter().map(|f| one_line(&f.help)).find(|help| !help.is_empty()) {
            data.insert("help".into(), Value::String(cut(&help, limits::RESULT_NAME_BYTES)));
        }
        Reported { note, data, ..Reported::local(below(tool, &name), verdict.outcome()) }
    }

    fn data(&self, tool: &str, findings: &[Finding]) -> Map<String, Value> {
        let mut data = Map::new();
        data.insert("tool".into(), Value::String(cut(tool, limits::RESULT_NAME_BYTES)));
        let version = cut(&one_line(&self.all.version), limits::RESULT_NAME_BYTES);
        if !version.is_empty() {
            data.insert("version".into(), Value::String(version));
        }
        data.insert("findings".into(), json!(shown(findings)));
        data
    }
}

impl Finding {
    /// `src/a.c:3:5: message`.
    fn sentence(&self) -> String {
        let mut text = one_line(&self.file);
        for number in [self.line, self.column].into_iter().take_while(|number| *number > 0) {
            text.push_str(&format!(":{number}"));
        }
        let separator = if text.is_empty() { "" } else { ": " };
        format!("{text}{separator}{}", one_line(&self.message))
    }

    fn place(&self) -> Value {
        let mut place = Map::new();
        let mut text = |key: &str, value: &str, max_bytes: usize| {
            if !value.is_empty() {
                place.insert(key.into(), Value::String(cut(&one_line(value), max_bytes)));
            }
        };
        text("file", &self.file, limits::RESULT_NAME_BYTES);
        text("message", &self.message, limits::RESULT_NAME_BYTES);
        text("severity", &self.severity, 40);
        for (key, number) in [("line", self.line), ("column", self.column)] {
            if number > 0 {
                place.insert(key.into(), json!(number));
            }
        }
        Value::Object(place)
    }
}

/// How many of them say more than that a rule holds.
fn shown(findings: &[Finding]) -> usize {
    findings.iter().filter(|finding| finding.verdict != Verdict::Holds).count()
}

/// A part of a test case's name: without white space, and not empty.
fn word(name: &str, otherwise: &str) -> String {
    match one_line(name) {
        name if name.is_empty() => otherwise.to_owned(),
        name => cut(&name.replace(' ', "-"), limits::RESULT_NAME_BYTES),
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "tests")]

    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn finding(rule: &str, line: u64, verdict: Verdict) -> Finding {
        let [file, message, severity, help] = ["a.c", "wrong", "warning", ""].map(str::to_owned);
        Finding { rule: rule.into(), file, line, column: 0, message, verdict, severity, help }
    }

    fn of(findings: Vec<Finding>) -> Vec<Reported> {
        let analysis = Analysis { tool: "my tool".into(), findings, ..Analysis::default() };
        results(vec![("f".into(), analysis)])
    }

    #[test]
    fn remarks_do_not_hold_a_tool_back_and_what_holds_is_said() {
        let all = of(vec![finding("holds", 1, Verdict::Holds), finding("remark", 2, Verdict::Remark)]);
        let told: Vec<_> =
            all.iter().map(|one| (one.name.as_str(), one.outcome, one.note.as_str())).collect();
        assert_eq!(
            told,
            [
                ("my-tool", Outcome::Passed, "1 finding of 1 rule"),
                ("my-tool.holds", Outcome::Passed, "it holds, said 1 time"),
                ("my-tool.remark", Outcome::Info, "a.c:2: wrong"),
            ]
        );
    }

    #[test]
    fn what_has_no_name_gets_one() {
        let analysis = Analysis {
            tool: " ".into(),
            findings: vec![finding("", 1, Verdict::Broken)],
            ..Analysis::default()
        };
        let all = results(vec![("f".into(), analysis)]);
        assert_eq!(
            all.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
            ["analyzer", "analyzer.other"]
        );
    }

    #[test]
    fn a_rule_lists_its_first_places_and_counts_all() {
        let most = u64::try_from(limits::RESULT_PLACES).unwrap_or(u64::MAX);
        let all = of((1..=most + 7).map(|line| finding("", line, Verdict::Broken)).collect());
        let rule = &all[1];
        assert_eq!(
            (rule.name.as_str(), rule.note.as_str()),
            ("my-tool.other", "107 findings, first a.c:1: wrong")
        );
        assert_eq!(rule.data["places"].as_array().map(Vec::len), Some(limits::RESULT_PLACES));
        assert_eq!(rule.data["places_left_out"], 7);
    }

    #[test]
    fn the_largest_data_stays_within_its_bound() {
        let long = || "\"\\".repeat(limits::RESULTS_LISTED);
        let wide = |line| Finding {
            file: long(),
            message: long(),
            severity: long(),
            help: long(),
            ..finding(&long(), line, Verdict::Broken)
        };
        let all = of((1..=200).map(wide).collect());
        let bytes = all
            .iter()
            .map(|one| serde_json::to_string(&one.data).map_or(usize::MAX, |json| json.len()))
            .max();
        assert!(bytes.is_some_and(|bytes| bytes <= limits::RESULT_DATA_BYTES), "{bytes:?}");
    }

    #[test]
    fn trouble_is_told_and_does_not_hide_what_was_found() {
        let troubled = |findings| {
            let trouble = vec!["no memory".to_owned(), "no time".to_owned()];
            let analysis = Analysis { tool: "t".into(), findings, trouble, ..Analysis::default() };
            results(vec![("f".into(), analysis)]).swap_remove(0)
        };
        let clean = troubled(Vec::new());
        assert_eq!(clean.outcome, Outcome::NeedsInspection);
        assert_eq!(clean.note, "nothing found; it may not have looked at everything: no memory (and 1 more)");
        assert_eq!(troubled(vec![finding("r", 1, Verdict::Broken)]).outcome, Outcome::Failed);
    }

    proptest! {
        /// However findings are spread over files, each counts once, in its rule and in its tool, and the worst decides.
        #[test]
        fn nothing_is_lost_or_counted_twice(
            spread in prop::collection::vec((0..3_usize, 0..4_u64, 0..4_usize), 0..40),
        ) {
            const VERDICTS: [Verdict; 4] = [Verdict::Holds, Verdict::Remark, Verdict::Unclear, Verdict::Broken];
            let files = spread.chunks(7).map(|chunk| {
                let finding = |(rule, line, verdict): &(usize, u64, usize)| {
                    finding(&format!("r{rule}"), *line, VERDICTS[*verdict])
                };
                let findings = chunk.iter().map(finding).collect();
                ("f".to_owned(), Analysis { tool: "t".into(), findings, ..Analysis::default() })
            });
            let all = results(files.collect());
            let distinct: BTreeSet<_> = spread.iter().filter(|(_, _, verdict)| *verdict > 0).collect();
            prop_assert_eq!(all.is_empty(), spread.is_empty());
            if let Some((tool, rules)) = all.split_first() {
                let counted: u64 = rules.iter().filter_map(|rule| rule.data["findings"].as_u64()).sum();
                prop_assert_eq!(tool.data["findings"].as_u64(), Some(counted));
                prop_assert_eq!(usize::try_from(counted).ok(), Some(distinct.len()));
                let worst = spread.iter().map(|(_, _, verdict)| *verdict).max().unwrap_or(0);
                let expected = [Outcome::Passed, Outcome::Passed, Outcome::NeedsInspection, Outcome::Failed][worst];
                prop_assert_eq!(tool.outcome, expected);
            }
        }
    }
}
