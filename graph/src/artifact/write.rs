//! A graph as the tables of an artifact.
//!
//! Comes in: a graph as the compiler built it. Goes out: the bytes of each section. An expression becomes the node of the same
//! place; a comparison with a text or a whole number holds it itself. Equal texts and equal details are written once. The
//! same graph always gives the same bytes: nothing here depends on the order of a hash map.

use hashbrown::HashMap;

use serde::Serialize;

use super::tables::{EventHead, LONG, RuleHead, SECTIONS, Section};
use crate::datum::set_hash;
use crate::graph::{CompareOp, Event, Expr, ExprId, Graph, Path, Root, Rule, Scope};
use crate::index;
use crate::matcher::{Declarations, Details};
use crate::node::{FEW_TEXTS, Keep, Kind, NONE, Node, NodeId, Operand, TextRef, Words, Worth};
use crate::value::Value;

/// The sections of a graph, in the order of [`Section`].
pub(super) fn sections(graph: &Graph) -> [Vec<u8>; SECTIONS] {
    let mut writer = Writer::default();
    let nodes = writer.nodes(graph);
    let rules = graph.rules.iter().map(|rule| writer.rule(graph, rule).encode()).collect::<Vec<_>>();
    let index = index::build(graph, &nodes, &mut writer);
    let declarations = Declarations {
        enums: graph.enums.clone(),
        records: graph.records.clone(),
        facts: graph.facts.clone(),
        tasks: graph.tasks.clone(),
        paths: graph.paths.clone(),
        events: graph.events.clone(),
        topics: graph.topics.clone(),
        raw_paths: raw_paths(graph),
        patterns: writer.patterns,
        with_clauses: with_clauses(graph),
    };
    let nodes: Vec<[u32; 4]> = nodes.into_iter().map(Node::encode).collect();
    let mut sections: [Vec<u8>; SECTIONS] = Default::default();
    let mut put = |section: Section, bytes: &[u8]| {
        if let Some(place) = sections.get_mut(section as usize) {
            place.extend_from_slice(bytes);
        }
    };
    put(Section::Declarations, &encode(&declarations));
    put(Section::Nodes, bytemuck::cast_slice(&nodes));
    put(Section::Words, bytemuck::cast_slice(&writer.words));
    put(Section::Texts, &writer.texts);
    put(Section::Rules, bytemuck::cast_slice(&rules));
    put(Section::Details, &writer.details);
    let events: Vec<[u32; 6]> = index.events.into_iter().map(EventHead::encode).collect();
    put(Section::Events, bytemuck::cast_slice(&events));
    put(Section::Ranks, bytemuck::cast_slice(&index.ranks));
    put(Section::Sources, bytemuck::cast_slice(&index.sources));
    put(Section::Filter, bytemuck::cast_slice(&index.filter));
    put(Section::Slots, bytemuck::cast_slice(&index.slots));
    put(Section::Candidates, bytemuck::cast_slice(&index.candidates));
    put(Section::People, &encode(&(graph, &graph.sources)));
    sections
}

pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "plain data into memory: postcard has nothing to refuse")]
    postcard::to_stdvec(value).expect("plain data encodes")
}

/// A place in a table. A table of more than 2^32 words would need more memory than its graph could have had.
pub(crate) fn place(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE)
}

/// For each event the paths that its rules read of a body that nobody declares.
fn raw_paths(graph: &Graph) -> Vec<Vec<u32>> {
    let mut raw = vec![Vec::new(); graph.events.len()];
    if !graph.paths.iter().any(|path| path.root == Root::Raw) {
        return raw;
    }
    let mut roots = Vec::new();
    for rule in &graph.rules {
        rule.exprs(&mut |id| roots.push(id));
        while let Some(id) = roots.pop() {
            let Some(expr) = graph.exprs.get(id as usize) else { continue };
            if let (Expr::Path(path), Some(paths)) = (expr, raw.get_mut(rule.event as usize))
                && graph.paths.get(*path as usize).is_some_and(|p| p.root == Root::Raw)
            {
                paths.push(*path);
            }
            expr.operands(&mut |operand| roots.push(operand));
        }
    }
    for paths in &mut raw {
        paths.sort_unstable();
        paths.dedup();
    }
    raw
}

