//! The sink that is a fedmsg publisher: messages over ZeroMQ to whoever subscribes.
//!
//! Comes in: a notice. Goes out: its events as fedmsg envelopes on a PUB socket, signed where a certificate is configured. The
//! socket lives in a worker process and is there as long as the daemon. A delivery means that the messages were handed to
//! ZeroMQ: who is not subscribed at that moment never gets them, as on every fedmsg bus. A message that is sent again has the same
//! `msg_id`.
//!
//! ```toml
//! [[sink]]
//! kind = "fedmsg"
//! bind = "tcp://127.0.0.1:9941"
//! topic_prefix = "org.example.prod"
//! sign = { certificate = "taskbot.crt", key = "taskbot.key" }
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::config::{Only, Settings};
use super::error::SinkError;
use super::events::{BusEvent, TopicPrefix, events};
use super::link::Link;
use super::notice::Notice;
use super::signature::{Signer, canonical};
use crate::limits;
use crate::publisher::{PublishError, Publisher};
use crate::spawn::WorkerProgram;

/// `kind = "fedmsg"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name.
    #[serde(default = "name")]
    name: String,
    /// What it is told.
    #[serde(default)]
    only: Only,
    /// Where subscribers connect to.
    bind: Bind,
    /// What topics begin with.
    topic_prefix: TopicPrefix,
    /// Page about a run.
    link: Option<Link>,
    /// Who signs; without it nothing is signed.
    sign: Option<Sign>,
}

/// `sign`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    /// PEM file.
    certificate: PathBuf,
    /// PEM file without a password.
    key: PathBuf,
}

/// `tcp://ADDRESS:PORT`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Bind(SocketAddr);

impl TryFrom<String> for Bind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let address = text.strip_prefix("tcp://").and_then(|address| address.parse().ok());
        address.map(Self).ok_or_else(|| {
            format!("'{text}' is no address to bind to; write `tcp://127.0.0.1:9941`, or `tcp://0.0.0.0:9941` for all interfaces")
        })
    }
}

fn name() -> String {
    "fedmsg".into()
}

impl Settings for Config {
    fn name(&self) -> &str {
        &self.name
    }
    fn only(&self) -> &Only {
        &self.only
    }
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        self.sign.iter_mut().flat_map(|sign| [&mut sign.certificate, &mut sign.key]).collect()
    }
}

/// The publisher, while it lives.
#[derive(Debug)]
pub(super) struct Sender {
    config: Config,
    workers: WorkerProgram,
    publisher: Option<Publisher>,
    /// Number of the next envelope.
    next: u64,
}

impl Sender {
    pub(super) fn new(config: Config, workers: WorkerProgram) -> Self {
        Self { config, workers, publisher: None, next: 1 }
    }

    /// Binds, so that there may be subscribers before there is something to tell.
    pub(super) async fn open(&mut self) -> Result<(), SinkError> {
        if self.publisher.is_none() {
            self.publisher = Some(Publisher::bind(&self.workers, self.config.bind.0).await.map_err(failed)?);
        }
        Ok(())
    }

    pub(super) async fn deliver(&mut self, notice: &Notice) -> Result<(), SinkError> {
        // Read each time: certificates are renewed.
        let signer =
            self.config.sign.as_ref().map(|sign| Signer::read(&sign.certificate, &sign.key)).transpose()?;
        let sent = match tokio::time::timeout(limits::SINK_TIMEOUT, self.send(notice, signer.as_ref())).await
        {
            Ok(sent) => sent,
            Err(_) => Err(SinkError::unavailable("the publisher does not answer")),
        };
        if sent.is_err() {
            self.publisher = None;
        }
        sent
    }

    async fn send(&mut self, notice: &Notice, signer: Option<&Signer>) -> Result<(), SinkError> {
        self.open().await?;
        for event in events(notice, self.config.link.as_ref()) {
            let topic = self.config.topic_prefix.topic(&event);
            let mut envelope = envelope(event, &topic, notice, self.next);
            if let Some(signer) = signer {
                signer.sign(&mut envelope)?;
            }
            let text = canonical(&Value::Object(envelope))?;
            let publisher =
                self.publisher.as_mut().ok_or_else(|| SinkError::unavailable("it is not bound"))?;
            publisher.send_and_wait(topic.as_bytes(), text.as_bytes()).await.map_err(failed)?;
            self.next += 1;
        }
        Ok(())
    }
}

fn failed(error: PublishError) -> SinkError {
    SinkError::unavailable(error.to_string())
}

fn envelope(event: BusEvent, topic: &str, notice: &Notice, number: u64) -> Map<String, Value> {
    let at = notice.run.run.changed_at;
    let year = at.to_string().chars().take(4).collect::<String>();
    let entries = [
        ("i", json!(number)),
        ("msg", Value::Object(event.body)),
        ("msg_id", json!(format!("{year}-{}", event.id))),
        ("timestamp", json!(at.millis() / 1000)),
        ("topic", json!(topic)),
        ("username", json!("taskbot")),
    ];
    entries.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}
