//! The index: from what a message holds to the few rules that it may concern.
//!
//! Comes in: when an artifact is written, the rules' conditions (`access`: by which values a rule can be reached; `build`: which way is
//! the rarest); when a message is judged, one column's value after another. Goes out: candidates, a superset of the rules whose
//! condition is not false. It decides nothing: every candidate is judged by its whole condition, so a hash that two values
//! share costs time and changes no result.

mod access;
mod build;
mod check;
mod choose;
mod order;
mod rarity;
mod slots;
mod sources;

use crate::artifact::tables::{Tables, path_of, run};
use crate::datum::Datum;
use crate::node::Operand;
use access::LENGTHS;
pub(crate) use build::build;
pub(crate) use slots::Keys;
use slots::{SEVERAL, filter_place, fingerprint, share_of, slot_hash};

const KIND_EQUAL: u32 = 1;
const KIND_PREFIX: u32 = 2;
const KIND_SUFFIX: u32 = 4;
const KIND_GRAM: u32 = 8;
const KIND_RANGE: u32 = 16;
const KIND_PRESENT: u32 = 32;
/// A check looks at its hash.
const KIND_HASHED: u32 = 64;
/// A check looks at where it stands among the bounds of ranges.
const KIND_RANKED: u32 = 128;
/// Beside the kinds of a source: only its own event can read it, and it differs from subject to subject.
const SUBJECT_LEVEL: u32 = 256;
/// Only its own event can read it.
const OWN: u32 = 512;

/// A value by which rules are looked up. Columns of several events that read the same of the body have one source, so it is read and
/// looked up once for all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    place: u32,
    /// The expression; `NONE`: the elements of the list themselves.
    pub(crate) value: u32,
    /// The list whose elements are read, or `NONE`.
    pub(crate) list: u32,
    kinds: u32,
    /// Which [`LENGTHS`] of prefixes (from bit 0), of suffixes (8) and which [`GRAMS`](access::GRAMS) (16) are looked up.
    lengths: u32,
    bounds: [u32; 2],
}

/// Who can read a source, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// It reads nothing but the body.
    Body,
    /// It reads what an event's dialect defines.
    Event,
    /// It differs from subject to subject.
    Subject,
}

impl Source {
    /// The source at a place; none if there is none.
    pub(crate) fn at(tables: &Tables<'_>, place: u32) -> Option<Self> {
        let [value, list, kinds, lengths, first, count] = *tables.sources.get(place as usize)?;
        // What is a path needs no look at its node.
        let direct = |id| path_of(tables, id).and_then(|path| Operand::Path(path).encode()).unwrap_or(id);
        Some(Self { place, value: direct(value), list: direct(list), kinds, lengths, bounds: [first, count] })
    }

    #[inline]
    pub(crate) fn level(&self) -> Level {
        match self.kinds & (SUBJECT_LEVEL | OWN) {
            0 => Level::Body,
            OWN => Level::Event,
            _ => Level::Subject,
        }
    }

    /// Adds the keys of a value of this source by which rules may be reached. Gives what checks compare with it.
    #[inline]
    pub(crate) fn look_up(&self, tables: &Tables<'_>, value: Datum<'_>, keys: &mut Keys<'_>) -> Compared {
        let hash = if self.kinds & (KIND_EQUAL | KIND_HASHED) != 0 { value.hash() } else { None };
        let mut compared = hash.map_or(Compared::ANYTHING, Compared::hash);
        if self.kinds & KIND_EQUAL != 0
            && let Some(hash) = hash
        {
            self.add(KIND_EQUAL, hash, keys);
        }
        if self.kinds & (KIND_PREFIX | KIND_SUFFIX | KIND_GRAM) != 0 {
            self.look_up_text(tables, &value.text(), keys);
        }
        if self.kinds & (KIND_RANGE | KIND_RANKED) != 0
            && let Some(key) = number_key(value)
        {
            compared.ranks = self.look_up_number(tables, key, keys);
        }
        if self.kinds & KIND_PRESENT != 0 {
            self.add(KIND_PRESENT, 0, keys);
        }
        compared
    }

