//! The index while it is built: for each rule the rarest way in.
//!
//! Comes in: a graph. Goes out: for each event its columns with the sources that they are read from (`sources`), a hash table from
//! what a source holds to the rules that wait for it, and for each event the rules that nothing leads to. How rare a key is
//! (`rarity`) and which looks are worth while (`choose`) is guessed; the second rarest way becomes the check that is made before a
//! rule's condition is touched (`check`). Ranges are cut into dyadic cells (a segment tree laid out in the hash table), so that
//! a number is looked up once for each level.

use std::cmp::Ordering;

use super::access::{self, Column, Key, Known, Need, Ways};
use super::check::{Check, CheckKind, best_check, rank_buckets};
use super::choose::Choices;
use super::order::parts_in_order;
use super::rarity::{Frequencies, positions};
use super::sources::{NewSource, Sources};
use super::{CHECK_BUCKETS, CHECK_COLUMNS, CHECK_HASH, CHECK_RANKS, SEVERAL};
use super::{
    KIND_EQUAL, KIND_GRAM, KIND_HASHED, KIND_PREFIX, KIND_PRESENT, KIND_RANGE, KIND_RANKED, KIND_SUFFIX,
};
use super::{check_hash, check_word, filter_place, fingerprint, range_cell, share_of, sized, slot_hash};
use crate::artifact::place;
use crate::artifact::tables::{BY_SUBJECT, Candidate, EventHead};
use crate::artifact::write::Writer;
use crate::graph::{Graph, Scope};
use crate::node::{Kind, NONE, Node};

/// So many keys share a bucket, on average.
const KEYS_PER_BUCKET: usize = 3;
/// Keys for one word of the filter, so that one miss in twenty passes it.
const KEYS_PER_FILTER_WORD: usize = 4;

/// The tables of the index.
#[derive(Default)]
pub(crate) struct Built {
    pub(crate) events: Vec<EventHead>,
    pub(crate) ranks: Vec<u32>,
    pub(crate) sources: Vec<[u32; 6]>,
    pub(crate) filter: Vec<u32>,
    pub(crate) buckets: Vec<u32>,
    pub(crate) slots: Vec<[u32; 3]>,
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
    let mut sources = Sources::default();
    let mut events = Vec::with_capacity(of_event.len());
    for (at, rules) in (0u32..).zip(of_event) {
        let mut event = EventIndex::new(graph, (nodes, &known), &rules, built.ranks.len(), writer);
        event.find_sources(graph, nodes, at, &mut sources);
        let columns = event.sources.iter().flatten().copied();
        let head = EventHead {
            rules: [place(built.ranks.len()), place(rules.len())],
            always: [place(built.candidates.len()), place(event.always.len())],
            columns: [writer.words(columns).start, place(event.columns.len())],
        };
        built.candidates.extend(event.always.iter().map(|rank| [*rank, 0]));
        built.ranks.extend(rules);
        built.events.push(head);
        events.push(event);
    }
    sources.sort_bounds();
    let mut entries: Vec<(u64, Candidate)> = Vec::with_capacity(graph.rules.len());
    for event in events {
        event.enter(&mut sources, &mut entries);
    }
    entries.sort_unstable();
    entries.dedup();
    built.sources = sources.rows(writer);
    fill(&entries, &mut built);
    built
}

