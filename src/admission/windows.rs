//! What windows remember while an archive is replayed: what is held, what went through.
//!
//! Comes in: requests of rules in the order of the archive. Goes out: which of them go through, and when; those that were held,
//! replaced or refused are counted. What a window says is the daemon's own `admission::windows`; here is its memory, which is the
//! store's there. `superseding` and groups decide on runs that are under way, which nobody knows here: they are left out.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use taskbot_graph::Run;
use taskbot_runtime::admission::Request;
use taskbot_runtime::admission::windows::{self, Arrived, AtMost, Keyed, Quiet};
use taskbot_runtime::effect::Timestamp;

use super::Told;

/// How many keys are remembered before those that are over are looked for.
const KEYS_BEFORE_SWEEP: usize = 1 << 14;

/// The runs of a happening, or of a message that is none, and which rules are their reasons.
pub(super) type Instance = Rc<RefCell<HashSet<u64>>>;

/// Requests of a rule that did not go through at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeptBack {
    /// Held by `after ... quiet`.
    pub quiet: usize,
    /// Of those, given way to a newer message.
    pub replaced: usize,
    /// Refused by `once`.
    pub once: usize,
    /// Held by `at most`.
    pub at_most: usize,
}

/// One rule's request for a run of a message.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) told: Rc<Told>,
    pub(super) arrived: Arrived,
    pub(super) request: Request,
    /// The run, asked for by this rule alone.
    pub(super) run: Run,
    pub(super) instance: Instance,
    /// Of the run.
    pub(super) hash: u64,
    /// Of the run with the rule.
    pub(super) reason: u64,
}

impl Asking {
    fn rule(&self) -> &str {
        &self.request.reason.rule
    }

    fn exists(&self) -> bool {
        self.instance.borrow().contains(&self.hash)
    }

    /// Makes the run, or makes the rule one more reason of it; whether it is new.
    pub(super) fn make(&self) -> bool {
        let mut made = self.instance.borrow_mut();
        made.insert(self.reason);
        made.insert(self.hash)
    }
}

/// Whether a request stands in the line of `at most` already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Outside,
    First,
}

/// When a held request is due, and a number of its own.
type Due = (Timestamp, u64);

/// The memory of all windows.
#[derive(Debug, Default)]
pub(super) struct Windows {
    /// Held by `quiet`.
    quiet: BTreeMap<Due, Asking>,
    /// By rule and key, which those are.
    by_key: HashMap<(String, String), Vec<Due>>,
    /// Held by `at most`, by rule, in the order of arrival.
    lines: BTreeMap<String, VecDeque<Asking>>,
    /// By rule and key, what `once` let through, and for how long that counts.
    passed: HashMap<(String, String), (Duration, Vec<Arrived>)>,
    /// How many keys there were when those that are over were looked for.
    swept: usize,
    /// When rules with `at most` made runs, the newest first, as many as count.
    made: HashMap<String, VecDeque<Timestamp>>,
    /// By rule.
    pub(super) kept_back: BTreeMap<String, KeptBack>,
    numbers: u64,
}

impl Windows {
    /// Takes a request through its rule's windows; gives it back if it goes through now.
    pub(super) fn ask(&mut self, asking: Asking, now: Timestamp) -> Option<Asking> {
        // Another message of the happening told it: no new asking.
        if asking.request.windows.is_empty() || asking.instance.borrow().contains(&asking.reason) {
            return Some(asking);
        }
        let Some(window) = asking.request.windows.quiet.clone() else {
            return self.go_on(asking, Line::Outside, now);
        };
        let key = (asking.rule().to_owned(), window.key);
        self.replace_older(&key, asking.arrived);
        match windows::quiet(asking.arrived, window.span, []) {
            Quiet::Until(due) if due > now => {
                self.kept_back(asking.rule()).quiet += 1;
                self.numbers += 1;
                self.by_key.entry(key).or_default().push((due, self.numbers));
                self.quiet.insert((due, self.numbers), asking);
                None
            }
            _ => self.go_on(asking, Line::Outside, now),
        }
    }

