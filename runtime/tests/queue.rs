//! The queue: groups, priorities and cancellations under concurrency, with steps that only take their time.
#![expect(clippy::unwrap_used, reason = "tests")]

mod asking;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use asking::{Bench, at, request, run};
use taskbot_graph::{GroupLimit, Priority};
use taskbot_runtime::admission::windows::Windows;
use taskbot_runtime::admission::{Arrival, Request, Standing};
use taskbot_runtime::dispatch::{self, Progress, Queue, Step, StepReport, Transition};
use taskbot_runtime::effect::{Effects, Performed, StepOrder, Timestamp};
use taskbot_runtime::limits;
use taskbot_runtime::store::{Admitted, Released, RunId, Store, StoreError};
use tokio_util::sync::CancellationToken;

/// Groups by run, what is under way, the most at once of each group, and the order in which runs began.
#[derive(Default)]
struct Watch {
    groups: BTreeMap<RunId, Vec<String>>,
    under_way: BTreeSet<RunId>,
    most: BTreeMap<String, usize>,
    began: Vec<RunId>,
}

#[derive(Clone)]
struct World {
    store: Store,
    watch: Arc<Mutex<Watch>>,
}

impl Effects for World {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
    fn roll(&self) -> u64 {
        0
    }
    async fn admit(&self, arrivals: Vec<Arrival>) -> Result<Vec<Admitted>, StoreError> {
        self.store.admit(arrivals).await
    }
    async fn release(&self, now: Timestamp) -> Result<Released, StoreError> {
        self.store.release(now).await
    }
    async fn record(&self, run: RunId, transition: Transition) -> Result<Progress, StoreError> {
        self.store.record(run, transition, Arc::from([])).await
    }
    async fn perform(&self, order: StepOrder, _: &CancellationToken) -> Performed {
        if order.step == Step::Determine {
            self.watch.lock().unwrap().began(order.run);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        if order.step == Step::CleanUp {
            self.watch.lock().unwrap().under_way.remove(&order.run);
        }
        Performed::Done(StepReport::default())
    }
}

impl Watch {
    fn began(&mut self, run: RunId) {
        self.began.push(run);
        self.under_way.insert(run);
        let mut count: BTreeMap<&String, usize> = BTreeMap::new();
        for group in self.under_way.iter().filter_map(|run| self.groups.get(run)).flatten() {
            *count.entry(group).or_default() += 1;
        }
        for (group, now) in count {
            let most = self.most.entry(group.clone()).or_default();
            *most = now.max(*most);
        }
    }
}

#[derive(Clone)]
struct Nobody;

impl dispatch::Observe for Nobody {
    fn moved(&self, _: RunId, _: &str, _: &Progress) {}
}

async fn serve(bench: &Bench, parallel: usize, watch: Watch) -> Watch {
    let no_more = CancellationToken::new();
    no_more.cancel();
    let watch = Arc::new(Mutex::new(watch));
    let queue = Queue {
        effects: World { store: bench.store.clone(), watch: Arc::clone(&watch) },
        store: bench.store.clone(),
        parallel,
        wake: Arc::default(),
        observer: Nobody,
        stop: CancellationToken::new(),
        no_more,
    };
    dispatch::serve(queue).await.unwrap();
    Arc::try_unwrap(watch).map_err(drop).unwrap().into_inner().unwrap()
}

fn standing(rule: &str, priority: Priority, group: Option<(&str, u32)>) -> Request {
    let group = group.map(|(name, runs)| GroupLimit { name: name.into(), runs });
    Request { standing: Standing { priority, group, timeout: None }, ..request(rule, Windows::default()) }
}

#[tokio::test]
async fn no_group_is_ever_exceeded() {
    let bench = Bench::new();
    let group = |rule, name, limit| standing(rule, Priority::Normal, Some((name, limit)));
    let mut watch = Watch::default();
    let mut runs = Vec::new();
    for n in 0..40_i64 {
        let asks = match n % 4 {
            0 => vec![group("a", "vm", 2)],
            1 => vec![group("a", "vm", 2), group("b", "net", 3)],
            2 => vec![group("b", "net", 3), group("c", "net", 5)],
            _ => vec![request("free", Windows::default())],
        };
        let groups = asks.iter().filter_map(|ask| ask.standing.group.as_ref());
        let groups: BTreeSet<String> = groups.map(|group| group.name.clone()).collect();
        watch.groups.insert(RunId(n + 1), groups.into_iter().collect());
        runs.push(run(&n.to_string(), asks));
    }
    bench.tell(0, runs);
    let watch = serve(&bench, 8, watch).await;
    let most: Vec<(&str, usize)> = watch.most.iter().map(|(name, most)| (name.as_str(), *most)).collect();
    assert_eq!(most, [("net", 3), ("vm", 2)], "used to the full, and never beyond");
    assert_eq!(watch.began.len(), 40);
    assert!(bench.runs().iter().all(|run| run.state == "finished"));
}

#[tokio::test]
async fn a_higher_priority_goes_first_but_not_before_what_waits_for_long() {
    let bench = Bench::new();
    let head_start = limits::PRIORITY_HEAD_START.as_secs();
    let one = |name: &str, priority| run(name, vec![standing("r", priority, None)]);
    bench.tell(0, vec![one("1 old", Priority::Normal)]);
    bench.tell(head_start + 10, vec![one("2 low", Priority::Low), one("3 normal", Priority::Normal)]);
    bench.tell(head_start + 20, vec![one("4 high", Priority::High)]);
    // A second rule wants a run sooner than the first: the higher priority counts.
    let raised = vec![standing("r", Priority::Low, None), standing("s", Priority::High, None)];
    bench.tell(head_start + 30, vec![run("5 raised", raised)]);
    let watch = serve(&bench, 1, Watch::default()).await;
    assert_eq!(watch.began, [1, 4, 5, 3, 2].map(RunId), "the oldest, high, raised to high, normal, low");
}

#[tokio::test]
async fn a_run_that_is_to_be_cancelled_ends_without_a_step_and_says_why() {
    let bench = Bench::new();
    bench.tell(0, vec![run("a", vec![standing("r", Priority::High, Some(("g", 1)))])]);
    bench.tell(0, vec![run("b", vec![standing("r", Priority::High, Some(("g", 1)))])]);
    assert!(bench.store.ask_cancel(RunId(2), "not needed".into(), at(1)).await.unwrap());
    let watch = serve(&bench, 1, Watch::default()).await;
    assert_eq!(watch.began, [RunId(1)]);
    let runs = bench.runs();
    let ends: Vec<(&str, Option<&str>)> =
        runs.iter().map(|run| (run.state.as_str(), run.note.as_deref())).collect();
    assert_eq!(ends, [("finished", None), ("cancelled", Some("not needed"))]);
}

#[tokio::test]
async fn the_shortest_timeout_of_those_that_ask_counts() {
    let bench = Bench::new();
    let within = |rule, seconds| Request {
        standing: Standing { timeout: Some(Duration::from_secs(seconds)), ..Standing::default() },
        ..request(rule, Windows::default())
    };
    bench.tell(0, vec![run("a", vec![within("a", 60), within("b", 30), request("c", Windows::default())])]);
    let due = bench.store.due_runs(at(1), Vec::new(), 1).await.unwrap();
    assert_eq!(due.first().map(|run| run.order.timeout), Some(Some(Duration::from_secs(30))));
}
