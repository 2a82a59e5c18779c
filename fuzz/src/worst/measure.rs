//! How long a message takes to be judged.
//!
//! Comes in: a case. Goes out: its cost: processor time of this thread, the least of several repetitions, beside what `serde_json`
//! takes to read the same bytes into a tree. The matcher counts steps but shows them to nobody, so time is all that a search can
//! go by; no test does. What the judgement holds is counted as well: that is the same on every machine.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use taskbot_compiler::{Severity, SourceText, compile};
use taskbot_graph::{Body, Graph, Judgement, NoFacts};

use super::case::{Case, MOST_BYTES, Topic};
use super::kind::By;
use super::{body, program};

/// Repetitions of what takes no time.
const REPETITIONS: usize = 5;
/// What takes longer is not repeated.
const LONG: Duration = Duration::from_millis(100);

/// A case, compiled.
pub struct Ready {
    /// Its program.
    pub program: String,
    /// Its message.
    pub body: String,
    graph: Graph,
    topic: Topic,
    topics: u64,
}

/// What a case costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Only which rules fire.
    pub fired: Duration,
    /// With what they ask for, and why others are set aside.
    pub judged: Duration,
    /// Reading the same bytes as a tree; none: they are no JSON.
    pub json: Option<Duration>,
    /// Of the message.
    pub bytes: usize,
    /// Of the program.
    pub program_bytes: usize,
}

/// What came of a message, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs that rules ask for.
    pub runs: usize,
    /// Who asks for them.
    pub asks: usize,
    /// What was refused.
    pub refused: usize,
    /// What was noted.
    pub notes: usize,
}

impl Ready {
    /// Compiles a case. The error is the compiler's, or says what is too large.
    ///
    /// # Errors
    /// The program does not compile, or program or message are too large.
    pub fn new(case: &Case) -> Result<Self, String> {
        let (program, body) = (program::text(case), body::text(case));
        if program.len().max(body.len()) > MOST_BYTES {
            return Err("more bytes than a case may have".to_owned());
        }
        let compiled = compile(&[SourceText { path: "hostile.tb".to_owned(), text: program.clone() }], &[]);
        let Some(graph) = compiled.graph else {
            let errors = compiled.diagnostics.iter().filter(|d| d.severity == Severity::Error);
            return Err(errors
                .map(|d| format!("{} {}", d.code.id, d.message))
                .collect::<Vec<_>>()
                .join("\n"));
        };
        Ok(Self { program, body, graph, topic: case.message.topic, topics: 0 })
    }

    /// Judges the message.
    pub fn judge(&mut self) -> Judgement {
        let topic = self.next_topic();
        self.graph.matcher().judge(&topic, Body::checked_before(&self.body), &NoFacts)
    }

    /// What comes of it.
    pub fn counts(&mut self) -> Counts {
        let judgement = self.judge();
        Counts {
            runs: judgement.runs.len(),
            asks: judgement.runs.iter().map(|run| run.asks.len()).sum(),
            refused: judgement.refused.len(),
            notes: judgement.notes.len(),
        }
    }

    fn next_topic(&mut self) -> String {
        if self.topic == Topic::Known {
            return "hostile.sent".to_owned();
        }
        self.topics = self.topics.saturating_add(1);
        format!("hostile.sent.{}", self.topics)
    }

    /// Measures the case.
    pub fn cost(&mut self) -> Cost {
        let fired = least(|| {
            let topic = self.next_topic();
            drop(self.graph.matcher().fired(&topic, Body::checked_before(&self.body), &NoFacts));
        });
        let judged = least(|| drop(self.judge()));
        let is_json = Body::check(self.body.as_bytes()).is_ok();
        let json =
            is_json.then(|| least(|| drop(black_box(serde_json::from_str::<serde_json::Value>(&self.body)))));
        Cost { fired, judged, json, bytes: self.body.len(), program_bytes: self.program.len() }
    }
}

impl Cost {
    /// What a search of a kind goes by.
    pub fn time(&self, by: By) -> Duration {
        match by {
            By::Fired => self.fired,
            By::Judged => self.judged,
        }
    }

    /// Nanoseconds for each byte that somebody had to send or to write. What is linear in both gains nothing by growing; what is
    /// their product, or the square of one, does.
    pub fn score(&self, by: By) -> f64 {
        nanoseconds(self.time(by)) / count(self.bytes.saturating_add(self.program_bytes))
    }

    /// How often the message could have been read as a tree in the same time.
    pub fn trees(&self, by: By) -> Option<f64> {
        self.json.map(|json| nanoseconds(self.time(by)) / nanoseconds(json).max(1.0))
    }
}

/// Nanoseconds as a number that can be divided.
pub fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// A count as a number that can be divided by; at least 1.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub fn count(number: usize) -> f64 {
    number.max(1) as f64
}

/// The least processor time of several repetitions.
fn least(mut work: impl FnMut()) -> Duration {
    let mut least = Duration::MAX;
    for repetition in 0..REPETITIONS {
        let begun = processor_time();
        work();
        least = least.min(processor_time().saturating_sub(begun));
        // The first one may have compiled regular expressions.
        if repetition > 0 && least > LONG {
            break;
        }
    }
    least
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
