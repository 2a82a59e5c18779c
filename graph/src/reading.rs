//! Reading a path of the body as its declared type.
//!
//! Comes in: a path, the wanted part of the body, a subject. Goes out: a `Cell`: the typed value, or why there is none: absent, null,
//! or open because something of another shape stands there, with what was expected and what was found. Lists are walked
//! through only where the path says so.

use std::sync::Arc;

use crate::body::Raw;
use crate::eval::{Cell, Open, Scene};
use crate::evr::Evr;
use crate::graph::{Path, Presence, Root};
use crate::judgement::Note;
use crate::nvr::Nvr;
use crate::time;
use crate::types::Type;
use crate::value::Value;

impl Scene<'_> {
    /// Reads a path as its declared type.
    pub(crate) fn path(&self, path: &Path) -> Cell {
        let root = match path.root {
            Root::Body | Root::Raw => Some(self.body),
            Root::Subject => self.subject,
        };
        let Some(root) = root else { return Cell::Absent };
        if path.lists.is_empty() {
            return self.end_of(path, &path.ty, find(root, path, 0, path.steps.len()));
        }
        let item = if let Type::List(item) = &path.ty { item } else { &path.ty };
        let mut values = Vec::new();
        let mut open: Option<Open> = None;
        let state = each(root, path, 0, &path.lists, &mut |end| match self.end_of(path, item, end) {
            Cell::Value(value) => values.push(value),
            Cell::Open(more) => open.get_or_insert_default().merge(more),
            Cell::Absent | Cell::Null => {}
        });
        match (state, open) {
            (Some(end), _) => self.end_of(path, &path.ty, end),
            (None, Some(open)) => Cell::Open(open),
            (None, None) => Cell::Value(Value::List(values.into())),
        }
    }

    /// What stands at the end of a path, as a type. What is missing there is open where it is required.
    fn end_of(&self, path: &Path, ty: &Type, end: End<'_>) -> Cell {
        let required = path.presence == Presence::Required;
        match end {
            End::Raw(raw) => match self.typed(raw, ty, path) {
                Ok(Cell::Null) if required => self.missing(path, "null", ty),
                Ok(cell) => cell,
                Err(_) if path.root == Root::Raw => Cell::Absent,
                Err(reason) => Open::misfit(reason),
            },
            End::Absent if required => self.missing(path, "absent", ty),
            End::Absent => Cell::Absent,
            End::Wrong(_) if path.root == Root::Raw => Cell::Absent,
            End::Wrong(reason) => Open::misfit(reason),
        }
    }

    fn missing(&self, path: &Path, how: &str, ty: &Type) -> Cell {
        Open::misfit(format!("`{}` is {how}, {} was expected", path.shown(), self.kind(ty)))
    }

    /// Notes a value that its enum does not list.
    pub(crate) fn note_unknown(&self, ty: &Type, value: &Value) {
        if let (Type::List(item), Value::List(values)) = (ty, value) {
            values.iter().for_each(|value| self.note_unknown(item, value));
        }
        if let (Type::Enum(id), Value::Text(text)) = (ty, value)
            && let Some(declared) = self.graph.enums.get(*id as usize)
            && !declared.values.iter().any(|v| **v == **text)
        {
            let note = Note::UnknownEnumValue { name: declared.name.clone(), value: text.to_string() };
            let mut notes = self.notes.borrow_mut();
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }

    /// A raw value as a type; the error says what was found instead.
    fn typed(&self, raw: &Raw, ty: &Type, path: &Path) -> Result<Cell, String> {
        let value = match (ty, raw) {
            (_, Raw::Null) => return Ok(Cell::Null),
            (Type::Bool, Raw::Bool(b)) => Value::Bool(*b),
            (Type::Int, Raw::Int(n)) => Value::Int(*n),
            #[expect(clippy::cast_precision_loss, reason = "a float is what the shape asks for")]
            (Type::Float, Raw::Int(n)) => Value::Float(*n as f64),
            (Type::Float, Raw::Float(f)) => Value::Float(*f),
            (Type::String, Raw::Text(t)) => Value::Text(t.as_str().into()),
            (Type::Enum(_), Raw::Text(t)) => {
                let value = Value::Text(t.as_str().into());
                self.note_unknown(ty, &value);
                value
            }
            (Type::Evr, Raw::Text(t)) => match Evr::parse(t) {
                Some(evr) => Value::Evr(Arc::new(evr)),
                None => return Err(self.mismatch(raw, ty, path)),
            },
            (Type::Nvr, Raw::Text(t)) => match Nvr::parse(t) {
                Some(nvr) => Value::Nvr(Arc::new(nvr)),
                None => return Err(self.mismatch(raw, ty, path)),
            },
            (Type::Time, Raw::Text(t)) => match time::parse_time(t) {
                Some(millis) => Value::Time(millis),
                None => return Err(self.mismatch(raw, ty, path)),
            },
            (Type::Time | Type::Duration, Raw::Int(_) | Raw::Float(_)) => match seconds_of(raw) {
                Some(millis) if *ty == Type::Time => Value::Time(millis),
                Some(millis) => Value::Duration(millis),
                None => return Err(self.mismatch(raw, ty, path)),
            },
            (Type::Anything, raw) => Value::Text(raw.sketch().into()),
            (Type::List(item), Raw::List(items)) => {
                let mut values = Vec::with_capacity(items.len());
                for raw in items {
                    match self.typed(raw, item, path)? {
                        Cell::Value(value) => values.push(value),
                        // In a list that nobody declared, null is an element like any other.
                        _ if **item == Type::Anything => values.push(Value::Text(raw.sketch().into())),
                        _ => return Err(self.mismatch(raw, item, path)),
                    }
                }
                Value::List(values.into())
            }
            (Type::Record(id), Raw::Object(_)) => {
                let fields =
                    self.graph.records.get(*id as usize).map(|r| r.fields.as_slice()).unwrap_or_default();
                let mut values = Vec::with_capacity(fields.len());
                for field in fields {
                    let cell = raw
                        .member(&field.name)
                        .map_or(Ok(Cell::Absent), |raw| self.typed(raw, &field.ty, path))?;
                    match (cell, field.presence) {
                        (Cell::Value(value), _) => values.push(Some(value)),
                        (_, Presence::Optional) => values.push(None),
                        _ => {
                            let kind = self.kind(&field.ty);
                            return Err(format!(
                                "`{}.{}` is missing, {kind} was expected",
                                path.shown(),
                                field.name
                            ));
                        }
                    }
                }
                Value::Record(*id, values.into())
            }
            _ => return Err(self.mismatch(raw, ty, path)),
        };
        Ok(Cell::Value(value))
    }

    fn mismatch(&self, raw: &Raw, ty: &Type, path: &Path) -> String {
        format!("`{}` is {}, {} was expected", path.shown(), raw.sketch(), self.kind(ty))
    }

    fn kind(&self, ty: &Type) -> String {
        self.graph.type_phrase(ty)
    }
}

