//! Reading the columns of an event: from what a message holds to candidates.
//!
//! Comes in: the columns of an event as planned, a scene. Goes out: candidates, and what their checks compare. What several
//! events of one message read of its body is read and hashed once. A column that cannot be known leads to nothing: then every
//! rule of the event is a candidate.

use bumpalo::Bump;

use crate::artifact::tables::Candidate;
use crate::datum::Datum;
use crate::index::check_hash;
use crate::node::{NONE, NodeId};
use crate::plan::PlannedColumn;
use crate::scene::{Cell, Scene};

/// A column's value cannot be known, so every rule may concern it.
pub(crate) struct Unknown;

/// Which columns are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Those that hold for the message.
    Message,
    /// Those that differ from subject to subject.
    Subject,
    /// All: the message itself is the only subject.
    Both,
}

/// A value and its hash.
type Hashed<'m> = (Datum<'m>, Option<u64>);

/// What a source holds.
#[derive(Clone, Copy)]
enum Held<'m> {
    NotRead,
    Unknown,
    Nothing,
    One(Hashed<'m>),
    Several(&'m [Hashed<'m>]),
}

/// What was read of one message.
pub(crate) struct Columns<'m> {
    sources: &'m mut [Held<'m>],
    /// For each column of the current event what checks compare.
    checks: Vec<u32>,
    /// Memory for candidates, from event to event.
    pub(crate) found: Vec<Candidate>,
    elements: Vec<Hashed<'m>>,
}

/// What a check finds in place of the hash of a column that was not read yet.
const UNREAD: u32 = u32::MAX;

impl<'m> Columns<'m> {
    pub(crate) fn new(sources: usize, memory: &'m Bump) -> Self {
        Self {
            sources: memory.alloc_slice_fill_copy(sources, Held::NotRead),
            checks: Vec::with_capacity(32),
            found: Vec::with_capacity(64),
            elements: Vec::with_capacity(32),
        }
    }

    /// Forgets the columns of the last event.
    pub(crate) fn forget(&mut self, columns: usize) {
        self.checks.clear();
        self.checks.resize(columns, UNREAD);
    }

    /// Whether a candidate's check holds, as far as its column was read.
    #[inline]
    pub(crate) fn may_hold(&self, check: u32) -> bool {
        let Some(column) = (check >> 24).checked_sub(1) else { return true };
        let read = self.checks.get(column as usize).copied().unwrap_or(UNREAD);
        read == UNREAD || read == check & 0x00ff_ffff
    }

    /// Reads the columns of a level and collects the rules that wait for what they hold.
    pub(crate) fn read(
        &mut self,
        columns: &[PlannedColumn],
        level: Level,
        scene: &mut Scene<'m>,
        found: &mut Vec<Candidate>,
    ) -> Result<(), Unknown> {
        for (at, planned) in columns.iter().enumerate() {
            let by_subject = planned.column.by_subject();
            if level != Level::Both && by_subject != (level == Level::Subject) {
                continue;
            }
            let mut held = Held::NotRead;
            if let Some(known) = self.sources.get(planned.source).filter(|_| !by_subject) {
                held = *known;
            }
            if matches!(held, Held::NotRead) {
                held = self.held(planned.value, planned.list, scene);
                if let Some(known) = self.sources.get_mut(planned.source).filter(|_| !by_subject) {
                    *known = held;
                }
            }
            let check = match held {
                Held::Unknown | Held::NotRead => return Err(Unknown),
                Held::Nothing => 0,
                Held::One((value, hash)) => {
                    planned.column.look_up(&scene.tables, value, hash, found);
                    hash.map_or(0, check_hash)
                }
                Held::Several(values) => {
                    for (value, hash) in values {
                        planned.column.look_up(&scene.tables, *value, *hash, found);
                    }
                    UNREAD
                }
            };
            if let Some(known) = self.checks.get_mut(at) {
                *known = check;
            }
        }
        Ok(())
    }

    fn held(&mut self, value: NodeId, list: NodeId, scene: &mut Scene<'m>) -> Held<'m> {
        scene.steps = 0;
        if list == NONE {
            return match scene.value(value) {
                Cell::Value(value) => Held::One((value, value.hash())),
                Cell::Open(_) => Held::Unknown,
                Cell::Absent | Cell::Null => Held::Nothing,
            };
        }
        let items = match scene.value(list) {
            Cell::Value(Datum::List(items)) => items,
            Cell::Open(_) => return Held::Unknown,
            _ => return Held::Nothing,
        };
        self.elements.clear();
        for item in items {
            let element = if value == NONE { Cell::Value(*item) } else { scene.on_element(*item, value) };
            match element {
                Cell::Value(value) => self.elements.push((value, value.hash())),
                Cell::Open(_) => return Held::Unknown,
                Cell::Absent | Cell::Null => {}
            }
        }
        Held::Several(scene.memory.alloc_slice_copy(&self.elements))
    }
}

impl<'m> Scene<'m> {
    /// A value that reads an element of a list.
    fn on_element(&mut self, item: Datum<'m>, value: NodeId) -> Cell<'m> {
        self.bound.push(item);
        let cell = self.value(value);
        self.bound.pop();
        cell
    }
}
