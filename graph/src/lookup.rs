//! Looking rules up: from what a message holds to candidates.
//!
//! Comes in: a topic's plan, a scene. Goes out: candidates, and what their checks compare. What several events of one message read of
//! its body is read, hashed and looked up once, for all of them. A source that cannot be known leads to nothing: then every rule
//! of the events that read it is a candidate.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::artifact::tables::Candidate;
use crate::datum::Datum;
use crate::index::{Compared, Keys, Source, checked_column};
use crate::node::{NONE, NodeId};
use crate::plan::{Plan, PlannedDialect, PlannedEvent};
use crate::scene::{Cell, Scene};

/// What was looked up of one message.
pub(crate) struct Lookup<'m> {
    /// What checks compare with each source of the plan; none: it cannot be known.
    compared: &'m mut [Option<Compared>],
    /// Rules of the plan's events that the body leads to, in order; none: it was not looked at yet.
    of_body: Option<BumpVec<'m, Candidate>>,
    keys: Keys<'m>,
    memory: &'m Bump,
}

/// Whether everything that a rule waits for could be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    All,
    /// Something could not, so every rule of the event is a candidate.
    NotAll,
}

impl<'m> Lookup<'m> {
    pub(crate) fn new(plan: &Plan, memory: &'m Bump) -> Self {
        Self {
            compared: memory.alloc_slice_fill_copy(plan.sources.len(), Some(Compared::ANYTHING)),
            of_body: None,
            keys: Keys::new(memory),
            memory,
        }
    }

    /// Adds the rules of an event that the message as a whole leads to.
    pub(crate) fn of_message(
        &mut self,
        plan: &Plan,
        event: &PlannedEvent,
        dialect: &PlannedDialect,
        scene: &mut Scene<'m>,
        found: &mut BumpVec<'m, Candidate>,
    ) -> Known {
        let of_body = match self.of_body.take() {
            Some(of_body) => of_body,
            None => self.look_at_body(plan, scene),
        };
        let [first, count] = event.ranks;
        let start = of_body.partition_point(|[rank, _]| rank >> 1 < first);
        let own = of_body.iter().skip(start).take_while(|[rank, _]| (rank >> 1).wrapping_sub(first) < count);
        found.extend(own.copied());
        self.of_body = Some(of_body);
        self.look(plan, &dialect.event_sources, scene);
        self.keys.find(&scene.tables, |_| true, found);
        self.known(&dialect.columns)
    }

    /// Adds the rules of an event that the subject leads to.
    pub(crate) fn of_subject(
        &mut self,
        plan: &Plan,
        dialect: &PlannedDialect,
        scene: &mut Scene<'m>,
        found: &mut BumpVec<'m, Candidate>,
    ) -> Known {
        self.look(plan, &dialect.subject_sources, scene);
        self.keys.find(&scene.tables, |_| true, found);
        self.known(&dialect.subject_sources)
    }

    /// Whether a candidate's check holds, as far as its column was looked at.
    #[inline]
    pub(crate) fn may_hold(&self, check: u32, dialect: &PlannedDialect) -> bool {
        let Some(column) = checked_column(check) else { return true };
        match dialect.columns.get(column) {
            Some(&NONE) => Compared::NOTHING.passes(check),
            Some(source) => self
                .compared
                .get(*source as usize)
                .copied()
                .flatten()
                .is_none_or(|compared| compared.passes(check)),
            None => true,
        }
    }

    fn look_at_body(&mut self, plan: &Plan, scene: &mut Scene<'m>) -> BumpVec<'m, Candidate> {
        let mut found = BumpVec::with_capacity_in(64, self.memory);
        self.look(plan, &plan.body_sources, scene);
        self.keys.find(&scene.tables, |[rank, _]| plan.ranks.may_hold(rank >> 1), &mut found);
        found.sort_unstable();
        found.dedup();
        found
    }

    fn look(&mut self, plan: &Plan, sources: &[u32], scene: &mut Scene<'m>) {
        for at in sources {
            let Some(source) = plan.sources.get(*at as usize) else { continue };
            let compared = look_at(source, scene, &mut self.keys);
            if let Some(known) = self.compared.get_mut(*at as usize) {
                *known = compared;
            }
        }
    }

    fn known(&self, sources: &[u32]) -> Known {
        let unknown = |at: &u32| matches!(self.compared.get(*at as usize), Some(None));
        if sources.iter().any(unknown) { Known::NotAll } else { Known::All }
    }
}

/// Reads a source and collects the keys of what it holds; none: it cannot be known.
fn look_at<'m>(source: &Source, scene: &mut Scene<'m>, keys: &mut Keys<'m>) -> Option<Compared> {
    scene.steps = 0;
    let tables = scene.tables;
    if source.list == NONE {
        return match scene.value(source.value) {
            Cell::Value(value) => Some(source.look_up(&tables, value, keys)),
            Cell::Open(_) => None,
            Cell::Absent | Cell::Null => Some(Compared::NOTHING),
        };
    }
    let items = match scene.value(source.list) {
        Cell::Value(Datum::List(items)) => items,
        Cell::Open(_) => return None,
        _ => &[],
    };
    let mut compared = Compared::NOTHING;
    for item in items {
        let element =
            if source.value == NONE { Cell::Value(*item) } else { scene.on_element(*item, source.value) };
        match element {
            Cell::Value(value) => compared = compared.and(source.look_up(&tables, value, keys)),
            Cell::Open(_) => return None,
            Cell::Absent | Cell::Null => {}
        }
    }
    Some(compared)
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
