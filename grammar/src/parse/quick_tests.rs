//! What is read without pest is what pest reads: the same tree, the same errors.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::agreement_tests::programs;
use super::*;

fn agree(text: &str) {
    assert_eq!(parse(text), parse_by_grammar(text), "{text}");
}

/// Whether all items of a text are read without pest.
fn is_quick(text: &str) -> bool {
    let words = token::words(text);
    let (items, errors) = token::items(text, &words);
    errors.is_empty()
        && items.iter().all(|item| quick::rule(text, words.get(item.words.clone()).unwrap()).is_some())
}

#[test]
fn on_the_texts_of_the_project() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut count = 0;
    for folder in ["", "stdlib", "tests/ui"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "tb") {
                agree(&fs::read_to_string(&path).unwrap());
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn every_form_of_a_rule_is_read_without_pest() {
    for text in [
        "rule a on b.c where not not d.e == \"f\\n\" or (g and h not in [1, -2.5, 5m,]) run t, u(v: w.\"x y\",)",
        "on topic \"a.b\" where body.c else 0 >= 3 and has body.d run t for x in [A, B] for y in z.in except (A, _), (_, B)",
        "on a where (any b in c.d where b like \"x*\") and none(b in c where b is absent) run t once per a, b within 2h",
        "on a where count(b in c) > 2 and count(b in c where b) == 0 run t after 5m quiet per a at most 3 per 1h",
        "on a where n == nvr(name: a, version: b, release: c) and x not matches r\"^y\" and x matches \"z\" run t",
        "on a run t superseding per a.b limit 2 in group g priority low timeout 90s may loop",
        "on where where count == on-call and count(x: 1) is null run run # so\n",
    ] {
        agree(text);
        assert!(parse(text).1.is_empty() && is_quick(text), "{text}");
    }
}

#[test]
fn no_reserved_word_is_taken_for_a_name() {
    for word in crate::keywords::RESERVED {
        agree(&format!("on a where b == {word} run t"));
        assert!(!is_quick(&format!("on a where {word}.b == 1 run t")), "{word}");
    }
}

#[test]
fn what_is_wrong_or_unusual_is_left_to_pest() {
    for text in [
        "on a. b run t",
        "on a where b == 5x run t",
        "on a where b == -5m run t",
        "on a where b == 5-5 run t",
        "on a where b == 2.5h run t",
        "on a where b == \"\\q\" run t",
        "on a where b == 99999999999999999999 run t",
        "on a where b not == 1 run t",
        "on a where b.c.\"d\" in run t",
        "on a run t for x in [A] except (_a)",
        "on a run t at most 5m per 3",
        "enum e { A }",
    ] {
        agree(text);
        assert!(!is_quick(text), "{text}");
    }
    let list = format!("on a where b in [{}] run t", "\"c\", ".repeat(5_000));
    assert!(!is_quick(&list));
    agree(&list);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_random_programs(numbers in proptest::collection::vec(any::<u16>(), 0..300)) {
        agree(&programs::program(&numbers));
    }

    #[test]
    fn on_random_programs_with_a_word_taken_out_or_put_in(
        numbers in proptest::collection::vec(any::<u16>(), 0..200),
        at in any::<prop::sample::Index>(),
        instead in prop::sample::select(vec!["", "a", "not", "in", "(", ")", ",", ".", "else", "5m", "\"s\"", "_", "count", "any", "["]),
    ) {
        let text = programs::program(&numbers);
        let tokens = token::tokens(&text);
        prop_assume!(!tokens.is_empty());
        let place = at.get(&tokens).span;
        agree(&format!("{}{instead}{}", &text[..place.start as usize], &text[place.end as usize..]));
        agree(&format!("{}{instead}{}", &text[..place.end as usize], &text[place.end as usize..]));
    }

    #[test]
    fn on_words_without_blanks_between_them(
        words in proptest::collection::vec(
            "r|\"a\"|r\"a\"|C|5|-5|24h|2\\.5|_|[.,:=?<\\[\\](){}]| |is null|in|a-b|not|and|has|any|count|else|true|matches", 0..12
        )
    ) {
        let words = words.concat();
        for (before, after) in [("on e where ", " run t"), ("on e where a ", " run t"), ("on e run t", ""), ("on ", " run t")] {
            agree(&format!("{before}{words}{after}"));
        }
    }
}
