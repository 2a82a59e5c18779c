//! Rules with mistakes: all of them are shown, each at its place, in every format; nothing is started; what can be mended is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use support::message;
use support::site::Site;

/// Five mistakes of five kinds, with the code, line, column and the text that mends each.
const FIVE_MISTAKES: &str = "\
on bodhi.update.testng run rpmlint

on bodhi.update.testing run rpmlnt

on koji.build.completed
  where package.nam == \"kernel\"
  run rpmlint

on koji.build.completed where package.lang == Pyton run static-analysis

on koji.build.completed where package.name == 5 run kernel-tests for arch in [x86_64]
";
const PLACES: [(&str, u64, u64, Option<&str>); 5] = [
    ("TB0201", 1, 4, Some("testing")),
    ("TB0202", 3, 29, Some("rpmlint")),
    ("TB0203", 6, 17, Some("name")),
    ("TB0205", 9, 47, Some("Python")),
    ("TB0301", 11, 47, None),
];

#[test]
fn five_mistakes_are_five_diagnostics_each_at_its_place() {
    let site = Site::new();
    site.write("wrong.tb", FIVE_MISTAKES);
    let report = site.run(&["check", "wrong.tb", "--format", "json"]).with_code(1).json();
    let found = report["diagnostics"].as_array().unwrap();
    assert_eq!(found.len(), PLACES.len(), "{found:#?}");
    for (diagnostic, (code, line, column, suggestion)) in found.iter().zip(PLACES) {
        let place = (&diagnostic["file"], &diagnostic["line"], &diagnostic["column"]);
        assert_eq!(place, (&json!("wrong.tb"), &json!(line), &json!(column)), "{diagnostic:#}");
        assert_eq!(
            (&diagnostic["id"], &diagnostic["severity"]),
            (&json!(code), &json!("error")),
            "{diagnostic:#}"
        );
        assert!(!diagnostic["message"].as_str().unwrap().is_empty());
        if let Some(suggestion) = suggestion {
            let told = format!("{} {}", diagnostic["suggestion"], diagnostic["help"]);
            assert!(told.contains(suggestion), "{diagnostic:#}");
        }
    }
}

#[test]
fn people_see_each_mistake_with_its_source() {
    let site = Site::new();
    site.write("wrong.tb", FIVE_MISTAKES);
    let ended = site.run(&["check", "wrong.tb"]).with_code(1);
    for (code, line, column, _) in PLACES {
        assert!(ended.stdout.contains(code), "{code} in {}", ended.stdout);
        assert!(
            ended.stdout.contains(&format!("wrong.tb:{line}:{column}")),
            "{line}:{column} in {}",
            ended.stdout
        );
    }
    for quoted in ["bodhi.update.testng", "rpmlnt", "package.nam", "Pyton", "package.name == 5"] {
        assert!(ended.stdout.contains(quoted), "{quoted} in {}", ended.stdout);
    }
    assert!(!ended.stdout.contains('\u{1b}'), "no colours where nobody watches");
}

#[test]
fn a_syntax_error_costs_one_item() {
    let site = Site::new();
    site.write("wrong.tb", "on bodhi.update.testing run\n\non bodhi.update.stable run depchek\n");
    let report = site.run(&["check", "wrong.tb", "--format", "json"]).with_code(1).json();
    let lines: Vec<&Value> = report["diagnostics"].as_array().unwrap().iter().map(|d| &d["id"]).collect();
    assert_eq!(lines, [&json!("TB0108"), &json!("TB0202")], "{report:#}");
}

#[test]
fn a_rule_file_with_an_error_starts_nothing() {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    site.write("rules.tb", "on bodhi.update.testing run rpmlint\non bodhi.update.stable run depchek\n");
    let body = message::update("FEDORA-2024-000001", &["hello-1.0-1.fc40"]);
    site.write("bus.jsonl", message::lines(&[message::envelope(message::TESTING, "2024-1", &body)]));
    let ended = site.run(&["run", "--until-idle"]);
    assert_ne!(ended.code, 0);
    assert!(ended.stderr.contains("TB0202") && ended.stderr.contains("depchek"), "{}", ended.stderr);
    assert!(!site.path("state/taskbot.db").exists() && !site.path("out").exists());
    assert_ne!(site.run(&["status"]).code, 0, "there is no store");

    let ended = site.run(&["compile", "rules.tb", "--output", "rules.tbc"]).with_code(1);
    assert!(ended.stderr.contains("TB0202"), "{}", ended.stderr);
    assert!(!site.path("rules.tbc").exists());
}

