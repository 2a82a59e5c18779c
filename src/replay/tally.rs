//! What a replay counts: messages by their fate, runs by rule and task, facts that are missing, what was set aside.
//!
//! Comes in: each message's judgement and the runs that it made. Goes out: sums, times and a few examples, so that an archive of any
//! length needs the same memory. It prints nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use taskbot_graph::{Answer, FactKey, Facts, Graph, Judgement, Parked, Rule};
use taskbot_runtime::effect::Timestamp;
use taskbot_runtime::intake::Quarantine;
use taskbot_runtime::message::Message;

use crate::admission::{KeptBack, Made};
use crate::archive::{LinePlace, sent_at};

/// Keys of a missing fact that are kept as examples.
const KEYS_KEPT: usize = 1_000;
/// Different reasons for setting messages aside that are kept.
const REASONS_KEPT: usize = 100;
const HOUR: Duration = Duration::from_hours(1);

/// Everything that is counted.
pub struct Tally {
    /// Messages by their fate.
    pub messages: Messages,
    /// The rules that were asked for, in the order of their files.
    pub rules: Vec<RuleTally>,
    /// Runs of each task.
    pub tasks: BTreeMap<String, usize>,
    /// Runs.
    pub runs: usize,
    /// Runs asked for again by another message of the same happening.
    pub merged: usize,
    /// Decisions that wait for a fact that nobody gave, by fact.
    pub missing: BTreeMap<String, Missing>,
    /// Decisions that will never be made, for the table has no such key, by fact.
    pub undecided: BTreeMap<String, Missing>,
    /// What was set aside, in the order in which each reason came first.
    pub aside: Vec<Aside>,
    /// Further reasons, which were not kept.
    pub more_reasons: usize,
}

/// Lines of the archive by their fate; all but the first and the last two add up to the first.
#[derive(Debug, Default, Serialize)]
pub struct Messages {
    /// All lines.
    pub read: usize,
    /// Judged, and nothing about them was refused.
    pub judged: usize,
    /// Of those that were judged before.
    pub duplicate: usize,
    /// No rule waits for them.
    pub no_event: usize,
    /// Of a prefix or environment that is not accepted.
    pub other_environment: usize,
    /// Set aside, wholly or for some rules.
    pub quarantined: usize,
    /// Sent outside of the time that was asked for.
    pub outside: usize,
    /// When the first judged one was sent.
    pub first: Option<Timestamp>,
    /// When the last judged one was sent.
    pub last: Option<Timestamp>,
}

/// What one rule did.
#[derive(Debug, Serialize)]
pub struct RuleTally {
    /// Its name.
    pub rule: String,
    /// The event that it waits for.
    pub event: String,
    /// Messages that are this event.
    pub seen: usize,
    /// Runs that it asked for and that were made.
    pub runs: usize,
    /// Decisions that wait for facts.
    pub waiting: usize,
    /// Whether the rule has windows that hold or refuse.
    pub windowed: bool,
    /// Requests that its windows held or refused.
    pub kept_back: KeptBack,
    /// When its first run was made.
    pub first: Option<Timestamp>,
    /// When its last run was made.
    pub last: Option<Timestamp>,
    /// Runs by hour since 1970.
    #[serde(skip)]
    hours: BTreeMap<i64, usize>,
}

/// A fact that decisions wait for.
#[derive(Debug, Default)]
pub struct Missing {
    /// Decisions that wait.
    pub waiting: usize,
    /// What it is asked about, at most [`KEYS_KEPT`].
    pub keys: BTreeSet<String>,
}

/// Why messages were set aside.
#[derive(Debug, Serialize)]
pub struct Aside {
    /// How many.
    pub times: usize,
    /// Topic of the first, as far as it could be read.
    pub topic: Option<String>,
    /// The event whose shape did not fit.
    pub event: Option<String>,
    /// The rule that could not be judged; none: no rule could.
    pub rule: Option<String>,
    /// What was expected and what was found.
    pub reason: String,
    /// Recording of the first.
    pub file: String,
    /// Line of the first.
    pub line: u64,
}

impl RuleTally {
    /// The beginning of the hour with the most runs, and their number.
    pub fn busiest(&self) -> Option<(Timestamp, usize)> {
        let (hour, runs) = self.hours.iter().max_by_key(|(hour, runs)| (**runs, -**hour))?;
        let millis = i64::try_from(HOUR.as_millis()).unwrap_or(i64::MAX);
        Some((Timestamp::from_millis(hour.saturating_mul(millis)), *runs))
    }

    fn ran(&mut self, at: Option<Timestamp>) {
        self.runs = self.runs.saturating_add(1);
        let Some(at) = at else { return };
        widen(&mut self.first, &mut self.last, at);
        let hour = at.millis().div_euclid(i64::try_from(HOUR.as_millis()).unwrap_or(i64::MAX));
        let runs = self.hours.entry(hour).or_default();
        *runs = runs.saturating_add(1);
    }
}

