//! What real tools write, as results; `fixtures/results/make` makes their outputs anew.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod task_run;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;
use task_run::{Run, find, outcomes};
use taskbot_runtime::executor::Ended;
use taskbot_runtime::task::Outcome::{Failed, Info, NeedsInspection, Passed};
use taskbot_runtime::task::results::Collected;
use taskbot_runtime::task::{Manifest, artifacts};

fn manifest(from: &str) -> Manifest {
    let head = "[task]\nname = \"demo\"\nnamespace = \"dist\"\n[run]\ncommand = [\"./run\"]\n";
    Manifest::parse(&format!("{head}[results]\nfrom = [{from}]\n")).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/results").join(name)).unwrap()
}

/// Results of files among the artifacts.
fn of_files(from: &str, files: &[(&str, &[u8])]) -> Collected {
    let run = Run::new(Path::new("/checkout"));
    for (name, content) in files {
        let path = run.dirs.artifacts.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    run.collect(&manifest(from), Ended::Exit(0))
}

/// Results of a fixture read as a format.
fn of(format: &str, name: &str) -> Collected {
    let collected = of_files(&format!("\"{format}:{name}\""), &[(name, &fixture(name))]);
    assert_eq!(collected.problems, Vec::<String>::new());
    collected
}

#[test]
fn sarif_of_clang_is_one_result_for_the_tool_and_one_for_each_rule() {
    let collected = of("sarif", "clang.sarif");
    assert_eq!(
        outcomes(&collected.results),
        [
            ("dist.demo.clang", Failed),
            ("dist.demo.clang.core.uninitialized.UndefReturn", Failed),
            ("dist.demo.clang.unix.Malloc", Failed),
        ]
    );
    let [tool, _, rule] = collected.results.as_slice() else { unreachable!("three, as was asserted") };
    assert_eq!((tool.note.as_str(), tool.artifacts[0].as_str()), ("3 findings of 2 rules", "clang.sarif"));
    assert_eq!(tool.data["version"], "Debian clang version 14.0.6");
    assert_eq!(rule.note, "2 findings, first /home/qa/sample/bad.c:13:5: Attempt to free released memory");
    assert_eq!((&rule.data["findings"], &rule.data["rule"]), (&json!(2), &json!("unix.Malloc")));
    assert_eq!(
        rule.data["places"][0],
        json!({ "file": "/home/qa/sample/bad.c", "line": 13, "column": 5, "severity": "warning",
            "message": "Attempt to free released memory" })
    );
    assert!(rule.data["help"].as_str().unwrap().ends_with("#unix.Malloc"), "{rule:?}");
}

#[test]
fn a_tool_that_finds_nothing_passes() {
    let collected = of("sarif", "clang-clean.sarif");
    assert_eq!(outcomes(&collected.results), [("dist.demo.clang", Passed)]);
    assert_eq!(collected.results[0].note, "nothing found");
}

#[test]
fn the_files_of_one_tool_are_one_result() {
    let (bad, clean) = (fixture("clang.sarif"), fixture("clang-clean.sarif"));
    let files: [(&str, &[u8]); 3] =
        [("a/bad.sarif", &bad), ("a/same.sarif", &bad), ("z/clean.sarif", &clean)];
    let collected = of_files("\"sarif:**/*.sarif\"", &files);
    assert_eq!(collected.results.len(), 3, "a clean file does not hide the others: {collected:?}");
    assert_eq!(collected.results[0].outcome, Failed);
    assert_eq!(collected.results[0].note, "3 findings of 2 rules", "what stands in two files counts once");
    assert_eq!(collected.results[0].artifacts, ["a/bad.sarif", "a/same.sarif", "z/clean.sarif"]);
}

#[test]
fn an_analyzer_may_write_a_file_for_each_source_file_within_bounds() {
    let clean = fixture("clang-clean.sarif");
    let names: Vec<String> = (0..=1_000).map(|number| format!("{number:04}.sarif")).collect();
    let all: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), clean.as_slice())).collect();
    let collected = of_files("\"sarif:*.sarif\"", &all[..1_000]);
    assert_eq!(outcomes(&collected.results), [("dist.demo.clang", Passed)]);
    assert_eq!((collected.results[0].artifacts.len(), collected.problems.len()), (1_000, 0));
    let collected = of_files("\"sarif:*.sarif\"", &all);
    assert_eq!(outcomes(&collected.results), [("dist.demo", NeedsInspection), ("dist.demo.clang", Passed)]);
    assert!(
        collected.results[0].note.contains("more than 1000 files of results"),
        "{:?}",
        collected.results[0]
    );
}

