//! Lints: what compiles and is most likely not what its author meant.
//!
//! Comes in: a compiled program without errors, and what is known about the world outside of it (`Domains`). Goes out: warnings,
//! by place. Each lint is one file: its code, what it looks for, its tests. A lint that cannot decide says nothing. It changes
//! nothing: the graph is the same whether it was linted or not.

mod always_true;
mod broad_rule;
mod comparisons;
mod contradicts_enum;
mod declared_topic;
mod deprecated;
mod digits;
mod duplicate_element;
mod duplicate_operand;
mod empty_list;
mod hard_coded_release;
mod needless_regex;
mod never_true;
mod only_negations;
mod pattern_gap;
mod regex_over_text;
mod same_run;
mod separator_in_element;
mod shadowed_rule;
mod task_not_pinned;
mod trees;
mod unanchored_regex;
mod undocumented;
mod unknown_package;
mod untested;
mod unused_import;
mod unused_let;
mod vacuous_quantifier;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use taskbot_grammar as tree;
use taskbot_graph::{Graph, Place, Rule};

use crate::analysis::Analysis;
use crate::diagnostic::{Code, Diagnostic};
use crate::lower::Parts;
use crate::typed::TypedEvent;
use crate::{Compiled, Origin};
use comparisons::{Comparison, Site};
use same_run::Pair;

/// A lint.
pub(crate) struct Lint {
    /// What it reports.
    pub(crate) code: &'static Code,
    /// Looks at a whole program.
    pub(crate) check: fn(&Context<'_>, &mut Vec<Diagnostic>),
}

/// Every lint, by code; those that are off by default look as well.
pub(crate) const LINTS: &[&Lint] = &[
    &never_true::LINT,
    &always_true::LINT,
    &contradicts_enum::LINT,
    &shadowed_rule::LINT,
    &same_run::LINT,
    &separator_in_element::LINT,
    &pattern_gap::LINT,
    &regex_over_text::LINT,
    &hard_coded_release::LINT,
    &only_negations::LINT,
    &unanchored_regex::LINT,
    &needless_regex::LINT,
    &unknown_package::LINT,
    &unused_let::LINT,
    &unused_import::LINT,
    &deprecated::LINT,
    &declared_topic::LINT,
    &vacuous_quantifier::LINT,
    &empty_list::LINT,
    &duplicate_element::LINT,
    &duplicate_operand::LINT,
    &broad_rule::LINT,
    &task_not_pinned::LINT,
    &undocumented::LINT,
    &untested::LINT,
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
    /// One's own rules, each with what it means.
    pub(crate) sites: Vec<Site<'c>>,
    /// Where their conditions compare something with literals.
    pub(crate) comparisons: Vec<Comparison<'c>>,
    /// Rules that ask for a same run, once a lint has asked.
    pairs: OnceCell<Vec<Pair>>,
}

impl<'c> Context<'c> {
    fn new(compiled: &'c Compiled, graph: &'c Graph, domains: &'c Domains) -> Self {
        let sites = comparisons::sites(compiled);
        let comparisons = comparisons::find(compiled, &sites);
        let (analysis, pairs) = (Analysis::new(graph), OnceCell::new());
        Self { compiled, graph, analysis, domains, sites, comparisons, pairs }
    }

    /// The user's own rules, with their places in the graph and the parts of their conditions.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (usize, &'c Rule, &'c Parts)> {
        let rules = self.graph.rules.iter().enumerate().zip(&self.compiled.parts);
        rules.map(|((at, rule), parts)| (at, rule, parts)).filter(|(at, ..)| {
            self.graph.sources.rules.get(*at).is_some_and(|source| self.own(source.place.file))
        })
    }

    /// The rules that ask for a same run.
    pub(crate) fn pairs(&self) -> &[Pair] {
        self.pairs.get_or_init(|| same_run::pairs(self))
    }

