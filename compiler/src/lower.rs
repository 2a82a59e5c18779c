//! The typed program to the decision graph.
//!
//! Comes in: a typed program without errors. Goes out: the graph, holding what its rules need and nothing else. Equal
//! expressions become one, however many rules write them; parts of `and` and `or` that need facts come last. The same
//! program always gives the same graph.

mod again;
mod heads;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use taskbot_graph::{
    Action, ArgumentSource, Axis, Clauses, Conjunct, Dialect, Event, EventValue, Expr, ExprId, Graph,
    HappeningDef, Once, Path, PathId, Place, Quiet, Rule, RuleSource, Scope, TopicPlan, Value, topic_matches,
};

use again::Numbering;
use heads::Heads;
pub(crate) use heads::Shared;

use crate::typed::{
    Program, TypedArgument, TypedClauses, TypedDialect, TypedEvent, TypedExpr, TypedKind, TypedRule,
};

/// The parts of a rule's condition that are conditions themselves, outermost first, with their places.
pub(crate) type Parts = Vec<(Place, ExprId)>;

/// Expressions that most rules have for themselves.
const EXPRS_A_RULE: usize = 4;

/// A lowered program, and what it takes to lower it again.
#[derive(Debug, Default)]
pub(crate) struct Lowered {
    pub(crate) graph: Graph,
    /// For each rule of the graph the parts of its condition.
    pub(crate) parts: Vec<Parts>,
    heads: Heads,
    /// Places in the graph of the facts that some rule reads.
    facts: BTreeMap<usize, u32>,
    /// Places of expressions by their content.
    exprs: HashTable<ExprId>,
    hashes: DefaultHashBuilder,
    paths: HashMap<Path, PathId>,
    /// Expressions that are a value of an event, by its place among the values.
    event_values: Vec<Option<ExprId>>,
    made_by_events: Made,
    /// For each rule what there was behind it.
    made: Vec<Made>,
}

/// Numbers of what the graph holds.
#[derive(Clone, Copy, Debug, Default)]
struct Made {
    exprs: ExprId,
    paths: usize,
    facts: usize,
}

/// Lowers a program.
pub(crate) fn lower(program: &Program, shared: &Shared) -> Lowered {
    let mut lowering = Lowering { program, state: Lowered::default(), numbering: None, asks: true };
    let heads = Heads::new(program, shared);
    let graph = &mut lowering.state.graph;
    graph.enums.clone_from(&program.enums);
    graph.records.clone_from(&program.records);
    graph.tasks = heads.tasks.keys().filter_map(|at| program.tasks.get(*at).cloned()).collect();
    for at in heads.events.keys() {
        let (Some(event), Some(read)) = (program.events.get(*at), heads.read.get(*at)) else { continue };
        let lowered = lowering.event(event, read);
        lowering.state.graph.events.push(lowered);
    }
    lowering.state.heads = heads;
    lowering.state.made_by_events = lowering.made();
    lowering.reserve(program.rules.len());
    program.rules.iter().for_each(|rule| lowering.rule(rule));
    let graph = &mut lowering.state.graph;
    graph.topics = topics(&graph.events);
    lowering.state
}

/// Which events each topic may be. A pattern's events are given to every exact topic that it covers.
fn topics(events: &[Event]) -> Vec<TopicPlan> {
    let mut declared: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for (event, at) in events.iter().zip(0..) {
        for topic in event.dialects.iter().flat_map(|d| &d.topics) {
            declared.entry(topic).or_default().insert(at);
        }
    }
    let is_pattern = |topic: &str| topic.contains(['*', '#']);
    let patterns: Vec<(&str, BTreeSet<u32>)> = declared
        .iter()
        .filter(|(topic, _)| is_pattern(topic))
        .map(|(topic, events)| (*topic, events.clone()))
        .collect();
    let mut plans: Vec<TopicPlan> = Vec::with_capacity(declared.len());
    for (topic, mut events) in declared {
        let covering = patterns.iter().filter(|(pattern, _)| topic_matches(pattern, topic));
        events.extend(covering.flat_map(|(_, events)| events));
        plans.push(TopicPlan { topic: topic.to_owned(), events: events.into_iter().collect() });
    }
    let wildness = |t: &str| (t.contains('#'), t.split('.').filter(|w| *w == "*").count());
    plans.sort_by(|a, b| wildness(&a.topic).cmp(&wildness(&b.topic)).then_with(|| a.topic.cmp(&b.topic)));
    plans
}

/// A program while it is lowered.
struct Lowering<'p> {
    program: &'p Program,
    state: Lowered,
    /// New numbers of expressions, if it is lowered again.
    numbering: Option<Numbering>,
    /// Whether what is lowered may need facts somewhere, so that its parts must be looked through for them.
    asks: bool,
}

