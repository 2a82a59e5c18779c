//! The wanted part of a message's body, taken in one pass over its bytes.
//!
//! Comes in: the body's bytes and the trie of paths that the rules of its topic read. Goes out: a small tree of just those
//! values. Everything else is skipped unread. It types nothing: that is `eval`, by the dialect that fits.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::limits;

/// Wanted member names below a place of the body. Elements of a list stand at the place of their list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wanted(Vec<(String, Wanted)>);

impl Wanted {
    /// Adds a path.
    pub(crate) fn add<S: AsRef<str>>(&mut self, steps: &[S]) {
        let Some((first, rest)) = steps.split_first() else { return };
        let at = match self.0.binary_search_by(|(name, _)| name.as_str().cmp(first.as_ref())) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (first.as_ref().to_owned(), Self::default()));
                at
            }
        };
        if let Some((_, child)) = self.0.get_mut(at) {
            child.add(rest);
        }
    }
}

impl Wanted {
    /// Adds everything that the other one wants.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (name, below) in &other.0 {
            match self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)) {
                Ok(at) => {
                    if let Some((_, child)) = self.0.get_mut(at) {
                        child.merge(below);
                    }
                }
                Err(at) => self.0.insert(at, (name.clone(), below.clone())),
            }
        }
    }
}

/// A value of the body as JSON has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw {
    Null,
    Bool(bool),
    Int(i64),
    /// A fraction, or a whole number beyond 64 bits.
    Float(f64),
    Text(String),
    List(Vec<Raw>),
    /// Its wanted members.
    Object(Vec<(String, Raw)>),
}

impl Raw {
    /// A member of an object.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(n, _)| n == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// What it is, for people, shortened.
    pub(crate) fn sketch(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(b) => b.to_string(),
            Self::Int(n) => n.to_string(),
            Self::Float(f) => f.to_string(),
            Self::Text(t) => {
                let short: String = t.chars().take(60).collect();
                let mark = if short.len() < t.len() { "…" } else { "" };
                format!("{:?}{mark}", short)
            }
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Object(_) => "an object".into(),
        }
    }
}

/// Reads the wanted part of a body. The error says why the bytes are no JSON.
pub(crate) fn read(bytes: &[u8], wanted: &Wanted) -> Result<Raw, String> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let raw = Seed(wanted).deserialize(&mut json).map_err(|e| e.to_string())?;
    json.end().map_err(|e| e.to_string())?;
    Ok(raw)
}

struct Seed<'w>(&'w Wanted);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Raw, E> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a number beyond i64 is no int of the language anyway"
        )]
        Ok(i64::try_from(value).map_or(Raw::Float(value as f64), Raw::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Seed(self.0))? {
            if items.len() >= limits::LIST_ELEMENTS {
                return Err(A::Error::custom(format!(
                    "a list of more than {} elements",
                    limits::LIST_ELEMENTS
                )));
            }
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut members = Vec::new();
        while let Some(place) = map.next_key_seed(Key(self.0))? {
            match place {
                Some((name, child)) => members.push((name.clone(), map.next_value_seed(Seed(child))?)),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Raw::Object(members))
    }
}

/// Looks a member's name up without copying it.
struct Key<'w>(&'w Wanted);

impl<'de, 'w> DeserializeSeed<'de> for Key<'w> {
    type Value = Option<&'w (String, Wanted)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'w> Visitor<'_> for Key<'w> {
    type Value = Option<&'w (String, Wanted)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let members = &self.0.0;
        Ok(members.binary_search_by(|(n, _)| n.as_str().cmp(name)).ok().and_then(|at| members.get(at)))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn takes_only_what_is_wanted() {
        let mut wanted = Wanted::default();
        wanted.add(&["a", "b"]);
        wanted.add(&["c"]);
        let raw = read(br#"{"z": 1, "c": [1, -2.5, null], "a": [{"b": true, "q": 0}, 7]}"#, &wanted).unwrap();
        let object = |members: Vec<(&str, Raw)>| {
            Raw::Object(members.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())
        };
        let expected = object(vec![
            ("c", Raw::List(vec![Raw::Int(1), Raw::Float(-2.5), Raw::Null])),
            ("a", Raw::List(vec![object(vec![("b", Raw::Bool(true))]), Raw::Int(7)])),
        ]);
        assert_eq!(raw, expected);
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        for text in ["", "{", "{}x", "nul", "\u{fffe}"] {
            assert!(read(text.as_bytes(), &Wanted::default()).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(deep.as_bytes(), &Wanted::default()).is_err());
    }
}
