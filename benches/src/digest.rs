//! Whether two ways to judge agree.
//!
//! Comes in: firings in any order. Goes out: a digest of all of them, equal exactly where the sets are equal.

use sha2::{Digest, Sha256};

use crate::naive::Firing;

/// Digest and number of firings, each counted once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many there are.
    pub firings: usize,
    /// SHA-256 over the sorted firings, in hex.
    pub sha256: String,
}

/// Sums up.
pub fn summary(mut firings: Vec<Firing>) -> Summary {
    firings.sort_unstable();
    firings.dedup();
    let mut hash = Sha256::new();
    for (message, rule, subject) in &firings {
        let subject = subject.map_or_else(|| "-".to_owned(), |at| at.to_string());
        hash.update(format!("{message} r{rule} {subject}\n"));
    }
    Summary { firings: firings.len(), sha256: format!("{:x}", hash.finalize()) }
}

/// The first firings that only one of the two has, for people.
pub fn difference(ours: &[Firing], naive: &[Firing]) -> String {
    let of = |who: &str, these: &[Firing], others: &[Firing]| {
        let others: std::collections::BTreeSet<_> = others.iter().collect();
        let only: Vec<&Firing> = these.iter().filter(|firing| !others.contains(firing)).collect();
        format!("only {who} ({}): {:?}", only.len(), only.iter().take(5).collect::<Vec<_>>())
    };
    format!("{}; {}", of("ours", ours, naive), of("naive", naive, ours))
}
