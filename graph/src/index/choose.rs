//! By which ways the rules of an event are reached, all together.
//!
//! Comes in: the ways into each rule, and how rare their keys are. Goes out: for each rule its ways, the rarest first, and the looks that
//! are worth while: each costs something on every message of the event, however few rules need it. A rule whose ways all need a
//! look that is not worth while is judged on every message. Looks are numbered, so that sets of them are tables.

use super::access::{Column, GRAMS, Key, LENGTHS, Need, Way, Ways};
use super::rarity::Frequencies;

/// A key that holds for nearly every message leads nowhere.
const NEARLY_ALWAYS: f64 = 0.9;

/// A column and how it is looked at: what costs, whatever is found. Each column has [`HOWS`] of them.
type Look = usize;

/// The first of each kind of look at a column: of texts there is one for each length.
const HASH: Look = 0;
const PREFIX: Look = 1;
const SUFFIX: Look = PREFIX + LENGTHS.len();
const GRAM: Look = SUFFIX + LENGTHS.len();
const RANK: Look = GRAM + GRAMS.len();
const PRESENCE: Look = RANK + 1;
const HOWS: usize = PRESENCE + 1;

fn look(key: &Key) -> Look {
    let nth = |lengths: &[u32], length| lengths.iter().position(|known| *known == length).unwrap_or(0);
    let how = match key.need {
        Need::Equal(_) => HASH,
        Need::Prefix(length, _) => nth(&LENGTHS, length).saturating_add(PREFIX),
        Need::Suffix(length, _) => nth(&LENGTHS, length).saturating_add(SUFFIX),
        Need::Gram(length, _) => nth(&GRAMS, length).saturating_add(GRAM),
        Need::Between(..) => RANK,
        Need::Present => PRESENCE,
    };
    (key.column as usize).saturating_mul(HOWS).saturating_add(how)
}

/// The column of a look, and how it is looked at.
fn parts(look: Look, columns: &[Column]) -> (Option<&Column>, Look) {
    (columns.get(look / HOWS), look % HOWS)
}

/// What a look costs, in judged rules; measured in instructions.
fn cost(look: Look, columns: &[Column]) -> f64 {
    let (column, how) = parts(look, columns);
    let one = match how {
        HASH..GRAM => 0.15,
        GRAM..RANK => 0.8,
        RANK => 0.3,
        _ => 0.1,
    };
    if column.is_some_and(|column| column.list.is_some()) { one * 1.2 } else { one }
}

/// The ways into the rules of an event.
pub(super) struct Choices {
    /// Those of one rule together, the rarest first.
    ways: Vec<Ranked>,
    /// Where those of each rule end.
    ends: Vec<usize>,
    /// Where the looks of each way are.
    looks: Vec<Look>,
}

/// A way into a rule.
#[derive(Clone, Copy)]
struct Ranked {
    /// Of the messages that are guessed to hold one of its keys.
    share: f64,
    way: Way,
    /// Where its looks end, and how many they are.
    looks: (usize, usize),
}

impl Choices {
    /// `ends`: where the ways into each rule end among all.
    pub(super) fn new(ways: &Ways, ends: &[usize], frequencies: &Frequencies) -> Self {
        let mut choices = Self {
            ways: Vec::with_capacity(ways.all.len()),
            ends: Vec::with_capacity(ends.len()),
            looks: Vec::with_capacity(ways.all.len()),
        };
        let mut from = 0;
        for end in ends {
            let first = choices.ways.len();
            for way in ways.all.get(from..*end).unwrap_or_default() {
                let share = frequencies.share_of_way(ways, *way);
                if share < NEARLY_ALWAYS {
                    let looks = choices.add_looks(ways.keys(*way));
                    choices.ways.push(Ranked { share, way: *way, looks });
                }
            }
            let own = choices.ways.get_mut(first..).unwrap_or_default();
            own.sort_by(|a, b| a.share.total_cmp(&b.share));
            choices.ends.push(choices.ways.len());
            from = *end;
        }
        choices
    }

