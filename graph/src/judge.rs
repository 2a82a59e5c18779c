//! The matcher: what a message asks for.
//!
//! Comes in: a graph, a topic without prefix and environment, the body's bytes, the facts recorded so far. Goes out: a
//! `Judgement`. Topic first: without a plan for it nothing is read. Then one pass over the body takes the wanted paths; each
//! event finds its dialect; each rule is judged once for the message, or once for each subject if it reads one. It has no memory
//! of other messages: the same input always gives the same judgement, and a rule never sees another one.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::body::{self, Raw};
use crate::eval::{Cell, Cell64, Memo, Open, Scene, Truth};
use crate::fact::Facts;
use crate::graph::{ArgumentSource, Dialect, Event, ExprId, Graph, Rule, Scope};
use crate::judgement::{Argument, Ask, Happening, Judgement, Note, Parked, Reason, Refusal, Run, WindowKeys};
use crate::limits;
use crate::value::Value;

/// Judges one message: `topic` without prefix and environment (see [`crate::TopicFilter`]), `body` as intake validated it.
/// Never fails: what cannot be judged is in the judgement, with its reason.
pub fn judge(graph: &Graph, topic: &str, body: &[u8], facts: &dyn Facts) -> Judgement {
    let mut gathered = Gathered::default();
    look(graph, topic, body, facts, &mut |seen| gathered.add(seen));
    gathered.judgement
}

/// A judgement while it grows.
#[derive(Default)]
struct Gathered {
    judgement: Judgement,
    /// Places of the runs by their keys.
    places: HashMap<String, usize>,
}

