//! Judging: what a message asks for.
//!
//! Comes in: a matcher, a topic without prefix and environment, a body, the facts recorded so far. Goes out: a `Judgement`, or only
//! which rules fire. Topic first: without a plan for it nothing is read. Then one pass over the body takes the wanted paths; each
//! event finds its dialect; its columns lead to the candidates (`index`), which are judged once for the message, or once for each
//! subject they may concern. It has no memory of other messages: the same input always gives the same judgement, and a
//! rule never sees another one.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::artifact::tables::{BY_SUBJECT, Candidate, run};
use crate::body::{Body, Raw};
use crate::fact::Facts;
use crate::graph::{Dialect, Event, Root};
use crate::judgement::{Fired, Judgement, Note, Parked, Reason, Refusal, Run};
use crate::limits;
use crate::lookup::{Known, Lookup};
use crate::matcher::Matcher;
use crate::node::{Kind, NONE};
use crate::open::Reasons;
use crate::plan::{Plan, PlannedDialect, PlannedEvent};
use crate::reading;
use crate::runs::{Asking, Outcome};
use crate::scene::{Cell, Scene, Truth};

/// Which rules of an event are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those whose condition may not be false.
    Candidates,
    /// Every one: for who wants to know why a rule does not fire.
    All,
}

/// What so few rules read is near anyway.
const FEW_RULES: usize = 4_096;

