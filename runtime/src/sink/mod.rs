//! Sinks: where runs that are over are told, besides the store.
//!
//! Comes in: parcels of the outbox. Goes out: the run's notice, delivered at least once; a sink makes twice the same as once. A
//! sink that fails is tried again, later and later, or its parcel is parked with the reason, and holds nobody else up: each sink
//! has its own round. It never changes a run.
//!
//! A sink is one file, with its configuration, and a place in the lists of `config` and of `Outlet`.

mod amqp;
pub mod config;
mod directory;
mod error;
mod events;
mod fedmsg;
mod file;
mod firehose;
mod http;
mod index;
mod junit;
mod link;
mod notice;
mod page;
mod places;
mod resultsdb;
mod sarif;
mod secret;
mod signature;
mod webhook;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

pub use config::{Only, SinkConfig};
pub use error::SinkError;
pub(crate) use events::events;
pub use notice::Notice;
pub(crate) use page::url_path;

use crate::class::ErrorClass;
use crate::dispatch::{back_off, until};
use crate::effect::Effects;
use crate::limits;
use crate::message::MessageText;
use crate::spawn::WorkerProgram;
use crate::steps::artifact_dir;
use crate::store::{Parcel, Reader, Store, StoreError, Undelivered};

/// A sink that is ready to take runs.
#[derive(Debug)]
pub struct Outlet {
    name: String,
    only: Only,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Each delivery stands alone, and blocks.
    Blocking(Arc<SinkConfig>),
    /// It has subscribers.
    Fedmsg(fedmsg::Sender),
    /// It has a link to a broker.
    Amqp(amqp::Sender),
}

impl Outlet {
    /// Makes a sink ready. Nothing is reached out to yet.
    pub fn new(config: SinkConfig, workers: &WorkerProgram) -> Self {
        let (name, only) = (config.name().to_owned(), config.only().clone());
        let kind = match config {
            SinkConfig::Fedmsg(config) => Kind::Fedmsg(fedmsg::Sender::new(config, workers.clone())),
            SinkConfig::Amqp(config) => Kind::Amqp(amqp::Sender::new(config)),
            other => Kind::Blocking(Arc::new(other)),
        };
        Self { name, only, kind }
    }

    /// Its name in logs and in the outbox.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens what has to be open before there is something to tell. That it failed is no end: a delivery opens it as well.
    pub async fn open(&mut self) -> Result<(), SinkError> {
        match &mut self.kind {
            Kind::Fedmsg(sender) => sender.open().await,
            Kind::Blocking(_) | Kind::Amqp(_) => Ok(()),
        }
    }

    /// Tells a run.
    ///
    /// # Errors
    /// `SinkError`; its class says whether trying again can help.
    pub async fn deliver(&mut self, notice: Notice) -> Result<(), SinkError> {
        match &mut self.kind {
            // What speaks with a broker has large states, which need not lie in everybody's.
            Kind::Fedmsg(sender) => Box::pin(sender.deliver(&notice)).await,
            Kind::Amqp(sender) => Box::pin(sender.deliver(&notice)).await,
            Kind::Blocking(config) => {
                let config = Arc::clone(config);
                // A thread of its own, since a daemon that stops does not wait for a slow peer.
                let (tell, told) = oneshot::channel();
                std::thread::spawn(move || drop(tell.send(deliver_blocking(&config, &notice))));
                told.await.unwrap_or_else(|_| Err(SinkError::unavailable("the sink ended abnormally")))
            }
        }
    }
}

fn deliver_blocking(config: &SinkConfig, notice: &Notice) -> Result<(), SinkError> {
    match config {
        SinkConfig::Directory(config) => directory::deliver(config, notice),
        SinkConfig::Index(config) => index::deliver(config, notice),
        SinkConfig::Resultsdb(config) => resultsdb::deliver(config, notice),
        SinkConfig::Webhook(config) => webhook::deliver(config, notice),
        SinkConfig::Fedmsg(_) | SinkConfig::Amqp(_) => Err(SinkError::unavailable("its link is not open")),
    }
}

