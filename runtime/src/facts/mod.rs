//! Facts: finding out what no message holds, and judging again what waited for it.
//!
//! Comes in: questions of parked decisions. Goes out: answers in the store, and the runs that they decide. A provider
//! that fails is asked again, later and later; after its deadline whatever waits is undecided, loudly. It never
//! guesses, and a failure never turns into "no".

mod command;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use taskbot_graph::{FactKey, TopicFilter};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::class::ErrorClass;
use crate::config::FactConfig;
use crate::dispatch::{back_off, until};
use crate::effect::{Effects, Timestamp};
use crate::generation::Generation;
use crate::inbox::decide;
use crate::limits;
use crate::message::MessageText;
use crate::progress::Observer;
use crate::spawn::WorkerProgram;
use crate::store::{ParkedDecision, Question, QuestionEnd, Store, StoreError, StoredAnswer};

use table::Table;
pub use table::read as read_table;

/// Where answers come from.
#[derive(Clone, Debug)]
enum Provider {
    /// A file.
    Table(Arc<Table>),
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
    /// Of its own for each fact, so that one that hangs holds up nobody else.
    slots: Arc<Semaphore>,
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
                (Some(path), _) => Provider::Table(Arc::new(Table::new(path.clone()))),
                (None, Some(argv)) => {
                    Provider::Command { argv: argv.clone(), timeout: fact.timeout, workers: workers.clone() }
                }
                (None, None) => return None,
            };
            let slots = Arc::new(Semaphore::new(limits::FACT_CALLS_PARALLEL));
            let one = Configured { provider, slots, lifetime: fact.lifetime, deadline: fact.deadline };
            Some((name.clone(), one))
        });
        Self(configured.collect())
    }

    /// Names of facts that a rule set reads and nobody provides.
    pub fn missing<'g>(&self, generation: &'g Generation) -> Vec<&'g str> {
        let names = generation.rules.facts().iter().map(|fact| fact.name.as_str());
        names.filter(|name| !self.0.contains_key(*name)).collect()
    }

    /// Names of facts that are provided and that a rule set does not read: perhaps misspelt.
    pub fn unread(&self, generation: &Generation) -> Vec<&str> {
        let read = |name: &&str| generation.rules.facts().iter().any(|fact| fact.name == *name);
        self.0.keys().map(String::as_str).filter(|name| !read(name)).collect()
    }

    /// Splits questions into those that are answered by one call.
    fn groups(&self, questions: Vec<Question>) -> Vec<Vec<Question>> {
        let mut groups: Vec<Vec<Question>> = Vec::new();
        for question in questions {
            let command = self.0.get(&question.key.fact).is_some_and(|c| c.is_command());
            match groups.last_mut().filter(|_| !command) {
                Some(group) if group.iter().all(|q| q.key.fact == question.key.fact) => group.push(question),
                _ => groups.push(vec![question]),
            }
        }
        groups
    }

    /// Puts questions of one fact to its provider when it has a slot; also says when it had. The answers are in the
    /// order of the questions.
    async fn ask(&self, keys: Vec<FactKey>, clock: &impl Effects) -> (Timestamp, Vec<Answered>) {
        let fact = keys.first().map(|key| key.fact.clone()).unwrap_or_default();
        let Some(configured) = self.0.get(&fact) else {
            let message = format!("no provider is configured: add [facts.\"{fact}\"]");
            let error = ProviderError { class: ErrorClass::Permanent, message };
            return (clock.now(), keys.iter().map(|_| Err(error.clone())).collect());
        };
        // It is never closed.
        let _slot = configured.slots.acquire().await;
        let tried_at = clock.now();
        let answers = match &configured.provider {
            Provider::Table(table) => {
                let (table, count) = (Arc::clone(table), keys.len());
                tokio::task::spawn_blocking(move || table.ask(&keys)).await.unwrap_or_else(|_| {
                    vec![Err(ProviderError::transient("reading the table was cut off")); count]
                })
            }
            Provider::Command { argv, timeout, workers } => {
                let mut answers = Vec::with_capacity(keys.len());
                for key in &keys {
                    answers.push(command::ask(workers, argv, *timeout, key).await);
                }
                answers
            }
        };
        (tried_at, answers)
    }
}

/// An answer, or why there is none.
type Answered = Result<StoredAnswer, ProviderError>;

