//! What a topic asks for: the events that its messages may be, and what is read of their bodies.
//!
//! Comes in: a matcher's declarations and a topic. Goes out: its plan, put together when the topic is first seen: patterns are
//! compared word by word, and the wanted paths of all its events become one trie, which knows who waits for what stands where.

use std::collections::{BTreeSet, HashMap};

use crate::artifact::tables::{Tables, operands, path_of};
use crate::body::{NameId, Wanted};
use crate::graph::{Dialect, Path, Presence, Root, TopicPlan};
use crate::index::{Level, Source};
use crate::matcher::Matcher;
use crate::node::{NONE, NodeId};
use crate::topic;
use crate::types::Type;

/// Topics and patterns, word by word.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    words: Vec<Word>,
}

#[derive(Debug, Default)]
struct Word {
    next: HashMap<Box<str>, usize>,
    any: Option<usize>,
    /// Events of patterns that end here with `#`.
    rest: Vec<u32>,
    /// Events of topics that end here.
    here: Vec<u32>,
}

impl Topics {
    pub(crate) fn new(plans: &[TopicPlan]) -> Self {
        let mut topics = Self { words: vec![Word::default()] };
        for plan in plans {
            let (pattern, open) = match plan.topic.strip_suffix('#') {
                Some(pattern) => (pattern.trim_end_matches('.'), true),
                None => (plan.topic.as_str(), false),
            };
            let mut at = 0;
            for word in pattern.split('.').filter(|_| !pattern.is_empty()) {
                at = topics.step(at, word);
            }
            if let Some(end) = topics.words.get_mut(at) {
                if open { end.rest.extend(&plan.events) } else { end.here.extend(&plan.events) }
            }
        }
        topics
    }

    fn step(&mut self, at: usize, word: &str) -> usize {
        let new = self.words.len();
        let Some(here) = self.words.get_mut(at) else { return at };
        let next = if word == "*" {
            *here.any.get_or_insert(new)
        } else if let Some(next) = here.next.get(word) {
            *next
        } else {
            here.next.insert(word.into(), new);
            new
        };
        if next == new {
            self.words.push(Word::default());
        }
        next
    }

    /// The events that a topic may be, ascending.
    pub(crate) fn events(&self, topic: &str) -> Vec<u32> {
        let mut events = Vec::new();
        let mut open = vec![(0, Some(topic))];
        while let Some((at, rest)) = open.pop() {
            let Some(word) = self.words.get(at) else { continue };
            events.extend(&word.rest);
            let Some(rest) = rest else {
                events.extend(&word.here);
                continue;
            };
            let (first, rest) = match rest.split_once('.') {
                Some((first, rest)) => (first, Some(rest)),
                None => (rest, None),
            };
            open.extend(word.next.get(first).copied().into_iter().chain(word.any).map(|next| (next, rest)));
        }
        events.sort_unstable();
        events.dedup();
        events
    }
}

/// What one topic needs.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Its events.
    pub(crate) events: Vec<PlannedEvent>,
    /// The ranks of all their rules.
    pub(crate) ranks: RankBlocks,
    /// What the columns of its events read.
    pub(crate) sources: Vec<Source>,
    /// Places of those that read nothing but the body.
    pub(crate) body_sources: Vec<u32>,
    /// What is read of the body.
    pub(crate) wanted: Wanted,
    /// For each path of the rule set its place among those that are read here, or `NONE`.
    pub(crate) path_places: Vec<u32>,
    /// Those paths.
    pub(crate) paths: Vec<u32>,
    /// Places of those that differ from subject to subject.
    pub(crate) subject_paths: Vec<u32>,
}

/// Which of all ranks some events have, by blocks of them: what the body leads to are mostly rules of other topics.
#[derive(Debug, Default)]
pub(crate) struct RankBlocks {
    /// One bit for each block.
    blocks: Vec<u64>,
    /// Of how many ranks a block is, as a power of two.
    shift: u32,
}

/// So many blocks are told apart at most.
const RANK_BLOCKS: usize = 1 << 14;

impl RankBlocks {
    fn of(ranks: impl Iterator<Item = [u32; 2]>, all: usize) -> Self {
        let shift = all.div_ceil(RANK_BLOCKS).next_power_of_two().trailing_zeros();
        let mut blocks = vec![0u64; (all >> shift).saturating_add(64) / 64];
        for [first, count] in ranks.filter(|[_, count]| *count > 0) {
            for block in first >> shift..=first.saturating_add(count.saturating_sub(1)) >> shift {
                if let Some(word) = blocks.get_mut((block / 64) as usize) {
                    *word |= 1 << (block % 64);
                }
            }
        }
        Self { blocks, shift }
    }

    /// Whether one of the events may have this rank.
    #[inline]
    pub(crate) fn may_hold(&self, rank: u32) -> bool {
        let block = rank >> self.shift;
        self.blocks.get((block / 64) as usize).is_some_and(|word| word >> (block % 64) & 1 == 1)
    }
}

