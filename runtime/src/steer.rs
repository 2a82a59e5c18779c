//! Steering: signals and orders of the operator.
//!
//! Comes in: TERM, INT, HUP, and the same as orders. Goes out: a stop for all stations, a new generation, a cancelled
//! run. A reload is atomic: the new rule set is complete, loaded and kept before it is the current one; a bad one
//! changes nothing.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::daemon::{Control, DaemonError, Reload, compile};
use crate::effect::{Effects, Real};
use crate::generation::Generation;
use crate::progress::{Observer, Progress};
use crate::store::{Level, RunId, Store, StoreError};

/// What steering needs.
pub(crate) struct Wheel {
    pub(crate) effects: Real,
    pub(crate) store: Store,
    pub(crate) generation: watch::Sender<Arc<Generation>>,
    pub(crate) observer: Observer,
    pub(crate) reload: Reload,
    pub(crate) cancel: mpsc::Sender<RunId>,
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
    loop {
        let order = tokio::select! {
            _ = terminate.recv() => Control::Stop,
            _ = interrupt.recv() => Control::Stop,
            _ = hang_up.recv() => Control::Reload,
            Some(order) = control.recv() => order,
        };
        match order {
            Control::Stop => {
                tracing::info!("stopping; what is under way is resumed at the next start");
                wheel.stop.cancel();
            }
            Control::Cancel(run) => {
                // Dispatch has ended; then there is nothing left to cancel.
                let _ = wheel.cancel.send(run).await;
            }
            Control::Reload => wheel.reload().await?,
        }
    }
}

impl Wheel {
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
