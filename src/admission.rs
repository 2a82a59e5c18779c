//! Admission in memory: which of the runs that messages ask for are made, and when, when an archive is replayed.
//!
//! Comes in: judged messages in the order of the archive, each with the time at which it was sent. Goes out: the runs that did
//! not exist before, also those that windows let go later. As in the daemon, a message told twice counts once, messages of one
//! happening merge for each run, and windows hold and refuse; the time of sending takes the place of that of arrival. It keeps no more
//! than what an open happening or window needs and the last million ids.

mod windows;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::rc::Rc;
use std::time::Duration;

use taskbot_graph::{Clauses, Graph, Happening, Run};
use taskbot_runtime::admission::Request;
use taskbot_runtime::admission::windows::Arrived;
use taskbot_runtime::effect::Timestamp;

pub use windows::KeptBack;
use windows::{Asking, Instance, Windows};

/// Ids of messages that are remembered to know a repeated one, 16 bytes each.
const MESSAGES_REMEMBERED: usize = 1 << 20;
/// How many happenings begin before those that are over are looked for.
const HAPPENINGS_BEFORE_SWEEP: usize = 1 << 14;

/// Whether a message was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// No.
    First,
    /// Yes.
    Again,
}

/// A message, for whoever tells of its runs.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// Its topic.
    pub topic: String,
}

/// A run that is made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The run, asked for by the rules whose requests went through.
    pub run: Run,
    /// When, as far as messages say when they were sent.
    pub at: Option<Timestamp>,
    /// The message.
    pub told: Rc<Told>,
}

/// What earlier messages left behind.
#[derive(Debug, Default)]
pub struct Admission {
    clauses: HashMap<String, Clauses>,
    windows: Windows,
    /// Messages that were admitted.
    rows: i64,
    /// Runs asked for again by another message of the same happening.
    pub merged: usize,
    hashes: RandomState,
    /// Hashes of ids, and the order in which they are forgotten.
    messages: HashSet<u64>,
    order: VecDeque<u64>,
    /// By their keys, each with the times at which it began.
    happenings: HashMap<String, Vec<Open>>,
    begun: usize,
    latest: Timestamp,
}

/// A happening that further messages may tell of.
#[derive(Debug)]
struct Open {
    first_at: Timestamp,
    window: Duration,
    /// The runs that it has.
    runs: Instance,
}

impl Admission {
    /// Nothing happened yet.
    pub fn new(graph: &Graph) -> Self {
        let clauses = graph.rules.iter().map(|rule| (rule.name.clone(), rule.clauses.clone()));
        Self { clauses: clauses.collect(), ..Self::default() }
    }

