//! What rules share: the tasks, events and values of events that any of them needs.
//!
//! Comes in: a typed program. Goes out: which of its tasks and events are in the graph, and at which places. While that stays the same, a
//! rule that is the same is lowered to the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::typed::{Program, TypedKind};

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
    pub(super) fn new(program: &Program) -> Self {
        let tasks: BTreeSet<usize> =
            program.rules.iter().flat_map(|r| r.actions.iter().map(|(task, _)| *task)).collect();
        let events: BTreeSet<usize> = program.rules.iter().map(|r| r.event).collect();
        let topics = events.iter().filter_map(|at| {
            let event = program.events.get(*at)?;
            event.values.is_empty().then(|| (*at, event.name.clone()))
        });
        Self {
            topics: topics.collect(),
            tasks: tasks.into_iter().zip(0..).collect(),
            events: events.into_iter().zip(0..).collect(),
            read: read_values(program),
        }
    }
}

/// The values of each event that some rule reads.
fn read_values(program: &Program) -> Vec<BTreeSet<usize>> {
    let mut read = vec![BTreeSet::new(); program.events.len()];
    for rule in &program.rules {
        let Some(read) = read.get_mut(rule.event) else { continue };
        for expr in rule.exprs() {
            expr.any(&mut |kind| {
                if let TypedKind::EventValue(at) = kind {
                    read.insert(*at);
                }
                false
            });
        }
    }
    read
}
