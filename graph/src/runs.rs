//! What a rule asks for once its condition holds: runs with their arguments, and the keys of its windows.
//!
//! Comes in: a rule, the scene in which it was judged. Goes out: its outcome: runs, or why they are not known yet. Only rules
//! that fire get here, so the rest of a rule (matrix, tasks, clauses) is decoded here and nowhere else.

use std::collections::HashMap;

use crate::graph::{ArgumentSource, Event, ExprId};
use crate::judgement::{Argument, Ask, Happening, Reason, Run, WindowKeys};
use crate::limits;
use crate::matcher::Details;
use crate::open::{Open, Reasons};
use crate::scene::{Cell, Scene, Truth};
use crate::value::Value;

/// What came of a rule.
pub(crate) enum Outcome {
    Fired(Vec<Run>),
    NotFired,
    Open(Reasons),
}

/// What the rules of one event have in common while they ask for runs.
#[derive(Default)]
pub(crate) struct Asking {
    /// The event's happening, once one rule needed it.
    happening: Option<Option<Happening>>,
    /// How many runs each rule has asked for.
    asked: HashMap<u32, usize>,
}

impl Asking {
    /// Forgets the last event.
    pub(crate) fn next_event(&mut self) {
        self.happening = None;
        self.asked.clear();
    }

    /// What comes of a rule whose condition was judged.
    pub(crate) fn outcome<'m>(
        &mut self,
        place: u32,
        subject: Option<usize>,
        truth: Truth<'m>,
        event: &Event,
        scene: &mut Scene<'m>,
    ) -> Outcome {
        match truth {
            Truth::False => return Outcome::NotFired,
            Truth::Open(open) => return Outcome::Open(reasons(open, scene)),
            Truth::True => {}
        }
        let Some(rule) = scene.tables.rule(place) else { return Outcome::NotFired };
        let details = scene.matcher.details(&rule);
        let reason = Reason { rule: scene.tables.text(rule.name).to_owned(), subject };
        let happening = self.happening.get_or_insert_with(|| happening(event, scene)).clone();
        let asked = self.asked.entry(place).or_default();
        match runs(&details, &reason, happening.as_ref(), scene, asked) {
            Ok(runs) => Outcome::Fired(runs),
            Err(reasons) => Outcome::Open(reasons),
        }
    }
}

/// Why something is open. The list may be as long as the message, and there may be one for each subject: it counts as steps.
fn reasons<'m>(open: &'m Open<'m>, scene: &mut Scene<'m>) -> Reasons {
    let open = scene.spend(1).err().unwrap_or(open);
    let (reasons, looked_at) = Reasons::counted(open, scene.matcher);
    // Whoever asks next finds that there are too many.
    let _ = scene.spend(looked_at);
    reasons
}

fn misfit(reason: String) -> Reasons {
    Reasons { misfits: [reason].into(), ..Reasons::default() }
}

fn runs(
    rule: &Details,
    reason: &Reason,
    happening: Option<&Happening>,
    scene: &mut Scene<'_>,
    asked: &mut usize,
) -> Result<Vec<Run>, Reasons> {
    let axes = axes(rule, scene)?;
    let keys = window_keys(rule, scene)?;
    let mut runs = Vec::new();
    for action in &rule.actions {
        for combination in combinations(&axes) {
            *asked = asked.saturating_add(1);
            if *asked > limits::RUNS_PER_RULE {
                let limit = limits::RUNS_PER_RULE;
                return Err(misfit(format!("the rule asks for more than {limit} runs for one message")));
            }
            if rule.except.iter().any(|e| excluded(e, &combination)) {
                continue;
            }
            let (task, arguments) = arguments(action.task, &action.arguments, &combination, scene)?;
            let ask = Ask { reason: reason.clone(), keys: keys.clone(), axes: axes_text(&combination) };
            runs.push(Run { task, arguments, asks: vec![ask], happening: happening.cloned() });
        }
    }
    Ok(runs)
}

