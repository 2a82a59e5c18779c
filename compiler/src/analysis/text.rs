//! Text: is there one that all patterns allow?
//!
//! Comes in: what is said of a text: equalities, sets, globs, regular expressions, each asserted or denied. Goes out: the shortest text
//! that fits, a proof that there is none, or neither. Globs and regular expressions become automata over bytes that are walked
//! in step; a bound on their states keeps this short.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind, util::start};
use taskbot_graph::{CompareOp, Glob, Value};

use super::Verdict;
use super::predicate::{Pred, Said};

/// States of one automaton, in bytes of its table.
const AUTOMATON_BYTES: usize = 1 << 20;
/// Combinations of states that are walked through.
const STEPS: usize = 20_000;

/// An automaton in its current state; a match that was seen stays seen.
struct Walker {
    dfa: Shared,
    /// Whether it has to match.
    holds: bool,
}

type States = Vec<(StateID, bool)>;

/// An automaton, none of whose walkers changes it.
type Shared = Rc<dense::DFA<Vec<u32>>>;

/// Patterns of a text, each asserted or denied.
type Patterns = Vec<(String, bool)>;

/// Automata by their pattern, and what was found of texts: rules share most of them.
#[derive(Debug, Default)]
pub(super) struct Known {
    automata: RefCell<HashMap<String, Option<Shared>>>,
    samples: RefCell<HashMap<Patterns, Verdict<String>>>,
}

impl Known {
    fn automaton(&self, pattern: &str) -> Option<Shared> {
        if let Some(known) = self.automata.borrow().get(pattern) {
            return known.clone();
        }
        let made = automaton(pattern).map(Rc::new);
        self.automata.borrow_mut().insert(pattern.to_owned(), made.clone());
        made
    }
}

