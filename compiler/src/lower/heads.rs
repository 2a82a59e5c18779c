//! What rules share: the tasks, events and values of events that any of them needs.
//!
//! Comes in: typed rules, one after the other. Goes out: which of the tasks and events are in the graph, and at which places. While
//! that stays the same, a rule that is the same is lowered to the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::typed::{Program, TypedKind, TypedRule};

/// What stands in the graph before its rules, whatever order they have.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heads {
    /// Places in the graph of tasks of the program.
    pub(super) tasks: BTreeMap<usize, u32>,
    /// The same of events.
    pub(super) events: BTreeMap<usize, u32>,
    /// Events for topics, which rules bring along: at their places in the program.
    topics: BTreeMap<usize, String>,
    /// The values of each event that some rule reads.
    pub(super) read: Vec<BTreeSet<usize>>,
}

impl Heads {
    pub(super) fn new(program: &Program, shared: &Shared) -> Self {
        let tasks = places(&shared.tasks).zip(0..).collect();
        let events: BTreeMap<usize, u32> = places(&shared.events).zip(0..).collect();
        let topics = events.keys().filter_map(|at| {
            let event = program.events.get(*at)?;
            event.values.is_empty().then(|| (*at, event.name.clone()))
        });
        let mut read: Vec<BTreeSet<usize>> = shared.read.iter().map(|read| places(read).collect()).collect();
        read.resize(program.events.len(), BTreeSet::new());
        Self { topics: topics.collect(), tasks, events, read }
    }
}

/// What the rules of a program need that others need as well. It is told of each rule as soon as that is checked: looking at all rules
/// once more costs as much as lowering them.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// For each place whether it is that of a task in use.
    tasks: Vec<bool>,
    /// The same of events.
    events: Vec<bool>,
    /// The same of each event's values.
    read: Vec<Vec<bool>>,
}

impl Shared {
    /// One more rule.
    pub(crate) fn add(&mut self, rule: &TypedRule) {
        rule.actions.iter().for_each(|(task, _)| *reach(&mut self.tasks, *task) = true);
        *reach(&mut self.events, rule.event) = true;
        let read = reach(&mut self.read, rule.event);
        for expr in rule.exprs() {
            expr.any(&mut |kind| {
                if let TypedKind::EventValue(at) = kind {
                    *reach(read, *at) = true;
                }
                false
            });
        }
    }
}

/// What stands at a place of a table, which grows as far as that.
fn reach<T: Default + Clone>(table: &mut Vec<T>, at: usize) -> &mut T {
    if table.len() <= at {
        table.resize(at.saturating_add(1), T::default());
    }
    #[expect(clippy::indexing_slicing, reason = "it was made as long as that one line above")]
    &mut table[at]
}

/// The places that are marked.
fn places(marks: &[bool]) -> impl Iterator<Item = usize> {
    marks.iter().enumerate().filter(|(_, marked)| **marked).map(|(at, _)| at)
}
