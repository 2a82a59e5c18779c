//! Every target over the project's texts and a fixed number of mutations of them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::time::{Duration, Instant};

use taskbot_fuzz::{TARGETS, Target, hunt, mutate};

/// A text of some kilobytes that takes longer is a mistake, also in a debug build on a busy machine.
const CASE_LIMIT: Duration = Duration::from_secs(20);

fn corpus() -> Vec<String> {
    let corpus = hunt::corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    assert!(corpus.len() > 50, "{}", corpus.len());
    corpus
}

fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).unwrap()
}

fn run(name: &str, cases: u64) {
    let (target, corpus) = (target(name), corpus());
    // Each compilation takes the whole standard library along.
    let step = if name == "checker" { 10 } else { 1 };
    for text in corpus.iter().step_by(step) {
        (target.holds)(text);
    }
    let found = hunt::hunt(target, &corpus, 0..cases, Duration::from_secs(30));
    assert_eq!(found.failure, None, "taskbot-fuzz {name} finds it as well");
    assert!(found.slowest.0 < CASE_LIMIT, "{found:?}");
}

#[test]
fn p10_tokens_are_lossless() {
    run("lexer", 2_000);
}

#[test]
fn p10_parsing_never_fails_and_its_places_are_in_the_text() {
    run("parser", 600);
}

#[test]
fn p11_formatting_keeps_what_it_must_keep() {
    run("formatter", 600);
}

#[test]
fn p10_compiling_never_fails_and_its_places_are_in_the_files() {
    run("checker", 40);
}

/// Every sign and word many times over, alone and where a condition, a list or a body may stand.
fn floods(length: usize) -> impl Iterator<Item = String> {
    let heads = ["", "on e where ", "let x = [", "event e { ", "test \"t\" given e { \"a\": "];
    heads.into_iter().flat_map(move |head| {
        mutate::WORDS.into_iter().map(move |word| {
            let word = format!("{word} ");
            format!("{head}{}", word.repeat(length / word.len()))
        })
    })
}

#[test]
fn p10_floods_take_linear_time() {
    for (name, length) in [("lexer", 50_000), ("parser", 8_000), ("formatter", 2_000), ("checker", 2_000)] {
        // Each compilation takes the whole standard library along.
        let step = if name == "checker" { 31 } else { 1 };
        for text in floods(length).step_by(step) {
            let begun = Instant::now();
            (target(name).holds)(&text);
            let shown: String = text.chars().take(40).collect();
            assert!(begun.elapsed() < CASE_LIMIT, "{name}: {:?} for {shown:?}...", begun.elapsed());
        }
    }
}

#[test]
fn a_seed_gives_the_same_text_and_seeds_differ() {
    let corpus = corpus();
    let texts: Vec<String> = (0..50).map(|seed| mutate::text(&corpus, seed)).collect();
    let again: Vec<String> = (0..50).map(|seed| mutate::text(&corpus, seed)).collect();
    assert_eq!(texts, again);
    let mut distinct = texts;
    distinct.sort();
    distinct.dedup();
    assert!(distinct.len() > 45, "{}", distinct.len());
}

#[test]
fn many_of_the_texts_have_no_syntax_error() {
    let corpus = corpus();
    let fine = |seed: &u64| taskbot_grammar::parse(&mutate::text(&corpus, *seed)).1.is_empty();
    let count = (0..300).filter(fine).count();
    assert!((60..270).contains(&count), "{count} of 300: mutations are too wild, or too tame");
}

#[test]
fn a_failure_is_found_and_made_small() {
    let wrong = Target { name: "wrong", holds: |text| assert!(!text.contains("dialect"), "found") };
    let found = hunt::hunt(wrong, &corpus(), 0..1_000, Duration::from_secs(60));
    assert_eq!(found.failure.map(|(_, small)| small).as_deref(), Some("dialect"));
}