    fn look_up_text(&self, tables: &Tables<'_>, text: &str, keys: &mut Keys<'_>) {
        let bytes = text.as_bytes();
        for at in bits(self.lengths & 0xff) {
            let size = LENGTHS.get(at).map_or(0, |length| *length as usize);
            if let Some(begin) = bytes.get(..size) {
                self.add(KIND_PREFIX, sized(size, piece_key(begin)), keys);
            }
        }
        for at in bits(self.lengths >> 8 & 0xff) {
            let size = LENGTHS.get(at).map_or(0, |length| *length as usize);
            if let Some(end) = bytes.len().checked_sub(size).and_then(|from| bytes.get(from..)) {
                self.add(KIND_SUFFIX, sized(size, piece_key(end)), keys);
            }
        }
        if self.lengths >> 16 & 1 != 0 {
            self.look_up_grams(tables, bytes.array_windows::<4>().map(|gram| piece_key(gram)), 4, keys);
        }
        if self.lengths >> 16 & 2 != 0 {
            self.look_up_grams(tables, bytes.array_windows::<8>().map(|gram| piece_key(gram)), 8, keys);
        }
    }

    fn look_up_grams(
        &self,
        tables: &Tables<'_>,
        grams: impl Iterator<Item = u64>,
        size: usize,
        keys: &mut Keys<'_>,
    ) {
        // Which of them are sampled is as good as random, so it is no branch.
        let mut sampled = [0; SAMPLED_AT_ONCE];
        let mut count: usize = 0;
        for gram in grams {
            if let Some(to) = sampled.get_mut(count) {
                *to = gram;
            }
            count = count.saturating_add(usize::from(is_sampled(gram)));
            if count == SAMPLED_AT_ONCE {
                self.add_grams(tables, &sampled, size, keys);
                count = 0;
            }
        }
        self.add_grams(tables, sampled.get(..count).unwrap_or_default(), size, keys);
    }

    fn add_grams(&self, tables: &Tables<'_>, grams: &[u64], size: usize, keys: &mut Keys<'_>) {
        keys.sift_many(tables);
        grams.iter().for_each(|gram| self.add(KIND_GRAM, sized(size, *gram), keys));
    }

    fn look_up_number(&self, tables: &Tables<'_>, key: u64, keys: &mut Keys<'_>) -> u32 {
        let (bounds, _) = run(tables.words, self.bounds).as_chunks::<2>();
        let below = bounds.partition_point(|[low, high]| whole(*low, *high) < key);
        let equal = bounds.get(below).is_some_and(|[low, high]| whole(*low, *high) == key);
        let mut at = u32::try_from(below).unwrap_or(0).saturating_mul(2).saturating_add(u32::from(equal));
        let mut last = u32::try_from(bounds.len()).unwrap_or(0).saturating_mul(2);
        let mask = range_bucket(at, last);
        if self.kinds & KIND_RANGE == 0 {
            return mask;
        }
        let mut level = 0;
        loop {
            self.add(KIND_RANGE, range_cell(level, at), keys);
            if last == 0 {
                return mask;
            }
            (at, last, level) = (at >> 1, last >> 1, level.saturating_add(1));
        }
    }

    #[inline]
    fn add(&self, kind: u32, key: u64, keys: &mut Keys<'_>) {
        keys.add(slot_hash(self.place, kind, key));
    }
}

/// So many pieces of a text are sampled before they are looked for.
const SAMPLED_AT_ONCE: usize = 32;

/// A cell of a range: 2^level positions from `at * 2^level` on.
#[inline]
fn range_cell(level: u32, at: u32) -> u64 {
    u64::from(level) << 32 | u64::from(at)
}

/// The key of a piece of a text, of at most 16 bytes.
#[inline]
fn piece_key(piece: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (piece.first_chunk::<8>(), piece.last_chunk::<8>()) {
        let last = u64::from_le_bytes(*last).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        return u64::from_le_bytes(*first) ^ last.rotate_left(29);
    }
    if let (Some(first), Some(last)) = (piece.first_chunk::<4>(), piece.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
    }
    piece.iter().fold(0, |key, byte| key << 8 | u64::from(*byte))
}

/// Whether a piece from the middle of a text is one of those that are looked up: one in four, and most texts of a pattern have one.
#[inline]
fn is_sampled(key: u64) -> bool {
    key.wrapping_mul(0xa076_1d64_78bd_642f) >> 62 == 0
}

/// The key of a piece and its length.
#[inline]
fn sized(bytes: usize, key: u64) -> u64 {
    key.wrapping_add((bytes as u64).wrapping_mul(0x9fb2_1c65_1e98_df25))
}

