//! The body of a case.
//!
//! Comes in: a case. Goes out: the text of a message's body, JSON unless the case breaks it. Lists that no rule reads are empty, so that
//! every byte counts.

use std::fmt::Write as _;

use super::case::{Alike, Case, Condition, Message, Written};

/// Writes the body.
pub fn text(case: &Case) -> String {
    let message = &case.message;
    let list = |read: bool, element: &dyn Fn(usize) -> String| {
        let count = if read { message.elements } else { 0 };
        format!("[{}]", (0..count).map(element).collect::<Vec<_>>().join(","))
    };
    let reads_items = case.condition.has(&|c| matches!(c, Condition::Quantified(..)));
    let reads_colours = case.condition.has(&|c| matches!(c, Condition::Red));
    let reads_names = case.condition.has(&|c| matches!(c, Condition::Names));
    // Where other values are of another shape no dialect fits, and no rule is looked at.
    let misshapen = message.written == Written::Misshapen && !reads_names;
    let parts = list(reads_names, &|at| part(message, at));
    let own = |at: usize| quoted(message, &element(message, at));
    let texts = list(case.reads_texts(), &|at| if misshapen { at.to_string() } else { own(at) });
    let colours = list(reads_colours, &|at| if misshapen { at.to_string() } else { own(at) });
    let items = list(reads_items, &|at| if misshapen { at.to_string() } else { item(case, at) });
    let text = quoted(message, &message.text.text());
    let mut out = String::from("{");
    for at in 0..message.strangers {
        // Of the length of a declared one, and with its end.
        let _ = write!(out, "{}:0,", quoted(message, &format!("xember-{at}")));
    }
    for at in 0..case.declared {
        let _ = write!(out, "{}:0,", quoted(message, &format!("member-{at}")));
    }
    let builds: Vec<&str> =
        (0..message.subjects).map(|_| if misshapen { "1" } else { "\"a-1-1\"" }).collect();
    let (name, version, number) = (|name| quoted(message, name), version(message), number(message));
    let _ = write!(out, "{}:[{}],{}:{number},", name("builds"), builds.join(","), name("number"));
    let _ = write!(out, "{}:{text},{}:{version},", name("text"), name("version"));
    // Only where it is compared: it doubles the message.
    let other = if case.condition.has(&|c| *c == Condition::SameTexts) { text.as_str() } else { "\"\"" };
    let _ = write!(out, "{}:{other},{}:{texts},", name("other"), name("texts"));
    let _ = write!(out, "{}:{colours},{}:{items},", name("colours"), name("items"));
    let _ = write!(out, "{}:{parts}}}", name("parts"));
    broken(out, &message.broken)
}

fn item(case: &Case, at: usize) -> String {
    let message = &case.message;
    let mut out = format!("{{\"name\":{},", quoted(message, &element(message, at)));
    // The first field comes last, so that each is searched for behind the others.
    for field in (0..case.fields).rev() {
        let _ = write!(out, "\"field-{field}\":1,");
    }
    let _ = write!(out, "\"number\":{},\"version\":{}}}", number(message), version(message));
    out
}

fn part(message: &Message, at: usize) -> String {
    match message.written {
        Written::Misshapen => format!("{{\"name\":{at}}}"),
        _ => format!("{{\"name\":{}}}", quoted(message, &element(message, at))),
    }
}

fn element(message: &Message, at: usize) -> String {
    let text = message.element.text();
    if message.alike == Alike::Same { text } else { format!("{text}{at}") }
}

fn version(message: &Message) -> String {
    quoted(message, &format!("1{}-1", ".1".repeat(message.digits / 2)))
}

/// Half way between two doubles, until its last digit.
fn number(message: &Message) -> String {
    const HALF_WAY: &str = "0.500000000000000055511151231257827021181583404541015625";
    match message.digits.checked_sub(HALF_WAY.len()) {
        Some(zeros) => format!("{HALF_WAY}{}1", "0".repeat(zeros)),
        None => "0".to_owned(),
    }
}

fn quoted(message: &Message, text: &str) -> String {
    if message.written != Written::Escaped {
        return format!("\"{text}\"");
    }
    let mut out = String::from("\"");
    for unit in text.encode_utf16() {
        let _ = write!(out, "\\u{unit:04x}");
    }
    out.push('"');
    out
}

/// The text with some of its bytes exchanged. All of them are ASCII.
fn broken(text: String, places: &[(usize, u8)]) -> String {
    let mut bytes = text.into_bytes();
    for (thousandth, byte) in places {
        let at = bytes.len().saturating_mul(*thousandth) / 1_000;
        if let Some(place) = bytes.get_mut(at) {
            *place = *byte;
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}
