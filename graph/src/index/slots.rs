//! The hash table of the index: from keys to the rules that wait for them.
//!
//! Comes in: the keys of what a message holds, most of which nobody waits for. Goes out: candidates. A small filter says of most
//! keys that they are not in the table; those that are left are looked for all together, so that one need not wait for the
//! memory of the other.

use std::hint::black_box;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::artifact::tables::{Candidate, Tables, run};

/// In the first word of a slot: what follows is not a candidate but where several are, and how many.
pub(super) const SEVERAL: u32 = 1 << 31;

/// Where a key stands in the hash table: its upper bits as a share of the table.
#[inline]
pub(super) fn slot_hash(source: u32, kind: u32, key: u64) -> u64 {
    let tag = u64::from(source).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ u64::from(kind).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let mixed = (key ^ tag).wrapping_mul(0xff51_afd7_ed55_8ccd);
    (mixed ^ mixed >> 32).wrapping_mul(0xc4ce_b9fe_1a85_ec53)
}

#[inline]
pub(super) fn share_of(hash: u64, slots: usize) -> usize {
    ((hash >> 32).wrapping_mul(slots as u64) >> 32) as usize
}

/// What distinguishes the keys of one slot: other bits than those that make its place.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
pub(super) fn fingerprint(hash: u64) -> u32 {
    hash as u32
}

/// Whether a key may stand in the table: most that are asked for do not, and one of their two bits is seldom set.
#[inline]
fn filter_holds(filter: &[u32], hash: u64) -> bool {
    let (word, bits) = filter_place(hash, filter.len());
    filter.get(word).is_some_and(|set| set & bits == bits)
}

#[inline]
pub(super) fn filter_place(hash: u64, words: usize) -> (usize, u32) {
    (share_of(hash, words), 1 << (hash & 31) | 1 << (hash >> 5 & 31))
}

/// Hashes of keys that are looked for, all together.
#[derive(Debug)]
pub(crate) struct Keys<'m> {
    hashes: BumpVec<'m, u64>,
    /// So many of them may stand in the table; of the others nothing is known yet.
    sifted: usize,
    /// Once they are so many, those that are there twice are taken out.
    most: usize,
}

/// So many keys are sifted at once.
const MANY_KEYS: usize = 1_024;

impl<'m> Keys<'m> {
    pub(crate) fn new(memory: &'m Bump) -> Self {
        Self { hashes: BumpVec::with_capacity_in(512, memory), sifted: 0, most: MANY_KEYS }
    }

    #[inline]
    pub(super) fn add(&mut self, hash: u64) {
        self.hashes.push(hash);
    }

    /// Keeps memory within bounds, however long a text is.
    #[inline]
    pub(super) fn sift_many(&mut self, tables: &Tables<'_>) {
        if self.hashes.len().saturating_sub(self.sifted) >= MANY_KEYS {
            self.sift(tables);
        }
    }

    /// Leaves those that may stand in the table. Which ones do is as good as random, so it is no branch.
    fn sift(&mut self, tables: &Tables<'_>) {
        let mut end = self.sifted;
        for at in self.sifted..self.hashes.len() {
            let Some(hash) = self.hashes.get(at).copied() else { break };
            if let Some(to) = self.hashes.get_mut(end) {
                *to = hash;
            }
            end = end.saturating_add(usize::from(filter_holds(tables.filter, hash)));
        }
        self.hashes.truncate(end);
        // A text that repeats one piece must not lead to its rules again and again.
        if end > self.most {
            self.hashes.sort_unstable();
            self.hashes.dedup();
            self.most = self.hashes.len().max(MANY_KEYS).saturating_mul(2);
        }
        self.sifted = self.hashes.len();
    }

    /// Takes the keys out, and adds the candidates that wait for them, as far as they are wanted.
    pub(crate) fn find(
        &mut self,
        tables: &Tables<'_>,
        wanted: impl Fn(Candidate) -> bool,
        found: &mut BumpVec<'m, Candidate>,
    ) {
        self.sift(tables);
        // Step by step for all of them, so that none waits for the memory of another.
        let mut buckets = BumpVec::with_capacity_in(self.hashes.len(), self.hashes.bump());
        buckets.extend(self.hashes.iter().map(|hash| bucket(tables, *hash)));
        buckets.iter().for_each(|bucket| {
            black_box(bucket.first().copied());
        });
        for (hash, bucket) in self.hashes.drain(..).zip(buckets) {
            let print = fingerprint(hash);
            for [_, first, second] in bucket.iter().filter(|[own, ..]| *own == print) {
                if first & SEVERAL == 0 {
                    found.extend(Some([*first, *second]).filter(|candidate| wanted(*candidate)));
                } else {
                    let several = run(tables.candidates, [first & !SEVERAL, *second]);
                    found.extend(several.iter().copied().filter(|candidate| wanted(*candidate)));
                }
            }
        }
        (self.sifted, self.most) = (0, MANY_KEYS);
    }
}

/// The slots in which a key may stand.
#[inline]
fn bucket<'t>(tables: &Tables<'t>, hash: u64) -> &'t [[u32; 3]] {
    let at = share_of(hash, tables.buckets.len().saturating_sub(1));
    let Some([start, end, ..]) = tables.buckets.get(at..) else { return &[] };
    tables.slots.get(*start as usize..*end as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_comes_again_and_again_takes_no_memory() {
        let mut tables = Tables::new(|_| &[]);
        tables.filter = &[u32::MAX];
        let memory = Bump::new();
        let mut keys = Keys::new(&memory);
        for at in 0..1_000_000 {
            keys.sift_many(&tables);
            keys.add(at % 700);
        }
        assert!(memory.allocated_bytes() < 1 << 17, "{} bytes", memory.allocated_bytes());
        keys.sift(&tables);
        assert!((700..4 * MANY_KEYS).contains(&keys.hashes.len()), "{} keys", keys.hashes.len());
    }

    #[test]
    fn what_the_filter_does_not_hold_is_not_looked_for() {
        let mut tables = Tables::new(|_| &[]);
        tables.filter = &[0];
        let memory = Bump::new();
        let mut keys = Keys::new(&memory);
        (0..100).for_each(|hash| keys.add(hash));
        keys.sift(&tables);
        assert_eq!(keys.hashes.len(), 0);
    }
}
