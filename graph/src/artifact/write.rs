//! A graph as the tables of an artifact.
//!
//! Comes in: a graph as the compiler built it. Goes out: the bytes of each section. An expression becomes the node of the same
//! place; a comparison with a text or a whole number holds it itself. Equal texts and equal details are written once. The
//! same graph always gives the same bytes: nothing here depends on the order of a hash map.

use std::hash::BuildHasher;
use std::ops::Range;

use bytemuck::NoUninit;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use postcard::ser_flavors::Flavor;
use serde::Serialize;

use super::ALIGNMENT;
use super::tables::{EventHead, LONG, RuleHead, SECTIONS, Section, counted};
use crate::datum::set_hash;
use crate::graph::{CompareOp, Event, Expr, ExprId, Graph, Path, Root, Rule, Scope};
use crate::index;
use crate::matcher::Declarations;
use crate::node::{FEW_TEXTS, Keep, Kind, NONE, Node, NodeId, Operand, TextRef, Words, Worth};
use crate::value::Value;

/// Writes the sections of a graph behind what is there, in the order of [`Section`], each filled up with zeros. Gives where they are.
pub(super) fn sections(graph: &Graph, bytes: &mut Vec<u8>) -> [Range<usize>; SECTIONS] {
    let mut writer = Writer::new(graph);
    let nodes = writer.nodes(graph);
    let rules: Vec<[u32; 4]> = graph.rules.iter().map(|rule| writer.rule(graph, rule).encode()).collect();
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
    let events: Vec<[u32; 6]> = index.events.into_iter().map(EventHead::encode).collect();
    let mut ranges: [Range<usize>; SECTIONS] = Default::default();
    let mut put = |section: Section, write: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let start = bytes.len();
        *bytes = write(std::mem::take(bytes));
        if let Some(range) = ranges.get_mut(section as usize) {
            *range = start..bytes.len();
        }
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    };
    put(Section::Declarations, &|to| encode(&declarations, to));
    put(Section::Nodes, &|to| copy(&nodes, to));
    put(Section::Words, &|to| copy(&writer.words, to));
    put(Section::Texts, &|to| copy(&writer.texts, to));
    put(Section::Rules, &|to| copy(&rules, to));
    put(Section::Details, &|to| copy(&writer.details, to));
    put(Section::Events, &|to| copy(&events, to));
    put(Section::Ranks, &|to| copy(&index.ranks, to));
    put(Section::Sources, &|to| copy(&index.sources, to));
    put(Section::Filter, &|to| copy(&index.filter, to));
    put(Section::Buckets, &|to| copy(&index.buckets, to));
    put(Section::Slots, &|to| copy(&index.slots, to));
    put(Section::Candidates, &|to| copy(&index.candidates, to));
    put(Section::People, &|to| encode(&(graph, &graph.sources), to));
    ranges
}

/// Adds plain data.
fn encode<T: Serialize>(value: &T, to: Vec<u8>) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "plain data into memory: postcard has nothing to refuse")]
    postcard::serialize_with_flavor(value, Encoded(to)).expect("plain data encodes")
}

/// Bytes behind others. Most of what is encoded is numbers of a few bytes: they are not worth a call that copies.
struct Encoded(Vec<u8>);

