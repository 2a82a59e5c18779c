//! Facts for commands that ask nobody: from a table file, from the store.
//!
//! Comes in: a TOML or JSON file as the table provider reads it (fact -> key -> value), and the answers that the daemon recorded.
//! Goes out: typed answers for a rule set. What neither holds is not asked yet: it is never guessed.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;
use taskbot_graph::{Answer, FactKey, Facts, Graph};
use taskbot_runtime::facts::read_table;
use taskbot_runtime::store::Reader;

use crate::output::{Failure, shown};

/// Answers as text of the outside world, not yet read as the types that a rule set declares.
#[derive(Clone, Debug, Default)]
pub struct KnownFacts {
    /// fact -> key -> value. A fact that stands here answers "no such key" for every other key, as the provider does.
    table: BTreeMap<String, BTreeMap<String, Json>>,
    /// What the daemon recorded; none: no such key.
    recorded: BTreeMap<FactKey, Option<Json>>,
}

impl KnownFacts {
    /// With the answers of a table file, each of the type that the rule sets declare: a wrong one is told, not left out.
    pub fn with_table(mut self, path: &Path, graphs: &[&Graph]) -> Result<Self, Failure> {
        let fail = |what: String| Failure::new(format!("{}: {what}", path.display()));
        let table = read_table(path).map_err(fail)?;
        self.table =
            serde_json::from_value(table).map_err(|_| fail("no table: write fact -> key -> value".into()))?;
        for graph in graphs {
            let declared = self.table.iter().filter(|(fact, _)| graph.facts.iter().any(|f| f.name == **fact));
            for (fact, keys) in declared {
                for (key, json) in keys.iter().filter(|(_, json)| !json.is_null()) {
                    let wrong = |why: String| fail(format!("{fact} of {}: {}", shown(key), shown(&why)));
                    graph.read_fact(fact, json).map_err(wrong)?;
                }
            }
        }
        Ok(self)
    }

    /// With the answers that a store holds.
    pub fn with_recorded(mut self, store: &Reader) -> Result<Self, Failure> {
        self.recorded = store.answers()?.into_iter().collect();
        Ok(self)
    }

    /// The answers as a rule set reads them.
    pub fn of<'k>(&'k self, graph: &'k Graph) -> TypedFacts<'k> {
        TypedFacts { known: self, graph }
    }

    fn find(&self, key: &FactKey) -> Option<Option<&Json>> {
        match self.table.get(&key.fact) {
            Some(keys) => Some(keys.get(&key.key).filter(|json| !json.is_null())),
            None => self.recorded.get(key).map(Option::as_ref),
        }
    }
}

/// Known facts, read as the types that a rule set declares. An answer of another type is none.
#[derive(Clone, Copy, Debug)]
pub struct TypedFacts<'k> {
    known: &'k KnownFacts,
    graph: &'k Graph,
}

impl Facts for TypedFacts<'_> {
    fn answer(&self, key: &FactKey) -> Answer {
        match self.known.find(key) {
            None => Answer::NotAsked,
            Some(None) => Answer::NoSuchKey,
            Some(Some(json)) => self.graph.read_fact(&key.fact, json).map_or(Answer::NotAsked, Answer::Known),
        }
    }
}