impl Path {
    /// The path as people write it.
    pub(crate) fn shown(&self) -> String {
        let steps = self.steps.join(".");
        match self.root {
            Root::Body => steps,
            Root::Subject => format!("(subject).{steps}"),
            Root::Raw => format!("body.{steps}"),
        }
    }
}

/// Milliseconds of a number of seconds.
fn seconds_of(raw: &Raw) -> Option<i64> {
    match raw {
        #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 seconds it is no time")]
        Raw::Int(n) => time::seconds(*n as f64),
        Raw::Float(f) => time::seconds(*f),
        _ => None,
    }
}

/// Where a path ends.
enum End<'r> {
    Absent,
    Raw(&'r Raw),
    /// Something else stands on the way.
    Wrong(String),
}

/// Walks the steps from `at` to `to`, through objects only.
fn find<'r>(raw: &'r Raw, path: &Path, at: usize, to: usize) -> End<'r> {
    let Some(step) = path.steps.get(at).filter(|_| at < to) else { return End::Raw(raw) };
    match raw {
        Raw::Object(_) => {
            raw.member(step).map_or(End::Absent, |member| find(member, path, at.saturating_add(1), to))
        }
        Raw::Null => End::Absent,
        other => {
            let way = path.steps.get(..at).unwrap_or_default().join(".");
            End::Wrong(format!("`{way}` is {}, an object with `{step}` was expected", other.sketch()))
        }
    }
}

/// Walks the steps from `at` on, into each element of the declared lists that are left. Gives the state of the place if it
/// ends before a list.
fn each<'r>(
    raw: &'r Raw,
    path: &Path,
    at: usize,
    lists: &[u32],
    tell: &mut dyn FnMut(End<'r>),
) -> Option<End<'r>> {
    let Some((next, later)) = lists.split_first() else {
        tell(find(raw, path, at, path.steps.len()));
        return None;
    };
    let next = *next as usize;
    match find(raw, path, at, next) {
        End::Raw(Raw::List(items)) => {
            for item in items {
                if let Some(end) = each(item, path, next, later, tell) {
                    tell(end);
                }
            }
            None
        }
        End::Raw(Raw::Null) => Some(End::Absent),
        End::Raw(other) => {
            let way = path.steps.get(..next).unwrap_or_default().join(".");
            Some(End::Wrong(format!("`{way}` is {}, a list was expected", other.sketch())))
        }
        end => Some(end),
    }
}
