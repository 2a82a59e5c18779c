//! The first command of the README: on an empty directory it ends with what fired, why, and real results.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use serde_json::Value;

use support::site::{Site, is_final};
use support::{has_program, process, require};

#[test]
fn the_demonstration_ends_with_real_results_and_can_be_looked_at_further() {
    let tools = [("gcc", "gcc"), ("rpm", "rpmbuild"), ("rpmlint", "rpmlint")];
    if !tools.into_iter().all(|(need, program)| require(need, has_program(program, &["--version"]))) {
        return;
    }
    let site = Site::new();
    let ended = site.run(&["demo", "--dir", "demo"]).with_code(0);
    assert!(ended.stdout.contains("static-analysis") && ended.stdout.contains("FAILED"), "{}", ended.stdout);
    assert!(!ended.stdout.contains('\u{1b}'), "no colours where nobody watches");
    assert_eq!(process::naming(site.dir()), [""; 0], "processes that stay");

    // How to look further, as it says itself.
    let look = |arguments: &[&str]| site.json(&[arguments, &["--config", "demo/taskbot.toml"]].concat());
    let status = look(&["status"]);
    let states = status["status"]["runs"].as_object().unwrap();
    assert!(
        states["finished"].as_u64() > Some(0) && states.keys().all(|state| is_final(state)),
        "{status:#}"
    );
    let results = look(&["results"]);
    let with =
        |outcome: &str| results.as_array().unwrap().iter().any(|row: &Value| row["outcome"] == outcome);
    assert!(with("PASSED") && with("FAILED"), "{results:#}");
    let mut places = results.as_array().unwrap().iter().map(|row| &row["data"]["places"][0]);
    let with_place =
        |place: &Value| place["line"].is_u64() && place["file"].as_str().unwrap().ends_with(".c");
    assert!(places.any(with_place), "a finding with its place: {results:#}");
}

#[test]
fn the_demonstration_for_programs_is_one_document() {
    let site = Site::new();
    let document = site.json(&["demo", "--dir", "demo"]);
    assert!(document.is_object() || document.is_array(), "{document:#}");
    // Again in the same directory: a former demonstration is replaced.
    site.json(&["demo", "--dir", "demo"]);
}
