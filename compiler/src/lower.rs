//! The typed program to the decision graph.
//!
//! Comes in: a typed program without errors. Goes out: the graph, holding what its rules need and nothing else. Equal
//! expressions become one, however many rules write them; parts of `and` and `or` that need facts come last. The same
//! program always gives the same graph.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use taskbot_graph::{
    Action, ArgumentSource, Axis, Clauses, Conjunct, Dialect, Event, EventValue, Expr, ExprId, FactDef,
    Graph, HappeningDef, Once, Path, PathId, Place, Quiet, Rule, RuleSource, Scope, SourceFile, Sources,
    TopicPlan, Value,
};

use crate::typed::{
    Program, TypedArgument, TypedClauses, TypedDialect, TypedEvent, TypedExpr, TypedKind, TypedRule,
};

/// The parts of a rule's condition that are conditions themselves, outermost first, with their places.
pub(crate) type Parts = Vec<(Place, ExprId)>;

/// Lowers a program. Gives for each rule of the graph the parts of its condition, for the lints.
pub(crate) fn lower(program: &Program, files: Vec<SourceFile>) -> (Graph, Vec<Parts>) {
    let mut lowering = Lowering { declared_facts: &program.facts, ..Lowering::default() };
    let graph = &mut lowering.graph;
    graph.enums.clone_from(&program.enums);
    graph.records.clone_from(&program.records);
    let tasks: BTreeSet<usize> =
        program.rules.iter().flat_map(|r| r.actions.iter().map(|(task, _)| *task)).collect();
    graph.tasks = tasks.iter().filter_map(|at| program.tasks.get(*at).cloned()).collect();
    let task_places: BTreeMap<usize, u32> = tasks.iter().zip(0..).map(|(old, new)| (*old, new)).collect();

    let events: BTreeSet<usize> = program.rules.iter().map(|r| r.event).collect();
    let event_places: BTreeMap<usize, u32> = events.iter().zip(0..).map(|(old, new)| (*old, new)).collect();
    for at in &events {
        let Some(event) = program.events.get(*at) else { continue };
        let read = read_values(program, *at);
        let lowered = lowering.event(event, &read);
        lowering.graph.events.push(lowered);
    }
    for rule in &program.rules {
        lowering.rule(rule, &event_places, &task_places);
    }
    lowering.graph.topics = topics(&lowering.graph.events);
    lowering.graph.sources = Sources { files, rules: lowering.rule_sources };
    (lowering.graph, lowering.parts)
}

