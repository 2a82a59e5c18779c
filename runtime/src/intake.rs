//! Intake: the bytes of a delivery, judged once and for all before anything else reads them.
//!
//! Comes in: a `Wire`, whatever a bus or a file held. Goes out: a `Message` whose body is a valid JSON object
//! within the limits (promise P07), or a `Quarantine` with the reason, the first bytes and a hash. Everything
//! behind this door may rely on it: UTF-8, no duplicate keys, no nesting beyond `limits::MESSAGE_DEPTH`,
//! numbers that fit 64 bits. It never panics, never recurses deeper than that limit, and never repeats the
//! bytes of a message to a terminal unescaped.

mod check;

use std::time::SystemTime;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::fingerprint::Fingerprint;
use crate::limits;
use crate::message::{Message, MessageText};
use crate::source::Wire;
use check::{Fields, check_object};

/// Bounds that a site may set.
#[derive(Clone, Copy, Debug)]
pub struct IntakeLimits {
    /// Largest accepted message, in bytes, envelope included.
    pub message_bytes: usize,
}

impl Default for IntakeLimits {
    fn default() -> Self {
        Self { message_bytes: limits::MESSAGE_BYTES_DEFAULT }
    }
}

/// A message that was set aside, with all that is needed to find out why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// Its topic, as far as it could be read.
    pub topic: Option<MessageText>,
    /// Why, for people; safe to print.
    pub reason: String,
    /// Its first bytes, at most `limits::QUARANTINE_HEAD_BYTES`.
    pub head: Vec<u8>,
    /// Lower-case hex SHA-256 of its bytes, of a message larger than `limits::FINGERPRINT_BYTES` of that many; empty where
    /// the transport saw less.
    pub sha256: String,
    /// Its whole length in bytes.
    pub length_bytes: u64,
}

/// What is wrong with a message, and its topic if that could be read.
struct Refusal {
    topic: Option<String>,
    reason: String,
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self { topic: None, reason }
    }
}

impl Refusal {
    fn of(topic: &str, reason: String) -> Self {
        Self { topic: Some(topic.to_owned()), reason }
    }
}

/// Judges one delivery.
///
/// # Errors
/// `Quarantine` with the first reason found. It never panics, whatever the bytes are.
pub fn accept(wire: Wire, source: &str, limits: &IntakeLimits) -> Result<Message, Quarantine> {
    let (bytes, judged) = match wire {
        Wire::Refused { head, sha256, length_bytes, reason } => {
            return Err(Quarantine {
                topic: None,
                reason: printable_reason(&reason),
                head: first_bytes(head),
                sha256: sha256.unwrap_or_default(),
                length_bytes,
            });
        }
        Wire::Fedmsg { topic, envelope } => {
            let judged = bounded(&envelope, limits).and_then(|text| fedmsg(&topic, text, source));
            (envelope, judged)
        }
        Wire::Amqp { routing_key, message_id, sent_at, body } => {
            let judged = bounded(&body, limits)
                .map_err(|refusal| Refusal { topic: Some(routing_key.clone()), ..refusal })
                .and_then(|text| amqp(&routing_key, message_id, sent_at.as_deref(), text));
            match judged {
                Err(refusal) => (body, Err(refusal)),
                Ok((id, sent_at)) => {
                    let topic = MessageText::new(routing_key);
                    return Ok(Message { id, topic, body, sent_at, source: source.to_owned() });
                }
            }
        }
        Wire::Record { line } => {
            let judged = bounded(&line, limits).and_then(|text| record(text, source));
            (line, judged)
        }
    };
    judged.map_err(|refusal| Quarantine {
        topic: refusal.topic.filter(|topic| topic.len() <= limits::TOPIC_BYTES).map(MessageText::new),
        reason: printable_reason(&refusal.reason),
        sha256: Fingerprint::of(&bytes),
        length_bytes: bytes.len() as u64,
        head: first_bytes(bytes),
    })
}

fn first_bytes(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(limits::QUARANTINE_HEAD_BYTES);
    bytes.shrink_to_fit();
    bytes
}

/// Reasons may quote a message: no control characters, and not longer than a few lines.
fn printable_reason(reason: &str) -> String {
    let short: String = reason.chars().take(limits::REASON_CHARS).collect();
    MessageText::new(short).to_string()
}

fn bounded<'a>(bytes: &'a [u8], limits: &IntakeLimits) -> Result<&'a str, Refusal> {
    if bytes.len() > limits.message_bytes {
        return Err(
            format!("{} bytes are more than the limit of {}", bytes.len(), limits.message_bytes).into()
        );
    }
    std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8 at byte {}", error.valid_up_to()).into())
}

/// A fedmsg envelope off the wire: what ZeroMQ filtered by must be what the envelope says.
fn fedmsg(frame_topic: &[u8], envelope: &str, source: &str) -> Result<Message, Refusal> {
    let frame_topic = std::str::from_utf8(frame_topic)
        .map_err(|_| Refusal::from("the topic frame is not UTF-8".to_owned()))?;
    let message = Fields::read(envelope)
        .map_err(|reason| Refusal::of(frame_topic, reason))
        .and_then(|fields| from_envelope(&fields, source))?;
    if message.topic.expose() == frame_topic {
        Ok(message)
    } else {
        let reason =
            format!("the topic frame says `{frame_topic}`, the envelope `{}`", message.topic.expose());
        Err(Refusal::of(frame_topic, reason))
    }
}