/// Rules that have windows, limits or a priority, by name.
fn with_clauses(graph: &Graph) -> Vec<u32> {
    let plain = crate::graph::Clauses::default();
    let rules = graph.rules.iter().enumerate().filter(|(_, rule)| rule.clauses != plain);
    let mut named: Vec<(&str, u32)> = rules.map(|(at, rule)| (rule.name.as_str(), place(at))).collect();
    named.sort_unstable();
    named.into_iter().map(|(_, at)| at).collect()
}

/// The tables while they grow.
#[derive(Default)]
pub(crate) struct Writer {
    words: Vec<u32>,
    texts: Vec<u8>,
    text_places: HashMap<Box<str>, TextRef>,
    details: Vec<u8>,
    detail_places: HashMap<Vec<u8>, u32>,
    patterns: u32,
    /// What each expression costs.
    costs: Vec<u32>,
}

impl Writer {
    pub(crate) fn words(&mut self, words: impl IntoIterator<Item = u32>) -> Words {
        let start = self.words.len();
        self.words.extend(words);
        Words { start: place(start), len: place(self.words.len().saturating_sub(start)) }
    }

    fn text(&mut self, text: &str) -> TextRef {
        if let Some(at) = self.text_places.get(text) {
            return *at;
        }
        let at = append(&mut self.texts, text.as_bytes());
        self.text_places.insert(text.into(), at);
        at
    }

    fn rule(&mut self, graph: &Graph, rule: &Rule) -> RuleHead {
        let details = encode(&Details {
            axes: rule.axes.clone(),
            except: rule.except.clone(),
            actions: rule.actions.clone(),
            clauses: rule.clauses.clone(),
        });
        let details = match self.detail_places.get(&details) {
            Some(at) => *at,
            None => {
                let at = append(&mut self.details, &details);
                self.detail_places.insert(details, at);
                at
            }
        };
        RuleHead {
            name: append(&mut self.texts, rule.name.as_bytes()),
            event: rule.event,
            by_subject: rule.scope == Scope::Subject,
            condition: rule.condition.map_or(NONE, |id| operand(graph, id)),
            details,
        }
    }

    fn nodes(&mut self, graph: &Graph) -> Vec<Node> {
        let readers = readers(graph);
        let keeps = keeps(graph);
        let mut nodes = Vec::with_capacity(graph.exprs.len());
        for ((expr, keep), readers) in graph.exprs.iter().zip(keeps).zip(readers) {
            self.costs.push(self.cost(expr));
            let kind = self.kind(graph, expr);
            nodes.push(Node { kind, keep, worth: worth(&kind, readers) });
        }
        nodes
    }

    fn kind(&mut self, graph: &Graph, expr: &Expr) -> Kind {
        match expr {
            Expr::Const(value) => self.constant(graph, value),
            Expr::Path(path) => Kind::Path(*path),
            Expr::EventValue(value) => Kind::EventValue(*value),
            Expr::Bound(depth) => Kind::Bound(*depth),
            Expr::Field(of, at) => match graph.exprs.get(*of as usize) {
                Some(Expr::Bound(depth)) => Kind::BoundField(*depth, *at),
                _ => Kind::Field(operand(graph, *of), *at),
            },
            Expr::Part(of, part) => Kind::Part(operand(graph, *of), *part),
            Expr::MakeRecord(id, fields) => {
                let fields = fields.iter().map(|field| field.map_or(NONE, |id| operand(graph, id)));
                Kind::MakeRecord(*id, self.words(fields))
            }
            Expr::MakeNvr(parts) => Kind::MakeNvr(parts.map(|part| operand(graph, part))),
            Expr::Fact(fact, key) => Kind::Fact(*fact, operand(graph, *key)),
            Expr::Else(first, second) => Kind::Else(operand(graph, *first), operand(graph, *second)),
            Expr::Compare(op, a, b) => self.comparison(graph, *op, *a, *b),
            Expr::In(of, set) => self.set(graph, operand(graph, *of), set),
            Expr::InList(of, list) => Kind::InList(operand(graph, *of), operand(graph, *list)),
            Expr::Like(of, glob) => Kind::Like(operand(graph, *of), self.text(glob)),
            Expr::Matches(of, pattern) => {
                let at = self.patterns;
                self.patterns = at.saturating_add(1);
                Kind::Matches(operand(graph, *of), self.text(pattern), at)
            }
            Expr::Test(test, of) => Kind::Test(*test, operand(graph, *of)),
            Expr::Not(of) => Kind::Not(operand(graph, *of)),
            Expr::And(parts) => Kind::And(self.cheapest_first(graph, parts)),
            Expr::Or(parts) => Kind::Or(self.cheapest_first(graph, parts)),
            Expr::Quantified(quantifier, list, of) => {
                Kind::Quantified(*quantifier, operand(graph, *list), operand(graph, *of))
            }
            Expr::Count(list, of) => {
                Kind::Count(operand(graph, *list), of.map_or(NONE, |of| operand(graph, of)))
            }
        }
    }

