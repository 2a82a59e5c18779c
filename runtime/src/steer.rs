//! Steering: signals and orders of the operator.
//!
//! Comes in: TERM, INT, HUP, the same as orders, and what commands left in the state directory. Goes out: a stop for all
//! stations, a new generation, durable words to cancel runs, held requests let go. A reload is atomic: the new rule set is
//! complete, loaded and kept before it is the current one; a bad one changes nothing.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::daemon::{Control, DaemonError, Reload, compile};
use crate::effect::{Effects, Real, Timestamp};
use crate::generation::Generation;
use crate::orders::{self, Order};
use crate::progress::{Observer, Progress};
use crate::store::{Level, Released, Store, StoreError};
use crate::{held, limits};

/// What steering needs.
pub(crate) struct Wheel {
    pub(crate) effects: Real,
    pub(crate) store: Store,
    pub(crate) generation: watch::Sender<Arc<Generation>>,
    pub(crate) observer: Observer,
    pub(crate) reload: Reload,
    pub(crate) state_dir: PathBuf,
    pub(crate) new_runs: Arc<Notify>,
    pub(crate) newly_held: Arc<Notify>,
    pub(crate) stop: CancellationToken,
}

/// Steers for ever; ends only by an error that the daemon must end with.
pub(crate) async fn serve(wheel: Wheel, control: mpsc::Receiver<Control>) -> DaemonError {
    match steer(wheel, control).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn steer(wheel: Wheel, mut control: mpsc::Receiver<Control>) -> Result<Infallible, DaemonError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Signals)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(DaemonError::Signals)?;
    let mut poll = tokio::time::interval(limits::ORDERS_POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let order = tokio::select! {
            _ = terminate.recv() => Control::Stop,
            _ = interrupt.recv() => Control::Stop,
            _ = hang_up.recv() => Control::Reload,
            Some(order) = control.recv() => order,
            _ = poll.tick() => {
                wheel.orders().await?;
                continue;
            }
        };
        match order {
            Control::Stop => {
                tracing::info!("stopping; what is under way is resumed at the next start");
                wheel.stop.cancel();
            }
            Control::Cancel(run) => {
                let order = Order::Cancel { runs: vec![run] };
                carry_out(&wheel.store, &order, wheel.effects.now()).await?;
                wheel.new_runs.notify_one();
            }
            Control::Reload => wheel.reload().await?,
        }
    }
}

/// Makes durable what an order asks for.
async fn carry_out(store: &Store, order: &Order, at: Timestamp) -> Result<Released, StoreError> {
    match order {
        Order::Cancel { runs } => {
            for run in runs {
                store.ask_cancel(*run, "cancelled by the operator".into(), at).await?;
            }
            Ok(Released::default())
        }
        Order::Release { rule } => store.release_now(rule.clone(), at).await,
    }
}

/// Carries out all orders that commands left; gives what was let go, and whether there was any order.
pub(crate) async fn orders(
    store: &Store,
    state_dir: &Path,
    at: Timestamp,
) -> Result<Vec<Released>, StoreError> {
    let mut done = Vec::new();
    for (path, order) in orders::waiting(state_dir) {
        match order {
            Some(order) => done.push(carry_out(store, &order, at).await?),
            None => tracing::warn!(path = %path.display(), "this is no order of this taskbot; it is removed"),
        }
        orders::remove(&path);
    }
    Ok(done)
}

impl Wheel {
    /// Carries out what commands left, and wakes those whom it concerns.
    async fn orders(&self) -> Result<(), StoreError> {
        let done = orders(&self.store, &self.state_dir, self.effects.now()).await?;
        for released in &done {
            held::tell(released, &self.new_runs, &self.observer);
        }
        if !done.is_empty() {
            self.new_runs.notify_one();
            self.newly_held.notify_one();
        }
        Ok(())
    }

    async fn reload(&self) -> Result<(), StoreError> {
        let loaded = match compile(Arc::clone(&self.reload)).await {
            Ok(artifact) => Generation::load(&artifact).map_err(|e| e.to_string()),
            Err(reason) => Err(reason),
        };
        match loaded {
            Ok(generation) => {
                let hash = generation.hash.clone();
                let artifact = Arc::clone(&generation.artifact);
                self.store.keep_generation(hash.clone(), artifact, self.effects.now()).await?;
                self.generation.send_replace(Arc::new(generation));
                tracing::info!(generation = hash, "the rules are loaded again");
                let text = format!("the rules are loaded again: {hash}");
                self.store.log(self.effects.now(), Level::Info, None, text).await?;
                self.observer.tell(Progress::Reloaded { generation: hash });
            }
            Err(reason) => {
                tracing::error!(%reason, "the rules are not loaded; the old ones stay");
                let text = format!("the rules are not loaded, the old ones stay: {reason}");
                self.store.log(self.effects.now(), Level::Error, None, text).await?;
                self.observer.tell(Progress::ReloadRefused { reason });
            }
        }
        Ok(())
    }
}
