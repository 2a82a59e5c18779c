//! P01 and P02 in a deterministic simulation: three messages, two rules, a crash at every single point.
//!
//! The real store, the real state machine and its driver run against a simulated world: one thread, a clock that only
//! moves when looked at, an order of things that a seed decides. Before and after every effect the world can end, as
//! a process does that is killed; the next one starts from what the store holds, and the bus delivers again what was
//! not settled.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::executor::block_on;
use taskbot_graph::{Argument, Ask, Happening, Reason, Run, WindowKeys};
use taskbot_runtime::admission::{Arrival, Decision, Fate, WantedRun};
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::dispatch::{self, Failure, Progress, Step, StepReport, Stops, Transition};
use taskbot_runtime::effect::{Artifact, Effects, Performed, StepOrder, Timestamp};
use taskbot_runtime::executor::Ended;
use taskbot_runtime::message::{Message, MessageText};
use taskbot_runtime::store::{Admitted, Durability, Reader, ResultFilter, RunId, Store, StoreError};
use taskbot_runtime::task::{Outcome, TaskResult};
use tokio_util::sync::CancellationToken;

/// What outlives a crash besides the store: the bus, the disk's work directories, the calendar, the counters of the
/// test.
struct World {
    seed: u64,
    clock: i64,
    /// Points passed since the start of the scenario.
    points: usize,
    /// Points at which the process ends.
    crash_at: BTreeSet<usize>,
    crashed: bool,
    /// Messages that the bus still has to deliver.
    unsettled: Vec<usize>,
    /// Work directories that exist.
    work: BTreeSet<(RunId, u32)>,
    /// One in this many steps fails; 0: none.
    one_fails_in: u64,
}

