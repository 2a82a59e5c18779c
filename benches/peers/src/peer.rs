//! What an engine is asked.
//!
//! Comes in: rules, messages' bytes. Goes out: which rules fire. Nearly all engines know no topics: each gets the rules of one topic only.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use taskbot_benches::program::covered;
use taskbot_benches::rule::Rule;
use taskbot_benches::workload::Workload;

/// An engine.
pub trait Peer {
    /// Takes a rule. The error says what it lacks to express it exactly.
    fn add(&mut self, rule: &Rule) -> Result<(), String>;

    /// Numbers of the rules that fire.
    fn fired(&mut self, envelope: &[u8], out: &mut Vec<usize>);
}

/// Something for each topic.
pub struct ByTopic<'w, T> {
    work: &'w Workload,
    places: HashMap<&'w str, usize>,
    all: Vec<T>,
}

impl<'w, T> ByTopic<'w, T> {
    /// One for each topic.
    pub fn new(work: &'w Workload, mut make: impl FnMut(usize) -> T) -> Self {
        let names = &work.topics.names;
        let places = names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        Self { work, places, all: (0..names.len()).map(&mut make).collect() }
    }

    /// Those of the topics that a rule covers.
    pub fn of_rule(
        &mut self,
        rule: &Rule,
        mut tell: impl FnMut(&mut T) -> Result<(), String>,
    ) -> Result<(), String> {
        covered(&self.work.topics, rule.on)
            .into_iter()
            .filter_map(|at| self.all.get_mut(at).map(&mut tell))
            .collect()
    }

    /// That of a message's topic, `org.example.prod.` and the like left out.
    pub fn of_topic(&mut self, topic: &str) -> Option<&mut T> {
        let topic = topic.splitn(4, '.').nth(3)?;
        self.all.get_mut(*self.places.get(topic)?)
    }
}

/// What of an envelope matching needs.
#[derive(Deserialize)]
pub struct Envelope<'m> {
    /// The whole topic.
    #[serde(borrow)]
    pub topic: Cow<'m, str>,
    /// The body's text.
    #[serde(borrow)]
    pub msg: &'m RawValue,
}

/// Splits an envelope; each engine reads the body in its own way.
pub fn split(envelope: &[u8]) -> Option<Envelope<'_>> {
    serde_json::from_slice(envelope).ok()
}
