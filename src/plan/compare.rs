//! Two rule sets on the same messages.
//!
//! Comes in: two graphs, then messages one after another, each with the facts that are known. Goes out: for each rule, matched by
//! its name, the runs that it newly asks for, no longer asks for, and still asks for. It is pure: what a rule set asks for is the
//! matcher's word, windows and happenings (which have memory) are left out on both sides.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use taskbot_graph::{FactKey, Graph, Judgement, Rule, judge};

use super::definition::differences;
use super::witness::{Sample, Witness};
use crate::known_facts::KnownFacts;

/// Messages kept of a rule's event, from which a witness may be made.
const SAMPLES: usize = 8;

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Standing {
    /// Both rule sets say the same.
    Same,
    /// These parts differ.
    Changed {
        /// In words.
        parts: Vec<&'static str>,
    },
    /// Only the new rule set has it.
    Added,
    /// Only the old one has it.
    Removed,
}

/// Runs on one side of a difference.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Number of runs.
    pub runs: usize,
    /// Number of messages that ask for them.
    pub messages: usize,
    /// Number of runs of each task.
    pub tasks: BTreeMap<String, usize>,
    /// The first of them.
    pub first: Vec<Example>,
}

/// One run that a message asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// Id of the message.
    pub message: String,
    /// The run.
    pub run: String,
}

/// A message on which a difference depends on what nobody told.
#[derive(Clone, Debug, Serialize)]
pub struct Open {
    /// Id of the message.
    pub message: String,
    /// The facts.
    pub needs: Vec<FactKey>,
}

/// What the change means for one rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleChange {
    /// Its name.
    pub rule: String,
    /// What became of it.
    pub standing: Standing,
    /// Runs that only the new rule set asks for.
    pub newly: Tally,
    /// Runs that only the old one asks for.
    pub no_longer: Tally,
    /// Number of runs that both ask for.
    pub unchanged: usize,
    /// Number of messages for which facts would have to be known.
    pub open_messages: usize,
    /// The first of these.
    pub open: Vec<Open>,
    /// Messages that the rule newly cannot judge.
    pub newly_quarantined: usize,
    /// Messages that it can judge now.
    pub no_longer_quarantined: usize,
    /// Messages made up where the archive shows no difference.
    pub witnesses: Vec<Witness>,
    #[serde(skip)]
    pub samples: Vec<Sample>,
}

impl RuleChange {
    /// Whether the messages showed a difference.
    pub fn is_exercised(&self) -> bool {
        self.newly.runs > 0
            || self.no_longer.runs > 0
            || self.newly_quarantined > 0
            || self.no_longer_quarantined > 0
    }
}

/// Runs of a task, whichever rules ask for them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct TaskChange {
    /// Only with the new rule set.
    pub newly: usize,
    /// Only with the old one.
    pub no_longer: usize,
    /// With both.
    pub unchanged: usize,
}

/// What all messages showed.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// Rules of the new rule set in order, then those that only the old one has.
    pub rules: Vec<RuleChange>,
    /// Tasks by name.
    pub tasks: BTreeMap<String, TaskChange>,
    /// Number of messages.
    pub messages: usize,
}

impl Comparison {
    /// Whether anything changes, or may.
    pub fn has_changes(&self) -> bool {
        self.rules.iter().any(|rule| rule.standing != Standing::Same || rule.is_exercised())
    }
}

/// Compares while messages come.
pub struct Comparer<'g> {
    old: &'g Graph,
    new: &'g Graph,
    /// How many examples are kept of each kind.
    examples: usize,
    places: BTreeMap<String, usize>,
    comparison: Comparison,
}

/// What one rule set makes of one message, for one rule.
#[derive(Default)]
struct Side {
    /// Subject, key and task of each run.
    runs: Vec<(Option<usize>, String, String)>,
    parked: BTreeMap<Option<usize>, Vec<FactKey>>,
    refused: bool,
}

impl<'g> Comparer<'g> {
    /// Of two rule sets.
    pub fn new(old: &'g Graph, new: &'g Graph, examples: usize) -> Self {
        let mut rules = Vec::new();
        for rule in &new.rules {
            let standing = match find(old, &rule.name) {
                None => Standing::Added,
                Some(before) => match differences((old, before), (new, rule)) {
                    parts if parts.is_empty() => Standing::Same,
                    parts => Standing::Changed { parts },
                },
            };
            rules.push(change(&rule.name, standing));
        }
        let removed = old.rules.iter().filter(|rule| find(new, &rule.name).is_none());
        rules.extend(removed.map(|rule| change(&rule.name, Standing::Removed)));
        let places = rules.iter().enumerate().map(|(at, rule)| (rule.rule.clone(), at)).collect();
        let comparison = Comparison { rules, tasks: BTreeMap::new(), messages: 0 };
        Self { old, new, examples, places, comparison }
    }

    /// Judges a message with both.
    pub fn message(&mut self, id: &str, topic: &str, body: &[u8], facts: &KnownFacts) {
        self.comparison.messages = self.comparison.messages.saturating_add(1);
        let before = judge(self.old, topic, body, &facts.of(self.old));
        let after = judge(self.new, topic, body, &facts.of(self.new));
        let (mut old, mut new) = (sides(self.old, &before), sides(self.new, &after));
        let names: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
        for name in names {
            let Some(rule) = self.places.get(&name).and_then(|at| self.comparison.rules.get_mut(*at)) else {
                continue;
            };
            let (old, new) = (old.remove(&name).unwrap_or_default(), new.remove(&name).unwrap_or_default());
            rule.compare(id, old, new, self.examples);
        }
        self.keep_samples(id, topic, body, &before, &after);
        self.count_tasks(&before, &after);
    }

