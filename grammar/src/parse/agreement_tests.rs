//! The lexer and the normative grammar see the same words in every accepted text.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[path = "../../tests/programs/mod.rs"]
pub(super) mod programs;

use std::fs;
use std::path::Path;

use pest::Parser;
use pest::iterators::Pair;
use proptest::prelude::*;

use super::pest_grammar::{ItemParser, Rule as R};
use super::*;

/// Whether a grammar rule reads one word.
fn is_word(read: R) -> bool {
    let reads_a_word = matches!(
        read,
        R::name
            | R::any_name
            | R::int
            | R::float
            | R::duration
            | R::string
            | R::raw_string
            | R::any_value
            | R::compare_op
            | R::optional
    );
    reads_a_word || format!("{read:?}").starts_with("kw_")
}

/// The places of the words that pest read.
fn word_places(pair: Pair<'_, R>, base: u32, places: &mut Vec<Span>) {
    if is_word(pair.as_rule()) {
        let local = Span::new(pair.as_span().start(), pair.as_span().end());
        places.push(Span { start: base + local.start, end: base + local.end });
    } else {
        pair.into_inner().for_each(|inner| word_places(inner, base, places));
    }
}

/// Words of pest are tokens, and tokens that are no words of pest are signs.
fn agree(text: &str) {
    let tokens = token::tokens(text);
    let (items, errors) = token::items(text, &token::words(text));
    assert_eq!(errors, [], "{text}");
    for item in items {
        let pairs = ItemParser::parse(R::item, item.span.of(text)).unwrap();
        let mut places = Vec::new();
        pairs.for_each(|pair| word_places(pair, item.span.start, &mut places));
        let within = |t: &&Token| t.span.start >= item.span.start && t.span.end <= item.span.end;
        let words: Vec<&Token> = tokens.iter().filter(|t| !t.kind.is_trivia()).filter(within).collect();
        for place in &places {
            let token = words.binary_search_by_key(&place.start, |t| t.span.start).map(|at| words[at]);
            assert_eq!(token.map(|t| t.span), Ok(*place), "{:?} is no token of\n{text}", place.of(text));
        }
        for token in words {
            let is_read = places.binary_search_by_key(&token.span.start, |p| p.start).is_ok();
            let word = token.span.of(text);
            assert!(
                is_read || crate::keywords::SIGNS.contains(&word),
                "{word:?} is no word of pest in\n{text}"
            );
        }
    }
}

#[test]
fn on_the_texts_of_the_project() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut count = 0;
    for folder in ["", "stdlib", "tests/ui"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap_or_default();
            if path.extension().is_some_and(|e| e == "tb") && parse(&text).1.is_empty() {
                agree(&text);
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_random_programs(numbers in proptest::collection::vec(any::<u16>(), 0..300)) {
        agree(&programs::program(&numbers));
    }

    #[test]
    fn on_words_without_blanks_between_them(
        words in proptest::collection::vec("r|\"a\"|C|5|-5|24h|2\\.5|[.,:=?_<\\[\\](){}]| |is|in|a-b", 0..12)
    ) {
        for (before, after) in [("enum e { ", " }"), ("on e where ", " run t"), ("let x = ", ""), ("task t { a: int = ", " }")] {
            let text = format!("{before}{}{after}", words.concat());
            if parse(&text).1.is_empty() {
                agree(&text);
            }
        }
    }
}

#[test]
fn a_pattern_is_no_name_before_a_string() {
    assert!(!parse("enum e { r\"x\" }").1.is_empty());
    assert!(parse("enum e { r \"x\" }").1.is_empty());
    agree("enum e { r \"x\" }");
}
