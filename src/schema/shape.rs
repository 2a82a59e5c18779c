//! The types of what was seen.
//!
//! Comes in: counts for each place. Goes out: a type for each, or why there is none. A type is only given where every value that was
//! seen is of it.

use super::seen::{Seen, WORDS_KEPT};

/// Observations that make a place with a telling name an enum.
const ENUM_OBSERVATIONS: u64 = 6;
/// Observations without which the look of a string alone makes no nvr.
const NVR_OBSERVATIONS: u64 = 4;
/// Messages from which rarely met members tell that an object is a table.
const TABLE_OBJECTS: u64 = 8;
/// Members from which rarely met ones tell it.
const TABLE_MEMBERS: usize = 8;

/// Names of places that hold states.
const STATES: &[&str] = &[
    "action", "category", "event", "kind", "method", "new", "old", "outcome", "phase", "request", "result",
    "severity", "stage", "state", "status", "type", "verdict",
];

/// A type, with everything below it.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// true, false
    Bool,
    /// Whole numbers.
    Int,
    /// Numbers.
    Float,
    /// Strings.
    Text,
    /// Names of builds.
    Nvr,
    /// One of some words.
    Enum(Vec<String>),
    /// Elements of one type.
    List(Box<Shape>),
    /// Members by name.
    Record(Vec<Field>),
    /// Nothing that can be declared, and why.
    Unknown(String),
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// As messages spell it.
    pub name: String,
    /// Its type.
    pub shape: Shape,
    /// Whether it was missing or null somewhere.
    pub need: Need,
}

/// Whether a member was always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// In every object, and never null.
    Always,
    /// Missing or null in some.
    Sometimes,
}

/// The type of a place of this name.
pub fn shape(name: &str, seen: &Seen) -> Shape {
    let kinds: Vec<&str> = [
        (seen.bools, "bool"),
        (seen.ints.saturating_add(seen.floats), "number"),
        (seen.texts, "string"),
        (seen.lists, "list"),
        (seen.objects, "object"),
    ]
    .into_iter()
    .filter(|(times, _)| *times > 0)
    .map(|(_, kind)| kind)
    .collect();
    match kinds.as_slice() {
        [] if seen.nulls > 0 => Shape::Unknown("was always null".into()),
        [] => Shape::Unknown("was never there".into()),
        ["bool"] => Shape::Bool,
        ["number"] if seen.floats == 0 => Shape::Int,
        ["number"] => Shape::Float,
        ["string"] => text(name, seen),
        ["list"] => list(name, seen),
        ["object"] => record(seen),
        kinds => Shape::Unknown(format!("was now {}: no type holds both", kinds.join(", now "))),
    }
}

fn text(name: &str, seen: &Seen) -> Shape {
    let named = name
        .to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word == "nvr" || word == "nvrs");
    let looks_like_it = seen.built == seen.texts && seen.texts >= NVR_OBSERVATIONS;
    if seen.nvrs == seen.texts && (named || looks_like_it) {
        return Shape::Nvr;
    }
    let telling = name
        .to_lowercase()
        .rsplit(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .is_some_and(|last| STATES.contains(&last));
    let different = u64::try_from(seen.words.len()).unwrap_or(u64::MAX);
    let few = seen.texts >= ENUM_OBSERVATIONS
        && (2..=WORDS_KEPT).contains(&seen.words.len())
        && different.saturating_mul(2) <= seen.texts;
    if telling && few && !seen.any_text {
        Shape::Enum(seen.words.keys().cloned().collect())
    } else {
        Shape::Text
    }
}

fn list(name: &str, seen: &Seen) -> Shape {
    let Some(items) = seen.items.as_ref().filter(|items| items.present() > 0 || items.nulls > 0) else {
        return Shape::Unknown("was always an empty list".into());
    };
    if items.nulls > 0 {
        return Shape::Unknown("is a list that holds nulls".into());
    }
    match shape(name, items) {
        Shape::Unknown(why) => Shape::Unknown(format!("is a list; its element {why}")),
        item => Shape::List(Box::new(item)),
    }
}

