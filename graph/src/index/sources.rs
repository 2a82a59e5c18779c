//! What the columns of events read, as their dialects define them.
//!
//! Comes in: an event's column, a dialect. Goes out: a source. Columns of several events that read the same of the body share one, so
//! that a value is read and looked up once for all events that a topic may be. What reads more than the body, or a subject, is its
//! own event's alone.

use hashbrown::HashMap;

use super::access::{Column, GRAMS, LENGTHS, Need};
use super::{
    KIND_EQUAL, KIND_GRAM, KIND_PREFIX, KIND_PRESENT, KIND_RANGE, KIND_RANKED, KIND_SUFFIX, OWN,
    SUBJECT_LEVEL,
};
use crate::artifact::place;
use crate::artifact::write::Writer;
use crate::graph::{Dialect, Expr, ExprId, Graph};
use crate::node::{Keep, NONE, Node};

/// What distinguishes sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reads {
    /// Of the body: the value, and the list whose elements are read.
    Body(Option<ExprId>, Option<ExprId>),
    /// What an event's column is, whatever the dialect.
    Event(u32, Column),
}

/// A source while it grows.
pub(super) struct NewSource {
    reads: Reads,
    level: u32,
    kinds: u32,
    lengths: u32,
    /// Of the ranges that rules ask of it: ascending once all events have told theirs.
    pub(super) bounds: Vec<u64>,
}

/// All sources.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) all: Vec<NewSource>,
    places: HashMap<Reads, u32>,
}

impl Sources {
    /// The source of a column; `NONE`: the dialect does not define it. `bounds`: of the ranges that rules ask of it.
    pub(super) fn of(
        &mut self,
        graph: &Graph,
        nodes: &[Node],
        event: u32,
        dialect: &Dialect,
        column: Column,
        bounds: &[u64],
    ) -> u32 {
        let Some(reads) = reads(graph, nodes, event, dialect, column) else { return NONE };
        let new = place(self.all.len());
        let at = *self.places.entry(reads).or_insert(new);
        if at == new {
            let level = match reads {
                Reads::Body(..) => 0,
                Reads::Event(..) if reads_subject(graph, nodes, &column) => SUBJECT_LEVEL,
                Reads::Event(..) => OWN,
            };
            self.all.push(NewSource { reads, level, kinds: 0, lengths: 0, bounds: Vec::new() });
        }
        if let Some(source) = self.all.get_mut(at as usize) {
            source.bounds.extend(bounds);
        }
        at
    }

    /// Every event has told its bounds.
    pub(super) fn sort_bounds(&mut self) {
        for source in &mut self.all {
            source.bounds.sort_unstable();
            source.bounds.dedup();
        }
    }

    /// The table.
    pub(super) fn rows(&self, writer: &mut Writer) -> Vec<[u32; 6]> {
        let rows = self.all.iter().map(|source| {
            let (value, list) = match source.reads {
                Reads::Body(value, list) => (value, list),
                Reads::Event(_, column) => (column.value, column.list),
            };
            let ranked = source.kinds & (KIND_RANGE | KIND_RANKED) != 0;
            let bounds = if ranked { source.bounds.as_slice() } else { &[] };
            let bounds = writer.words(bounds.iter().flat_map(|b| super::halves(*b)));
            let (value, list) = (value.unwrap_or(NONE), list.unwrap_or(NONE));
            [value, list, source.kinds | source.level, source.lengths, bounds.start, bounds.len]
        });
        rows.collect()
    }
}

impl NewSource {
    /// A check looks at it so.
    pub(super) fn checked(&mut self, kind: u32) {
        self.kinds |= kind;
    }

    /// A rule is looked up so.
    pub(super) fn looked_up(&mut self, need: &Need) {
        let bit = |lengths: &[u32], length: u32| {
            lengths.iter().position(|l| *l == length).map_or(0, |at| 1u32.unbounded_shl(place(at)))
        };
        let (kind, lengths) = match need {
            Need::Equal(_) => (KIND_EQUAL, 0),
            Need::Prefix(length, _) => (KIND_PREFIX, bit(&LENGTHS, *length)),
            Need::Suffix(length, _) => (KIND_SUFFIX, bit(&LENGTHS, *length) << 8),
            Need::Gram(length, _) => (KIND_GRAM, bit(&GRAMS, *length) << 16),
            Need::Between(..) => (KIND_RANGE, 0),
            Need::Present => (KIND_PRESENT, 0),
        };
        self.kinds |= kind;
        self.lengths |= lengths;
    }
}

/// What a column reads if an event is told as a dialect; none: nothing.
fn reads(graph: &Graph, nodes: &[Node], event: u32, dialect: &Dialect, column: Column) -> Option<Reads> {
    let defined = |id: ExprId| match graph.exprs.get(id as usize) {
        Some(Expr::EventValue(at)) => dialect.values.get(*at as usize).copied().flatten(),
        _ => Some(id),
    };
    let of_body = |id: ExprId| nodes.get(id as usize).is_some_and(|node| node.keep == Keep::Body);
    let list = match column.list {
        Some(list) => Some(defined(list)?),
        None => None,
    };
    let value = match column.value {
        Some(value) => Some(defined(value)?),
        None => None,
    };
    // What reads an element of a list reads nothing else that differs.
    let element = |id: ExprId| list.is_some() && reads_element(graph, id);
    let shared = list.is_none_or(of_body) && value.is_none_or(|value| of_body(value) || element(value));
    Some(if shared { Reads::Body(value, list) } else { Reads::Event(event, column) })
}

/// Whether an expression is an element of a list, or a field of it.
fn reads_element(graph: &Graph, id: ExprId) -> bool {
    match graph.exprs.get(id as usize) {
        Some(Expr::Bound(_)) => true,
        Some(Expr::Field(of, _) | Expr::Part(of, _)) => reads_element(graph, *of),
        _ => false,
    }
}

fn reads_subject(graph: &Graph, nodes: &[Node], column: &Column) -> bool {
    let mut open: Vec<u32> = column.list.into_iter().chain(column.value).collect();
    while let Some(id) = open.pop() {
        match nodes.get(id as usize).map(|node| node.keep) {
            Some(Keep::Subject) => return true,
            Some(Keep::Never) => {
                if let Some(expr) = graph.exprs.get(id as usize) {
                    expr.operands(&mut |operand| open.push(operand));
                }
            }
            _ => {}
        }
    }
    false
}
