//! A message that shows a change which the archive does not exercise.
//!
//! Comes in: a rule of two rule sets, and messages of its event. Goes out: a message on which the two differ, if one is found. The
//! compiler makes it from the conditions; where it cannot, or where the difference is not in the conditions, one of the archive's is
//! taken, with a constant of the two rules in the place of a value that they read, and facts set in the same way. Both rule sets judge
//! it before it is shown, so a witness is never wrong; that none is found proves nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value as Json;
use taskbot_compiler::{Beside, RuleOf, witness};
use taskbot_graph::{
    Answer, Expr, ExprId, FactKey, Facts, Graph, Judgement, Nvr, Path, Root, Rule, Type, Value, judge,
};

use super::definition::roots;

/// Messages judged before the search is given up.
const TRIES: usize = 2_000;

/// A message of the archive.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its id.
    pub id: String,
    /// Without prefix and environment.
    pub topic: String,
    /// Its body.
    pub body: Vec<u8>,
}

/// A message on which two rule sets differ.
#[derive(Clone, Debug, Serialize)]
pub struct Witness {
    /// Without prefix and environment.
    pub topic: String,
    /// Its body.
    pub body: Json,
    /// Facts as they have to be.
    pub facts: Vec<SetFact>,
    /// The message of the archive that it was made from; none: it is made from the conditions alone.
    pub made_from: Option<String>,
    /// What was put where in that message.
    pub changed: Option<String>,
    /// What the old rule asks for.
    pub old_runs: Vec<String>,
    /// What the new rule asks for.
    pub new_runs: Vec<String>,
}

/// A fact with its value.
#[derive(Clone, Debug, Serialize)]
pub struct SetFact {
    /// Which fact, about what.
    #[serde(flatten)]
    pub key: FactKey,
    /// Its value.
    pub value: Json,
}

/// A fact answers the same for each key; which keys were asked is remembered.
struct AllFacts<'g> {
    graph: &'g Graph,
    values: &'g BTreeMap<String, Json>,
    asked: &'g RefCell<BTreeSet<FactKey>>,
}

impl Facts for AllFacts<'_> {
    fn answer(&self, key: &FactKey) -> Answer {
        let value = self.values.get(&key.fact).and_then(|json| self.graph.read_fact(&key.fact, json).ok());
        self.asked.borrow_mut().insert(key.clone());
        value.map_or(Answer::NotAsked, Answer::Known)
    }
}

/// What a rule's conditions compare with, and what they read.
#[derive(Default)]
struct Material {
    texts: BTreeSet<String>,
    numbers: BTreeSet<i64>,
    /// Places of the body with their types.
    paths: Vec<(Vec<String>, Type)>,
    /// Facts by name, with their types, and the values of those that are an enum or hold one.
    facts: BTreeMap<String, (Type, Vec<String>)>,
}

