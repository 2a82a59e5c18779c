//! Witnesses: a message, made up, on which a rule fires and another one does not, or does as well.
//!
//! Comes in: a rule of one graph, and perhaps another rule, of the same or another graph. Goes out: topic, body and facts
//! of a message for which the matcher itself says so; or nothing, when none was found. It proves nothing by its silence.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use taskbot_graph::{
    Answer, ArgumentSource, Dialect, Expr, ExprId, FactKey, Facts, Graph, Part, Presence, Quantifier, Root,
    Rule, Type, Value, judge,
};

use super::domain::Sample;
use super::formula::Formula;
use super::reading::Term;
use super::solve::{self, Model};
use super::text::Known;
use super::variable::{Problem, Source};
use super::{Enums, Verdict};

/// A message that was made up.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness {
    /// Its topic, without prefix and environment.
    pub topic: String,
    /// Its body.
    pub body: Json,
    /// What facts have to say for it.
    pub facts: BTreeMap<FactKey, Json>,
}

/// A rule of a graph, by its place.
pub type RuleOf<'g> = (&'g Graph, usize);

/// What another rule is to do on the same message.
#[derive(Clone, Copy, Debug)]
pub enum Beside<'g> {
    /// There is no other rule.
    Nothing,
    /// It asks for no run.
    Silent(RuleOf<'g>),
    /// It asks for a run as well.
    Fires(RuleOf<'g>),
}

impl<'g> Beside<'g> {
    const fn rule(self) -> Option<RuleOf<'g>> {
        match self {
            Self::Nothing => None,
            Self::Silent(rule) | Self::Fires(rule) => Some(rule),
        }
    }
}

/// Makes a message on which `fires` asks for a run, and another rule does what it is to do. The matcher has confirmed both.
pub fn witness(fires: RuleOf<'_>, beside: Beside<'_>) -> Option<Witness> {
    let (graph, place) = fires;
    let rule = graph.rules.get(place)?;
    let event = graph.events.get(rule.event as usize)?;
    let texts = Known::default();
    event.dialects.iter().find_map(|dialect| {
        let mut making = Making::new(graph, dialect, beside.rule().map(|(graph, _)| graph), &texts);
        let model = making.model(rule, beside)?;
        making.assign(&model);
        making.provide(rule);
        dialect.topics.iter().find_map(|topic| making.finish(&exact(topic), fires, beside))
    })
}

/// A topic that a pattern covers.
fn exact(topic: &str) -> String {
    topic
        .split('.')
        .map(|word| if matches!(word, "*" | "#") { "any" } else { word })
        .collect::<Vec<_>>()
        .join(".")
}

/// A message while it is made.
struct Making<'g> {
    graph: &'g Graph,
    dialect: &'g Dialect,
    problem: Problem<'g>,
    body: Json,
    facts: BTreeMap<String, Sample>,
    /// Parts of builds, until they are put together.
    parts: BTreeMap<String, (Source, Parts)>,
}

#[derive(Clone, Debug, Default)]
struct Parts {
    name: Option<String>,
    version: Option<String>,
    release: Option<String>,
}

impl<'g> Making<'g> {
    fn new(graph: &'g Graph, dialect: &'g Dialect, other: Option<&'g Graph>, texts: &'g Known) -> Self {
        let graphs = [graph].into_iter().chain(other).collect();
        let problem = Problem::new(graphs, Enums::Listed, texts);
        Self { graph, dialect, problem, body: Json::Null, facts: BTreeMap::new(), parts: BTreeMap::new() }
    }

    fn model(&mut self, rule: &Rule, beside: Beside<'g>) -> Option<Model> {
        let dialect = self.dialect;
        let conditions = dialect.condition.into_iter().chain(rule.condition);
        let mut wanted: Vec<Formula> =
            conditions.map(|id| self.problem.formula(0, dialect, id, true)).collect();
        if let Some((graph, place)) = beside.rule()
            && let Some(other) = graph.rules.get(place)
            && let Some(event) = graph.events.get(other.event as usize)
            && let Some(same) = event.dialects.iter().find(|d| d.name == dialect.name)
        {
            let holds = matches!(beside, Beside::Fires(_));
            let conditions = same.condition.into_iter().chain(other.condition);
            let parts = conditions.map(|id| self.problem.formula(1, same, id, holds)).collect();
            wanted.push(if holds { Formula::all(parts) } else { Formula::any(parts) });
        }
        match solve::solve(&self.problem, Formula::all(wanted)) {
            Verdict::Possible(model) => Some(model),
            _ => None,
        }
    }

