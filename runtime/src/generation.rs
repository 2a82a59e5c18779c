//! A generation: one loaded rule set, by which a message is judged as a whole.
//!
//! Comes in: an artifact's bytes. Goes out: a shared, immutable rule set with its hash. A reload replaces the current
//! one between two messages; what was parked is judged on by the generation that parked it.

use std::collections::HashMap;
use std::sync::Arc;

use taskbot_graph::{Clauses, Graph, LoadError};

/// A loaded rule set.
#[derive(Debug)]
pub struct Generation {
    /// What decisions are recorded under.
    pub hash: String,
    /// The rules.
    pub graph: Graph,
    /// The bytes that it was loaded from.
    pub artifact: Arc<[u8]>,
    /// Places of the rules that have windows, limits or a priority.
    with_clauses: HashMap<String, usize>,
}

impl Generation {
    /// Reads and validates an artifact.
    pub fn load(artifact: &[u8]) -> Result<Self, LoadError> {
        let graph = Graph::from_bytes(artifact)?;
        let plain = Clauses::default();
        let rules = graph.rules.iter().enumerate().filter(|(_, rule)| rule.clauses != plain);
        let with_clauses = rules.map(|(at, rule)| (rule.name.clone(), at)).collect();
        Ok(Self { hash: graph.hash(), graph, artifact: artifact.into(), with_clauses })
    }

    /// The windows, limits and priority of a rule; none: it has none, or there is no such rule.
    pub fn clauses(&self, rule: &str) -> Option<&Clauses> {
        let at = self.with_clauses.get(rule)?;
        self.graph.rules.get(*at).map(|rule| &rule.clauses)
    }
}