    fn add_looks(&mut self, keys: &[Key]) -> (usize, usize) {
        let first = self.looks.len();
        for look in keys.iter().map(look) {
            if !self.looks.get(first..).unwrap_or_default().contains(&look) {
                self.looks.push(look);
            }
        }
        (self.looks.len(), self.looks.len().saturating_sub(first))
    }

    fn of_rule(&self, rule: usize) -> &[Ranked] {
        let from = rule.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(rule).and_then(|end| self.ways.get(from..*end)).unwrap_or_default()
    }

    fn looks(&self, ranked: &Ranked) -> &[Look] {
        let (end, count) = ranked.looks;
        self.looks.get(end.saturating_sub(count)..end).unwrap_or_default()
    }

    /// The share of messages on which a rule is judged if only some looks are made, and those of its way.
    fn best(&self, rule: usize, made: impl Fn(&Look) -> bool) -> (f64, &[Look]) {
        let way = self.of_rule(rule).iter().find(|ranked| self.looks(ranked).iter().all(&made));
        way.map_or((1.0, &[]), |ranked| (ranked.share, self.looks(ranked)))
    }

    /// The looks that save more judging than they cost. Those that few rules need are tried first.
    pub(super) fn worthwhile(&self, columns: &[Column]) -> Worthwhile {
        let all = columns.len().saturating_mul(HOWS);
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); all];
        let add = |users: &mut Vec<Vec<usize>>, look: Look, rule| {
            if let Some(users) = users.get_mut(look) {
                users.push(rule);
            }
        };
        for rule in 0..self.ends.len() {
            self.best(rule, |_| true).1.iter().for_each(|look| add(&mut users, *look, rule));
        }
        let mut worth = Worthwhile(users.iter().map(|users| !users.is_empty()).collect());
        let mut order: Vec<Look> = (0..all).filter(|look| worth.holds(look)).collect();
        order.sort_by_key(|look| (users.get(*look).map_or(0, Vec::len), parts(*look, columns)));
        for look in order {
            let cost = cost(look, columns);
            let own = users.get_mut(look).map(std::mem::take).unwrap_or_default();
            let mut saved = 0.0;
            let mut moves = Vec::with_capacity(own.len());
            for rule in own {
                let (with, _) = self.best(rule, |l| worth.holds(l));
                let (without, looks) = self.best(rule, |l| *l != look && worth.holds(l));
                saved += without - with;
                moves.push((rule, looks));
                if saved >= cost {
                    break;
                }
            }
            if saved < cost {
                worth.remove(look);
                for (rule, looks) in moves {
                    looks.iter().for_each(|look| add(&mut users, *look, rule));
                }
            }
        }
        worth
    }

    /// All ways into a rule, as far as they say something, with the share of messages that take them; the rarest first.
    pub(super) fn all(&self, rule: usize) -> impl Iterator<Item = (f64, Way)> {
        self.of_rule(rule).iter().map(|ranked| (ranked.share, ranked.way))
    }

    /// The ways into a rule that need no other looks than these, with the share of messages that take them; the rarest first.
    pub(super) fn reached<'c>(
        &'c self,
        rule: usize,
        worth: &'c Worthwhile,
    ) -> impl Iterator<Item = (f64, Way)> + 'c {
        let reached =
            self.of_rule(rule).iter().filter(|ranked| self.looks(ranked).iter().all(|l| worth.holds(l)));
        reached.map(|ranked| (ranked.share, ranked.way))
    }
}

/// The looks that are made.
pub(super) struct Worthwhile(Vec<bool>);

impl Worthwhile {
    fn holds(&self, look: &Look) -> bool {
        self.0.get(*look).copied().unwrap_or(false)
    }

    fn remove(&mut self, look: Look) {
        if let Some(made) = self.0.get_mut(look) {
            *made = false;
        }
    }

    /// Places of the columns that are looked at, in the columns' order.
    pub(super) fn columns(&self, all: &[Column]) -> Vec<usize> {
        let looked_at = self.0.chunks(HOWS).zip(0..).filter(|(made, _)| made.contains(&true));
        let mut places: Vec<usize> = looked_at.map(|(_, place)| place).collect();
        places.sort_unstable_by_key(|place| all.get(*place));
        places
    }
}
