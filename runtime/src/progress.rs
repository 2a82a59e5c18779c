//! Progress: what an observer is told while it happens, for progress bars and `demo`.
//!
//! Comes in: moves of messages and runs, once they are durable. Goes out: events on a bounded channel. A slow
//! observer loses events, the daemon never waits; nothing durable depends on them.

use serde::Serialize;
use tokio::sync::mpsc;

use crate::dispatch::{self, RunState};
use crate::message::MessageText;
use crate::store::{Admitted, AdmittedAs, Released, RunId};

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Progress {
    /// The daemon is ready: sources are started.
    Ready {
        /// Hash of the rule set.
        generation: String,
        /// Names of the sources.
        sources: Vec<String>,
    },
    /// A message's fate is durable.
    Message {
        /// Its topic as sent, escaped for display.
        topic: Option<String>,
        /// What it counts as.
        fate: AdmittedAs,
        /// Runs that it made, each in one line, escaped for display.
        runs: Vec<String>,
        /// (rule, subject) pairs that wait for facts.
        parked: usize,
        /// Why it was set aside, escaped for display.
        reasons: Vec<String>,
    },
    /// A decision that waited for facts went on, or held requests were let go.
    Decided {
        /// The message's topic as sent, escaped for display; none: of several messages.
        topic: Option<String>,
        /// Runs that it made, each in one line, escaped for display.
        runs: Vec<String>,
        /// (rule, subject) pairs that still wait.
        parked: usize,
    },
    /// A run stands somewhere new.
    Run {
        /// Its number.
        id: RunId,
        /// Its task and arguments in one line, escaped for display.
        run: String,
        /// Its state.
        state: RunState,
        /// Number of the attempt.
        attempt: u32,
    },
    /// A run downloads something, and has for a while.
    Download {
        /// Its number.
        id: RunId,
        /// The file that comes now, escaped for display.
        file: String,
        /// Bytes of it that are here.
        done_bytes: u64,
        /// All its bytes, where the server says.
        total_bytes: Option<u64>,
    },
    /// A rule set was loaded while running.
    Reloaded {
        /// Its hash.
        generation: String,
    },
    /// A rule set was refused; the old one stays.
    ReloadRefused {
        /// Why.
        reason: String,
    },
    /// A source ended.
    SourceEnded {
        /// Its name.
        source: String,
        /// Why, if not by itself.
        error: Option<String>,
    },
}

/// Where progress goes; silent without an observer.
#[derive(Clone, Debug, Default)]
pub struct Observer(Option<mpsc::Sender<Progress>>);

impl Observer {
    /// Sends to this channel.
    pub fn new(sender: Option<mpsc::Sender<Progress>>) -> Self {
        Self(sender)
    }

    /// Tells the observer, if it keeps up.
    pub fn tell(&self, progress: Progress) {
        if let Some(sender) = &self.0 {
            let _ = sender.try_send(progress);
        }
    }

    /// Tells of an admitted message.
    pub fn admitted(&self, admitted: &Admitted) {
        let shown = |text: &str| MessageText::new(text).to_string();
        self.tell(Progress::Message {
            topic: admitted.topic.as_ref().map(MessageText::to_string),
            fate: admitted.kind,
            runs: admitted.new_runs.iter().map(|run| shown(&run.key)).collect(),
            parked: admitted.parked,
            reasons: admitted.reasons.iter().map(|reason| shown(reason)).collect(),
        });
    }
}

impl Observer {
    /// Tells of a message that was judged again.
    pub fn decided(&self, admitted: &Admitted) {
        self.tell(Progress::Decided {
            topic: admitted.topic.as_ref().map(MessageText::to_string),
            runs: admitted.new_runs.iter().map(|run| MessageText::new(&run.key).to_string()).collect(),
            parked: admitted.parked,
        });
    }
}

impl Observer {
    /// Tells of runs that held requests made.
    pub fn released(&self, released: &Released) {
        if !released.new_runs.is_empty() {
            let runs = released.new_runs.iter().map(|run| MessageText::new(&run.key).to_string()).collect();
            self.tell(Progress::Decided { topic: None, runs, parked: 0 });
        }
    }
}

impl dispatch::Observe for Observer {
    fn moved(&self, run: RunId, key: &str, progress: &dispatch::Progress) {
        let shown = MessageText::new(key);
        tracing::debug!(%run, key = %shown, state = %progress.state, attempt = progress.attempt, "run");
        self.tell(Progress::Run {
            id: run,
            run: shown.to_string(),
            state: progress.state,
            attempt: progress.attempt,
        });
    }
}