#[test]
fn sarif_of_eslint_with_a_suppressed_result_is_read() {
    let collected = of("sarif", "eslint.sarif");
    assert_eq!(
        outcomes(&collected.results),
        [
            ("dist.demo.ESLint", Failed),
            ("dist.demo.ESLint.no-constant-condition", Failed),
            ("dist.demo.ESLint.no-empty", Failed),
            ("dist.demo.ESLint.no-unused-vars", Failed),
        ]
    );
    assert_eq!(collected.results[0].note, "3 findings of 3 rules, 1 suppressed");
    assert_eq!(collected.results[0].data["suppressed"], 1);
}

#[test]
fn sarif_of_bandit_and_ruff_is_read() {
    let collected = of("sarif", "bandit.sarif");
    let note = &find(&collected.results, "dist.demo.Bandit.B404");
    assert_eq!((note.outcome, find(&collected.results, "dist.demo.Bandit").outcome), (Info, Failed));
    let collected = of("sarif", "ruff.sarif");
    assert_eq!(find(&collected.results, "dist.demo.ruff").outcome, Failed);
    let unused = find(&collected.results, "dist.demo.ruff.F401");
    assert_eq!(unused.note, "/home/qa/sample/bad.py:1:8: `os` imported but unused");
}

#[test]
fn firehose_of_cppcheck_and_gcc_is_read() {
    let collected = of("firehose", "cppcheck.firehose.xml");
    let double = find(&collected.results, "dist.demo.cppcheck.doubleFree");
    assert_eq!((double.outcome, &double.data["findings"]), (Failed, &json!(2)));
    assert_eq!(double.data["places"][1]["line"], 13);
    assert_eq!(double.data["places"][1]["severity"], "error");
    assert_eq!(find(&collected.results, "dist.demo.cppcheck").data["version"], "2.10");

    let collected = of("firehose", "gcc.firehose.xml");
    let leak = find(&collected.results, "dist.demo.gcc.analyzer-malloc-leak");
    assert_eq!(leak.note, "bad.c:25:21: leak of 'text' [CWE-401]");
}

#[test]
fn an_analyzer_that_could_not_look_at_all_is_not_clean() {
    let collected = of("firehose", "failure.firehose.xml");
    assert_eq!(
        outcomes(&collected.results),
        [
            ("dist.demo.sample-analyzer", NeedsInspection),
            ("dist.demo.sample-analyzer.complexity", Info),
            ("dist.demo.sample-analyzer.crash", NeedsInspection),
        ]
    );
    let note = &collected.results[0].note;
    assert!(note.ends_with("it may not have looked at everything: failure: ended by signal 11"), "{note}");
}

#[test]
fn tmt_with_subresults_checks_and_logs_is_read() {
    let log = "plan/execute/data/guest/default-0/tests/broken-1/output.txt";
    let content = fixture("tmt-results.yaml");
    let collected = of_files(
        "\"tmt:**/results.yaml\"",
        &[("plan/execute/results.yaml", &content), (log, b"one is not two")],
    );
    assert_eq!(
        outcomes(&collected.results),
        [
            ("dist.demo.tests.broken", Failed),
            ("dist.demo.tests.parts", Failed),
            ("dist.demo.tests.parts.good", Passed),
            ("dist.demo.tests.parts.bad", Failed),
            ("dist.demo.tests.parts.left-out", Info),
            ("dist.demo.tests.smoke", Passed),
            ("dist.demo.tests.stuck", NeedsInspection),
        ]
    );
    assert_eq!(collected.results[0].artifacts, [log], "logs are relative to the file that names them");
    assert_eq!(collected.results[0].data["guest"]["name"], "default-0");
    assert!(collected.results[0].data.get("__class__").is_none());
    assert_eq!(collected.results[6].note, "check internal/timeout: Test exceeded maximum duration of 2s");
    assert!(collected.problems.iter().all(|problem| problem.ends_with("there is no such file")));
}

#[test]
fn one_test_on_two_guests_is_two_results() {
    let text = "- {name: /a, result: pass, guest: {name: server}}\n- {name: /a, result: fail, guest: {name: client}}\n";
    let collected = of_files("\"tmt:r\"", &[("r", text.as_bytes())]);
    assert_eq!(
        outcomes(&collected.results),
        [("dist.demo.a.server", Passed), ("dist.demo.a.client", Failed)]
    );
}

#[test]
fn tap_14_of_node_tap_with_subtests_is_read() {
    let collected = of("tap", "node-tap.tap");
    assert_eq!(
        outcomes(&collected.results),
        [
            ("dist.demo.group", Failed),
            ("dist.demo.group.a # b \\ c", Passed),
            ("dist.demo.group.one is two", Failed),
            ("dist.demo.group.later", Info),
            ("dist.demo.left out", Info),
        ]
    );
    assert!(collected.results[0].data["time"].as_str().unwrap().ends_with("ms"));
    assert_eq!(collected.results[2].data["diagnostic"]["at"]["lineNumber"], 4);
}

