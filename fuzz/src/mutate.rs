//! Texts made of other texts, by a seed.
//!
//! Comes in: the texts of the project and a number. Goes out: some of their items, with words taken out, doubled, exchanged and
//! put in, and now and then with bytes of no sense. The same number gives the same text.

use taskbot_grammar::{Token, TokenKind, tokens};

/// Words that are put in besides those of the texts: every sign, what begins something, and what is hostile.
pub const WORDS: [&str; 48] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    ":",
    "=",
    "?",
    "_",
    "==",
    "<",
    "and",
    "or",
    "not",
    "else",
    "in",
    "is",
    "has",
    "where",
    "run",
    "on",
    "each",
    "let",
    "test",
    "use",
    "rule",
    "event",
    "dialect",
    "count",
    "any",
    "matches",
    "null",
    "absent",
    "\"",
    "r\"(\"",
    "\"x\\q\"",
    "# c\n",
    "## d\n",
    "\n",
    "24h",
    "-9223372036854775809",
    "99999999999999999999d",
    "é",
    "\u{202e}",
    "\u{0}",
];

/// A small generator of numbers (xorshift64*).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The sequence of a seed.
    pub const fn new(seed: u64) -> Self {
        // Spread out, so that neighbouring seeds have nothing in common, and never 0.
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below this one; 0 if it is 0.
    pub fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        usize::try_from(number.checked_rem(most).unwrap_or(0)).unwrap_or(0)
    }

    fn one_of<'t, T: ?Sized>(&mut self, choices: &[&'t T]) -> Option<&'t T> {
        choices.get(self.below(choices.len())).copied()
    }
}

/// The text of a seed.
pub fn text(corpus: &[String], seed: u64) -> String {
    let mut numbers = Numbers::new(seed);
    let mut words: Vec<&str> = Vec::new();
    for _ in 0..=numbers.below(3) {
        words.extend(piece(corpus, &mut numbers));
    }
    // Half of the texts have few mistakes, so that much of them is read.
    let most = if numbers.below(2) == 0 { 3 } else { 8 };
    for _ in 0..numbers.below(most) {
        mutate(&mut words, corpus, &mut numbers);
    }
    let mut text = words.concat();
    if numbers.below(16) == 0 {
        let cut = numbers.below(text.len());
        text.truncate((0..=cut).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
    }
    text
}

/// Up to some hundred tokens that follow each other in one of the texts, most often from the beginning of an item.
fn piece<'t>(corpus: &'t [String], numbers: &mut Numbers) -> Vec<&'t str> {
    let Some(text) = corpus.get(numbers.below(corpus.len())) else { return Vec::new() };
    let blocks = blocks(text);
    let first = numbers.below(blocks.len());
    let count = numbers.below(3).saturating_add(1);
    let all = blocks.iter().skip(first).take(count).flat_map(|block| cut(block));
    all.take(400).collect()
}

/// A text at those of its empty lines before which no body is open.
fn blocks(text: &str) -> Vec<&str> {
    let (mut blocks, mut begin) = (Vec::new(), 0);
    for (at, _) in text.match_indices("\n\n") {
        let next = at.saturating_add(2);
        if !text.get(next..).is_some_and(|rest| rest.starts_with([' ', '}', '\n'])) {
            blocks.push(text.get(begin..next).unwrap_or_default());
            begin = next;
        }
    }
    blocks.push(text.get(begin..).unwrap_or_default());
    blocks
}

fn cut(text: &str) -> Vec<&str> {
    tokens(text).iter().map(|token: &Token| token.span.of(text)).collect()
}

fn mutate<'t>(words: &mut Vec<&'t str>, corpus: &'t [String], numbers: &mut Numbers) {
    let at = numbers.below(words.len());
    match numbers.below(9) {
        0 if !words.is_empty() => {
            words.remove(at);
        }
        1 => {
            let end = at.saturating_add(numbers.below(6)).min(words.len());
            words.drain(at..end);
        }
        2 => {
            let other = numbers.below(words.len());
            if at != other {
                words.swap(at, other);
            }
        }
        3 => {
            let doubled: Vec<&str> = words.iter().skip(at).take(numbers.below(12)).copied().collect();
            words.splice(at..at, doubled);
        }
        4 => {
            let end = at.saturating_add(numbers.below(4)).min(words.len());
            let other = piece(corpus, numbers);
            let from = numbers.below(other.len());
            words.splice(at..end, other.into_iter().skip(from).take(6));
        }
        5 => {
            let brackets =
                numbers.one_of(&["(", "[", "{ a: ", "not ", "a else ", "[[", "a.", "- "]).unwrap_or("(");
            let count = numbers.below(80);
            words.splice(at..at, std::iter::repeat_n(brackets, count));
        }
        6 => {
            // A name for another name, so that what is wrong is the meaning.
            let names: Vec<&str> = corpus
                .get(numbers.below(corpus.len()))
                .map(|text| {
                    tokens(text).into_iter().filter(|t| t.kind == TokenKind::Word).map(|t| t.span.of(text))
                })
                .into_iter()
                .flatten()
                .collect();
            if let (Some(word), Some(name)) = (words.get_mut(at), numbers.one_of(&names)) {
                *word = name;
            }
        }
        _ => {
            let word = numbers.one_of(&WORDS).unwrap_or("(");
            words.splice(at..at, [" ", word, " "].into_iter().take(numbers.below(3).saturating_add(1)));
        }
    }
}
