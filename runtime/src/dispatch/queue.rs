//! Which run goes on next, and how many at once.
//!
//! Comes in: open runs in the store, slots, cancellations. Goes out: driven runs. Runs go on in the order in which
//! they were made; one that waits for its next attempt holds no slot. It ends when the daemon stops, or when nothing
//! upstream can make a run any more and all are over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::drive::{Observe, Stops, drive};
use crate::effect::{Effects, Timestamp};
use crate::limits;
use crate::store::{OpenRun, RunId, Store, StoreError};

/// What dispatch needs.
#[derive(Debug)]
pub struct Queue<E, O> {
    /// The world.
    pub effects: E,
    /// Where open runs are.
    pub store: Store,
    /// Runs at once.
    pub parallel: usize,
    /// Told when there may be new runs.
    pub wake: Arc<Notify>,
    /// Runs to cancel.
    pub cancels: mpsc::Receiver<RunId>,
    /// Told of every move.
    pub observer: O,
    /// The daemon stops.
    pub stop: CancellationToken,
    /// Nothing makes runs any more.
    pub no_more: CancellationToken,
}

type Driven = (RunId, Result<(), StoreError>);

/// Drives runs until the end; see the module.
pub async fn serve<E, O>(queue: Queue<E, O>) -> Result<(), StoreError>
where
    E: Effects + Clone + 'static,
    O: Observe + Clone + 'static,
{
    let Queue { effects, store, parallel, wake, mut cancels, observer, stop, no_more } = queue;
    let mut tasks: JoinSet<Driven> = JoinSet::new();
    let mut under_way: HashMap<RunId, CancellationToken> = HashMap::new();
    let start = |tasks: &mut JoinSet<Driven>, run: OpenRun, cancel: CancellationToken| {
        let (effects, observer) = (effects.clone(), observer.clone());
        let stops = Stops { daemon: stop.clone(), run: cancel };
        tasks.spawn(async move { (run.id, drive(&effects, run, &stops, &observer).await.map(drop)) });
    };
    while !stop.is_cancelled() {
        let free = parallel.saturating_sub(under_way.len());
        if free > 0 {
            let known = under_way.keys().copied().collect();
            for run in store.due_runs(effects.now(), known, free).await? {
                let cancel = CancellationToken::new();
                under_way.insert(run.id, cancel.clone());
                start(&mut tasks, run, cancel);
            }
        }
        let next = store.next_run_at(under_way.keys().copied().collect()).await?;
        if under_way.is_empty() && next.is_none() && no_more.is_cancelled() {
            return Ok(());
        }
        let slots = under_way.len() < parallel;
        tokio::select! {
            Some(joined) = tasks.join_next() => finished(&mut under_way, joined)?,
            Some(id) = cancels.recv() => match under_way.get(&id) {
                Some(cancel) => cancel.cancel(),
                None => if let Some(run) = store.open_run(id).await? {
                    let cancel = CancellationToken::new();
                    cancel.cancel();
                    under_way.insert(id, cancel.clone());
                    start(&mut tasks, run, cancel);
                },
            },
            () = wake.notified() => {}
            () = until(next, effects.now()), if slots && next.is_some() => {}
            () = no_more.cancelled(), if !no_more.is_cancelled() => {}
            () = stop.cancelled() => {}
        }
    }
    let ending = async {
        while let Some(joined) = tasks.join_next().await {
            finished(&mut under_way, joined)?;
        }
        Ok(())
    };
    match tokio::time::timeout(limits::STOP_GRACE, ending).await {
        Ok(ended) => ended,
        Err(_) => {
            tracing::warn!("commands did not end in time; their runs are resumed at the next start");
            Ok(())
        }
    }
}

fn finished(
    under_way: &mut HashMap<RunId, CancellationToken>,
    joined: Result<Driven, tokio::task::JoinError>,
) -> Result<(), StoreError> {
    match joined {
        Ok((id, outcome)) => {
            under_way.remove(&id);
            outcome
        }
        // A run's task neither panics nor is aborted; if it did, its run would stay open without a driver.
        Err(error) => {
            tracing::error!(%error, "a run's driver ended abnormally");
            Err(StoreError::Stopped { cause: format!("a run's driver ended abnormally: {error}") })
        }
    }
}

/// Waits until a time; for ever without one. Woken again in between, since the wall clock may be set.
pub async fn until(next: Option<Timestamp>, now: Timestamp) {
    match next {
        Some(at) => tokio::time::sleep(at.since(now).min(Duration::from_secs(60))).await,
        None => std::future::pending().await,
    }
}
