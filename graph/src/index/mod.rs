//! The index: from what a message holds to the few rules that it may concern.
//!
//! Comes in: when an artifact is written, the rules' conditions (`access`: by which values a rule can be reached; `build`: which way is
//! the rarest); when a message is judged, one column's value after another. Goes out: candidates, a superset of the rules whose
//! condition is not false. It decides nothing: every candidate is judged by its whole condition, so a hash that two values
//! share costs time and changes no result.

mod access;
mod build;

use crate::artifact::tables::{Candidate, Tables, run};
use crate::datum::{Datum, hash_bytes};
use access::{GRAM_BYTES, LENGTHS};
pub(crate) use build::build;

const KIND_EQUAL: u32 = 1;
const KIND_PREFIX: u32 = 2;
const KIND_SUFFIX: u32 = 4;
const KIND_GRAM: u32 = 8;
const KIND_RANGE: u32 = 16;
const KIND_PRESENT: u32 = 32;
/// Beside the kinds of a column: it differs from subject to subject.
const SUBJECT_LEVEL: u32 = 256;

/// A value by which rules of an event are looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexColumn {
    place: u32,
    /// The expression; `NONE`: the elements of the list themselves.
    pub(crate) value: u32,
    /// The list whose elements are read, or `NONE`.
    pub(crate) list: u32,
    kinds: u32,
    lengths: u32,
    bounds: [u32; 2],
}

/// The columns of an event, in order.
#[inline]
pub(crate) fn columns<'a>(
    tables: &Tables<'a>,
    [start, len]: [u32; 2],
) -> impl Iterator<Item = IndexColumn> + use<'a> {
    run(tables.columns, [start, len]).iter().zip(start..).map(
        |([value, list, kinds, lengths, first, count, ..], place)| IndexColumn {
            place,
            value: *value,
            list: *list,
            kinds: *kinds,
            lengths: *lengths,
            bounds: [*first, *count],
        },
    )
}

impl IndexColumn {
    /// Whether it differs from subject to subject.
    #[inline]
    pub(crate) fn by_subject(&self) -> bool {
        self.kinds & SUBJECT_LEVEL != 0
    }

    /// Adds the rules that wait for a value of this column.
    #[inline]
    pub(crate) fn look_up(
        &self,
        tables: &Tables<'_>,
        value: Datum<'_>,
        hash: Option<u64>,
        found: &mut Vec<Candidate>,
    ) {
        if self.kinds & KIND_EQUAL != 0
            && let Some(hash) = hash
        {
            self.probe(tables, KIND_EQUAL, hash, found);
        }
        if self.kinds & (KIND_PREFIX | KIND_SUFFIX | KIND_GRAM | KIND_RANGE | KIND_PRESENT) != 0 {
            self.look_up_otherwise(tables, value, found);
        }
    }

    fn look_up_otherwise(&self, tables: &Tables<'_>, value: Datum<'_>, found: &mut Vec<Candidate>) {
        if self.kinds & (KIND_PREFIX | KIND_SUFFIX | KIND_GRAM) != 0 {
            self.look_up_text(tables, &value.text(), found);
        }
        if self.kinds & KIND_RANGE != 0
            && let Some(key) = number_key(value)
        {
            self.look_up_number(tables, key, found);
        }
        if self.kinds & KIND_PRESENT != 0 {
            self.probe(tables, KIND_PRESENT, 0, found);
        }
    }

    fn look_up_text(&self, tables: &Tables<'_>, text: &str, found: &mut Vec<Candidate>) {
        let bytes = text.as_bytes();
        for (at, length) in LENGTHS.iter().enumerate() {
            let size = *length as usize;
            if self.lengths >> at & 1 != 0
                && let Some(begin) = bytes.get(..size)
            {
                self.probe(tables, KIND_PREFIX, hash_bytes(begin).wrapping_add(u64::from(*length)), found);
            }
            if self.lengths >> at & 256 != 0
                && let Some(end) = bytes.len().checked_sub(size).and_then(|from| bytes.get(from..))
            {
                self.probe(tables, KIND_SUFFIX, hash_bytes(end).wrapping_add(u64::from(*length)), found);
            }
        }
        if self.kinds & KIND_GRAM != 0 {
            for gram in bytes.windows(GRAM_BYTES) {
                self.probe(tables, KIND_GRAM, hash_bytes(gram), found);
            }
        }
    }

    fn look_up_number(&self, tables: &Tables<'_>, key: u64, found: &mut Vec<Candidate>) {
        let (bounds, _) = run(tables.words, self.bounds).as_chunks::<2>();
        let below = bounds.partition_point(|[low, high]| whole(*low, *high) < key);
        let equal = bounds.get(below).is_some_and(|[low, high]| whole(*low, *high) == key);
        let mut at = u32::try_from(below).unwrap_or(0).saturating_mul(2).saturating_add(u32::from(equal));
        let mut last = u32::try_from(bounds.len()).unwrap_or(0).saturating_mul(2);
        let mut level = 0;
        loop {
            self.probe(tables, KIND_RANGE, range_cell(level, at), found);
            if last == 0 {
                return;
            }
            (at, last, level) = (at >> 1, last >> 1, level.saturating_add(1));
        }
    }

    #[inline]
    fn probe(&self, tables: &Tables<'_>, kind: u32, hash: u64, found: &mut Vec<Candidate>) {
        let hash = slot_hash(self.place, kind, hash);
        let mask = tables.slots.len().wrapping_sub(1);
        #[expect(clippy::cast_possible_truncation, reason = "the mask keeps the lower bits only")]
        let mut at = hash as usize & mask;
        // No cluster is longer than the table.
        for _ in 0..tables.slots.len() {
            let Some([print, count, a, b]) = tables.slots.get(at) else { return };
            if *count == 0 {
                return;
            }
            if *print == fingerprint(hash) {
                if *count == 1 {
                    found.push([*a, *b]);
                } else {
                    found.extend_from_slice(run(tables.candidates, [*a, *count]));
                }
                return;
            }
            at = at.wrapping_add(1) & mask;
        }
    }
}

/// Where a key stands in the hash table: its lower bits; the upper ones are its fingerprint.
#[inline]
fn slot_hash(column: u32, kind: u32, hash: u64) -> u64 {
    let tag = u64::from(column).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ u64::from(kind).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let mixed = (hash ^ tag).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ mixed >> 32
}

#[inline]
fn fingerprint(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// A cell of a range: 2^level positions from `at * 2^level` on.
#[inline]
fn range_cell(level: u32, at: u32) -> u64 {
    hash_bytes(&(u64::from(level) << 32 | u64::from(at)).to_le_bytes())
}

/// What stands in a candidate: the column's place among its event's, from 1, and 24 bits of a hash.
#[inline]
fn check_word(column: usize, hash: u64) -> u32 {
    u32::try_from(column.saturating_add(1)).unwrap_or(0) << 24 | check_hash(hash)
}

/// 24 bits of a hash, never 0.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "24 bits of it")]
pub(crate) fn check_hash(hash: u64) -> u32 {
    ((hash >> 20) as u32 & 0x00ff_ffff).max(1)
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
