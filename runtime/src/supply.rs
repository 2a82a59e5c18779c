//! Supply: all configured sources, side by side, into one queue.
//!
//! Comes in: configured sources. Goes out: deliveries. The queue closes when no source can bring anything any more:
//! that is what ends the stations behind it. A source that cannot be used at all stops the daemon; one that lost its
//! link does not.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::class::ErrorClass;
use crate::daemon::{DaemonError, Until};
use crate::message::MessageText;
use crate::progress::{Observer, Progress};
use crate::source::{self, Deliveries, SourceConfig, SourceError, SourceEvent, SourceEvents};
use crate::spawn::WorkerProgram;

/// What supplying needs.
#[derive(Debug)]
pub struct Supply {
    /// The sources.
    pub sources: Vec<SourceConfig>,
    /// The program that serves as a worker process.
    pub workers: WorkerProgram,
    /// Whether the daemon ends with its sources.
    pub until: Until,
    /// Told when all are started and when one ends.
    pub observer: Observer,
    /// Hash of the rule set, for the word that the daemon is ready.
    pub generation: String,
    /// The daemon stops.
    pub stop: CancellationToken,
}

/// Runs the sources until all have ended (`Until::Idle`) or the daemon stops.
pub async fn serve(supply: Supply, deliveries: Deliveries) -> Result<(), DaemonError> {
    let Supply { sources, workers, until, observer, generation, stop } = supply;
    let mut running: JoinSet<(String, Result<(), SourceError>)> = JoinSet::new();
    let names: Vec<String> = sources.iter().map(|config| config.name().to_owned()).collect();
    for config in sources {
        let (deliveries, stop, workers) = (deliveries.clone(), stop.clone(), workers.clone());
        let name = config.name().to_owned();
        let events = SourceEvents::new({
            let name = name.clone();
            move |event| tell(&name, &event)
        });
        running
            .spawn(async move { (name, source::run_with(&workers, config, deliveries, stop, events).await) });
    }
    tracing::info!(generation, sources = %names.join(", "), "ready");
    observer.tell(Progress::Ready { generation, sources: names });
    while let Some(ended) = running.join_next().await {
        let Ok((name, outcome)) = ended else { continue };
        let error = outcome.as_ref().err().map(ToString::to_string);
        match outcome {
            Err(error) if !stop.is_cancelled() && error.class() != ErrorClass::Transient => {
                return Err(DaemonError::Source { name, reason: error.to_string() });
            }
            Err(error) => tracing::warn!(source = name, %error, "a source ended"),
            Ok(()) => tracing::info!(source = name, "a source ended"),
        }
        observer.tell(Progress::SourceEnded { source: name, error });
    }
    if until == Until::Stopped {
        stop.cancelled().await;
    }
    Ok(())
}

fn tell(source: &str, event: &SourceEvent) {
    let shown = |text: &str| MessageText::new(text).to_string();
    match event {
        SourceEvent::Connected { endpoint } => {
            tracing::info!(source, endpoint = shown(endpoint), "connected");
        }
        SourceEvent::Lost { endpoint, reason } => {
            tracing::warn!(source, endpoint = shown(endpoint), reason = shown(reason), "the link is lost");
        }
        SourceEvent::Retrying { endpoint, after } => {
            tracing::info!(source, endpoint = shown(endpoint), ?after, "not connected, trying again");
        }
        SourceEvent::WorkerDied { reason } => {
            tracing::warn!(source, reason = shown(reason), "its worker process is replaced");
        }
    }
}
