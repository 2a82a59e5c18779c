//! Values: what messages, facts and literals hold once they are read as a type.
//!
//! Comes in: JSON scalars or literals of the language. Goes out: typed values with a text form, a JSON form and, per type, an
//! order. It knows nothing of presence: absent and null are states of a place (`eval::Cell`), not values.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::evr::Evr;
use crate::graph::{EnumDef, FactDef, Presence, RecordDef};
use crate::nesting;
use crate::nvr::Nvr;
use crate::time;
use crate::types::{RecordId, Type};

/// A typed value. Values of an enum are `Text`: their spelling is what they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// true or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text: string, or a value of an enum.
    Text(Arc<str>),
    /// An RPM version.
    Evr(Arc<Evr>),
    /// A build.
    Nvr(Arc<Nvr>),
    /// Milliseconds since 1970 in UTC.
    Time(i64),
    /// Milliseconds.
    Duration(i64),
    /// Values in order.
    List(#[serde(deserialize_with = "nesting::deeper")] Arc<[Value]>),
    /// Fields in order; none: absent or null.
    Record(RecordId, #[serde(deserialize_with = "nesting::deeper")] Arc<[Option<Value>]>),
}

/// Equal values hash alike, so 0.0 as -0.0.
impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Bool(truth) => truth.hash(state),
            Self::Int(n) | Self::Time(n) | Self::Duration(n) => n.hash(state),
            Self::Float(f) => (f + 0.0).to_bits().hash(state),
            Self::Text(text) => text.hash(state),
            Self::Evr(evr) => evr.hash(state),
            Self::Nvr(nvr) => nvr.hash(state),
            Self::List(items) => items.hash(state),
            Self::Record(record, fields) => (record, fields).hash(state),
        }
    }
}

impl Value {
    /// The order of two values of one type; none where the type has none (bool, records, lists) or for NaN.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b))
            | (Self::Time(a), Self::Time(b))
            | (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Evr(a), Self::Evr(b)) => Some(a.compare(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// A total order without meaning, for sets: by kind, then by content.
    pub(crate) fn set_order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b))
            | (Self::Time(a), Self::Time(b))
            | (Self::Duration(a), Self::Duration(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Evr(a), Self::Evr(b)) => {
                (a.epoch, &a.version, &a.release).cmp(&(b.epoch, &b.version, &b.release))
            }
            (Self::Nvr(a), Self::Nvr(b)) => a.to_string().cmp(&b.to_string()),
            _ => self.text().cmp(&other.text()),
        }
    }

    /// Whether two values are the same; EVRs as RPM compares them, so `1.0` equals `1.00`.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Evr(a), Self::Evr(b)) => a.compare(b) == Ordering::Equal,
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
            Self::Time(t) => time::show_time(*t),
            Self::Duration(d) => time::show_duration(*d),
            Self::List(items) => items.iter().map(Self::text).collect::<Vec<_>>().join(","),
            Self::Record(_, fields) => fields.iter().flatten().map(Self::text).collect::<Vec<_>>().join(","),
        }
    }
}

/// The enums and records by which values are read and written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shapes<'g> {
    pub(crate) enums: &'g [EnumDef],
    pub(crate) records: &'g [RecordDef],
}

impl crate::Graph {
    /// A value as JSON: builds, versions and times as text, durations as seconds, records as objects of their present fields.
    pub fn json(&self, value: &Value) -> serde_json::Value {
        self.shapes().json(value)
    }

    /// Reads a fact provider's JSON answer as the fact's declared type; the error says what was expected and found.
    pub fn read_fact(&self, fact: &str, json: &serde_json::Value) -> Result<Value, String> {
        self.shapes().read_fact(&self.facts, fact, json)
    }

    fn shapes(&self) -> Shapes<'_> {
        Shapes { enums: &self.enums, records: &self.records }
    }
}