/// The values of an event that some rule reads.
fn read_values(program: &Program, event: usize) -> BTreeSet<usize> {
    let mut read = BTreeSet::new();
    for rule in program.rules.iter().filter(|r| r.event == event) {
        let arguments = rule.actions.iter().flat_map(|(_, arguments)| arguments);
        let arguments = arguments.filter_map(|a| if let TypedArgument::Expr(e) = a { Some(e) } else { None });
        let axes = rule.axes.iter().map(|(_, list)| list);
        for expr in rule.condition.iter().chain(axes).chain(arguments).chain(rule.clauses.keys()) {
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

/// Which events each topic may be. A pattern's events are given to every exact topic that it covers.
fn topics(events: &[Event]) -> Vec<TopicPlan> {
    let declared: BTreeSet<&str> = events
        .iter()
        .flat_map(|e| e.dialects.iter().flat_map(|d| d.topics.iter().map(String::as_str)))
        .collect();
    let covers = |event: &Event, topic: &str| event.dialects.iter().any(|d| d.covers(topic));
    let mut plans: Vec<TopicPlan> = declared
        .into_iter()
        .map(|topic| TopicPlan {
            topic: topic.to_owned(),
            events: events.iter().zip(0..).filter(|(e, _)| covers(e, topic)).map(|(_, at)| at).collect(),
        })
        .collect();
    let wildness = |t: &str| (t.contains('#'), t.split('.').filter(|w| *w == "*").count());
    plans.sort_by(|a, b| wildness(&a.topic).cmp(&wildness(&b.topic)).then_with(|| a.topic.cmp(&b.topic)));
    plans
}

#[derive(Default)]
struct Lowering<'p> {
    graph: Graph,
    declared_facts: &'p [FactDef],
    /// Places in the graph of the facts that some rule reads.
    facts: BTreeMap<usize, u32>,
    /// Places of expressions by the hash of their content.
    exprs: HashMap<u64, Vec<ExprId>>,
    hashes: RandomState,
    paths: HashMap<Path, PathId>,
    rule_sources: Vec<RuleSource>,
    parts: Vec<Parts>,
}

impl Lowering<'_> {
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

    fn rule(&mut self, rule: &TypedRule, events: &BTreeMap<usize, u32>, tasks: &BTreeMap<usize, u32>) {
        let condition = rule.condition.as_ref().map(|c| self.expr(c));
        let conjuncts: Vec<&TypedExpr> = match rule.condition.as_ref() {
            None => Vec::new(),
            Some(TypedExpr { kind: TypedKind::And(parts), .. }) => parts.iter().collect(),
            Some(one) => vec![one],
        };
        let conjuncts = conjuncts
            .into_iter()
            .map(|part| {
                let mut reads = Vec::new();
                self.reads(part, &mut reads);
                Conjunct { expr: self.expr(part), place: part.place, reads }
            })
            .collect();
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
                Some(Action { task: *tasks.get(task)?, arguments })
            })
            .collect();
        let clauses = self.clauses(&rule.clauses);
        let Some(event) = events.get(&rule.event).copied() else { return };
        let mut parts = Parts::new();
        if let Some(condition) = &rule.condition {
            self.condition_parts(condition, &mut parts);
        }
        self.parts.push(parts);
        self.rule_sources.push(RuleSource { place: rule.place, doc: rule.doc.clone(), conjuncts });
        self.graph.rules.push(Rule {
            name: rule.name.clone(),
            event,
            scope: rule.scope,
            condition,
            axes,
            except: rule.except.clone(),
            actions,
            clauses,
        });
    }

    /// Not below quantifiers: there a part is true of some elements only.
    fn condition_parts(&mut self, expr: &TypedExpr, out: &mut Parts) {
        out.push((expr.place, self.expr(expr)));
        if let TypedKind::And(_) | TypedKind::Or(_) | TypedKind::Not(_) = expr.kind {
            expr.operands(&mut |operand| self.condition_parts(operand, out));
        }
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
        if let Some(known) = self.paths.get(path) {
            return *known;
        }
        let id = u32::try_from(self.graph.paths.len()).unwrap_or(u32::MAX);
        self.graph.paths.push(path.clone());
        self.paths.insert(path.clone(), id);
        id
    }

    fn expr(&mut self, expr: &TypedExpr) -> ExprId {
        let lowered = match &expr.kind {
            TypedKind::Const(value) => Expr::Const(value.clone()),
            TypedKind::List(values) => Expr::Const(Value::List(values.clone().into())),
            TypedKind::Path(path) => Expr::Path(self.path(path)),
            TypedKind::EventValue(at) => Expr::EventValue(u32::try_from(*at).unwrap_or(u32::MAX)),
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
            TypedKind::In(of, values) => Expr::In(self.expr(of), values.clone()),
            TypedKind::InList(of, list) => Expr::InList(self.expr(of), self.expr(list)),
            TypedKind::Like(of, pattern) => Expr::Like(self.expr(of), pattern.clone()),
            TypedKind::Matches(of, pattern) => Expr::Matches(self.expr(of), pattern.clone()),
            TypedKind::Test(test, of) => Expr::Test(*test, self.expr(of)),
            TypedKind::Not(of) => Expr::Not(self.expr(of)),
            TypedKind::And(parts) => Expr::And(self.facts_last(parts)),
            TypedKind::Or(parts) => Expr::Or(self.facts_last(parts)),
            TypedKind::Quantified(quantifier, list, condition) => {
                Expr::Quantified(*quantifier, self.expr(list), self.expr(condition))
            }
            TypedKind::Count(list, condition) => {
                Expr::Count(self.expr(list), condition.as_ref().map(|c| self.expr(c)))
            }
        };
        let alike = self.exprs.entry(self.hashes.hash_one(&lowered)).or_default();
        let exprs = &mut self.graph.exprs;
        if let Some(known) = alike.iter().find(|id| exprs.get(**id as usize) == Some(&lowered)) {
            return *known;
        }
        let id = u32::try_from(exprs.len()).unwrap_or(u32::MAX);
        exprs.push(lowered);
        alike.push(id);
        id
    }

    fn fact(&mut self, declared: usize) -> u32 {
        if let Some(known) = self.facts.get(&declared) {
            return *known;
        }
        let place = u32::try_from(self.graph.facts.len()).unwrap_or(u32::MAX);
        self.graph.facts.extend(self.declared_facts.get(declared).cloned());
        self.facts.insert(declared, place);
        place
    }

    fn facts_last(&mut self, parts: &[TypedExpr]) -> Vec<ExprId> {
        let asks = |part: &TypedExpr| part.any(&mut |kind| matches!(kind, TypedKind::Fact(..)));
        let (last, first): (Vec<&TypedExpr>, Vec<&TypedExpr>) = parts.iter().partition(|p| asks(p));
        first.into_iter().chain(last).map(|part| self.expr(part)).collect()
    }
}