impl World {
    fn random(&mut self) -> u64 {
        // SplitMix64: small, and the same everywhere.
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[derive(Clone)]
struct Simulated {
    world: Arc<Mutex<World>>,
    store: Store,
}

impl Simulated {
    /// A point at which others may go first, and at which the process may end.
    async fn point(&self) {
        let mut yielded = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let crashed = {
            let mut world = self.world.lock().unwrap();
            world.points += 1;
            world.crashed = world.crash_at.contains(&world.points);
            world.crashed
        };
        if crashed {
            std::future::pending::<()>().await;
        }
    }

    fn act(&self, order: &StepOrder) -> Performed {
        let mut world = self.world.lock().unwrap();
        let roll = world.random();
        if world.one_fails_in > 0
            && roll.is_multiple_of(world.one_fails_in)
            && (Step::Prepare..=Step::Report).contains(&order.step)
        {
            return Performed::Failed(Failure { class: ErrorClass::Transient, message: "simulated".into() });
        }
        let directory = (order.run, order.attempt);
        let mut report = StepReport::default();
        match order.step {
            Step::Determine => report.commit = Some("c0ffee".into()),
            Step::Provision => {
                assert!(world.work.insert(directory), "an attempt's directory is wiped before it")
            }
            Step::Clone => report.retries = Some(1000),
            Step::Prepare | Step::Download => assert!(world.work.contains(&directory)),
            Step::Run => {
                assert_eq!(order.commit.as_deref(), Some("c0ffee"));
                report.ended = Some(Ended::Exit(0));
            }
            Step::Report => {
                assert_eq!(order.ended, Some(Ended::Exit(0)), "how the command ended outlives a crash");
                report.results =
                    ["a", "b"].map(|testcase| result(testcase, &order.arguments[0].text)).to_vec();
                report.artifacts = vec![Artifact { path: "log".into(), size_bytes: 1, sha256: "00".into() }];
            }
            Step::CleanUp => {
                world.work.remove(&directory);
            }
        }
        Performed::Done(report)
    }
}

fn result(testcase: &str, item: &str) -> TaskResult {
    TaskResult {
        testcase: testcase.into(),
        outcome: Outcome::Passed,
        item: item.into(),
        item_type: "koji_build".into(),
        note: String::new(),
        artifacts: Vec::new(),
        data: serde_json::Map::new(),
    }
}

impl Effects for Simulated {
    fn now(&self) -> Timestamp {
        let mut world = self.world.lock().unwrap();
        world.clock += 1;
        Timestamp::from_millis(world.clock)
    }

    fn roll(&self) -> u64 {
        self.world.lock().unwrap().random()
    }

    async fn admit(&self, arrivals: Vec<Arrival>) -> Result<Vec<Admitted>, StoreError> {
        self.point().await;
        let admitted = block_on(self.store.admit(arrivals));
        self.point().await;
        admitted
    }

    async fn record(&self, run: RunId, transition: Transition) -> Result<(), StoreError> {
        self.point().await;
        let recorded = block_on(self.store.record(run, transition, Arc::from(["sink".to_owned()])));
        self.point().await;
        recorded
    }

    async fn perform(&self, order: StepOrder, _cancel: &CancellationToken) -> Performed {
        self.point().await;
        let performed = self.act(&order);
        self.point().await;
        performed
    }
}

struct Nobody;

impl dispatch::Observe for Nobody {
    fn moved(&self, _run: RunId, _key: &str, _progress: &Progress) {}
}

fn wanted(task: &str, name: &str, value: &str, rule: &str, happening: Option<&str>) -> WantedRun {
    let argument = Argument { name: name.into(), text: value.into(), json: value.into() };
    let reason = Reason { rule: rule.into(), subject: Some(0) };
    let asks = vec![Ask { reason, keys: WindowKeys::default(), axes: String::new() }];
    let happening = happening.map(|key| Happening { key: key.into(), within_seconds: 3600 });
    let run = Run { task: task.into(), arguments: vec![argument], asks, happening };
    WantedRun {
        key: run.key(),
        task: run.task,
        repository: format!("standard:{task}"),
        reference: None,
        arguments: run.arguments,
        asks: run.asks,
        happening: run.happening,
    }
}

const MESSAGES: usize = 3;
/// Three packages, each with its rpmlint; messages 1 and 2 tell of one update, so they share a depcheck.
const RUNS: usize = 5;

/// Message `n` with what both rules make of it.
fn arrival(n: usize, received_at: Timestamp) -> Arrival {
    let update = format!("FEDORA-{}", n.min(1));
    let decision = Decision {
        generation: "rules".into(),
        events: vec!["bodhi.update.testing".into()],
        facts: Vec::new(),
        runs: vec![
            wanted("rpmlint", "package", &format!("p{n}-1-1"), "lint", None),
            wanted("depcheck", "update", &update, "deps", Some(&update)),
        ],
        parked: Vec::new(),
        undecided: Vec::new(),
        refused: Vec::new(),
        notes: Vec::new(),
    };
    let message = Message {
        id: MessageText::new(format!("2013-{n}")),
        topic: MessageText::new("org.example.prod.bodhi.update.request.testing"),
        body: b"{}".to_vec(),
        sent_at: None,
        source: "bus".into(),
    };
    Arrival { received_at, source: "bus".into(), fate: Fate::Judged { message, decision } }
}

/// Takes what the bus still has, one message after another; the bus forgets a message when it is told of the commit.
async fn inbox(effects: Simulated) {
    loop {
        let next = effects.world.lock().unwrap().unsettled.first().copied();
        let Some(n) = next else { return };
        let at = effects.now();
        effects.admit(vec![arrival(n, at)]).await.expect("the store works");
        effects.world.lock().unwrap().unsettled.retain(|m| *m != n);
    }
}

type Job = Pin<Box<dyn Future<Output = Option<RunId>>>>;

/// One life of the daemon: until everything is done, or the crash.
fn live(dir: &Path, world: &Arc<Mutex<World>>) {
    let store = Store::open(dir, Durability::ProcessOnly).unwrap();
    block_on(store.keep_generation("rules".into(), Arc::from([]), Timestamp::default())).unwrap();
    let effects = Simulated { world: Arc::clone(world), store: store.clone() };
    let mut jobs: Vec<Job> = Vec::new();
    jobs.push(Box::pin({
        let effects = effects.clone();
        async move {
            inbox(effects).await;
            None
        }
    }));
    let mut under_way: HashSet<RunId> = HashSet::new();
    loop {
        let now = effects.now();
        for run in block_on(store.due_runs(now, under_way.iter().copied().collect(), 2)).unwrap() {
            under_way.insert(run.id);
            let effects = effects.clone();
            jobs.push(Box::pin(async move {
                let id = run.id;
                dispatch::drive(&effects, run, &Stops::default(), &Nobody).await.expect("the store works");
                Some(id)
            }));
        }
        if jobs.is_empty() {
            match block_on(store.next_run_at(Vec::new())).unwrap() {
                Some(at) => world.lock().unwrap().clock = at.millis(),
                None => return,
            }
            continue;
        }
        let chosen = usize::try_from(effects.roll() % jobs.len() as u64).unwrap();
        let polled = jobs[chosen].as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if world.lock().unwrap().crashed {
            return;
        }
        if let Poll::Ready(ended) = polled {
            drop(jobs.swap_remove(chosen));
            if let Some(run) = ended {
                under_way.remove(&run);
            }
        }
    }
}

/// Plays the scenario with crashes at these points, starting again after each; gives the number of points passed.
fn play(seed: u64, crash_at: &[usize], one_fails_in: u64) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let world = Arc::new(Mutex::new(World {
        seed,
        clock: 1_000_000,
        points: 0,
        crash_at: crash_at.iter().copied().collect(),
        crashed: false,
        unsettled: (0..MESSAGES).collect(),
        work: BTreeSet::new(),
        one_fails_in,
    }));
    for _ in 0..=crash_at.len() {
        live(dir.path(), &world);
        world.lock().unwrap().crashed = false;
    }
    // The bus delivers everything once more: nothing may come of it.
    world.lock().unwrap().unsettled = (0..MESSAGES).collect();
    live(dir.path(), &world);
    let world = world.lock().unwrap();
    check(dir.path(), &world, &format!("seed {seed}, crash at {crash_at:?}"));
    world.points
}

/// P01: nothing lost. P02: no run and no result twice.
fn check(dir: &Path, world: &World, what: &str) {
    let reader = Reader::open(dir).unwrap();
    let runs = reader.runs(100).unwrap();
    let keys: BTreeSet<&str> = runs.iter().map(|run| run.run.as_str()).collect();
    assert_eq!((runs.len(), keys.len()), (RUNS, RUNS), "{what}: {keys:?}");
    for run in &runs {
        assert_eq!(run.state, "finished", "{what}: {run:?}");
        assert_eq!(run.outcomes, ["PASSED", "PASSED"], "{what}: {run:?}");
        let report = reader.run(run.id).unwrap().unwrap();
        let reasons = if run.run.contains("FEDORA-1") { 2 } else { 1 };
        assert_eq!(report.reasons.len(), reasons, "{what}: {report:?}");
        let reported = report.steps.iter().filter(|s| s.step == "report" && s.state == "done").count();
        assert_eq!(reported, 1, "{what}: {report:?}");
        assert!(report.steps.iter().all(|s| s.state != "started"), "{what}: {report:?}");
    }
    let results = reader.results(&ResultFilter::default(), 100).unwrap();
    let mut seen: BTreeMap<(i64, String), usize> = BTreeMap::new();
    for row in &results {
        *seen.entry((row.run, row.result.testcase.clone())).or_default() += 1;
    }
    assert_eq!((seen.len(), results.len()), (2 * RUNS, 2 * RUNS), "{what}");
    assert_eq!(world.work, BTreeSet::new(), "{what}: every attempt is cleaned up");
    assert_eq!(
        reader.status().unwrap().outbox,
        i64::try_from(RUNS).unwrap(),
        "{what}: each run is told once"
    );
}

#[test]
fn p01_p02_without_a_crash() {
    let points = play(1, &[], 0);
    assert!(points > 150, "the scenario has {points} points only: crashes would miss the most");
}

#[test]
fn p01_p02_a_crash_at_every_single_point() {
    for point in 1..=play(1, &[], 0) {
        play(1, &[point], 0);
    }
}

#[test]
fn p01_p02_crashes_among_failing_steps() {
    for seed in 0..20 {
        let point = usize::try_from(seed * 9 + 1).unwrap();
        play(seed, &[point, point + 17, point + 40], 9);
    }
}

#[test]
#[ignore = "a longer run: every pair of crash points"]
fn p01_p02_crashes_at_all_pairs_of_points() {
    let points = play(1, &[], 0);
    for first in 1..=points {
        for second in first + 1..=points + 20 {
            play(1, &[first, second], 0);
        }
    }
}

#[test]
fn a_new_happening_begins_after_the_window() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Durability::ProcessOnly).unwrap();
    block_on(store.keep_generation("rules".into(), Arc::from([]), Timestamp::default())).unwrap();
    let start = Timestamp::from_millis(0);
    let mut made = Vec::new();
    for (n, seconds) in [(1, 0), (2, 3600), (3, 3602)] {
        let mut one = arrival(n, start.after(Duration::from_secs(seconds)));
        if let Fate::Judged { decision, .. } = &mut one.fate {
            decision.runs.retain(|run| run.task == "depcheck");
        }
        made.extend(block_on(store.admit(vec![one])).unwrap().into_iter().map(|a| a.new_runs.len()));
    }
    assert_eq!(made, [1, 0, 1]);
    if Reader::open(dir.path()).unwrap().runs(10).unwrap().len() != 2 {
        panic!("two happenings, two runs");
    }
}
