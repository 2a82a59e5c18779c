//! Held requests: letting go what windows hold, when it is due.
//!
//! Comes in: the clock, and word that something is newly held. Goes out: runs, made in the order of arrival, each look
//! in one transaction with the end of what held them; so a crash neither loses nor doubles one. It ends when the daemon
//! stops, or when nothing upstream can hold anything any more and nothing is held.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::dispatch::until;
use crate::effect::Effects;
use crate::progress::Observer;
use crate::store::{Released, StoreError};

/// What letting go needs.
#[derive(Debug)]
pub struct Holding<E> {
    /// The world.
    pub effects: E,
    /// Told when something is newly held, or was let go by hand.
    pub wake: Arc<Notify>,
    /// Wakes dispatch.
    pub new_runs: Arc<Notify>,
    /// Told of runs.
    pub observer: Observer,
    /// The daemon stops.
    pub stop: CancellationToken,
    /// Nothing is newly held any more.
    pub no_more: CancellationToken,
}

/// Lets go until the end; see the module.
pub async fn serve<E: Effects>(holding: Holding<E>) -> Result<(), StoreError> {
    let Holding { effects, wake, new_runs, observer, stop, no_more } = holding;
    while !stop.is_cancelled() {
        let last = no_more.is_cancelled();
        let now = effects.now();
        let released = effects.release(now).await?;
        tell(&released, &new_runs, &observer);
        if released.next.is_none() && last {
            return Ok(());
        }
        tokio::select! {
            () = until(released.next, now) => {}
            () = wake.notified() => {}
            () = no_more.cancelled(), if !last => {}
            () = stop.cancelled() => {}
        }
    }
    Ok(())
}

/// Word of what was let go, to dispatch and to the observer.
pub(crate) fn tell(released: &Released, new_runs: &Notify, observer: &Observer) {
    if !released.new_runs.is_empty() || released.superseded > 0 {
        new_runs.notify_one();
    }
    observer.released(released);
}