#[test]
fn subtests_of_perl_are_read() {
    let collected = of("tap", "perl-subtests.tap");
    assert_eq!(
        outcomes(&collected.results),
        [
            ("dist.demo.alone", Passed),
            ("dist.demo.outer", Failed),
            ("dist.demo.outer.a", Passed),
            ("dist.demo.outer.inner", Failed),
            ("dist.demo.outer.inner.deep", Passed),
            ("dist.demo.outer.inner.deeper", Failed),
            ("dist.demo.left out", Info),
        ]
    );
}

#[test]
fn the_log_of_prove_with_several_files_is_read() {
    let run = Run::new(Path::new("/checkout"));
    fs::write(&run.dirs.log_file, fixture("prove.log")).unwrap();
    let collected = run.collect(&manifest("\"tap:-\""), Ended::Exit(1));
    assert_eq!(
        outcomes(&collected.results),
        [
            ("dist.demo.first", Passed),
            ("dist.demo.second # not a directive?", Failed),
            ("dist.demo.3", Info),
            ("dist.demo.fourth", Info),
            ("dist.demo.of the first file", Passed),
            ("dist.demo.of the second file", Passed),
        ]
    );
}

#[test]
fn bats_is_read_as_tap_and_as_junit() {
    let tap = of("tap", "bats.tap");
    let names = [("dist.demo.adds", Passed), ("dist.demo.fails", Failed), ("dist.demo.left out", Info)];
    assert_eq!(outcomes(&tap.results), names);
    assert!(tap.results[1].note.starts_with("(in test file sample.bats, line 6)"), "{}", tap.results[1].note);
    let junit = of("junit", "bats.xml");
    let names = names.map(|(name, outcome)| (name.replace("demo.", "demo.sample.bats."), outcome));
    assert_eq!(outcomes(&junit.results), names.each_ref().map(|(name, outcome)| (name.as_str(), *outcome)));
    assert_eq!(
        junit.results[1].note, "(in test file sample.bats, line 6)",
        "its first line, for want of a message"
    );
    assert_eq!(junit.results[2].note, "skipped: no network here");
}

#[test]
fn junit_of_prove_and_node_is_read() {
    let collected = of("junit", "prove.xml");
    let suite = find(&collected.results, "dist.demo.sample_t");
    assert_eq!(
        (suite.outcome, suite.note.as_str()),
        (NeedsInspection, "Dubious, test returned 1 (wstat 256, 0x100)")
    );
    assert_eq!(collected.results.len(), 5, "{collected:?}");
    let collected = of("junit", "node.xml");
    assert_eq!(find(&collected.results, "dist.demo.test.fails with detail").outcome, Failed);
    assert_eq!(find(&collected.results, "dist.demo.test.inner").outcome, Passed);
}