/// A value of an expression, owned; none: absent or null. A copy of a list for each subject counts as steps.
fn owned(scene: &mut Scene<'_>, id: ExprId) -> Result<Option<Value>, Reasons> {
    match scene.value(id) {
        Cell::Value(value) => match scene.spend(value.size()) {
            Ok(()) => Ok(Some(value.to_value())),
            Err(too_many) => Err(Reasons::of(too_many, scene.matcher)),
        },
        Cell::Open(open) => Err(reasons(open, scene)),
        Cell::Absent | Cell::Null => Ok(None),
    }
}

/// The key under which other messages tell of the same; none if a part of it is missing.
fn happening(event: &Event, scene: &mut Scene<'_>) -> Option<Happening> {
    let declared = scene.dialect.happening.as_ref()?;
    let mut parts = Vec::new();
    for id in &declared.key {
        let value = owned(scene, *id).ok()??;
        parts.push(key_part(scene, &value));
    }
    Some(Happening {
        key: format!("{} {}", event.name, serde_json::Value::Array(parts)),
        within_seconds: declared.within_seconds,
    })
}

/// A value of a key; the order of a list does not matter.
fn key_part(scene: &Scene<'_>, value: &Value) -> serde_json::Value {
    match value {
        Value::List(items) => {
            let mut texts: Vec<String> = items.iter().map(Value::text).collect();
            texts.sort_unstable();
            serde_json::Value::from(texts)
        }
        value => scene.matcher.declared.shapes().argument_text(value).unwrap_or_else(|| value.text()).into(),
    }
}

/// The keys of a rule's windows.
fn window_keys(rule: &Details, scene: &mut Scene<'_>) -> Result<WindowKeys, Reasons> {
    let mut text = |key: Option<&Vec<ExprId>>| {
        let Some(key) = key else { return Ok(None) };
        let mut parts = Vec::with_capacity(key.len());
        for id in key {
            let value = owned(scene, *id)?;
            parts.push(value.map_or(serde_json::Value::Null, |value| key_part(scene, &value)));
        }
        Ok(Some(serde_json::Value::Array(parts).to_string()))
    };
    Ok(WindowKeys {
        once: text(rule.clauses.once.as_ref().map(|w| &w.key))?,
        quiet: text(rule.clauses.quiet.as_ref().map(|w| &w.key))?,
        superseding: text(rule.clauses.superseding.as_ref())?,
    })
}

/// The values of each axis.
fn axes(rule: &Details, scene: &mut Scene<'_>) -> Result<Vec<Vec<Value>>, Reasons> {
    let mut lists = Vec::new();
    for axis in &rule.axes {
        lists.push(match owned(scene, axis.list)? {
            Some(Value::List(items)) => items.to_vec(),
            _ => Vec::new(),
        });
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
) -> Result<(String, Vec<Argument>), Reasons> {
    let matcher = scene.matcher;
    let shapes = matcher.declared.shapes();
    let Some(task) = matcher.declared.tasks.get(task as usize) else { return Err(Reasons::default()) };
    let mut arguments = Vec::with_capacity(sources.len());
    for (param, source) in task.params.iter().zip(sources) {
        let value = match source {
            ArgumentSource::Axis(at) => combination.get(*at as usize).cloned(),
            ArgumentSource::Expr(id) => owned(scene, *id)?,
            ArgumentSource::Default => None,
        };
        let Some(value) = value.or_else(|| param.default.clone()) else { continue };
        let Some(text) = shapes.argument_text(&value) else {
            let name = &param.name;
            let task = &task.name;
            return Err(misfit(format!("argument `{name}` of {task}: nothing of its identity is present")));
        };
        arguments.push(Argument { name: param.name.clone(), text, json: shapes.json(&value) });
    }
    Ok((task.name.clone(), arguments))
}
