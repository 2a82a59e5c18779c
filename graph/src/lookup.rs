//! Looking rules up: from what a message holds to candidates.
//!
//! Comes in: a topic's plan, a scene. Goes out: candidates, and what their checks compare. What several events of one message read of
//! its body is read, hashed and looked up once, for all of them. A source that cannot be known leads to nothing: then every rule
//! of the events that read it is a candidate.

use bumpalo::Bump;

use crate::artifact::tables::Candidate;
use crate::datum::Datum;
use crate::index::{Compared, Source, checked_column};
use crate::node::{NONE, NodeId};
use crate::plan::{Plan, PlannedDialect, PlannedEvent};
use crate::scene::{Cell, Scene};

/// What was looked up of one message.
pub(crate) struct Lookup<'m> {
    /// What checks compare with each source of the plan; none: it cannot be known.
    compared: &'m mut [Option<Compared>],
    /// Rules of all events that the body leads to; none: it was not looked at yet.
    of_body: Option<Vec<Candidate>>,
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
        }
    }

    /// Adds the rules of an event that the message as a whole leads to.
    pub(crate) fn of_message(
        &mut self,
        plan: &Plan,
        event: &PlannedEvent,
        dialect: &PlannedDialect,
        scene: &mut Scene<'m>,
        found: &mut Vec<Candidate>,
    ) -> Known {
        let of_body = match self.of_body.take() {
            Some(of_body) => of_body,
            None => self.look_at_body(plan, scene),
        };
        keep_event(event.ranks, &of_body, found);
        self.of_body = Some(of_body);
        self.look(plan, &dialect.event_sources, scene, found);
        self.known(&dialect.columns)
    }

    /// Adds the rules of an event that the subject leads to.
    pub(crate) fn of_subject(
        &mut self,
        plan: &Plan,
        dialect: &PlannedDialect,
        scene: &mut Scene<'m>,
        found: &mut Vec<Candidate>,
    ) -> Known {
        self.look(plan, &dialect.subject_sources, scene, found);
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

    fn look_at_body(&mut self, plan: &Plan, scene: &mut Scene<'m>) -> Vec<Candidate> {
        let mut found = Vec::with_capacity(128);
        self.look(plan, &plan.body_sources, scene, &mut found);
        found
    }

    fn look(&mut self, plan: &Plan, sources: &[u32], scene: &mut Scene<'m>, found: &mut Vec<Candidate>) {
        for at in sources {
            let Some(source) = plan.sources.get(*at as usize) else { continue };
            let compared = look_at(source, scene, found);
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

/// Adds the candidates that are an event's rules. Which ones are is as good as random, so it is no branch.
fn keep_event([first, count]: [u32; 2], of_body: &[Candidate], found: &mut Vec<Candidate>) {
    let mut end = found.len();
    found.resize(end.saturating_add(of_body.len()), [0; 2]);
    for candidate in of_body {
        if let Some(to) = found.get_mut(end) {
            *to = *candidate;
        }
        end = end.saturating_add(usize::from((candidate[0] >> 1).wrapping_sub(first) < count));
    }
    found.truncate(end);
}

/// Reads a source and collects the rules that wait for what it holds; none: it cannot be known.
fn look_at<'m>(source: &Source, scene: &mut Scene<'m>, found: &mut Vec<Candidate>) -> Option<Compared> {
    scene.steps = 0;
    let tables = scene.tables;
    if source.list == NONE {
        return match scene.value(source.value) {
            Cell::Value(value) => Some(source.look_up(&tables, value, found)),
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
            Cell::Value(value) => compared = compared.and(source.look_up(&tables, value, found)),
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