impl Flavor for Encoded {
    type Output = Vec<u8>;

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        match bytes {
            [a] => self.0.push(*a),
            [a, b] => self.0.extend_from_slice(&[*a, *b]),
            [a, b, c] => self.0.extend_from_slice(&[*a, *b, *c]),
            [a, b, c, d] => self.0.extend_from_slice(&[*a, *b, *c, *d]),
            more => self.0.extend_from_slice(more),
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

/// Adds a table.
fn copy<T: NoUninit>(table: &[T], mut to: Vec<u8>) -> Vec<u8> {
    to.extend_from_slice(bytemuck::cast_slice(table));
    to
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
    /// Where each text is, by its hash.
    text_places: HashTable<(u64, TextRef)>,
    hashes: DefaultHashBuilder,
    details: Vec<u8>,
    detail_places: HashMap<Vec<u8>, u32>,
    /// The details of one rule.
    own_details: Vec<u8>,
    patterns: u32,
    /// What each expression costs.
    costs: Vec<u32>,
}

impl Writer {
    /// With room for what most graphs need: a table that grows copies all that it holds.
    fn new(graph: &Graph) -> Self {
        let exprs = graph.exprs.len();
        Self {
            words: Vec::with_capacity(exprs),
            texts: Vec::with_capacity(exprs.saturating_mul(16)),
            text_places: HashTable::with_capacity(exprs),
            costs: Vec::with_capacity(exprs),
            ..Self::default()
        }
    }

    pub(crate) fn words(&mut self, words: impl IntoIterator<Item = u32>) -> Words {
        let start = self.words.len();
        self.words.extend(words);
        Words { start: place(start), len: place(self.words.len().saturating_sub(start)) }
    }

    fn text(&mut self, text: &str) -> TextRef {
        let Self { texts, text_places, hashes, .. } = self;
        let hash = hashes.hash_one(text);
        let is_it = |(known, at): &(u64, TextRef)| *known == hash && counted(texts, *at) == text.as_bytes();
        if let Some((_, at)) = text_places.find(hash, is_it) {
            return *at;
        }
        let at = append(texts, text.as_bytes());
        text_places.insert_unique(hash, (hash, at), |(hash, _)| *hash);
        at
    }

    fn rule(&mut self, graph: &Graph, rule: &Rule) -> RuleHead {
        let mut own = std::mem::take(&mut self.own_details);
        own.clear();
        // What `Details` is read from.
        let own = encode(&(&rule.axes, &rule.except, &rule.actions, &rule.clauses), own);
        let details = match self.detail_places.get(&own) {
            Some(at) => *at,
            None => {
                let at = append(&mut self.details, &own);
                self.detail_places.insert(own.clone(), at);
                at
            }
        };
        self.own_details = own;
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

    /// What a part of a condition costs, in steps.
    pub(crate) fn cost_of(&self, part: ExprId) -> u32 {
        self.costs.get(part as usize).copied().unwrap_or(u32::MAX)
    }

    /// Puts the parts of a conjunction into another order.
    pub(crate) fn put_parts(&mut self, graph: &Graph, place: Words, parts: &[ExprId]) {
        let start = place.start as usize;
        let words = self.words.get_mut(start..start.saturating_add(place.len as usize)).unwrap_or_default();
        words.iter_mut().zip(parts).for_each(|(word, part)| *word = operand(graph, *part));
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

    fn set<'v>(&mut self, graph: &Graph, of: NodeId, set: &'v [Value]) -> Kind {
        let hashed = |value: &'v Value| match value {
            Value::Text(text) => Some((set_hash(text), &**text)),
            _ => None,
        };
        let texts: Option<Vec<(u16, &str)>> = set.iter().map(hashed).collect();
        if let Some(mut texts) = texts {
            texts.sort_unstable();
            return Kind::InTexts(of, self.set_of_texts(&texts));
        }
        Kind::In(of, self.extra_constants(graph, set.iter().map(Some)))
    }

    /// Texts with their hashes, by which they are sorted.
    fn set_of_texts(&mut self, texts: &[(u16, &str)]) -> Words {
        let start = self.words.len();
        let hashes = if texts.len() <= FEW_TEXTS { &[] } else { texts };
        self.words.extend(hashes.chunks(2).map(|pair| {
            let hash = |at: usize| pair.get(at).map_or(u16::MAX, |(hash, _)| *hash);
            bytemuck::cast::<[u16; 2], u32>([hash(0), hash(1)])
        }));
        for (_, text) in texts {
            let at = self.text(text);
            self.words.push(at);
        }
        Words { start: place(start), len: place(self.words.len().saturating_sub(start)) }
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
