//! What the tests of windows share: a store, messages that ask, and the clock in seconds.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests, each of which uses a part of it"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use taskbot_graph::{Argument, Happening, Reason};
use taskbot_runtime::admission::windows::{AtMost, Keyed, Windows};
use taskbot_runtime::admission::{Arrival, Decision, Fate, Request, Standing, WantedRun};
use taskbot_runtime::effect::Timestamp;
use taskbot_runtime::message::{Message, MessageText};
use taskbot_runtime::store::{Admitted, Durability, Reader, Released, RunRow, Store};

/// Seconds since a day in 2013.
pub fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_369_353_600_000).after(Duration::from_secs(seconds))
}

pub fn keyed(key: &str, seconds: u64) -> Option<Keyed> {
    Some(Keyed { key: key.into(), span: Duration::from_secs(seconds) })
}

pub fn once(key: &str, seconds: u64) -> Windows {
    Windows { once: keyed(key, seconds), ..Windows::default() }
}

pub fn quiet(key: &str, seconds: u64) -> Windows {
    Windows { quiet: keyed(key, seconds), ..Windows::default() }
}

pub fn at_most(runs: u32, seconds: u64) -> Windows {
    Windows { at_most: Some(AtMost { runs, span: Duration::from_secs(seconds) }), ..Windows::default() }
}

pub fn superseding(key: &str) -> Windows {
    Windows { superseding: Some(key.into()), ..Windows::default() }
}

pub fn request(rule: &str, windows: Windows) -> Request {
    let reason = Reason { rule: rule.into(), subject: None };
    Request { reason, axes: String::new(), windows, standing: Standing::default() }
}

/// A run of the task `look`.
pub fn run(package: &str, asks: Vec<Request>) -> WantedRun {
    WantedRun {
        key: format!("look({package})"),
        task: "look".into(),
        repository: "standard:look".into(),
        reference: None,
        arguments: vec![Argument { name: "package".into(), text: package.into(), json: package.into() }],
        asks,
        happening: None,
    }
}

/// The same, of something that several messages tell.
pub fn of_happening(key: &str, run: WantedRun) -> WantedRun {
    WantedRun { happening: Some(Happening { key: key.into(), within_seconds: 3600 }), ..run }
}

pub fn decision(runs: Vec<WantedRun>) -> Decision {
    Decision {
        generation: "rules".into(),
        events: vec!["e".into()],
        facts: Vec::new(),
        runs,
        parked: Vec::new(),
        undecided: Vec::new(),
        refused: Vec::new(),
        notes: Vec::new(),
    }
}

pub struct Bench {
    pub dir: tempfile::TempDir,
    pub store: Store,
    sent: std::cell::Cell<i64>,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path().to_owned());
        Self { dir, store, sent: std::cell::Cell::new(0) }
    }

    /// As after a crash: nothing but the file is left.
    pub fn restart(&mut self) {
        self.store = open(self.dir.path().to_owned());
    }

    /// A message that arrives and is decided; messages are named `m1`, `m2`, ... by their rows.
    pub fn tell(&self, seconds: u64, runs: Vec<WantedRun>) -> Admitted {
        self.sent.set(self.sent.get() + 1);
        let message = Message {
            id: MessageText::new(format!("m{}", self.sent.get())),
            topic: MessageText::new("org.example.prod.e"),
            body: b"{}".to_vec(),
            sent_at: None,
            source: "bus".into(),
        };
        let fate = Fate::Judged { message, decision: decision(runs) };
        let arrival = Arrival { received_at: at(seconds), source: "bus".into(), fate };
        block_on(self.store.admit(vec![arrival])).unwrap().remove(0)
    }

    /// A message that arrived and could not be decided yet; gives its row.
    pub fn park(&self, seconds: u64) -> i64 {
        self.tell(seconds, Vec::new());
        self.sent.get()
    }

    /// What a message that was parked asks for, decided now.
    pub fn decide(&self, row: i64, seconds: u64, runs: Vec<WantedRun>) -> Admitted {
        block_on(self.store.redecide(row, decision(runs), at(seconds))).unwrap()
    }

    pub fn release(&self, seconds: u64) -> Released {
        block_on(self.store.release(at(seconds))).unwrap()
    }

    pub fn reader(&self) -> Reader {
        Reader::open(self.dir.path()).unwrap()
    }

    /// Runs as they were made.
    pub fn runs(&self) -> Vec<RunRow> {
        self.reader().runs(1000).unwrap().into_iter().rev().collect()
    }

    /// What became of the first request of a message.
    pub fn state(&self, message: &str) -> String {
        self.reader().requests_of_message(message).unwrap()[0].state.clone()
    }

    /// What became of the first request of each message.
    pub fn states(&self) -> Vec<String> {
        (1..=self.sent.get()).map(|n| self.state(&format!("m{n}"))).collect()
    }
}

fn open(dir: PathBuf) -> Store {
    let store = Store::open(&dir, Durability::ProcessOnly).unwrap();
    block_on(store.keep_generation("rules".into(), Arc::from([]), at(0))).unwrap();
    store
}
