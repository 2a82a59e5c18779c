//! What is measured: the only file that calls taskbot.
//!
//! Comes in: a program's text, envelopes. Goes out: an artifact with the times of its making, a rule set as the runtime loads it, and
//! what fires on a message. It is adapted to the matcher's public functions, so that generator, reference and table need not know them.

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Duration;

use taskbot_compiler::{Compiled, Severity, SourceText, compile};
use taskbot_graph::{Body, Judgement, Matcher, NoFacts, TopicFilter, topic_and_body};

use crate::naive::Firing;
use crate::stopwatch::Stopwatch;

/// A compiled program, and how long each step took.
pub struct Made {
    /// The artifact's bytes.
    pub artifact: Vec<u8>,
    /// From text to the checked graph: parsing, names, types, lowering.
    pub compile: Duration,
    /// Of that, from text to trees, measured by itself.
    pub parse: Duration,
    /// From the graph to the artifact, with all that it has to be indexed by.
    pub build: Duration,
}

/// A loaded program.
pub struct Ours {
    rules: Matcher,
    filter: TopicFilter,
}

/// Compiles a program.
///
/// # Errors
/// What is wrong with it, one line each.
pub fn make(program: &str) -> Result<Made, String> {
    let source = SourceText { path: "rules.tb".to_owned(), text: program.to_owned() };
    let start = Stopwatch::start();
    let compiled = compile(&[source], &[]);
    let compile = start.elapsed();
    let graph = compiled.graph.as_ref().ok_or_else(|| errors(&compiled))?;
    let start = Stopwatch::start();
    let artifact = graph.to_bytes();
    let build = start.elapsed();
    let start = Stopwatch::start();
    let trees = black_box(taskbot_grammar::parse(program));
    let parse = start.elapsed();
    drop(trees);
    Ok(Made { artifact, compile, parse, build })
}

fn errors(compiled: &Compiled) -> String {
    let errors = compiled.diagnostics.iter().filter(|d| d.severity == Severity::Error);
    let lines = errors.take(20).map(|d| {
        let file = compiled.files.get(d.primary.place.file as usize);
        let place = d.primary.place.start as usize..d.primary.place.end as usize;
        let text = file.and_then(|file| file.text.get(place)).unwrap_or_default();
        format!("{} {}: `{text}`", d.code.id, d.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl Ours {
    /// Loads an artifact. Messages of production and staging are both ours: a message that is passed over costs nothing.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn load(artifact: &[u8]) -> Result<Self, String> {
        let rules = Matcher::load(Cow::Borrowed(artifact)).map_err(|error| error.to_string())?;
        let filter = TopicFilter::new(&["*.*.prod", "*.*.stg"]).map_err(|error| error.to_string())?;
        Ok(Self { rules, filter })
    }

    /// Bytes of the artifact that the matcher reads.
    pub fn matching_bytes(&self) -> usize {
        self.rules.matching_bytes()
    }

    /// What fires on a message. A message that is refused for some rule is a wrong answer, never silence.
    pub fn judge(&self, message: usize, envelope: &[u8]) -> Vec<Firing> {
        let wrong = (message, usize::MAX, None);
        let Some(judgement) = str::from_utf8(envelope).ok().and_then(|text| self.judgement(text)) else {
            return vec![wrong];
        };
        let reasons = judgement.runs.iter().flat_map(|run| run.asks.iter().map(|ask| &ask.reason));
        let number = |rule: &str| rule.strip_prefix('r').and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
        let mut fired: Vec<Firing> =
            reasons.map(|reason| (message, number(&reason.rule), reason.subject)).collect();
        fired.extend(judgement.refused.iter().map(|_| wrong));
        fired
    }

    /// What is timed as matching: from an envelope, text since intake saw to it, to the rules that fire. Gives their number, each
    /// subject counted.
    pub fn matches(&self, envelope: &str) -> usize {
        self.message(envelope).map_or(0, |(topic, body)| self.rules.fired(topic, body, &NoFacts).len())
    }

    /// The same with all that a decision needs: runs, arguments, reasons.
    pub fn judges(&self, envelope: &str) -> usize {
        self.judgement(envelope).map_or(0, |judgement| judgement.runs.len())
    }

    fn judgement(&self, envelope: &str) -> Option<Judgement> {
        let (topic, body) = self.message(envelope)?;
        Some(self.rules.judge(topic, body, &NoFacts))
    }

    /// The two members of an envelope that matching needs.
    fn message<'m>(&self, envelope: &'m str) -> Option<(&'m str, Body<'m>)> {
        let (topic, body) = topic_and_body(envelope, "topic", "msg")?;
        let topic = topic.strip_prefix('"')?.strip_suffix('"')?;
        Some((self.filter.strip(topic)?, body))
    }
}

/// The daemon's intake before matching: one pass that refuses whatever is no message within the limits.
#[cfg(feature = "intake")]
pub fn intake(envelope: &str) -> usize {
    use taskbot_runtime::intake::{IntakeLimits, accept};
    use taskbot_runtime::source::Wire;
    let line = envelope.as_bytes().to_vec();
    accept(Wire::Record { line }, "bench", &IntakeLimits::default()).map_or(0, |message| message.body.len())
}
