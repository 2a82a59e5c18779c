//! Firehose XML, the form that brings the findings of many analyzers together.
//!
//! Comes in: the text of a file. Goes out: one analysis. An `issue` breaks its test, a `failure` says that something
//! could not be analysed and is for somebody to look at, an `info` is a remark. How bad an issue is ("style", "error")
//! is a word of its tool's own: it is kept with the place and decides nothing. Traces and notes stay in the file.

use super::findings::{Analysis, Finding, Verdict};
use super::xml::{self, Attributes, Node};
use crate::limits;

/// Reads a file of firehose XML.
pub(super) fn read(text: &str) -> Result<Analysis, String> {
    let mut reader = Reader::default();
    xml::walk(text, |path, node| reader.node(path, node))?;
    if reader.analysis.tool.trim().is_empty() {
        return Err("it does not name its generator".into());
    }
    Ok(reader.analysis)
}

#[derive(Default)]
struct Reader {
    analysis: Analysis,
    /// The issue, failure or info whose element is open.
    open: Option<Finding>,
}

impl Reader {
    fn node(&mut self, path: &str, node: Node<'_>) -> Result<(), String> {
        let Some(inner) = path.strip_prefix("analysis") else {
            return Err(format!("it is not firehose: its root is <{path}>"));
        };
        let Some(result) = inner.strip_prefix("/results/") else {
            if let ("/metadata/generator", Node::Open(mut attributes)) = (inner, node) {
                self.analysis.tool = attributes.remove("name").unwrap_or_default();
                self.analysis.version = attributes.remove("version").unwrap_or_default();
            }
            return Ok(());
        };
        match (result.split_once('/'), node) {
            (None, Node::Open(attributes)) => self.open = begin(result, attributes),
            (None, Node::Close) => self.end()?,
            (None, Node::Text(_)) => {}
            (Some((_, within)), node) => {
                if let Some(finding) = &mut self.open {
                    detail(finding, within, node);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(finding) = self.open.take() else { return Ok(()) };
        if finding.verdict == Verdict::Unclear {
            let what = if finding.message.trim().is_empty() { &finding.rule } else { &finding.message };
            self.analysis.trouble.push(format!("failure: {}", what.trim()));
        }
        self.analysis.findings.push(finding);
        if self.analysis.findings.len() > limits::RESULTS_LISTED {
            return Err(format!("it has more than {} findings", limits::RESULTS_LISTED));
        }
        Ok(())
    }
}

fn begin(element: &str, mut attributes: Attributes) -> Option<Finding> {
    let (verdict, id) = match element {
        "issue" => (Verdict::Broken, "test-id"),
        "failure" => (Verdict::Unclear, "failure-id"),
        "info" => (Verdict::Remark, "info-id"),
        _ => return None,
    };
    Some(Finding {
        rule: attributes.remove(id).unwrap_or_else(|| element.to_owned()),
        file: String::new(),
        line: 0,
        column: 0,
        message: String::new(),
        verdict,
        severity: attributes.remove("severity").unwrap_or_default(),
        help: String::new(),
    })
}

/// A part of a finding; what stands in its trace is no place of its own.
fn detail(finding: &mut Finding, within: &str, node: Node<'_>) {
    match (within, node) {
        ("message", Node::Text(text)) if finding.message.len() < limits::RESULT_NOTE_BYTES => {
            finding.message.push_str(text);
        }
        ("location/file", Node::Open(mut attributes)) => {
            finding.file = attributes.remove("given-path").unwrap_or_default();
        }
        ("location/point" | "location/range/point", Node::Open(attributes)) if finding.line == 0 => {
            let number = |key: &str| attributes.get(key).and_then(|text| text.parse().ok()).unwrap_or(0);
            finding.line = number("line");
            finding.column = number("column");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn an_issue_is_at_its_own_place_whatever_its_trace_says() {
        let place = |file: &str, line: u32| {
            format!(
                "<location><file given-path=\"{file}\"/><function name=\"f\"/><range><point line=\"{line}\" column=\"2\"/>\
                 <point line=\"99\" column=\"9\"/></range></location>"
            )
        };
        let text = format!(
            "<analysis><metadata><generator name=\"x\" version=\"1\"/><file given-path=\"whole.c\"/></metadata><results>\
             <issue test-id=\"t\" severity=\"style\"><message>a &lt; b</message><notes>long</notes>{}\
             <trace><state>{}<notes>n</notes></state></trace></issue><issue><message>m</message>{}</issue></results></analysis>",
            place("a.c", 3),
            place("b.c", 7),
            place("c.c", 5),
        );
        let analysis = read(&text).unwrap();
        let told: Vec<_> = analysis
            .findings
            .iter()
            .map(|f| {
                (f.rule.as_str(), f.file.as_str(), f.line, f.column, f.message.as_str(), f.severity.as_str())
            })
            .collect();
        assert_eq!(told, [("t", "a.c", 3, 2, "a < b", "style"), ("issue", "c.c", 5, 2, "m", "")]);
        assert_eq!(
            (analysis.tool.as_str(), analysis.version.as_str(), analysis.trouble.len()),
            ("x", "1", 0)
        );
    }

    #[test]
    fn an_analysis_without_results_is_clean_and_findings_are_bounded() {
        let with = |results: &str| {
            read(&format!(
                "<analysis><metadata><generator name=\"x\"/></metadata><results>{results}</results></analysis>"
            ))
        };
        assert_eq!(with("").unwrap().findings.len(), 0);
        let said = with(&"<info/>".repeat(limits::RESULTS_LISTED + 1)).unwrap_err();
        assert_eq!(said, "it has more than 20000 findings");
    }
}