/// What the matcher sees, step by step; judging and explaining are two readers of the same.
pub(crate) enum Seen<'a, 'm> {
    /// The body cannot be read.
    Unreadable { reason: String },
    /// No dialect of an event fits.
    NoDialect { event: &'m Event, reason: String },
    /// A dialect would fit, but the message is not the event that it declares.
    OtherEvent { event: &'m Event, dialect: &'m Dialect, scene: &'a mut Scene<'m> },
    /// The message is this event.
    Event { event: &'m Event },
    /// A rule was judged, for the message or for the subject at a place.
    Rule { place: u32, subject: Option<usize>, truth: Truth<'m>, scene: &'a mut Scene<'m>, event: &'m Event },
    /// A rule reads the subject, and there is none.
    NoSubject { place: u32, event: &'m Event },
    /// Something worth counting.
    Note(Note),
}

/// Judges one message; see [`Matcher::judge`].
pub(crate) fn judge(
    matcher: &Matcher,
    topic: &str,
    body: Body<'_>,
    facts: &dyn Facts,
    memory: &Bump,
) -> Judgement {
    let mut gathered =
        Gathered { matcher, judgement: Judgement::default(), places: HashMap::new(), outcomes: Vec::new() };
    let mut asking = Asking::default();
    look(matcher, topic, body, facts, memory, Which::Candidates, &mut |seen| gathered.add(seen, &mut asking));
    gathered.settle();
    gathered.judgement
}

/// Which rules' conditions hold; see [`Matcher::fired`].
pub(crate) fn fired(
    matcher: &Matcher,
    topic: &str,
    body: Body<'_>,
    facts: &dyn Facts,
    memory: &Bump,
) -> Vec<Fired> {
    let mut fired = Vec::new();
    look(matcher, topic, body, facts, memory, Which::Candidates, &mut |seen| {
        if let Seen::Rule { place, subject, truth: Truth::True, .. } = seen {
            fired.push(Fired { rule: place, subject });
        }
    });
    fired.sort_unstable();
    fired
}

/// A judgement while it grows.
struct Gathered<'g> {
    matcher: &'g Matcher,
    judgement: Judgement,
    /// Places of the runs by their keys.
    places: HashMap<String, usize>,
    /// What came of the current event's rules, in the order of subjects.
    outcomes: Vec<(u32, Option<usize>, Outcome, String)>,
}

impl Gathered<'_> {
    fn add(&mut self, seen: Seen<'_, '_>, asking: &mut Asking) {
        match seen {
            Seen::Unreadable { reason } => {
                self.judgement.refused.push(Refusal { event: String::new(), rule: None, reason });
            }
            Seen::NoDialect { event, reason } => {
                self.judgement.refused.push(Refusal { event: event.name.clone(), rule: None, reason });
            }
            Seen::Event { event, .. } => {
                self.settle();
                asking.next_event();
                self.judgement.events.push(event.name.clone());
            }
            Seen::Rule { truth: Truth::False, .. } => {}
            Seen::Rule { place, subject, truth, scene, event } => {
                let outcome = asking.outcome(place, subject, truth, event, scene);
                self.outcomes.push((place, subject, outcome, event.name.clone()));
            }
            Seen::Note(note) => self.judgement.notes.push(note),
            Seen::OtherEvent { .. } | Seen::NoSubject { .. } => {}
        }
    }

    /// Brings what came of an event's rules into the order of rules and subjects.
    fn settle(&mut self) {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        outcomes.sort_by_key(|(place, subject, ..)| (*place, *subject));
        for (place, subject, outcome, event) in outcomes {
            let rule = self.matcher.rule_name(place).to_owned();
            match outcome {
                Outcome::Fired(runs) => {
                    let reason = Reason { rule, subject };
                    runs.into_iter().for_each(|run| self.merge(run, &reason));
                }
                Outcome::Open(reasons) if reasons.wait() => {
                    let needs = reasons.needs.into_iter().chain(reasons.unanswered).collect();
                    self.judgement.parked.push(Parked { reason: Reason { rule, subject }, needs });
                }
                Outcome::Open(reasons) => {
                    let reason = reasons.misfits_text();
                    self.judgement.refused.push(Refusal { event, rule: Some(rule), reason });
                }
                Outcome::NotFired => {}
            }
        }
    }

    /// Two rules, or two subjects, that ask for the same run give one run with two reasons.
    fn merge(&mut self, run: Run, reason: &Reason) {
        let key = run.key();
        let known = self.places.get(&key).and_then(|at| self.judgement.runs.get_mut(*at));
        match known {
            // One rule asks for one subject in one go, so its request would be the last one.
            Some(known) if known.asks.last().is_some_and(|ask| ask.reason == *reason) => {}
            Some(known) => known.asks.extend(run.asks),
            None => {
                self.places.insert(key, self.judgement.runs.len());
                self.judgement.runs.push(run);
            }
        }
    }
}

/// Walks through everything that a message touches and tells `tell` of it.
pub(crate) fn look<'m>(
    matcher: &'m Matcher,
    topic: &str,
    body: Body<'m>,
    facts: &'m dyn Facts,
    memory: &'m Bump,
    which: Which,
    tell: &mut dyn FnMut(Seen<'_, 'm>),
) {
    let Some(plan) = matcher.plan(topic) else { return };
    let (raw, paths) = match reading::read_body(body, matcher, &plan, memory) {
        Ok(read) => read,
        Err(reason) => return tell(Seen::Unreadable { reason }),
    };
    let mut scene = Scene::new(matcher, plan.clone(), (raw, paths), facts, memory);
    let mut lookup = Lookup::new(&plan, memory);
    let mut found = BumpVec::with_capacity_in(64, memory);
    for planned in &plan.events {
        let Some(event) = matcher.declared.events.get(planned.place as usize) else { continue };
        let (at, subjects) = match choose(event, planned, &mut scene) {
            Choice::Fits(at, subjects) => (at, subjects),
            Choice::OtherEvent(dialect) => {
                tell(Seen::OtherEvent { event, dialect, scene: &mut scene });
                continue;
            }
            Choice::None(reason) => {
                tell(Seen::NoDialect { event, reason });
                continue;
            }
        };
        tell(Seen::Event { event });
        if subjects.is_some_and(<[Raw]>::is_empty) {
            tell(Seen::Note(Note::NoSubject { event: event.name.clone() }));
        }
        let Some(dialect) = planned.dialects.get(at) else { continue };
        Judging {
            event,
            plan: &plan,
            planned,
            dialect,
            which,
            scene: &mut scene,
            lookup: &mut lookup,
            spent: BTreeMap::new(),
            tell,
        }
        .rules(subjects, &mut found);
    }
    scene.notes.into_iter().for_each(|note| tell(Seen::Note(note)));
}

enum Choice<'m> {
    /// The dialect's place among those planned; the scene has entered it.
    Fits(usize, Option<&'m [Raw<'m>]>),
    OtherEvent(&'m Dialect),
    None(String),
}

