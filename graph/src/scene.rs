//! One message while it is judged: as which dialect it is read, for which subject, and what was found out so far.
//!
//! Comes in: a matcher, the wanted part of the body, the facts recorded so far. Goes out: to `reading` and `eval`, which ask it for
//! values. Values that several rules read are kept for as long as they hold, in a table of fixed size: a value whose place
//! another one took is worked out again. Everything lives in the message's memory and is gone with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::artifact::tables::Tables;
use crate::body::Raw;
use crate::datum::Datum;
use crate::fact::Facts;
use crate::graph::Dialect;
use crate::judgement::Note;
use crate::limits;
use crate::matcher::Matcher;
use crate::node::Keep;
use crate::open::{Misfit, Open};
use crate::plan::{Plan, PlannedDialect};

/// What stands at a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'m> {
    Absent,
    Null,
    Value(Datum<'m>),
    Open(&'m Open<'m>),
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Truth<'m> {
    True,
    False,
    Open(&'m Open<'m>),
}

impl<'m> Cell<'m> {
    /// As a condition: only what is true holds.
    #[inline]
    pub(crate) fn truth(self) -> Truth<'m> {
        match self {
            Self::Value(Datum::Bool(true)) => Truth::True,
            Self::Open(open) => Truth::Open(open),
            _ => Truth::False,
        }
    }
}

impl<'m> Truth<'m> {
    #[inline]
    pub(crate) fn of(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }

    #[inline]
    pub(crate) fn cell(self) -> Cell<'m> {
        match self {
            Self::True => Cell::Value(Datum::Bool(true)),
            Self::False => Cell::Value(Datum::Bool(false)),
            Self::Open(open) => Cell::Open(open),
        }
    }
}

/// A value that was worked out: of which node, when, and what it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'m> {
    key: u32,
    stamp: u32,
    cell: Cell<'m>,
}

/// The message itself holds from the first stamp to the last; 0 is an empty place.
const MESSAGE: u32 = 1;

/// One message as one dialect, and one subject of it.
pub(crate) struct Scene<'m> {
    pub(crate) matcher: &'m Matcher,
    pub(crate) tables: Tables<'m>,
    pub(crate) dialect: &'m Dialect,
    pub(crate) body: Raw<'m>,
    pub(crate) subject: Option<Raw<'m>>,
    pub(crate) facts: &'m dyn Facts,
    pub(crate) memory: &'m Bump,
    /// What the quantifiers around are at, outermost first.
    pub(crate) bound: BumpVec<'m, Datum<'m>>,
    /// Each once, however many a list holds.
    pub(crate) notes: BTreeSet<Note>,
    /// Steps that the rule under judgement has taken on this message.
    pub(crate) steps: u64,
    plan: Arc<Plan>,
    /// The plan's paths, as far as they were read.
    paths: &'m mut [Option<Cell<'m>>],
    kept: &'m mut [Kept<'m>],
    /// For each of the event's values that is a path its place among the plan's.
    value_paths: &'m [u32],
    /// The event's other values, as far as they were read.
    pub(crate) values: BumpVec<'m, Option<Cell<'m>>>,
    /// Places of those that differ from subject to subject.
    varying: &'m [u32],
    last_stamp: u32,
    event: u32,
    row: u32,
}

const NO_DIALECT: &Dialect = &Dialect {
    name: String::new(),
    topics: Vec::new(),
    condition: None,
    required: Vec::new(),
    subjects: None,
    values: Vec::new(),
    happening: None,
};