/// An event that a topic's messages may be.
#[derive(Debug)]
pub(crate) struct PlannedEvent {
    /// Its place among all events.
    pub(crate) place: u32,
    /// Its rules, by rank: the first, and how many.
    pub(crate) ranks: [u32; 2],
    /// Its dialects that cover the topic.
    pub(crate) dialects: Vec<PlannedDialect>,
}

/// A dialect of an event.
#[derive(Debug)]
pub(crate) struct PlannedDialect {
    /// Its place among the event's.
    pub(crate) place: usize,
    /// For each of the event's columns its place among the plan's sources; `NONE`: the dialect does not define it.
    pub(crate) columns: Vec<u32>,
    /// The places of those that only this event reads.
    pub(crate) event_sources: Vec<u32>,
    /// The places of those that differ from subject to subject.
    pub(crate) subject_sources: Vec<u32>,
    /// For each of the event's values that is a path its place among the plan's paths, else `NONE`.
    pub(crate) value_paths: Vec<u32>,
}

impl Plan {
    /// None if no rule waits for the topic.
    pub(crate) fn new(matcher: &Matcher, topic: &str) -> Option<Self> {
        let events = matcher.topics.events(topic);
        if events.is_empty() {
            return None;
        }
        let mut plan = Self::default();
        let tables = matcher.tables();
        let mut paths = BTreeSet::new();
        let mut places = HashMap::new();
        for place in events {
            let Some(event) = matcher.declared.events.get(place as usize) else { continue };
            let covering = event.dialects.iter().enumerate().filter(|(_, dialect)| dialect.covers(topic));
            let mut dialects = Vec::new();
            for path in matcher.declared.raw_paths.get(place as usize).into_iter().flatten() {
                plan.want(matcher, *path, &[]);
                paths.insert(*path);
            }
            for (at, dialect) in covering {
                plan.want_dialect(matcher, &tables, dialect, &mut paths);
                dialects.push(plan.dialect(&tables, place, at, &mut places));
            }
            plan.events.push(PlannedEvent { place, ranks: tables.event(place).rules, dialects });
        }
        plan.ranks = RankBlocks::of(plan.events.iter().map(|event| event.ranks), tables.ranks.len());
        plan.path_places = vec![NONE; matcher.declared.paths.len()];
        for (at, id) in (0..).zip(paths) {
            let (Some(place), Some(path), Some(steps)) = (
                plan.path_places.get_mut(id as usize),
                matcher.declared.paths.get(id as usize),
                matcher.steps.get(id as usize),
            ) else {
                continue;
            };
            *place = at;
            plan.paths.push(id);
            plan.tell(path, steps, &matcher.names.all, at);
        }
        plan.find_values(matcher);
        Some(plan)
    }

    /// Finds out which values of the events are paths.
    fn find_values(&mut self, matcher: &Matcher) {
        let tables = matcher.tables();
        for event in &mut self.events {
            let Some(declared) = matcher.declared.events.get(event.place as usize) else { continue };
            for dialect in &mut event.dialects {
                let values = declared.dialects.get(dialect.place).map_or(&[][..], |d| d.values.as_slice());
                let place = |value: &Option<NodeId>| {
                    let path = path_of(&tables, (*value)?)?;
                    self.path_places.get(path as usize).copied()
                };
                dialect.value_paths = values.iter().map(|value| place(value).unwrap_or(NONE)).collect();
            }
        }
    }

    /// Sees to it that what a path reads is known once the body was read, if that is easily said.
    fn tell(&mut self, path: &Path, steps: &[NameId], names: &[Box<str>], at: u32) {
        if path.root == Root::Subject {
            return self.subject_paths.push(at);
        }
        let is_plain = matches!(path.ty, Type::String | Type::Int | Type::Bool | Type::Float);
        if is_plain && path.lists.is_empty() {
            self.wanted.tell_value(steps, names, at);
        }
        if path.presence == Presence::Optional {
            let objects = path.lists.first().map_or(steps.len(), |list| *list as usize);
            self.wanted.tell_absence(steps.get(..objects).unwrap_or_default(), names, at);
        }
    }

    /// A dialect with the sources of its columns. `places`: of the sources that are known.
    fn dialect(
        &mut self,
        tables: &Tables<'_>,
        event: u32,
        place: usize,
        places: &mut HashMap<u32, u32>,
    ) -> PlannedDialect {
        let [start, count] = tables.event(event).columns;
        let start = (start as usize).saturating_add(place.saturating_mul(count as usize));
        let columns = tables.words.get(start..).unwrap_or_default().iter().take(count as usize);
        let columns: Vec<u32> = columns.map(|source| self.source(tables, *source, places)).collect();
        let of_level = |level| {
            let at = |at: &u32| self.sources.get(*at as usize).is_some_and(|s| s.level() == level);
            columns.iter().copied().filter(at).collect()
        };
        let (event_sources, subject_sources) = (of_level(Level::Event), of_level(Level::Subject));
        PlannedDialect { place, columns, event_sources, subject_sources, value_paths: Vec::new() }
    }

