//! Measuring one workload.
//!
//! Comes in: rules and messages. Goes out: [`Figures`], only if the matcher's answers are those of the naive reference. Ours and the
//! peers of the bound take turns over all messages, so that whatever else the machine does falls on all of them; each time is
//! processor time, of the best pass of several. Percentiles are over messages, each with the best of its passes on the clock.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::digest::{difference, summary};
use crate::naive::Naive;
use crate::ours::{Ours, make};
use crate::stopwatch::Stopwatch;
use crate::workload::{Variant, Workload};

/// How long each workload is measured, at most by one pass.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Passes are made until so much time is over.
    pub budget: Duration,
    /// And at least so many.
    pub passes: usize,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Of which variant.
    pub variant: Variant,
    /// With how many rules.
    pub rules: usize,
    /// Rules that a message matches, on average.
    pub matches: f64,
    /// Microseconds a message: split the envelope, look at its topic, match; only which rules fire.
    pub matching_us: f64,
    /// The same with runs and arguments.
    pub judging_us: f64,
    /// The daemon's validating intake, if it was built in.
    pub intake_us: Option<f64>,
    /// `serde_json::Value` of the same bytes: P.
    pub value_us: f64,
    /// Microseconds at p50, p99 and p99.9 of the messages.
    pub percentiles_us: [f64; 3],
    /// Seconds to compile (from text to the checked graph) and to build the artifact.
    pub compile_s: [f64; 2],
    /// Seconds to parse, measured by itself: a part of those to compile.
    pub parse_s: f64,
    /// Seconds from the artifact's bytes to the first message's answer.
    pub load_s: f64,
    /// Bytes of the artifact.
    pub artifact_bytes: usize,
    /// Of the artifact, what the matcher reads.
    pub matching_bytes: usize,
}

impl Figures {
    /// P/T.
    pub fn ratio(&self) -> f64 {
        self.value_us / self.matching_us
    }

    /// Seconds from text to the artifact.
    pub fn compile_all_s(&self) -> f64 {
        self.compile_s.iter().sum()
    }

    /// Bytes that the matcher reads, for each rule.
    pub fn bytes_a_rule(&self) -> f64 {
        count(self.matching_bytes) / count(self.rules)
    }
}

/// Measures.
///
/// # Errors
/// The program is refused, or the answers are wrong: then there is no time to tell.
pub fn measure(work: &Workload, variant: Variant, effort: Effort) -> Result<Figures, String> {
    let made = make(&work.program)?;
    let messages: Result<Vec<&str>, _> = work.messages.iter().map(|bytes| str::from_utf8(bytes)).collect();
    let messages = messages.map_err(|error| error.to_string())?;
    let first = messages.first().copied().unwrap_or_default();
    let start = Stopwatch::start();
    let ours = Ours::load(&made.artifact)?;
    black_box(ours.matches(first));
    let load_s = start.elapsed().as_secs_f64();
    let matches = same_as_naive(work, &ours)?;
    let [matching_us, judging_us, value_us] = take_turns(
        &messages,
        effort,
        [&|text| ours.matches(text), &|text| ours.judges(text), &|text| {
            serde_json::from_slice::<serde_json::Value>(text.as_bytes())
                .map_or(0, |value| usize::from(value.is_object()))
        }],
    );
    Ok(Figures {
        variant,
        rules: work.rules.len(),
        matches,
        matching_us,
        judging_us,
        intake_us: intake(&messages, effort),
        value_us,
        percentiles_us: percentiles(&messages, effort, &|text| ours.matches(text)),
        compile_s: [made.compile, made.build].map(|step| step.as_secs_f64()),
        parse_s: made.parse.as_secs_f64(),
        load_s,
        artifact_bytes: made.artifact.len(),
        matching_bytes: ours.matching_bytes(),
    })
}

/// The mean number of matches, if all answers are right.
fn same_as_naive(work: &Workload, ours: &Ours) -> Result<f64, String> {
    let naive = Naive::new(&work.topics, &work.rules);
    let numbered = || work.messages.iter().enumerate();
    let expected: Vec<_> = numbered().flat_map(|(at, bytes)| naive.judge(at, bytes)).collect();
    let got: Vec<_> = numbered().flat_map(|(at, bytes)| ours.judge(at, bytes)).collect();
    let mean = count(expected.len()) / count(work.messages.len());
    if summary(got.clone()) == summary(expected.clone()) {
        Ok(mean)
    } else {
        Err(format!("wrong answers, so there is no time to tell: {}", difference(&got, &expected)))
    }
}

/// Something to do with a message; the number keeps the compiler from leaving it out.
type Work<'w> = &'w dyn Fn(&str) -> usize;

/// Microseconds a message of each, in their best pass.
fn take_turns<const N: usize>(messages: &[&str], effort: Effort, works: [Work<'_>; N]) -> [f64; N] {
    let mut best = [Duration::MAX; N];
    let start = Instant::now();
    let mut passes = 0;
    while passes < effort.passes || start.elapsed() < effort.budget {
        for (work, best) in works.iter().zip(&mut best) {
            let pass = Stopwatch::start();
            for text in messages {
                black_box(work(black_box(text)));
            }
            *best = (*best).min(pass.elapsed());
        }
        passes += 1;
    }
    best.map(|pass| micros(pass) / count(messages.len()))
}

/// p50, p99 and p99.9 over messages, each with its best of five.
fn percentiles(messages: &[&str], effort: Effort, work: Work<'_>) -> [f64; 3] {
    let mut best = vec![Duration::MAX; messages.len()];
    for _ in 0..effort.passes.max(3) {
        for (bytes, best) in messages.iter().zip(&mut best) {
            let start = Instant::now();
            black_box(work(black_box(bytes)));
            *best = (*best).min(start.elapsed());
        }
    }
    best.sort_unstable();
    let at =
        |per_mille: usize| best.get(best.len().saturating_mul(per_mille) / 1_000).map_or(0.0, |d| micros(*d));
    [at(500), at(990), at(999)]
}

#[cfg(feature = "intake")]
fn intake(messages: &[&str], effort: Effort) -> Option<f64> {
    let [us] = take_turns(messages, effort, [&crate::ours::intake]);
    Some(us)
}

#[cfg(not(feature = "intake"))]
fn intake(_messages: &[&str], _effort: Effort) -> Option<f64> {
    None
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}