    /// Where a rule stands, without its condition and what follows: its event.
    pub(crate) fn rule_place(&self, at: usize) -> Option<Place> {
        self.graph.sources.rules.get(at).map(|source| source.place)
    }

    /// The trees of one's own files.
    pub(crate) fn own_trees(&self) -> impl Iterator<Item = (u32, &'c tree::File)> {
        let files = self.compiled.trees.iter().zip(&self.compiled.origins).zip(0..);
        files.filter(|((_, origin), _)| **origin == Origin::Own).map(|((tree, _), file)| (file, &**tree))
    }

    /// Declared events: without those that stand for raw topics.
    pub(crate) fn declared_events(&self) -> impl Iterator<Item = &'c TypedEvent> {
        let is_raw = |event: &&TypedEvent| event.name.starts_with("topic ");
        self.compiled.program.events.iter().filter(move |event| !is_raw(event))
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

/// Where a span of a file is.
pub(crate) fn place(file: u32, span: tree::Span) -> Place {
    Place { file, start: span.start, end: span.end }
}

/// Lints a program, also with what is off by default; nothing for one with errors.
pub fn lint(compiled: &Compiled, domains: &Domains) -> Vec<Diagnostic> {
    let Some(graph) = &compiled.graph else { return Vec::new() };
    let context = Context::new(compiled, graph, domains);
    let mut found = Vec::new();
    for lint in LINTS {
        let before = found.len();
        (lint.check)(&context, &mut found);
        debug_assert!(
            found.iter().skip(before).all(|d| d.code.id == lint.code.id),
            "a lint reports its own code"
        );
    }
    found.retain(|d| context.own(d.primary.place.file));
    found.sort_by_key(|d| (d.primary.place.file, d.primary.place.start, d.code.id));
    // A let is looked into wherever it is used, and told of once.
    found.dedup_by(|a, b| a.code.id == b.code.id && a.primary == b.primary && a.message == b.message);
    found
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::panic, reason = "tests")]
    use super::*;
    use crate::{Level, SourceText, compile};

    /// Codes of the lints of one file, which must compile, as far as they are on by default.
    pub(crate) fn codes(text: &str) -> Vec<&'static str> {
        linted(text, &Domains::default()).iter().map(|d| d.code.id).collect()
    }

    /// Codes of the lints of one file, which must compile, also of what is off by default.
    pub(crate) fn all_codes(text: &str) -> Vec<&'static str> {
        all(text, &Domains::default()).iter().map(|d| d.code.id).collect()
    }

    /// The lints of one file, which must compile, as far as they are on by default.
    pub(crate) fn linted(text: &str, domains: &Domains) -> Vec<Diagnostic> {
        let mut found = all(text, domains);
        found.retain(|d| d.code.level != Level::Off);
        found
    }

    fn all(text: &str, domains: &Domains) -> Vec<Diagnostic> {
        let compiled = compile(&[SourceText { path: "rules.tb".into(), text: text.to_owned() }], &[]);
        assert_eq!(compiled.diagnostics, [], "{text}");
        lint(&compiled, domains)
    }

    /// The program with the suggestion of its one finding taken; it must compile and be clean of the finding.
    pub(crate) fn mended(text: &str) -> String {
        let found = linted(text, &Domains::default());
        let [finding] = found.as_slice() else { panic!("{text}: {found:#?}") };
        let Some(suggestion) = &finding.suggestion else { panic!("{text}: no suggestion: {finding:#?}") };
        let mut mended = text.to_owned();
        let place = suggestion.place;
        mended.replace_range(place.start as usize..place.end as usize, &suggestion.text);
        assert!(!codes(&mended).contains(&finding.code.id), "{mended}");
        mended
    }

    #[test]
    fn lints_are_in_order_and_in_the_registry() {
        assert!(LINTS.is_sorted_by(|a, b| a.code.id < b.code.id));
        assert!(LINTS.iter().all(|lint| lint.code.is_lint() && crate::CODES.contains(&lint.code)));
    }
}