impl Lowering<'_> {
    /// Makes room for so many rules: a table that grows looks at all expressions again.
    fn reserve(&mut self, rules: usize) {
        let Lowered { graph, exprs, hashes, parts, made, .. } = &mut self.state;
        graph.rules.reserve_exact(rules);
        graph.sources.rules.reserve_exact(rules);
        parts.reserve_exact(rules);
        made.reserve_exact(rules);
        let count = rules.saturating_mul(EXPRS_A_RULE);
        graph.exprs.reserve(count);
        exprs.reserve(count, |id| graph.exprs.get(*id as usize).map_or(0, |e| hashes.hash_one(e)));
    }

    /// What there is so far.
    fn made(&self) -> Made {
        let graph = &self.state.graph;
        let exprs = u32::try_from(graph.exprs.len()).unwrap_or(u32::MAX);
        let exprs = self.numbering.as_ref().map_or(exprs, Numbering::next);
        Made { exprs, paths: graph.paths.len(), facts: graph.facts.len() }
    }

    /// A rule is done.
    fn is_made(&mut self) {
        let made = self.made();
        self.state.made.push(made);
    }

    fn event(&mut self, event: &TypedEvent, read: &BTreeSet<usize>) -> Event {
        let values =
            event.values.iter().map(|v| EventValue { name: v.name.clone(), scope: v.scope }).collect();
        let dialects = event.dialects.iter().map(|d| self.dialect(event, d, read)).collect();
        Event { name: event.name.clone(), values, dialects }
    }

    fn dialect(&mut self, event: &TypedEvent, dialect: &TypedDialect, read: &BTreeSet<usize>) -> Dialect {
        let condition = dialect.condition.as_ref().map(|c| self.expr(c));
        let required = dialect.required.iter().map(|p| self.path(p)).collect();
        // What names the subject is kept for explanations, even where no rule reads it.
        let kept = |at: &usize| {
            read.contains(at) || event.values.get(*at).is_some_and(|v| v.scope == Scope::Subject)
        };
        let values = dialect
            .values
            .iter()
            .enumerate()
            .map(|(at, value)| value.as_ref().filter(|_| kept(&at)).map(|value| self.expr(value)));
        let values = values.collect();
        let happening = dialect.happening.as_ref().map(|(key, within_seconds)| HappeningDef {
            key: key.iter().map(|k| self.expr(k)).collect(),
            within_seconds: *within_seconds,
        });
        Dialect {
            name: dialect.name.clone(),
            topics: dialect.topics.clone(),
            condition,
            required,
            subjects: dialect.subjects.clone(),
            values,
            happening,
        }
    }

    fn rule(&mut self, rule: &TypedRule) {
        let (condition, conjuncts, parts) = match &rule.condition {
            None => (None, Vec::new(), Parts::new()),
            Some(condition) => {
                self.asks = asks(condition);
                let (id, conjuncts, parts) = self.condition(condition);
                self.asks = true;
                (Some(id), conjuncts, parts)
            }
        };
        let axes =
            rule.axes.iter().map(|(name, list)| Axis { name: name.clone(), list: self.expr(list) }).collect();
        let actions = rule
            .actions
            .iter()
            .filter_map(|(task, arguments)| {
                let arguments = arguments.iter().map(|a| match a {
                    TypedArgument::Axis(at) => ArgumentSource::Axis(u32::try_from(*at).unwrap_or(u32::MAX)),
                    TypedArgument::Expr(expr) => ArgumentSource::Expr(self.expr(expr)),
                    TypedArgument::Default => ArgumentSource::Default,
                });
                let arguments = arguments.collect();
                Some(Action { task: *self.state.heads.tasks.get(task)?, arguments })
            })
            .collect();
        let clauses = self.clauses(&rule.clauses);
        let event = self.state.heads.events.get(&rule.event).copied().unwrap_or(u32::MAX);
        let state = &mut self.state;
        state.parts.push(parts);
        state.graph.sources.rules.push(RuleSource { place: rule.place, doc: rule.doc.clone(), conjuncts });
        state.graph.rules.push(Rule {
            name: rule.name.clone(),
            event,
            scope: rule.scope,
            condition,
            axes,
            except: rule.except.clone(),
            actions,
            clauses,
        });
        self.is_made();
    }

    /// A rule's condition, those of its parts that must all hold, and every part that is a condition itself, outermost first.
    fn condition(&mut self, condition: &TypedExpr) -> (ExprId, Vec<Conjunct>, Parts) {
        let mut told = Told::default();
        let TypedKind::And(parts) = &condition.kind else {
            let expr = self.part(condition, &mut told);
            let conjunct = Conjunct { expr, place: condition.place, reads: told.reads };
            return (expr, vec![conjunct], told.parts);
        };
        told.parts.reserve_exact(parts.len().saturating_add(1));
        told.parts.push((condition.place, 0));
        let mut conjuncts = Vec::with_capacity(parts.len());
        let ids = self.parts(parts, &mut told, |told, expr, place| {
            conjuncts.push(Conjunct { expr, place, reads: std::mem::take(&mut told.reads) });
        });
        let id = self.shared(Expr::And(ids));
        told.is_part(0, id);
        (id, conjuncts, told.parts)
    }

    /// A part of a condition. Not below quantifiers: there a part is true of some elements only.
    fn part(&mut self, part: &TypedExpr, told: &mut Told) -> ExprId {
        let at = told.parts.len();
        told.parts.push((part.place, 0));
        let id = match &part.kind {
            TypedKind::And(parts) => {
                let ids = self.parts(parts, told, |_, _, _| {});
                self.shared(Expr::And(ids))
            }
            TypedKind::Or(parts) => {
                let ids = self.parts(parts, told, |_, _, _| {});
                self.shared(Expr::Or(ids))
            }
            TypedKind::Not(of) => {
                let operand = self.part(of, told);
                self.shared(Expr::Not(operand))
            }
            _ => {
                let id = self.expr(part);
                self.reads(part, &mut told.reads);
                id
            }
        };
        told.is_part(at, id);
        id
    }

    /// Parts of an `and` or `or` in the order in which they are judged. They are told in the order in which they are written, and
    /// `each` is called behind every one of them.
    fn parts(
        &mut self,
        parts: &[TypedExpr],
        told: &mut Told,
        mut each: impl FnMut(&mut Told, ExprId, Place),
    ) -> Vec<ExprId> {
        if !self.asks {
            let mut ids = Vec::with_capacity(parts.len());
            for part in parts {
                let id = self.part(part, told);
                each(told, id, part.place);
                ids.push(id);
            }
            return ids;
        }
        let judged = facts_last(parts).map(|(at, part)| {
            let mut told = Told::default();
            (at, part.place, self.part(part, &mut told), told)
        });
        let mut judged: Vec<(usize, Place, ExprId, Told)> = judged.collect();
        let ids = judged.iter().map(|(_, _, id, _)| *id).collect();
        judged.sort_by_key(|(at, ..)| *at);
        for (_, place, id, of_part) in judged {
            told.parts.extend(of_part.parts);
            told.reads.extend(of_part.reads);
            each(told, id, place);
        }
        ids
    }

    fn clauses(&mut self, clauses: &TypedClauses) -> Clauses {
        let mut key = |exprs: &[TypedExpr]| exprs.iter().map(|e| self.expr(e)).collect::<Vec<_>>();
        Clauses {
            once: clauses.once.as_ref().map(|w| Once { key: key(&w.key), within_seconds: w.seconds }),
            quiet: clauses.quiet.as_ref().map(|w| Quiet { key: key(&w.key), for_seconds: w.seconds }),
            at_most: clauses.at_most,
            superseding: clauses.superseding.as_deref().map(key),
            group: clauses.group.clone(),
            priority: clauses.priority,
            timeout_seconds: clauses.timeout_seconds,
        }
    }

    /// The values that a condition reads, as written: what `explain` shows. Not below quantifiers: there is no one value.
    fn reads(&mut self, expr: &TypedExpr, out: &mut Vec<(ExprId, Place)>) {
        match &expr.kind {
            TypedKind::EventValue(_)
            | TypedKind::Path(_)
            | TypedKind::Part(..)
            | TypedKind::Field(..)
            | TypedKind::Fact(..) => {
                out.push((self.expr(expr), expr.place));
            }
            TypedKind::Quantified(_, list, _) | TypedKind::Count(list, _) => self.reads(list, out),
            _ => expr.operands(&mut |operand| self.reads(operand, out)),
        }
    }

    fn path(&mut self, path: &Path) -> PathId {
        let Lowered { graph, paths, .. } = &mut self.state;
        if let Some(known) = paths.get(path) {
            return *known;
        }
        let id = u32::try_from(graph.paths.len()).unwrap_or(u32::MAX);
        graph.paths.push(path.clone());
        paths.insert(path.clone(), id);
        id
    }

    fn expr(&mut self, expr: &TypedExpr) -> ExprId {
        let lowered = match &expr.kind {
            TypedKind::Const(value) => Expr::Const(value.clone()),
            TypedKind::List(values) => Expr::Const(Value::List(values.clone().into())),
            TypedKind::Path(path) => Expr::Path(self.path(path)),
            TypedKind::EventValue(at) => return self.event_value(*at),
            TypedKind::Bound(depth) => Expr::Bound(*depth),
            TypedKind::Field(of, at) => Expr::Field(self.expr(of), *at),
            TypedKind::Part(of, part) => Expr::Part(self.expr(of), *part),
            TypedKind::MakeRecord(record, fields) => {
                Expr::MakeRecord(*record, fields.iter().map(|f| f.as_ref().map(|f| self.expr(f))).collect())
            }
            TypedKind::MakeNvr(parts) => {
                let [name, version, release] = &**parts;
                Expr::MakeNvr([self.expr(name), self.expr(version), self.expr(release)])
            }
            TypedKind::Fact(fact, key) => Expr::Fact(self.fact(*fact), self.expr(key)),
            TypedKind::Else(first, second) => Expr::Else(self.expr(first), self.expr(second)),
            TypedKind::Compare(op, left, right) => Expr::Compare(*op, self.expr(left), self.expr(right)),
            TypedKind::In(of, values) => Expr::In(self.expr(of), Arc::clone(values)),
            TypedKind::InList(of, list) => Expr::InList(self.expr(of), self.expr(list)),
            TypedKind::Like(of, pattern) => Expr::Like(self.expr(of), pattern.to_string()),
            TypedKind::Matches(of, pattern) => Expr::Matches(self.expr(of), pattern.to_string()),
            TypedKind::Test(test, of) => Expr::Test(*test, self.expr(of)),
            TypedKind::Not(of) => Expr::Not(self.expr(of)),
            TypedKind::And(parts) => Expr::And(self.operands(parts)),
            TypedKind::Or(parts) => Expr::Or(self.operands(parts)),
            TypedKind::Quantified(quantifier, list, condition) => {
                Expr::Quantified(*quantifier, self.expr(list), self.expr(condition))
            }
            TypedKind::Count(list, condition) => {
                Expr::Count(self.expr(list), condition.as_ref().map(|c| self.expr(c)))
            }
        };
        self.shared(lowered)
    }

    /// The operands of an `and` or `or` in the order in which they are judged.
    fn operands(&mut self, parts: &[TypedExpr]) -> Vec<ExprId> {
        if self.asks {
            facts_last(parts).map(|(_, part)| self.expr(part)).collect()
        } else {
            parts.iter().map(|part| self.expr(part)).collect()
        }
    }

    /// The place of an expression; an equal one has the same.
    fn shared(&mut self, lowered: Expr) -> ExprId {
        let Lowered { graph, exprs: places, hashes, .. } = &mut self.state;
        let (exprs, hash) = (&mut graph.exprs, hashes.hash_one(&lowered));
        let is_it = |id: &ExprId| exprs.get(*id as usize) == Some(&lowered);
        let id = places.find(hash, is_it).copied().unwrap_or_else(|| {
            let id = u32::try_from(exprs.len()).unwrap_or(u32::MAX);
            exprs.push(lowered);
            places.insert_unique(hash, id, |id| exprs.get(*id as usize).map_or(0, |e| hashes.hash_one(e)));
            id
        });
        self.needed(id)
    }

    fn needed(&mut self, id: ExprId) -> ExprId {
        if let Some(numbering) = &mut self.numbering {
            numbering.number(id);
        }
        id
    }

    /// A value of the event: the most frequent expression by far.
    fn event_value(&mut self, at: usize) -> ExprId {
        if let Some(Some(known)) = self.state.event_values.get(at) {
            let known = *known;
            return self.needed(known);
        }
        let id = self.shared(Expr::EventValue(u32::try_from(at).unwrap_or(u32::MAX)));
        let values = &mut self.state.event_values;
        if values.len() <= at {
            values.resize(at.saturating_add(1), None);
        }
        if let Some(known) = values.get_mut(at) {
            *known = Some(id);
        }
        id
    }

    fn fact(&mut self, declared: usize) -> u32 {
        let Lowered { graph, facts, .. } = &mut self.state;
        if let Some(known) = facts.get(&declared) {
            return *known;
        }
        let place = u32::try_from(graph.facts.len()).unwrap_or(u32::MAX);
        graph.facts.extend(self.program.facts.get(declared).cloned());
        facts.insert(declared, place);
        place
    }
}

/// Parts in the order in which they are judged, with their places among those written: what needs facts comes last.
fn facts_last(parts: &[TypedExpr]) -> impl Iterator<Item = (usize, &TypedExpr)> {
    let (last, first): (Vec<_>, Vec<_>) = parts.iter().enumerate().partition(|(_, part)| asks(part));
    first.into_iter().chain(last)
}

/// Whether anything of it needs a fact.
fn asks(expr: &TypedExpr) -> bool {
    expr.any(&mut |kind| matches!(kind, TypedKind::Fact(..)))
}

/// What is told of a condition while it is lowered.
#[derive(Default)]
struct Told {
    parts: Parts,
    /// Values that it reads.
    reads: Vec<(ExprId, Place)>,
}

impl Told {
    /// The part at this place is this expression: known once what is below it is lowered.
    fn is_part(&mut self, at: usize, id: ExprId) {
        if let Some((_, part)) = self.parts.get_mut(at) {
            *part = id;
        }
    }
}
