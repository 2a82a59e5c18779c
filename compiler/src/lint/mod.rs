//! Lints: what compiles and is most likely not what its author meant.
//!
//! Comes in: a compiled program without errors, and what is known about the world outside of it (`Domains`). Goes out: warnings,
//! by place. Each lint is one file: its code, what it looks for, its tests. A lint that cannot decide says nothing. It changes
//! nothing: the graph is the same whether it was linted or not.

mod always_true;
mod contradicts_enum;
mod never_true;
mod same_run;
mod shadowed_rule;
mod unused_let;

use std::collections::{BTreeMap, BTreeSet};

use taskbot_graph::{Graph, Place, Rule};

use crate::analysis::Analysis;
use crate::diagnostic::{Code, Diagnostic};
use crate::lower::Parts;
use crate::{Compiled, Origin};

/// A lint.
pub(crate) struct Lint {
    /// What it reports.
    pub(crate) code: &'static Code,
    /// Looks at a whole program.
    pub(crate) check: fn(&Context<'_>, &mut Vec<Diagnostic>),
}

/// Every lint, by code.
pub(crate) const LINTS: &[&Lint] = &[
    &never_true::LINT,
    &always_true::LINT,
    &contradicts_enum::LINT,
    &shadowed_rule::LINT,
    &same_run::LINT,
    &unused_let::LINT,
];

/// What is known about the world that rules speak of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domains {
    /// By fact (`nvr.lang`): every key that its provider has an answer for.
    pub keys: BTreeMap<String, BTreeSet<String>>,
}

/// What a lint looks at.
pub(crate) struct Context<'c> {
    /// The program: trees, types, diagnostics.
    pub(crate) compiled: &'c Compiled,
    /// Its graph.
    pub(crate) graph: &'c Graph,
    /// What its conditions can be.
    pub(crate) analysis: Analysis<'c>,
    /// What is known beside it.
    pub(crate) domains: &'c Domains,
}

impl<'c> Context<'c> {
    /// The user's own rules, with their places in the graph and the parts of their conditions.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (usize, &'c Rule, &'c Parts)> {
        let rules = self.graph.rules.iter().enumerate().zip(&self.compiled.parts);
        rules.map(|((at, rule), parts)| (at, rule, parts)).filter(|(at, ..)| {
            self.graph.sources.rules.get(*at).is_some_and(|source| self.own(source.place.file))
        })
    }

    /// Where a rule stands, without its condition and what follows: its event.
    pub(crate) fn rule_place(&self, at: usize) -> Option<Place> {
        self.graph.sources.rules.get(at).map(|source| source.place)
    }

    /// The text at a place.
    pub(crate) fn text(&self, place: Place) -> &'c str {
        let file = self.compiled.files.get(place.file as usize).map_or("", |f| f.text.as_str());
        file.get(place.start as usize..place.end as usize).unwrap_or_default()
    }

    /// Whether a file is the user's own: the standard library is not linted.
    pub(crate) fn own(&self, file: u32) -> bool {
        self.compiled.origins.get(file as usize) == Some(&Origin::Own)
    }
}

/// Lints a program; nothing for one with errors.
pub fn lint(compiled: &Compiled, domains: &Domains) -> Vec<Diagnostic> {
    let Some(graph) = &compiled.graph else { return Vec::new() };
    let context = Context { compiled, graph, analysis: Analysis::new(graph), domains };
    let mut found = Vec::new();
    for lint in LINTS {
        (lint.check)(&context, &mut found);
    }
    found.retain(|d| context.own(d.primary.place.file));
    found.sort_by_key(|d| (d.primary.place.file, d.primary.place.start, d.code.id));
    found
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{SourceText, compile};

    /// Codes of the lints of one file, which must compile.
    pub(crate) fn codes(text: &str) -> Vec<&'static str> {
        linted(text, &Domains::default()).iter().map(|d| d.code.id).collect()
    }

    /// The lints of one file, which must compile.
    pub(crate) fn linted(text: &str, domains: &Domains) -> Vec<Diagnostic> {
        let compiled = compile(&[SourceText { path: "rules.tb".into(), text: text.to_owned() }], &[]);
        assert_eq!(compiled.diagnostics, [], "{text}");
        lint(&compiled, domains)
    }

    #[test]
    fn lints_are_in_order_and_in_the_registry() {
        assert!(LINTS.is_sorted_by(|a, b| a.code.id < b.code.id));
        assert!(LINTS.iter().all(|lint| lint.code.is_lint() && crate::CODES.contains(&lint.code)));
    }
}