/// A body off the wire, whose envelope is the broker's: gives its identity and time.
fn amqp(
    routing_key: &str,
    message_id: Option<String>,
    sent_at: Option<&str>,
    body: &str,
) -> Result<(MessageText, Option<SystemTime>), Refusal> {
    let refuse = |reason| Refusal::of(routing_key, reason);
    check_topic(routing_key).map_err(refuse)?;
    check_object(body).map_err(|reason| refuse(format!("body: {reason}")))?;
    let id = identity(message_id, routing_key, body).map_err(refuse)?;
    Ok((id, sent_at.map(rfc3339).transpose().map_err(refuse)?))
}

/// A recorded line: a fedmsg envelope holds `msg`, a fedora-messaging record `body`.
fn record(line: &str, source: &str) -> Result<Message, Refusal> {
    let fields = Fields::read(line)?;
    match (fields.msg, fields.body) {
        (Some(_), None) => from_envelope(&fields, source),
        (None, Some(body)) => from_record(&fields, body, source),
        (Some(_), Some(_)) => {
            Err("both `msg` (fedmsg) and `body` (fedora-messaging) are there".to_owned().into())
        }
        (None, None) => {
            Err("neither `msg` (fedmsg) nor `body` (fedora-messaging) is there".to_owned().into())
        }
    }
}

fn from_envelope(fields: &Fields<'_>, source: &str) -> Result<Message, Refusal> {
    let topic = fields.topic()?;
    let refuse = |reason| Refusal::of(&topic, reason);
    check_topic(&topic).map_err(refuse)?;
    let body = fields.msg.ok_or_else(|| refuse("the envelope has no `msg`".to_owned()))?;
    let body = object_text("msg", body).map_err(refuse)?;
    let id = fields.text("msg_id", fields.msg_id).map_err(refuse)?;
    Ok(Message {
        id: identity(id, &topic, body).map_err(refuse)?,
        body: body.as_bytes().to_vec(),
        sent_at: fields.timestamp().map_err(refuse)?,
        source: source.to_owned(),
        topic: MessageText::new(topic),
    })
}

fn from_record(fields: &Fields<'_>, body: &RawValue, source: &str) -> Result<Message, Refusal> {
    let topic = fields.topic()?;
    let refuse = |reason| Refusal::of(&topic, reason);
    check_topic(&topic).map_err(refuse)?;
    let body = object_text("body", body).map_err(refuse)?;
    let id = fields.text("id", fields.id).map_err(refuse)?;
    let sent_at = fields.sent_at().map_err(refuse)?;
    Ok(Message {
        id: identity(id, &topic, body).map_err(refuse)?,
        body: body.as_bytes().to_vec(),
        sent_at: sent_at.as_deref().map(rfc3339).transpose().map_err(refuse)?,
        source: source.to_owned(),
        topic: MessageText::new(topic),
    })
}

/// The body's text, once it is known to be a JSON object (that of `Fields` is valid already).
fn object_text<'a>(field: &str, body: &'a RawValue) -> Result<&'a str, String> {
    match body.get().as_bytes().first() {
        Some(b'{') => Ok(body.get()),
        Some(b'n') => Err(format!("`{field}` is null: a message without a body")),
        _ => Err(format!("`{field}` is not a JSON object")),
    }
}

fn check_topic(topic: &str) -> Result<(), String> {
    if topic.is_empty() {
        Err("the topic is empty".to_owned())
    } else if topic.len() > limits::TOPIC_BYTES {
        Err(format!("the topic has {} bytes, the limit is {}", topic.len(), limits::TOPIC_BYTES))
    } else if !MessageText::prints(topic) {
        Err(format!("the topic `{topic}` holds characters that do not print"))
    } else {
        Ok(())
    }
}

/// The bus's id, or a hash of topic and body where there is none, so that the same message is known again.
fn identity(id: Option<String>, topic: &str, body: &str) -> Result<MessageText, String> {
    match id {
        Some(id) if id.is_empty() => Err("the message id is empty".to_owned()),
        Some(id) if id.len() > limits::TOPIC_BYTES => {
            Err(format!("the message id has {} bytes, the limit is {}", id.len(), limits::TOPIC_BYTES))
        }
        Some(id) => Ok(MessageText::new(id)),
        None => {
            // All of it, unlike a fingerprint: two messages must never count as one.
            let hash = Sha256::new_with_prefix(topic).chain_update(b"\n").chain_update(body).finalize();
            Ok(MessageText::new(format!("sha256:{hash:x}")))
        }
    }
}

fn rfc3339(text: &str) -> Result<SystemTime, String> {
    let timestamp: jiff::Timestamp =
        text.parse().map_err(|_| format!("`sent-at` is `{text}`, not a time as in RFC 3339"))?;
    Ok(timestamp.into())
}

#[cfg(test)]
mod tests;
