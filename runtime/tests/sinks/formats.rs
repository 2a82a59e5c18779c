//! Files for other tools: what they say of a run, and that their own readers take them.

use std::fs;
use std::path::Path;
use std::process::Command;

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json};
use taskbot_runtime::sink::Notice;
use taskbot_runtime::task::{Outcome, TaskResult};

use super::{notice, outlet, report, result, support};

/// Findings as they are kept: a summary of the tool, a rule with two places, one with none.
fn findings() -> Vec<TaskResult> {
    let place = |line: u64, column: u64| {
        let message = "leaks <m> & \u{1b}";
        json!({"file": "src/a b.c", "line": line, "column": column, "message": message, "severity": "warning"})
    };
    vec![
        result(
            "dist.look.cppcheck",
            Outcome::Failed,
            json!({"tool": "cppcheck", "version": "2.10", "findings": 3}),
        ),
        result(
            "dist.look.cppcheck.memleak",
            Outcome::Failed,
            json!({"tool": "cppcheck", "version": "2.10", "findings": 2, "rule": "memleak", "help": "https://example.org/memleak",
                "places": [place(3, 5), place(9, 0), {"file": "whole.c", "message": "odd"}, {"message": "nowhere"}]}),
        ),
        result(
            "dist.look.cppcheck.style",
            Outcome::Info,
            json!({"tool": "cppcheck", "version": "2.10", "findings": 1, "rule": "style"}),
        ),
        result("dist.look.other", Outcome::NeedsInspection, json!({})),
        result("dist.look.fine", Outcome::Passed, json!({})),
    ]
}

async fn files(dir: &Path, run: Notice) -> impl Fn(&str) -> String {
    outlet(dir, "kind = 'directory'\npath = 'out'\nformats = ['junit', 'sarif', 'firehose']")
        .deliver(run)
        .await
        .unwrap();
    let out = dir.join("out");
    move |name: &str| fs::read_to_string(out.join(name)).unwrap()
}

fn broken() -> Notice {
    let mut broken = report(Vec::new());
    (broken.run.state, broken.run.note) = ("infrastructure-error".into(), Some("no network".into()));
    Notice::new(broken, "/nowhere".into())
}

