//! By which ways the rules of an event are reached, all together.
//!
//! Comes in: for each rule its ways in, the rarest first. Goes out: the looks that are worth while: each costs something on every
//! message of the event, however few rules need it. A rule whose ways all need a look that is not worth while is judged on
//! every message.

use std::collections::{BTreeMap, BTreeSet};

use super::access::{Column, Key, Need};

/// A column and how it is looked at: what costs, whatever is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Look {
    column: Column,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Hash,
    /// Of this length.
    Prefix(u32),
    Suffix(u32),
    Gram(u32),
    Rank,
    Presence,
}

impl Look {
    pub(super) fn of(key: &Key) -> Self {
        let how = match key.need {
            Need::Equal(_) => How::Hash,
            Need::Prefix(length, _) => How::Prefix(length),
            Need::Suffix(length, _) => How::Suffix(length),
            Need::Gram(length, _) => How::Gram(length),
            Need::Between(..) => How::Rank,
            Need::Present => How::Presence,
        };
        Self { column: key.column, how }
    }

    pub(super) fn column(&self) -> Column {
        self.column
    }

    /// What it costs, in judged rules; measured in instructions.
    fn cost(&self) -> f64 {
        let one = match self.how {
            How::Presence => 0.1,
            How::Hash | How::Prefix(_) | How::Suffix(_) => 0.15,
            How::Rank => 0.3,
            How::Gram(_) => 0.8,
        };
        if self.column.list.is_some() { one * 1.2 } else { one }
    }
}

/// The ways into one rule, the rarest first.
pub(super) struct Choice {
    ways: Vec<(f64, Vec<Look>)>,
}

impl Choice {
    pub(super) fn new(ranked: &[(f64, Vec<Key>)]) -> Self {
        let looks = |way: &[Key]| {
            let mut looks: Vec<Look> = way.iter().map(Look::of).collect();
            looks.sort_unstable();
            looks.dedup();
            looks
        };
        Self { ways: ranked.iter().map(|(share, way)| (*share, looks(way))).collect() }
    }

    /// The share of messages on which the rule is judged if only some looks are made, and those of its way.
    fn best(&self, made: impl Fn(&Look) -> bool) -> (f64, &[Look]) {
        let way = self.ways.iter().find(|(_, looks)| looks.iter().all(&made));
        way.map_or((1.0, &[]), |(share, looks)| (*share, looks))
    }
}

/// The looks that save more judging than they cost. Those that few rules need are tried first.
pub(super) fn worthwhile(rules: &[Choice]) -> BTreeSet<Look> {
    let mut users: BTreeMap<Look, Vec<usize>> = BTreeMap::new();
    for (at, rule) in rules.iter().enumerate() {
        for look in rule.best(|_| true).1 {
            users.entry(*look).or_default().push(at);
        }
    }
    let mut worth: BTreeSet<Look> = users.keys().copied().collect();
    let mut order: Vec<Look> = worth.iter().copied().collect();
    order.sort_by_key(|look| users.get(look).map_or(0, Vec::len));
    for look in order {
        let Some(own) = users.remove(&look) else { continue };
        let mut saved = 0.0;
        let mut moves = Vec::with_capacity(own.len());
        for at in own {
            let Some(rule) = rules.get(at) else { continue };
            let (with, _) = rule.best(|l| worth.contains(l));
            let (without, looks) = rule.best(|l| *l != look && worth.contains(l));
            saved += without - with;
            moves.push((at, looks));
            if saved >= look.cost() {
                break;
            }
        }
        if saved < look.cost() {
            worth.remove(&look);
            for (at, looks) in moves {
                for other in looks {
                    users.entry(*other).or_default().push(at);
                }
            }
        }
    }
    worth
}
