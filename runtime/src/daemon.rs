//! The daemon: every station of the pipeline, in order, and how it starts, is steered and ends.
//!
//! Comes in: a configuration, a `reload` that gives an artifact's bytes, orders of the operator. Goes out: what the
//! stations make durable, and a summary. Each station ends when the one before it has ended and nothing is left for
//! it, or when the daemon is told to stop; the first error that is fatal ends all. Whatever is under way then is
//! resumed by the next start.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use taskbot_graph::{LoadError, TopicFilter};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::class::ErrorClass;
use crate::config::{Config, ConfigError};
use crate::dispatch;
use crate::echo::{self, Echo, Echoed};
use crate::effect::{Effects, Real};
use crate::executor::{Bounds, Containers, Executor, MissingLayers};
use crate::facts::{self, Asking, Providers};
use crate::generation::Generation;
use crate::held::{self, Holding};
use crate::inbox::{self, Inbox};
use crate::intake::IntakeLimits;
use crate::limits;
use crate::lock::{Lock, LockError};
use crate::progress::{Observer, Progress};
use crate::sink::{self, Outbox, SinkConfig};
use crate::spawn::WorkerProgram;
use crate::steer;
use crate::steps::{self, Performer};
use crate::store::{Durability, Reader, RunId, Status, Store, StoreError};
use crate::supply::{self, Supply};

/// Gives the bytes of a freshly compiled artifact, or why there is none. Called at the start and for each reload.
pub type Reload = Arc<dyn Fn() -> Result<Vec<u8>, String> + Send + Sync>;

/// An order of the operator, beside the signals (TERM and INT stop, HUP reloads).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Load the rules again; bad ones change nothing.
    Reload,
    /// End a run and clean up after it.
    Cancel(RunId),
    /// End, leaving runs resumable.
    Stop,
}

/// How long the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until it is told to stop.
    Stopped,
    /// Until all sources have ended and everything that they brought is settled.
    Idle,
}

/// What is not configuration: how this one run is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long it runs.
    pub until: Until,
    /// The program that serves as a worker process.
    pub workers: WorkerProgram,
    /// Who is told of progress.
    pub observer: Option<mpsc::Sender<Progress>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { until: Until::Stopped, workers: WorkerProgram::current(), observer: None }
    }
}

/// How a daemon ended.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Hash of the last rule set.
    pub generation: String,
    /// Counters and what still waits.
    pub status: Status,
}

/// Why the daemon did not start, or stopped.
#[derive(Debug)]
pub enum DaemonError {
    /// The configuration cannot work.
    Config(ConfigError),
    /// The lock file of tasks cannot be used.
    Lock(LockError),
    /// Another daemon uses the state directory.
    InUse(PathBuf),
    /// The state directory cannot be used.
    StateDir(PathBuf, std::io::Error),
    /// The rules could not be compiled.
    Rules(String),
    /// The artifact could not be loaded.
    Artifact(LoadError),
    /// A required layer of isolation is missing.
    Layers(MissingLayers),
    /// A source cannot be used.
    Source {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The store failed.
    Store(StoreError),
    /// Signals cannot be received.
    Signals(std::io::Error),
}

impl DaemonError {
    /// All are fatal: the caller exits.
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Fatal
    }
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Lock(error) => error.fmt(f),
            Self::InUse(dir) => write!(
                f,
                "another taskbot runs on {}: stop it first, or choose another `state_dir`",
                dir.display()
            ),
            Self::StateDir(dir, error) => write!(f, "state directory {}: {error}", dir.display()),
            Self::Rules(why) => f.write_str(why),
            Self::Artifact(error) => error.fmt(f),
            Self::Layers(missing) => missing.fmt(f),
            Self::Source { name, reason } => write!(f, "source {name}: {reason}"),
            Self::Store(error) => error.fmt(f),
            Self::Signals(error) => write!(f, "signals cannot be received: {error}"),
        }
    }
}

