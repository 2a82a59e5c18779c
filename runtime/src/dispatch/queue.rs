//! Which run goes on next, and how many at once.
//!
//! Comes in: open runs in the store, with their groups, their rank and the word to cancel them; slots. Goes out: driven
//! runs. Runs go on by rank: in the order in which they were made, where a higher priority is a head start, so that none
//! waits for ever. One that waits for its next attempt holds no slot, neither of its groups nor of all. It ends when the
//! daemon stops, or when nothing upstream can make a run any more and all are over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use taskbot_graph::Priority;
use tokio::sync::Notify;
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
    /// Told when there may be new runs, or runs to cancel.
    pub wake: Arc<Notify>,
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
    let Queue { effects, store, parallel, wake, observer, stop, no_more } = queue;
    let mut tasks: JoinSet<Driven> = JoinSet::new();
    let mut under_way: HashMap<RunId, CancellationToken> = HashMap::new();
    let start = |tasks: &mut JoinSet<Driven>, run: OpenRun, cancel: CancellationToken| {
        let (effects, observer) = (effects.clone(), observer.clone());
        let stops = Stops { daemon: stop.clone(), run: cancel };
        tasks.spawn(async move { (run.id, drive(&effects, run, &stops, &observer).await.map(drop)) });
    };
    while !stop.is_cancelled() {
        let now = effects.now();
        for run in store.cancelled_runs().await? {
            // One that is not under way is ended without waiting for a slot.
            let id = run.id;
            let cancel = under_way.entry(id).or_insert_with(|| {
                let cancel = CancellationToken::new();
                start(&mut tasks, run, cancel.clone());
                cancel
            });
            cancel.cancel();
        }
        let known = || under_way.keys().copied().collect::<Vec<_>>();
        let free = parallel.saturating_sub(under_way.len());
        let due = if free > 0 { store.due_runs(now, known(), free).await? } else { Vec::new() };
        for run in due {
            let cancel = CancellationToken::new();
            under_way.insert(run.id, cancel.clone());
            start(&mut tasks, run, cancel);
        }
        let waiting = store.waiting_runs(now, under_way.keys().copied().collect()).await?;
        if under_way.is_empty() && !waiting.any && no_more.is_cancelled() {
            return Ok(());
        }
        let slots = under_way.len() < parallel;
        tokio::select! {
            Some(joined) = tasks.join_next() => finished(&mut under_way, joined)?,
            () = wake.notified() => {}
            () = until(waiting.next, effects.now()), if slots && waiting.next.is_some() => {}
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

/// A run's place in the queue, smaller first: when it was made, moved by its priority. Since the head start is a time,
/// each run has only so many before it, and waits for no others.
pub fn rank(made: Timestamp, priority: Priority) -> Timestamp {
    match priority {
        Priority::High => made.before(limits::PRIORITY_HEAD_START),
        Priority::Normal => made,
        Priority::Low => made.after(limits::PRIORITY_HEAD_START),
    }
}

/// Waits until a time; for ever without one. Woken again in between, since the wall clock may be set.
pub async fn until(next: Option<Timestamp>, now: Timestamp) {
    match next {
        Some(at) => tokio::time::sleep(at.since(now).min(Duration::from_secs(60))).await,
        None => std::future::pending().await,
    }
}
