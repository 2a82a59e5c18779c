//! `taskbot test`: tests beside rules, what they say when they fail, coverage, recording.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::message;
use support::site::{Site, project, taskbot};

const RULES: &str = "on koji.build.completed\n  where package.lang == C and (package.name == \"kernel\" or (instance else \"\") == \"primary\")\n  \
     run static-analysis\non koji.build.completed where package.name == \"kernel\" run kernel-tests for arch in package.arches\n";

/// A build of a package in C, with this in its body and these lines below.
fn test(name: &str, body: &str, lines: &str) -> String {
    format!(
        "test \"{name}\"\n  given koji.build.completed {{ version: \"1.0\", release: \"1.fc40\", new: 1, {body} }}\n{lines}\n"
    )
}

fn site(tests: &[String]) -> Site {
    let site = Site::new();
    site.write("rules.tb", RULES);
    site.write("all.tb", format!("use \"rules.tb\"\n{}", tests.concat()));
    site
}

#[test]
fn the_rules_of_the_project_do_what_their_tests_say() {
    let arguments = ["test", "tests/rules_test.tb", "--min-coverage", "100", "--format", "json"];
    let output = taskbot().current_dir(project()).args(arguments).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!((&report["failed"], &report["coverage"]["percent"]), (&json!(0), &json!(100)));
    assert_eq!(report["coverage"]["rules"].as_array().unwrap().len(), 7, "every rule of rules.tb");
}