#[tokio::test]
async fn sarif_has_each_place_under_its_rule() {
    let dir = tempfile::tempdir().unwrap();
    let read = files(dir.path(), notice(findings())).await;
    let sarif: Value = serde_json::from_str(&read("7.sarif")).unwrap();
    assert_eq!((&sarif["version"], sarif["runs"].as_array().unwrap().len()), (&json!("2.1.0"), 2));
    let cppcheck = sarif["runs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|run| run["tool"]["driver"]["name"] == "cppcheck")
        .unwrap();
    let rules = cppcheck["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(
        rules[0],
        json!({"id": "memleak", "name": "dist.look.cppcheck.memleak", "helpUri": "https://example.org/memleak"})
    );
    let results = cppcheck["results"].as_array().unwrap();
    assert_eq!(results.len(), 4, "three places and one rule without any: {results:?}");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        // The standard: a level other than "none" only where something failed.
        assert_eq!(result["kind"] == "fail", result["level"] != "none", "{result}");
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
    }
    let places: Vec<_> =
        results.iter().map(|result| result["locations"][0]["physicalLocation"].clone()).collect();
    assert_eq!(
        places[0],
        json!({"artifactLocation": {"uri": "src/a%20b.c"}, "region": {"startLine": 3, "startColumn": 5}})
    );
    assert_eq!(places[1]["region"], json!({"startLine": 9}));
    assert_eq!(places[2], json!({"artifactLocation": {"uri": "whole.c"}}));
    assert_eq!(results[3]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], "curl-8.6.0-7.fc40");
    assert_eq!(cppcheck["invocations"][0]["executionSuccessful"], true);

    let read = files(dir.path(), broken()).await;
    let sarif: Value = serde_json::from_str(&read("7.sarif")).unwrap();
    let invocation = &sarif["runs"][0]["invocations"][0];
    assert_eq!(
        (&invocation["executionSuccessful"], &sarif["runs"][0]["results"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(invocation["toolExecutionNotifications"][0]["message"]["text"], "no network");
}

#[tokio::test]
async fn firehose_keeps_to_its_schema() {
    let dir = tempfile::tempdir().unwrap();
    for (run, issues) in [(notice(findings()), 3), (notice(Vec::new()), 0), (broken(), 0)] {
        let text = files(dir.path(), run).await("7.firehose.xml");
        assert_eq!(check(&text), issues, "{text}");
    }
    let text = files(dir.path(), notice(findings())).await("7.firehose.xml");
    assert!(text.contains(r#"<generator name="cppcheck" version="2.10"/>"#), "{text}");
    assert!(
        text.contains(r#"<source-rpm name="curl" version="8.6.0" release="7.fc40" build-arch="x86_64"/>"#),
        "{text}"
    );
    for wrong in [
        "<analysis><results/></analysis>",
        "<analysis><metadata/><results/></analysis>",
        "<analysis><metadata><generator name='x'/></metadata><results><issue><message>m</message></issue></results></analysis>",
        "<analysis><metadata><generator name='x'/></metadata><results><issue><message>m</message><location>\
         <file given-path='f'/><point line='1'/></location></issue></results></analysis>",
        "<analysis><metadata><generator name='x'/></metadata><results><info kind='x'/></results></analysis>",
    ] {
        assert!(std::panic::catch_unwind(|| check(wrong)).is_err(), "{wrong}");
    }
}

/// What may stand in each element of the schema: needed attributes, further ones, and children in order with how many.
type Rule = (&'static str, &'static [&'static str], &'static [&'static str], &'static str);
const SCHEMA: &[Rule] = &[
    ("analysis", &[], &[], "metadata results"),
    ("metadata", &[], &[], "generator sut? file? stats?"),
    ("generator", &["name"], &["version"], ""),
    ("sut", &[], &[], "source-rpm"),
    ("source-rpm", &["name", "version", "release", "build-arch"], &[], ""),
    ("results", &[], &[], "(issue|failure|info)*"),
    ("issue", &[], &["cwe", "test-id", "severity"], "message notes? location trace?"),
    ("failure", &[], &["failure-id"], "location? message? custom-fields?"),
    ("info", &[], &["info-id"], "location? message? custom-fields?"),
    ("message", &[], &[], ""),
    ("location", &[], &[], "file function? (point|range)"),
    ("file", &["given-path"], &["absolute-path"], "hash?"),
    ("point", &["line", "column"], &[], ""),
];

/// Panics unless a document is what the schema allows; gives the number of issues.
fn check(text: &str) -> usize {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<(String, String)> = vec![(String::new(), String::new())];
    let mut issues = 0;
    loop {
        let event = reader.read_event().unwrap();
        let (start, is_empty) = match &event {
            Event::Start(start) => (start, false),
            Event::Empty(start) => (start, true),
            Event::End(_) => {
                close(open.pop().unwrap());
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        let name = start.name().as_ref().to_owned();
        let (_, needed, further, _) =
            SCHEMA.iter().find(|rule| rule.0 == name).unwrap_or_else(|| panic!("<{name}>"));
        let found: Vec<String> = start.attributes().map(|a| a.unwrap().key.as_ref().to_owned()).collect();
        assert!(needed.iter().all(|key| found.iter().any(|f| f == key)), "<{name}> {found:?}");
        assert!(
            found.iter().all(|f| needed.iter().chain(*further).any(|key| f == key)),
            "<{name}> {found:?}"
        );
        issues += usize::from(name == "issue");
        let children = &mut open.last_mut().unwrap().1;
        children.push_str(&format!("{name} "));
        if is_empty {
            close((name, String::new()));
        } else {
            open.push((name, String::new()));
        }
    }
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].1, "analysis ");
    issues
}

/// Compares the children of an element with its rule: names, `?`, and one group of alternatives.
fn close((name, children): (String, String)) {
    let rule = SCHEMA.iter().find(|rule| rule.0 == name).unwrap().3;
    let mut left = children.split_whitespace().peekable();
    for part in rule.split_whitespace() {
        let bare = part.trim_end_matches(['?', '*']).trim_matches(['(', ')']);
        let fits = |child: &&str| bare.split('|').any(|name| name == *child);
        match part.chars().last().unwrap() {
            '*' => while left.next_if(fits).is_some() {},
            '?' => drop(left.next_if(fits)),
            _ => assert!(left.next_if(fits).is_some(), "<{name}> has {children:?}, not {rule:?}"),
        }
    }
    assert_eq!(left.next(), None, "<{name}> has {children:?}, not {rule:?}");
}

/// The reader of firehose's own library.
#[tokio::test]
async fn firehoses_own_library_reads_what_is_written() {
    let Some(python) = support::python("firehose==0.5 six==1.17.0") else { return };
    let dir = tempfile::tempdir().unwrap();
    drop(files(dir.path(), notice(findings())).await);
    let script = "import sys, json\nfrom firehose.model import Analysis, Issue, Failure, Info\n\
        a = Analysis.from_xml(open(sys.argv[1]))\n\
        print(json.dumps({'generator': a.metadata.generator.name, 'sut': a.metadata.sut.name,\
        'issues': [[r.testid, r.severity, r.location.file.givenpath, r.location.point.line, r.message.text]\
         for r in a.results if isinstance(r, Issue)],\
        'others': sorted(type(r).__name__ for r in a.results if not isinstance(r, Issue))}))\n";
    let output = Command::new(python)
        .args(["-c", script])
        .arg(dir.path().join("out/7.firehose.xml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&read["generator"], &read["sut"]), (&json!("cppcheck"), &json!("curl")));
    assert_eq!(read["issues"][0], json!(["memleak", "warning", "src/a b.c", 3, "leaks <m> & \\u{1b}"]));
    assert_eq!(
        (read["issues"].as_array().unwrap().len(), &read["others"]),
        (3, &json!(["Failure", "Info", "Info"]))
    );
}

/// What taskbot writes it reads as well: a task that hands on another's files loses no verdict.
#[tokio::test]
async fn junit_counts_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let text = files(dir.path(), notice(findings())).await("7.xml");
    let counts = ["tests=\"5\"", "failures=\"2\"", "errors=\"1\"", "skipped=\"1\""];
    assert!(counts.iter().all(|count| text.contains(count)), "{text}");
}
