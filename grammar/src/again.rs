//! A file read again: only what changed is parsed.
//!
//! Comes in: a text with its tree and errors, and the text that it has become. Goes out: the tree and errors of the new text, the
//! same that `parse` gives, and which items are those of before.
//!
//! What stands before the first difference and behind the last one is kept; the text between is parsed alone. It begins and
//! ends with an item. That this is sound rests on two properties of the lexer: no token but blanks goes beyond its line, so
//! behind a line end that stayed the tokens are the same; and an item keyword that begins a line begins an item, whatever came before.

use crate::parse::parse;
use crate::shift::Shift;
use crate::tree::{File, Item, SyntaxError};

/// Items that are those of before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// So many at the beginning, where they were.
    pub first: usize,
    /// So many at the end, with their places moved.
    pub last: usize,
}

/// Reads a text that was another one when it was read last.
pub fn parse_again(
    before: &str,
    (mut file, mut errors): (File, Vec<SyntaxError>),
    text: &str,
) -> (File, Vec<SyntaxError>, Kept) {
    let (old, new) = (before.as_bytes(), text.as_bytes());
    let same_first = same_first(old, new);
    let (old_rest, new_rest) = (old.get(same_first..), new.get(same_first..));
    let same_last = same_last(old_rest.unwrap_or_default(), new_rest.unwrap_or_default());
    let first = kept_first(&file.items, before, same_first);
    let last_from = kept_last(&file.items, before, same_last).max(first);

    let start = |at: usize| file.items.get(at).map(|item| item.span.start as usize);
    let from = if first == 0 { 0 } else { start(first).unwrap_or_default() };
    let behind = start(last_from).map_or(0, |start| before.len().saturating_sub(start));
    let to = text.len().saturating_sub(behind);
    let by = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let moved = by(text.len()).wrapping_sub(by(before.len()));

    let (mut changed, mut changed_errors) = parse(text.get(from..to).unwrap_or_default());
    changed.items.iter_mut().for_each(|item| item.shift(by(from)));
    changed_errors.shift(by(from));
    let mut last = file.items.split_off(last_from);
    // Its documentation stands before it, in what was kept.
    if let (Some(item), Some(documented)) = (changed.items.first_mut(), file.items.get_mut(first))
        && from > 0
        && item.span.start == documented.span.start
    {
        item.doc = std::mem::take(&mut documented.doc);
    }
    last.shift(moved);
    let kept = Kept { first, last: last.len() };
    file.items.truncate(first);
    file.items.append(&mut changed.items);
    file.items.append(&mut last);

    let error_from =
        |errors: &[SyntaxError], at: usize| errors.partition_point(|e| (e.span.start as usize) < at);
    let mut errors_last = errors.split_off(error_from(&errors, before.len().saturating_sub(behind)));
    errors.truncate(error_from(&errors, from));
    errors_last.shift(moved);
    errors.append(&mut changed_errors);
    errors.append(&mut errors_last);
    (file, errors, kept)
}

/// Bytes that are compared at once.
const BLOCK_BYTES: usize = 4_096;

/// How many bytes two texts have in common at their beginnings.
fn same_first(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.chunks_exact(BLOCK_BYTES).zip(b.chunks_exact(BLOCK_BYTES)).take_while(|(a, b)| a == b);
    let at = blocks.count().saturating_mul(BLOCK_BYTES);
    let rest = a.iter().skip(at).zip(b.iter().skip(at));
    at.saturating_add(rest.take_while(|(a, b)| a == b).count())
}

/// How many bytes two texts have in common at their ends.
fn same_last(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.rchunks_exact(BLOCK_BYTES).zip(b.rchunks_exact(BLOCK_BYTES)).take_while(|(a, b)| a == b);
    let at = blocks.count().saturating_mul(BLOCK_BYTES);
    let rest = a.iter().rev().skip(at).zip(b.iter().rev().skip(at));
    at.saturating_add(rest.take_while(|(a, b)| a == b).count())
}

/// The items before the last one that ends before the first difference, with a line end between its beginning and the difference.
fn kept_first(items: &[Item], before: &str, same: usize) -> usize {
    let line_end =
        before.as_bytes().get(..same).and_then(|same| same.iter().rposition(|byte| *byte == b'\n'));
    let Some(line_end) = line_end else { return 0 };
    let whole =
        items.partition_point(|i| (i.span.end as usize) < same && (i.span.start as usize) <= line_end);
    whole.saturating_sub(1)
}

/// The first item behind the last difference that begins a line, with another such item between.
fn kept_last(items: &[Item], before: &str, same: usize) -> usize {
    let from = before.len().saturating_sub(same);
    let line_end = before.as_bytes().get(from..).and_then(|same| same.iter().position(|byte| *byte == b'\n'));
    let Some(line_end) = line_end.and_then(|at| from.checked_add(at)) else { return items.len() };
    let begins_line = |item: &Item| {
        let before = (item.span.start as usize).checked_sub(1).and_then(|at| before.as_bytes().get(at));
        before == Some(&b'\n')
    };
    let behind = items.partition_point(|item| item.span.start as usize <= line_end);
    let mut anchors = (behind..items.len()).filter(|at| items.get(*at).is_some_and(begins_line));
    anchors.nth(1).unwrap_or(items.len())
}