/// The first dialect on the topic whose condition holds and whose required paths are there.
fn choose<'m>(event: &'m Event, planned: &PlannedEvent, scene: &mut Scene<'m>) -> Choice<'m> {
    let mut reasons = Vec::new();
    let mut other = None;
    let varying = scene.matcher.varying.get(planned.place as usize).map(|v| &**v).unwrap_or_default();
    for (at, planned) in planned.dialects.iter().enumerate() {
        let Some(dialect) = event.dialects.get(planned.place) else { continue };
        scene.enter(dialect, planned, varying);
        let fit = match dialect.condition.map_or(Truth::True, |c| scene.truth(c)) {
            Truth::False => {
                other = other.or(Some(dialect));
                continue;
            }
            Truth::Open(open) => Err(Reasons::of(open, scene.matcher).misfits_text()),
            Truth::True => fits(dialect, scene),
        };
        match fit {
            Ok(subjects) => {
                scene.select(None);
                return Choice::Fits(at, subjects);
            }
            Err(reason) => reasons.push(format!("dialect {}: {reason}", dialect.name)),
        }
    }
    match other {
        Some(dialect) if reasons.is_empty() => Choice::OtherEvent(dialect),
        _ => Choice::None(reasons.join("; ")),
    }
}

/// The subjects, if every required path is there; else what is missing.
fn fits<'m>(dialect: &'m Dialect, scene: &mut Scene<'m>) -> Result<Option<&'m [Raw<'m>]>, String> {
    let subjects = match &dialect.subjects {
        None => None,
        Some(steps) => Some(find_subjects(scene, steps)?),
    };
    for place in &dialect.required {
        let of_subject =
            scene.matcher.declared.paths.get(*place as usize).is_some_and(|p| p.root == Root::Subject);
        let rows = if of_subject { subjects.unwrap_or_default() } else { &[Raw::Null] };
        for row in rows {
            if of_subject {
                scene.select(Some(*row));
            }
            if let Cell::Open(open) = scene.path(*place) {
                return Err(Reasons::of(open, scene.matcher).misfits_text());
            }
        }
    }
    Ok(subjects)
}

fn find_subjects<'m>(scene: &Scene<'m>, steps: &[String]) -> Result<&'m [Raw<'m>], String> {
    let mut at = scene.body;
    for step in steps {
        let member = scene.matcher.names.place(step).and_then(|name| at.member(name));
        at = *member.ok_or_else(|| format!("`{}` is absent, a list was expected", steps.join(".")))?;
    }
    match at {
        Raw::List(items) if items.len() > limits::SUBJECTS_PER_MESSAGE => {
            Err(format!("`{}` holds more than {} subjects", steps.join("."), limits::SUBJECTS_PER_MESSAGE))
        }
        Raw::List(items) => Ok(items),
        other => Err(format!("`{}` is {}, a list was expected", steps.join("."), other.sketch())),
    }
}

/// The rules of one event, judged on one message.
struct Judging<'j, 'm> {
    event: &'m Event,
    plan: &'j Plan,
    planned: &'j PlannedEvent,
    /// The dialect that fits.
    dialect: &'j PlannedDialect,
    which: Which,
    scene: &'j mut Scene<'m>,
    lookup: &'j mut Lookup<'m>,
    /// Steps that rules took on the subjects so far, of those that take many.
    spent: BTreeMap<u32, u64>,
    tell: &'j mut dyn FnMut(Seen<'_, 'm>),
}

