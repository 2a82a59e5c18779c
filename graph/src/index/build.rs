//! The index while it is built: for each rule the rarest way in.
//!
//! Comes in: a graph. Goes out: columns for each event, a hash table from what a column holds to the rules that wait for it, and
//! for each event the rules that nothing leads to. How rare a key is, is guessed from the rules themselves: what many of them ask
//! for is not rare. The second rarest becomes the check that is made before a rule's condition is touched. Ranges are cut into
//! dyadic cells (a segment tree laid out in the hash table), so that a number is looked up once for each level.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::access::{Bound, Column, Edge, Key, Known, LENGTHS, Need, ways};
use super::{KIND_EQUAL, KIND_GRAM, KIND_PREFIX, KIND_PRESENT, KIND_RANGE, KIND_SUFFIX};
use super::{SUBJECT_LEVEL, check_word, fingerprint, number_key, range_cell, slot_hash};
use crate::artifact::place;
use crate::artifact::tables::{BY_SUBJECT, Candidate, EventHead, run};
use crate::artifact::write::Writer;
use crate::datum::Datum;
use crate::graph::{Graph, Scope};
use crate::node::{Keep, NONE, Node};
use crate::value::Value;

/// What reading a column costs, in judged rules.
const COLUMN: f64 = 0.25;
/// A key that holds for nearly every message leads nowhere.
const NEARLY_ALWAYS: f64 = 0.9;
/// How many elements a list is taken to have.
const ELEMENTS: f64 = 4.0;
/// The highest column whose place fits into a check.
const CHECK_COLUMNS: usize = 254;

/// The tables of the index.
#[derive(Default)]
pub(crate) struct Built {
    pub(crate) events: Vec<EventHead>,
    pub(crate) columns: Vec<[u32; 8]>,
    pub(crate) slots: Vec<[u32; 4]>,
    pub(crate) candidates: Vec<Candidate>,
}

/// Builds the index of a graph whose expressions are these nodes.
pub(crate) fn build(graph: &Graph, nodes: &[Node], writer: &mut Writer) -> Built {
    let known = Known::new(graph);
    let mut of_event: Vec<Vec<u32>> = vec![Vec::new(); graph.events.len()];
    for (at, rule) in graph.rules.iter().enumerate() {
        if let Some(rules) = of_event.get_mut(rule.event as usize) {
            rules.push(place(at));
        }
    }
    let mut built = Built::default();
    let mut entries: Vec<(u64, Candidate)> = Vec::with_capacity(graph.rules.len());
    for rules in of_event {
        let event = EventIndex::new(graph, &known, &rules);
        let always = event.always.iter().map(|rule| marked(graph, *rule));
        let head = EventHead {
            always: [place(built.candidates.len()), place(event.always.len())],
            columns: [place(built.columns.len()), place(event.columns.len())],
            rules: {
                let words = writer.words(rules.iter().copied());
                [words.start, words.len]
            },
        };
        built.candidates.extend(always.map(|rule| [rule, 0]));
        event.enter(graph, nodes, writer, &mut built.columns, &mut entries);
        built.events.push(head);
    }
    entries.sort_unstable();
    entries.dedup();
    fill(&entries, &mut built);
    built
}

/// A rule's place, marked if it is judged for each subject.
fn marked(graph: &Graph, rule: u32) -> u32 {
    match graph.rules.get(rule as usize).map(|r| r.scope) {
        Some(Scope::Subject) => rule | BY_SUBJECT,
        _ => rule,
    }
}

/// The hash table: open addressing, at most two thirds full. A fingerprint stands once between two empty slots, so that a
/// reader may stop at the first that fits.
fn fill(entries: &[(u64, Candidate)], built: &mut Built) {
    let keys = entries.chunk_by(|a, b| a.0 == b.0).count();
    let size = keys.saturating_mul(3).div_ceil(2).next_power_of_two().max(2);
    built.slots = vec![[0; 4]; size];
    let mask = size.saturating_sub(1);
    for same in entries.chunk_by(|a, b| a.0 == b.0) {
        let Some((hash, _)) = same.first() else { continue };
        let print = fingerprint(*hash);
        #[expect(clippy::cast_possible_truncation, reason = "the mask keeps the lower bits only")]
        let mut at = *hash as usize & mask;
        let mut own: Vec<Candidate> = same.iter().map(|(_, candidate)| *candidate).collect();
        while let Some([other, count, a, b]) = built.slots.get(at).filter(|[_, count, ..]| *count != 0) {
            if *other == print {
                let single = [[*a, *b]];
                let known = if *count == 1 { &single[..] } else { run(&built.candidates, [*a, *count]) };
                own.extend_from_slice(known);
                break;
            }
            at = at.wrapping_add(1) & mask;
        }
        let content = match own.as_slice() {
            [[rule, check]] => [print, 1, *rule, *check],
            several => {
                let start = place(built.candidates.len());
                built.candidates.extend_from_slice(several);
                [print, place(several.len()), start, 0]
            }
        };
        if let Some(slot) = built.slots.get_mut(at) {
            *slot = content;
        }
    }
}

