//! The echo: what happens in taskbot goes back through the matcher, as messages of its own.
//!
//! Comes in: parcels of the outbox, one for each run that is over. Goes out: arrivals, through the same door as those of a
//! bus: that the run ended, each of its results, and what its task emits. Only what some rule waits for is kept. A parcel leaves
//! the outbox after its messages were admitted, and their ids are made of what they tell: a crash in between doubles nothing. Each
//! message is recorded with the run that it is about; how long a chain of runs may become is bounded.
//!
//! A task emits by a result with `emit` in its data: `[{"topic": "taskbot.iso.built", "body": {"url": "artifact:boot.iso"}}]`. It may emit
//! the events that its declaration lists, on topics of taskbot alone. `artifact:PATH` becomes the URL of a file that the run kept.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::admission::{Arrival, Fate};
use crate::effect::Effects;
use crate::generation::Generation;
use crate::inbox::Inbox;
use crate::limits;
use crate::message::MessageText;
use crate::sink::{Notice, events, url_path};
use crate::source::Wire;
use crate::steps::artifact_dir;
use crate::store::{Parcel, Reader, StoreError};

/// Name of the echo in the outbox and of its source; no sink may have it.
pub const NAME: &str = "taskbot";

/// What echoing needs.
#[derive(Debug)]
pub struct Echo<E> {
    /// What judges and admits.
    pub inbox: Inbox<E>,
    /// Where runs are read.
    pub state_dir: PathBuf,
    /// An accepted beginning of topics.
    pub prefix: String,
    /// Told when a run has ended.
    pub wake: Arc<Notify>,
    /// The daemon stops.
    pub stop: CancellationToken,
}

/// Whether something was echoed, so that there may be new work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echoed {
    /// Nothing that any rule waits for.
    Nothing,
    /// At least one message.
    Something,
}

/// A message that the echo may carry.
struct Sound {
    topic: String,
    id: String,
    body: Map<String, Value>,
    /// Whether the task wrote it, so that its declaration has to list it.
    by: Author,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Author {
    Daemon,
    Task,
}

/// An accepted beginning of topics, made of the first that the configuration lists.
pub fn prefix(accept: &[String]) -> String {
    let first = accept.first().map_or("", String::as_str);
    first.split('.').map(|word| if word == "*" { "local" } else { word }).collect::<Vec<_>>().join(".")
}

/// Echoes until the daemon stops, or no run can end any more and all that ended were echoed.
pub async fn serve<E: Effects>(echo: &Echo<E>, no_more: &CancellationToken) -> Result<Echoed, StoreError> {
    let mut echoed = Echoed::Nothing;
    loop {
        let last = no_more.is_cancelled();
        if echo.all_due().await? == Echoed::Something {
            echoed = Echoed::Something;
        }
        if last || echo.stop.is_cancelled() {
            return Ok(echoed);
        }
        tokio::select! {
            () = echo.stop.cancelled() => {}
            () = no_more.cancelled() => {}
            () = echo.wake.notified() => {}
        }
    }
}

impl<E: Effects> Echo<E> {
    async fn all_due(&self) -> Result<Echoed, StoreError> {
        let mut echoed = Echoed::Nothing;
        loop {
            let now = self.inbox.effects.now();
            let due = self.inbox.store.due_parcels(NAME.to_owned(), now, limits::PARCELS_AT_ONCE).await?;
            if due.is_empty() {
                return Ok(echoed);
            }
            for parcel in due {
                if self.stop.is_cancelled() {
                    return Ok(echoed);
                }
                if self.one(&parcel).await? == Echoed::Something {
                    echoed = Echoed::Something;
                }
                self.inbox.store.delivered(parcel, self.inbox.effects.now()).await?;
            }
        }
    }

