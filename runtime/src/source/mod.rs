//! Sources: where messages come from. One trait, one conformance suite.
//!
//! Comes in: a configured endpoint, broker, file or standard input. Goes out: deliveries, each with the means
//! to settle it. It never judges a message: bytes go on as they came, and only what was committed is
//! acknowledged.

pub(crate) mod amqp;
mod archive;
mod fedmsg;
pub(crate) mod pause;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::class::ErrorClass;
use crate::limits;
use crate::spawn::WorkerProgram;
use amqp::Amqp;
pub use archive::Recording;
use fedmsg::Fedmsg;

/// The bytes of one message as the transport handed them over, before any check.
#[derive(Clone, Debug)]
pub enum Wire {
    /// fedmsg over ZeroMQ: the topic frame and the JSON envelope.
    Fedmsg {
        /// First frame.
        topic: Vec<u8>,
        /// Second frame: the envelope.
        envelope: Vec<u8>,
    },
    /// fedora-messaging over AMQP 0-9-1.
    Amqp {
        /// Routing key, which is the topic.
        routing_key: String,
        /// Property `message_id`.
        message_id: Option<String>,
        /// Header `sent-at`, RFC 3339.
        sent_at: Option<String>,
        /// The body: a JSON object.
        body: Vec<u8>,
    },
    /// One line of a recording: a fedmsg envelope (`topic`, `msg`) or a fedora-messaging record (`topic`, `body`).
    Record {
        /// The line without its line end.
        line: Vec<u8>,
    },
    /// The transport itself refused it (too large for a frame, ...): only its head is left.
    Refused {
        /// First bytes of it, at most `limits::QUARANTINE_HEAD_BYTES`.
        head: Vec<u8>,
        /// Its fingerprint, where enough of it was seen.
        sha256: Option<String>,
        /// Its whole length in bytes.
        length_bytes: u64,
        /// Why, for people.
        reason: String,
    },
}

/// What became of a delivery, told to its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Committed (accepted or quarantined): acknowledge it.
    Committed,
    /// Not committed: give it back to the bus.
    Returned,
}

/// One message on its way from a source to the inbox.
#[derive(Debug)]
pub struct Delivery {
    /// Name of the configured source.
    pub source: String,
    /// The bytes.
    pub wire: Wire,
    /// Told once when the message's fate is durable. Sources without acknowledgement drop the other end.
    pub settle: oneshot::Sender<Settled>,
}

/// Where sources put what they receive; bounded, so a slow inbox slows the source down.
pub type Deliveries = mpsc::Sender<Delivery>;

/// One configured source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum SourceConfig {
    /// fedmsg publishers over ZeroMQ.
    Fedmsg {
        /// Name in logs and records.
        #[serde(default = "fedmsg_name")]
        name: String,
        /// Publishers to connect to, `tcp://host:port`.
        endpoints: Vec<String>,
        /// After this many seconds without a message an endpoint is connected anew beside the old connection,
        /// unless it answers heartbeats (ZMTP 3.1: libzmq 4.3 and later); 0: never.
        #[serde(default = "silence_seconds")]
        silence_seconds: u64,
    },
    /// fedora-messaging over AMQP 0-9-1.
    Amqp {
        /// Name in logs and records.
        #[serde(default = "amqp_name")]
        name: String,
        /// Broker, `amqp://` or `amqps://`, with user and virtual host.
        url: String,
        /// For `amqps://`: what to trust and who to be, beside the system's certificates.
        #[serde(default)]
        tls: Option<BrokerTls>,
        /// Queue to consume.
        queue: String,
        /// Exchange to bind it to.
        #[serde(default = "amqp_exchange")]
        exchange: String,
        /// Binding keys.
        #[serde(default = "amqp_bindings")]
        bindings: Vec<String>,
        /// Messages that the broker may send ahead of acknowledgements.
        #[serde(default = "amqp_prefetch")]
        prefetch: u16,
        /// How the queue comes to be.
        #[serde(default)]
        declare: QueueDeclare,
    },
    /// A recording: JSON Lines, plain or gzip (told by its first bytes).
    Archive {
        /// Name in logs and records.
        #[serde(default = "archive_name")]
        name: String,
        /// The file; `-` is standard input.
        path: PathBuf,
    },
}

/// PEM files for a broker's TLS.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerTls {
    /// Certificate authority of the broker.
    pub ca: Option<PathBuf>,
    /// Own certificate, with `key`.
    pub certificate: Option<PathBuf>,
    /// Key of the own certificate.
    pub key: Option<PathBuf>,
}

/// How an AMQP queue comes to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueDeclare {
    /// Declared to outlive a restart of the broker and of the daemon.
    #[default]
    Durable,
    /// Declared to vanish some time after its consumer does, as public brokers ask for.
    Transient,
    /// Expected to be there, with its bindings.
    Passive,
}

fn fedmsg_name() -> String {
    "fedmsg".to_owned()
}
fn amqp_name() -> String {
    "amqp".to_owned()
}
fn archive_name() -> String {
    "archive".to_owned()
}
fn amqp_exchange() -> String {
    "amq.topic".to_owned()
}
fn amqp_bindings() -> Vec<String> {
    vec!["#".to_owned()]
}
const fn amqp_prefetch() -> u16 {
    limits::AMQP_PREFETCH
}
const fn silence_seconds() -> u64 {
    limits::FEDMSG_SILENCE.as_secs()
}