/// The ways into one rule, the rarest first, and which of them is taken.
struct Choice {
    ways: Vec<(f64, Vec<Column>)>,
}

impl Choice {
    fn new(ranked: &[(f64, Vec<Key>)]) -> Self {
        let columns = |way: &[Key]| {
            let mut columns: Vec<Column> = way.iter().map(|key| key.column).collect();
            columns.sort_unstable();
            columns.dedup();
            columns
        };
        Self { ways: ranked.iter().map(|(share, way)| (*share, columns(way))).collect() }
    }

    /// The share of messages on which the rule is judged if only some columns are read, and the columns of its way.
    fn best(&self, read: impl Fn(&Column) -> bool) -> (f64, &[Column]) {
        let way = self.ways.iter().find(|(_, columns)| columns.iter().all(&read));
        way.map_or((1.0, &[]), |(share, columns)| (*share, columns))
    }
}

/// The columns that save more judging than reading them costs. Those that few rules need are tried first.
fn worthwhile(rules: Vec<Choice>) -> BTreeSet<Column> {
    let mut users: BTreeMap<Column, Vec<usize>> = BTreeMap::new();
    for (at, rule) in rules.iter().enumerate() {
        for column in rule.best(|_| true).1 {
            users.entry(*column).or_default().push(at);
        }
    }
    let mut worth: BTreeSet<Column> = users.keys().copied().collect();
    let mut order: Vec<Column> = worth.iter().copied().collect();
    order.sort_by_key(|column| users.get(column).map_or(0, Vec::len));
    for column in order {
        let Some(own) = users.remove(&column) else { continue };
        let mut saved = 0.0;
        let mut moves = Vec::with_capacity(own.len());
        for at in own {
            let Some(rule) = rules.get(at) else { continue };
            let (with, _) = rule.best(|c| worth.contains(c));
            let (without, columns) = rule.best(|c| *c != column && worth.contains(c));
            saved += without - with;
            moves.push((at, columns));
            if saved >= COLUMN {
                break;
            }
        }
        if saved < COLUMN {
            worth.remove(&column);
            for (at, columns) in moves {
                for other in columns {
                    users.entry(*other).or_default().push(at);
                }
            }
        }
    }
    worth
}

/// How often the rules of an event ask for what.
#[derive(Default)]
struct Frequencies {
    /// Of keys, by column and what they need.
    keys: HashMap<(Column, u64), u32>,
    /// Of all keys of a kind on a column.
    totals: HashMap<(Column, u32), u32>,
    /// Bounds of ranges, ordered.
    bounds: BTreeMap<Column, BTreeSet<u64>>,
}

/// A rule with its way in and its check.
struct Chosen {
    rule: u32,
    keys: Vec<Key>,
    check: Option<(Column, u64)>,
}

/// One event's part of the index.
struct EventIndex {
    always: Vec<u32>,
    columns: Vec<Column>,
    bounds: BTreeMap<Column, Vec<u64>>,
    chosen: Vec<Chosen>,
}

impl EventIndex {
    fn new(graph: &Graph, known: &Known, rules: &[u32]) -> Self {
        let mut index =
            Self { always: Vec::new(), columns: Vec::new(), bounds: BTreeMap::new(), chosen: Vec::new() };
        let ways_of = |rule: u32| {
            let condition = graph.rules.get(rule as usize).and_then(|r| r.condition);
            condition.map_or(Vec::new(), |condition| ways(graph, known, condition))
        };
        let mut frequencies = Frequencies::default();
        for rule in rules {
            ways_of(*rule).iter().flatten().for_each(|key| frequencies.count(key));
        }
        let bounds: BTreeMap<Column, Vec<u64>> = std::mem::take(&mut frequencies.bounds)
            .into_iter()
            .map(|(c, b)| (c, b.into_iter().collect()))
            .collect();
        let ranked = |rule: u32| {
            let ways = ways_of(rule).into_iter();
            let mut ranked: Vec<(f64, Vec<Key>)> =
                ways.map(|way| (frequencies.share_of_way(&way, &bounds), way)).collect();
            ranked.retain(|(share, _)| *share < NEARLY_ALWAYS);
            ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
            ranked
        };
        let worth = worthwhile(rules.iter().map(|rule| Choice::new(&ranked(*rule))).collect());
        for rule in rules {
            let mut ranked = ranked(*rule).into_iter();
            let reached = |(_, way): &(f64, Vec<Key>)| way.iter().all(|key| worth.contains(&key.column));
            match ranked.find(reached) {
                Some((_, keys)) => {
                    let check = ranked.filter(reached).find_map(|(_, way)| check_of(&way, &keys));
                    index.chosen.push(Chosen { rule: *rule, keys, check });
                }
                None => index.always.push(*rule),
            }
        }
        index.columns = worth.into_iter().collect();
        index.bounds = bounds;
        index
    }