/// The places of the bits that are set.
#[inline]
fn bits(mut set: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = set.trailing_zeros();
        set &= set.wrapping_sub(1);
        (at < u32::BITS).then_some(at as usize)
    })
}

/// Buckets into which the values of a source fall, so that a set of them fits into a check.
const BUCKETS: u32 = 24;
const BUCKET_BITS: u32 = (1 << BUCKETS) - 1;

/// What checks compare: one value of a source, or all that were seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    /// 24 bits of the hash; `ANY_HASH`: not known, or several.
    hash: u32,
    /// One bit for the bucket of each value, by its hash.
    buckets: u32,
    /// The same by its rank among bounds.
    ranks: u32,
}

const ANY_HASH: u32 = u32::MAX;

impl Compared {
    /// Nothing is known, so nothing is excluded.
    pub(crate) const ANYTHING: Self = Self { hash: ANY_HASH, buckets: u32::MAX, ranks: u32::MAX };
    /// No value at all.
    pub(crate) const NOTHING: Self = Self { hash: 0, buckets: 0, ranks: 0 };

    #[inline]
    fn hash(hash: u64) -> Self {
        Self { hash: check_hash(hash), buckets: hash_bucket(hash), ranks: u32::MAX }
    }

    /// One more element of a list.
    #[inline]
    pub(crate) fn and(self, other: Self) -> Self {
        Self { hash: ANY_HASH, buckets: self.buckets | other.buckets, ranks: self.ranks | other.ranks }
    }

    /// Whether a check holds.
    #[inline]
    pub(crate) fn passes(self, check: u32) -> bool {
        match check >> CHECK_KIND {
            CHECK_HASH => self.hash == ANY_HASH || self.hash == check & BUCKET_BITS,
            CHECK_BUCKETS => self.buckets & check & BUCKET_BITS != 0,
            _ => self.ranks & check & BUCKET_BITS != 0,
        }
    }
}

/// In a check, above the bits of a hash or of buckets: 6 bits for the place of the column among its event's, from 1, and 2 for what is
/// compared. A check that is 0 always holds.
const CHECK_KIND: u32 = 30;
const CHECK_HASH: u32 = 0;
const CHECK_BUCKETS: u32 = 1;
const CHECK_RANKS: u32 = 2;
/// The columns that a check can name.
const CHECK_COLUMNS: usize = 62;

/// The column that a check names; none: it always holds.
#[inline]
pub(crate) fn checked_column(check: u32) -> Option<usize> {
    ((check >> BUCKETS & 0x3f) as usize).checked_sub(1)
}

#[inline]
fn check_word(kind: u32, column: usize, bits: u32) -> u32 {
    kind << CHECK_KIND | u32::try_from(column.saturating_add(1)).unwrap_or(0) << BUCKETS | bits
}

/// 24 bits of a hash, never 0.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "24 bits of it")]
fn check_hash(hash: u64) -> u32 {
    ((hash >> 20) as u32 & BUCKET_BITS).max(1)
}

#[inline]
fn hash_bucket(hash: u64) -> u32 {
    1 << (((hash & 0xffff_ffff) * u64::from(BUCKETS)) >> 32) as u32
}

/// The bucket of a position among those of a range.
#[inline]
fn range_bucket(at: u32, last: u32) -> u32 {
    let share = u64::from(at).wrapping_mul(u64::from(BUCKETS)).checked_div(u64::from(last).wrapping_add(1));
    1 << share.map_or(0, |bucket| u32::try_from(bucket).unwrap_or(0).min(BUCKETS - 1))
}

/// A number, time or duration as a whole number that is ordered alike.
#[inline]
fn number_key(value: Datum<'_>) -> Option<u64> {
    const SIGN: u64 = 1 << 63;
    match value {
        Datum::Int(n) | Datum::Time(n) | Datum::Duration(n) => Some(n.cast_unsigned() ^ SIGN),
        Datum::Float(f) if !f.is_nan() => {
            let bits = (f + 0.0).to_bits();
            Some(if bits & SIGN == 0 { bits | SIGN } else { !bits })
        }
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
fn halves(bits: u64) -> [u32; 2] {
    [bits as u32, (bits >> 32) as u32]
}

#[inline]
fn whole(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}