/// What the matcher sees, step by step; `judge` and `explain` are two readers of the same.
pub(crate) enum Seen<'a, 's> {
    /// The body is not even JSON.
    Unreadable { reason: String },
    /// No dialect of an event fits.
    NoDialect { event: &'a Event, reason: String },
    /// A dialect would fit, but the message is not the event that it declares.
    OtherEvent { event: &'a Event, dialect: &'a Dialect, scene: &'s mut Scene<'a> },
    /// The message is this event.
    Event { event: &'a Event },
    /// A rule was judged, for the message or for one subject.
    Rule { place: usize, rule: &'a Rule, reason: Reason, outcome: Outcome, scene: &'s mut Scene<'a> },
    /// A rule reads the subject, and there is none.
    NoSubject { rule: &'a Rule },
    /// Something worth counting.
    Note(Note),
}

/// What came of a rule.
pub(crate) enum Outcome {
    Fired(Vec<Run>),
    NotFired,
    Open(Open),
}

impl Gathered {
    fn add(&mut self, seen: Seen<'_, '_>) {
        match seen {
            Seen::Unreadable { reason } => {
                self.judgement.refused.push(Refusal { event: String::new(), rule: None, reason });
            }
            Seen::NoDialect { event, reason } => {
                self.judgement.refused.push(Refusal { event: event.name.clone(), rule: None, reason });
            }
            Seen::Event { event, .. } => self.judgement.events.push(event.name.clone()),
            Seen::Rule { reason, outcome: Outcome::Fired(runs), .. } => {
                runs.into_iter().for_each(|run| self.merge(run, &reason))
            }
            Seen::Rule { rule, reason, outcome: Outcome::Open(open), scene, .. } => {
                if open.needs.is_empty() && open.unanswered.is_empty() {
                    let event =
                        scene.graph.events.get(rule.event as usize).map_or(String::new(), |e| e.name.clone());
                    let reason = open.misfits.into_iter().collect::<Vec<_>>().join("; ");
                    self.judgement.refused.push(Refusal { event, rule: Some(rule.name.clone()), reason });
                } else {
                    self.judgement.parked.push(Parked {
                        reason,
                        needs: open.needs.into_iter().chain(open.unanswered).collect(),
                    });
                }
            }
            Seen::Note(note) => self.judgement.notes.push(note),
            Seen::Rule { outcome: Outcome::NotFired, .. }
            | Seen::OtherEvent { .. }
            | Seen::NoSubject { .. } => {}
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
pub(crate) fn look(
    graph: &Graph,
    topic: &str,
    body: &[u8],
    facts: &dyn Facts,
    tell: &mut dyn FnMut(Seen<'_, '_>),
) {
    let Some(plan) = graph.index().plan(topic) else { return };
    let plan = plan.as_ref();
    let raw = match body::read(body, &plan.wanted) {
        Ok(raw) => raw,
        Err(reason) => return tell(Seen::Unreadable { reason }),
    };
    let notes = RefCell::new(Vec::new());
    let steps = Cell64::default();
    for place in &plan.events {
        let Some(event) = graph.events.get(*place as usize) else { continue };
        let memo = Memo::default();
        let scene = Scene {
            graph,
            dialect: &EMPTY_DIALECT,
            body: &raw,
            subject: None,
            facts,
            message_memo: &memo,
            subject_memo: Memo::default(),
            bound: Vec::new(),
            notes: &notes,
            steps: &steps,
        };
        let rules = plan.rules.iter().filter_map(|at| graph.rules.get(*at).map(|r| (*at, r)));
        look_at_event(event, topic, scene, rules.filter(|(_, r)| r.event == *place), tell);
    }
    notes.into_inner().into_iter().for_each(|note| tell(Seen::Note(note)));
}

const EMPTY_DIALECT: Dialect = Dialect {
    name: String::new(),
    topics: Vec::new(),
    condition: None,
    required: Vec::new(),
    subjects: None,
    values: Vec::new(),
    happening: None,
};

fn look_at_event<'a>(
    event: &'a Event,
    topic: &str,
    mut scene: Scene<'a>,
    rules: impl Iterator<Item = (usize, &'a Rule)>,
    tell: &mut dyn FnMut(Seen<'_, '_>),
) {
    let (dialect, subjects) = match choose(event, topic, &mut scene) {
        Choice::Fits(dialect, subjects) => (dialect, subjects),
        Choice::OtherEvent(dialect) => {
            scene.dialect = dialect;
            return tell(Seen::OtherEvent { event, dialect, scene: &mut scene });
        }
        Choice::None(reason) => return tell(Seen::NoDialect { event, reason }),
    };
    scene.dialect = dialect;
    tell(Seen::Event { event });
    let happening = happening(event, &mut scene);
    if subjects.is_some_and(<[Raw]>::is_empty) {
        tell(Seen::Note(Note::NoSubject { event: event.name.clone() }));
    }
    let mut rows: Vec<Scene<'a>> =
        subjects.map_or(Vec::new(), |s| s.iter().map(|row| scene.of_subject(row)).collect());
    for (place, rule) in rules {
        let mut asked = 0;
        scene.steps.set(0);
        let by_subject = rule.scope == Scope::Subject && subjects.is_some();
        if by_subject && rows.is_empty() {
            tell(Seen::NoSubject { rule });
        }
        let scenes: &mut [Scene<'a>] = if by_subject { &mut rows } else { std::slice::from_mut(&mut scene) };
        for (at, scene) in scenes.iter_mut().enumerate() {
            let reason = Reason { rule: rule.name.clone(), subject: by_subject.then_some(at) };
            let outcome = judge_rule(rule, &reason, happening.as_ref(), scene, &mut asked);
            tell(Seen::Rule { place, rule, reason, outcome, scene });
        }
    }
}

impl<'a> Scene<'a> {
    /// The same message, looked at for one subject.
    fn of_subject(&self, row: &'a Raw) -> Self {
        Scene { subject: Some(row), subject_memo: Memo::default(), bound: Vec::new(), ..*self }
    }
}

enum Choice<'a> {
    Fits(&'a Dialect, Option<&'a [Raw]>),
    OtherEvent(&'a Dialect),
    None(String),
}

/// The first dialect on the topic whose condition holds and whose required paths are there.
fn choose<'a>(event: &'a Event, topic: &str, scene: &mut Scene<'a>) -> Choice<'a> {
    let mut reasons = Vec::new();
    let mut other = None;
    for dialect in event.dialects.iter().filter(|d| d.covers(topic)) {
        let condition = dialect.condition.map_or(Truth::True, |c| scene.truth(c));
        let fit = match condition {
            Truth::False => {
                other = other.or(Some(dialect));
                continue;
            }
            Truth::Open(open) => Err(open.misfits.into_iter().collect::<Vec<_>>().join("; ")),
            Truth::True => fits(dialect, scene),
        };
        match fit {
            Ok(subjects) => return Choice::Fits(dialect, subjects),
            Err(reason) => reasons.push(format!("dialect {}: {reason}", dialect.name)),
        }
    }
    match other {
        Some(dialect) if reasons.is_empty() => Choice::OtherEvent(dialect),
        _ => Choice::None(reasons.join("; ")),
    }
}

/// The subjects, if every required path is there; else what is missing.
fn fits<'a>(dialect: &'a Dialect, scene: &mut Scene<'a>) -> Result<Option<&'a [Raw]>, String> {
    let subjects = match &dialect.subjects {
        None => None,
        Some(steps) => Some(find_subjects(scene.body, steps)?),
    };
    for path in dialect.required.iter().filter_map(|p| scene.graph.paths.get(*p as usize)) {
        let check = |cell: Cell| match cell {
            Cell::Open(open) => Err(open.misfits.into_iter().collect::<Vec<_>>().join("; ")),
            _ => Ok(()),
        };
        match path.root {
            crate::graph::Root::Body | crate::graph::Root::Raw => check(scene.path(path))?,
            crate::graph::Root::Subject => {
                for row in subjects.unwrap_or_default() {
                    check(scene.of_subject(row).path(path))?;
                }
            }
        }
    }
    Ok(subjects)
}

fn find_subjects<'r>(body: &'r Raw, steps: &[String]) -> Result<&'r [Raw], String> {
    let mut at = body;
    for step in steps {
        at =
            at.member(step).ok_or_else(|| format!("`{}` is absent, a list was expected", steps.join(".")))?;
    }
    match at {
        Raw::List(items) if items.len() > limits::SUBJECTS_PER_MESSAGE => {
            Err(format!("`{}` holds more than {} subjects", steps.join("."), limits::SUBJECTS_PER_MESSAGE))
        }
        Raw::List(items) => Ok(items),
        other => Err(format!("`{}` is {}, a list was expected", steps.join("."), other.sketch())),
    }
}

/// The key under which other messages tell of the same; none if a part of it is missing.
fn happening(event: &Event, scene: &mut Scene<'_>) -> Option<Happening> {
    let declared = scene.dialect.happening.as_ref()?;
    let mut parts = Vec::new();
    for id in &declared.key {
        let Cell::Value(value) = scene.value(*id) else { return None };
        parts.push(key_part(scene.graph, &value));
    }
    Some(Happening {
        key: format!("{} {}", event.name, serde_json::Value::Array(parts)),
        within_seconds: declared.within_seconds,
    })
}

/// A value of a key; the order of a list does not matter.
fn key_part(graph: &Graph, value: &Value) -> serde_json::Value {
    match value {
        Value::List(items) => {
            let mut texts: Vec<String> = items.iter().map(Value::text).collect();
            texts.sort_unstable();
            serde_json::Value::from(texts)
        }
        value => graph.argument_text(value).unwrap_or_else(|| value.text()).into(),
    }
}

/// The keys of a rule's windows.
fn window_keys(rule: &Rule, scene: &mut Scene<'_>) -> Result<WindowKeys, Open> {
    let mut text = |key: Option<&Vec<ExprId>>| {
        let Some(key) = key else { return Ok(None) };
        let mut parts = Vec::with_capacity(key.len());
        for id in key {
            parts.push(match scene.value(*id) {
                Cell::Value(value) => key_part(scene.graph, &value),
                Cell::Open(open) => return Err(open),
                Cell::Absent | Cell::Null => serde_json::Value::Null,
            });
        }
        Ok(Some(serde_json::Value::Array(parts).to_string()))
    };
    Ok(WindowKeys {
        once: text(rule.clauses.once.as_ref().map(|w| &w.key))?,
        quiet: text(rule.clauses.quiet.as_ref().map(|w| &w.key))?,
        superseding: text(rule.clauses.superseding.as_ref())?,
    })
}

fn judge_rule(
    rule: &Rule,
    reason: &Reason,
    happening: Option<&Happening>,
    scene: &mut Scene<'_>,
    asked: &mut usize,
) -> Outcome {
    match rule.condition.map_or(Truth::True, |c| scene.truth(c)) {
        Truth::False => return Outcome::NotFired,
        Truth::Open(open) => return Outcome::Open(open),
        Truth::True => {}
    }
    let (axes, keys) = match axes(rule, scene).and_then(|axes| Ok((axes, window_keys(rule, scene)?))) {
        Ok(found) => found,
        Err(open) => return Outcome::Open(open),
    };
    let mut runs = Vec::new();
    for action in &rule.actions {
        for combination in combinations(&axes) {
            *asked = asked.saturating_add(1);
            if *asked > limits::RUNS_PER_RULE {
                let reason =
                    format!("the rule asks for more than {} runs for one message", limits::RUNS_PER_RULE);
                return Outcome::Open(Open { misfits: [reason].into(), ..Open::default() });
            }
            if rule.except.iter().any(|e| excluded(e, &combination)) {
                continue;
            }
            match arguments(action.task, &action.arguments, &combination, scene) {
                Ok((task, arguments)) => runs.push(Run {
                    task,
                    arguments,
                    asks: vec![Ask {
                        reason: reason.clone(),
                        keys: keys.clone(),
                        axes: axes_text(&combination),
                    }],
                    happening: happening.cloned(),
                }),
                Err(open) => return Outcome::Open(open),
            }
        }
    }
    Outcome::Fired(runs)
}

/// The values of each axis.
fn axes(rule: &Rule, scene: &mut Scene<'_>) -> Result<Vec<Vec<Value>>, Open> {
    let mut lists = Vec::new();
    for axis in &rule.axes {
        match scene.value(axis.list) {
            Cell::Value(Value::List(items)) => lists.push(items.to_vec()),
            Cell::Open(open) => return Err(open),
            _ => lists.push(Vec::new()),
        }
    }
    Ok(lists)
}

/// Every combination of one value an axis; without axes there is one, which is empty.
fn combinations(axes: &[Vec<Value>]) -> impl Iterator<Item = Vec<Value>> {
    let total = axes.iter().map(Vec::len).fold(1usize, usize::saturating_mul);
    (0..total).map(move |mut at| {
        let mut combination: Vec<Value> = Vec::with_capacity(axes.len());
        for axis in axes.iter().rev() {
            let Some(place) = at.checked_rem(axis.len()) else { continue };
            combination.extend(axis.get(place).cloned());
            at = at.checked_div(axis.len()).unwrap_or(0);
        }
        combination.reverse();
        combination
    })
}

/// A combination as one text; empty without axes.
fn axes_text(combination: &[Value]) -> String {
    if combination.is_empty() {
        return String::new();
    }
    serde_json::Value::from_iter(combination.iter().map(Value::text)).to_string()
}

fn excluded(except: &[Option<Value>], combination: &[Value]) -> bool {
    except.len() == combination.len()
        && except.iter().zip(combination).all(|(e, v)| e.as_ref().is_none_or(|e| e.same(v)))
}

fn arguments(
    task: u32,
    sources: &[ArgumentSource],
    combination: &[Value],
    scene: &mut Scene<'_>,
) -> Result<(String, Vec<Argument>), Open> {
    let graph = scene.graph;
    let Some(task) = graph.tasks.get(task as usize) else { return Err(Open::default()) };
    let mut arguments = Vec::with_capacity(sources.len());
    for (param, source) in task.params.iter().zip(sources) {
        let cell = match source {
            ArgumentSource::Axis(at) => {
                combination.get(*at as usize).cloned().map_or(Cell::Absent, Cell::Value)
            }
            ArgumentSource::Expr(id) => scene.value(*id),
            ArgumentSource::Default => param.default.clone().map_or(Cell::Absent, Cell::Value),
        };
        let value = match cell {
            Cell::Value(value) => value,
            Cell::Open(open) => return Err(open),
            Cell::Absent | Cell::Null => match &param.default {
                Some(default) => default.clone(),
                None => continue,
            },
        };
        let Some(text) = graph.argument_text(&value) else {
            let reason =
                format!("argument `{}` of {}: nothing of its identity is present", param.name, task.name);
            return Err(Open { misfits: [reason].into(), ..Open::default() });
        };
        arguments.push(Argument { name: param.name.clone(), text, json: graph.json(&value) });
    }
    Ok((task.name.clone(), arguments))
}
