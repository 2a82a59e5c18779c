//! A generation: one loaded rule set, by which a message is judged as a whole.
//!
//! Comes in: an artifact's bytes. Goes out: a shared, immutable rule set with its hash. A reload replaces the current
//! one between two messages; what was parked is judged on by the generation that parked it.

use std::sync::Arc;

use taskbot_graph::{Clauses, LoadError, Matcher};

/// A loaded rule set.
#[derive(Debug)]
pub struct Generation {
    /// What decisions are recorded under.
    pub hash: String,
    /// The rules.
    pub rules: Matcher,
    /// The bytes that it was loaded from, and that the rules read.
    pub artifact: Arc<[u8]>,
}

impl Generation {
    /// Reads and validates an artifact.
    pub fn load(artifact: &[u8]) -> Result<Self, LoadError> {
        let artifact: Arc<[u8]> = artifact.into();
        let rules = Matcher::load_in_place(Arc::new(Arc::clone(&artifact)))?;
        Ok(Self { hash: rules.hash(), rules, artifact })
    }

    /// The windows, limits and priority of a rule; none: it has none, or there is no such rule.
    pub fn clauses(&self, rule: &str) -> Option<Clauses> {
        self.rules.clauses(rule)
    }
}
