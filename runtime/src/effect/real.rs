//! The real world: the store, the system's clock and randomness, processes and network through the step performer.
//!
//! Comes in: orders. Goes out: deeds. It decides nothing.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use super::{Effects, Performed, StepOrder, Timestamp};
use crate::admission::Arrival;
use crate::dispatch::{Progress, Transition};
use crate::steps::Performer;
use crate::store::{Admitted, Released, RunId, Store, StoreError};

/// The effects of a running daemon.
#[derive(Clone, Debug)]
pub struct Real {
    store: Store,
    performer: Arc<Performer>,
    sinks: Arc<[String]>,
}

impl Real {
    /// `sinks` are the names of the sinks that each run that ends is told to.
    pub fn new(store: Store, performer: Arc<Performer>, sinks: Vec<String>) -> Self {
        Self { store, performer, sinks: sinks.into() }
    }
}

impl Effects for Real {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn roll(&self) -> u64 {
        // Each `RandomState` has its own random keys; good enough to spread retries.
        RandomState::new().hash_one(0_u8)
    }

    async fn admit(&self, arrivals: Vec<Arrival>) -> Result<Vec<Admitted>, StoreError> {
        self.store.admit(arrivals).await
    }

    async fn release(&self, now: Timestamp) -> Result<Released, StoreError> {
        self.store.release(now).await
    }

    async fn record(&self, run: RunId, transition: Transition) -> Result<Progress, StoreError> {
        self.store.record(run, transition, Arc::clone(&self.sinks)).await
    }

    async fn perform(&self, order: StepOrder, cancel: &CancellationToken) -> Performed {
        self.performer.perform(order, cancel).await
    }
}