    async fn one(&self, parcel: &Parcel) -> Result<Echoed, StoreError> {
        let generation = Arc::clone(&self.inbox.generation.borrow());
        let Some(notice) = self.notice(parcel).await? else { return Ok(Echoed::Nothing) };
        let mut heard = Vec::new();
        for sound in sounds(&notice) {
            let (by, id, topic) = (sound.by, sound.id.clone(), sound.topic.clone());
            let arrival = self.inbox.arrival(&generation, self.wire(sound, &notice), NAME.to_owned()).await?;
            if let Err(why) = may(&generation, &notice.run.run.task, by, &topic, &arrival) {
                tracing::warn!(run = notice.run.run.id, why, "an event is not emitted");
                continue;
            }
            if matches!(arrival.fate, Fate::Judged { .. } | Fate::Unreadable(_)) {
                heard.push((id, arrival));
            }
        }
        if heard.is_empty() {
            return Ok(Echoed::Nothing);
        }
        let (ids, mut arrivals): (Vec<String>, Vec<Arrival>) = heard.into_iter().unzip();
        if !self.inbox.store.echoed(parcel.run, ids, self.inbox.effects.now()).await? {
            tracing::error!(
                run = notice.run.run.id,
                "a chain of runs is too long and ends here: is it a loop?"
            );
            return Ok(Echoed::Nothing);
        }
        while !arrivals.is_empty() {
            let rest = arrivals.split_off(arrivals.len().min(limits::GROUP_COMMIT_MESSAGES));
            let admitted = self.inbox.effects.admit(std::mem::replace(&mut arrivals, rest)).await?;
            admitted.iter().for_each(|one| self.inbox.tell(one));
        }
        Ok(Echoed::Something)
    }

    async fn notice(&self, parcel: &Parcel) -> Result<Option<Notice>, StoreError> {
        let (state_dir, run) = (self.state_dir.clone(), parcel.run);
        tokio::task::spawn_blocking(move || {
            let report = Reader::open(&state_dir)?.run(run.0)?;
            Ok(report.map(|report| Notice::new(report, artifact_dir(&state_dir, run))))
        })
        .await
        .map_err(|e| StoreError::Stopped { cause: format!("reading a run ended abnormally: {e}") })?
    }

    fn wire(&self, sound: Sound, notice: &Notice) -> Wire {
        Wire::Amqp {
            routing_key: format!("{}.{}", self.prefix, sound.topic),
            message_id: Some(sound.id),
            sent_at: Some(notice.run.run.changed_at.to_string()),
            body: Value::Object(sound.body).to_string().into_bytes(),
        }
    }
}

/// What a run may let be heard.
fn sounds(notice: &Notice) -> Vec<Sound> {
    let own = events(notice, None).into_iter().map(|event| Sound {
        topic: event.topic.to_owned(),
        id: event.id,
        body: event.body,
        by: Author::Daemon,
    });
    let mut all: Vec<Sound> = own.collect();
    let emitted = notice.run.results.iter().filter_map(|result| result.data.get("emit")?.as_array());
    for (number, emitted) in emitted.flatten().take(limits::EMITTED_EVENTS).enumerate() {
        match Emitted::deserialize(emitted) {
            Ok(Emitted { topic, body }) => all.push(Sound {
                topic,
                id: notice.id_of(&format!("emit {number}")),
                body: body.into_iter().map(|(key, value)| (key, with_artifacts(value, notice))).collect(),
                by: Author::Task,
            }),
            Err(error) => {
                let error = MessageText::new(error.to_string());
                tracing::warn!(run = notice.run.run.id, %error, "an event is not emitted: it has no topic and body");
            }
        }
    }
    all
}

#[derive(Deserialize)]
struct Emitted {
    topic: String,
    body: Map<String, Value>,
}

/// `artifact:PATH` as the URL of a file that the run kept.
fn with_artifacts(value: Value, notice: &Notice) -> Value {
    let kept = value.as_str().and_then(|text| text.strip_prefix("artifact:")).and_then(|path| {
        let file = notice.run.artifacts.iter().find(|artifact| artifact.path == path)?;
        let path = notice.artifacts.join(&file.path);
        Some(format!("file://{}", url_path(path.to_str()?)))
    });
    kept.map_or(value, Value::String)
}

/// Whether an event may be told by who wrote it.
fn may(
    generation: &Generation,
    task: &str,
    by: Author,
    topic: &str,
    arrival: &Arrival,
) -> Result<(), String> {
    let (Author::Task, Fate::Judged { decision, .. }) = (by, &arrival.fate) else { return Ok(()) };
    let own = ["taskbot.run.", "taskbot.result."].iter().any(|own| topic.starts_with(own));
    if own || !topic.starts_with("taskbot.") {
        return Err(
            "tasks emit on topics that begin with `taskbot.`, and not on those of runs and results".into()
        );
    }
    let declared = generation.rules.tasks().iter().find(|known| known.name == task);
    let undeclared = |event: &&String| !declared.is_some_and(|task| task.emits.contains(*event));
    match decision.events.iter().find(undeclared) {
        Some(event) => Err(format!("task {task} does not declare that it emits {event}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_one_that_is_accepted() {
        assert_eq!(prefix(&["*.*.prod".to_owned()]), "local.local.prod");
        assert_eq!(prefix(&["org.example.prod".to_owned(), "org.x".to_owned()]), "org.example.prod");
    }
}