#[test]
fn a_missing_run_shows_the_closest_one_and_an_unexpected_one_its_rule() {
    let site = site(&[test(
        "kernel",
        "name: \"kernel\"",
        "  with package.lang = C\n  with package.arches = [x86_64]\n  \
         expect run kernel-tests(package: \"kernel-1.0-1.fc40\", arch: s390x)\n  \
         expect run kernel-tests(package: \"kernel-1.0-2.fc40\", arch: x86_64)\n  expect nothing else\n",
    )]);
    let said = site.run(&["test", "all.tb"]).with_code(1).stdout;
    for line in [
        "FAILED  kernel  all.tb:2:1",
        "expected: kernel-tests(package: \"kernel-1.0-1.fc40\", arch: \"s390x\")  all.tb:6:3",
        "closest:  kernel-tests(package: \"kernel-1.0-1.fc40\", arch: \"x86_64\")",
        "\n                                                                    ^^^^^^\n",
        "\n                                                    ^\n",
        "not expected: static-analysis(package: \"kernel-1.0-1.fc40\")",
        "against `expect nothing else`  all.tb:8:3",
        "asked for by koji.build.completed/static-analysis  rules.tb:1:1",
        "failed: 1 of 1 test failed",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[test]
fn a_run_that_nobody_asks_for_names_the_condition_that_failed() {
    let lines = "  with package.lang = Go\n  expect run static-analysis\n";
    let site = site(&[test("go", "name: \"gh\"", lines)]);
    let report = site.run(&["test", "all.tb", "--format", "json"]).with_code(1).json();
    let because = &report["tests"][0]["problems"][0]["because"];
    assert_eq!(because.as_array().unwrap().len(), 1, "one rule runs the task: {because:#}");
    assert_eq!(because[0]["rule"], "koji.build.completed/static-analysis");
    assert_eq!(because[0]["at"]["line"], 1);
    assert_eq!(
        because[0]["why"],
        json!(["`package.lang == C` does not hold  rules.tb:2:9", "  package.lang is \"Go\""])
    );
}

#[test]
fn a_fact_that_is_needed_and_not_set_is_named_with_the_line_that_sets_it() {
    let site = site(&[
        test("unset", "name: \"kernel\"", "  with package.lang for \"curl\" = C\n  expect nothing\n"),
        test(
            "absent",
            "name: \"gh\", instance: \"primary\"",
            "  with package.lang = absent\n  expect run static-analysis\n",
        ),
    ]);
    let said = site.run(&["test", "all.tb"]).with_code(1).stdout;
    assert!(said.contains("needs the fact nvr.lang of kernel, which the test does not set"), "{said}");
    assert!(said.contains("  write: with package.lang = ..."), "{said}");
    assert!(said.contains("  write: with package.arches = ..."), "{said}");
    assert!(said.contains("stays undecided, for the test sets nvr.lang of gh absent"), "{said}");
}

#[test]
fn the_message_must_be_the_event_of_the_test() {
    let site = site(&[
        test("deleted", "name: \"curl\"", "  expect nothing\n").replace("new: 1", "new: 2"),
        "test \"another\" given koji.build.completed from \"samples/update.json\" expect nothing\n".into(),
        "test \"no rule\" given bodhi.update.stable { update: { alias: \"F\", builds: [] } } expect nothing\n".into(),
        "test \"no file\" given koji.build.completed from \"nowhere.json\" expect nothing\n".into(),
    ]);
    let update = message::update("FEDORA-2024-1", &["curl-8.6.0-7.fc40"]);
    site.write("samples/update.json", message::record(message::TESTING, "1", &update).to_string());
    let said = site.run(&["test", "all.tb"]).with_code(1).stdout;
    for line in [
        "the message is not koji.build.completed:",
        "the condition of dialect koji does not hold: `new` is 2",
        "its topic is bodhi.update.request.testing",
        "koji.build.completed is told on buildsys.build.state.change",
        "no rule here waits for bodhi.update.stable",
        "cannot read nowhere.json",
        "4 of 4 tests failed",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[test]
fn quarantine_is_an_expectation_of_its_own() {
    let body = "test \"NAME\" given koji.build.completed BODY expect WHAT\n";
    let with = |name: &str, body_text: &str, what: &str| {
        body.replace("NAME", name).replace("BODY", body_text).replace("WHAT", what)
    };
    let misfit = "{ name: \"curl\", version: 8, release: \"1\", new: 1 }";
    let twice = "{ name: \"curl\", name: \"curl\", version: \"8\", release: \"1\", new: 1 }";
    let fine = "{ name: \"cpio\", version: \"8\", release: \"1\", new: 1 } with package.lang = Go";
    let site = site(&[
        with("misfit", misfit, "quarantine"),
        with("twice", twice, "quarantine"),
        with("unexpected", misfit, "nothing"),
        with("fine", fine, "quarantine"),
    ]);
    let report = site.run(&["test", "all.tb", "--format", "json"]).with_code(1).json();
    let passed: Vec<bool> =
        report["tests"].as_array().unwrap().iter().map(|t| t["passed"].as_bool().unwrap()).collect();
    assert_eq!(passed, [true, true, false, false], "{report:#}");
    let first = |at: usize| report["tests"][at]["text"][0].as_str().unwrap().to_owned();
    assert!(first(2).starts_with("the message is quarantined: dialect koji: `version` is 8"), "{}", first(2));
    assert!(first(3).starts_with("the message is not quarantined"), "{}", first(3));
}

#[test]
fn messages_come_whole_or_as_a_bare_body_from_beside_the_test() {
    let site = Site::new();
    site.write("rules/rules.tb", "on koji.build.completed run rpmlint\n");
    let expect = "expect run rpmlint(package: \"curl-8.6.0-7.fc40\")\n";
    let given = |name: &str| {
        format!("test \"{name}\" given koji.build.completed from \"samples/{name}.json\" {expect}")
    };
    let body = message::build("curl-8.6.0-7.fc40");
    site.write("rules/samples/body.json", serde_json::to_string_pretty(&body).unwrap());
    site.write("rules/samples/envelope.json", message::envelope(message::BUILD, "1", &body).to_string());
    let record = serde_json::to_string_pretty(&message::record(message::BUILD, "1", &body)).unwrap();
    site.write("rules/samples/staging.json", record.replace("fedoraproject.prod", "fedoraproject.stg"));
    site.write("rules/samples/record.json", record);
    let names = ["body", "envelope", "record", "staging"];
    site.write("rules/t.tb", format!("use \"rules.tb\"\n{}", names.map(given).concat()));
    let said = site.run(&["test", "rules/t.tb"]).with_code(1).stdout;
    assert_eq!(said.matches("passed  ").count(), 3, "{said}");
    assert!(said.contains("FAILED  staging"), "{said}");
    site.run(&["test", "rules/t.tb", "--filter", "re"]).with_code(0);
    let ended = site.run(&["test", "rules/t.tb", "--filter", "none such"]).with_code(2);
    assert!(ended.stderr.contains("none such"), "{}", ended.stderr);
}

#[test]
fn order_does_not_depend_on_threads() {
    let one = |n: usize| {
        let expect = if n.is_multiple_of(3) { "expect nothing" } else { "expect run rpmlint" };
        format!(
            "test \"number {n}\" given koji.build.completed {{ name: \"n{n}\", version: \"1\", release: \"1\", new: 1 }} {expect}\n"
        )
    };
    let site = Site::new();
    let tests: String = (0..200).map(one).collect();
    site.write("t.tb", format!("on koji.build.completed run rpmlint\n{tests}"));
    let first = site.run(&["test", "t.tb", "--coverage"]).with_code(1).stdout;
    for _ in 0..3 {
        assert_eq!(site.run(&["test", "t.tb", "--coverage"]).with_code(1).stdout, first);
    }
    let numbers: Vec<usize> = first
        .lines()
        .filter_map(|line| line.split_once("number ")?.1.split_whitespace().next()?.parse().ok())
        .collect();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
}

#[test]
fn coverage_counts_what_decided_something() {
    let c = "  with package.lang = C\n  with package.arches = []\n";
    let nothing = format!("{c}  expect no run kernel-tests\n");
    let parts = |site: &Site| {
        let report = site.run(&["test", "all.tb", "--coverage", "--format", "json"]).with_code(0).json();
        let rule = report["coverage"]["rules"][0].clone();
        let held =
            |part: &Value| (part["held"]["yes"].as_u64().unwrap(), part["held"]["no"].as_u64().unwrap());
        let parts: Vec<(u64, u64)> = rule["parts"].as_array().unwrap().iter().map(held).collect();
        (parts, report["coverage"]["percent"].as_u64().unwrap())
    };
    // The kernel decides by its name: nobody looks at the instance.
    let kernel = site(&[test("kernel", "name: \"kernel\", instance: \"primary\"", &nothing)]);
    assert_eq!(parts(&kernel).0, [(1, 0), (1, 0), (0, 0)]);
    let more = site(&[
        test("kernel", "name: \"kernel\", instance: \"primary\"", &nothing),
        test("primary", "name: \"curl\", instance: \"primary\"", &nothing),
        test("other", "name: \"curl\", instance: \"other\"", &nothing),
        // A conjunct that fails ends it: the rest was not looked at.
        test("go", "name: \"curl\", instance: \"primary\"", "  with package.lang = Go\n  expect nothing\n"),
    ]);
    assert_eq!(parts(&more), (vec![(3, 1), (1, 2), (1, 1)], 100));
    let said = kernel.run(&["test", "all.tb", "--min-coverage", "80"]).with_code(1).stdout;
    assert!(
        said.contains("not covered: koji.build.completed/static-analysis `(instance else \"\") == \"primary\"` was never looked at  rules.tb:2"),
        "{said}"
    );
    assert!(said.contains("less than 80%"), "{said}");
    more.run(&["test", "all.tb", "--min-coverage", "100"]).with_code(0);
}

#[test]
fn junit_holds_every_test_and_escapes_what_messages_hold() {
    let site = site(&[
        test("passes", "name: \"gh\"", "  with package.lang = Go\n  expect nothing\n"),
        test(
            "fails",
            "name: \"<b>\\u001b\"",
            "  with package.lang = Go\n  expect run static-analysis\n  expect run kernel-tests\n",
        ),
    ]);
    let xml = site.run(&["test", "all.tb", "--format", "junit"]).with_code(1).stdout;
    assert!(xml.contains("<testsuite name=\"all.tb\" tests=\"2\" failures=\"1\">"), "{xml}");
    assert!(xml.contains("name=\"passes\" file=\"all.tb\" line=\"2\"/>"), "{xml}");
    assert!(xml.contains("&lt;b&gt;") && !xml.contains("<b>") && !xml.contains('\u{1b}'), "{xml}");
}

#[test]
fn a_recorded_message_becomes_a_test_that_passes() {
    let site = site(&[]);
    site.write(
        "facts.toml",
        "[\"nvr.lang\"]\nkernel = \"C\"\n[\"nvr.arches\"]\nkernel = [\"x86_64\", \"src\"]\n",
    );
    let body = message::build("kernel-6.8.0-1.fc40");
    site.write("build.json", message::record(message::BUILD, "1", &body).to_string());
    let record = ["test", "--record", "build.json", "--rules", "all.tb"];

    let printed = site.run(&record).with_code(0).stdout;
    assert!(printed.contains("with package.lang = # fill in nvr.lang of kernel"), "{printed}");
    let refused = site.run(&[&record[..], &["--append"]].concat()).with_code(1);
    assert!(refused.stderr.contains("2 facts are not known"), "{}", refused.stderr);

    let append = [&record[..], &["--facts", "facts.toml", "--append"]].concat();
    site.run(&append).with_code(0);
    site.run(&[&append[..], &["--to", "samples/kernel.json"]].concat()).with_code(0);
    let added = std::fs::read_to_string(site.path("all.tb")).unwrap();
    for line in [
        "with package.lang = C",
        "with package.arches = [x86_64, src]",
        "expect run kernel-tests(package: \"kernel-6.8.0-1.fc40\", arch: src)",
        "expect nothing else",
        "given koji.build.completed from \"samples/kernel.json\"",
    ] {
        assert!(added.contains(line), "{line}\n{added}");
    }
    let said = site.run(&["test", "all.tb"]).with_code(0).stdout;
    assert!(said.contains("ok: 2 tests passed"), "{said}");
    let there = site.run(&[&append[..], &["--to", "samples/kernel.json"]].concat()).with_code(2);
    assert!(there.stderr.contains("is there already"), "{}", there.stderr);
}

#[test]
fn what_a_message_holds_chooses_no_path_and_breaks_out_of_no_literal() {
    let site = Site::new();
    site.write("rules.tb", "on koji.build.completed run rpmlint\n");
    let mut body = message::build("curl-8.6.0-7.fc40");
    body["owner"] = json!("\" } expect nothing rule x on koji.build.completed run depcheck \u{1b}\n");
    body["re-trigger \"}"] = json!({ "deep": [1.5, null, true, "\\", 1e-7] });
    body["long"] = json!("x".repeat(1_000));
    let id = "../../escape";
    site.write("build.json", message::record(message::BUILD, id, &body).to_string());
    site.run(&["test", "rules.tb", "--record", "build.json", "--append"]).with_code(0);
    assert!(site.path("samples/message-1.json").is_file(), "a long body stands beside the rules");
    body["long"] = json!("short");
    body["re-trigger \"}"] = json!({ "deep": [1.5, null, true, "\\"] });
    site.write("build.json", message::record(message::BUILD, id, &body).to_string());
    site.run(&["test", "rules.tb", "--record", "build.json", "--append"]).with_code(0);
    assert!(!site.path("samples/message-2.json").exists(), "a short one stands in the test");
    let said = site.run(&["test", "rules.tb"]).with_code(0).stdout;
    assert!(said.contains("ok: 2 tests passed"), "{said}");
}
