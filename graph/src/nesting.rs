//! How deep types and literals are nested when they are read.
//!
//! Comes in: the part of a type or of a literal that holds others of its kind. Goes out: that part, or an error if it is nested deeper
//! than any compiler nests it. Reading what is nested means recursion, and bytes of a forged artifact must not use up the stack.

use std::cell::Cell;

use serde::de::{Deserialize, Deserializer, Error};

use crate::limits;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Reads what is one level deeper.
pub(crate) fn deeper<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let depth = DEPTH.get();
    if depth >= limits::EXPR_DEPTH {
        return Err(Error::custom("nested too deep"));
    }
    DEPTH.set(depth.saturating_add(1));
    let read = T::deserialize(from);
    DEPTH.set(depth);
    read
}

#[cfg(test)]
mod tests {
    use crate::types::Type;
    use crate::value::Value;

    #[test]
    fn what_is_nested_deep_is_refused() {
        let lists = |depth: usize| [vec![11u8; depth], vec![0]].concat();
        assert!(postcard::from_bytes::<Type>(&lists(200)).is_ok());
        assert!(postcard::from_bytes::<Type>(&lists(1_000_000)).is_err());
        let lists = |depth: usize| [[8u8, 1].repeat(depth), vec![0, 1]].concat();
        assert!(postcard::from_bytes::<Value>(&lists(200)).is_ok());
        assert!(postcard::from_bytes::<Value>(&lists(1_000_000)).is_err());
        let records = [9u8, 0, 1, 1].repeat(1_000_000);
        assert!(postcard::from_bytes::<Value>(&records).is_err());
        // An error leaves nothing behind.
        assert!(postcard::from_bytes::<Value>(&lists(200)).is_ok());
    }
}