impl SourceConfig {
    /// Its name in logs and records.
    pub fn name(&self) -> &str {
        match self {
            Self::Fedmsg { name, .. } | Self::Amqp { name, .. } | Self::Archive { name, .. } => name,
        }
    }
}

/// Something to log and count about a source's link; messages are no events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceEvent {
    /// Linked to this endpoint.
    Connected {
        /// Publisher, broker (without credentials) or file.
        endpoint: String,
    },
    /// The link is gone; messages may be missed until it is back.
    Lost {
        /// Publisher, broker (without credentials) or file.
        endpoint: String,
        /// Why, for people; safe to print.
        reason: String,
    },
    /// It will be tried again after a pause.
    Retrying {
        /// Publisher, broker (without credentials) or file.
        endpoint: String,
        /// The pause.
        after: Duration,
    },
    /// The worker process died or was replaced; a new one follows.
    WorkerDied {
        /// Why, for people; safe to print.
        reason: String,
    },
}

/// Where a source says what happens to its link; cheap to clone, must not block.
#[derive(Clone)]
pub struct SourceEvents(Arc<dyn Fn(SourceEvent) + Send + Sync>);

impl SourceEvents {
    /// Calls `listener` for each event.
    pub fn new(listener: impl Fn(SourceEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Says one.
    pub fn tell(&self, event: SourceEvent) {
        (self.0)(event);
    }
}

impl fmt::Debug for SourceEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceEvents")
    }
}

/// Why a source ended for good. Links that can come back are retried inside the source and are events, not errors.
#[derive(Debug)]
pub enum SourceError {
    /// Its configuration cannot work.
    Config(String),
    /// Its file cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The inbox gave some of its messages back, so a replay is not complete.
    Returned {
        /// How many.
        messages: u64,
    },
    /// Nobody takes deliveries any more.
    InboxClosed,
}

impl SourceError {
    /// Whether trying again can help.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Config(_) | Self::File { .. } => ErrorClass::Permanent,
            Self::Returned { .. } => ErrorClass::Transient,
            Self::InboxClosed => ErrorClass::Fatal,
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(reason) => write!(f, "the source cannot be used: {reason}"),
            Self::File { path, reason } => write!(f, "cannot read {}: {reason}", path.display()),
            Self::Returned { messages } => {
                write!(f, "{messages} messages were not committed; play the recording again")
            }
            Self::InboxClosed => f.write_str("the inbox is closed"),
        }
    }
}

impl std::error::Error for SourceError {}

/// Runs a source until `stop`, the end of its recording, or an error that it cannot recover from.
///
/// # Errors
/// `SourceError`; a lost link is none.
pub async fn run(
    config: SourceConfig,
    deliveries: Deliveries,
    stop: CancellationToken,
    events: SourceEvents,
) -> Result<(), SourceError> {
    run_with(&WorkerProgram::current(), config, deliveries, stop, events).await
}

/// `run` through another worker program; for tests.
///
/// # Errors
/// As `run`.
pub async fn run_with(
    program: &WorkerProgram,
    config: SourceConfig,
    deliveries: Deliveries,
    stop: CancellationToken,
    events: SourceEvents,
) -> Result<(), SourceError> {
    match config {
        SourceConfig::Fedmsg { name, endpoints, silence_seconds } => {
            let silence = (silence_seconds > 0).then(|| Duration::from_secs(silence_seconds));
            Fedmsg { program, name, deliveries, events }.run(endpoints, silence, stop).await
        }
        SourceConfig::Amqp { name, url, tls, queue, exchange, bindings, prefetch, declare } => {
            let source =
                Amqp { name, url, tls, queue, exchange, bindings, prefetch, declare, deliveries, events };
            source.run(stop).await
        }
        SourceConfig::Archive { name, path } => archive::run(name, path, deliveries, stop, events).await,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_source_is_configured_with_little_and_misspelled_keys_are_refused() {
        let read = |text: &str| toml::from_str::<SourceConfig>(text);
        let fedmsg = read("kind = 'fedmsg'\nendpoints = ['tcp://hub.example.org:9940']").unwrap();
        assert_eq!(fedmsg.name(), "fedmsg");
        let SourceConfig::Amqp { exchange, bindings, prefetch, declare, .. } =
            read("kind = 'amqp'\nurl = 'amqp://u:p@h'\nqueue = 'q'\ndeclare = 'passive'").unwrap()
        else {
            unreachable!("another kind")
        };
        assert_eq!((exchange.as_str(), bindings), ("amq.topic", vec!["#".to_owned()]));
        assert_eq!((prefetch, declare), (limits::AMQP_PREFETCH, QueueDeclare::Passive));
        assert_eq!(read("kind = 'archive'\npath = '-'\nname = 'replay'").unwrap().name(), "replay");
        for wrong in
            ["kind = 'archive'", "kind = 'archive'\npath = '-'\nfile = 'x'", "kind = 'smoke'", "path = '-'"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
