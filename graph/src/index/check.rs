//! What is looked at before a rule's condition is: one word beside each candidate.
//!
//! Comes in: the ways into a rule that were not taken. Goes out: the one that excludes most messages, if it can be told by what is known
//! of a column anyway: the hash of its value, or the buckets into which its values fall. It excludes only what the condition excludes.

use super::access::{Bound, Column, Key, Need};
use super::rarity::{Bounds, ELEMENTS, positions};
use super::{BUCKETS, hash_bucket, range_bucket};
use crate::artifact::place;

/// What excludes less is no check.
const WEAK_CHECK: f64 = 0.9;

/// What is looked at before a rule's condition is.
#[derive(Clone)]
pub(super) enum Check {
    /// The value has this hash.
    Hash(Column, u64),
    /// A value falls into one of these buckets of hashes.
    Buckets(Column, u32),
    /// A value lies between bounds, as far as buckets of ranks tell.
    Ranks(Column, Option<Bound>, Option<Bound>),
}

impl Check {
    /// The column that it looks at.
    pub(super) fn column(&self) -> &Column {
        let (Self::Hash(column, _) | Self::Buckets(column, _) | Self::Ranks(column, ..)) = self;
        column
    }
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
    ways: impl Iterator<Item = (f64, Vec<Key>)>,
    keys: &[Key],
    bounds: &Bounds,
) -> Option<Check> {
    let checks = ways.filter_map(|(share, way)| {
        let (least, check) = check_of(&way, keys, bounds)?;
        Some((share.max(least), check))
    });
    checks.filter(|(share, _)| *share < WEAK_CHECK).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, check)| check)
}

/// A way in as a check, and the least share of messages that it can let through.
fn check_of(way: &[Key], keys: &[Key], bounds: &Bounds) -> Option<(f64, Check)> {
    let column = way.first()?.column;
    if keys.iter().any(|key| key.column == column) || way.iter().any(|key| key.column != column) {
        return None;
    }
    let share = |mask: u32| {
        let share = f64::from(mask.count_ones()) / f64::from(BUCKETS);
        if column.list.is_some() { (share * ELEMENTS).min(1.0) } else { share }
    };
    match way {
        [Key { need: Need::Equal(hash), .. }] if column.list.is_none() => {
            Some((0.0, Check::Hash(column, *hash)))
        }
        [Key { need: Need::Between(low, high), .. }] => {
            let buckets = rank_buckets(bounds.get(&column)?, low.as_ref(), high.as_ref());
            Some((share(buckets), Check::Ranks(column, low.clone(), high.clone())))
        }
        _ => {
            let mut mask = 0;
            for key in way {
                let Need::Equal(hash) = key.need else { return None };
                mask |= hash_bucket(hash);
            }
            Some((share(mask), Check::Buckets(column, mask)))
        }
    }
}
