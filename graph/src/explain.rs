//! Why each rule fired or did not.
//!
//! Comes in: what `judge` takes. Goes out: for each rule that looked at the message, and each subject, what came of it: the runs,
//! or the first part of the condition that does not hold, with the values it saw and its place in the source. The same walk
//! as the matcher's, so the two can never disagree; only here the source section of the artifact is read.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::artifact::tables::{operands, path_of};
use crate::body::Body;
use crate::datum::Datum;
use crate::fact::{FactKey, Facts};
use crate::graph::{Conjunct, Event, ExprId, Graph, Place};
use crate::judge::{Seen as Look, Which, look};
use crate::matcher::with_memory;
use crate::open::{Open, Reasons};
use crate::runs::{Asking, Outcome};
use crate::scene::{Cell, Scene, Truth};

/// What a message meant to each rule.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Explanation {
    /// Events that the message is.
    pub events: Vec<String>,
    /// Events on its topic that it is not, with the reason.
    pub other_events: Vec<OtherEvent>,
    /// One for each rule and subject, in the order of rules.
    pub rules: Vec<RuleReport>,
    /// Rules that wait for events of other topics.
    pub rules_on_other_topics: usize,
}

/// An event of the same topic that the message is not.
#[derive(Clone, Debug, Serialize)]
pub struct OtherEvent {
    /// The event.
    pub event: String,
    /// What does not fit, or which condition does not hold.
    pub reason: String,
    /// Whether the message is quarantined for it.
    pub quarantined: bool,
}

/// What a message meant to one rule, for one subject.
#[derive(Clone, Debug, Serialize)]
pub struct RuleReport {
    /// The rule's name.
    pub rule: String,
    /// Its place in [`Graph::rules`].
    pub index: usize,
    /// The event that it waits for.
    pub event: String,
    /// Where it stands.
    pub place: Option<Place>,
    /// Place of the subject in the message's list, and its text; none for a rule that reads no subject.
    pub subject: Option<(usize, String)>,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of judging a rule.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Verdict {
    /// It asks for these runs.
    Fired {
        /// Keys of the runs.
        runs: Vec<String>,
        /// What its condition saw.
        seen: Vec<Seen>,
    },
    /// A part of its condition does not hold.
    ConditionFailed {
        /// Where the part stands.
        place: Option<Place>,
        /// What it saw.
        seen: Vec<Seen>,
    },
    /// It waits for facts.
    Waiting {
        /// The facts.
        needs: Vec<FactKey>,
    },
    /// The message lacks the shape that it needs.
    Refused {
        /// What was expected where, and what was found.
        reason: String,
    },
    /// The list of subjects is empty.
    NoSubject,
}

/// A value that a condition read.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// As written in the rule.
    pub text: String,
    /// What it was.
    pub value: String,
}

/// Explains a message, rule by rule; same meaning as [`crate::judge()`].
pub fn explain(graph: &Graph, topic: &str, body: &[u8], facts: &dyn Facts) -> Explanation {
    let mut out = Explanation::default();
    let mut asking = Asking::default();
    look_at_all(graph, topic, body, facts, &mut |seen| match seen {
        Look::Event { event } => {
            asking.next_event();
            out.events.push(event.name.clone());
        }
        Look::Unreadable { reason } => {
            out.other_events.push(OtherEvent { event: String::new(), reason, quarantined: true });
        }
        Look::NoDialect { event, reason } => {
            out.other_events.push(OtherEvent { event: event.name.clone(), reason, quarantined: true });
        }
        Look::OtherEvent { event, dialect, scene } => {
            let seen = dialect.condition.map_or(Vec::new(), |c| paths_below(scene, c));
            let seen: Vec<String> = seen.iter().map(|s| format!("{} is {}", s.text, s.value)).collect();
            let reason =
                format!("the condition of dialect {} does not hold: {}", dialect.name, seen.join(", "));
            out.other_events.push(OtherEvent { event: event.name.clone(), reason, quarantined: false });
        }
        Look::Rule { place, subject, truth, scene, event } => {
            let outcome = asking.outcome(place, subject, truth, event, scene);
            let verdict = verdict(graph, place, outcome, scene);
            let subject = subject.map(|at| (at, subject_text(event, scene)));
            out.rules.push(RuleReport::new(graph, place, event, subject, verdict));
        }
        Look::NoSubject { place, event } => {
            out.rules.push(RuleReport::new(graph, place, event, None, Verdict::NoSubject));
        }
        Look::Note(_) => {}
    });
    let matcher = graph.matcher();
    let plan = matcher.plan(topic);
    let events = plan.iter().flat_map(|plan| &plan.events);
    let on_topic = events.map(|event| matcher.tables().event(event.place).rules[1] as usize).sum();
    out.rules_on_other_topics = graph.rules.len().saturating_sub(on_topic);
    out.rules.sort_by_key(|r| r.index);
    out
}