#[test]
fn a_rule_file_with_an_error_changes_nothing() {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    let look = site.task("look", "", &[("run", "#!/bin/sh\n")]);
    site.write("rules.tb", format!("on bodhi.update.testing run look\n{look}"));
    let sent = |number: u32| {
        let body = message::update(&format!("FEDORA-2024-{number}"), &[&format!("hello-1.{number}-1.fc40")]);
        message::envelope(message::TESTING, &format!("2024-{number}"), &body)
    };
    site.write("bus.jsonl", message::lines(&[sent(1)]));
    site.run(&["run", "--until-idle"]).with_code(0);
    let before = site.status().unwrap();
    assert_eq!(before["status"]["counters"]["judged"], 1);

    site.write("bus.jsonl", message::lines(&[sent(1), sent(2)]));
    site.write("rules.tb", format!("on bodhi.update.testing run look(\n{look}"));
    assert_ne!(site.run(&["run", "--until-idle"]).code, 0);
    assert_eq!(site.status().unwrap(), before);
}

#[test]
fn the_rules_of_the_project_are_clean_and_compile_to_the_same_bytes() {
    let site = Site::new();
    let rules = support::site::project().join("rules.tb");
    fs::copy(rules, site.path("rules.tb")).unwrap();
    let report = site.run(&["check", "rules.tb", "--format", "json"]).with_code(0).json();
    assert_eq!((&report["rules"], &report["diagnostics"]), (&json!(7), &json!([])));
    site.run(&["compile", "rules.tb", "--output", "one"]).with_code(0);
    site.run(&["compile", "rules.tb", "--output", "two"]).with_code(0);
    let one = fs::read(site.path("one")).unwrap();
    assert!(!one.is_empty());
    assert!(one == fs::read(site.path("two")).unwrap(), "the artifacts differ");
}

/// A suppression that is not needed, and one whose code is misspelt and that would not be needed either.
const LINTED: &str = "\
# taskbot: allow unknown-code because it was needed once
on bodhi.update.testing run rpmlint

# taskbot: allow bad-supression because it was needed once
on koji.build.completed run rpmlint
";
const UNUSED: &str =
    "# taskbot: allow TB0692 because it was needed once\non bodhi.update.testing run rpmlint\n";

#[test]
fn lints_have_a_level_and_errors_have_none() {
    let site = Site::new();
    site.write("rules.tb", UNUSED);
    let severity = |arguments: &[&str], code| {
        let all = [&["check", "rules.tb", "--format", "json"], arguments].concat();
        let report = site.run(&all).with_code(code).json();
        report["diagnostics"][0]["severity"].as_str().map(str::to_owned)
    };
    assert_eq!(severity(&[], 1).as_deref(), Some("warning"));
    assert_eq!(severity(&["--deny", "TB0694"], 1).as_deref(), Some("error"));
    assert_eq!(severity(&["--deny", "all"], 1).as_deref(), Some("error"));
    assert_eq!(severity(&["--allow", "unused-suppression"], 0), None);
    assert_eq!(severity(&["--deny", "all", "--allow", "TB0690,tb0694"], 0), None);

    for (arguments, named) in [
        (&["--allow", "TB0203"][..], "TB0203 unknown-field is an error"),
        (&["--allow", "unknown-feild"], "did you mean `unknown-field`"),
        (&["--warn", "TB0694", "--deny", "TB0694"], "TB0694"),
        (&["--unsafe-fixes"], "--fix"),
        (&["--diff", "--format", "json"], "--format"),
    ] {
        let ended = site.run(&[&["check", "rules.tb"], arguments].concat()).with_code(2);
        assert!(ended.stderr.contains(named), "{arguments:?}: {}", ended.stderr);
    }
    // A warning keeps nothing from being compiled.
    site.run(&["compile", "rules.tb", "--output", "rules.tbc"]).with_code(0);
}

#[test]
fn a_code_can_be_read_about() {
    let site = Site::new();
    let page = site.run(&["explain", "tb0203"]).with_code(0).stdout;
    assert!(page.starts_with("TB0203 unknown-field\n"), "{page}");
    assert!(page.contains("\n  wrong:\n    on koji") && page.contains("\n  right:\n    on koji"), "{page}");
    assert!(!page.contains("```") && !page.contains('\u{1b}'), "{page}");
    let json = site.run(&["explain", "unknown-field", "--format", "json"]).with_code(0).json();
    assert_eq!((&json["code"], &json["severity"]), (&json!("TB0203"), &json!("error")));
    assert!(json["page"].as_str().unwrap().starts_with("# TB0203 unknown-field\n"));
    let ended = site.run(&["explain", "TB0230"]).with_code(2);
    assert!(ended.stderr.contains("did you mean `TB0203`"), "{}", ended.stderr);

    site.write("wrong.tb", FIVE_MISTAKES);
    let ended = site.run(&["check", "wrong.tb"]).with_code(1);
    assert_eq!(ended.stdout.lines().last(), Some("5 errors, 0 warnings; `taskbot explain TB0201` says more"));
}