impl Shapes<'_> {
    /// A value as one piece of text that identifies it: for a record its identity, none if no field of that is present.
    pub(crate) fn argument_text(&self, value: &Value) -> Option<String> {
        match value {
            Value::Record(id, fields) => {
                let identity = &self.records.get(*id as usize)?.identity;
                identity
                    .iter()
                    .find_map(|at| fields.get(*at as usize)?.as_ref())
                    .and_then(|v| self.argument_text(v))
            }
            Value::List(items) => {
                // As JSON, so that no two lists have one text.
                let texts: Option<Vec<String>> = items.iter().map(|item| self.argument_text(item)).collect();
                Some(serde_json::Value::from(texts?).to_string())
            }
            other => Some(literal_text(other)),
        }
    }

    /// See [`crate::Graph::json`].
    pub(crate) fn json(&self, value: &Value) -> serde_json::Value {
        match value {
            Value::Bool(b) => (*b).into(),
            Value::Int(n) => (*n).into(),
            Value::Float(f) => (*f).into(),
            Value::Text(_) | Value::Evr(_) | Value::Nvr(_) | Value::Time(_) => value.text().into(),
            #[expect(clippy::cast_precision_loss, reason = "seconds with a fraction, as messages hold them")]
            Value::Duration(d) if d.checked_rem(1_000) != Some(0) => (*d as f64 / 1_000.0).into(),
            Value::Duration(d) => d.checked_div(1_000).unwrap_or_default().into(),
            Value::List(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Record(id, fields) => {
                let names = self.records.get(*id as usize).map(|r| r.fields.as_slice()).unwrap_or_default();
                let members = names.iter().zip(fields.iter());
                members.filter_map(|(def, v)| Some((def.name.clone(), self.json(v.as_ref()?)))).collect()
            }
        }
    }

    /// See [`crate::Graph::read_fact`].
    pub(crate) fn read_fact(
        &self,
        facts: &[FactDef],
        fact: &str,
        json: &serde_json::Value,
    ) -> Result<Value, String> {
        let declared =
            facts.iter().find(|f| f.name == fact).ok_or_else(|| format!("no rule reads a fact {fact}"))?;
        self.read_json(&declared.ty, json)
    }

    fn read_json(&self, ty: &Type, json: &serde_json::Value) -> Result<Value, String> {
        use serde_json::Value as Json;
        let value = match (ty, json) {
            (Type::Bool, Json::Bool(b)) => Some(Value::Bool(*b)),
            (Type::Int, Json::Number(n)) => n.as_i64().map(Value::Int),
            (Type::Float, Json::Number(n)) => n.as_f64().map(Value::Float),
            (Type::String | Type::Enum(_), Json::String(t)) => Some(Value::Text(t.as_str().into())),
            (Type::Evr, Json::String(t)) => Evr::parse(t).map(|e| Value::Evr(e.into())),
            (Type::Nvr, Json::String(t)) => Nvr::parse(t).map(|n| Value::Nvr(n.into())),
            (Type::Time, Json::String(t)) => time::parse_time(t).map(Value::Time),
            (Type::Time, Json::Number(n)) => n.as_f64().and_then(time::seconds).map(Value::Time),
            (Type::Duration, Json::Number(n)) => n.as_f64().and_then(time::seconds).map(Value::Duration),
            (Type::List(item), Json::Array(items)) => {
                let values: Result<Vec<Value>, String> =
                    items.iter().map(|json| self.read_json(item, json)).collect();
                Some(Value::List(values?.into()))
            }
            (Type::Record(id), Json::Object(members)) => {
                let fields = self.records.get(*id as usize).map(|r| r.fields.as_slice()).unwrap_or_default();
                let mut values = Vec::with_capacity(fields.len());
                for field in fields {
                    match members.get(&field.name).filter(|json| !json.is_null()) {
                        Some(json) => values.push(Some(self.read_json(&field.ty, json)?)),
                        None if field.presence == Presence::Optional => values.push(None),
                        None => return Err(format!("its field {} is missing in {json}", field.name)),
                    }
                }
                Some(Value::Record(*id, values.into()))
            }
            _ => None,
        };
        value.ok_or_else(|| format!("{} was expected, found {json}", self.type_phrase(ty)))
    }

    /// A type in words, with its article: `a string`, `one of the values of lang`.
    pub(crate) fn type_phrase(&self, ty: &Type) -> String {
        let name = |name: Option<&String>| name.map_or("an unknown type", String::as_str).to_owned();
        match ty {
            Type::Bool => "true or false".into(),
            Type::Int => "a whole number".into(),
            Type::Float => "a number".into(),
            Type::String => "a string".into(),
            Type::Evr => "a version like 1:2.0-3.fc40".into(),
            Type::Nvr => "a name-version-release".into(),
            Type::Time => "a time".into(),
            Type::Duration => "a number of seconds".into(),
            Type::Anything => "anything".into(),
            Type::Enum(id) => format!("a value of {}", name(self.enums.get(*id as usize).map(|e| &e.name))),
            Type::Record(id) => {
                format!("an object ({})", name(self.records.get(*id as usize).map(|r| &r.name)))
            }
            Type::List(item) => format!("a list, each {}", self.type_phrase(item)),
        }
    }
}

/// A value without records as the text of an argument.
pub fn literal_text(value: &Value) -> String {
    match value {
        // As JSON, so that no two lists have one text.
        Value::List(items) => serde_json::Value::from_iter(items.iter().map(literal_text)).to_string(),
        other => other.text(),
    }
}

/// The order in which the constants of an `in` stand: total, without meaning.
pub fn order_for_set(a: &Value, b: &Value) -> Ordering {
    a.set_order(b)
}