/// Every rule of the events that a message may be.
fn look_at_all(
    graph: &Graph,
    topic: &str,
    body: &[u8],
    facts: &dyn Facts,
    tell: &mut dyn for<'m> FnMut(Look<'_, 'm>),
) {
    let matcher = graph.matcher();
    match Body::check(body) {
        Ok(body) => {
            with_memory(|memory| {
                look(matcher, topic, body, facts, memory, Which::All, &mut |seen| tell(seen))
            });
        }
        Err(reason) if matcher.waits_for(topic) => tell(Look::Unreadable { reason }),
        Err(_) => {}
    }
}

impl RuleReport {
    fn new(
        graph: &Graph,
        rule: u32,
        event: &Event,
        subject: Option<(usize, String)>,
        verdict: Verdict,
    ) -> Self {
        let index = rule as usize;
        Self {
            rule: graph.matcher().rule_name(rule).to_owned(),
            index,
            event: event.name.clone(),
            place: graph.sources.rules.get(index).map(|s| s.place),
            subject,
            verdict,
        }
    }
}

/// Why a rule never looked at a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Unreached {
    /// The message is on none of its event's topics.
    OtherTopic {
        /// The topics that it waits for.
        waits_for: Vec<String>,
    },
    /// The topic is one of its event's, the message is not that event.
    OtherEvent {
        /// What does not fit, or which condition does not hold.
        reason: String,
        /// Whether the message is quarantined for it.
        quarantined: bool,
    },
}

/// Why a rule is not among those that an explanation speaks of; none: it is, or there is no such rule.
pub fn unreached(graph: &Graph, topic: &str, explanation: &Explanation, rule: usize) -> Option<Unreached> {
    if explanation.rules.iter().any(|report| report.index == rule) {
        return None;
    }
    let event = graph.events.get(graph.rules.get(rule)?.event as usize)?;
    let dialects = event.dialects.iter();
    if !dialects.clone().any(|d| d.covers(topic)) {
        let waits_for: BTreeSet<String> = dialects.flat_map(|d| d.topics.iter().cloned()).collect();
        let waits_for = waits_for.into_iter().collect();
        return Some(Unreached::OtherTopic { waits_for });
    }
    // A body that cannot be read is no event at all.
    let other = explanation.other_events.iter().find(|o| o.event == event.name || o.event.is_empty())?;
    Some(Unreached::OtherEvent { reason: other.reason.clone(), quarantined: other.quarantined })
}

/// Whether an expression of a rule's condition holds; none: that is open.
pub type Holds<'h> = dyn FnMut(ExprId) -> Option<bool> + 'h;