    /// The parts of a conjunction or disjunction, so that what costs little is looked at first. It changes no meaning: one part
    /// decides, whatever is open. Parts of one cost stay in the order in which they were written.
    fn cheapest_first(&mut self, graph: &Graph, parts: &[ExprId]) -> Words {
        let mut parts = parts.to_vec();
        parts.sort_by_key(|part| self.costs.get(*part as usize).copied().unwrap_or(u32::MAX));
        self.words(parts.into_iter().map(|part| operand(graph, part)))
    }

    /// About what an expression costs, in steps. A fact costs most: somebody must ask it.
    fn cost(&self, expr: &Expr) -> u32 {
        let mut below = 0u32;
        expr.operands(&mut |id| {
            below = below.saturating_add(self.costs.get(id as usize).copied().unwrap_or(0));
        });
        match expr {
            Expr::Quantified(..) | Expr::Count(..) | Expr::InList(..) => {
                below.saturating_mul(8).saturating_add(8)
            }
            Expr::Matches(..) => below.saturating_add(16),
            Expr::Like(..) => below.saturating_add(4),
            Expr::Fact(..) => below.saturating_add(1_000_000),
            _ => below.saturating_add(1),
        }
    }

    fn comparison(&mut self, graph: &Graph, op: CompareOp, a: ExprId, b: ExprId) -> Kind {
        let (left, right) = (operand(graph, a), operand(graph, b));
        match graph.exprs.get(b as usize) {
            Some(Expr::Const(Value::Text(text))) => Kind::CompareText(op, left, self.text(text)),
            Some(Expr::Const(Value::Int(n))) => Kind::CompareInt(op, left, *n),
            _ => Kind::Compare(op, left, right),
        }
    }

    fn set(&mut self, graph: &Graph, of: NodeId, set: &[Value]) -> Kind {
        let texts: Option<Vec<&str>> = set
            .iter()
            .map(|value| if let Value::Text(text) = value { Some(&**text) } else { None })
            .collect();
        if let Some(texts) = texts {
            let mut hashed: Vec<(u16, &str)> = texts.iter().map(|t| (set_hash(t), *t)).collect();
            hashed.sort_unstable();
            let places: Vec<u32> = hashed.iter().map(|(_, text)| self.text(text)).collect();
            let mut hashes: Vec<u16> = hashed.iter().map(|(hash, _)| *hash).collect();
            if hashed.len() <= FEW_TEXTS {
                hashes.clear();
            }
            hashes.resize(hashes.len().next_multiple_of(2), u16::MAX);
            let hashes = hashes.as_chunks::<2>().0.iter().map(|pair| bytemuck::cast(*pair));
            return Kind::InTexts(of, self.words(hashes.chain(places)));
        }
        Kind::In(of, self.extra_constants(graph, set.iter().map(Some)))
    }

    /// Constants that are no expressions of their own are written as words: four for each.
    fn extra_constants<'v>(
        &mut self,
        graph: &Graph,
        values: impl Iterator<Item = Option<&'v Value>>,
    ) -> Words {
        let mut encoded = Vec::new();
        for value in values {
            let kind = value.map(|value| self.constant(graph, value));
            encoded.extend(
                kind.map_or([NONE; 4], |kind| {
                    Node { kind, keep: Keep::Body, worth: Worth::Computing }.encode()
                }),
            );
        }
        self.words(encoded)
    }

    fn constant(&mut self, graph: &Graph, value: &Value) -> Kind {
        match value {
            Value::Bool(truth) => Kind::Bool(*truth),
            Value::Int(n) => Kind::Int(*n),
            Value::Float(f) => Kind::Float(*f),
            Value::Time(t) => Kind::Time(*t),
            Value::Duration(d) => Kind::Duration(*d),
            Value::Text(text) => Kind::Text(self.text(text)),
            Value::Evr(evr) => Kind::Evr(self.text(&evr.to_string())),
            Value::Nvr(nvr) => Kind::Nvr(self.text(&nvr.to_string())),
            Value::List(items) => Kind::List(self.extra_constants(graph, items.iter().map(Some))),
            Value::Record(id, fields) => {
                Kind::Record(*id, self.extra_constants(graph, fields.iter().map(Option::as_ref)))
            }
        }
    }
}

