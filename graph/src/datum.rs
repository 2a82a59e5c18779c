//! A value while a message is judged: borrowed from the message, the rules or the message's own memory, and cheap to copy.
//!
//! Comes in: what `reading`, constants and recorded facts hold. Goes out: comparisons, hashes for the index, and for what
//! leaves the matcher an owned [`Value`]. It never outlives its message.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use bumpalo::Bump;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::evr::{Evr, EvrParts};
use crate::limits;
use crate::nvr::{Nvr, NvrParts};
use crate::time;
use crate::types::RecordId;
use crate::value::Value;

/// A typed value; see [`Value`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Datum<'m> {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'m str),
    Evr(&'m EvrParts<'m>),
    Nvr(&'m NvrParts<'m>),
    Time(i64),
    Duration(i64),
    List(&'m [Datum<'m>]),
    Record(RecordId, &'m [Option<Datum<'m>>]),
}

impl<'m> Datum<'m> {
    /// About what a copy of it costs, in steps.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Text(text) => text.len() / limits::TEXT_BYTES_PER_STEP,
            Self::List(items) => items.iter().map(|item| item.size().saturating_add(1)).sum(),
            Self::Record(_, fields) => {
                fields.iter().flatten().map(|field| field.size().saturating_add(1)).sum()
            }
            _ => 0,
        }
    }

    /// A value from elsewhere, in the message's memory.
    pub(crate) fn of(value: &Value, memory: &'m Bump) -> Self {
        match value {
            Value::Bool(b) => Self::Bool(*b),
            Value::Int(n) => Self::Int(*n),
            Value::Float(f) => Self::Float(*f),
            Value::Text(t) => Self::Text(memory.alloc_str(t)),
            Value::Evr(evr) => Self::Evr(memory.alloc(EvrParts {
                epoch: evr.epoch,
                version: memory.alloc_str(&evr.version),
                release: evr.release.as_ref().map(|r| &*memory.alloc_str(r)),
            })),
            Value::Nvr(nvr) => Self::Nvr(memory.alloc(NvrParts {
                name: memory.alloc_str(&nvr.name),
                version: memory.alloc_str(&nvr.version),
                release: memory.alloc_str(&nvr.release),
            })),
            Value::Time(t) => Self::Time(*t),
            Value::Duration(d) => Self::Duration(*d),
            Value::List(items) => {
                Self::List(memory.alloc_slice_fill_iter(items.iter().map(|item| Self::of(item, memory))))
            }
            Value::Record(id, fields) => {
                let fields = fields.iter().map(|field| field.as_ref().map(|value| Self::of(value, memory)));
                Self::Record(*id, memory.alloc_slice_fill_iter(fields))
            }
        }
    }

    /// The same, owned.
    pub(crate) fn to_value(self) -> Value {
        match self {
            Self::Bool(b) => Value::Bool(b),
            Self::Int(n) => Value::Int(n),
            Self::Float(f) => Value::Float(f),
            Self::Text(t) => Value::Text(t.into()),
            Self::Evr(evr) => Value::Evr(Arc::new(Evr {
                epoch: evr.epoch,
                version: evr.version.to_owned(),
                release: evr.release.map(str::to_owned),
            })),
            Self::Nvr(nvr) => Value::Nvr(Arc::new(Nvr {
                name: nvr.name.to_owned(),
                version: nvr.version.to_owned(),
                release: nvr.release.to_owned(),
            })),
            Self::Time(t) => Value::Time(t),
            Self::Duration(d) => Value::Duration(d),
            Self::List(items) => Value::List(items.iter().map(|item| item.to_value()).collect()),
            Self::Record(id, fields) => {
                Value::Record(id, fields.iter().map(|field| field.map(Self::to_value)).collect())
            }
        }
    }

    /// The order of two values of one type; none where the type has none, or for NaN.
    pub(crate) fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b))
            | (Self::Time(a), Self::Time(b))
            | (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(&b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b),
            (Self::Evr(a), Self::Evr(b)) => Some(a.compare(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// Whether two values are the same; EVRs as RPM compares them, so `1.0` equals `1.00`.
    pub(crate) fn same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b))
            | (Self::Time(a), Self::Time(b))
            | (Self::Duration(a), Self::Duration(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Evr(a), Self::Evr(b)) => a.compare(b) == Ordering::Equal,
            (Self::Nvr(a), Self::Nvr(b)) => a == b,
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.same(*y)),
            // Records are compared exactly, EVRs in them too: as owned values are.
            (Self::Record(..), Self::Record(..)) => self.to_value() == other.to_value(),
            _ => false,
        }
    }

    /// The value in one piece of text, unquoted; lists joined by commas.
    pub(crate) fn text(self) -> Cow<'m, str> {
        match self {
            Self::Text(t) => Cow::Borrowed(t),
            Self::Time(t) => Cow::Owned(time::show_time(t)),
            Self::Duration(d) => Cow::Owned(time::show_duration(d)),
            Self::Nvr(nvr) => Cow::Owned(nvr.to_string()),
            Self::Evr(evr) => Cow::Owned(evr.to_string()),
            other => Cow::Owned(other.to_value().text()),
        }
    }

    /// A hash that equal values share; none for values that are equal without being alike (EVRs) or have parts. It is written
    /// into artifacts, so it is the same everywhere.
    #[inline]
    pub(crate) fn hash(self) -> Option<u64> {
        let (seed, number) = match self {
            Self::Text(t) => return Some(hash_text(t)),
            Self::Nvr(nvr) => return Some(xxh3_64_with_seed(nvr.to_string().as_bytes(), 1)),
            Self::Bool(b) => (2, u64::from(b)),
            Self::Int(n) => (3, n.cast_unsigned()),
            // 0.0 equals -0.0.
            Self::Float(f) => (4, (f + 0.0).to_bits()),
            Self::Time(t) => (5, t.cast_unsigned()),
            Self::Duration(d) => (6, d.cast_unsigned()),
            Self::Evr(_) | Self::List(_) | Self::Record(..) => return None,
        };
        Some(xxh3_64_with_seed(&number.to_le_bytes(), seed))
    }
}

/// The hash of a text; see [`Datum::hash`].
#[inline]
pub(crate) fn hash_text(text: &str) -> u64 {
    hash_bytes(text.as_bytes())
}

/// What distinguishes the texts of a set.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "16 bits of it")]
pub(crate) fn set_hash(text: &str) -> u16 {
    hash_text(text) as u16
}

/// The hash of a piece of a text.
#[inline]
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, 0)
}