impl<'m> Judging<'_, 'm> {
    fn rules(&mut self, subjects: Option<&'m [Raw<'m>]>, found: &mut BumpVec<'m, Candidate>) {
        found.clear();
        let always = self.scene.tables.event(self.planned.place).always;
        found.extend_from_slice_copy(run(self.scene.tables.candidates, always));
        if self.which == Which::All
            || self.lookup.of_message(self.plan, self.planned, self.dialect, self.scene, found)
                == Known::NotAll
        {
            self.all(found);
        }
        let Some(subjects) = subjects else {
            // The message itself is the only subject.
            self.by_message_alone(found);
            return;
        };
        let by_subject: Vec<Candidate> = found.iter().filter(|c| c[0] & BY_SUBJECT != 0).copied().collect();
        found.retain(|c| c[0] & BY_SUBJECT == 0);
        self.judge(found, None);
        self.subjects(subjects, by_subject, found);
    }

    fn by_message_alone(&mut self, found: &mut BumpVec<'m, Candidate>) {
        if self.which == Which::Candidates
            && self.lookup.of_subject(self.plan, self.dialect, self.scene, found) == Known::NotAll
        {
            self.all(found);
        }
        self.judge(found, None);
    }

    /// The rules that are judged for each subject; some of them whatever a subject is.
    fn subjects(
        &mut self,
        subjects: &'m [Raw<'m>],
        mut everywhere: Vec<Candidate>,
        found: &mut BumpVec<'m, Candidate>,
    ) {
        if self.which == Which::All && subjects.is_empty() {
            everywhere.sort_unstable();
            for candidate in everywhere {
                let Some(place) = self.rule_of(candidate) else { continue };
                (self.tell)(Seen::NoSubject { place, event: self.event });
            }
            return;
        }
        if everywhere.is_empty() && self.dialect.subject_sources.is_empty() {
            return;
        }
        for (at, row) in subjects.iter().enumerate() {
            self.scene.select(Some(*row));
            found.clear();
            found.extend_from_slice_copy(&everywhere);
            if self.which == Which::Candidates
                && self.lookup.of_subject(self.plan, self.dialect, self.scene, found) == Known::NotAll
            {
                self.all(found);
                found.retain(|c| c[0] & BY_SUBJECT != 0);
            }
            self.judge(found, Some(at));
        }
    }

    /// Every rule of the event.
    fn all(&self, found: &mut BumpVec<'m, Candidate>) {
        let tables = self.scene.tables;
        let [first, _] = self.planned.ranks;
        let rules = run(tables.ranks, self.planned.ranks).iter().zip(first..);
        let marked = |(place, rank): (&u32, u32)| {
            let by_subject = tables.rule(*place).is_some_and(|rule| rule.by_subject);
            [rank << 1 | if by_subject { BY_SUBJECT } else { 0 }, 0]
        };
        found.clear();
        found.extend(rules.map(marked));
    }

    /// The place of a candidate's rule; none: another event's rule shares a hash with one of ours.
    fn rule_of(&self, [rank, _]: Candidate) -> Option<u32> {
        let [first, count] = self.planned.ranks;
        let rank = rank >> 1;
        if rank.wrapping_sub(first) < count {
            self.scene.tables.ranks.get(rank as usize).copied()
        } else {
            None
        }
    }

    /// Touches what judging the candidates will read, step by step for all of them: none has to wait for the memory of another.
    fn fetch(&self, found: &[Candidate]) {
        let tables = self.scene.tables;
        if found.len() < 2 || tables.rules.len() < FEW_RULES {
            return;
        }
        let head = |candidate: &Candidate| tables.rule(self.rule_of(*candidate)?);
        let node = |candidate: &Candidate| tables.packed(head(candidate)?.condition);
        let parts = |candidate: &Candidate| match Kind::decode(node(candidate)?)? {
            Kind::And(parts) | Kind::Or(parts) => Some(tables.list(parts)),
            _ => None,
        };
        for candidate in found {
            black_box(self.rule_of(*candidate));
        }
        for candidate in found {
            black_box(head(candidate).map(|rule| rule.condition));
        }
        for candidate in found {
            black_box(node(candidate));
        }
        for candidate in found {
            black_box(parts(candidate).and_then(|parts| parts.first().copied()));
        }
        for part in found.iter().filter_map(parts).flatten() {
            black_box(tables.packed(*part));
        }
    }

    /// Judges candidates, each once.
    fn judge(&mut self, found: &mut BumpVec<'m, Candidate>, subject: Option<usize>) {
        if found.is_empty() {
            return;
        }
        if self.which == Which::Candidates {
            found.retain(|[_, check]| self.lookup.may_hold(*check, self.dialect));
        }
        found.sort_unstable();
        found.dedup_by_key(|[rank, _]| *rank);
        self.fetch(found);
        for candidate in found.iter().copied() {
            let Some(place) = self.rule_of(candidate) else { continue };
            let Some(rule) = self.scene.tables.rule(place) else { continue };
            self.scene.steps =
                if subject.is_some() { self.spent.get(&place).copied().unwrap_or(0) } else { 0 };
            let before = self.scene.steps;
            let truth = if rule.condition == NONE { Truth::True } else { self.scene.truth(rule.condition) };
            (self.tell)(Seen::Rule { place, subject, truth, scene: &mut *self.scene, event: self.event });
            if subject.is_some() && self.scene.steps.saturating_sub(before) > limits::UNCOUNTED_STEPS {
                self.spent.insert(place, self.scene.steps);
            }
        }
    }
}