    /// The next held request that goes through until then, and when it does.
    pub(super) fn next(&mut self, until: Timestamp) -> Option<(Timestamp, Asking)> {
        loop {
            let quiet = self.quiet.first_key_value().map(|((due, _), _)| *due);
            let lines =
                self.lines.iter().filter_map(|(rule, line)| Some((self.room_at(line.front()?), rule)));
            let line = lines.min();
            let (at, asking) = match (quiet, line) {
                (Some(due), line) if due <= until && line.as_ref().is_none_or(|(at, _)| due <= *at) => {
                    let (_, asking) = self.quiet.pop_first()?;
                    self.forget(&asking);
                    (due, self.go_on(asking, Line::Outside, due))
                }
                (_, Some((at, rule))) if at <= until => {
                    let rule = rule.clone();
                    let asking = self.lines.get_mut(&rule)?.pop_front()?;
                    (at, self.go_on(asking, Line::First, at))
                }
                _ => return None,
            };
            if let Some(asking) = asking {
                return Some((at, asking));
            }
        }
    }

    /// Takes note of a new run.
    pub(super) fn made(&mut self, asking: &Asking, at: Timestamp) {
        let Some(window) = asking.request.windows.at_most else { return };
        let made = self.made.entry(asking.rule().to_owned()).or_default();
        let place = made.partition_point(|other| *other > at);
        made.insert(place, at);
        made.truncate(usize::try_from(window.runs.max(1)).unwrap_or(usize::MAX));
    }

    /// The windows after `quiet`.
    fn go_on(&mut self, asking: Asking, line: Line, now: Timestamp) -> Option<Asking> {
        if let Some(window) = &asking.request.windows.once
            && !self.passes_once(&asking, window)
        {
            self.kept_back(asking.rule()).once += 1;
            return None;
        }
        if let Some(window) = asking.request.windows.at_most
            && !asking.exists()
        {
            let rule = asking.rule().to_owned();
            let behind = line == Line::Outside && self.lines.get(&rule).is_some_and(|line| !line.is_empty());
            if behind || self.no_room(&rule, window, now).is_some() {
                self.kept_back(&rule).at_most += 1;
                self.lines.entry(rule).or_default().push_back(asking);
                return None;
            }
        }
        Some(asking)
    }

    fn passes_once(&mut self, asking: &Asking, window: &Keyed) -> bool {
        self.sweep(asking.arrived.at);
        let key = (asking.rule().to_owned(), window.key.clone());
        // Generously: an archive need not be in strict order.
        let kept = window.span.saturating_mul(2);
        let (_, passed) = self.passed.entry(key).or_insert_with(|| (kept, Vec::new()));
        if windows::once(asking.arrived, window.span, passed.iter().copied()).is_some() {
            return false;
        }
        if passed.last().is_none_or(|last| last.row != asking.arrived.row) {
            passed.retain(|other| asking.arrived.at.since(other.at) <= kept);
            passed.push(asking.arrived);
        }
        true
    }

    /// Forgets keys of `once` that are over.
    fn sweep(&mut self, now: Timestamp) {
        if self.passed.len() > self.swept.saturating_mul(2).max(KEYS_BEFORE_SWEEP) {
            self.passed.retain(|_, (kept, passed)| passed.iter().any(|other| now.since(other.at) <= *kept));
            self.swept = self.passed.len();
        }
    }

    fn no_room(&self, rule: &str, window: AtMost, now: Timestamp) -> Option<Timestamp> {
        windows::no_room(window, self.made.get(rule).into_iter().flatten().copied(), now)
    }

    /// When the first of a line has room.
    fn room_at(&self, first: &Asking) -> Timestamp {
        let came = first.arrived.at;
        let window = first.request.windows.at_most.filter(|_| !first.exists());
        window.and_then(|window| self.no_room(first.rule(), window, came)).unwrap_or(came)
    }

    fn replace_older(&mut self, key: &(String, String), newer: Arrived) {
        let Some(waiting) = self.by_key.get_mut(key) else { return };
        let quiet = &self.quiet;
        let (gone, left) = waiting.iter().copied().partition::<Vec<Due>, _>(|due| {
            quiet.get(due).is_some_and(|older| windows::replaces(newer, older.arrived, due.0))
        });
        *waiting = left;
        for due in gone {
            self.quiet.remove(&due);
            self.kept_back(&key.0).replaced += 1;
        }
    }

    /// Forgets that a request is held by `quiet`.
    fn forget(&mut self, asking: &Asking) {
        let Some(window) = &asking.request.windows.quiet else { return };
        let key = (asking.rule().to_owned(), window.key.clone());
        let quiet = &self.quiet;
        if let Some(waiting) = self.by_key.get_mut(&key) {
            waiting.retain(|due| quiet.contains_key(due));
            if waiting.is_empty() {
                self.by_key.remove(&key);
            }
        }
    }

    fn kept_back(&mut self, rule: &str) -> &mut KeptBack {
        self.kept_back.entry(rule.to_owned()).or_default()
    }
}
