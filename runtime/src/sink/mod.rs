//! Sinks: where runs that are over are told, besides the store.
//!
//! Comes in: parcels of the outbox. Goes out: the run's document, delivered at least once; a sink makes twice the
//! same as once. A sink that fails is tried again, later and later, and holds nobody else up. It never changes a run.

mod directory;
mod junit;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::class::ErrorClass;
use crate::config::SinkConfig;
use crate::dispatch::{back_off, until};
use crate::effect::Effects;
use crate::limits;
use crate::store::{Parcel, Reader, RunReport, Store, StoreError};

/// Why a sink did not take a run.
#[derive(Debug)]
pub enum SinkError {
    /// Writing failed.
    Io(PathBuf, std::io::Error),
    /// The run cannot be put into the sink's form.
    Form(String),
}

impl SinkError {
    /// Whether trying again can help. A parcel is kept either way.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Io(..) => ErrorClass::Transient,
            Self::Form(_) => ErrorClass::Permanent,
        }
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Form(what) => write!(f, "the run cannot be written: {what}"),
        }
    }
}

impl std::error::Error for SinkError {}

fn deliver(sink: &SinkConfig, run: &RunReport) -> Result<(), SinkError> {
    match sink {
        SinkConfig::Directory { path, .. } => directory::deliver(path, run),
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
    /// Told when there may be new parcels.
    pub wake: Arc<Notify>,
    /// The daemon stops.
    pub stop: CancellationToken,
    /// No run ends any more.
    pub no_more: CancellationToken,
}

/// Empties the outbox until the daemon stops, or no run can end any more and every parcel has been tried.
pub async fn serve<E: Effects>(outbox: Outbox<E>) -> Result<(), StoreError> {
    let names: Vec<String> = outbox.sinks.iter().map(|sink| sink.name().to_owned()).collect();
    loop {
        let now = outbox.effects.now();
        let due = outbox.store.due_parcels(names.clone(), now, limits::PARCELS_AT_ONCE).await?;
        for parcel in &due {
            if outbox.stop.is_cancelled() {
                return Ok(());
            }
            outbox.send(parcel.clone()).await?;
        }
        if !due.is_empty() {
            continue;
        }
        let next = outbox.store.next_parcel(names.clone()).await?;
        let untried = next.is_some_and(|next| next.untried);
        if outbox.no_more.is_cancelled() && !untried {
            return Ok(());
        }
        tokio::select! {
            () = outbox.stop.cancelled() => return Ok(()),
            () = outbox.no_more.cancelled(), if !outbox.no_more.is_cancelled() => {}
            () = outbox.wake.notified() => {}
            () = until(next.map(|next| next.at), outbox.effects.now()) => {}
        }
    }
}

impl<E: Effects> Outbox<E> {
    async fn send(&self, parcel: Parcel) -> Result<(), StoreError> {
        let Some(sink) = self.sinks.iter().find(|sink| sink.name() == parcel.sink).cloned() else {
            return Ok(());
        };
        let (state_dir, run) = (self.state_dir.clone(), parcel.run);
        let delivered = tokio::task::spawn_blocking(move || {
            let report = Reader::open(&state_dir)?.run(run.0)?;
            Ok::<_, StoreError>(report.map_or(Ok(()), |report| deliver(&sink, &report)))
        })
        .await
        .map_err(|e| StoreError::Stopped { cause: format!("a sink ended abnormally: {e}") })??;
        let now = self.effects.now();
        match delivered {
            Ok(()) => self.store.delivered(parcel, now).await,
            Err(error) => {
                tracing::warn!(sink = %parcel.sink, run = %parcel.run, %error, "a sink failed; trying again");
                let next_at = now.after(back_off(parcel.attempts + 1, self.effects.roll()));
                self.store.not_delivered(parcel, error.to_string(), next_at).await
            }
        }
    }
}
