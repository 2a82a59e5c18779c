//! Targets: what must hold for every text, however wrong.
//!
//! Comes in: a text. Goes out: nothing; a target panics where a promise does not hold. `mutate` makes texts out of those of the
//! project, by a seed, so that each case can be had again; `hunt` runs cases and makes a failing one small. A test of the
//! suite runs a fixed number of cases; `cargo run --release -p taskbot-fuzz -- TARGET SECONDS` runs for longer. `worst` is another
//! hunt: for rule sets and messages that are slow to judge.
#![forbid(unsafe_code)]

pub mod hunt;
pub mod mutate;
pub mod worst;

use taskbot_compiler::{SourceText, compile};
use taskbot_grammar::{Token, format, parse, tokens, words};

/// Something that must hold for every text.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Panics where the promise does not hold.
    pub holds: fn(&str),
}

/// All targets.
pub const TARGETS: [Target; 4] = [
    Target { name: "lexer", holds: lexer },
    Target { name: "parser", holds: parser },
    Target { name: "formatter", holds: formatter },
    Target { name: "checker", holds: checker },
];

/// Tokens are lossless: one behind the other they are the text.
fn lexer(text: &str) {
    let mut end = 0;
    for Token { span, .. } in tokens(text) {
        assert_eq!(span.start, end, "a gap between tokens");
        assert!(span.end > span.start, "an empty token");
        assert!(text.is_char_boundary(span.end as usize), "a token ends inside a character");
        end = span.end;
    }
    assert_eq!(end as usize, text.len(), "tokens end before the text");
}

/// Parsing never fails, and every place is one of the text.
fn parser(text: &str) {
    let (file, errors) = parse(text);
    for span in places(&format!("{file:?}{errors:?}")) {
        assert!(span.0 <= span.1, "a place that ends before it begins");
        assert!(text.get(span.0..span.1).is_some(), "{span:?} is no place of the text");
    }
}

/// The places in a shown tree: every one that it holds, whatever the tree will be made of.
fn places(shown: &str) -> impl Iterator<Item = (usize, usize)> {
    shown.split("Span { start: ").skip(1).filter_map(|rest| {
        let (start, rest) = rest.split_once(", end: ")?;
        let (end, _) = rest.split_once(" }")?;
        Some((start.parse().ok()?, end.parse().ok()?))
    })
}

/// A shown tree without its places.
fn without_places(shown: &str) -> String {
    let mut parts = shown.split("Span { start: ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once(" }").map_or("", |(_, rest)| rest));
    }
    out
}

/// Formatted text stays as it is, with the words, comments and tree of before; text with errors is refused.
fn formatter(text: &str) {
    let (before, errors) = parse(text);
    let Ok(once) = format(text) else {
        assert!(!errors.is_empty(), "a text without errors was refused");
        return;
    };
    assert!(errors.is_empty(), "a text with errors was formatted");
    assert_eq!(format(&once).as_ref(), Ok(&once), "formatted text changes again");
    assert_eq!(words(&once), words(text), "words or comments changed");
    let shown = |tree| without_places(&format!("{tree:?}"));
    assert_eq!(shown(parse(&once).0), shown(before), "the tree changed");
}

/// Compiling never fails, and every diagnostic points into a file that is there.
fn checker(text: &str) {
    let compiled = compile(&[SourceText { path: "t.tb".into(), text: text.to_owned() }], &[]);
    for diagnostic in &compiled.diagnostics {
        for label in std::iter::once(&diagnostic.primary).chain(&diagnostic.others) {
            let file = compiled.files.get(label.place.file as usize);
            let place = label.place.start as usize..label.place.end as usize;
            assert!(
                file.is_some_and(|file| file.text.get(place).is_some()),
                "{} points at no text: {:?}",
                diagnostic.code.id,
                label.place
            );
        }
    }
}
