//! What the matcher looks up, derived from a graph once: topics by hash, the wanted paths of each, and which expressions
//! belong to a subject.
//!
//! Comes in: a validated graph. Goes out: tables. It holds nothing that the graph does not say.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use crate::body::Wanted;
use crate::glob::Glob;
use crate::graph::{ArgumentSource, Clauses, Dialect, Event, Expr, ExprId, Graph, Root, Rule, Scope};
use crate::pattern::Pattern;
use crate::topic;
use crate::types::Type;

/// An [`Index`] made when first needed. It is no part of a graph's identity.
#[derive(Debug, Default)]
pub struct LazyIndex(OnceLock<Index>);

impl Clone for LazyIndex {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for LazyIndex {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// The tables.
#[derive(Debug, Default)]
pub(crate) struct Index {
    exact: HashMap<String, Plan>,
    patterns: Vec<(String, Plan)>,
    /// For each expression: may its value be kept for the whole message, for one subject, or not at all?
    pub(crate) keep: Vec<Keep>,
    /// Globs by their text.
    pub(crate) globs: HashMap<String, Glob>,
    /// Regular expressions by their text.
    pub(crate) regexes: HashMap<String, Pattern>,
}

/// What one topic needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Places of events.
    pub(crate) events: Vec<u32>,
    /// What is read of the body.
    pub(crate) wanted: Wanted,
    /// Places of the rules that wait for one of the events.
    pub(crate) rules: Vec<usize>,
}

/// How long an expression's value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Keep {
    Message,
    Subject,
    /// It reads what a quantifier is at.
    Never,
}

impl Index {
    /// The plan of a topic: of its exact name, else of all patterns that fit, together. The compiler gives a pattern's events
    /// to each exact topic that it covers.
    pub(crate) fn plan(&self, topic: &str) -> Option<Cow<'_, Plan>> {
        if let Some(plan) = self.exact.get(topic) {
            return Some(Cow::Borrowed(plan));
        }
        let mut fitting =
            self.patterns.iter().filter(|(pattern, _)| topic::matches(pattern, topic)).map(|(_, plan)| plan);
        let mut plan = Cow::Borrowed(fitting.next()?);
        for more in fitting {
            plan.to_mut().merge(more);
        }
        Some(plan)
    }
}

impl Plan {
    fn merge(&mut self, other: &Self) {
        self.events.extend(&other.events);
        self.events.sort_unstable();
        self.events.dedup();
        self.rules.extend(&other.rules);
        self.rules.sort_unstable();
        self.rules.dedup();
        self.wanted.merge(&other.wanted);
    }
}

impl Graph {
    pub(crate) fn index(&self) -> &Index {
        self.index.0.get_or_init(|| build(self))
    }
}

fn build(graph: &Graph) -> Index {
    let mut index = Index { keep: keeps(graph), ..Index::default() };
    for expr in &graph.exprs {
        if let Expr::Like(_, pattern) = expr
            && let Ok(glob) = Glob::new(pattern)
        {
            index.globs.insert(pattern.clone(), glob);
        }
        if let Expr::Matches(_, text) = expr
            && let Ok(pattern) = Pattern::new(text)
        {
            index.regexes.insert(text.clone(), pattern);
        }
    }
    for topic in &graph.topics {
        let mut plan = Plan { events: topic.events.clone(), ..Plan::default() };
        for place in &topic.events {
            let Some(event) = graph.events.get(*place as usize) else { continue };
            for rule in graph.rules.iter().filter(|r| r.event == *place) {
                want_raw(graph, rule, &mut plan.wanted);
            }
            plan.rules
                .extend(graph.rules.iter().enumerate().filter(|(_, r)| r.event == *place).map(|(i, _)| i));
            for dialect in event.dialects.iter().filter(|d| d.covers(&topic.topic)) {
                want_dialect(graph, dialect, &mut plan.wanted);
            }
        }
        plan.rules.sort_unstable();
        if topic.topic.split('.').any(|w| w == "*" || w == "#") {
            index.patterns.push((topic.topic.clone(), plan));
        } else {
            index.exact.insert(topic.topic.clone(), plan);
        }
    }
    index
}

impl Dialect {
    /// Whether one of its topics is, or covers, this one.
    pub fn covers(&self, topic: &str) -> bool {
        self.topics.iter().any(|t| t == topic || topic::matches(t, topic))
    }
}

impl Event {
    /// Whether a value of it differs from subject to subject.
    fn varies(&self, value: u32) -> bool {
        self.values.get(value as usize).is_some_and(|v| v.scope == Scope::Subject)
    }
}

/// Every path that a dialect reads: its required ones, its condition's, its values', its happening's.
fn want_dialect(graph: &Graph, dialect: &Dialect, wanted: &mut Wanted) {
    let mut paths: BTreeSet<u32> = dialect.required.iter().copied().collect();
    let happening = dialect.happening.iter().flat_map(|h| h.key.iter().copied());
    for root in dialect.condition.into_iter().chain(dialect.values.iter().flatten().copied()).chain(happening)
    {
        walk(graph, root, &mut |expr| {
            if let Expr::Path(path) = expr {
                paths.insert(*path);
            }
        });
    }
    let subjects = dialect.subjects.as_deref().unwrap_or_default();
    wanted.add(subjects);
    for path in paths.iter().filter_map(|p| graph.paths.get(*p as usize)) {
        let mut steps: Vec<&str> = match path.root {
            Root::Body | Root::Raw => Vec::new(),
            Root::Subject => subjects.iter().map(String::as_str).collect(),
        };
        steps.extend(path.steps.iter().map(String::as_str));
        want_type(graph, &path.ty, &mut steps, wanted);
    }
}