/// An expression as another one reads it.
fn operand(graph: &Graph, id: ExprId) -> NodeId {
    let inline = match graph.exprs.get(id as usize) {
        Some(Expr::EventValue(at)) => Operand::EventValue(*at),
        Some(Expr::Path(path)) => Operand::Path(*path),
        Some(Expr::Field(of, at)) => match graph.exprs.get(*of as usize) {
            Some(Expr::Bound(depth)) => Operand::BoundField(*depth, *at),
            _ => Operand::Node(id),
        },
        _ => Operand::Node(id),
    };
    inline.encode().unwrap_or(id)
}

/// Adds bytes behind their length.
fn append(to: &mut Vec<u8>, bytes: &[u8]) -> u32 {
    let at = place(to.len());
    match u8::try_from(bytes.len()) {
        Ok(length) if length != LONG => to.push(length),
        _ => {
            to.push(LONG);
            to.extend_from_slice(&place(bytes.len()).to_le_bytes());
        }
    }
    to.extend_from_slice(bytes);
    at
}

/// How many expressions and rules read each expression.
fn readers(graph: &Graph) -> Vec<u32> {
    let mut readers = vec![0u32; graph.exprs.len()];
    let mut count = |id: ExprId| {
        if let Some(readers) = readers.get_mut(id as usize) {
            *readers = readers.saturating_add(1);
        }
    };
    graph.exprs.iter().for_each(|expr| expr.operands(&mut count));
    graph.rules.iter().for_each(|rule| rule.exprs(&mut count));
    // Rules read a value of the event as its dialect defines it.
    for id in graph.events.iter().flat_map(|e| &e.dialects).flat_map(|d| d.values.iter().flatten()) {
        count(*id);
        count(*id);
    }
    readers
}

fn worth(kind: &Kind, readers: u32) -> Worth {
    match kind {
        // Paths are kept by themselves, whoever reads them.
        Kind::MakeNvr(_) | Kind::MakeRecord(..) | Kind::Fact(..) => Worth::Keeping,
        Kind::EventValue(_) | Kind::Part(..) | Kind::Field(..) | Kind::Else(..) if readers > 1 => {
            Worth::Keeping
        }
        Kind::Quantified(..) | Kind::Count(..) | Kind::Matches(..) | Kind::Or(_) | Kind::And(_)
            if readers > 1 =>
        {
            Worth::Keeping
        }
        Kind::Like(..) | Kind::InList(..) if readers > 1 => Worth::Keeping,
        _ => Worth::Computing,
    }
}

/// For each expression how long its value holds. An event's value is looked at in each event: equal expressions of two events
/// are one, so the shorter time counts. Only what reads a quantifier around it is never kept.
fn keeps(graph: &Graph) -> Vec<Keep> {
    let mut varying: Vec<u32> = graph.events.iter().flat_map(Event::varying).collect();
    varying.sort_unstable();
    // With each, how many quantifiers around it are read.
    let mut seen: Vec<(Keep, u32)> = Vec::with_capacity(graph.exprs.len());
    for expr in &graph.exprs {
        let mut keep = match expr {
            Expr::Path(p) if graph.paths.get(*p as usize).is_some_and(Path::of_subject) => Keep::Subject,
            Expr::EventValue(value) if varying.binary_search(value).is_ok() => Keep::Subject,
            Expr::EventValue(_) => Keep::Event,
            _ => Keep::Body,
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

impl Event {
    /// Places of the values that differ from subject to subject.
    pub(crate) fn varying(&self) -> impl Iterator<Item = u32> {
        let values = self.values.iter().enumerate();
        values.filter(|(_, value)| value.scope == Scope::Subject).map(|(at, _)| place(at))
    }
}

impl Path {
    fn of_subject(&self) -> bool {
        self.root == Root::Subject
    }
}