    /// Puts the model's samples into the body.
    fn assign(&mut self, model: &Model) {
        for (variable, sample) in model {
            let Some(source) = self.problem.variables.get(*variable).map(|v| v.source.clone()) else {
                continue;
            };
            match (&source, sample) {
                (Source::Fact(name, _), sample) => drop(self.facts.insert(name.clone(), sample.clone())),
                (Source::Whole { graph, expr }, Sample::Value(value)) => self.elements(*graph, *expr, value),
                (_, Sample::Value(value)) => self.put(&source, value),
                (_, Sample::Null) => self.put_json(&source, Json::Null),
                (_, Sample::Something) => {
                    let ty = self.problem.variables.get(*variable).map(|v| v.ty.clone());
                    let value = ty.map(|ty| self.usual(&ty));
                    if let Some(value) = value
                        && !self.is_put(&source)
                    {
                        self.put_json(&source, value);
                    }
                }
                (_, Sample::Absent) => {}
            }
        }
        for (of, parts) in std::mem::take(&mut self.parts).into_values() {
            let part = |text: Option<String>, usual: &str| text.unwrap_or_else(|| usual.to_owned());
            let (name, version) = (part(parts.name, "example"), part(parts.version, "1.0"));
            let text = format!("{name}-{version}-{}", part(parts.release, "1.fc40"));
            self.put_json(&of, text.into());
        }
    }

    fn put(&mut self, source: &Source, value: &Value) {
        if let Source::Part(of, part) = source {
            let (_, parts) =
                self.parts.entry(format!("{of:?}")).or_insert_with(|| ((**of).clone(), Parts::default()));
            match (part, value) {
                (Part::Name, value) => parts.name = Some(value.text()),
                (Part::Version, value) => parts.version = Some(value.text()),
                (Part::Release, value) => parts.release = Some(value.text()),
                (Part::Evr, Value::Evr(evr)) => {
                    parts.version = Some(evr.version.clone());
                    parts.release = evr.release.clone().or_else(|| parts.release.clone());
                }
                (Part::Evr, _) => {}
            }
            return;
        }
        let json = self.graph.json(value);
        self.put_json(source, json);
    }

    fn put_json(&mut self, source: &Source, value: Json) {
        if let Some((root, steps, lists)) = place_of(source) {
            let row = self.root(root);
            set(row, &steps, 0, &lists, value);
        }
    }

    fn is_put(&mut self, source: &Source) -> bool {
        let Some((root, steps, _)) = place_of(source) else { return true };
        let row = self.root(root);
        steps.iter().try_fold(&*row, |at, step| at.get(step)).is_some()
    }

    /// Where paths of a root begin: the body, or the one subject.
    fn root(&mut self, root: Root) -> &mut Json {
        let mut at = &mut self.body;
        if let (Root::Subject, Some(steps)) = (root, &self.dialect.subjects) {
            for step in steps {
                at = member(at, step);
            }
            at = element(at, 0);
        }
        at
    }

    /// Elements of a list for which a quantifier has the wanted truth.
    fn elements(&mut self, graph: usize, id: ExprId, value: &Value) {
        let Some(found) = self.problem.graphs.get(graph).copied() else { return };
        let (list, condition, holds, count) = match (found.exprs.get(id as usize), value) {
            (Some(Expr::Quantified(quantifier, list, condition)), Value::Bool(truth)) => {
                match (quantifier, truth) {
                    (Quantifier::Any, true) | (Quantifier::None, false) => (*list, Some(*condition), true, 1),
                    (Quantifier::All, false) => (*list, Some(*condition), false, 1),
                    _ => return,
                }
            }
            (Some(Expr::Count(list, condition)), Value::Int(n)) => (*list, *condition, true, *n),
            _ => return,
        };
        let Term::Variable(variable) = self.problem.term(graph, self.dialect, list) else { return };
        let Some(variable) = self.problem.variables.get(variable).cloned() else { return };
        let (Type::List(item), Some((root, steps, lists))) = (&variable.ty, place_of(&variable.source))
        else {
            return;
        };
        let mut one = self.usual(item);
        if let Some(condition) = condition {
            let mut inner = Problem::new(self.problem.graphs.clone(), Enums::Listed, self.problem.texts);
            let formula = inner.of_element(graph, self.dialect, item, condition, holds);
            let Verdict::Possible(model) = solve::solve(&inner, formula) else { return };
            for (at, sample) in &model {
                let (Some(part), Sample::Value(value)) = (inner.variables.get(*at), sample) else { continue };
                element_part(&mut one, &part.source, self.graph.json(value));
            }
        }
        let elements = (0..count.clamp(0, 100)).map(|_| one.clone()).collect();
        set(self.root(root), &steps, 0, &lists, Json::Array(elements));
    }