/// What a rule reads of a body that no event declares.
fn want_raw(graph: &Graph, rule: &Rule, wanted: &mut Wanted) {
    let mut roots = Vec::new();
    rule.exprs(&mut |id| roots.push(id));
    for root in roots {
        walk(graph, root, &mut |expr| {
            if let Expr::Path(path) = expr
                && let Some(path) = graph.paths.get(*path as usize)
                && path.root == Root::Raw
            {
                wanted.add(&path.steps);
            }
        });
    }
}

/// A path's end, or for a record the ends of its fields.
fn want_type<'g>(graph: &'g Graph, ty: &Type, steps: &mut Vec<&'g str>, wanted: &mut Wanted) {
    wanted.add(steps);
    match ty {
        Type::List(item) => want_type(graph, item, steps, wanted),
        Type::Record(id) => {
            for field in graph.records.get(*id as usize).into_iter().flat_map(|r| &r.fields) {
                steps.push(&field.name);
                want_type(graph, &field.ty, steps, wanted);
                steps.pop();
            }
        }
        _ => {}
    }
}

/// Visits an expression and everything below it.
fn walk(graph: &Graph, id: ExprId, visit: &mut impl FnMut(&Expr)) {
    let Some(expr) = graph.exprs.get(id as usize) else { return };
    visit(expr);
    expr.operands(&mut |operand| walk(graph, operand, visit));
}

/// For each expression how long its value holds. An event's value is looked at in each event: equal expressions of two events
/// are one, so the shorter time counts. Only what reads a quantifier around it is never kept.
fn keeps(graph: &Graph) -> Vec<Keep> {
    // With each, how many quantifiers around it are read.
    let mut seen: Vec<(Keep, u32)> = Vec::with_capacity(graph.exprs.len());
    for expr in &graph.exprs {
        let mut keep = match expr {
            Expr::Path(p) if graph.paths.get(*p as usize).is_some_and(|p| p.root == Root::Subject) => {
                Keep::Subject
            }
            Expr::EventValue(value) if graph.events.iter().any(|e| e.varies(*value)) => Keep::Subject,
            _ => Keep::Message,
        };
        let mut free = if let Expr::Bound(depth) = expr { depth.saturating_add(1) } else { 0 };
        expr.operands(&mut |operand| {
            if let Some((below, reads)) = seen.get(operand as usize) {
                let binds = match expr {
                    Expr::Quantified(_, _, condition) | Expr::Count(_, Some(condition)) => {
                        *condition == operand
                    }
                    _ => false,
                };
                keep = keep.max(*below);
                free = free.max(if binds { reads.saturating_sub(1) } else { *reads });
            }
        });
        seen.push((keep, free));
    }
    seen.into_iter().map(|(keep, free)| if free == 0 { keep } else { Keep::Never }).collect()
}

impl Rule {
    /// Calls `visit` with every expression that it reads directly.
    pub fn exprs(&self, visit: &mut impl FnMut(ExprId)) {
        self.condition.into_iter().for_each(&mut *visit);
        self.axes.iter().for_each(|axis| visit(axis.list));
        for source in self.actions.iter().flat_map(|a| &a.arguments) {
            if let ArgumentSource::Expr(id) = source {
                visit(*id);
            }
        }
        self.clauses.keys(visit);
    }
}

impl Clauses {
    /// Calls `visit` with every value of a key.
    pub fn keys(&self, visit: &mut impl FnMut(ExprId)) {
        let once = self.once.iter().flat_map(|w| &w.key);
        let quiet = self.quiet.iter().flat_map(|w| &w.key);
        once.chain(quiet).chain(self.superseding.iter().flatten()).for_each(|id| visit(*id));
    }
}

impl Expr {
    /// Calls `visit` with each direct operand.
    pub fn operands(&self, visit: &mut impl FnMut(ExprId)) {
        match self {
            Self::Const(_) | Self::Path(_) | Self::EventValue(_) | Self::Bound(_) => {}
            Self::Field(a, _)
            | Self::Part(a, _)
            | Self::Fact(_, a)
            | Self::In(a, _)
            | Self::Like(a, _)
            | Self::Matches(a, _)
            | Self::Test(_, a)
            | Self::Not(a) => visit(*a),
            Self::Else(a, b) | Self::Compare(_, a, b) | Self::InList(a, b) | Self::Quantified(_, a, b) => {
                visit(*a);
                visit(*b);
            }
            Self::Count(list, condition) => {
                visit(*list);
                condition.iter().for_each(|c| visit(*c));
            }
            Self::MakeNvr(parts) => parts.iter().for_each(|p| visit(*p)),
            Self::MakeRecord(_, fields) => fields.iter().flatten().for_each(|f| visit(*f)),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|p| visit(*p)),
        }
    }
}
