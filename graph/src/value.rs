//! Values: what messages, facts and literals hold once they are read as a type.
//!
//! Comes in: JSON scalars or literals of the language. Goes out: typed values with a text form, a JSON form and, per type, an
//! order. It knows nothing of presence: absent and null are states of a place (`eval::Cell`), not values.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::evr::Evr;
use crate::nvr::Nvr;
use crate::types::RecordId;

/// A typed value. Values of an enum and architectures are `Text`: their spelling is what they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// true or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text: string, arch, or a value of an enum.
    Text(Arc<str>),
    /// An RPM version.
    Evr(Arc<Evr>),
    /// A build.
    Nvr(Arc<Nvr>),
    /// Values in order.
    List(Arc<[Value]>),
    /// Fields in order; none: absent or null. With them the field that names it.
    Record(RecordId, Arc<[Option<Value>]>),
}

impl Value {
    /// The order of two values of one type; none where the type has none (bool, records, lists) or for NaN.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Evr(a), Self::Evr(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// A total order without meaning, for sets: by kind, then by content.
    pub(crate) fn set_order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Evr(a), Self::Evr(b)) => a.cmp(b),
            (Self::Nvr(a), Self::Nvr(b)) => a.to_string().cmp(&b.to_string()),
            _ => self.text().cmp(&other.text()),
        }
    }

    /// Whether two values are the same; EVRs as RPM compares them, so `1.0` equals `1.00`.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Evr(a), Self::Evr(b)) => a.cmp(b) == Ordering::Equal,
            (Self::List(a), Self::List(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| x.same(y))
            }
            _ => self == other,
        }
    }

    /// The value in one piece of text, unquoted; lists joined by commas.
    pub fn text(&self) -> String {
        match self {
            Self::Bool(b) => b.to_string(),
            Self::Int(n) => n.to_string(),
            Self::Float(f) => f.to_string(),
            Self::Text(t) => t.to_string(),
            Self::Evr(e) => e.to_string(),
            Self::Nvr(n) => n.to_string(),
            Self::List(items) => items.iter().map(Self::text).collect::<Vec<_>>().join(","),
            Self::Record(_, fields) => fields.iter().flatten().map(Self::text).collect::<Vec<_>>().join(","),
        }
    }
}