    /// What the rule needs beside its condition: axes with a value, arguments with an identity.
    fn provide(&mut self, rule: &Rule) {
        for axis in &rule.axes {
            if let Term::Variable(at) = self.problem.term(0, self.dialect, axis.list)
                && let Some(variable) = self.problem.variables.get(at).cloned()
                && !self.is_put(&variable.source)
                && let Type::List(item) = &variable.ty
            {
                let one = self.usual(item);
                self.put_json(&variable.source, Json::Array(vec![one]));
            }
        }
        let arguments = rule.actions.iter().flat_map(|a| &a.arguments);
        for source in arguments {
            if let ArgumentSource::Expr(id) = source {
                self.identify(*id);
            }
        }
    }

    fn identify(&mut self, id: ExprId) {
        match self.graph.exprs.get(id as usize) {
            Some(Expr::EventValue(at)) => {
                if let Some(Some(definition)) = self.dialect.values.get(*at as usize) {
                    self.identify(*definition);
                }
            }
            Some(Expr::MakeRecord(record, fields)) => {
                let identity = self.graph.records.get(*record as usize).map_or(&[][..], |r| &r.identity);
                let given = identity.iter().find_map(|at| fields.get(*at as usize).copied().flatten());
                if let Some(field) = given
                    && let Term::Variable(at) = self.problem.term(0, self.dialect, field)
                    && let Some(variable) = self.problem.variables.get(at).cloned()
                    && !self.is_put(&variable.source)
                {
                    let value = self.usual(&variable.ty);
                    self.put_json(&variable.source, value);
                }
            }
            _ => {}
        }
    }

    /// Fills what the dialect requires, and lets the matcher judge.
    fn finish(&mut self, topic: &str, fires: RuleOf<'_>, beside: Beside<'_>) -> Option<Witness> {
        // The row of the subject is there even if nothing of it is read.
        if self.dialect.subjects.is_some() {
            let row = self.root(Root::Subject);
            if row.is_null() && self.dialect.required.iter().all(|p| !self.of_subject(*p)) {
                *self.root(Root::Subject) = Json::Object(Map::new());
            }
        }
        for path in self.dialect.required.iter().filter_map(|p| self.graph.paths.get(*p as usize)) {
            let usual = self.usual(&path.ty);
            fill(self.root(path.root), &path.steps, 0, &path.lists, &usual);
        }
        if self.body.is_null() {
            self.body = Json::Object(Map::new());
        }
        let answers = Answers { graph: self.graph, samples: &self.facts, asked: RefCell::default() };
        let bytes = serde_json::to_vec(&self.body).ok()?;
        let asks = |(graph, place): RuleOf<'_>| {
            let name = graph.rules.get(place).map(|r| r.name.as_str());
            let judgement = judge(graph, topic, &bytes, &answers);
            judgement.runs.iter().flat_map(|r| &r.asks).any(|ask| Some(ask.reason.rule.as_str()) == name)
        };
        let other = match beside {
            Beside::Nothing => true,
            Beside::Silent(rule) => !asks(rule),
            Beside::Fires(rule) => asks(rule),
        };
        if !asks(fires) || !other {
            return None;
        }
        let facts = answers.asked.into_inner();
        Some(Witness { topic: topic.to_owned(), body: self.body.clone(), facts })
    }

    fn of_subject(&self, path: u32) -> bool {
        self.graph.paths.get(path as usize).is_some_and(|p| p.root == Root::Subject)
    }

    fn usual(&self, ty: &Type) -> Json {
        usual(self.graph, ty)
    }
}

/// A value of a type that looks like one.
fn usual(graph: &Graph, ty: &Type) -> Json {
    match ty {
        Type::Bool => true.into(),
        Type::Int | Type::Duration => 1.into(),
        Type::Float => 1.5.into(),
        Type::String | Type::Anything => "example".into(),
        Type::Evr => "1.0-1".into(),
        Type::Nvr => "example-1.0-1.fc40".into(),
        Type::Time => "2024-01-01T00:00:00Z".into(),
        Type::Enum(id) => {
            graph.enums.get(*id as usize).and_then(|e| e.values.first()).cloned().unwrap_or_default().into()
        }
        Type::List(_) => Json::Array(Vec::new()),
        Type::Record(id) => {
            let record = graph.records.get(*id as usize);
            let identity = record.and_then(|r| r.identity.first().copied());
            let fields = record.into_iter().flat_map(|r| r.fields.iter().zip(0..));
            let kept = fields.filter(|(f, at)| f.presence == Presence::Required || Some(*at) == identity);
            Json::Object(kept.map(|(f, _)| (f.name.clone(), usual(graph, &f.ty))).collect())
        }
    }
}

