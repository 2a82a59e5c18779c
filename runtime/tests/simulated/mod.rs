//! A simulated world around the real store, state machine and driver: one thread, a clock that only moves when looked
//! at, an order of things that a seed decides. Before and after every effect the world can end, as a process does that is
//! killed; the next one starts from what the store holds, and the bus delivers again what was not settled.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::executor::block_on;
use taskbot_runtime::admission::Arrival;
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::dispatch::{self, Failure, Progress, Step, StepReport, Stops, Transition};
use taskbot_runtime::effect::{Artifact, Effects, Performed, StepOrder, Timestamp};
use taskbot_runtime::executor::Ended;
use taskbot_runtime::store::{Admitted, Durability, OpenRun, Released, RunId, Store, StoreError};
use taskbot_runtime::task::{Outcome, TaskResult};
use tokio_util::sync::CancellationToken;

/// What is told, and what must come of it.
pub struct Scenario {
    /// Number of messages.
    pub messages: usize,
    /// Message `n`, with what the rules make of it.
    pub arrival: fn(usize, Timestamp) -> Arrival,
    /// Looks at the end; the text says what was played.
    pub check: fn(&Path, &World, &str),
}

/// What outlives a crash besides the store: the bus, the disk's work directories, the calendar, the counters of the
/// test.
pub struct World {
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
    pub work: BTreeSet<(RunId, u32)>,
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

    async fn release(&self, now: Timestamp) -> Result<Released, StoreError> {
        self.point().await;
        let released = block_on(self.store.release(now));
        self.point().await;
        released
    }

    async fn record(&self, run: RunId, transition: Transition) -> Result<Progress, StoreError> {
        self.point().await;
        let recorded = block_on(self.store.record(run, transition, Arc::from(["sink".to_owned()])));
        self.point().await;
        recorded
    }

    async fn perform(&self, order: StepOrder, cancel: &CancellationToken) -> Performed {
        self.point().await;
        if cancel.is_cancelled() {
            return Performed::Interrupted;
        }
        let performed = self.act(&order);
        self.point().await;
        performed
    }
}

struct Nobody;

impl dispatch::Observe for Nobody {
    fn moved(&self, _run: RunId, _key: &str, _progress: &Progress) {}
}

/// Takes what the bus still has, one message after another; the bus forgets a message when it is told of the commit.
async fn inbox(effects: Simulated, arrival: fn(usize, Timestamp) -> Arrival) -> Done {
    loop {
        let next = effects.world.lock().unwrap().unsettled.first().copied();
        let Some(n) = next else { return Done::Inbox };
        let at = effects.now();
        effects.admit(vec![arrival(n, at)]).await.expect("the store works");
        effects.world.lock().unwrap().unsettled.retain(|m| *m != n);
    }
}

async fn drive(effects: Simulated, run: OpenRun, stops: Stops) -> Done {
    let id = run.id;
    dispatch::drive(&effects, run, &stops, &Nobody).await.expect("the store works");
    Done::Run(id)
}

enum Done {
    Inbox,
    Run(RunId),
    Released(Released),
}

type Job = Pin<Box<dyn Future<Output = Done>>>;

/// One life of the daemon: until everything is done, or the crash.
fn live(dir: &Path, world: &Arc<Mutex<World>>, scenario: &Scenario) {
    let store = Store::open(dir, Durability::ProcessOnly).unwrap();
    block_on(store.keep_generation("rules".into(), Arc::from([]), Timestamp::default())).unwrap();
    let effects = Simulated { world: Arc::clone(world), store: store.clone() };
    let mut jobs: Vec<Job> = vec![Box::pin(inbox(effects.clone(), scenario.arrival))];
    let mut under_way: HashMap<RunId, CancellationToken> = HashMap::new();
    let (mut releasing, mut look) = (false, true);
    loop {
        let now = effects.now();
        // Dispatch looks when something has ended, and now and then.
        if jobs.is_empty() || std::mem::take(&mut look) || effects.roll().is_multiple_of(4) {
            for run in block_on(store.cancelled_runs()).unwrap() {
                let stops =
                    Stops { run: under_way.get(&run.id).cloned().unwrap_or_default(), ..Stops::default() };
                stops.run.cancel();
                if under_way.insert(run.id, stops.run.clone()).is_none() {
                    jobs.push(Box::pin(drive(effects.clone(), run, stops)));
                }
            }
            for run in block_on(store.due_runs(now, under_way.keys().copied().collect(), 2)).unwrap() {
                let stops = Stops::default();
                under_way.insert(run.id, stops.run.clone());
                jobs.push(Box::pin(drive(effects.clone(), run, stops)));
            }
        }
        if !releasing && (jobs.is_empty() || effects.roll().is_multiple_of(32)) {
            releasing = true;
            let effects = effects.clone();
            jobs.push(Box::pin(async move {
                Done::Released(effects.release(now).await.expect("the store works"))
            }));
        }
        let chosen = usize::try_from(effects.roll() % jobs.len() as u64).unwrap();
        let polled = jobs[chosen].as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if world.lock().unwrap().crashed {
            return;
        }
        let Poll::Ready(done) = polled else { continue };
        drop(jobs.swap_remove(chosen));
        look = true;
        match done {
            Done::Inbox => {}
            Done::Run(run) => drop(under_way.remove(&run)),
            Done::Released(released) => {
                releasing = false;
                let waiting = block_on(store.waiting_runs(now, Vec::new())).unwrap();
                let next = waiting.next.into_iter().chain(released.next).min();
                let idle = jobs.is_empty() && released.new_runs.is_empty() && released.superseded == 0;
                match next {
                    Some(at) if idle => {
                        let mut world = world.lock().unwrap();
                        world.clock = world.clock.max(at.millis());
                    }
                    None if idle && !waiting.any => return,
                    _ => {}
                }
            }
        }
    }
}

/// Plays a scenario with crashes at these points, starting again after each; gives the number of points passed.
pub fn play(scenario: &Scenario, seed: u64, crash_at: &[usize], one_fails_in: u64) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let world = Arc::new(Mutex::new(World {
        seed,
        clock: 1_000_000,
        points: 0,
        crash_at: crash_at.iter().copied().collect(),
        crashed: false,
        unsettled: (0..scenario.messages).collect(),
        work: BTreeSet::new(),
        one_fails_in,
    }));
    for _ in 0..=crash_at.len() {
        live(dir.path(), &world, scenario);
        world.lock().unwrap().crashed = false;
    }
    // The bus delivers everything once more: nothing may come of it.
    world.lock().unwrap().unsettled = (0..scenario.messages).collect();
    live(dir.path(), &world, scenario);
    let world = world.lock().unwrap();
    (scenario.check)(dir.path(), &world, &format!("seed {seed}, crash at {crash_at:?}"));
    world.points
}