/// What emptying the outbox needs.
#[derive(Debug)]
pub struct Outbox<E> {
    /// The world.
    pub effects: E,
    /// Where parcels are.
    pub store: Store,
    /// Where runs are read.
    pub state_dir: PathBuf,
    /// The sinks.
    pub sinks: Vec<SinkConfig>,
    /// The program that serves as a worker process.
    pub workers: WorkerProgram,
    /// Told when there may be new parcels.
    pub wake: Arc<Notify>,
    /// The daemon stops.
    pub stop: CancellationToken,
    /// No run ends any more.
    pub no_more: CancellationToken,
}

/// Empties the outbox until the daemon stops, or no run can end any more and every parcel has been tried.
pub async fn serve<E: Effects>(outbox: Outbox<E>) -> Result<(), StoreError> {
    let outlets = outbox.sinks.iter().map(|config| Outlet::new(config.clone(), &outbox.workers));
    let rounds: Vec<(Outlet, Notify)> = outlets.map(|outlet| (outlet, Notify::new())).collect();
    let (outlets, wakes): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
    let all = futures::future::try_join_all(
        outlets.into_iter().zip(&wakes).map(|(outlet, wake)| outbox.empty(outlet, wake)),
    );
    let waking = async {
        loop {
            outbox.wake.notified().await;
            wakes.iter().for_each(Notify::notify_one);
        }
    };
    tokio::select! {
        ended = all => ended.map(drop),
        () = waking => Ok(()),
    }
}

impl<E: Effects> Outbox<E> {
    /// One sink's round.
    async fn empty(&self, mut outlet: Outlet, wake: &Notify) -> Result<(), StoreError> {
        let name = outlet.name().to_owned();
        // Whoever starts the daemon again may have mended what the parcels were parked for.
        self.store.unpark(name.clone(), self.effects.now()).await?;
        if let Err(error) = outlet.open().await {
            tracing::warn!(sink = name, %error, "the sink is not ready; trying again when there is something to tell");
        }
        loop {
            let due =
                self.store.due_parcels(name.clone(), self.effects.now(), limits::PARCELS_AT_ONCE).await?;
            for parcel in &due {
                tokio::select! {
                    sent = self.send(&mut outlet, parcel.clone()) => sent?,
                    () = self.stop.cancelled() => return Ok(()),
                }
            }
            if !due.is_empty() {
                continue;
            }
            let next = self.store.next_parcel(name.clone()).await?;
            let untried = next.is_some_and(|next| next.untried);
            if self.no_more.is_cancelled() && !untried {
                return Ok(());
            }
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                () = self.no_more.cancelled(), if !self.no_more.is_cancelled() => {}
                () = wake.notified() => {}
                () = until(next.map(|next| next.at), self.effects.now()) => {}
            }
        }
    }

    async fn send(&self, outlet: &mut Outlet, parcel: Parcel) -> Result<(), StoreError> {
        let delivered = match self.notice(&outlet.only, &parcel).await? {
            Some(notice) => outlet.deliver(notice).await,
            None => Ok(()),
        };
        let now = self.effects.now();
        let Err(error) = delivered else { return self.store.delivered(parcel, now).await };
        let reason = MessageText::new(error.to_string()).to_string();
        let undelivered = match (error.class(), &error) {
            (ErrorClass::Transient, error) => {
                let asked = match error {
                    SinkError::Unavailable { retry_after, .. } => retry_after.unwrap_or_default(),
                    _ => std::time::Duration::ZERO,
                };
                tracing::warn!(sink = %parcel.sink, run = %parcel.run, error = reason, "a sink failed; trying again");
                Undelivered::Again(now.after(back_off(parcel.attempts + 1, self.effects.roll()).max(asked)))
            }
            _ => {
                tracing::error!(sink = %parcel.sink, run = %parcel.run, error = reason,
                    "a sink will not take a run; it is parked until the next start");
                Undelivered::Parked(now)
            }
        };
        self.store.not_delivered(parcel, reason, undelivered).await
    }

    /// What a parcel holds for a sink; none: nothing that it wants.
    async fn notice(&self, only: &Only, parcel: &Parcel) -> Result<Option<Notice>, StoreError> {
        let (state_dir, run, only) = (self.state_dir.clone(), parcel.run, only.clone());
        tokio::task::spawn_blocking(move || {
            let report = Reader::open(&state_dir)?.run(run.0)?.and_then(|report| only.of(report));
            Ok(report.map(|report| Notice::new(report, artifact_dir(&state_dir, run))))
        })
        .await
        .map_err(|e| StoreError::Stopped { cause: format!("reading a run ended abnormally: {e}") })?
    }
}
