//! Sources: where messages come from. One trait, one conformance suite.
//!
//! Comes in: a configured endpoint, broker, file or standard input. Goes out: deliveries, each with the means to settle it.
//! It never judges a message: bytes go on as they came, and only what was committed is acknowledged.

use tokio::sync::{mpsc, oneshot};

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
        /// Lower-case hex SHA-256 of the whole, where the whole was seen.
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
