//! The search for what is slow to judge: what it makes is compiled and judged, and a seed gives the same again. No time is asserted.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use taskbot_fuzz::mutate::Numbers;
use taskbot_fuzz::worst::case::{Alike, Asks, Case, Condition, Quantifier, Written};
use taskbot_fuzz::worst::change::{change, leaf};
use taskbot_fuzz::worst::kind::{KINDS, Kind, Open};
use taskbot_fuzz::worst::measure::Ready;
use taskbot_fuzz::worst::{body, program};

fn kind(name: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.name == name).unwrap()
}

/// Cases that follow each other, each with a few changes of the one before.
fn walk(kind: &Kind, seed: u64, steps: usize) -> Vec<Case> {
    let mut numbers = Numbers::new(seed);
    let mut cases = vec![(kind.first)()];
    for _ in 0..steps {
        let next = change(cases.last().unwrap(), kind.open, &mut numbers);
        // Small ones, so that the test takes no time.
        if next.is_bounded() && next.rules <= 8 && next.message.elements <= 40 && next.message.subjects <= 40
        {
            cases.push(next);
        }
    }
    cases
}

#[test]
fn the_first_case_of_each_kind_compiles_and_is_judged() {
    for kind in &KINDS {
        let mut ready = Ready::new(&(kind.first)()).unwrap_or_else(|e| panic!("{}: {e}", kind.name));
        assert_eq!(ready.judge().events, ["hostile.sent"], "{}: {}", kind.name, ready.body);
    }
}

#[test]
fn every_condition_compiles_for_the_message_and_for_elements() {
    let mut numbers = Numbers::new(1);
    for _ in 0..25 {
        let condition = leaf(&mut numbers);
        let inner = Condition::Quantified(Quantifier::Count, Box::new(condition.clone()));
        for condition in [condition, inner] {
            let case = Case { condition, ..(kind("equality").first)() };
            Ready::new(&case).unwrap_or_else(|e| panic!("{e}\n{}", program::text(&case)));
        }
    }
}

#[test]
fn what_is_changed_compiles_and_is_judged_whatever_is_broken() {
    let (mut compiled, mut valid) = (0, 0);
    for case in walk(kind("anything"), 7, 70) {
        let Ok(mut ready) = Ready::new(&case) else { continue };
        compiled += 1;
        if serde_json::from_str::<serde_json::Value>(&ready.body).is_ok() {
            valid += 1;
        }
        // Broken ones too: there is a judgement, whatever it says.
        ready.judge();
    }
    assert!(compiled > 20, "{compiled}");
    assert!(valid > 2 && valid < compiled, "{valid} of {compiled} are JSON");
}

#[test]
fn a_seed_gives_the_same_cases_and_seeds_differ() {
    let kind = kind("anything");
    let walked = walk(kind, 3, 100);
    assert_eq!(walked, walk(kind, 3, 100));
    assert_ne!(walked, walk(kind, 4, 100));
    let last = walked.last().unwrap();
    assert_eq!(body::text(last), body::text(&last.clone()));
    assert_eq!(program::text(last), program::text(&last.clone()));
}

#[test]
fn a_kind_that_is_open_to_sizes_keeps_its_condition() {
    for case in walk(kind("globs"), 5, 100) {
        assert!(matches!(case.condition, Condition::Glob { .. }) && case.message.broken.is_empty());
    }
    assert_eq!(kind("globs").open, Open::Sizes);
}

/// What a message comes to is bounded by what it holds: a run for each rule, subject and text, a note for each value.
#[test]
fn what_comes_of_a_message_is_bounded_by_its_elements() {
    let case = |name: &str, elements: usize, subjects: usize| {
        let mut case = (kind(name).first)();
        (case.message.elements, case.message.subjects) = (elements, subjects);
        Ready::new(&case).unwrap().counts()
    };
    let enums = case("enums", 30, 1);
    assert_eq!((enums.notes, enums.runs), (30, 0));
    let axes = case("axes", 5, 7);
    // All rules ask for the same runs, each for each subject.
    assert_eq!((axes.runs, axes.asks), (5, 4 * 7 * 5));
    let keys = case("keys", 5, 7);
    assert_eq!((keys.runs, keys.asks), (1, 4 * 7));
    let misfits = case("misfits", 20, 6);
    assert_eq!((misfits.refused, misfits.runs), (4 * 6, 0));
}

#[test]
fn messages_are_json_unless_they_are_broken() {
    for written in [Written::Plain, Written::Escaped, Written::Misshapen] {
        let mut case = (kind("members").first)();
        case.message.written = written;
        (case.message.alike, case.asks) = (Alike::Distinct, Asks::Texts);
        serde_json::from_str::<serde_json::Value>(&body::text(&case)).unwrap();
        case.message.broken.push((500, b'"'));
        assert!(serde_json::from_str::<serde_json::Value>(&body::text(&case)).is_err(), "{written:?}");
    }
}
