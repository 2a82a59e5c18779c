//! What rules share: the tasks, events and values of events that any of them needs.
//!
//! Comes in: typed rules, one after the other. Goes out: which of its tasks and events are in the graph, and at which places. While that stays the same, a
//! rule that is the same is lowered to the same.

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
        let topics = shared.events.iter().filter_map(|at| {
            let event = program.events.get(*at)?;
            event.values.is_empty().then(|| (*at, event.name.clone()))
        });
        let mut read = shared.read.clone();
        read.resize(program.events.len(), BTreeSet::new());
        Self {
            topics: topics.collect(),
            tasks: shared.tasks.iter().copied().zip(0..).collect(),
            events: shared.events.iter().copied().zip(0..).collect(),
            read,
        }
    }
}

/// What the rules of a program need that others need as well. It is told of each rule as soon as that is checked: looking at all rules
/// once more costs as much as lowering them.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Places of tasks.
    tasks: BTreeSet<usize>,
    /// Places of events.
    events: BTreeSet<usize>,
    /// The values of each event that some rule reads.
    read: Vec<BTreeSet<usize>>,
}

impl Shared {
    /// One more rule.
    pub(crate) fn add(&mut self, rule: &TypedRule) {
        self.tasks.extend(rule.actions.iter().map(|(task, _)| *task));
        self.events.insert(rule.event);
        if self.read.len() <= rule.event {
            self.read.resize(rule.event.saturating_add(1), BTreeSet::new());
        }
        let Some(read) = self.read.get_mut(rule.event) else { return };
        for expr in rule.exprs() {
            expr.any(&mut |kind| {
                if let TypedKind::EventValue(at) = kind {
                    read.insert(*at);
                }
                false
            });
        }
    }
}