impl Configured {
    fn is_command(&self) -> bool {
        matches!(self.provider, Provider::Command { .. })
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
    /// Wakes what lets go of held requests.
    pub newly_held: Arc<Notify>,
    /// The daemon stops.
    pub stop: CancellationToken,
    /// Nothing asks any more.
    pub no_more: CancellationToken,
}

/// Asks until the daemon stops, or nothing upstream can ask and everything is answered or given up. What was given up before is
/// asked anew.
pub async fn serve<E: Effects>(asking: Asking<E>) -> Result<(), StoreError> {
    asking.store.reopen_undecided(asking.effects.now()).await?;
    go_on(asking).await
}

/// As `serve`, but what was given up stays so.
pub async fn go_on<E: Effects>(asking: Asking<E>) -> Result<(), StoreError> {
    let stop = asking.stop.clone();
    tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        served = ask_all(&asking) => served,
    }
}

async fn ask_all<E: Effects>(asking: &Asking<E>) -> Result<(), StoreError> {
    // An answer may have come just before a crash; whatever it decides is found by judging all that is parked.
    asking.judge_all().await?;
    let mut calls = FuturesUnordered::new();
    let mut under_way: BTreeSet<FactKey> = BTreeSet::new();
    let mut gathered = Gathered::default();
    loop {
        let now = asking.effects.now();
        let (due, next) =
            asking.store.due_questions(now, under_way.clone(), limits::FACT_QUESTIONS_AT_ONCE).await?;
        under_way.extend(due.iter().map(|question| question.key.clone()));
        calls.extend(asking.providers.groups(due).into_iter().map(|group| asking.call(group)));
        if gathered.are_due(now, calls.len()) {
            asking.judge_on(std::mem::take(&mut gathered)).await?;
            continue;
        }
        if calls.is_empty() && next.is_none() && asking.no_more.is_cancelled() {
            return Ok(());
        }
        tokio::select! {
            biased;
            Some(mut ended) = calls.next() => {
                while let Some(Some(more)) = calls.next().now_or_never() {
                    ended.extend(more);
                }
                for one in &ended {
                    under_way.remove(&one.question.key);
                }
                gathered.add(asking.settle(ended).await?, asking.effects.now());
            }
            () = until(gathered.due_at(), now) => {}
            () = until(next, now) => {}
            () = asking.wake.notified() => {}
            () = asking.no_more.cancelled(), if !asking.no_more.is_cancelled() => {}
        }
    }
}

/// Facts that are answered and not judged yet.
#[derive(Debug, Default)]
struct Gathered {
    keys: BTreeSet<FactKey>,
    /// When the first of them came.
    since: Option<Timestamp>,
}

impl Gathered {
    fn add(&mut self, keys: Vec<FactKey>, at: Timestamp) {
        if !keys.is_empty() {
            self.since.get_or_insert(at);
            self.keys.extend(keys);
        }
    }

    fn due_at(&self) -> Option<Timestamp> {
        self.since.map(|since| since.after(limits::FACT_GATHER))
    }

    /// Nothing more is under way, or they have waited long enough for what is.
    fn are_due(&self, now: Timestamp, calls: usize) -> bool {
        self.due_at().is_some_and(|due| calls == 0 || due <= now)
    }
}

/// A question that was put to its provider.
struct Asked {
    question: Question,
    tried_at: Timestamp,
    answer: Answered,
}

impl<E: Effects> Asking<E> {
    async fn call(&self, group: Vec<Question>) -> Vec<Asked> {
        let keys = group.iter().map(|question| question.key.clone()).collect();
        let (tried_at, answers) = self.providers.ask(keys, &self.effects).await;
        group
            .into_iter()
            .zip(answers)
            .map(|(question, answer)| Asked { question, tried_at, answer })
            .collect()
    }

    /// Makes what providers said durable; gives the keys that are answered.
    async fn settle(&self, asked: Vec<Asked>) -> Result<Vec<FactKey>, StoreError> {
        let now = self.effects.now();
        let mut answered = Vec::new();
        let mut ended = Vec::with_capacity(asked.len());
        for Asked { question, tried_at, answer } in asked {
            let key = question.key.clone();
            let end = match answer.and_then(|answer| self.check(&key, answer)) {
                Ok(answer) => {
                    answered.push(key.clone());
                    let lifetime =
                        self.providers.0.get(&key.fact).map_or(limits::FACT_LIFETIME, |c| c.lifetime);
                    // However short its lifetime, an answer lives long enough to decide what asked for it.
                    let expires_at = now.after(lifetime.max(limits::FACT_LIFETIME_LEAST));
                    QuestionEnd::Answered { answer, expires_at }
                }
                Err(error) => self.failed(&question, tried_at, &error, now),
            };
            ended.push((key, end));
        }
        self.store.questions_ended(ended, now).await?;
        Ok(answered)
    }

