//! Lists of a file that are bounded while they are read.
//!
//! Comes in: whatever serde reads. Goes out: a list of at most `limits::RESULTS_LISTED` elements, or an error; or the
//! first element alone, with the others passed over. A list of many small elements becomes many times as large in
//! memory as it is in its file, so that a bound on the file is not enough.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

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
}