    /// What the messages showed.
    pub fn finish(self) -> Comparison {
        self.comparison
    }

    fn count_tasks(&mut self, before: &Judgement, after: &Judgement) {
        let keys = |judgement: &Judgement| -> BTreeMap<String, String> {
            judgement.runs.iter().map(|run| (run.key(), run.task.clone())).collect()
        };
        let (old, new) = (keys(before), keys(after));
        for (key, task) in &new {
            let change = self.comparison.tasks.entry(task.clone()).or_default();
            let count = if old.contains_key(key) { &mut change.unchanged } else { &mut change.newly };
            *count = count.saturating_add(1);
        }
        for (_, task) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
            let change = self.comparison.tasks.entry(task.clone()).or_default();
            change.no_longer = change.no_longer.saturating_add(1);
        }
    }

    /// Keeps the first messages of the events of rules that changed.
    fn keep_samples(&mut self, id: &str, topic: &str, body: &[u8], before: &Judgement, after: &Judgement) {
        for rule in self.comparison.rules.iter_mut().filter(|r| r.standing != Standing::Same) {
            let is = |graph: &Graph, judgement: &Judgement| {
                let event = find(graph, &rule.rule).and_then(|r| graph.events.get(r.event as usize));
                event.is_some_and(|event| judgement.events.contains(&event.name))
            };
            if rule.samples.len() < SAMPLES && (is(self.old, before) || is(self.new, after)) {
                rule.samples.push(Sample { id: id.to_owned(), topic: topic.to_owned(), body: body.to_vec() });
            }
        }
    }
}

/// A rule by its name.
pub fn find<'g>(graph: &'g Graph, name: &str) -> Option<&'g Rule> {
    graph.rules.iter().find(|rule| rule.name == name)
}

fn change(rule: &str, standing: Standing) -> RuleChange {
    RuleChange {
        rule: rule.to_owned(),
        standing,
        newly: Tally::default(),
        no_longer: Tally::default(),
        unchanged: 0,
        open_messages: 0,
        open: Vec::new(),
        newly_quarantined: 0,
        no_longer_quarantined: 0,
        witnesses: Vec::new(),
        samples: Vec::new(),
    }
}

fn sides(graph: &Graph, judgement: &Judgement) -> BTreeMap<String, Side> {
    let mut sides: BTreeMap<String, Side> = BTreeMap::new();
    for run in &judgement.runs {
        for ask in &run.asks {
            let side = sides.entry(ask.reason.rule.clone()).or_default();
            side.runs.push((ask.reason.subject, run.key(), run.task.clone()));
        }
    }
    for parked in &judgement.parked {
        let side = sides.entry(parked.reason.rule.clone()).or_default();
        side.parked.insert(parked.reason.subject, parked.needs.clone());
    }
    for refusal in &judgement.refused {
        let of_event = |rule: &&Rule| {
            graph.events.get(rule.event as usize).is_some_and(|event| event.name == refusal.event)
        };
        let rules = graph.rules.iter().filter(of_event);
        for rule in rules.filter(|rule| refusal.rule.as_ref().is_none_or(|name| *name == rule.name)) {
            sides.entry(rule.name.clone()).or_default().refused = true;
        }
    }
    sides
}

impl RuleChange {
    fn compare(&mut self, id: &str, old: Side, new: Side, examples: usize) {
        match (old.refused, new.refused) {
            (false, true) => self.newly_quarantined = self.newly_quarantined.saturating_add(1),
            (true, false) => self.no_longer_quarantined = self.no_longer_quarantined.saturating_add(1),
            _ => {}
        }
        let parked: BTreeMap<_, _> = old.parked.into_iter().chain(new.parked).collect();
        // What waits for the same in both is the same in both.
        if !parked.is_empty() && self.standing != Standing::Same {
            self.open_messages = self.open_messages.saturating_add(1);
            if self.open.len() < examples {
                let needs: BTreeSet<FactKey> = parked.values().flatten().cloned().collect();
                self.open.push(Open { message: id.to_owned(), needs: needs.into_iter().collect() });
            }
        }
        let asked = old.runs.iter().chain(&new.runs);
        let by_subject = asked.map(|(s, ..)| s).chain(parked.keys()).map(Option::is_some);
        let mixed = by_subject.clone().any(|s| s) && by_subject.clone().any(|s| !s);
        let open = |subject: &Option<usize>| parked.contains_key(subject) || mixed && !parked.is_empty();
        let keys = |runs: &[(Option<usize>, String, String)]| -> BTreeMap<String, String> {
            let decided = runs.iter().filter(|(subject, ..)| !open(subject));
            decided.map(|(_, key, task)| (key.clone(), task.clone())).collect()
        };
        let (before, after) = (keys(&old.runs), keys(&new.runs));
        self.unchanged =
            self.unchanged.saturating_add(after.keys().filter(|key| before.contains_key(*key)).count());
        self.newly.add(id, after.iter().filter(|(key, _)| !before.contains_key(*key)), examples);
        self.no_longer.add(id, before.iter().filter(|(key, _)| !after.contains_key(*key)), examples);
    }
}

impl Tally {
    fn add<'r>(&mut self, id: &str, runs: impl Iterator<Item = (&'r String, &'r String)>, examples: usize) {
        let before = self.runs;
        for (key, task) in runs {
            self.runs = self.runs.saturating_add(1);
            let count = self.tasks.entry(task.clone()).or_default();
            *count = count.saturating_add(1);
            if self.first.len() < examples {
                self.first.push(Example { message: id.to_owned(), run: key.clone() });
            }
        }
        self.messages = self.messages.saturating_add(usize::from(self.runs > before));
    }
}