/// Whatever is wrong in a file of whichever format, it is one result that says so, and the file is kept.
#[test]
fn malformed_files_need_inspection_and_are_kept() {
    let results = |list: &str| {
        format!(r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"x"}}}},{list}}}]}}"#)
    };
    let many = results(&format!("\"results\":[{}]", vec!["{}"; 20_001].join(",")));
    let cases: &[(&str, &str, &str)] = &[
        ("sarif", "", "it is not SARIF"),
        ("sarif", "{}", "missing field `version`"),
        ("sarif", r#"{"version":"1.0.0","runs":[]}"#, "it is SARIF \"1.0.0\", read is 2.1.0"),
        ("sarif", r#"{"version":"2.1.0","runs":[]}"#, "it has no run"),
        ("sarif", &results("\"results\":[{\"level\":\"fatal\"}]"), "unknown variant `fatal`"),
        ("sarif", &results("\"results\":[],\"results\":[]"), "duplicate field"),
        ("sarif", &many, "a list with more than 20000 elements"),
        ("sarif", &"[".repeat(100_000), "it is not SARIF"),
        ("firehose", "<analysis><results>", "ends in the middle"),
        ("firehose", "<analysis><results/></analysis>", "does not name its generator"),
        ("firehose", "<results/>", "it is not firehose: its root is <results>"),
        ("firehose", "<!DOCTYPE a><analysis/>", "document type"),
        ("junit", "<testsuite><testcase/>", "ends in the middle"),
        ("tmt", "", "it is empty"),
        ("tmt", "[]", "it reports no result"),
        ("tmt", "results: []", "it is no list of results"),
        ("tmt", "- {name: /a}", "result 1: it has no `result`"),
        ("tmt", "- {name: /a, result: pass, subresult: 7}", "`subresult` is no list"),
        ("tap", "no tap", "it has no line of TAP"),
        ("results", "{", "it is not YAML"),
    ];
    for (format, content, why) in cases {
        let run = Run::new(Path::new("/checkout"));
        fs::write(run.dirs.artifacts.join("r.out"), content).unwrap();
        let manifest = manifest(&format!("\"{format}:*.out\"]\n[artifacts]\nkeep = [\"*.log\""));
        let collected = run.collect(&manifest, Ended::Exit(0));
        assert_eq!(outcomes(&collected.results), [("dist.demo", NeedsInspection)], "{format} {content:.80}");
        let result = &collected.results[0];
        assert!(result.note.contains(why), "{format} {content:.80}: {}", result.note);
        assert_eq!(result.artifacts, ["r.out"]);
        let kept = artifacts::index(&manifest, &run.dirs).kept;
        assert_eq!(kept.len(), 1, "kept whatever the patterns say");
    }
}

/// A name or address that stands once and belongs to many findings does not become as many copies of it.
#[test]
fn long_names_do_not_multiply() {
    let long = "n".repeat(1 << 19);
    let found = vec![
        r#"{"ruleIndex":0,"locations":[{"physicalLocation":{"artifactLocation":{"index":0}}}]}"#;
        10_000
    ];
    let sarif = format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"{long}","rules":[{{"id":"{long}","helpUri":"{long}"}}]}}}},
        "artifacts":[{{"location":{{"uri":"{long}"}}}}],"results":[{}]}}]}}"#,
        found.join(",")
    );
    let collected = of_files("\"sarif:s\"", &[("s", sarif.as_bytes())]);
    assert_eq!(collected.results.len(), 2);
    assert!(
        collected.results.iter().all(|result| result.outcome == NeedsInspection),
        "their names are cut, and it is said"
    );
    let tap = format!("{}    1..1000\nnot ok 1 - {long}\n1..1\n", "    ok\n".repeat(1000));
    let collected = of_files("\"tap:t\"", &[("t", tap.as_bytes())]);
    assert_eq!(collected.results.len(), 1_001, "{:?}", collected.results.last());
}

const REAL: [(&str, &str); 21] = [
    ("junit", "pytest.xml"),
    ("junit", "bats.xml"),
    ("junit", "prove.xml"),
    ("junit", "node.xml"),
    ("tap", "node.tap"),
    ("tap", "node-tap.tap"),
    ("tap", "perl.tap"),
    ("tap", "perl-subtests.tap"),
    ("tap", "prove.log"),
    ("tap", "bats.tap"),
    ("sarif", "clang.sarif"),
    ("sarif", "clang-clean.sarif"),
    ("sarif", "eslint.sarif"),
    ("sarif", "bandit.sarif"),
    ("sarif", "ruff.sarif"),
    ("firehose", "cppcheck.firehose.xml"),
    ("firehose", "gcc.firehose.xml"),
    ("firehose", "failure.firehose.xml"),
    ("tmt", "tmt-results.yaml"),
    ("results", "resultyaml.yml"),
    ("results", "sti.yml"),
];

fn in_bounds(collected: &Collected) -> Result<(), TestCaseError> {
    prop_assert!(!collected.results.is_empty());
    for result in &collected.results {
        prop_assert!(!result.testcase.is_empty() && result.testcase.len() <= 512);
        let control = result.testcase.chars().chain(result.note.chars()).any(char::is_control);
        prop_assert!(!control, "{result:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Real files, cut, overwritten and repeated at random places, read as what they are or as another format: never a
    /// panic, always a result, names within bounds.
    #[test]
    fn mutated_results_always_give_a_result(
        which in 0..REAL.len(),
        as_which in prop::option::weighted(0.1, 0..REAL.len()),
        at in 0.0..1.0_f64,
        with in prop::collection::vec(any::<u8>(), 0..20),
        keep_rest in any::<bool>(),
    ) {
        let mut bytes = fixture(REAL[which].1);
        let at = (at * bytes.len() as f64) as usize;
        let rest = bytes.split_off(at);
        bytes.extend(&with);
        if keep_rest {
            bytes.extend(rest.iter().skip(with.len()));
        }
        let format = REAL[as_which.unwrap_or(which)].0;
        in_bounds(&of_files(&format!("\"{format}:f\""), &[("f", &bytes)]))?;
    }

    #[test]
    fn arbitrary_bytes_always_give_a_result(
        which in 0..REAL.len(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        in_bounds(&of_files(&format!("\"{}:f\"", REAL[which].0), &[("f", &bytes)]))?;
    }
}
