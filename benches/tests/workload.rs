//! The generator is the same every time, its programs compile, and the matcher agrees with the naive reference on all of them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::Value;
use taskbot_benches::digest::{difference, summary};
use taskbot_benches::naive::{Firing, Naive};
use taskbot_benches::ours::{Ours, make};
use taskbot_benches::vocabulary::Vocabulary;
use taskbot_benches::workload::{MATCHES, Variant, Workload, mean_matches, workload_of};

/// Few big messages: each has thousands of elements.
fn small(variant: Variant, seed: u64, vocabulary: &Vocabulary) -> Workload {
    let messages = if variant == Variant::Big { 3 } else { 200 };
    workload_of(variant, 200, messages, seed, vocabulary)
}

fn naive(work: &Workload) -> Vec<Firing> {
    let naive = Naive::new(&work.topics, &work.rules);
    work.messages.iter().enumerate().flat_map(|(at, bytes)| naive.judge(at, bytes)).collect()
}

fn ours_agrees(work: &Workload) {
    let ours = Ours::load(&make(&work.program).unwrap().artifact).unwrap();
    let messages = work.messages.iter().enumerate();
    let got: Vec<Firing> = messages.clone().flat_map(|(at, bytes)| ours.judge(at, bytes)).collect();
    let expected = naive(work);
    assert!(!expected.is_empty());
    assert_eq!(summary(got.clone()), summary(expected.clone()), "{}", difference(&got, &expected));
    for (at, bytes) in messages {
        let mut fired: Vec<Firing> = ours.judge(at, bytes);
        fired.sort_unstable();
        fired.dedup();
        assert_eq!(ours.matches(str::from_utf8(bytes).unwrap()), fired.len(), "message {at}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let words = Vocabulary::default();
    let draw = |seed| workload_of(Variant::Language, 50, 20, seed, &words);
    let (first, again, other) = (draw(1), draw(1), draw(2));
    assert_eq!((&first.program, &first.messages), (&again.program, &again.messages));
    assert_ne!(first.program, other.program);
    assert_ne!(first.messages, other.messages);
}

#[test]
fn messages_do_not_depend_on_the_number_of_rules() {
    let words = Vocabulary::default();
    let few = workload_of(Variant::Base, 10, 20, 1, &words);
    assert_eq!(few.messages, workload_of(Variant::Base, 20, 20, 1, &words).messages);
}

#[test]
fn base_agrees_and_matches_about_two_rules_a_message() {
    let work = small(Variant::Base, 1, &Vocabulary::default());
    ours_agrees(&work);
    let mean = mean_matches(&work.topics, &work.rules, &work.messages);
    assert!((mean - MATCHES).abs() < 0.6, "{mean}");
}

#[test]
fn simple_agrees_with_another_seed_and_vocabulary() {
    ours_agrees(&small(Variant::Simple, 7, &Vocabulary::made_up()));
}

#[test]
fn skew_agrees() {
    ours_agrees(&small(Variant::Skew, 1, &Vocabulary::default()));
}

#[test]
fn hard_agrees() {
    ours_agrees(&small(Variant::Hard, 1, &Vocabulary::default()));
}

#[test]
fn big_agrees() {
    ours_agrees(&small(Variant::Big, 1, &Vocabulary::default()));
}

#[test]
fn language_agrees_with_subjects_versions_and_patterns() {
    let work = small(Variant::Language, 1, &Vocabulary::default());
    for part in ["package.evr <", "matches r\"", "package.dependants", "package.name like"] {
        assert!(work.program.contains(part), "{part}");
    }
    assert!(naive(&work).iter().any(|(_, _, subject)| subject.is_some()));
    ours_agrees(&work);
}

#[test]
fn messages_are_as_python_writes_them() {
    let work = workload_of(Variant::Base, 10, 400, 1, &Vocabulary::default());
    let texts: Vec<&str> = work.messages.iter().map(|bytes| std::str::from_utf8(bytes).unwrap()).collect();
    assert!(texts.iter().all(|text| text.is_ascii()));
    assert!(texts.iter().any(|text| text.contains(r"\ud83c\udf89")), "pairs of surrogates");
    let share = |holds: &dyn Fn(&str) -> bool| texts.iter().filter(|text| holds(text)).count();
    let signed = share(&|text| text.contains("\"certificate\": \"") && text.contains("\"signature\": \""));
    let topic_last = share(&|text| text.find("\"topic\": ") > text.find("\"msg\": "));
    assert!((150..250).contains(&signed), "{signed}");
    assert!((60..140).contains(&topic_last), "{topic_last}");
    for text in texts {
        let parsed: Value = serde_json::from_str(text).unwrap();
        assert!(parsed["msg"].is_object() && parsed["topic"].is_string());
        assert!((350..10_500).contains(&text.len()), "{}", text.len());
    }
}
