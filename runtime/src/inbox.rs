//! The inbox: from deliveries to durable decisions.
//!
//! Comes in: deliveries of all sources, in the order of their arrival. Goes out: for each delivery one fate,
//! committed before its source is told: verify -> limit -> match -> one transaction (message, decision, runs by
//! unique key). What waits together is committed together, while the next is judged. It never runs anything, and one
//! bad message never stops the next.

use std::sync::Arc;

use taskbot_graph::{Body, Judgement, TopicFilter};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::admission::{self, Arrival, Decision, Fate, KnownFacts, RecordedFact};
use crate::effect::{Effects, Timestamp};
use crate::generation::Generation;
use crate::intake::{self, IntakeLimits};
use crate::limits;
use crate::progress::Observer;
use crate::source::{Delivery, Settled};
use crate::store::{Admitted, Store, StoreError};

/// What the inbox needs.
#[derive(Debug)]
pub struct Inbox<E> {
    /// The world.
    pub effects: E,
    /// Where known facts are.
    pub store: Store,
    /// Which topics are ours.
    pub filter: TopicFilter,
    /// Limits of a message.
    pub limits: IntakeLimits,
    /// The current rule set.
    pub generation: watch::Receiver<Arc<Generation>>,
    /// Told of each message.
    pub observer: Observer,
    /// Wakes dispatch.
    pub new_runs: Arc<Notify>,
    /// Wakes what lets go of held requests.
    pub newly_held: Arc<Notify>,
    /// Wakes the asking of facts.
    pub new_questions: Arc<Notify>,
}

/// A delivery that is judged and not committed yet.
struct Judged {
    arrival: Arrival,
    settle: oneshot::Sender<Settled>,
}

/// Takes deliveries until all sources are gone or the daemon stops. What is not judged then goes back to its source.
/// While the store commits one group, the next is judged.
pub async fn serve<E: Effects>(
    inbox: Inbox<E>,
    deliveries: mpsc::Receiver<Delivery>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let (judged, waiting) = mpsc::channel(limits::GROUP_COMMIT_MESSAGES);
    tokio::try_join!(inbox.judge_all(deliveries, judged, stop), inbox.commit_all(waiting)).map(drop)
}

impl<E: Effects> Inbox<E> {
    async fn judge_all(
        &self,
        mut deliveries: mpsc::Receiver<Delivery>,
        judged: mpsc::Sender<Judged>,
        stop: CancellationToken,
    ) -> Result<(), StoreError> {
        let mut batch = Vec::with_capacity(limits::GROUP_COMMIT_MESSAGES);
        loop {
            // Many at once: a source that waits for room is woken once for all of them.
            let count = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                count = deliveries.recv_many(&mut batch, limits::GROUP_COMMIT_MESSAGES) => count,
            };
            if count == 0 {
                return Ok(());
            }
            // One generation for the whole batch: a reload takes effect between two of them.
            let generation = Arc::clone(&self.generation.borrow());
            for Delivery { source, wire, settle } in batch.drain(..) {
                let arrival = self.arrival(&generation, wire, source).await?;
                if judged.send(Judged { arrival, settle }).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    /// Commits what waits together in one transaction, then settles it.
    async fn commit_all(&self, mut waiting: mpsc::Receiver<Judged>) -> Result<(), StoreError> {
        let mut group = Vec::with_capacity(limits::GROUP_COMMIT_MESSAGES);
        while waiting.recv_many(&mut group, limits::GROUP_COMMIT_MESSAGES).await > 0 {
            let (arrivals, settles): (Vec<_>, Vec<_>) =
                group.drain(..).map(|Judged { arrival, settle }| (arrival, settle)).unzip();
            let admitted = self.effects.admit(arrivals).await?;
            for settle in settles {
                // A source without acknowledgement has dropped the other end.
                let _ = settle.send(Settled::Committed);
            }
            admitted.iter().for_each(|one| self.tell(one));
        }
        Ok(())
    }

    /// Wakes whoever has work by it.
    pub(crate) fn tell(&self, one: &Admitted) {
        self.observer.admitted(one);
        if !one.new_runs.is_empty() || one.superseded > 0 {
            self.new_runs.notify_one();
        }
        if one.held > 0 {
            self.newly_held.notify_one();
        }
        if one.parked > 0 {
            self.new_questions.notify_one();
        }
    }

    /// Judges one delivery; nothing is durable yet.
    pub(crate) async fn arrival(
        &self,
        generation: &Generation,
        wire: crate::source::Wire,
        source: String,
    ) -> Result<Arrival, StoreError> {
        let received_at = self.effects.now();
        let fate = match intake::accept(wire, &source, &self.limits) {
            Err(quarantine) => Fate::Unreadable(quarantine),
            Ok(message) => match self.filter.strip(message.topic.expose()) {
                None => Fate::OtherEnvironment,
                Some(topic) => {
                    let decision = decide(&self.store, generation, topic, &message.body, received_at).await?;
                    if decision.events.is_empty() && decision.refused.is_empty() {
                        Fate::NoEvent
                    } else {
                        Fate::Judged { message, decision }
                    }
                }
            },
        };
        Ok(Arrival { received_at, source, fate })
    }
}

/// Judges a message with the facts that are known, looking up only those that still matter.
pub async fn decide(
    store: &Store,
    generation: &Generation,
    topic: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Decision, StoreError> {
    let rules = &generation.rules;
    // Intake took nothing that is not UTF-8.
    let body = Body::checked_before(std::str::from_utf8(body).unwrap_or_default());
    let mut known = KnownFacts::default();
    let judgement = loop {
        let judgement = rules.judge(topic, body, &known.answers);
        let wanted = unknown(&judgement, &known);
        if wanted.is_empty() {
            break judgement;
        }
        let found = store.answers(wanted, now).await?;
        let before = known.answers.len();
        for (key, stored) in found {
            let answer = match &stored {
                None => taskbot_graph::Answer::NoSuchKey,
                Some(json) => match rules.read_fact(&key.fact, json) {
                    Ok(value) => taskbot_graph::Answer::Known(value),
                    // Kept for another rule set with another type: asked again.
                    Err(_) => continue,
                },
            };
            known.answers.insert(key.clone(), answer);
            known.recorded.push(RecordedFact { key, value: stored.unwrap_or_default() });
        }
        if known.answers.len() == before {
            break judgement;
        }
    };
    Ok(admission::decide(generation, judgement, known))
}

fn unknown(judgement: &Judgement, known: &KnownFacts) -> Vec<taskbot_graph::FactKey> {
    let mut wanted: Vec<_> = judgement
        .parked
        .iter()
        .flat_map(|parked| &parked.needs)
        .filter(|need| !known.answers.contains_key(need))
        .cloned()
        .collect();
    wanted.sort();
    wanted.dedup();
    wanted
}
