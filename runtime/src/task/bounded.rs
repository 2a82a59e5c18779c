//! Lists and values of a file that are bounded while they are read.
//!
//! Comes in: whatever serde reads. Goes out: a list of at most `limits::RESULTS_LISTED` elements, or an error; the first
//! element of a list alone, with the others passed over; any JSON with at most `limits::RESULTS_TABLES` tables and lists,
//! none of which says a thing twice. Many small elements become many times as large in memory as they are in their file, so
//! that a bound on the file is not enough.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::limits;

/// A list with at most `limits::RESULTS_LISTED` elements.
#[derive(Debug)]
pub(super) struct Bounded<T>(pub(super) Vec<T>);

/// The first element of a list.
#[derive(Debug)]
pub(super) struct First<T>(pub(super) Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = Bounded<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    if elements.len() >= limits::RESULTS_LISTED {
                        let why = format!("a list with more than {} elements", limits::RESULTS_LISTED);
                        return Err(A::Error::custom(why));
                    }
                    elements.push(element);
                }
                Ok(Bounded(elements))
            }
        }
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = First<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let first = list.next_element()?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

/// Reads any JSON.
pub(super) fn json(text: &str) -> Result<Value, serde_json::Error> {
    let tables_left = Cell::new(limits::RESULTS_TABLES);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Any { tables_left: &tables_left }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Any value, of which only so many tables and lists may come.
#[derive(Clone, Copy)]
struct Any<'a> {
    tables_left: &'a Cell<usize>,
}

impl Any<'_> {
    fn begin<E: Error>(self) -> Result<Self, E> {
        let left = self.tables_left.get().checked_sub(1);
        self.tables_left.set(
            left.ok_or_else(|| E::custom(format!("more than {} tables and lists", limits::RESULTS_TABLES)))?,
        );
        Ok(self)
    }
}

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let any = self.begin()?;
        let mut elements = Vec::new();
        while let Some(element) = list.next_element_seed(any)? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let any = self.begin()?;
        let mut entries = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(any)?;
            if entries.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key:?} stands twice")));
            }
            entries.insert(key, value);
        }
        Ok(Value::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_list_is_read_up_to_its_bound() {
        let list = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        let read = |text: &str| serde_json::from_str::<Bounded<u8>>(text);
        assert_eq!(read(&list(limits::RESULTS_LISTED)).unwrap().0.len(), limits::RESULTS_LISTED);
        let said = read(&list(limits::RESULTS_LISTED + 1)).unwrap_err().to_string();
        assert!(said.contains("more than 20000 elements"), "{said}");
        assert!(read("{}").is_err());
    }

    #[test]
    fn only_the_first_element_is_read_as_its_type() {
        let read = |text: &str| serde_json::from_str::<First<u8>>(text).unwrap().0;
        assert_eq!((read("[]"), read("[7]"), read("[7, \"x\", {\"a\": []}]")), (None, Some(7), Some(7)));
    }

    #[test]
    fn json_is_read_as_it_is() {
        let text = r#"{"a": [null, true, -1, 18446744073709551615, 1.5, "\u00e9\n"], "b": {}}"#;
        assert_eq!(json(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        for wrong in ["", "{", "[1] 2", "{\"a\": 1, \"a\": 2}", "nan"] {
            assert!(json(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tables_and_lists_of_json_are_bounded() {
        let nested = |count: usize| format!("[{}]", vec!["{}"; count - 1].join(","));
        assert!(json(&nested(limits::RESULTS_TABLES)).is_ok());
        let said = json(&nested(limits::RESULTS_TABLES + 1)).unwrap_err().to_string();
        assert!(said.contains("more than 100000 tables and lists"), "{said}");
    }
}