impl Tally {
    /// Nothing yet. Without names every rule counts.
    pub fn new(graph: &Graph, names: &[String]) -> Self {
        let wanted = graph.rules.iter().filter(|rule| names.is_empty() || names.contains(&rule.name));
        let rules = wanted.map(|rule| RuleTally {
            rule: rule.name.clone(),
            event: graph.events.get(rule.event as usize).map(|e| e.name.clone()).unwrap_or_default(),
            seen: 0,
            runs: 0,
            waiting: 0,
            windowed: is_windowed(rule),
            kept_back: KeptBack::default(),
            first: None,
            last: None,
            hours: BTreeMap::new(),
        });
        Self {
            messages: Messages::default(),
            rules: rules.collect(),
            tasks: BTreeMap::new(),
            runs: 0,
            merged: 0,
            missing: BTreeMap::new(),
            undecided: BTreeMap::new(),
            aside: Vec::new(),
            more_reasons: 0,
        }
    }

    fn rule(&mut self, name: &str) -> Option<&mut RuleTally> {
        self.rules.iter_mut().find(|rule| rule.rule == name)
    }

    /// Counts a line that is no message.
    pub fn unreadable(&mut self, place: &LinePlace, quarantine: &Quarantine) {
        self.messages.quarantined = self.messages.quarantined.saturating_add(1);
        let topic = quarantine.topic.as_ref().map(|topic| topic.expose().to_owned());
        self.set_aside(place, topic, None, None, &quarantine.reason);
    }

    /// Counts what was judged, apart from the runs.
    pub fn judged(&mut self, place: &LinePlace, message: &Message, judgement: &Judgement, facts: &dyn Facts) {
        let counts = &mut self.messages;
        let fate = if judgement.refused.is_empty() { &mut counts.judged } else { &mut counts.quarantined };
        *fate = fate.saturating_add(1);
        if let Some(at) = sent_at(message) {
            widen(&mut counts.first, &mut counts.last, at);
        }
        for rule in self.rules.iter_mut().filter(|rule| judgement.events.contains(&rule.event)) {
            rule.seen = rule.seen.saturating_add(1);
        }
        judgement.parked.iter().for_each(|parked| self.parked(parked, facts));
        for refusal in &judgement.refused {
            if refusal.rule.as_ref().is_none_or(|rule| self.rule(rule).is_some()) {
                let topic = Some(message.topic.expose().to_owned());
                self.set_aside(place, topic, Some(&refusal.event), refusal.rule.as_ref(), &refusal.reason);
            }
        }
    }

    /// A decision that waits; for good if the table has none of the keys.
    fn parked(&mut self, parked: &Parked, facts: &dyn Facts) {
        let Some(rule) = self.rule(&parked.reason.rule) else { return };
        rule.waiting = rule.waiting.saturating_add(1);
        let is_open = |need: &&FactKey| facts.answer(need) == Answer::NotAsked;
        let open = parked.needs.iter().any(|need| is_open(&need));
        let told = if open { &mut self.missing } else { &mut self.undecided };
        for need in parked.needs.iter().filter(|need| !open || is_open(need)) {
            let missing = told.entry(need.fact.clone()).or_default();
            missing.waiting = missing.waiting.saturating_add(1);
            if missing.keys.len() < KEYS_KEPT {
                missing.keys.insert(need.key.clone());
            }
        }
    }

    fn set_aside(
        &mut self,
        place: &LinePlace,
        topic: Option<String>,
        event: Option<&String>,
        rule: Option<&String>,
        reason: &str,
    ) {
        let same = |a: &&mut Aside| {
            a.reason == reason && a.event.as_ref() == event && a.rule.as_ref() == rule && a.topic == topic
        };
        if let Some(known) = self.aside.iter_mut().find(same) {
            known.times = known.times.saturating_add(1);
        } else if self.aside.len() < REASONS_KEPT {
            let (event, rule) = (event.cloned(), rule.cloned());
            let (file, line) = (place.file.clone(), place.line);
            self.aside.push(Aside { times: 1, topic, event, rule, reason: reason.to_owned(), file, line });
        } else {
            self.more_reasons = self.more_reasons.saturating_add(1);
        }
    }

    /// Takes over what windows did.
    pub fn kept_back(&mut self, by_rule: &BTreeMap<String, KeptBack>) {
        for rule in &mut self.rules {
            rule.kept_back = by_rule.get(&rule.rule).copied().unwrap_or_default();
        }
    }

    /// Counts a run, if one of the rules asked for it.
    pub fn run(&mut self, made: &Made) -> bool {
        let (at, run) = (made.at, &made.run);
        let mut names: Vec<&str> = run.asks.iter().map(|ask| ask.reason.rule.as_str()).collect();
        names.dedup();
        let mut wanted = false;
        for name in names {
            if let Some(rule) = self.rule(name) {
                rule.ran(at);
                wanted = true;
            }
        }
        if wanted {
            self.runs = self.runs.saturating_add(1);
            let runs = self.tasks.entry(run.task.clone()).or_default();
            *runs = runs.saturating_add(1);
        }
        wanted
    }
}

fn is_windowed(rule: &Rule) -> bool {
    let clauses = &rule.clauses;
    clauses.once.is_some() || clauses.quiet.is_some() || clauses.at_most.is_some()
}

fn widen(first: &mut Option<Timestamp>, last: &mut Option<Timestamp>, at: Timestamp) {
    *first = Some(first.map_or(at, |first| first.min(at)));
    *last = Some(last.map_or(at, |last| last.max(at)));
}