/// The other rule set's rule, if it has one, is to ask for nothing.
fn silent(rule: Option<RuleOf<'_>>) -> Beside<'_> {
    rule.map_or(Beside::Nothing, Beside::Silent)
}

/// Messages on which two rule sets differ for a rule, one for each direction: made from their conditions, else one made from a
/// message of the archive.
pub fn find(old: &Graph, new: &Graph, rule: &str, samples: &[Sample]) -> Vec<Witness> {
    let of = |graph: &Graph| graph.rules.iter().position(|r| r.name == rule);
    let (before, after) = (of(old).map(|at| (old, at)), of(new).map(|at| (new, at)));
    let newly = after.and_then(|after| witness(after, silent(before)));
    let no_longer = before.and_then(|before| witness(before, silent(after)));
    let made = newly.into_iter().chain(no_longer).filter_map(|made| judged(made, old, new, rule));
    let mut found: Vec<Witness> = made.collect();
    if found.is_empty() {
        found.extend(search(old, new, rule, samples));
    }
    found
}

/// A message that the compiler made, judged by both.
fn judged(made: taskbot_compiler::Witness, old: &Graph, new: &Graph, rule: &str) -> Option<Witness> {
    let bytes = serde_json::to_vec(&made.body).ok()?;
    let runs = |graph: &Graph| -> Vec<String> {
        let known = made.facts.iter().filter_map(|(key, json)| {
            Some((key.clone(), Answer::Known(graph.read_fact(&key.fact, json).ok()?)))
        });
        let known: BTreeMap<FactKey, Answer> = known.collect();
        runs_of(&judge(graph, &made.topic, &bytes, &known), rule)
    };
    let (old_runs, new_runs) = (runs(old), runs(new));
    if old_runs == new_runs {
        return None;
    }
    let facts = made.facts.into_iter().map(|(key, value)| SetFact { key, value }).collect();
    let (topic, body) = (made.topic, made.body);
    Some(Witness { topic, body, facts, made_from: None, changed: None, old_runs, new_runs })
}

/// The runs that a rule asks for.
fn runs_of(judgement: &Judgement, rule: &str) -> Vec<String> {
    let asks = |run: &&taskbot_graph::Run| run.asks.iter().any(|ask| ask.reason.rule == rule);
    judgement.runs.iter().filter(asks).map(taskbot_graph::Run::key).collect()
}

/// Looks through messages of the archive with one value changed.
fn search(old: &Graph, new: &Graph, rule: &str, samples: &[Sample]) -> Option<Witness> {
    let mut material = Material::default();
    for graph in [old, new] {
        graph.rules.iter().filter(|r| r.name == rule).for_each(|rule| material.gather(graph, rule));
    }
    let mut tries = 0usize;
    for sample in samples {
        let Ok(body) = serde_json::from_slice::<Json>(&sample.body) else { continue };
        for (changed, body) in material.bodies(&body) {
            for facts in material.fact_sets() {
                tries = tries.saturating_add(1);
                if tries > TRIES {
                    return None;
                }
                if let Some(difference) = differ(old, new, rule, &sample.topic, &body, &facts) {
                    let (topic, made_from) = (sample.topic.clone(), Some(sample.id.clone()));
                    let changed = Some(changed);
                    let Difference { old_runs, new_runs, facts } = difference;
                    return Some(Witness { topic, body, facts, made_from, changed, old_runs, new_runs });
                }
            }
        }
    }
    None
}

/// What two rule sets ask for, and the facts by which they do.
struct Difference {
    old_runs: Vec<String>,
    new_runs: Vec<String>,
    facts: Vec<SetFact>,
}

/// What both ask for, if that differs and nothing is left open.
fn differ(
    old: &Graph,
    new: &Graph,
    rule: &str,
    topic: &str,
    body: &Json,
    values: &BTreeMap<String, Json>,
) -> Option<Difference> {
    let bytes = serde_json::to_vec(body).ok()?;
    let keys = RefCell::default();
    let asked = |graph: &Graph| -> Option<Vec<String>> {
        let judgement = judge(graph, topic, &bytes, &AllFacts { graph, values, asked: &keys });
        let open = judgement.parked.iter().any(|p| p.reason.rule == rule) || !judgement.refused.is_empty();
        (!open).then(|| runs_of(&judgement, rule))
    };
    let (old_runs, new_runs) = (asked(old)?, asked(new)?);
    if old_runs == new_runs {
        return None;
    }
    let set = |key: FactKey| Some(SetFact { value: values.get(&key.fact)?.clone(), key });
    Some(Difference { old_runs, new_runs, facts: keys.into_inner().into_iter().filter_map(set).collect() })
}

impl Material {
    fn gather(&mut self, graph: &Graph, rule: &Rule) {
        let Some(event) = graph.events.get(rule.event as usize) else { return };
        for dialect in &event.dialects {
            let mut open: Vec<ExprId> = roots(rule).collect();
            while let Some(expr) = open.pop().and_then(|id| graph.exprs.get(id as usize)) {
                match expr {
                    Expr::EventValue(at) => open.extend(dialect.values.get(*at as usize).copied().flatten()),
                    Expr::Path(path) => {
                        let path = graph.paths.get(*path as usize);
                        self.paths.extend(path.map(|path| place(path, dialect.subjects.as_deref())));
                    }
                    Expr::Fact(at, _) => {
                        let fact = graph.facts.get(*at as usize);
                        let known = fact.map(|f| (f.name.clone(), (f.ty.clone(), listed(graph, &f.ty))));
                        self.facts.extend(known);
                    }
                    Expr::Const(value) => self.constant(value),
                    Expr::In(_, values) => values.iter().for_each(|value| self.constant(value)),
                    // What the glob takes at least, and more than that.
                    Expr::Like(_, pattern) => {
                        self.texts.extend(["", "x"].map(|any| pattern.replace('*', any).replace('?', "x")));
                    }
                    _ => {}
                }
                expr.operands(&mut |operand| open.push(operand));
            }
        }
        self.paths.sort_by(|a, b| a.0.cmp(&b.0));
        self.paths.dedup();
    }

    fn constant(&mut self, value: &Value) {
        match value {
            Value::Text(text) => drop(self.texts.insert(text.to_string())),
            Value::Int(number) => {
                self.numbers.extend([number.saturating_sub(1), *number, number.saturating_add(1)])
            }
            Value::List(items) => items.iter().for_each(|item| self.constant(item)),
            _ => {}
        }
    }

    /// The body as it is, then with one constant in one place.
    fn bodies(&self, body: &Json) -> Vec<(String, Json)> {
        let mut bodies = vec![("nothing but facts".to_owned(), body.clone())];
        for (steps, ty) in &self.paths {
            for value in self.values(body, steps, ty) {
                let mut changed = body.clone();
                if let Some(place) = find_place(&mut changed, steps) {
                    let text = format!("`{}` is {value}", steps.join("."));
                    *place = value;
                    bodies.push((text, changed));
                }
            }
        }
        bodies
    }

    /// Values of a type, made of the constants.
    fn values(&self, body: &Json, steps: &[String], ty: &Type) -> Vec<Json> {
        match ty {
            Type::String | Type::Enum(_) => self.texts.iter().map(|text| text.as_str().into()).collect(),
            Type::Int => self.numbers.iter().map(|number| (*number).into()).collect(),
            Type::Bool => vec![true.into(), false.into()],
            Type::Nvr => {
                let mut copy = body.clone();
                let there = find_place(&mut copy, steps).and_then(|json| Nvr::parse(json.as_str()?));
                let names = self.texts.iter().filter(|text| !text.is_empty());
                let build = |nvr: &Nvr, name: &str| format!("{name}-{}-{}", nvr.version, nvr.release).into();
                there.map_or(Vec::new(), |nvr| names.map(|name| build(&nvr, name)).collect())
            }
            _ => Vec::new(),
        }
    }

    /// Every fact with one of the constants; with none if no fact is read.
    fn fact_sets(&self) -> Vec<BTreeMap<String, Json>> {
        if self.facts.is_empty() {
            return vec![BTreeMap::new()];
        }
        let candidates = |listed: &[String]| -> Vec<String> {
            let named = self.texts.iter().filter(|text| listed.is_empty() || listed.contains(text));
            named.chain(listed.first()).cloned().collect()
        };
        let answers = self.facts.iter().map(|(fact, (ty, listed))| {
            let values = candidates(listed).into_iter().map(|text| match ty {
                Type::List(_) => Json::from(vec![text]),
                _ => Json::from(text),
            });
            (fact, Vec::from_iter(values))
        });
        let answers: Vec<(&String, Vec<Json>)> = answers.collect();
        let most = answers.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        let nth = |at: usize| {
            let some =
                answers.iter().filter_map(|(fact, values)| Some((fact, values.get(at).or(values.last())?)));
            some.map(|(fact, value)| ((*fact).clone(), value.clone())).collect()
        };
        (0..most).map(nth).collect()
    }
}

/// The values of an enum, or of a list of one.
fn listed(graph: &Graph, ty: &Type) -> Vec<String> {
    match ty {
        Type::Enum(id) => graph.enums.get(*id as usize).map_or(Vec::new(), |e| e.values.clone()),
        Type::List(item) => listed(graph, item),
        _ => Vec::new(),
    }
}

/// Where a path leads from the body's root, through the first element of each list.
fn place(path: &Path, subjects: Option<&[String]>) -> (Vec<String>, Type) {
    let mut steps: Vec<String> = Vec::new();
    if path.root == Root::Subject {
        steps.extend(subjects.unwrap_or_default().iter().cloned());
    }
    steps.extend(path.steps.iter().cloned());
    let ty = match &path.ty {
        Type::List(item) if !path.lists.is_empty() => (**item).clone(),
        ty => ty.clone(),
    };
    (steps, ty)
}

fn find_place<'j>(json: &'j mut Json, steps: &[String]) -> Option<&'j mut Json> {
    if let Json::Array(items) = json {
        return find_place(items.first_mut()?, steps);
    }
    match steps.split_first() {
        None => Some(json),
        Some((first, rest)) => find_place(json.get_mut(first)?, rest),
    }
}
