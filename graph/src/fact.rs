//! Facts: typed values that no message holds, asked for lazily and never guessed.
//!
//! Comes in: keys that matching needs. Goes out: answers that somebody else found and recorded. Judging never waits: a fact
//! not asked yet leaves its rule undecided, and the caller asks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// Which fact, about what: `nvr.lang` of `curl`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FactKey {
    /// `type.name` of the declaration, `nvr.lang`.
    pub fact: String,
    /// Text of the key expression.
    pub key: String,
}

/// What is known of a fact.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Its value, of the declared type (see [`crate::Graph::read_fact`]).
    Known(Value),
    /// The provider says that there is no such key.
    NoSuchKey,
    /// Nobody has asked yet.
    NotAsked,
}

/// The facts recorded so far.
pub trait Facts {
    /// Looks a fact up; never blocks, never asks anybody.
    fn answer(&self, key: &FactKey) -> Answer;
}

/// Nothing is known yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFacts;

impl Facts for NoFacts {
    fn answer(&self, _key: &FactKey) -> Answer {
        Answer::NotAsked
    }
}

impl Facts for BTreeMap<FactKey, Answer> {
    fn answer(&self, key: &FactKey) -> Answer {
        self.get(key).cloned().unwrap_or(Answer::NotAsked)
    }
}