fn record(seen: &Seen) -> Shape {
    if seen.members.is_empty() {
        return Shape::Unknown("was always an empty object".into());
    }
    // Names that are data (files, users) differ from object to object.
    let rare =
        seen.members.values().filter(|member| member.present().saturating_mul(4) <= seen.objects).count();
    let is_table = seen.objects >= TABLE_OBJECTS
        && seen.members.len() >= TABLE_MEMBERS
        && rare.saturating_mul(4) >= seen.members.len().saturating_mul(3);
    if seen.too_many_members || is_table {
        return Shape::Unknown("looks like a table, its members differ from message to message".into());
    }
    Shape::Record(fields(seen))
}

/// The members of an object; of a body they are always declared, however many there are.
pub fn fields(seen: &Seen) -> Vec<Field> {
    let field = |(name, member): (&String, &Seen)| {
        let need = if member.present() == seen.objects { Need::Always } else { Need::Sometimes };
        Field { name: name.clone(), shape: shape(name, member), need }
    };
    seen.members.iter().map(field).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "tests")]
    use serde_json::{Value, json};

    use super::*;

    fn of(name: &str, values: &[Value]) -> Shape {
        let mut seen = Seen::default();
        values.iter().for_each(|value| seen.see(value));
        shape(name, &seen)
    }

    #[test]
    fn a_type_holds_everything_that_was_seen() {
        assert_eq!(of("n", &[json!(1), json!(2)]), Shape::Int);
        assert_eq!(of("n", &[json!(1), json!(2.5)]), Shape::Float);
        assert_eq!(
            of("n", &[json!(1), json!("2")]),
            Shape::Unknown("was now number, now string: no type holds both".into())
        );
        assert_eq!(of("n", &[json!(null)]), Shape::Unknown("was always null".into()));
        assert_eq!(of("l", &[json!([]), json!(["a"])]), Shape::List(Box::new(Shape::Text)));
        assert_eq!(of("l", &[json!([])]), Shape::Unknown("was always an empty list".into()));
    }

    #[test]
    fn missing_or_null_is_optional() {
        let Shape::Record(fields) =
            of("o", &[json!({ "a": 1, "b": 2, "c": null }), json!({ "a": 1, "c": 3 })])
        else {
            unreachable!()
        };
        assert_eq!(
            fields.iter().map(|f| f.need).collect::<Vec<_>>(),
            [Need::Always, Need::Sometimes, Need::Sometimes]
        );
    }

    #[test]
    fn builds_and_states_are_told_by_name_and_look() {
        assert_eq!(of("nvr", &[json!("a-1-1")]), Shape::Nvr);
        let titles = ["a-1-1.fc40", "b-2-1.el9", "c-3-1.fc41", "d-4-1.fc42"].map(Value::from);
        assert_eq!(of("title", &titles), Shape::Nvr);
        assert_eq!(of("title", &titles[..2]), Shape::Text, "too few to know");
        assert_eq!(of("nvr", &[json!("a-1-1.fc40,b-2-1.fc40")]), Shape::Text, "two of them");
        assert_eq!(of("title", &[json!("well-known-thing")]), Shape::Text);
        let states: Vec<Value> = (0..8).map(|n| json!(if n < 4 { "open" } else { "closed" })).collect();
        assert_eq!(of("status", &states), Shape::Enum(vec!["closed".into(), "open".into()]));
        assert_eq!(of("status", &states[..3]), Shape::Text, "too few to know");
        assert_eq!(of("agent", &states), Shape::Text, "people are no states");
    }

    #[test]
    fn names_that_are_data_make_no_record() {
        let files: Vec<Value> = (0..8).map(|n| json!({ format!("file-{n}.c"): 1, "total": 2 })).collect();
        assert!(matches!(of("stats", &files), Shape::Unknown(why) if why.contains("table")));
    }
}