    /// Adds its columns and entries to the tables.
    fn enter(
        self,
        graph: &Graph,
        nodes: &[Node],
        writer: &mut Writer,
        columns: &mut Vec<[u32; 8]>,
        entries: &mut Vec<(u64, Candidate)>,
    ) {
        let base = columns.len();
        let places: HashMap<Column, usize> =
            self.columns.iter().enumerate().map(|(at, c)| (*c, at)).collect();
        let mut shapes: Vec<Shape> = self.columns.iter().map(|_| Shape::default()).collect();
        for Chosen { rule, keys, check } in &self.chosen {
            let check = check.and_then(|(column, hash)| {
                let at = places.get(&column).copied().filter(|at| *at < CHECK_COLUMNS)?;
                shapes.get_mut(at)?.kinds |= KIND_EQUAL;
                Some(check_word(at, hash))
            });
            let candidate = [marked(graph, *rule), check.unwrap_or(0)];
            for key in keys {
                let Some(at) = places.get(&key.column).copied() else { continue };
                let Some(shape) = shapes.get_mut(at) else { continue };
                let column = place(base.saturating_add(at));
                let mut add = |kind, hash| entries.push((slot_hash(column, kind, hash), candidate));
                match &key.need {
                    Need::Equal(hash) => shape.add(KIND_EQUAL, || add(KIND_EQUAL, *hash)),
                    Need::Prefix(length, hash) => {
                        shape.prefixes |= length_bit(*length);
                        shape.add(KIND_PREFIX, || add(KIND_PREFIX, hash.wrapping_add(u64::from(*length))));
                    }
                    Need::Suffix(length, hash) => {
                        shape.suffixes |= length_bit(*length);
                        shape.add(KIND_SUFFIX, || add(KIND_SUFFIX, hash.wrapping_add(u64::from(*length))));
                    }
                    Need::Gram(hash) => shape.add(KIND_GRAM, || add(KIND_GRAM, *hash)),
                    Need::Present => shape.add(KIND_PRESENT, || add(KIND_PRESENT, 0)),
                    Need::Between(low, high) => {
                        let bounds = self.bounds.get(&key.column).map(Vec::as_slice).unwrap_or_default();
                        shape.add(KIND_RANGE, || {
                            let (from, to) = positions(bounds, low.as_ref(), high.as_ref());
                            cells(from, to, &mut |cell| add(KIND_RANGE, cell));
                        });
                    }
                }
            }
        }
        for (column, shape) in self.columns.iter().zip(shapes) {
            let bounds = self.bounds.get(column).filter(|_| shape.kinds & KIND_RANGE != 0);
            let bounds = writer.words(bounds.into_iter().flatten().flat_map(|b| super::halves(*b)));
            let level = if reads_subject(graph, nodes, column) { SUBJECT_LEVEL } else { 0 };
            let lengths = shape.prefixes | shape.suffixes << 8;
            columns.push([
                column.value.unwrap_or(NONE),
                column.list.unwrap_or(NONE),
                shape.kinds | level,
                lengths,
                bounds.start,
                bounds.len,
                0,
                0,
            ]);
        }
    }
}

/// The kinds of keys that a column is looked up by.
#[derive(Default)]
struct Shape {
    kinds: u32,
    prefixes: u32,
    suffixes: u32,
}

impl Shape {
    fn add(&mut self, kind: u32, enter: impl FnOnce()) {
        self.kinds |= kind;
        enter();
    }
}

fn length_bit(length: u32) -> u32 {
    LENGTHS.iter().position(|l| *l == length).map_or(0, |at| 1 << at)
}

/// A check is one value that must be equal, beside what led to the rule.
fn check_of(way: &[Key], keys: &[Key]) -> Option<(Column, u64)> {
    match way {
        [Key { column, need: Need::Equal(hash) }]
            if column.list.is_none() && keys.iter().all(|key| key.column != *column) =>
        {
            Some((*column, *hash))
        }
        _ => None,
    }
}

