//! What is looked at before a rule's condition is: one word beside each candidate.
//!
//! Comes in: the ways into a rule that were not taken. Goes out: the one that excludes most messages, if it can be told by what is known
//! of a column anyway: the hash of its value, or the buckets into which its values fall. It excludes only what the condition excludes.

use super::access::{Bound, Key, Need, Way, Ways};
use super::rarity::{ELEMENTS, Frequencies, positions};
use super::{BUCKETS, hash_bucket, range_bucket};
use crate::artifact::place;

/// What excludes less is no check.
const WEAK_CHECK: f64 = 0.9;

/// What is looked at before a rule's condition is: a column, and what it must hold.
#[derive(Clone, Copy)]
pub(super) struct Check {
    /// Place among the columns.
    pub(super) column: u32,
    pub(super) kind: CheckKind,
    /// The way in that it is made of.
    pub(super) way: Way,
    /// The least share of messages that it can let through.
    pub(super) least: f64,
}

/// What a check excludes by.
#[derive(Clone, Copy)]
pub(super) enum CheckKind {
    /// The value has this hash.
    Hash(u64),
    /// A value falls into one of these buckets of hashes.
    Buckets(u32),
    /// A value lies between bounds, as far as buckets of ranks tell.
    Ranks(Option<Bound>, Option<Bound>),
}

/// The buckets into which the values of a range fall.
pub(super) fn rank_buckets(bounds: &[u64], low: Option<&Bound>, high: Option<&Bound>) -> u32 {
    let last = place(bounds.len()).saturating_mul(2);
    let (from, to) = positions(bounds, low, high);
    if from >= to {
        return 0;
    }
    let (first, last) = (range_bucket(from, last), range_bucket(to.saturating_sub(1), last));
    (last | last.wrapping_sub(1)) & !first.wrapping_sub(1)
}

/// Of the ways that did not lead to a rule the one that excludes most as a check.
pub(super) fn best_check(
    others: impl Iterator<Item = (f64, Way)>,
    taken: Way,
    ways: &Ways,
    frequencies: &Frequencies,
) -> Option<Check> {
    let checks = others.filter_map(|(share, way)| {
        let check = check_of(way, ways.keys(taken), ways, frequencies)?;
        Some((share.max(check.least), check))
    });
    checks.filter(|(share, _)| *share < WEAK_CHECK).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, check)| check)
}

/// A way in as a check.
fn check_of(way: Way, taken: &[Key], ways: &Ways, frequencies: &Frequencies) -> Option<Check> {
    let keys = ways.keys(way);
    let column = keys.first()?.column;
    if taken.iter().any(|key| key.column == column) || keys.iter().any(|key| key.column != column) {
        return None;
    }
    let in_list = ways.columns.get(column as usize)?.list.is_some();
    let share = |mask: u32| {
        let share = f64::from(mask.count_ones()) / f64::from(BUCKETS);
        if in_list { (share * ELEMENTS).min(1.0) } else { share }
    };
    let (least, kind) = match keys {
        [Key { need: Need::Equal(hash), .. }] if !in_list => (0.0, CheckKind::Hash(*hash)),
        [Key { need: Need::Between(low, high), .. }] => {
            let bounds = frequencies.bounds.get(column as usize)?;
            let buckets = rank_buckets(bounds, low.as_ref(), high.as_ref());
            (share(buckets), CheckKind::Ranks(*low, *high))
        }
        _ => {
            let mut mask = 0;
            for key in keys {
                let Need::Equal(hash) = key.need else { return None };
                mask |= hash_bucket(hash);
            }
            (share(mask), CheckKind::Buckets(mask))
        }
    };
    Some(Check { column, kind, way, least })
}
