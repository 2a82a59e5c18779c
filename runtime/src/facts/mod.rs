//! Facts: finding out what no message holds, and judging again what waited for it.
//!
//! Comes in: questions of parked decisions. Goes out: answers in the store, and the runs that they decide. A provider
//! that fails is asked again, later and later; after its deadline whatever waits is undecided, loudly. It never
//! guesses, and a failure never turns into "no".

mod command;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use taskbot_graph::{FactKey, TopicFilter};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::class::ErrorClass;
use crate::config::FactConfig;
use crate::dispatch::{back_off, until};
use crate::effect::Effects;
use crate::generation::Generation;
use crate::inbox::decide;
use crate::limits;
use crate::message::MessageText;
use crate::progress::Observer;
use crate::spawn::WorkerProgram;
use crate::store::{ParkedDecision, Question, Store, StoreError, StoredAnswer};

/// Where answers come from.
#[derive(Clone, Debug)]
enum Provider {
    /// A file.
    Table(PathBuf),
    /// A program.
    Command { argv: Vec<String>, timeout: Duration, workers: WorkerProgram },
}

/// Why a provider gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    class: ErrorClass,
    message: String,
}

impl ProviderError {
    fn transient(message: impl Into<String>) -> Self {
        Self { class: ErrorClass::Transient, message: message.into() }
    }

    /// Transient: it is asked again. Permanent: it will never answer.
    pub fn class(&self) -> ErrorClass {
        self.class
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ProviderError {}

/// A configured fact.
#[derive(Clone, Debug)]
struct Configured {
    provider: Provider,
    lifetime: Duration,
    deadline: Duration,
}

/// All configured providers.
#[derive(Clone, Debug)]
pub struct Providers(BTreeMap<String, Configured>);

impl Providers {
    /// From the configuration.
    pub fn new(facts: &BTreeMap<String, FactConfig>, workers: &WorkerProgram) -> Self {
        let configured = facts.iter().filter_map(|(name, fact)| {
            let provider = match (&fact.table, &fact.command) {
                (Some(path), _) => Provider::Table(path.clone()),
                (None, Some(argv)) => {
                    Provider::Command { argv: argv.clone(), timeout: fact.timeout, workers: workers.clone() }
                }
                (None, None) => return None,
            };
            let one = Configured { provider, lifetime: fact.lifetime, deadline: fact.deadline };
            Some((name.clone(), one))
        });
        Self(configured.collect())
    }

    /// Names of facts that a rule set reads and nobody provides.
    pub fn missing<'g>(&self, generation: &'g Generation) -> Vec<&'g str> {
        let names = generation.graph.facts.iter().map(|fact| fact.name.as_str());
        names.filter(|name| !self.0.contains_key(*name)).collect()
    }

    async fn ask(&self, key: &FactKey) -> Result<StoredAnswer, ProviderError> {
        let Some(configured) = self.0.get(&key.fact) else {
            let message = format!("no provider is configured: add [facts.\"{}\"]", key.fact);
            return Err(ProviderError { class: ErrorClass::Permanent, message });
        };
        match &configured.provider {
            Provider::Table(path) => table::ask(path, key),
            Provider::Command { argv, timeout, workers } => command::ask(workers, argv, *timeout, key).await,
        }
    }
}

/// What asking needs.
#[derive(Debug)]
pub struct Asking<E> {
    /// The world.
    pub effects: E,
    /// Where questions, answers and parked decisions are.
    pub store: Store,
    /// Who is asked.
    pub providers: Providers,
    /// Which topics are ours.
    pub filter: TopicFilter,
    /// The current rule set.
    pub generation: watch::Receiver<Arc<Generation>>,
    /// Told of decisions.
    pub observer: Observer,
    /// Told when there may be new questions.
    pub wake: Arc<Notify>,
    /// Wakes dispatch.
    pub new_runs: Arc<Notify>,
    /// The daemon stops.
    pub stop: CancellationToken,
    /// Nothing asks any more.
    pub no_more: CancellationToken,
}

/// Asks until the daemon stops, or nothing upstream can ask and everything is answered or given up.
pub async fn serve<E: Effects>(asking: Asking<E>) -> Result<(), StoreError> {
    asking.store.reopen_undecided(asking.effects.now()).await?;
    // An answer may have come just before a crash; whatever it decides is found by judging all that is parked.
    asking.judge_again(None).await?;
    loop {
        let due = asking.store.due_questions(asking.effects.now(), limits::FACT_QUESTIONS_PARALLEL).await?;
        if !due.is_empty() {
            tokio::select! {
                biased;
                () = asking.stop.cancelled() => return Ok(()),
                asked = asking.ask_all(due) => asked?,
            }
            continue;
        }
        let next = asking.store.next_question_at().await?;
        if next.is_none() && asking.no_more.is_cancelled() {
            return Ok(());
        }
        tokio::select! {
            () = asking.stop.cancelled() => return Ok(()),
            () = asking.no_more.cancelled(), if !asking.no_more.is_cancelled() => {}
            () = asking.wake.notified() => {}
            () = until(next, asking.effects.now()) => {}
        }
    }
}