impl std::error::Error for DaemonError {}

impl From<StoreError> for DaemonError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Runs the daemon: bytes -> verified message -> matches -> decision -> runs -> steps -> results -> sinks.
///
/// # Errors
/// `DaemonError` if it could not start or had to stop. Being told to stop is none.
pub async fn run(
    config: Config,
    reload: Reload,
    control: mpsc::Receiver<Control>,
    options: Options,
) -> Result<Summary, DaemonError> {
    let house = House::open(config, &reload, &options).await?;
    let [deliveries_over, runs_over] = [(); 2].map(|()| CancellationToken::new());
    let (deliver, delivered) = mpsc::channel(limits::DELIVERIES_IN_FLIGHT);

    let supply = supply::serve(house.supply(&options), deliver);
    let inbox = then(inbox::serve(house.inbox(), delivered, house.stop.clone()), &deliveries_over);
    let runs = then(work(&house, &options, &deliveries_over), &runs_over);
    let sinks = Box::pin(sink::serve(house.outbox(&options, &runs_over)));
    let stations = async { Ok(tokio::try_join!(inbox, runs, sinks).map(drop)?) };
    let pipeline = async { tokio::try_join!(supply, stations).map(drop) };

    let steering = steer::serve(house.wheel(reload), control);
    let ended = tokio::select! {
        ended = pipeline => ended,
        failed = steering => Err(failed),
    };
    let closed = house.store.close().await;
    ended?;
    closed?;
    house.summary()
}

/// From questions to ended runs, again as long as what ended makes further work: the echo of a run's end may ask for a run.
async fn work(house: &House, options: &Options, no_more: &CancellationToken) -> Result<(), StoreError> {
    let providers = house.providers(options);
    let echo = house.echo();
    let mut first = true;
    loop {
        let [questions_over, held_over, round_over] = [(); 3].map(|()| CancellationToken::new());
        let asking = house.asking(providers.clone(), no_more);
        let asked = async { if first { facts::serve(asking).await } else { facts::go_on(asking).await } };
        let facts = then(asked, &questions_over);
        let held = then(held::serve(house.holding(&questions_over)), &held_over);
        let runs = then(dispatch::serve(house.queue(&held_over)), &round_over);
        let ((), (), (), echoed) =
            tokio::try_join!(facts, held, runs, Box::pin(echo::serve(&echo, &round_over)))?;
        if echoed == Echoed::Nothing || house.stop.is_cancelled() {
            return Ok(());
        }
        first = false;
    }
}

/// A station, and word to the next one that nothing more comes. It lies on the heap: all stations together are too large
/// for the stack of a thread.
fn then(
    station: impl Future<Output = Result<(), StoreError>>,
    over: &CancellationToken,
) -> Pin<Box<impl Future<Output = Result<(), StoreError>>>> {
    Box::pin(async move {
        station.await?;
        over.cancel();
        Ok(())
    })
}

/// What the stations share.
struct House {
    config: Config,
    filter: TopicFilter,
    store: Store,
    effects: Real,
    generation: watch::Sender<Arc<Generation>>,
    observer: Observer,
    stop: CancellationToken,
    new_questions: Arc<Notify>,
    newly_held: Arc<Notify>,
    new_runs: Arc<Notify>,
    new_parcels: Arc<Notify>,
    new_echoes: Arc<Notify>,
    /// Held as long as the daemon lives.
    _lock: File,
}

