//! The formatter: one layout for the text of every file.
//!
//! Comes in: the text of a file. Goes out: the same items, words and comments in the same order, in the layout of
//! `docs/language/reference.md`; or the syntax errors, and then nothing is changed. Formatted text stays as it is. Only white
//! space and commas between members change: `words` shows that nothing else did.
//!
//! `item` says where constructs may be broken, `layout` sets them into lines.

mod item;
mod layout;

use pest::Parser;

use self::item::Builder;
use self::layout::{Comment, Printer, Stands, Word};
use crate::parse::parse;
use crate::parse::pest_grammar::{ItemParser, Rule as R};
use crate::token::{self, Token, TokenKind};
use crate::tree::{Span, SyntaxError, SyntaxErrorKind};

/// Sets a file into its layout.
///
/// # Errors
/// The syntax errors of a file that has any.
pub fn format(text: &str) -> Result<String, Vec<SyntaxError>> {
    let (_, errors) = parse(text);
    if !errors.is_empty() {
        return Err(errors);
    }
    let tokens = token::tokens(text);
    let (items, _) = token::items(text, &token::words(text));
    let (words, starts, tail) = with_comments(text, &tokens);
    let builder = Builder::new(&words, &starts);
    let mut printer = Printer::new(&words);
    for item in items {
        let pairs = ItemParser::parse(R::item, item.span.of(text)).map_err(|_| vec![too_large(item.span)])?;
        for pair in pairs.filter(|pair| pair.as_rule() != R::EOI) {
            let (doc, first) = builder.item(&pair, item.span.start);
            printer.item(&doc, first);
        }
    }
    Ok(printer.finish(&tail))
}

/// The bound of the parser is the only one that text without errors could reach.
const fn too_large(span: Span) -> SyntaxError {
    SyntaxError { span, kind: SyntaxErrorKind::TooLarge }
}

/// The words and comments of a text in their order, without commas: formatting leaves them as they are.
pub fn words(text: &str) -> Vec<&str> {
    let kept = token::tokens(text).into_iter().filter(|t| t.kind != TokenKind::Space);
    kept.map(|t| clean(t.span.of(text))).filter(|word| *word != ",").collect()
}

fn clean(comment: &str) -> &str {
    comment.trim_end_matches([' ', '\t', '\r'])
}

/// The words of a file with the comments that stand at them, their first bytes, and the comments at its end.
fn with_comments<'t>(text: &'t str, tokens: &[Token]) -> (Vec<Word<'t>>, Vec<u32>, Vec<Comment<'t>>) {
    let (mut words, mut starts): (Vec<Word<'t>>, Vec<u32>) = (Vec::new(), Vec::new());
    let mut before: Vec<Comment<'t>> = Vec::new();
    // Line ends since the last comment or word, and since the last word.
    let (mut ends, mut ends_since_word) = (0usize, 0usize);
    for token in tokens {
        let word = token.span.of(text);
        let blank_before = ends > 1 && !(words.is_empty() && before.is_empty());
        match token.kind {
            TokenKind::Space => {
                let more = word.matches('\n').count();
                ends = ends.saturating_add(more);
                ends_since_word = ends_since_word.saturating_add(more);
                continue;
            }
            TokenKind::Comment | TokenKind::Doc => {
                let comment = |stands| Comment { text: clean(word), stands, blank_before };
                match words.last_mut() {
                    Some(last) if ends_since_word == 0 => last.behind = Some(comment(Stands::Behind)),
                    _ => before.push(comment(Stands::Alone)),
                }
            }
            _ => {
                let before = std::mem::take(&mut before);
                let begins_line = ends_since_word > 0;
                words.push(Word { text: word, before, behind: None, begins_line, blank_before });
                starts.push(token.span.start);
                ends_since_word = 0;
            }
        }
        ends = 0;
    }
    settle_commas(&mut words);
    (words, starts, before)
}

/// A comma is written directly behind its word: comments between them go before what follows. Documentation there would become
/// that of what follows, so such a comma stays where it is.
fn settle_commas(words: &mut [Word<'_>]) {
    for at in 1..words.len() {
        let Some([before, comma, after]) = words.get_mut(at.saturating_sub(1)..=at.saturating_add(1)) else {
            continue;
        };
        if comma.text != "," || is_documented(before, comma) {
            continue;
        }
        let mut moved = std::mem::take(&mut comma.before);
        if !moved.is_empty() || before.behind.is_some() {
            let behind = comma.behind.take().map(|comment| Comment { stands: Stands::Alone, ..comment });
            moved.extend(behind);
        }
        moved.append(&mut after.before);
        after.before = moved;
    }
}

/// Whether documentation stands between a word and the comma behind it.
fn is_documented(before: &Word<'_>, comma: &Word<'_>) -> bool {
    before.behind.iter().chain(&comma.before).any(|comment| comment.text.starts_with("##"))
}
