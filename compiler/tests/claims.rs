//! What the lints claim is so: a condition called "never true" never is, one called "always true" always is, a rule called needless
//! adds nothing; and a message that was made up does what it was made for. Checked on random programs and messages.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod random;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use random::{DECLARATIONS, facts, message, program, program_of};
use serde_json::Value as Json;
use taskbot_compiler::{Beside, Diagnostic, Domains, SourceText, compile, lint, witness};
use taskbot_graph::{Answer, FactKey, Graph, Verdict, explain, judge};

const MESSAGES: usize = 100;

/// Programs; `TASKBOT_PROGRAMS` sets another number.
fn runner() -> TestRunner {
    let cases = std::env::var("TASKBOT_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    TestRunner::new(Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() })
}

type Known = BTreeMap<FactKey, Answer>;

/// The part of a condition that a lint speaks of as a rule of its own, if it can stand alone.
fn alone(text: &str, found: &Diagnostic) -> Option<Graph> {
    let place = found.primary.place;
    let part = text.get(place.start as usize..place.end as usize)?;
    let line = text.get(..place.start as usize)?.rsplit('\n').next()?;
    let event = line.split(" where ").next()?.split(" on ").nth(1)?;
    let rule = format!("{DECLARATIONS}rule part on {event} where {part} run three(n: 1) for mode in [red]\n");
    compile(&[SourceText { path: "part.tb".into(), text: rule }], &[]).graph
}

fn holds_on(
    graph: &Graph,
    messages: &[(&'static str, Json)],
    facts: &Known,
    claim: &str,
    text: &str,
) -> Result<usize, TestCaseError> {
    let mut looked = 0;
    for (topic, body) in messages {
        for report in explain(graph, topic, &serde_json::to_vec(body).unwrap(), facts).rules {
            let fired = match report.verdict {
                Verdict::Fired { .. } => true,
                Verdict::ConditionFailed { .. } => false,
                _ => continue,
            };
            looked += 1;
            prop_assert_eq!(fired, claim == "TB0602", "{} is said of {} but {} {}", claim, text, topic, body);
        }
    }
    Ok(looked)
}

/// Every run that the needless rule asks for, the other one asks for as well.
fn adds_nothing(
    graph: &Graph,
    messages: &[(&'static str, Json)],
    facts: &Known,
    needless: &str,
    other: &str,
) -> Result<(), TestCaseError> {
    for (topic, body) in messages {
        let judgement = judge(graph, topic, &serde_json::to_vec(body).unwrap(), facts);
        let undecided = judgement.parked.iter().any(|p| p.reason.rule == other)
            || judgement.refused.iter().any(|r| r.rule.as_deref() == Some(other));
        for run in judgement.runs.iter().filter(|_| !undecided) {
            let by: BTreeSet<&str> = run.asks.iter().map(|ask| ask.reason.rule.as_str()).collect();
            prop_assert!(
                !by.contains(needless) || by.contains(other),
                "{needless} alone asks for {}",
                run.key()
            );
        }
    }
    Ok(())
}

#[test]
fn what_lints_say_of_conditions_is_so() {
    let (claims, looked) = (Cell::new(0usize), Cell::new(0usize));
    let strategy = (program(), prop::collection::vec(message(), MESSAGES), facts());
    let outcome = runner().run(&strategy, |(text, messages, facts)| {
        let compiled = program_of(&text);
        let graph = compiled.graph.clone().unwrap();
        for found in lint(&compiled, &Domains::default()) {
            match found.code.id {
                "TB0601" | "TB0602" => {
                    let Some(graph) = alone(&text, &found) else { continue };
                    claims.set(claims.get() + 1);
                    let part = text
                        .get(found.primary.place.start as usize..found.primary.place.end as usize)
                        .unwrap();
                    looked.set(looked.get() + holds_on(&graph, &messages, &facts, found.code.id, part)?);
                }
                "TB0604" => {
                    let mut names = found.message.split('`').skip(1).step_by(2);
                    let (Some(needless), Some(other)) = (names.next(), names.next()) else {
                        panic!("{found:?}")
                    };
                    claims.set(claims.get() + 1);
                    adds_nothing(&graph, &messages, &facts, needless, other)?;
                }
                _ => {}
            }
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(
        claims.get() > 50 && looked.get() > 300,
        "hardly any claims: {} on {} cases",
        claims.get(),
        looked.get()
    );
}

#[test]
fn a_rule_that_fires_somewhere_has_a_witness_most_of_the_time() {
    let (fired, made) = (Cell::new(0usize), Cell::new(0usize));
    let strategy = (program(), prop::collection::vec(message(), MESSAGES), facts());
    let outcome = runner().run(&strategy, |(text, messages, facts)| {
        let graph = program_of(&text).graph.unwrap();
        let mut names: BTreeSet<String> = BTreeSet::new();
        for (topic, body) in &messages {
            let judgement = judge(&graph, topic, &serde_json::to_vec(body).unwrap(), &facts);
            names.extend(judgement.runs.iter().flat_map(|r| &r.asks).map(|ask| ask.reason.rule.clone()));
        }
        for (at, rule) in graph.rules.iter().enumerate().filter(|(_, r)| names.contains(&r.name)) {
            fired.set(fired.get() + 1);
            // What it is made for was confirmed by the matcher before it was given.
            if witness((&graph, at), Beside::Nothing).is_some() {
                made.set(made.get() + 1);
            } else if std::env::var_os("TASKBOT_SHOW").is_some() {
                println!(
                    "no witness: {}",
                    text.lines().find(|l| l.contains(&format!("rule {} ", rule.name))).unwrap()
                );
            }
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(
        made.get() * 10 >= fired.get() * 8,
        "{} witnesses for {} rules that fire",
        made.get(),
        fired.get()
    );
}
