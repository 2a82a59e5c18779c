//! Reading a path of the body as its declared type.
//!
//! Comes in: a path, the wanted part of the body, a subject. Goes out: a `Cell`: the typed value, or why there is none: absent, null,
//! or open because something of another shape stands there, with what was expected and what was found. Lists are walked
//! through only where the path says so. Plain values and what is absent are known once the body was read (`read_body`), the others when
//! they are asked for; what was read is kept for as long as it holds.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::body::{self, Body, NameId, Raw, Told};
use crate::datum::Datum;
use crate::evr::EvrParts;
use crate::graph::{Path, Presence, Root};
use crate::judgement::Note;
use crate::matcher::Matcher;
use crate::nvr::NvrParts;
use crate::open::{Misfit, Open};
use crate::plan::Plan;
use crate::scene::{Cell, Scene};
use crate::time;
use crate::types::Type;

/// Reads the wanted part of a body, and what is easily read of a plan's paths: for each what stands there, or none where that is
/// still to be found out.
pub(crate) fn read_body<'m>(
    body: Body<'m>,
    matcher: &Matcher,
    plan: &Plan,
    memory: &'m Bump,
) -> Result<(Raw<'m>, &'m mut [Option<Cell<'m>>]), String> {
    let cells = memory.alloc_slice_fill_copy(plan.paths.len(), None);
    let raw = body::read(body, &plan.wanted, memory, |who, told| {
        for at in who {
            let path =
                plan.paths.get(*at as usize).and_then(|path| matcher.declared.paths.get(*path as usize));
            let (Some(cell), Some(path)) = (cells.get_mut(*at as usize), path) else { continue };
            *cell = match told {
                Told::Absence => Some(Cell::Absent),
                Told::Value(Raw::Null) => Some(Cell::Null).filter(|_| path.presence == Presence::Optional),
                Told::Value(raw) => plain(&path.ty, raw).map(Cell::Value),
            };
        }
    })?;
    Ok((raw, cells))
}

/// A value that already is what is asked for, as most are; none: that needs a second look.
#[inline]
fn plain<'m>(ty: &Type, raw: Raw<'m>) -> Option<Datum<'m>> {
    match (ty, raw) {
        (Type::String, Raw::Text(text)) => Some(Datum::Text(text)),
        (Type::Int, Raw::Int(n)) => Some(Datum::Int(n)),
        (Type::Bool, Raw::Bool(truth)) => Some(Datum::Bool(truth)),
        (Type::Float, Raw::Float(f)) => Some(Datum::Float(f)),
        _ => None,
    }
}

