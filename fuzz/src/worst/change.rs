//! Changing a case, by a seed.
//!
//! Comes in: a case, what may be changed of it, numbers. Goes out: another case: a list longer, a text longer, another letter, more
//! rules, a condition within a quantifier, bytes broken. The same numbers give the same case.

use super::case::{Alike, Asks, Case, Condition, Letters, Pattern, Quantifier, Topic, Written};
use super::kind::Open;
use crate::mutate::Numbers;

/// Letters that texts are made of: whether a piece is looked up depends on its bytes.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// Bytes that make JSON another one, or none.
const SIGNS: &[u8] = b"\"{}[]:,\\ 0-e";
/// Longest set and longest piece of a pattern.
const MOST_STATES: usize = 2_000;

/// A case with a few changes.
pub fn change(case: &Case, open: Open, numbers: &mut Numbers) -> Case {
    let mut case = case.clone();
    for _ in 0..=numbers.below(3) {
        match (open, numbers.below(4)) {
            (Open::Everything, 0) => case.condition = grown(&case.condition, numbers),
            (Open::Everything, 1) => write_otherwise(&mut case, numbers),
            _ => resize(&mut case, numbers),
        }
    }
    case
}

/// One size, or what is the same as what.
fn resize(case: &mut Case, numbers: &mut Numbers) {
    let message = &mut case.message;
    match numbers.below(14) {
        0 => case.rules = scaled(case.rules, numbers).max(1),
        1 | 2 => message.elements = scaled(message.elements, numbers),
        3 | 4 => message.text.length = scaled(message.text.length, numbers),
        5 => message.element.length = scaled(message.element.length, numbers),
        6 => message.subjects = scaled(message.subjects, numbers),
        7 => message.alike = other(message.alike),
        8 => case.constants = other(case.constants),
        9 if numbers.below(3) == 0 => message.text.letters = mixed(message.text.letters),
        9 => message.text.letter = letter(numbers),
        10 => message.element.letter = letter(numbers),
        11 if case.declared > 0 => case.declared = scaled(case.declared, numbers).max(1),
        11 => message.digits = scaled(message.digits, numbers),
        12 if case.fields > 0 => case.fields = scaled(case.fields, numbers).max(1),
        12 => message.digits = scaled(message.digits, numbers),
        13 if message.strangers > 0 => message.strangers = scaled(message.strangers, numbers).max(1),
        _ => resize_condition(&mut case.condition, numbers),
    }
}

fn resize_condition(condition: &mut Condition, numbers: &mut Numbers) {
    let most = |size: usize| size.min(MOST_STATES);
    match condition {
        Condition::Among(size) | Condition::AmongVersions(size) | Condition::Begins(size) => {
            *size = most(scaled(*size, numbers));
        }
        Condition::Glob { stars, piece } => match numbers.below(3) {
            0 => *stars = scaled(*stars, numbers).clamp(1, 64),
            _ => *piece = most(scaled(*piece, numbers)).max(1),
        },
        Condition::Pattern(pattern, states) => match numbers.below(3) {
            0 => *pattern = any_pattern(numbers),
            _ => *states = scaled(*states, numbers).clamp(1, 900),
        },
        Condition::Quantified(quantifier, of) => match numbers.below(3) {
            0 => *quantifier = any_quantifier(numbers),
            _ => resize_condition(of, numbers),
        },
        Condition::Not(of) => resize_condition(of, numbers),
        Condition::And(parts) | Condition::Or(parts) => {
            let at = numbers.below(parts.len());
            if let Some(part) = parts.get_mut(at) {
                resize_condition(part, numbers);
            }
        }
        _ => {}
    }
}

/// Twice as many, half as many, or one more.
fn scaled(size: usize, numbers: &mut Numbers) -> usize {
    match numbers.below(6) {
        0 => size / 2,
        1 => size.saturating_add(1),
        2 => size.saturating_add(size / 2).saturating_add(1),
        _ => size.saturating_mul(2).max(1),
    }
}

fn other(alike: Alike) -> Alike {
    if alike == Alike::Same { Alike::Distinct } else { Alike::Same }
}

fn mixed(letters: Letters) -> Letters {
    if letters == Letters::One { Letters::Two } else { Letters::One }
}

fn letter(numbers: &mut Numbers) -> char {
    LETTERS.get(numbers.below(LETTERS.len())).copied().unwrap_or(b'a').into()
}

fn any_quantifier(numbers: &mut Numbers) -> Quantifier {
    match numbers.below(4) {
        0 => Quantifier::Any,
        1 => Quantifier::All,
        2 => Quantifier::None,
        _ => Quantifier::Count,
    }
}

fn any_pattern(numbers: &mut Numbers) -> Pattern {
    match numbers.below(4) {
        0 => Pattern::Ambiguous,
        1 => Pattern::Far,
        2 => Pattern::Nested,
        _ => Pattern::Words,
    }
}

/// A condition on one value.
pub fn leaf(numbers: &mut Numbers) -> Condition {
    match numbers.below(12) {
        0 => Condition::Equal,
        1 => Condition::Among(numbers.below(40).saturating_add(1)),
        2 => Condition::Between,
        3 => Condition::Begins(numbers.below(16).saturating_add(1)),
        4 => Condition::Glob {
            stars: numbers.below(4).saturating_add(1),
            piece: numbers.below(12).saturating_add(1),
        },
        5 => Condition::Pattern(any_pattern(numbers), numbers.below(40).saturating_add(1)),
        6 => Condition::SameTexts,
        7 => Condition::Older,
        8 => Condition::AmongVersions(numbers.below(40).saturating_add(1)),
        9 => Condition::InTexts,
        10 => Condition::Names,
        _ => Condition::Red,
    }
}

/// A condition with one more around it or beside it, or another one in its place.
fn grown(condition: &Condition, numbers: &mut Numbers) -> Condition {
    let of = condition.clone();
    match numbers.below(6) {
        0 => Condition::Quantified(any_quantifier(numbers), Box::new(of)),
        1 => Condition::Not(Box::new(of)),
        2 => Condition::And(vec![of, leaf(numbers)]),
        3 => Condition::Or(vec![of, leaf(numbers)]),
        4 => match of {
            Condition::Quantified(_, of) | Condition::Not(of) => *of,
            Condition::And(parts) | Condition::Or(parts) => {
                let at = numbers.below(parts.len());
                parts.into_iter().nth(at).unwrap_or(Condition::Equal)
            }
            _ => leaf(numbers),
        },
        _ => leaf(numbers),
    }
}

fn write_otherwise(case: &mut Case, numbers: &mut Numbers) {
    let message = &mut case.message;
    match numbers.below(5) {
        0 => {
            message.written = match numbers.below(3) {
                0 => Written::Plain,
                1 => Written::Escaped,
                _ => Written::Misshapen,
            };
        }
        1 => {
            let byte = SIGNS.get(numbers.below(SIGNS.len())).copied().unwrap_or(b'"');
            message.broken.push((numbers.below(1_000), byte));
        }
        2 => drop(message.broken.pop()),
        3 => message.topic = if message.topic == Topic::Known { Topic::Fresh } else { Topic::Known },
        _ => case.asks = Asks::ALL.get(numbers.below(Asks::ALL.len())).copied().unwrap_or(Asks::Run),
    }
}