    /// Takes note of a message's id.
    pub fn arrive(&mut self, id: &str) -> Arrival {
        let hash = self.hash(id);
        if !self.messages.insert(hash) {
            return Arrival::Again;
        }
        self.order.push_back(hash);
        if self.order.len() > MESSAGES_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.messages.remove(&oldest);
        }
        Arrival::First
    }

    /// The runs that a message makes, of those that it asks for, after those that windows let go before it came. One that does not say
    /// when it was sent came right after the latest one.
    pub fn admit(&mut self, told: Told, sent_at: Option<Timestamp>, asked: Vec<Run>) -> Vec<Made> {
        let at = sent_at.unwrap_or(self.latest);
        self.latest = self.latest.max(at);
        let mut made = self.let_go(self.latest);
        self.rows = self.rows.saturating_add(1);
        let arrived = Arrived { row: self.rows, at };
        let told = Rc::new(told);
        // Of one message each run is asked for once.
        let own = Instance::default();
        for run in asked {
            let instance = match &run.happening {
                Some(happening) => Rc::clone(&self.happening(at, happening).runs),
                None => Rc::clone(&own),
            };
            made.extend(self.ask(&told, arrived, sent_at, run, &instance));
        }
        made
    }

    /// What windows still hold at the end, at the times at which they let it go.
    pub fn finish(&mut self) -> Vec<Made> {
        self.let_go(Timestamp::from_millis(i64::MAX))
    }

    /// By rule, requests that did not go through at once.
    pub const fn kept_back(&self) -> &BTreeMap<String, KeptBack> {
        &self.windows.kept_back
    }

    /// Takes the requests for a run through the windows of their rules.
    fn ask(
        &mut self,
        told: &Rc<Told>,
        arrived: Arrived,
        sent_at: Option<Timestamp>,
        run: Run,
        instance: &Instance,
    ) -> Option<Made> {
        let key = run.key();
        let hash = self.hash(&key);
        let mut is_new = false;
        let mut through = Vec::new();
        for ask in &run.asks {
            let rule = &ask.reason.rule;
            let request = match self.clauses.get(rule) {
                Some(clauses) => Request::new(ask.clone(), clauses),
                None => Request::new(ask.clone(), &Clauses::default()),
            };
            let asking = Asking {
                told: Rc::clone(told),
                arrived,
                request,
                run: Run { asks: vec![ask.clone()], ..run.clone() },
                instance: Rc::clone(instance),
                hash,
                reason: self.hash((rule, &key)),
            };
            let Some(asking) = self.windows.ask(asking, self.latest) else { continue };
            if asking.make() {
                self.windows.made(&asking, arrived.at);
                is_new = true;
            }
            through.push(ask.clone());
        }
        if !is_new {
            self.merged = self.merged.saturating_add(usize::from(!through.is_empty()));
            return None;
        }
        Some(Made { run: Run { asks: through, ..run }, at: sent_at, told: Rc::clone(told) })
    }

    fn let_go(&mut self, until: Timestamp) -> Vec<Made> {
        let mut made = Vec::new();
        while let Some((at, asking)) = self.windows.next(until) {
            if asking.make() {
                self.windows.made(&asking, at);
                made.push(Made { run: asking.run, at: Some(at), told: asking.told });
            }
        }
        made
    }

    /// The happening that began within its window around this time, else a new one.
    fn happening(&mut self, at: Timestamp, told: &Happening) -> &mut Open {
        if self.begun > HAPPENINGS_BEFORE_SWEEP {
            self.sweep();
        }
        let window = Duration::from_secs(told.within_seconds);
        let known = self.happenings.entry(told.key.clone()).or_default();
        let (from, to) = (at.before(window), at.after(window));
        let near = known
            .iter()
            .enumerate()
            .filter(|(_, open)| (from..=to).contains(&open.first_at))
            .max_by_key(|(_, open)| open.first_at)
            .map(|(place, _)| place);
        let place = near.unwrap_or_else(|| {
            self.begun = self.begun.saturating_add(1);
            known.push(Open { first_at: at, window, runs: Instance::default() });
            known.len().saturating_sub(1)
        });
        // The place is in the list: found in it, or just made.
        #[expect(clippy::indexing_slicing, reason = "found in the list, or just pushed to it")]
        let open = &mut known[place];
        open.first_at = open.first_at.min(at);
        open
    }

    /// Forgets what is over, generously: an archive need not be in strict order.
    fn sweep(&mut self) {
        let latest = self.latest;
        for open in self.happenings.values_mut() {
            open.retain(|open| open.first_at.after(open.window.saturating_mul(2)) >= latest);
        }
        self.happenings.retain(|_, open| !open.is_empty());
        self.begun = 0;
    }

    fn hash(&self, text: impl Hash) -> u64 {
        self.hashes.hash_one(text)
    }
}

#[cfg(test)]
mod tests {
    use taskbot_graph::{Ask, Reason, WindowKeys};

    use super::*;

    fn run(happening: Option<&str>) -> Run {
        Run {
            task: "look".into(),
            arguments: Vec::new(),
            asks: vec![Ask {
                reason: Reason { rule: "r".into(), subject: None },
                keys: WindowKeys::default(),
                axes: String::new(),
            }],
            happening: happening.map(|key| Happening { key: key.into(), within_seconds: 60 }),
        }
    }

    fn new_runs(admission: &mut Admission, seconds: i64, happening: Option<&str>) -> usize {
        admission
            .admit(Told::default(), Some(Timestamp::from_millis(seconds * 1000)), vec![run(happening)])
            .len()
    }

    #[test]
    fn a_message_counts_once() {
        let mut admission = Admission::default();
        assert_eq!(admission.arrive("a"), Arrival::First);
        assert_eq!(admission.arrive("b"), Arrival::First);
        assert_eq!(admission.arrive("a"), Arrival::Again);
    }

    #[test]
    fn one_happening_makes_one_run_within_its_window() {
        let mut admission = Admission::default();
        assert_eq!(new_runs(&mut admission, 100, Some("u")), 1);
        assert_eq!(new_runs(&mut admission, 160, Some("u")), 0, "still the same");
        assert_eq!(new_runs(&mut admission, 50, Some("u")), 0, "told late: it began earlier");
        assert_eq!(new_runs(&mut admission, 111, Some("u")), 1, "behind the window of its first message");
        assert_eq!(new_runs(&mut admission, 111, Some("other")), 1);
        assert_eq!(new_runs(&mut admission, 111, None), 1);
        assert_eq!(new_runs(&mut admission, 111, None), 1, "without a happening each message has its own");
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let mut admission = Admission::default();
        for second in 0..40_000 {
            assert_eq!(new_runs(&mut admission, second, Some(&format!("u{second}"))), 1);
        }
        assert!(
            admission.happenings.len() <= HAPPENINGS_BEFORE_SWEEP + 200,
            "{}",
            admission.happenings.len()
        );
    }
}
