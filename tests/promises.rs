//! Every promise has a test that names it, or stands here as one that is still to be shown.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// All promises, by number.
const PROMISES: [u32; 21] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22];

/// What no test shows yet, and what is missing for it.
const STILL_TO_BE_SHOWN: &[(u32, &str)] = &[
    (3, "catching up from datagrepper"),
    (5, "the flood of 50 000 messages a second"),
    (16, "verified signatures"),
    (19, "secrets: none are configured yet"),
    (22, "a released version whose data could be upgraded"),
];

/// Numbers of the promises in the names of a file's tests: `p01_...`, `..._p01`, `..._p01_...`.
fn named(text: &str) -> BTreeSet<u32> {
    let tests =
        text.lines().filter_map(|line| line.trim_start().trim_start_matches("async ").strip_prefix("fn "));
    let names = tests.map(|rest| rest.split(['(', '<']).next().unwrap_or_default());
    let words = names.flat_map(|name| name.split('_'));
    words.filter_map(|word| word.strip_prefix('p').filter(|n| n.len() == 2)?.parse().ok()).collect()
}

fn collect(dir: &Path, found: &mut BTreeSet<u32>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && !name.as_encoded_bytes().starts_with(b".") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(named(&fs::read_to_string(path).unwrap()));
        }
    }
}

#[test]
fn each_promise_is_named_by_a_test_or_known_to_be_missing() {
    let mut found = BTreeSet::new();
    collect(Path::new(env!("CARGO_MANIFEST_DIR")), &mut found);
    let missing: Vec<u32> = PROMISES.into_iter().filter(|promise| !found.contains(promise)).collect();
    let known: Vec<u32> = STILL_TO_BE_SHOWN.iter().map(|(promise, _)| *promise).collect();
    assert_eq!(missing, known, "promises without a test, and those that are known to have none");
    let unknown: Vec<&u32> = found.iter().filter(|promise| !PROMISES.contains(promise)).collect();
    assert!(unknown.is_empty(), "tests name promises that nobody made: {unknown:?}");
}

#[test]
fn promises_are_found_in_the_names_of_tests() {
    let text = "fn p01_p02_a() {\n    async fn a_b_p13() {\nfn p1_x() {\nfn up03() {\n// fn p04_x()\n";
    assert_eq!(named(text), BTreeSet::from([1, 2, 13]));
}
