//! How rare a key is.
//!
//! Comes in: all keys of an event's rules. Goes out: for a key the share of messages that are guessed to hold it. What many rules
//! ask for is not rare; of what nobody else asks for little is known, so what is usual counts. It is a guess: a wrong one costs
//! time and changes no result.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::access::{Bound, Column, Edge, Key, Need};
use super::{KIND_EQUAL, KIND_GRAM, KIND_PREFIX, KIND_SUFFIX, number_key, sized};
use crate::artifact::place;
use crate::datum::Datum;
use crate::value::Value;

/// How many elements a list is taken to have.
pub(super) const ELEMENTS: f64 = 4.0;
/// So many values of a column are taken to lie as they usually do, beside those that rules ask for.
const USUAL_WEIGHT: f64 = 20.0;
/// Fewer bounds of ranges than this say little about how values lie between them.
const FEW_BOUNDS: usize = 16;

/// The bounds of the ranges on each column, ascending.
pub(super) type Bounds = BTreeMap<Column, Vec<u64>>;

/// How often the rules of an event ask for what.
#[derive(Default)]
pub(super) struct Frequencies {
    /// Of keys, by column and what they need.
    keys: HashMap<(Column, u32, u64), u32>,
    /// Of a kind on a column: all keys, and those that are asked for once.
    totals: HashMap<(Column, u32), (u32, u32)>,
    /// Bounds of ranges, ordered.
    bounds: BTreeMap<Column, BTreeSet<u64>>,
}

impl Frequencies {
    pub(super) fn count(&mut self, key: &Key) {
        if let Some((kind, hash)) = need_key(&key.need) {
            let count = self.keys.entry((key.column, kind, hash)).or_default();
            *count = count.saturating_add(1);
            let (total, once) = self.totals.entry((key.column, kind)).or_default();
            *total = total.saturating_add(1);
            match *count {
                1 => *once = once.saturating_add(1),
                2 => *once = once.saturating_sub(1),
                _ => {}
            }
        }
        if let Need::Between(low, high) = &key.need {
            let bounds = self.bounds.entry(key.column).or_default();
            bounds.extend([low, high].into_iter().flatten().filter_map(|bound| bound_key(&bound.value)));
        }
    }

    /// The bounds of all ranges, once every key was counted.
    pub(super) fn bounds(&mut self) -> Bounds {
        let bounds = std::mem::take(&mut self.bounds).into_iter();
        bounds.map(|(column, bounds)| (column, bounds.into_iter().collect())).collect()
    }

    /// The share of messages that are guessed to hold one of the keys.
    pub(super) fn share_of_way(&self, way: &[Key], bounds: &Bounds) -> f64 {
        way.iter().map(|key| self.share(key, bounds)).sum()
    }

    fn share(&self, key: &Key, bounds: &Bounds) -> f64 {
        // What rules ask for is what messages say, as far as rules ask for the same things: where nearly all ask for
        // something else there are many more values than they know (the idea is Good and Turing's). Few rules say little.
        let asked = |(kind, hash): (u32, u64), usual: f64| {
            let count = f64::from(self.keys.get(&(key.column, kind, hash)).copied().unwrap_or(0));
            let (total, once) = self.totals.get(&(key.column, kind)).copied().unwrap_or_default();
            let known = f64::from(total.saturating_sub(once)) / f64::from(total.max(1));
            (count * known + usual * USUAL_WEIGHT) / (f64::from(total) + USUAL_WEIGHT)
        };
        let usual = key.need.usual_share();
        let share = match &key.need {
            Need::Between(low, high) => {
                let bounds = bounds.get(&key.column).map(Vec::as_slice).unwrap_or_default();
                if bounds.len() < FEW_BOUNDS {
                    usual
                } else {
                    let (from, to) = positions(bounds, low.as_ref(), high.as_ref());
                    let all = f64::from(place(bounds.len()).saturating_mul(2).saturating_add(1));
                    f64::from(to.saturating_sub(from)) / all
                }
            }
            need => need_key(need).map_or(usual, |key| asked(key, usual)),
        };
        if key.column.list.is_some() { (share * ELEMENTS).min(1.0) } else { share }
    }
}

/// What a key asks for, as a number, and its kind.
fn need_key(need: &Need) -> Option<(u32, u64)> {
    match need {
        Need::Equal(hash) => Some((KIND_EQUAL, *hash)),
        Need::Prefix(length, hash) => Some((KIND_PREFIX, sized(*length as usize, *hash))),
        Need::Suffix(length, hash) => Some((KIND_SUFFIX, sized(*length as usize, *hash))),
        Need::Gram(length, hash) => Some((KIND_GRAM, sized(*length as usize, *hash))),
        Need::Between(..) | Need::Present => None,
    }
}

/// A bound as a number that is ordered alike.
fn bound_key(value: &Value) -> Option<u64> {
    number_key(Datum::of(value, &bumpalo::Bump::new()))
}

/// The positions that a range covers: of `n` bounds each has one, and there is one before, between and behind them.
pub(super) fn positions(bounds: &[u64], low: Option<&Bound>, high: Option<&Bound>) -> (u32, u32) {
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