/// Looks at a message as [`crate::judge()`] does. `tell` gets each rule that looked at it, by its place in [`Graph::rules`], once
/// for each subject if it reads one, and what answers for the expressions of its condition.
pub fn probe(
    graph: &Graph,
    topic: &str,
    body: &[u8],
    facts: &dyn Facts,
    tell: &mut dyn FnMut(usize, &mut Holds<'_>),
) {
    look_at_all(graph, topic, body, facts, &mut |seen| {
        if let Look::Rule { place, scene, .. } = seen {
            tell(place as usize, &mut |expr| match scene.truth(expr) {
                Truth::True => Some(true),
                Truth::False => Some(false),
                Truth::Open(_) => None,
            });
        }
    });
}

fn verdict(graph: &Graph, place: u32, outcome: Outcome, scene: &mut Scene<'_>) -> Verdict {
    match outcome {
        Outcome::Fired(runs) => {
            let mut keys: Vec<String> = Vec::new();
            for run in runs.iter().map(crate::Run::key) {
                if !keys.contains(&run) {
                    keys.push(run);
                }
            }
            let seen = parts_of(graph, place).iter().flat_map(|part| seen_by(graph, part, scene)).collect();
            Verdict::Fired { runs: keys, seen }
        }
        Outcome::NotFired => condition_failed(graph, place, scene),
        Outcome::Open(reasons) if reasons.wait() => {
            Verdict::Waiting { needs: reasons.needs.into_iter().chain(reasons.unanswered).collect() }
        }
        Outcome::Open(reasons) => Verdict::Refused { reason: reasons.misfits_text() },
    }
}

/// The values of the event that differ from subject to subject, in one piece.
fn subject_text(event: &Event, scene: &mut Scene<'_>) -> String {
    let mut texts = Vec::new();
    for (at, _) in event.values.iter().enumerate().filter(|(_, v)| v.scope == crate::Scope::Subject) {
        let definition = scene.dialect.values.get(at).copied().flatten();
        if let Some(Cell::Value(value)) = definition.map(|d| scene.value(d)) {
            texts.push(value.text());
        }
    }
    texts.join(" ")
}

/// The first part, in the order of the source, that does not hold.
fn condition_failed(graph: &Graph, rule: u32, scene: &mut Scene<'_>) -> Verdict {
    let failed = parts_of(graph, rule).iter().find(|c| matches!(scene.truth(c.expr), Truth::False));
    let Some(failed) = failed else { return Verdict::ConditionFailed { place: None, seen: Vec::new() } };
    Verdict::ConditionFailed { place: Some(failed.place), seen: seen_by(graph, failed, scene) }
}

/// The parts of a rule's condition, as they were written.
fn parts_of(graph: &Graph, rule: u32) -> &[Conjunct] {
    graph.sources.rules.get(rule as usize).map(|s| s.conjuncts.as_slice()).unwrap_or_default()
}

/// The values that a part of a condition read, each once.
fn seen_by(graph: &Graph, part: &Conjunct, scene: &mut Scene<'_>) -> Vec<Seen> {
    let mut seen: Vec<Seen> = Vec::new();
    for (expr, place) in &part.reads {
        let file = graph.sources.files.get(place.file as usize);
        let file = file.map(|f| f.text.as_str()).unwrap_or_default();
        let text = file.get(place.start as usize..place.end as usize).unwrap_or_default().to_owned();
        if !seen.iter().any(|s| s.text == text) {
            let value = shown(scene.value(*expr), scene);
            seen.push(Seen { text, value });
        }
    }
    seen
}

/// The paths that a dialect's condition reads, with what stands there.
fn paths_below(scene: &mut Scene<'_>, root: u32) -> Vec<Seen> {
    let tables = scene.tables;
    let mut seen: Vec<Seen> = Vec::new();
    let mut todo = vec![root];
    while let Some(id) = todo.pop() {
        if let Some(place) = path_of(&tables, id)
            && let Some(path) = scene.matcher.declared.paths.get(place as usize)
        {
            let text = format!("`{}`", path.shown());
            if !seen.iter().any(|s| s.text == text) {
                let value = shown(scene.path(place), scene);
                seen.push(Seen { text, value });
            }
        }
        if let Some(node) = tables.node(id) {
            operands(&tables, node, &mut |operand| todo.push(operand));
        }
    }
    seen
}

fn shown(cell: Cell<'_>, scene: &Scene<'_>) -> String {
    let misfits = |open: &Open<'_>| Reasons::of(open, scene.matcher).misfits_text();
    match cell {
        Cell::Absent => "absent".into(),
        Cell::Null => "null".into(),
        Cell::Value(Datum::Text(t)) => format!("{t:?}"),
        Cell::Value(value) => value.text().into_owned(),
        Cell::Open(open) => Some(misfits(open)).filter(|m| !m.is_empty()).unwrap_or("not known yet".into()),
    }
}