impl<'m> Scene<'m> {
    /// Reads a path as its declared type.
    #[inline]
    pub(crate) fn path(&mut self, place: u32) -> Cell<'m> {
        match self.known_path(place) {
            Some(Some(cell)) => *cell,
            _ => self.read(place),
        }
    }

    fn read(&mut self, place: u32) -> Cell<'m> {
        let matcher = self.matcher;
        let Some(path) = matcher.declared.paths.get(place as usize) else { return Cell::Absent };
        let steps = matcher.steps.get(place as usize).map(|s| &**s).unwrap_or_default();
        let cell = self.read_path(path, steps);
        if let Some(known) = self.known_path(place) {
            *known = Some(cell);
        }
        cell
    }

    fn read_path(&mut self, path: &'m Path, steps: &'m [NameId]) -> Cell<'m> {
        let root = match path.root {
            Root::Body | Root::Raw => Some(self.body),
            Root::Subject => self.subject,
        };
        let Some(root) = root else { return Cell::Absent };
        if path.lists.is_empty() {
            return self.end_of(path, &path.ty, find(root, steps, 0, steps.len()));
        }
        let item = if let Type::List(item) = &path.ty { &**item } else { &path.ty };
        let mut values = BumpVec::new_in(self.memory);
        let mut open: Option<&'m Open<'m>> = None;
        let state = each(root, steps, 0, &path.lists, &mut |end| match self.end_of(path, item, end) {
            Cell::Value(value) => values.push(value),
            Cell::Open(more) => open = Some(self.also(open, more)),
            Cell::Absent | Cell::Null => {}
        });
        match (state, open) {
            (Some(end), _) => self.end_of(path, &path.ty, end),
            (None, Some(open)) => Cell::Open(open),
            (None, None) => Cell::Value(Datum::List(values.into_bump_slice())),
        }
    }

    /// What stands at the end of a path, as a type. What is missing there is open where it is required.
    fn end_of(&mut self, path: &'m Path, ty: &'m Type, end: End<'m>) -> Cell<'m> {
        let required = path.presence == Presence::Required;
        let misfit = match end {
            End::Raw(raw) => {
                if let Some(value) = plain(ty, raw) {
                    return Cell::Value(value);
                }
                match self.converted(raw, ty, path) {
                    Ok(Cell::Null) if required => Misfit::Missing(path, "null", ty),
                    Ok(cell) => return cell,
                    Err(misfit) => misfit,
                }
            }
            End::Absent if required => Misfit::Missing(path, "absent", ty),
            End::Absent => return Cell::Absent,
            End::NoObject(at, raw) => Misfit::NoObject(path, at, raw),
            End::NoList(at, raw) => Misfit::NoList(path, at, raw),
        };
        let missing = matches!(misfit, Misfit::Missing(..));
        if path.root == Root::Raw && !missing { Cell::Absent } else { self.misfit(misfit) }
    }

    /// Notes a value that its enum does not list.
    pub(crate) fn note_unknown(&mut self, ty: &Type, value: Datum<'_>) {
        if let (Type::List(item), Datum::List(values)) = (ty, value) {
            values.iter().for_each(|value| self.note_unknown(item, *value));
        }
        if let (Type::Enum(id), Datum::Text(text)) = (ty, value)
            && let Some(declared) = self.matcher.declared.enums.get(*id as usize)
            && !declared.values.iter().any(|v| **v == *text)
        {
            self.notes.insert(Note::UnknownEnumValue { name: declared.name.clone(), value: text.to_owned() });
        }
    }

    /// A value that has to be made into what is asked for; the error says what was found instead.
    fn converted(&mut self, raw: Raw<'m>, ty: &'m Type, path: &'m Path) -> Result<Cell<'m>, Misfit<'m>> {
        let value = match (ty, raw) {
            (_, Raw::Null) => return Ok(Cell::Null),
            #[expect(clippy::cast_precision_loss, reason = "a float is what the shape asks for")]
            (Type::Float, Raw::Int(n)) => Some(Datum::Float(n as f64)),
            (Type::Enum(_), Raw::Text(t)) => {
                self.note_unknown(ty, Datum::Text(t));
                Some(Datum::Text(t))
            }
            (Type::Evr, Raw::Text(t)) => EvrParts::parse(t).map(|evr| Datum::Evr(self.memory.alloc(evr))),
            (Type::Nvr, Raw::Text(t)) => NvrParts::parse(t).map(|nvr| Datum::Nvr(self.memory.alloc(nvr))),
            (Type::Time, Raw::Text(t)) => time::parse_time(t).map(Datum::Time),
            (Type::Time, Raw::Int(_) | Raw::Float(_)) => seconds_of(raw).map(Datum::Time),
            (Type::Duration, Raw::Int(_) | Raw::Float(_)) => seconds_of(raw).map(Datum::Duration),
            (Type::Anything, raw) => Some(self.sketched(raw)),
            (Type::List(item), Raw::List(items)) => Some(self.typed_list(items, item, path)?),
            (Type::Record(id), Raw::Object(_)) => Some(self.typed_record(raw, *id, path)?),
            _ => None,
        };
        value.map(Cell::Value).ok_or(Misfit::Mismatch(path, raw, ty))
    }

    /// What nobody declared is there, and no more is known of it.
    fn sketched(&self, raw: Raw<'m>) -> Datum<'m> {
        Datum::Text(match raw {
            Raw::Text(text) if text.len() < 60 => text,
            raw => self.memory.alloc_str(&raw.sketch()),
        })
    }

    fn typed_list(
        &mut self,
        items: &'m [Raw<'m>],
        item: &'m Type,
        path: &'m Path,
    ) -> Result<Datum<'m>, Misfit<'m>> {
        let values = self.memory.alloc_slice_fill_copy(items.len(), Datum::Bool(false));
        for (to, raw) in values.iter_mut().zip(items) {
            if let Some(value) = plain(item, *raw) {
                *to = value;
                continue;
            }
            *to = match self.converted(*raw, item, path)? {
                Cell::Value(value) => value,
                // In a list that nobody declared, null is an element like any other.
                _ if *item == Type::Anything => self.sketched(*raw),
                _ => return Err(Misfit::Mismatch(path, *raw, item)),
            };
        }
        Ok(Datum::List(values))
    }

    fn typed_record(&mut self, raw: Raw<'m>, id: u32, path: &'m Path) -> Result<Datum<'m>, Misfit<'m>> {
        let matcher = self.matcher;
        let fields =
            matcher.declared.records.get(id as usize).map(|r| r.fields.as_slice()).unwrap_or_default();
        let names = matcher.fields.get(id as usize).map(|names| &**names).unwrap_or_default();
        let values = self.memory.alloc_slice_fill_copy(fields.len(), None);
        for ((to, field), name) in values.iter_mut().zip(fields).zip(names) {
            let raw = raw.member(*name);
            if let Some(value) = raw.and_then(|raw| plain(&field.ty, *raw)) {
                *to = Some(value);
                continue;
            }
            let cell = match raw {
                Some(raw) => self.converted(*raw, &field.ty, path)?,
                None => Cell::Absent,
            };
            match cell {
                Cell::Value(value) => *to = Some(value),
                _ if field.presence == Presence::Optional => {}
                _ => return Err(Misfit::NoField(path, &field.name, &field.ty)),
            }
        }
        Ok(Datum::Record(id, values))
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
fn seconds_of(raw: Raw<'_>) -> Option<i64> {
    match raw {
        #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 seconds it is no time")]
        Raw::Int(n) => time::seconds(n as f64),
        Raw::Float(f) => time::seconds(f),
        _ => None,
    }
}

/// Where a path ends.
enum End<'m> {
    Absent,
    Raw(Raw<'m>),
    /// Something else stands before this step.
    NoObject(usize, Raw<'m>),
    NoList(usize, Raw<'m>),
}

/// Walks the steps from `at` to `to`, through objects only.
fn find<'m>(mut raw: Raw<'m>, steps: &[NameId], at: usize, to: usize) -> End<'m> {
    for (place, step) in steps.iter().enumerate().take(to).skip(at) {
        raw = match raw {
            Raw::Object(_) => match raw.member(*step) {
                Some(member) => *member,
                None => return End::Absent,
            },
            Raw::Null => return End::Absent,
            other => return End::NoObject(place, other),
        };
    }
    End::Raw(raw)
}

/// Walks the steps from `at` on, into each element of the declared lists that are left. Gives the state of the place if it
/// ends before a list.
fn each<'m>(
    raw: Raw<'m>,
    steps: &[NameId],
    at: usize,
    lists: &[u32],
    tell: &mut dyn FnMut(End<'m>),
) -> Option<End<'m>> {
    let Some((next, later)) = lists.split_first() else {
        tell(find(raw, steps, at, steps.len()));
        return None;
    };
    let next = *next as usize;
    match find(raw, steps, at, next) {
        End::Raw(Raw::List(items)) => {
            for item in items {
                if let Some(end) = each(*item, steps, next, later, tell) {
                    tell(end);
                }
            }
            None
        }
        End::Raw(Raw::Null) => Some(End::Absent),
        End::Raw(other) => Some(End::NoList(next, other)),
        end => Some(end),
    }
}
