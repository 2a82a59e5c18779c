//! What is measured: the only file that calls the matcher.
//!
//! Comes in: a program's text, envelopes. Goes out: a graph as the runtime loads it, and what fires on a message. Adapted to the matcher's
//! public functions, so that generator, reference and table need not know them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use taskbot_compiler::{Compiled, Severity, SourceText, compile};
use taskbot_graph::{Graph, NoFacts, TopicFilter, judge};

use crate::naive::Firing;

/// A loaded program.
pub struct Ours {
    graph: Graph,
    filter: TopicFilter,
}

/// The two members of an envelope that matching needs.
#[derive(Deserialize)]
struct Envelope<'m> {
    #[serde(borrow)]
    topic: Cow<'m, str>,
    #[serde(borrow)]
    msg: &'m RawValue,
}

/// Compiles a program to the artifact's bytes.
///
/// # Errors
/// What is wrong with it, one line each.
pub fn artifact(program: &str) -> Result<Vec<u8>, String> {
    let source = SourceText { path: "rules.tb".to_owned(), text: program.to_owned() };
    let compiled = compile(&[source], &[]);
    compiled.graph.as_ref().map(Graph::to_bytes).ok_or_else(|| errors(&compiled))
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
    /// Loads an artifact; messages of production and staging are both ours.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn load(artifact: &[u8]) -> Result<Self, String> {
        let graph = Graph::from_bytes(artifact).map_err(|error| error.to_string())?;
        let filter = TopicFilter::new(&["*.*.prod", "*.*.stg"]).map_err(|error| error.to_string())?;
        Ok(Self { graph, filter })
    }

    /// What fires on a message.
    pub fn judge(&self, message: usize, envelope: &[u8]) -> Vec<Firing> {
        let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(envelope) else { return Vec::new() };
        let Some(topic) = self.filter.strip(&envelope.topic) else { return Vec::new() };
        let judgement = judge(&self.graph, topic, envelope.msg.get().as_bytes(), &NoFacts);
        let reasons = judgement.runs.iter().flat_map(|run| run.asks.iter().map(|ask| &ask.reason));
        let number = |rule: &str| rule.strip_prefix('r').and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
        let mut fired: Vec<Firing> =
            reasons.map(|reason| (message, number(&reason.rule), reason.subject)).collect();
        // A message that is refused for a rule would be a wrong answer: it must not be mistaken for silence.
        fired.extend(judgement.refused.iter().map(|_| (message, usize::MAX, None)));
        fired
    }
}
