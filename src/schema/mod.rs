//! `taskbot schema infer MESSAGES`: the declaration of events that have none.
//!
//! Comes in: recorded messages. Goes out: a .tb file with an event for each topic, its records and enums. `seen` counts what stood
//! where, `shape` decides types from the counts, `emit` writes the language. What the messages do not tell is a comment, never a
//! guess; the file is compiled before it is given out.

mod emit;
mod seen;
mod shape;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use taskbot_compiler::{Compiled, Severity, SourceText, compile};
use taskbot_graph::topic_matches;
use taskbot_runtime::effect::Timestamp;

use crate::archive::{Archive, Heard, sent_at};
use crate::output::{self, FINDINGS, Failure, Paint, count, shown};
use crate::site::Site;
use crate::{check, rules};
use seen::Seen;

/// Write declarations from messages.
#[derive(Debug, Subcommand)]
pub enum Schema {
    /// Write the event for a topic that has none, from recorded messages
    ///
    /// Reads messages (recordings as for `taskbot replay`) and writes an event for each topic that no declared event covers: the
    /// shape of its body, records, enums, subjects, with comments where the messages do not tell. Review it before use: rename
    /// it, and drop what no rule reads, for what is declared must be there.
    ///
    ///   taskbot schema infer messages.jsonl.gz --topic pagure.issue.new -o pagure.tb
    #[command(verbatim_doc_comment)]
    Infer(Infer),
}

/// `taskbot schema infer`
#[derive(Debug, Args)]
pub struct Infer {
    /// Recordings, JSON Lines (gzip too); a directory stands for those in it, `-` for standard input.
    #[arg(required = true)]
    messages: Vec<PathBuf>,
    /// Only this topic, without prefix and environment, also if an event covers it; `*` is one word.
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Files that declare events already, beside the standard library.
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Where to write it, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    site: Site,
}

/// What was seen of one topic.
#[derive(Debug, Default)]
pub struct Topic {
    /// Messages.
    pub messages: u64,
    /// When the first was sent.
    pub first: Option<Timestamp>,
    /// When the last was sent.
    pub last: Option<Timestamp>,
    /// Their bodies.
    pub body: Seen,
}

impl Schema {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Infer(infer) => infer.run(),
        }
    }
}

impl Infer {
    fn run(self) -> Result<ExitCode, Failure> {
        let config = self.site.config()?;
        let known = rules::load(&self.rules)?;
        if known.graph.is_none() {
            check::print_findings(&known, Paint::of(&io::stderr())).into_iter().for_each(output::remark);
            return Ok(ExitCode::from(FINDINGS));
        }
        let (topics, messages) = self.read(&known, Archive::open(&self.messages, &config)?)?;
        if topics.is_empty() {
            return Err(Failure::new(if messages == 0 {
                "there is no message from which to infer anything".to_owned()
            } else if self.topic.is_empty() {
                "every topic of these messages is covered by an event; name one with --topic to see it anew"
                    .to_owned()
            } else {
                format!(
                    "no message on {}: topics are written without prefix and environment",
                    self.topic.join(", ")
                )
            }));
        }
        let text = emit::file(&topics, &known.program);
        compiles(&text, &self.rules)?;
        match &self.output {
            None => output::line(text.trim_end()),
            Some(path) => {
                crate::compile::write(path, text.as_bytes())
                    .map_err(|e| Failure::new(format!("cannot write {}: {e}", path.display())))?;
                let messages = topics.values().map(|topic| topic.messages).sum::<u64>();
                let events = count(topics.len(), "event");
                output::remark(format!("{}: {events} from {messages} messages", path.display()));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Counts what stands where, topic by topic, and all messages.
    fn read(&self, known: &Compiled, archive: Archive) -> Result<(BTreeMap<String, Topic>, usize), Failure> {
        let mut topics: BTreeMap<String, Topic> = BTreeMap::new();
        let mut wanted: BTreeMap<String, bool> = BTreeMap::new();
        let (mut unreadable, mut messages) = (0_usize, 0_usize);
        for line in archive {
            let (topic, message) = match line?.1 {
                Heard::Message { topic, message } => (topic, message),
                Heard::OtherEnvironment(_) => continue,
                Heard::Unreadable(_) => {
                    unreadable = unreadable.saturating_add(1);
                    continue;
                }
            };
            messages = messages.saturating_add(1);
            if !*wanted.entry(topic.clone()).or_insert_with(|| self.is_wanted(known, &topic)) {
                continue;
            }
            let Ok(body) = serde_json::from_slice(&message.body) else { continue };
            let about = topics.entry(topic).or_default();
            about.messages = about.messages.saturating_add(1);
            about.body.see(&body);
            if let Some(at) = sent_at(&message) {
                about.first = Some(about.first.map_or(at, |first| first.min(at)));
                about.last = Some(about.last.map_or(at, |last| last.max(at)));
            }
        }
        if unreadable > 0 {
            output::remark(format!("{} passed over: no message", count(unreadable, "line")));
        }
        Ok((topics, messages))
    }

    fn is_wanted(&self, known: &Compiled, topic: &str) -> bool {
        if !emit::is_topic(topic) {
            output::remark(format!("passed over: {} is no topic that an event can name", shown(topic)));
            return false;
        }
        if !self.topic.is_empty() {
            return self.topic.iter().any(|pattern| topic_matches(pattern, topic));
        }
        let mut patterns = known.program.events.iter().flat_map(|e| &e.dialects).flat_map(|d| &d.topics);
        !patterns.any(|pattern| topic_matches(pattern, topic))
    }
}

/// What is given out is a program; anything else is a mistake of ours.
fn compiles(text: &str, rules: &[PathBuf]) -> Result<(), Failure> {
    let mut compiled = rules::load(rules)?;
    let mut sources: Vec<SourceText> = compiled
        .files
        .drain(..)
        .filter(|file| !file.path.starts_with("std/"))
        .map(|file| SourceText { path: file.path, text: file.text })
        .collect();
    sources.push(SourceText { path: "inferred.tb".into(), text: text.to_owned() });
    let compiled = compile(&sources, &[]);
    let error = compiled.diagnostics.iter().find(|d| d.severity == Severity::Error);
    error.map_or(Ok(()), |error| {
        Err(Failure::new(format!(
            "the inferred declaration does not compile ({}); infer one --topic at a time, and report this message",
            shown(&error.message)
        )))
    })
}