impl<E: Effects> Asking<E> {
    /// Puts questions to their providers at once; each answer is used as it comes.
    async fn ask_all(&self, due: Vec<Question>) -> Result<(), StoreError> {
        let asked = due.into_iter().map(|question| async {
            let answer = self.providers.ask(&question.key).await;
            (question, answer)
        });
        let mut asked = futures::stream::iter(asked).buffer_unordered(limits::FACT_QUESTIONS_PARALLEL);
        while let Some((question, answer)) = asked.next().await {
            let checked = answer.and_then(|answer| self.check(&question.key, answer));
            match checked {
                Ok(answer) => self.answered(question.key, answer).await?,
                Err(error) => self.failed(question, &error).await?,
            }
        }
        Ok(())
    }

    /// An answer that is not of the declared type is a failure of the provider.
    fn check(&self, key: &FactKey, answer: StoredAnswer) -> Result<StoredAnswer, ProviderError> {
        let generation = Arc::clone(&self.generation.borrow());
        let declared = generation.graph.facts.iter().any(|fact| fact.name == key.fact);
        match &answer {
            // A fact that only an older rule set knows is checked when that one judges.
            Some(json) if declared => match generation.graph.read_fact(&key.fact, json) {
                Ok(_) => Ok(answer),
                Err(reason) => Err(ProviderError::transient(format!("it answered wrongly: {reason}"))),
            },
            _ => Ok(answer),
        }
    }

    async fn answered(&self, key: FactKey, answer: StoredAnswer) -> Result<(), StoreError> {
        let now = self.effects.now();
        let lifetime = self.providers.0.get(&key.fact).map_or(limits::FACT_LIFETIME, |c| c.lifetime);
        // However short its lifetime, an answer lives long enough to decide what asked for it.
        let expires_at = now.after(lifetime.max(limits::FACT_LIFETIME_LEAST));
        self.store.answered(key.clone(), answer, now, expires_at).await?;
        self.judge_again(Some(key)).await
    }

    async fn failed(&self, question: Question, error: &ProviderError) -> Result<(), StoreError> {
        let now = self.effects.now();
        let Question { key, asked_at, attempts } = question;
        let subject = MessageText::new(&key.key);
        let deadline = self.providers.0.get(&key.fact).map_or(Duration::ZERO, |c| c.deadline);
        if error.class() == ErrorClass::Transient && now < asked_at.after(deadline) {
            tracing::warn!(fact = %key.fact, key = %subject, %error, attempts, "a fact is not known yet");
            // The last attempt falls on the deadline, not long after it.
            let next = now.after(back_off(attempts + 1, self.effects.roll())).min(asked_at.after(deadline));
            return self.store.question_failed(key, error.to_string(), next).await;
        }
        tracing::error!(fact = %key.fact, key = %subject, %error, "decisions stay undecided");
        self.store.question_given_up(key, error.to_string(), now).await.map(drop)
    }

    /// Judges what waits for a fact, or everything that waits.
    async fn judge_again(&self, on: Option<FactKey>) -> Result<(), StoreError> {
        for parked in self.store.parked_decisions(on.clone()).await? {
            let generation = self.generation_of(&parked).await?;
            let topic = MessageText::new(&parked.topic);
            let Some(stripped) = self.filter.strip(&parked.topic) else {
                tracing::warn!(%topic, "a parked message is of a topic that is not accepted any more");
                continue;
            };
            let now = self.effects.now();
            let mut decision = decide(&self.store, &generation, stripped, &parked.body, now).await?;
            let still_open =
                on.as_ref().is_some_and(|key| decision.parked.iter().any(|p| p.needs.contains(key)));
            if still_open {
                // The answer is of the type that the current rules declare; an older rule set cannot read it.
                let current = Arc::clone(&self.generation.borrow());
                decision = decide(&self.store, &current, stripped, &parked.body, now).await?;
            }
            let admitted = self.store.redecide(parked.message, decision, now).await?;
            if !admitted.new_runs.is_empty() {
                self.new_runs.notify_one();
            }
            self.observer.decided(&admitted);
        }
        Ok(())
    }

    /// The rule set that parked a decision; the current one if that cannot be read any more.
    async fn generation_of(&self, parked: &ParkedDecision) -> Result<Arc<Generation>, StoreError> {
        let current = Arc::clone(&self.generation.borrow());
        if current.hash == parked.generation {
            return Ok(current);
        }
        let kept = self.store.generation(parked.generation.clone()).await?;
        match kept.as_deref().map(Generation::load) {
            Some(Ok(generation)) => Ok(Arc::new(generation)),
            Some(Err(error)) => {
                tracing::warn!(%error, "an older rule set cannot be read; the current one judges what it parked");
                Ok(current)
            }
            None => Ok(current),
        }
    }
}