/// The hash table: slots in the order of hashes, and so bucket by bucket.
fn fill(entries: &[(u64, Candidate)], built: &mut Built) {
    let keys = entries.chunk_by(|a, b| a.0 == b.0).count();
    let buckets = keys.div_ceil(KEYS_PER_BUCKET).max(1);
    built.slots.reserve(keys);
    built.buckets = Vec::with_capacity(buckets.saturating_add(1));
    built.filter = vec![0; keys.div_ceil(KEYS_PER_FILTER_WORD).max(1)];
    for same in entries.chunk_by(|a, b| a.0 == b.0) {
        let Some((hash, candidate)) = same.first() else { continue };
        let (word, bits) = filter_place(*hash, built.filter.len());
        if let Some(set) = built.filter.get_mut(word) {
            *set |= bits;
        }
        while built.buckets.len() <= share_of(*hash, buckets) {
            built.buckets.push(place(built.slots.len()));
        }
        let print = fingerprint(*hash);
        built.slots.push(match same {
            [_] => [print, candidate[0], candidate[1]],
            several => {
                let start = place(built.candidates.len());
                built.candidates.extend(several.iter().map(|(_, candidate)| *candidate));
                [print, start | SEVERAL, place(several.len())]
            }
        });
    }
    built.buckets.resize(buckets.saturating_add(1), place(built.slots.len()));
}

/// A rule with its way in and its check.
struct Chosen {
    rank: u32,
    /// Where its keys end.
    keys: usize,
    check: Option<Check>,
}

/// One event's part of the index.
struct EventIndex {
    /// Ranks of the rules that nothing leads to.
    always: Vec<u32>,
    columns: Vec<Column>,
    /// For each dialect the source of each column.
    sources: Vec<Vec<u32>>,
    /// For each column the bounds of its ranges, ascending.
    bounds: Vec<Vec<u64>>,
    chosen: Vec<Chosen>,
    /// The keys of those that were chosen; they and their checks name columns by their places here.
    keys: Vec<Key>,
}

impl EventIndex {
    fn new(
        graph: &Graph,
        (nodes, known): (&[Node], &Known),
        rules: &[u32],
        first_rank: usize,
        writer: &mut Writer,
    ) -> Self {
        let mut ways = Ways::default();
        let ends = rules.iter().map(|rule| {
            if let Some(condition) = graph.rules.get(*rule as usize).and_then(|r| r.condition) {
                access::ways(graph, known, condition, &mut ways);
            }
            ways.all.len()
        });
        let ends: Vec<usize> = ends.collect();
        let mut frequencies = Frequencies::new(&ways);
        let choices = Choices::new(&ways, &ends, &frequencies);
        let worth = choices.worthwhile(&ways.columns);
        let columns = worth.columns(&ways.columns);
        let mut places = vec![NONE; ways.columns.len()];
        for (at, column) in (0..).zip(&columns) {
            places.get_mut(*column).into_iter().for_each(|place| *place = at);
        }
        let place_of = |column: u32| places.get(column as usize).copied().unwrap_or(NONE);
        let (mut always, mut chosen, mut keys) = (Vec::new(), Vec::with_capacity(rules.len()), Vec::new());
        for (at, rule) in rules.iter().enumerate() {
            let rank = marked(graph, *rule, first_rank.saturating_add(at));
            let mut reached = choices.reached(at, &worth);
            let taken = reached.next().map(|(_, way)| way);
            let check = taken.and_then(|way| best_check(reached, way, &ways, &frequencies));
            if let Some(condition) = graph.rules.get(*rule as usize).and_then(|rule| rule.condition)
                && let Some(Node { kind: Kind::And(words), .. }) = nodes.get(condition as usize)
                && let all = (choices.all(at), &ways)
                && let Some(parts) =
                    parts_in_order(graph, condition, all, taken, check.as_ref(), |part| writer.cost_of(part))
            {
                writer.put_parts(graph, *words, &parts);
            }
            let Some(way) = taken else {
                always.push(rank);
                continue;
            };
            keys.extend(ways.keys(way).iter().map(|key| Key { column: place_of(key.column), ..*key }));
            let check = check.map(|check| Check { column: place_of(check.column), ..check });
            chosen.push(Chosen { rank, keys: keys.len(), check });
        }
        let bounds = columns.iter().map(|at| frequencies.bounds.get_mut(*at).map(std::mem::take));
        let bounds = bounds.map(Option::unwrap_or_default).collect();
        let columns = columns.iter().filter_map(|at| ways.columns.get(*at).copied()).collect();
        Self { always, columns, sources: Vec::new(), bounds, chosen, keys }
    }