/// The shortest text that is none of `besides` and that everything said allows.
pub(super) fn sample(known: &Known, besides: &[String], said: &[Said<'_>]) -> Verdict<String> {
    let mut patterns = Patterns::new();
    for (pred, holds) in said {
        let (pattern, holds) = match pred {
            Pred::Like(glob) => match Glob::new(glob) {
                Ok(glob) => (glob.regex(), *holds),
                Err(_) => return Verdict::Unknown,
            },
            Pred::Matches(pattern) => (pattern.clone(), *holds),
            Pred::Compare(CompareOp::Equal, value) => (exact(value), *holds),
            Pred::Compare(CompareOp::NotEqual, value) => (exact(value), !holds),
            // No value: nothing is in it, and everything is not.
            Pred::In(values) if values.is_empty() && *holds => return Verdict::Impossible,
            Pred::In(values) if values.is_empty() => continue,
            Pred::In(values) => (values.iter().map(exact).collect::<Vec<_>>().join("|"), *holds),
            _ => return Verdict::Unknown,
        };
        patterns.push((pattern, holds));
    }
    if !besides.is_empty() {
        let listed: Vec<String> = besides.iter().map(|t| exact(&Value::Text(t.as_str().into()))).collect();
        patterns.push((listed.join("|"), false));
    }
    patterns.sort();
    patterns.dedup();
    if let Some(found) = known.samples.borrow().get(&patterns) {
        return found.clone();
    }
    let found = search(known, &patterns);
    known.samples.borrow_mut().insert(patterns, found.clone());
    found
}

fn search(known: &Known, patterns: &[(String, bool)]) -> Verdict<String> {
    let mut walkers = Vec::with_capacity(patterns.len());
    for (pattern, holds) in patterns {
        match known.automaton(pattern) {
            Some(dfa) => walkers.push(Walker { dfa, holds: *holds }),
            None => return Verdict::Unknown,
        }
    }
    // Something that people can read, if there is; else any text decides whether there is anything at all.
    if let Verdict::Possible(text) = walk(&walkers, &(b' '..=b'~').collect::<Vec<u8>>()) {
        return Verdict::Possible(text);
    }
    // Text is UTF-8: other bytes prove nothing.
    match known.automaton(r"(?s)\A.*\z") {
        Some(dfa) => walkers.push(Walker { dfa, holds: true }),
        None => return Verdict::Unknown,
    }
    match walk(&walkers, &(0..=255).collect::<Vec<u8>>()) {
        Verdict::Impossible => Verdict::Impossible,
        _ => Verdict::Unknown,
    }
}

fn exact(value: &Value) -> String {
    format!(r"(?:\A{}\z)", regex_syntax::escape(&value.text()))
}

fn automaton(pattern: &str) -> Option<dense::DFA<Vec<u32>>> {
    dense::Builder::new()
        .configure(
            dense::Config::new()
                .start_kind(StartKind::Unanchored)
                .match_kind(MatchKind::All)
                .dfa_size_limit(Some(AUTOMATON_BYTES))
                .determinize_size_limit(Some(AUTOMATON_BYTES * 4)),
        )
        .syntax(syntax::Config::new())
        .thompson(thompson::Config::new().nfa_size_limit(Some(AUTOMATON_BYTES)))
        .build(pattern)
        .ok()
}

/// The first of all bytes that no automaton tells apart.
fn representatives(walkers: &[Walker], bytes: &[u8]) -> Vec<u8> {
    let mut seen: HashSet<Vec<u8>> = HashSet::new();
    let classes = |byte: u8| walkers.iter().map(|w| w.dfa.byte_classes().get(byte)).collect();
    bytes.iter().copied().filter(|byte| seen.insert(classes(*byte))).collect()
}

/// Walks all automata in step, breadth first, over these bytes.
fn walk(walkers: &[Walker], bytes: &[u8]) -> Verdict<String> {
    let bytes = representatives(walkers, bytes);
    let mut start = States::with_capacity(walkers.len());
    for walker in walkers {
        match walker.dfa.start_state(&start::Config::new().anchored(Anchored::No)) {
            Ok(state) => start.push((state, walker.dfa.is_match_state(state))),
            Err(_) => return Verdict::Unknown,
        }
    }
    // Each combination once, with the one before it and the byte that led here.
    let mut seen: HashMap<States, Option<(usize, u8)>> = HashMap::from([(start.clone(), None)]);
    let mut order: Vec<States> = vec![start.clone()];
    let mut from: Vec<Option<(usize, u8)>> = vec![None];
    let mut queue = VecDeque::from([0usize]);
    while let Some(at) = queue.pop_front() {
        let Some(states) = order.get(at).cloned() else { break };
        if accepted(walkers, &states) {
            return match text_of(at, &from) {
                Some(text) => Verdict::Possible(text),
                None => Verdict::Unknown,
            };
        }
        for byte in &bytes {
            let next: States = walkers
                .iter()
                .zip(&states)
                .map(|(walker, (state, matched))| {
                    let state = walker.dfa.next_state(*state, *byte);
                    (state, *matched || walker.dfa.is_match_state(state))
                })
                .collect();
            if walkers.iter().zip(&next).any(|(w, (state, _))| w.dfa.is_quit_state(*state)) {
                return Verdict::Unknown;
            }
            if hopeless(walkers, &next) || seen.contains_key(&next) {
                continue;
            }
            if order.len() >= STEPS {
                return Verdict::Unknown;
            }
            seen.insert(next.clone(), Some((at, *byte)));
            from.push(Some((at, *byte)));
            queue.push_back(order.len());
            order.push(next);
        }
    }
    Verdict::Impossible
}

/// Whether the text may end here.
fn accepted(walkers: &[Walker], states: &States) -> bool {
    walkers.iter().zip(states).all(|(walker, (state, matched))| {
        let end = walker.dfa.next_eoi_state(*state);
        (*matched || walker.dfa.is_match_state(end)) == walker.holds
    })
}

/// Whether nothing that follows can help: a denied pattern has matched, or an asserted one can no longer.
fn hopeless(walkers: &[Walker], states: &States) -> bool {
    walkers.iter().zip(states).any(|(walker, (state, matched))| {
        if walker.holds { !matched && walker.dfa.is_dead_state(*state) } else { *matched }
    })
}

fn text_of(mut at: usize, from: &[Option<(usize, u8)>]) -> Option<String> {
    let mut bytes = Vec::new();
    while let Some(Some((before, byte))) = from.get(at) {
        bytes.push(*byte);
        at = *before;
    }
    bytes.reverse();
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(said: &[(Pred, bool)]) -> Verdict<String> {
        let said: Vec<Said<'_>> = said.iter().map(|(pred, holds)| (pred, *holds)).collect();
        sample(&Known::default(), &[], &said)
    }

    fn regex(pattern: &str) -> Pred {
        Pred::Matches(pattern.to_owned())
    }

    #[test]
    fn the_shortest_text_that_fits() {
        let glob = Pred::Like("python3-*".into());
        assert_eq!(found(&[(glob.clone(), true)]), Verdict::Possible("python3-".into()));
        let not = Pred::Compare(CompareOp::Equal, Value::Text("python3-".into()));
        let other = found(&[(glob, true), (not, false)]);
        assert!(
            matches!(&other, Verdict::Possible(t) if t.len() == 9 && t.starts_with("python3-")),
            "{other:?}"
        );
        assert_eq!(
            found(&[(regex("^f[3-9][3-9]$"), true), (regex("4"), true)]),
            Verdict::Possible("f34".into())
        );
    }

    #[test]
    fn what_excludes_each_other_is_impossible() {
        assert_eq!(found(&[(regex("^f"), true), (regex("^g"), true)]), Verdict::Impossible);
        assert_eq!(found(&[(regex("^f3"), true), (Pred::Like("f*".into()), false)]), Verdict::Impossible);
        assert_eq!(found(&[(regex(""), false)]), Verdict::Impossible);
    }

    #[test]
    fn what_is_too_large_is_not_decided() {
        assert_eq!(found(&[(regex(r"\w{200}x\w{200}"), true)]), Verdict::Unknown);
    }
}
