//! How rare a key is.
//!
//! Comes in: all keys of an event's rules. Goes out: for a key the share of messages that are guessed to hold it. What many rules
//! ask for is not rare; of what nobody else asks for little is known, so what is usual counts. It is a guess: a wrong one costs
//! time and changes no result.

use hashbrown::HashMap;

use super::access::{Bound, Column, Edge, Key, Need, Way, Ways};
use super::sized;
use crate::artifact::place;

/// How many elements a list is taken to have.
pub(super) const ELEMENTS: f64 = 4.0;
/// So many values of a column are taken to lie as they usually do, beside those that rules ask for.
const USUAL_WEIGHT: f64 = 20.0;
/// Fewer bounds of ranges than this say little about how values lie between them.
const FEW_BOUNDS: usize = 16;

/// How often the rules of an event ask for what.
pub(super) struct Frequencies {
    /// Of each key, by its place, the place of what it asks for among `counts`.
    asked: Vec<u32>,
    /// How many keys ask for the same.
    counts: Vec<u32>,
    /// For each column and kind.
    totals: Vec<[Total; KINDS]>,
    /// For each column the bounds of its ranges, ascending.
    pub(super) bounds: Vec<Vec<u64>>,
}

/// Kinds of keys that are counted.
const KINDS: usize = 4;

/// Keys of one kind on a column.
#[derive(Clone, Copy, Default)]
struct Total {
    all: u32,
    /// Those that are asked for once.
    once: u32,
}

impl Frequencies {
    /// Counts the keys of all ways.
    pub(super) fn new(ways: &Ways) -> Self {
        let mut counted = Self {
            asked: vec![u32::MAX; ways.key_count()],
            counts: Vec::new(),
            totals: vec![Default::default(); ways.columns.len()],
            bounds: vec![Vec::new(); ways.columns.len()],
        };
        let mut known = HashMap::with_capacity(ways.key_count());
        for way in &ways.all {
            for (at, key) in way.places().zip(ways.keys(*way)) {
                counted.count(at, key, &mut known);
            }
        }
        for bounds in &mut counted.bounds {
            bounds.sort_unstable();
            bounds.dedup();
        }
        counted
    }

    fn count(&mut self, at: usize, key: &Key, known: &mut HashMap<(u32, usize, u64), u32>) {
        if let Need::Between(low, high) = key.need
            && let Some(bounds) = self.bounds.get_mut(key.column as usize)
        {
            bounds.extend([low, high].into_iter().flatten().map(|bound| bound.key));
        }
        let Some((kind, hash)) = need_key(&key.need) else { return };
        let new = place(self.counts.len());
        let asked = *known.entry((key.column, kind, hash)).or_insert(new);
        if asked == new {
            self.counts.push(0);
        }
        let (Some(slot), Some(count), Some(total)) = (
            self.asked.get_mut(at),
            self.counts.get_mut(asked as usize),
            self.totals.get_mut(key.column as usize).and_then(|kinds| kinds.get_mut(kind)),
        ) else {
            return;
        };
        *slot = asked;
        *count = count.saturating_add(1);
        total.all = total.all.saturating_add(1);
        match *count {
            1 => total.once = total.once.saturating_add(1),
            2 => total.once = total.once.saturating_sub(1),
            _ => {}
        }
    }

    /// The share of messages that are guessed to hold one of the keys.
    pub(super) fn share_of_way(&self, ways: &Ways, way: Way) -> f64 {
        way.places().zip(ways.keys(way)).map(|(at, key)| self.share(at, key, &ways.columns)).sum()
    }

    fn share(&self, at: usize, key: &Key, columns: &[Column]) -> f64 {
        let usual = key.need.usual_share();
        let share = match &key.need {
            Need::Between(low, high) => {
                let bounds = self.bounds.get(key.column as usize).map(Vec::as_slice).unwrap_or_default();
                if bounds.len() < FEW_BOUNDS {
                    usual
                } else {
                    let (from, to) = positions(bounds, low.as_ref(), high.as_ref());
                    let all = f64::from(place(bounds.len()).saturating_mul(2).saturating_add(1));
                    f64::from(to.saturating_sub(from)) / all
                }
            }
            need => need_key(need).map_or(usual, |(kind, _)| self.asked(at, key.column, kind, usual)),
        };
        let in_list = columns.get(key.column as usize).is_some_and(|column| column.list.is_some());
        if in_list { (share * ELEMENTS).min(1.0) } else { share }
    }

    /// What rules ask for is what messages say, as far as rules ask for the same things: where nearly all ask for something
    /// else there are many more values than they know (the idea is Good and Turing's). Few rules say little.
    fn asked(&self, at: usize, column: u32, kind: usize, usual: f64) -> f64 {
        let count = self.asked.get(at).and_then(|asked| self.counts.get(*asked as usize));
        let count = f64::from(count.copied().unwrap_or(0));
        let kinds = self.totals.get(column as usize);
        let Total { all, once } = kinds.and_then(|kinds| kinds.get(kind)).copied().unwrap_or_default();
        let known = f64::from(all.saturating_sub(once)) / f64::from(all.max(1));
        (count * known + usual * USUAL_WEIGHT) / (f64::from(all) + USUAL_WEIGHT)
    }
}

/// What a key asks for, as a number, and its kind.
fn need_key(need: &Need) -> Option<(usize, u64)> {
    match need {
        Need::Equal(hash) => Some((0, *hash)),
        Need::Prefix(length, hash) => Some((1, sized(*length as usize, *hash))),
        Need::Suffix(length, hash) => Some((2, sized(*length as usize, *hash))),
        Need::Gram(length, hash) => Some((3, sized(*length as usize, *hash))),
        Need::Between(..) | Need::Present => None,
    }
}

/// The positions that a range covers: of `n` bounds each has one, and there is one before, between and behind them.
pub(super) fn positions(bounds: &[u64], low: Option<&Bound>, high: Option<&Bound>) -> (u32, u32) {
    let at = |bound: &Bound| {
        place(bounds.partition_point(|known| *known < bound.key)).saturating_mul(2).saturating_add(1)
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
