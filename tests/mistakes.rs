//! Mistakes from this field: real and dated, one test for each that the checker must catch, quoting it.
//!
//! Others are caught elsewhere, where they show: a field that upstream drops by quarantine and `explain` (`tests/recordings.rs` and
//! the runtime's own tests), a tag trigger that is retargeted while a backlog is paused by `taskbot plan` and `at most`
//! (`tests/plan.rs`). What `plan` says of the exclusion list and of the fused names is told in `tests/plan.rs` as well.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use serde_json::Value;

use support::site::{Site, project};

/// What `check` finds in a program.
fn found(rules: &str) -> Vec<Value> {
    found_with(rules, &[])
}

fn found_with(rules: &str, more: &[&str]) -> Vec<Value> {
    let site = Site::new();
    site.write("rules.tb", rules);
    site.write("facts.toml", "[\"nvr.lang\"]\nkernel = \"C\"\nglibc = \"C\"\nbash = \"C\"\n");
    let mut arguments = vec!["check", "rules.tb", "--format", "json"];
    arguments.extend(more);
    let report = site.run(&arguments);
    assert!(report.code == 0 || report.code == 1, "{report:?}");
    report.json()["diagnostics"].as_array().unwrap().clone()
}

/// The one finding of this code.
#[track_caller]
fn the<'f>(code: &str, found: &'f [Value]) -> &'f Value {
    let mut of_code = found.iter().filter(|finding| finding["id"] == code);
    let one = of_code.next().unwrap_or_else(|| panic!("no {code} in {found:#?}"));
    assert!(of_code.next().is_none(), "{found:#?}");
    one
}

/// Everything that a finding says.
fn said(finding: &Value) -> String {
    format!("{} {} {} {}", finding["message"], finding["label"], finding["help"], finding["suggestion"])
}

#[test]
fn in_2018_an_exclusion_list_of_three_names_became_one_string() {
    // "a refactor turned an exclusion list of three names into one string `"a,b,c"`: excluded nothing for six weeks"
    let rules = "on koji.build.completed where not package.name in [\"a,b,c\"] run rpmlint\n";
    let found = found(rules);
    let finding = the("TB0606", &found);
    assert_eq!((&finding["line"], &finding["severity"]), (&1.into(), &"warning".into()));
    assert!(finding["suggestion"].to_string().contains(r#"\"a\", \"b\", \"c\""#), "{finding:#}");
}

#[test]
fn in_2021_a_release_pattern_could_never_match_f40_to_f42() {
    // "release pattern `^f[3-9][3-9]$`, meant "33 and later": could never match f40 to f42; found two years later"
    let found = found("on koji.build.tagged where tag matches r\"^f[3-9][3-9]$\" run rpmlint\n");
    let finding = the("TB0607", &found);
    assert!(said(finding).contains("can never match f40, f41 and f42"), "{finding:#}");
}

#[test]
fn in_2020_two_or_more_builds_was_a_regex_over_json_text() {
    // ""two or more builds" written as the regex `.*"nvr".*"nvr".*` over JSON text: matches by accident"
    let task = "task t { repository \"https://example.org/t.git\" }\n";
    let rule = r#"on topic "site.group.ready" where body.text matches ".*\"nvr\".*\"nvr\".*" run t"#;
    let raw = found(&format!("{task}{rule}\n"));
    assert!(said(the("TB0608", &raw)).contains("count(x in LIST) >= 2"), "{raw:#?}");
    // By types: an update is no text.
    let typed = r#"on bodhi.update.testing where update matches ".*\"nvr\".*\"nvr\".*" run rpmlint"#;
    assert_eq!(the("TB0301", &found(&format!("{typed}\n")))["severity"], "error");
}

#[test]
fn every_year_a_release_is_edited_by_hand_at_branching() {
    // "release hard-coded, `^f45$`, re-edited by hand at every branching: stops firing without a sound"
    let found_in =
        found("on bodhi.update.testing where has release and release matches r\"^f45$\" run rpmlint\n");
    let finding = the("TB0609", &found_in);
    assert!(said(finding).contains("f45") && said(finding).contains("`let`"), "{finding:#}");
    let named =
        "let newest = \"F45\"\non bodhi.update.testing where has release and release == newest run rpmlint\n";
    assert_eq!(found(named), Vec::<Value>::new());
}

#[test]
fn two_package_names_fused_into_one_are_no_package() {
    // "two package names fused into one in a trigger list: that package never triggers"
    let rules = "on koji.build.completed where package.name in [\"bash\", \"kernelglibc\"] run rpmlint\n";
    let found = found_with(rules, &["--facts", "facts.toml"]);
    assert!(
        said(the("TB0613", &found)).contains("`kernelglibc` is `kernel` and `glibc` fused"),
        "{found:#?}"
    );
    assert_eq!(found_with(rules, &[]), Vec::<Value>::new());
}

#[test]
fn numbers_compared_as_strings_have_no_order() {
    // "numbers compared as strings (`"f9" < "f10"`): wrong order"
    let found = found("on koji.build.tagged where tag < \"f10\" run rpmlint\n");
    let finding = the("TB0302", &found);
    assert_eq!(finding["severity"], "error");
    assert!(finding["why"].as_str().unwrap().contains("f9 comes after f10"), "{finding:#}");
}

#[test]
fn a_filter_made_only_of_negations_on_a_wildcard_topic_matches_everything() {
    // "a filter made only of negations on a wildcard topic: matches everything"
    let task = "task t { repository \"https://example.org/t.git\" }\n";
    let rule = "on topic \"ci.*.complete\" where body.a != \"x\" and not body.b in [\"y\", \"z\"] run t\n";
    let found = found(&format!("{task}{rule}"));
    assert!(said(the("TB0610", &found)).contains("matches everything else"), "{found:#?}");
}

#[test]
fn the_one_line_program_and_rules_tb_are_clean() {
    assert_eq!(
        found("on bodhi.update.testing where package.lang == C run static-analysis\n"),
        Vec::<Value>::new()
    );
    let rules = std::fs::read_to_string(project().join("rules.tb")).unwrap();
    assert_eq!(found(&rules), Vec::<Value>::new());
}