    /// An answer that is not of the declared type is a failure of the provider.
    fn check(&self, key: &FactKey, answer: StoredAnswer) -> Result<StoredAnswer, ProviderError> {
        let generation = Arc::clone(&self.generation.borrow());
        let declared = generation.rules.facts().iter().any(|fact| fact.name == key.fact);
        match &answer {
            // A fact that only an older rule set knows is checked when that one judges.
            Some(json) if declared => match generation.rules.read_fact(&key.fact, json) {
                Ok(_) => Ok(answer),
                Err(reason) => Err(ProviderError::transient(format!("it answered wrongly: {reason}"))),
            },
            _ => Ok(answer),
        }
    }

    /// The deadline counts from the first attempt: waiting for a slot is nobody's failure.
    fn failed(
        &self,
        question: &Question,
        tried_at: Timestamp,
        error: &ProviderError,
        now: Timestamp,
    ) -> QuestionEnd {
        let Question { key, attempts, .. } = question;
        let subject = MessageText::new(&key.key);
        let deadline = self.providers.0.get(&key.fact).map_or(Duration::ZERO, |c| c.deadline);
        let last = question.tried_at.unwrap_or(tried_at).after(deadline);
        let (fact, error_text) = (&key.fact, error.to_string());
        if error.class() == ErrorClass::Transient && now < last {
            tracing::warn!(%fact, key = %subject, %error, attempts, "a fact is not known yet");
            // The last attempt falls on the deadline, not long after it.
            let next_at = now.after(back_off(attempts + 1, self.effects.roll())).min(last);
            return QuestionEnd::Failed { error: error_text, tried_at, next_at };
        }
        tracing::error!(%fact, key = %subject, %error, "decisions stay undecided");
        QuestionEnd::GivenUp { error: error_text }
    }

    /// Judges everything that waits.
    async fn judge_all(&self) -> Result<(), StoreError> {
        let mut last = i64::MIN;
        loop {
            let page = self.store.parked_after(last).await?;
            let Some(&end) = page.last() else { return Ok(()) };
            last = end;
            for message in page {
                self.judge_again(message, &BTreeSet::new(), self.effects.now()).await?;
            }
        }
    }

    /// Judges each message that waits for one of these answers, once for all of them and as of the first.
    async fn judge_on(&self, gathered: Gathered) -> Result<(), StoreError> {
        let as_of = gathered.since.unwrap_or_else(|| self.effects.now());
        for message in self.store.parked_on(gathered.keys.clone()).await? {
            self.judge_again(message, &gathered.keys, as_of).await?;
        }
        Ok(())
    }

    async fn judge_again(
        &self,
        message: i64,
        answered: &BTreeSet<FactKey>,
        as_of: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(parked) = self.store.parked_decision(message).await? else { return Ok(()) };
        let now = self.effects.now();
        let Some(stripped) = self.filter.strip(&parked.topic) else {
            let topic = MessageText::new(&parked.topic);
            let reason = format!(
                "the topic {topic} is not accepted any more; accept it in [topics] and start again to decide it"
            );
            return self.store.message_given_up(message, reason, now).await;
        };
        let generation = self.generation_of(&parked).await?;
        let mut decision = decide(&self.store, &generation, stripped, &parked.body, as_of).await?;
        if decision.parked.iter().flat_map(|p| &p.needs).any(|need| answered.contains(need)) {
            // The answer is of the type that the current rules declare; an older rule set cannot read it.
            let current = Arc::clone(&self.generation.borrow());
            decision = decide(&self.store, &current, stripped, &parked.body, as_of).await?;
        }
        let admitted = self.store.redecide(message, decision, now).await?;
        if !admitted.new_runs.is_empty() || admitted.superseded > 0 {
            self.new_runs.notify_one();
        }
        if admitted.held > 0 {
            self.newly_held.notify_one();
        }
        self.observer.decided(&admitted);
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