impl<'m> Scene<'m> {
    /// A message of which nothing is known yet.
    pub(crate) fn new(
        matcher: &'m Matcher,
        plan: Arc<Plan>,
        (body, paths): (Raw<'m>, &'m mut [Option<Cell<'m>>]),
        facts: &'m dyn Facts,
        memory: &'m Bump,
    ) -> Self {
        let places = plan
            .sources
            .len()
            .saturating_mul(2)
            .next_power_of_two()
            .clamp(limits::KEPT_VALUES.0, limits::KEPT_VALUES.1);
        Self {
            matcher,
            tables: matcher.tables(),
            dialect: NO_DIALECT,
            body,
            subject: None,
            facts,
            memory,
            bound: BumpVec::with_capacity_in(4, memory),
            notes: BTreeSet::new(),
            steps: 0,
            paths,
            plan,
            kept: memory.alloc_slice_fill_copy(places, Kept { key: 0, stamp: 0, cell: Cell::Absent }),
            values: BumpVec::with_capacity_in(32, memory),
            value_paths: &[],
            varying: &[],
            last_stamp: MESSAGE,
            event: MESSAGE,
            row: MESSAGE,
        }
    }

    /// Goes on to another event, or to another dialect of it.
    pub(crate) fn enter(&mut self, dialect: &'m Dialect, planned: &PlannedDialect, varying: &'m [u32]) {
        self.dialect = dialect;
        self.value_paths = self.memory.alloc_slice_copy(&planned.value_paths);
        self.values.clear();
        self.values.resize(dialect.values.len(), None);
        self.varying = varying;
        self.last_stamp = self.last_stamp.wrapping_add(1);
        self.event = self.last_stamp;
        self.select(None);
    }

    /// Goes on to another subject, or to the message as a whole.
    pub(crate) fn select(&mut self, subject: Option<Raw<'m>>) {
        self.subject = subject;
        for at in self.varying {
            if let Some(value) = self.values.get_mut(*at as usize) {
                *value = None;
            }
        }
        for at in &self.plan.subject_paths {
            if let Some(path) = self.paths.get_mut(*at as usize) {
                *path = None;
            }
        }
        self.last_stamp = self.last_stamp.wrapping_add(1);
        self.row = self.last_stamp;
    }

    /// What was read of a value of the event that is a path.
    #[inline]
    pub(crate) fn value_path(&self, value: u32) -> Option<Cell<'m>> {
        *self.paths.get(*self.value_paths.get(value as usize)? as usize)?
    }

    /// What was read of a path, and where to keep it.
    #[inline]
    pub(crate) fn known_path(&mut self, path: u32) -> Option<&mut Option<Cell<'m>>> {
        self.paths.get_mut(*self.plan.path_places.get(path as usize)? as usize)
    }

    #[inline]
    fn stamp(&self, keep: Keep) -> u32 {
        match keep {
            Keep::Body => MESSAGE,
            Keep::Event => self.event,
            Keep::Subject => self.row,
            Keep::Never => 0,
        }
    }

    #[inline]
    fn place(&self, key: u32) -> usize {
        (key.wrapping_mul(0x9e37_79b1) >> 16) as usize & self.kept.len().wrapping_sub(1)
    }

    /// What was kept of a node.
    #[inline]
    pub(crate) fn kept(&self, key: u32, keep: Keep) -> Option<Cell<'m>> {
        let kept = self.kept.get(self.place(key))?;
        (kept.key == key && kept.stamp == self.stamp(keep) && kept.stamp != 0).then_some(kept.cell)
    }

    /// Keeps it, unless the rule was cut short: then it is its own affair, and no other rule must read it.
    #[inline]
    pub(crate) fn keep(&mut self, key: u32, keep: Keep, cell: Cell<'m>) {
        let stamp = self.stamp(keep);
        let place = self.place(key);
        if let Some(kept) = self.kept.get_mut(place).filter(|_| self.steps <= limits::STEPS_PER_RULE) {
            *kept = Kept { key, stamp, cell };
        }
    }

    pub(crate) fn misfit(&self, misfit: Misfit<'m>) -> Cell<'m> {
        Cell::Open(self.memory.alloc(Open::Misfit(misfit)))
    }

    /// One more reason beside those that there may be.
    pub(crate) fn also(&self, open: Option<&'m Open<'m>>, more: &'m Open<'m>) -> &'m Open<'m> {
        open.map_or(more, |open| open.with(more, self.memory))
    }
}