impl House {
    async fn open(config: Config, reload: &Reload, options: &Options) -> Result<Self, DaemonError> {
        let generation = Generation::load(&compile(Arc::clone(reload)).await.map_err(DaemonError::Rules)?)
            .map_err(DaemonError::Artifact)?;
        let tasks = generation.rules.tasks().iter().map(|t| (t.name.as_str(), t.repository.as_str()));
        Lock::read(&config.lock)
            .and_then(|lock| {
                lock.check(tasks).map_err(|message| LockError { path: config.lock.clone(), message })
            })
            .map_err(DaemonError::Lock)?;
        let most = Bounds::of_site(&config.executor);
        let containers = Containers {
            runtime: config.executor.container.runtime.clone(),
            images: config.executor.container.images.clone(),
            owner: config.state_dir.clone(),
        };
        let executor = Executor { most, containers, ..Executor::new(options.workers.clone()) };
        executor.layers.check(&config.executor.require).map_err(DaemonError::Layers)?;
        executor.announce();
        let filter = config.topic_filter().map_err(|e| {
            DaemonError::Config(ConfigError { path: PathBuf::new(), line: None, message: e.to_string() })
        })?;
        let lock = lock_state_dir(&config.state_dir)?;
        executor.containers.sweep(&options.workers).await;
        let store = Store::open(&config.state_dir, Durability::Full)?;
        let (state_dir, open) = (config.state_dir.clone(), store.open_run_ids().await?);
        if tokio::task::spawn_blocking(move || steps::sweep(&state_dir, &open)).await.is_err() {
            tracing::warn!("looking for what ended runs left was cut off; the next start does it");
        }
        let sinks =
            config.sinks.iter().map(SinkConfig::name).chain([echo::NAME]).map(str::to_owned).collect();
        let performer = Performer {
            store: store.clone(),
            state_dir: config.state_dir.clone(),
            standard_tasks: config.standard_tasks.clone(),
            lock: config.lock.clone(),
            downloads: config.downloads.clone(),
            observer: Observer::new(options.observer.clone()),
            workers: options.workers.clone(),
            executor,
        };
        let effects = Real::new(store.clone(), Arc::new(performer), sinks);
        store
            .keep_generation(generation.hash.clone(), Arc::clone(&generation.artifact), effects.now())
            .await?;
        // Before anything starts: what was to be cancelled while nobody ran does not start.
        steer::orders(&store, &config.state_dir, effects.now()).await?;
        Ok(Self {
            config,
            filter,
            store,
            effects,
            generation: watch::Sender::new(Arc::new(generation)),
            observer: Observer::new(options.observer.clone()),
            stop: CancellationToken::new(),
            new_questions: Arc::default(),
            newly_held: Arc::default(),
            new_runs: Arc::default(),
            new_parcels: Arc::default(),
            new_echoes: Arc::default(),
            _lock: lock,
        })
    }

    fn supply(&self, options: &Options) -> Supply {
        Supply {
            sources: self.config.sources.clone(),
            workers: options.workers.clone(),
            until: options.until,
            observer: self.observer.clone(),
            generation: self.generation.borrow().hash.clone(),
            stop: self.stop.clone(),
        }
    }

    fn inbox(&self) -> Inbox<Real> {
        Inbox {
            effects: self.effects.clone(),
            store: self.store.clone(),
            filter: self.filter.clone(),
            limits: IntakeLimits { message_bytes: self.config.limits.message_bytes },
            generation: self.generation.subscribe(),
            observer: self.observer.clone(),
            new_runs: Arc::clone(&self.new_runs),
            newly_held: Arc::clone(&self.newly_held),
            new_questions: Arc::clone(&self.new_questions),
        }
    }

    fn providers(&self, options: &Options) -> Providers {
        let providers = Providers::new(&self.config.facts, &options.workers);
        for fact in providers.missing(&self.generation.borrow()) {
            tracing::warn!(
                fact,
                "no provider is configured; what asks for it stays undecided: add [facts.\"{fact}\"]"
            );
        }
        for fact in providers.unread(&self.generation.borrow()) {
            tracing::warn!(
                fact,
                "no rule reads the fact that [facts.\"{fact}\"] provides: check its spelling"
            );
        }
        providers
    }

