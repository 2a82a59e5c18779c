//! The types of values, as the graph knows them.
//!
//! Comes in: types that the compiler checked. Goes out: how text and JSON are read as values of a type (`value`). Records
//! and enums are referred to by their place in the graph.

use serde::{Deserialize, Serialize};

use crate::nesting;

/// Place of an enum in [`crate::Graph::enums`].
pub type EnumId = u32;
/// Place of a record in [`crate::Graph::records`].
pub type RecordId = u32;

/// A value's type. Optional is not a type here: absence is a state of a value's place (see `eval::Cell`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Type {
    /// true or false.
    Bool,
    /// A whole number within 64 bits.
    Int,
    /// A number.
    Float,
    /// Text.
    String,
    /// Epoch, version, release, ordered as RPM orders them.
    Evr,
    /// Name, version, release of a build.
    Nvr,
    /// A point in time: milliseconds since 1970 in UTC.
    Time,
    /// A length of time: milliseconds.
    Duration,
    /// Anything that is there: what `has` reads of a raw topic, where no type is declared.
    Anything,
    /// One of an enum's values; one that upstream invents is a value of its own.
    Enum(EnumId),
    /// A record.
    Record(RecordId),
    /// Values of one type, in order.
    List(#[serde(deserialize_with = "nesting::deeper")] Box<Type>),
}