/// Root, steps and lists of what can be put into a body.
fn place_of(source: &Source) -> Option<(Root, Vec<String>, Vec<u32>)> {
    match source {
        Source::Path { root, steps, lists, .. } => Some((*root, steps.clone(), lists.clone())),
        Source::Field(of, name) => {
            let (root, mut steps, lists) = place_of(of)?;
            steps.push(name.clone());
            Some((root, steps, lists))
        }
        _ => None,
    }
}

/// Puts a value at a part of an element that a quantifier looks at.
fn element_part(element: &mut Json, source: &Source, value: Json) {
    match source {
        Source::Bound(0) => *element = value,
        Source::Field(of, name) if **of == Source::Bound(0) => *member(element, name) = value,
        Source::Part(of, Part::Name) if **of == Source::Bound(0) => {
            *element = format!("{}-1.0-1.fc40", value.as_str().unwrap_or("example")).into();
        }
        _ => {}
    }
}

fn member<'j>(at: &'j mut Json, name: &str) -> &'j mut Json {
    if !at.is_object() {
        *at = Json::Object(Map::new());
    }
    &mut at[name]
}

fn element(at: &mut Json, place: usize) -> &mut Json {
    if !at.is_array() {
        *at = Json::Array(Vec::new());
    }
    if let Json::Array(items) = at
        && items.len() <= place
    {
        items.resize(place.saturating_add(1), Json::Null);
    }
    &mut at[place]
}

/// Sets a value; one that was read through a list is a list, an element for each of it.
fn set(at: &mut Json, steps: &[String], step: usize, lists: &[u32], value: Json) {
    match (lists.split_first(), steps.get(step)) {
        (Some((here, [])), _) if *here as usize == step => {
            let items = if let Json::Array(items) = value { items } else { vec![value] };
            if items.is_empty() && !at.is_array() {
                *at = Json::Array(Vec::new());
            }
            for (place, item) in items.into_iter().enumerate() {
                set(element(at, place), steps, step, &[], item);
            }
        }
        (Some((here, rest)), _) if *here as usize == step => set(element(at, 0), steps, step, rest, value),
        (_, Some(name)) => set(member(at, name), steps, step.saturating_add(1), lists, value),
        (_, None) => *at = value,
    }
}

/// Sets what is not set yet.
fn fill(at: &mut Json, steps: &[String], step: usize, lists: &[u32], usual: &Json) {
    match (lists.split_first(), steps.get(step)) {
        (Some((here, rest)), _) if *here as usize == step => {
            if !at.is_array() {
                *at = Json::Array(Vec::new());
            }
            for item in at.as_array_mut().into_iter().flatten() {
                fill(item, steps, step, rest, usual);
            }
        }
        (_, Some(name)) => fill(member(at, name), steps, step.saturating_add(1), lists, usual),
        (_, None) if at.is_null() => *at = usual.clone(),
        _ => {}
    }
}

/// Facts as the model wants them; what it says nothing of has a usual value.
struct Answers<'a> {
    graph: &'a Graph,
    samples: &'a BTreeMap<String, Sample>,
    asked: RefCell<BTreeMap<FactKey, Json>>,
}

impl Facts for Answers<'_> {
    fn answer(&self, key: &FactKey) -> Answer {
        let value = match self.samples.get(&key.fact) {
            Some(Sample::Absent | Sample::Null) => return Answer::NoSuchKey,
            Some(Sample::Value(value)) => value.clone(),
            Some(Sample::Something) | None => {
                let declared = self.graph.facts.iter().find(|f| f.name == key.fact);
                let json = match declared.map(|f| &f.ty) {
                    Some(Type::List(item)) => Json::Array(vec![usual(self.graph, item)]),
                    Some(ty) => usual(self.graph, ty),
                    None => return Answer::NotAsked,
                };
                match self.graph.read_fact(&key.fact, &json) {
                    Ok(value) => value,
                    Err(_) => return Answer::NotAsked,
                }
            }
        };
        self.asked.borrow_mut().insert(key.clone(), self.graph.json(&value));
        Answer::Known(value)
    }
}
