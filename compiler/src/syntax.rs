//! Syntax errors as diagnostics.
//!
//! Comes in: what the grammar could not read. Goes out: the same with its code, in words, with what to do.

use taskbot_grammar::{Span, SyntaxError, SyntaxErrorKind};
use taskbot_graph::Place;

use crate::diagnostic::*;
use crate::hints::{self, Hint};

/// The diagnostic of a syntax error.
pub(crate) fn diagnostic(file: u32, text: &str, error: SyntaxError) -> Diagnostic {
    let at = |span: Span| Place { file, start: span.start, end: span.end };
    let place = at(error.span);
    let here = error.span.of(text);
    match error.kind {
        SyntaxErrorKind::Unreadable => {
            let shown: String = here.chars().take(20).collect();
            Diagnostic::new(
                &TB0101,
                place,
                format!("{shown:?} begins nothing in the language"),
                "cannot be read",
            )
            .hinted(place, hints::unreadable(here))
            .or_help("text stands in quotes, comments begin with `#`")
        }
        SyntaxErrorKind::OpenString => {
            Diagnostic::new(&TB0102, place, "this string does not end on its line", "begins here")
                .help("add the closing `\"`")
        }
        SyntaxErrorKind::TooDeep => Diagnostic::new(&TB0103, place, "nested too deep", "here").help(format!(
            "at most {} levels; split the condition into several rules",
            taskbot_grammar::NESTING_LIMIT
        )),
        SyntaxErrorKind::WrongBracket(open) => {
            let diagnostic =
                Diagnostic::new(&TB0104, place, format!("`{here}` closes nothing here"), "this bracket");
            match open {
                Some(open) => diagnostic.other(at(open), "this one is open"),
                None => diagnostic.help("remove it"),
            }
        }
        SyntaxErrorKind::Unclosed => {
            Diagnostic::new(&TB0105, place, format!("`{here}` is never closed"), "opened here")
                .help("add its closing bracket")
        }
        SyntaxErrorKind::NoItem(word) => {
            let items = [&taskbot_grammar::ITEM_KEYWORDS[..], &taskbot_grammar::CONTEXTUAL_KEYWORDS].concat();
            Diagnostic::new(
                &TB0106,
                place,
                format!("`{word}` begins no rule and no declaration"),
                "not an item",
            )
            .help(format!(
                "an item begins with {}",
                items.iter().map(|i| format!("`{i}`")).collect::<Vec<_>>().join(", ")
            ))
            .did_you_mean(&word, items)
            .hinted(place, hints::no_item(&word))
        }
        SyntaxErrorKind::Unexpected { found, expected } => {
            let hint = hints::Unexpected {
                found: &found,
                expected: &expected,
                before: text.get(..error.span.start as usize).unwrap_or_default().trim_end(),
            }
            .hint();
            let found =
                if found.is_empty() { "the item ends".to_owned() } else { format!("`{found}` stands") };
            let wanted = match expected.as_slice() {
                [] => "something else".to_owned(),
                [one] => (*one).to_owned(),
                [all @ .., last] => format!("{} or {last}", all.join(", ")),
            };
            Diagnostic::new(&TB0108, place, format!("{found} where {wanted} was expected"), "unexpected")
                .hinted(place, hint)
        }
        SyntaxErrorKind::NumberTooLarge => {
            Diagnostic::new(&TB0109, place, "this number is too large", "beyond 64 bits")
        }
        SyntaxErrorKind::BadEscape => {
            Diagnostic::new(&TB0110, place, "this string holds an unknown escape", "here")
                .help("escapes are \\\" \\\\ \\n \\t; write a plain backslash as \\\\")
        }
        SyntaxErrorKind::TooLarge => {
            Diagnostic::new(&TB0111, place, "this item is too large to read", "the whole item")
                .help("split it into several rules")
        }
    }
}

impl Diagnostic {
    /// With what to do, where that is known.
    fn hinted(self, place: Place, hint: Option<Hint>) -> Self {
        match hint {
            Some(Hint { help, instead: Some(instead) }) => {
                self.help(help).suggest(place, instead, Safety::Unsafe)
            }
            Some(Hint { help, instead: None }) => self.help(help),
            None => self,
        }
    }

    /// With this help, unless there is a better one.
    fn or_help(self, help: impl Into<String>) -> Self {
        if self.help.is_some() { self } else { self.help(help) }
    }
}