#[test]
fn every_format_tells_every_finding() {
    let site = Site::new();
    let name = "wrong, 100%.tb";
    site.write(name, FIVE_MISTAKES);
    let said = |format: &str| site.run(&["check", name, "--format", format]).with_code(1);
    let sarif = said("sarif").json();
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let (github, junit) = (said("github").stdout, said("junit").stdout);
    assert_eq!(results.len(), PLACES.len());
    assert_eq!(github.lines().count(), PLACES.len(), "{github}");
    for ((code, line, column, _), (result, command)) in PLACES.iter().zip(results.iter().zip(github.lines()))
    {
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert_eq!((&result["ruleId"], &region["startLine"]), (&json!(code), &json!(line)));
        assert_eq!(&region["startColumn"], column);
        assert!(command.starts_with(&format!("::error file=wrong%2C 100%25.tb,line={line},")), "{command}");
        assert!(command.contains(&format!(",title={code} ")), "{command}");
        assert!(junit.contains(&format!("<testcase classname=\"{name}\" name=\"{code} ")), "{junit}");
    }
    assert_eq!(junit.matches("<failure ").count(), PLACES.len(), "{junit}");

    site.write("clean.tb", "on bodhi.update.testing run rpmlint\n");
    let said = |format: &str| site.run(&["check", "clean.tb", "--format", format]).with_code(0);
    assert_eq!(said("sarif").json()["runs"][0]["results"], json!([]));
    assert_eq!(said("github").stdout, "");
    assert!(said("junit").stdout.contains("tests=\"1\" failures=\"0\""));
}

#[test]
fn safe_fixes_are_made_and_the_others_only_when_asked_for() {
    let site = Site::new();
    let path = site.write("rules.tb", format!("\u{feff}{LINTED}"));
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    symlink("rules.tb", site.path("link.tb")).unwrap();

    let ended = site.run(&["check", "link.tb", "--diff"]).with_code(1);
    let removed = "-# taskbot: allow unknown-code because it was needed once\n";
    assert!(ended.stdout.starts_with("--- link.tb\n+++ link.tb\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains(removed) && !ended.stdout.contains("\n+on"), "{}", ended.stdout);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("\u{feff}{LINTED}"), "nothing is written");

    let report = site.run(&["check", "link.tb", "--fix", "--format", "json"]).with_code(1).json();
    assert_eq!((&report["mended"][0]["id"], &report["mended"][0]["line"]), (&json!("TB0694"), &json!(1)));
    assert_eq!((&report["diagnostics"][0]["id"], &report["warnings"]), (&json!("TB0692"), &json!(1)));
    let rest = LINTED.split_once('\n').unwrap().1;
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("\u{feff}{rest}"));

    // Its code mended, the second suppression is not needed either.
    let left = rest.replace("# taskbot: allow bad-supression because it was needed once\n", "");
    let ended = site.run(&["check", "link.tb", "--fix", "--unsafe-fixes"]).with_code(0);
    assert!(ended.stdout.starts_with("mended: link.tb:3:18 [TB0692 unknown-code] "), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("ok: 2 rules, nothing to complain about\n"), "{}", ended.stdout);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("\u{feff}{left}"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(site.path("link.tb")).unwrap().is_symlink());
    let left: Vec<_> = fs::read_dir(site.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn fixes_are_made_in_rounds_until_none_is_left() {
    let site = Site::new();
    // What is misspelt in the second place is found only when the first one is mended.
    site.write("rules.tb", "on koji.build.complted where pakage.nam == \"a\" run rpmlnt\n");
    site.run(&["check", "rules.tb", "--fix", "--unsafe-fixes"]).with_code(0);
    let mended = "on koji.build.completed where package.name == \"a\" run rpmlint\n";
    assert_eq!(fs::read_to_string(site.path("rules.tb")).unwrap(), mended);
}

#[test]
fn a_file_that_must_not_be_written_is_not_mended() {
    let site = Site::new();
    let path = site.write("rules.tb", UNUSED);
    fs::set_permissions(&path, PermissionsExt::from_mode(0o444)).unwrap();
    let ended = site.run(&["check", "rules.tb", "--fix"]).with_code(2);
    assert!(ended.stderr.contains("rules.tb"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), UNUSED);
}

#[test]
fn what_is_suppressed_is_told() {
    let site = Site::new();
    site.write(
        "rules.tb",
        "# taskbot: allow unknown-code because it is shared\non bodhi.update.testing\n  \
         # taskbot: allow TB0999 because new\n  run rpmlint\n",
    );
    let ended = site.run(&["check", "rules.tb"]).with_code(0);
    assert_eq!(ended.stdout, "ok: 1 rule, nothing to complain about, 1 finding suppressed\n");
    let report = site.run(&["check", "rules.tb", "--format", "json"]).with_code(0).json();
    assert_eq!(report["suppressed"][0]["reason"], "it is shared");
    let sarif = site.run(&["check", "rules.tb", "--format", "sarif"]).with_code(0).json();
    assert_eq!(sarif["runs"][0]["results"][0]["suppressions"][0]["justification"], "it is shared");
}
