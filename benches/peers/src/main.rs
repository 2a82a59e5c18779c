//! The same rules and messages, given to other engines.
//!
//! Comes in: a variant, numbers of rules. Goes out: for each engine how many of the rules it can express exactly and which predicates it
//! lacks, whether its answers are right, and its time a message, reading included. Only rules that it can express are given to it. A
//! wrong answer, a panic, or more than a minute is told as such, in place of a time.
#![forbid(unsafe_code)]

mod a_tree;
mod expressions;
mod index_free;
mod peer;
mod quamina;

use std::collections::BTreeSet;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use clap::Parser;
use taskbot_benches::digest::summary;
use taskbot_benches::naive::{Firing, Naive};
use taskbot_benches::ours::{Ours, make};
use taskbot_benches::stopwatch::Stopwatch;
use taskbot_benches::vocabulary::Vocabulary;
use taskbot_benches::workload::{Variant, Workload, workload};

use peer::Peer;

/// Measures other engines on the same work.
#[derive(Parser)]
struct Options {
    #[arg(long, value_enum, default_value_t = Variant::Simple)]
    variant: Variant,
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    rules: Vec<usize>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these, by the beginning of their names.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// What an engine may take for building, and again for all messages.
const CAP: Duration = Duration::from_secs(60);

/// How a peer is made for a workload.
type Make = for<'w> fn(&'w Workload) -> Box<dyn Peer + 'w>;

const PEERS: [(&str, Make); 8] = [
    ("naive tree behind a topic hash", index_free::naive),
    ("quamina 0.7, one instance", quamina::whole),
    ("quamina 0.7, one per topic", quamina::by_topic),
    ("a-tree 0.6, one per topic", a_tree::by_topic),
    ("datalogic-rs 5", expressions::datalogic),
    ("rhai 1.27", expressions::rhai),
    ("cel 0.15", expressions::cel),
    ("jmespath 0.5", expressions::jmespath),
];

#[expect(clippy::print_stdout, reason = "a command's result")]
fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    println!(
        "| rules | engine | expressed | µs a message | lacks or fails |\n| --: | --- | --: | --: | --- |"
    );
    for rules in options.rules {
        let work = workload(options.variant, rules, options.seed, &Vocabulary::default());
        let naive = Naive::new(&work.topics, &work.rules);
        let messages = work.messages.iter().enumerate();
        let expected: Vec<Firing> = messages.flat_map(|(at, bytes)| naive.judge(at, bytes)).collect();
        println!("| {rules} | taskbot | 100 % | {} | |", ours(&work, &expected)?);
        for (name, make) in PEERS {
            if !options.only.is_empty() && !options.only.iter().any(|only| name.starts_with(only.as_str())) {
                continue;
            }
            let told = catch_unwind(AssertUnwindSafe(|| {
                let mut peer = make(&work);
                measure(&work, &expected, peer.as_mut())
            }));
            match told {
                Ok(row) => println!("| {rules} | {name} | {row} |"),
                Err(_) => println!("| {rules} | {name} | | | panics |"),
            }
        }
    }
    Ok(())
}

fn ours(work: &Workload, expected: &[Firing]) -> Result<String, Box<dyn Error>> {
    let ours = Ours::load(&make(&work.program)?.artifact)?;
    let messages = work.messages.iter().enumerate();
    let got: Vec<Firing> = messages.flat_map(|(at, bytes)| ours.judge(at, bytes)).collect();
    if summary(got) != summary(expected.to_vec()) {
        return Ok("wrong".to_owned());
    }
    Ok(best_of(work, 3, |bytes| {
        // Peers get bytes as well.
        std::hint::black_box(str::from_utf8(bytes).map_or(0, |text| ours.matches(text)));
    }))
}

/// Share of rules, time, what is lacking.
fn measure(work: &Workload, expected: &[Firing], peer: &mut dyn Peer) -> String {
    let start = Instant::now();
    let (mut accepted, mut lacking) = (BTreeSet::new(), BTreeSet::new());
    for rule in &work.rules {
        match peer.add(rule) {
            Ok(()) => drop(accepted.insert(rule.number)),
            Err(what) => drop(lacking.insert(what)),
        }
        if start.elapsed() > CAP {
            return format!("| | more than {} s to take {} rules", CAP.as_secs(), accepted.len());
        }
    }
    let share = 100 * accepted.len() / work.rules.len().max(1);
    let lacking = lacking.into_iter().collect::<Vec<_>>().join("; ");
    let expected: Vec<Firing> =
        expected.iter().filter(|(_, rule, _)| accepted.contains(rule)).copied().collect();
    let (mut got, start) = (Vec::new(), Instant::now());
    for (at, bytes) in work.messages.iter().enumerate() {
        let mut fired = Vec::new();
        peer.fired(bytes, &mut fired);
        got.extend(fired.into_iter().map(|rule| (at, rule, None)));
        if start.elapsed() > CAP {
            return format!("{share} % | | more than {} s for {at} messages; {lacking}", CAP.as_secs());
        }
    }
    let (got, expected) = (summary(got), summary(expected));
    if got != expected {
        let (fired, right) = (got.firings, expected.firings);
        return format!("{share} % | | wrong: {fired} rules fire, right are {right}; {lacking}");
    }
    let passes = if start.elapsed() > CAP / 4 { 1 } else { 3 };
    let time = best_of(work, passes, |bytes| peer.fired(bytes, &mut Vec::new()));
    format!("{share} % | {time} | {lacking}")
}

/// Microseconds a message, in the best of some passes.
fn best_of(work: &Workload, passes: usize, mut judge: impl FnMut(&[u8])) -> String {
    let mut best = Duration::MAX;
    for _ in 0..passes {
        let start = Stopwatch::start();
        work.messages.iter().for_each(|bytes| judge(bytes));
        best = best.min(start.elapsed());
    }
    let messages = u32::try_from(work.messages.len()).unwrap_or(1).max(1);
    format!("{:.2}", best.as_secs_f64() * 1e6 / f64::from(messages))
}