    fn source(&mut self, tables: &Tables<'_>, source: u32, places: &mut HashMap<u32, u32>) -> u32 {
        if let Some(at) = places.get(&source) {
            return *at;
        }
        let Some(row) = Source::at(tables, source) else { return NONE };
        let at = crate::artifact::place(self.sources.len());
        if row.level() == Level::Body {
            self.body_sources.push(at);
        }
        self.sources.push(row);
        places.insert(source, at);
        at
    }

    /// Every path that a dialect reads: its required ones, its condition's, its values', its happening's.
    fn want_dialect(
        &mut self,
        matcher: &Matcher,
        tables: &Tables<'_>,
        dialect: &Dialect,
        paths: &mut BTreeSet<u32>,
    ) {
        let mut own: BTreeSet<u32> = dialect.required.iter().copied().collect();
        let happening = dialect.happening.iter().flat_map(|h| h.key.iter().copied());
        for root in
            dialect.condition.into_iter().chain(dialect.values.iter().flatten().copied()).chain(happening)
        {
            paths_below(tables, root, &mut own);
        }
        let subjects = dialect.subjects.as_deref().unwrap_or_default();
        let subjects: Vec<NameId> = subjects.iter().filter_map(|step| matcher.names.place(step)).collect();
        self.wanted.add(&subjects, &matcher.names.all);
        for path in own {
            self.want(matcher, path, &subjects);
            paths.insert(path);
        }
    }

    fn want(&mut self, matcher: &Matcher, path: u32, subjects: &[NameId]) {
        let (Some(path), Some(own)) =
            (matcher.declared.paths.get(path as usize), matcher.steps.get(path as usize))
        else {
            return;
        };
        let mut steps: Vec<NameId> = match path.root {
            Root::Body | Root::Raw => Vec::new(),
            Root::Subject => subjects.to_vec(),
        };
        steps.extend(own);
        self.want_type(matcher, &path.ty, &mut steps);
    }

    /// A path's end, or for a record the ends of its fields.
    fn want_type(&mut self, matcher: &Matcher, ty: &Type, steps: &mut Vec<NameId>) {
        self.wanted.add(steps, &matcher.names.all);
        match ty {
            Type::List(item) => self.want_type(matcher, item, steps),
            Type::Record(id) => {
                let names = matcher.fields.get(*id as usize).into_iter().flatten();
                let fields = matcher.declared.records.get(*id as usize).into_iter().flat_map(|r| &r.fields);
                for (name, field) in names.zip(fields) {
                    steps.push(*name);
                    self.want_type(matcher, &field.ty, steps);
                    steps.pop();
                }
            }
            _ => {}
        }
    }
}

impl Dialect {
    /// Whether one of its topics is, or covers, this one.
    pub fn covers(&self, topic: &str) -> bool {
        self.topics.iter().any(|t| t == topic || topic::matches(t, topic))
    }
}

/// The paths that a node reads.
fn paths_below(tables: &Tables<'_>, root: NodeId, paths: &mut BTreeSet<u32>) {
    let mut open = vec![root];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        paths.extend(path_of(tables, id));
        if let Some(node) = tables.node(id).filter(|_| seen.insert(id)) {
            operands(tables, node, &mut |operand| open.push(operand));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_of_the_events_are_never_missed() {
        for all in [1, 63, 64, 65, 20_000, 1_000_000] {
            let events = [[0, 1], [all / 3, 0], [all / 2, all / 7], [all - 1, 1]];
            let blocks = RankBlocks::of(events.into_iter(), all as usize);
            for [first, count] in events {
                assert!((first..first + count).all(|rank| blocks.may_hold(rank)), "{first} of {all}");
            }
            let others = (0..all).filter(|rank| blocks.may_hold(*rank)).count();
            assert!(others <= (all / 7 + 2 + 4 * 128) as usize, "{others} of {all}");
        }
    }

    #[test]
    fn topics_are_found_as_patterns_match_them() {
        let patterns = ["a.b", "a.*", "a.#", "#", "*.b.c", "a.*.c", "a.b.c", "*", "b.*.*"];
        let plans: Vec<TopicPlan> =
            (0u32..).zip(patterns).map(|(at, p)| TopicPlan { topic: p.into(), events: vec![at] }).collect();
        let topics = Topics::new(&plans);
        for topic in ["a", "a.b", "a.c", "a.b.c", "x.b.c", "b.b.b", "", "a.b.c.d", "a..c", ".b"] {
            let naive: Vec<u32> =
                (0u32..).zip(patterns).filter(|(_, p)| topic::matches(p, topic)).map(|(at, _)| at).collect();
            assert_eq!(topics.events(topic), naive, "{topic:?}");
        }
    }
}