fn reads_subject(graph: &Graph, nodes: &[Node], column: &Column) -> bool {
    let mut open: Vec<u32> = column.list.into_iter().chain(column.value).collect();
    while let Some(id) = open.pop() {
        match nodes.get(id as usize).map(|node| node.keep) {
            Some(Keep::Subject) => return true,
            Some(Keep::Never) => {
                if let Some(expr) = graph.exprs.get(id as usize) {
                    expr.operands(&mut |operand| open.push(operand));
                }
            }
            _ => {}
        }
    }
    false
}

/// What a key asks for, as a number, and its kind.
fn need_key(need: &Need) -> Option<(u32, u64)> {
    match need {
        Need::Equal(hash) => Some((KIND_EQUAL, *hash)),
        Need::Prefix(length, hash) => Some((KIND_PREFIX, hash.wrapping_add(u64::from(*length)))),
        Need::Suffix(length, hash) => Some((KIND_SUFFIX, hash.wrapping_add(u64::from(*length)))),
        Need::Gram(hash) => Some((KIND_GRAM, *hash)),
        Need::Between(..) | Need::Present => None,
    }
}

impl Frequencies {
    fn count(&mut self, key: &Key) {
        if let Some((kind, hash)) = need_key(&key.need) {
            let count = self.keys.entry((key.column, slot_hash(0, kind, hash))).or_default();
            *count = count.saturating_add(1);
            let total = self.totals.entry((key.column, kind)).or_default();
            *total = total.saturating_add(1);
        }
        if let Need::Between(low, high) = &key.need {
            let bounds = self.bounds.entry(key.column).or_default();
            bounds.extend([low, high].into_iter().flatten().filter_map(|bound| bound_key(&bound.value)));
        }
    }

    /// The share of messages that are guessed to hold one of the keys.
    fn share_of_way(&self, way: &[Key], bounds: &BTreeMap<Column, Vec<u64>>) -> f64 {
        way.iter().map(|key| self.share(key, bounds)).sum()
    }

    fn share(&self, key: &Key, bounds: &BTreeMap<Column, Vec<u64>>) -> f64 {
        let asked = need_key(&key.need).map_or(0.0, |(kind, hash)| {
            let of = |count: Option<&u32>| count.copied().map_or(0.0, f64::from);
            let count = of(self.keys.get(&(key.column, slot_hash(0, kind, hash))));
            (count + 1.0) / (of(self.totals.get(&(key.column, kind))) + 10.0)
        });
        let rarity = |length: u32| 0.35f64.powi(length.min(8).cast_signed());
        let share = match &key.need {
            Need::Equal(_) => asked,
            Need::Prefix(length, _) | Need::Suffix(length, _) => asked.max(rarity(*length)),
            Need::Gram(_) => asked.max(0.02),
            Need::Present => 0.8,
            Need::Between(low, high) => {
                let bounds = bounds.get(&key.column).map(Vec::as_slice).unwrap_or_default();
                let (from, to) = positions(bounds, low.as_ref(), high.as_ref());
                let all = f64::from(place(bounds.len()).saturating_mul(2).saturating_add(1));
                (f64::from(to.saturating_sub(from)) / all).clamp(0.02, 1.0)
            }
        };
        if key.column.list.is_some() { (share * ELEMENTS).min(1.0) } else { share }
    }
}

/// A bound as a number that is ordered alike.
fn bound_key(value: &Value) -> Option<u64> {
    number_key(Datum::of(value, &bumpalo::Bump::new()))
}

/// The positions that a range covers: of `n` bounds each has one, and there is one before, between and behind them.
fn positions(bounds: &[u64], low: Option<&Bound>, high: Option<&Bound>) -> (u32, u32) {
    let at = |bound: &Bound| {
        let key = bound_key(&bound.value).unwrap_or(0);
        place(bounds.partition_point(|b| *b < key)).saturating_mul(2).saturating_add(1)
    };
    let from = low.map_or(0, |bound| match bound.edge {
        Edge::Within => at(bound),
        Edge::Outside => at(bound).saturating_add(1),
    });
    let to = high.map_or_else(
        || place(bounds.len()).saturating_mul(2).saturating_add(1),
        |bound| match bound.edge {
            Edge::Within => at(bound).saturating_add(1),
            Edge::Outside => at(bound),
        },
    );
    (from, to.max(from))
}

/// The fewest dyadic cells that cover positions.
fn cells(mut from: u32, mut to: u32, tell: &mut impl FnMut(u64)) {
    let mut level = 0;
    while from.cmp(&to) == Ordering::Less {
        if from & 1 == 1 {
            tell(range_cell(level, from));
            from = from.saturating_add(1);
        }
        if to & 1 == 1 {
            to = to.saturating_sub(1);
            tell(range_cell(level, to));
        }
        from >>= 1;
        to >>= 1;
        level = level.saturating_add(1);
    }
}