    /// Finds out what its columns read.
    fn find_sources(&mut self, graph: &Graph, nodes: &[Node], event: u32, sources: &mut Sources) {
        let dialects = graph.events.get(event as usize).map(|e| e.dialects.as_slice()).unwrap_or_default();
        for dialect in dialects {
            let columns = self.columns.iter().zip(&self.bounds);
            let columns =
                columns.map(|(column, bounds)| sources.of(graph, nodes, event, dialect, *column, bounds));
            self.sources.push(columns.collect());
        }
    }

    /// Adds its rules to the table, by all sources that lead to them.
    fn enter(self, sources: &mut Sources, entries: &mut Vec<(u64, Candidate)>) {
        let of_column = |at: usize| {
            let read = self.sources.iter().filter_map(|dialect| dialect.get(at)).filter(|at| **at != NONE);
            let mut read: Vec<u32> = read.copied().collect();
            read.sort_unstable();
            read.dedup();
            read
        };
        let of_columns: Vec<Vec<u32>> = (0..self.columns.len()).map(of_column).collect();
        let mut from = 0;
        for Chosen { rank, keys, check } in self.chosen {
            let check = check.and_then(|check| {
                let read = of_columns.get(check.column as usize)?;
                checked(&check, read, sources)
            });
            let candidate = [rank, check.unwrap_or(0)];
            for key in self.keys.get(from..keys).unwrap_or_default() {
                let read = of_columns.get(key.column as usize).map(Vec::as_slice).unwrap_or_default();
                for at in read {
                    let Some(source) = sources.all.get_mut(*at as usize) else { continue };
                    source.looked_up(&key.need);
                    each_key(&key.need, source, &mut |kind, hash| {
                        entries.push((slot_hash(*at, kind, hash), candidate));
                    });
                }
            }
            from = keys;
        }
    }
}

/// The word of a check on a column that has these sources.
fn checked(check: &Check, read: &[u32], sources: &mut Sources) -> Option<u32> {
    let at = check.column as usize;
    if at >= CHECK_COLUMNS {
        return None;
    }
    let (kind, looks, bits) = match check.kind {
        CheckKind::Hash(hash) => (CHECK_HASH, KIND_HASHED, check_hash(hash)),
        CheckKind::Buckets(buckets) => (CHECK_BUCKETS, KIND_HASHED, buckets),
        CheckKind::Ranks(low, high) => {
            // Ranks are those among the bounds of one source.
            let [only] = read else { return None };
            let bounds = &sources.all.get(*only as usize)?.bounds;
            (CHECK_RANKS, KIND_RANKED, rank_buckets(bounds, low.as_ref(), high.as_ref()))
        }
    };
    for source in read {
        sources.all.get_mut(*source as usize)?.checked(looks);
    }
    Some(check_word(kind, at, bits))
}

/// The keys under which a need stands in the table.
fn each_key(need: &Need, source: &NewSource, tell: &mut impl FnMut(u32, u64)) {
    match need {
        Need::Equal(hash) => tell(KIND_EQUAL, *hash),
        Need::Prefix(length, key) => tell(KIND_PREFIX, sized(*length as usize, *key)),
        Need::Suffix(length, key) => tell(KIND_SUFFIX, sized(*length as usize, *key)),
        Need::Gram(length, key) => tell(KIND_GRAM, sized(*length as usize, *key)),
        Need::Present => tell(KIND_PRESENT, 0),
        Need::Between(low, high) => {
            let (from, to) = positions(&source.bounds, low.as_ref(), high.as_ref());
            cells(from, to, &mut |cell| tell(KIND_RANGE, cell));
        }
    }
}

/// A rule's rank, marked if it is judged for each subject.
fn marked(graph: &Graph, rule: u32, rank: usize) -> u32 {
    let by_subject = graph.rules.get(rule as usize).is_some_and(|r| r.scope == Scope::Subject);
    place(rank) << 1 | if by_subject { BY_SUBJECT } else { 0 }
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
