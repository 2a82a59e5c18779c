//! A place among the words of an item: what stands there, and the way on.
//!
//! The text of the word is looked up once, when the place is reached: it is compared with many.

use super::Quick;
use crate::token::TokenKind;
use crate::tree::Span;

impl<'t> Quick<'t> {
    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
        self.word = self.words.get(at).map_or("", |word| word.span.of(self.text));
    }

    pub(super) fn next(&mut self) {
        self.go_to(self.at.saturating_add(1));
    }

    /// The text of the word that is `ahead`; empty behind the last one.
    pub(super) fn ahead(&self, ahead: usize) -> &'t str {
        self.words.get(self.at.saturating_add(ahead)).map_or("", |word| word.span.of(self.text))
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.word == word
    }

    pub(super) fn kind(&self, ahead: usize) -> Option<TokenKind> {
        self.words.get(self.at.saturating_add(ahead)).map(|word| word.kind)
    }

    pub(super) fn start(&self) -> u32 {
        self.words.get(self.at).map_or(0, |word| word.span.start)
    }

    /// From a place to the end of the word read last.
    pub(super) fn since(&self, start: u32) -> Span {
        let last = self.at.checked_sub(1).and_then(|at| self.words.get(at));
        Span { start, end: last.map_or(start, |word| word.span.end) }
    }

    /// Goes on if this is the word.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let is = self.is(word);
        if is {
            self.next();
        }
        is
    }

    /// This word, or pest judges.
    pub(super) fn want(&mut self, word: &str) -> Option<()> {
        self.eat(word).then_some(())
    }

    /// A word of this kind.
    pub(super) fn of_kind(&mut self, kind: TokenKind) -> Option<(&'t str, Span)> {
        let span = self.words.get(self.at).filter(|word| word.kind == kind)?.span;
        let text = self.word;
        self.next();
        Some((text, span))
    }

    /// What would make one word of this one and the next is left to pest.
    pub(super) fn ends_alone(&self) -> Option<()> {
        let end = self.words.get(self.at)?.span.end;
        let after = self.text.as_bytes().get(end as usize);
        let goes_on = after.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        (!goes_on).then_some(())
    }
}