    fn asking(&self, providers: Providers, no_more: &CancellationToken) -> Asking<Real> {
        Asking {
            effects: self.effects.clone(),
            store: self.store.clone(),
            providers,
            filter: self.filter.clone(),
            generation: self.generation.subscribe(),
            observer: self.observer.clone(),
            wake: Arc::clone(&self.new_questions),
            new_runs: Arc::clone(&self.new_runs),
            newly_held: Arc::clone(&self.newly_held),
            stop: self.stop.clone(),
            no_more: no_more.clone(),
        }
    }

    fn holding(&self, no_more: &CancellationToken) -> Holding<Real> {
        Holding {
            effects: self.effects.clone(),
            wake: Arc::clone(&self.newly_held),
            new_runs: Arc::clone(&self.new_runs),
            observer: self.observer.clone(),
            stop: self.stop.clone(),
            no_more: no_more.clone(),
        }
    }

    fn queue(&self, no_more: &CancellationToken) -> dispatch::Queue<Real, Moves> {
        dispatch::Queue {
            effects: self.effects.clone(),
            store: self.store.clone(),
            parallel: self.config.executor.parallel,
            wake: Arc::clone(&self.new_runs),
            observer: Moves {
                observer: self.observer.clone(),
                ended: [&self.new_parcels, &self.new_echoes].map(Arc::clone),
            },
            stop: self.stop.clone(),
            no_more: no_more.clone(),
        }
    }

    fn echo(&self) -> Echo<Real> {
        Echo {
            inbox: self.inbox(),
            state_dir: self.config.state_dir.clone(),
            prefix: echo::prefix(&self.config.topics.accept),
            wake: Arc::clone(&self.new_echoes),
            stop: self.stop.clone(),
        }
    }

    fn outbox(&self, options: &Options, no_more: &CancellationToken) -> Outbox<Real> {
        Outbox {
            effects: self.effects.clone(),
            store: self.store.clone(),
            state_dir: self.config.state_dir.clone(),
            sinks: self.config.sinks.clone(),
            workers: options.workers.clone(),
            wake: Arc::clone(&self.new_parcels),
            stop: self.stop.clone(),
            no_more: no_more.clone(),
        }
    }

    fn wheel(&self, reload: Reload) -> steer::Wheel {
        steer::Wheel {
            effects: self.effects.clone(),
            store: self.store.clone(),
            generation: self.generation.clone(),
            observer: self.observer.clone(),
            reload,
            state_dir: self.config.state_dir.clone(),
            new_runs: Arc::clone(&self.new_runs),
            newly_held: Arc::clone(&self.newly_held),
            stop: self.stop.clone(),
        }
    }

    fn summary(&self) -> Result<Summary, DaemonError> {
        let status = Reader::open(&self.config.state_dir)?.status()?;
        Ok(Summary { generation: self.generation.borrow().hash.clone(), status })
    }
}

/// Runs `reload` beside the daemon's other work: compiling takes its time.
pub(crate) async fn compile(reload: Reload) -> Result<Vec<u8>, String> {
    tokio::task::spawn_blocking(move || reload())
        .await
        .unwrap_or_else(|_| Err("compiling the rules was cut off".into()))
}

/// One daemon a state directory: the lock ends with the process, however that ends.
fn lock_state_dir(dir: &Path) -> Result<File, DaemonError> {
    let failed = |error| DaemonError::StateDir(dir.to_owned(), error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    let file = File::create(dir.join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DaemonError::InUse(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Tells the observer of moves, and the sinks of ends.
#[derive(Clone, Debug)]
struct Moves {
    observer: Observer,
    ended: [Arc<Notify>; 2],
}

impl dispatch::Observe for Moves {
    fn moved(&self, run: RunId, key: &str, progress: &dispatch::Progress) {
        self.observer.moved(run, key, progress);
        if progress.state.is_final() {
            self.ended.iter().for_each(|told| told.notify_one());
        }
    }
}
