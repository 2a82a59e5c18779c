//! Publishing as fedmsg: what the sink has to tell, and recorded messages for the demonstration and for tests.
//!
//! Comes in: recorded lines, or raw messages. Goes out: the same over a real ZeroMQ socket, from a worker process. A
//! fedora-messaging record is put into a fedmsg envelope; a fedmsg envelope goes as it is. It signs nothing.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::class::ErrorClass;
use crate::spawn::WorkerProgram;
use crate::worker::WorkerKind;
use crate::worker::frame::{Frame, FrameKind};
use crate::worker::publish_zmq::{Manner, PublishAnswer, PublishOrder};

/// Why something was not published.
#[derive(Debug)]
pub enum PublishError {
    /// The line is no record; the text says why.
    Record(String),
    /// The publisher's process failed: the port is taken, or the process died.
    Worker(io::Error),
}

impl PublishError {
    /// Whether trying again can help.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Record(_) => ErrorClass::Poison,
            Self::Worker(_) => ErrorClass::Transient,
        }
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(reason) => write!(f, "not a recorded message: {reason}"),
            Self::Worker(error) => write!(f, "the publisher failed: {error}; is its port free?"),
        }
    }
}

impl std::error::Error for PublishError {}

impl From<io::Error> for PublishError {
    fn from(error: io::Error) -> Self {
        Self::Worker(error)
    }
}

/// A publisher that runs; dropping it kills it.
#[derive(Debug)]
pub struct Publisher {
    worker: Child,
    messages: ChildStdin,
    answers: ChildStdout,
    endpoint: String,
    count: u64,
}

impl Publisher {
    /// Binds to a port on 127.0.0.1 (0: any that is free). The first message waits for a subscriber, each is
    /// followed by `pause`.
    ///
    /// # Errors
    /// When the port is taken or the process cannot be started.
    pub async fn start(program: &WorkerProgram, port: u16, pause: Duration) -> Result<Self, PublishError> {
        Self::order(
            program,
            PublishOrder { address: (Ipv4Addr::LOCALHOST, port).into(), manner: Manner::Recording(pause) },
        )
        .await
    }

    /// Binds to an address, for what happens: each message goes at once, to those who have subscribed by then.
    ///
    /// # Errors
    /// When the address is taken or the process cannot be started.
    pub(crate) async fn bind(program: &WorkerProgram, address: SocketAddr) -> Result<Self, PublishError> {
        Self::order(program, PublishOrder { address, manner: Manner::Live }).await
    }

    async fn order(program: &WorkerProgram, order: PublishOrder) -> Result<Self, PublishError> {
        let mut command = program.command(WorkerKind::PublishZmq);
        let mut worker = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let (Some(mut messages), Some(mut answers)) = (worker.stdin.take(), worker.stdout.take()) else {
            return Err(io::Error::other("a worker without its pipes").into());
        };
        Frame::json(FrameKind::Request, &order)?.send(&mut messages).await?;
        match answer(&mut answers).await? {
            PublishAnswer::Bound(endpoint) => Ok(Self { worker, messages, answers, endpoint, count: 0 }),
            other => Err(io::Error::other(format!("{other:?}")).into()),
        }
    }

    /// Where subscribers connect to, `tcp://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Publishes a recorded line of either dialect.
    ///
    /// # Errors
    /// `Record` when the line is none; nothing is published then.
    pub async fn send_record(&mut self, line: &str) -> Result<(), PublishError> {
        let (topic, envelope) = envelope(line, self.count)?;
        self.send(topic.as_bytes(), envelope.as_bytes()).await
    }

    /// Publishes two frames as they are, also such as no honest publisher sends.
    ///
    /// # Errors
    /// When the publisher's process is gone, or the message is larger than a frame can be.
    pub async fn send(&mut self, topic: &[u8], envelope: &[u8]) -> Result<(), PublishError> {
        Frame::message(topic, envelope)?.send(&mut self.messages).await?;
        self.count += 1;
        Ok(())
    }

    /// Publishes two frames and waits until ZeroMQ has them; only after `bind`.
    ///
    /// # Errors
    /// As `send`, and when the publisher's process failed.
    pub(crate) async fn send_and_wait(&mut self, topic: &[u8], envelope: &[u8]) -> Result<(), PublishError> {
        self.send(topic, envelope).await?;
        match answer(&mut self.answers).await? {
            PublishAnswer::Published(_) => Ok(()),
            other => Err(io::Error::other(format!("{other:?}")).into()),
        }
    }

    /// Waits until everything is published; gives the number of messages.
    ///
    /// # Errors
    /// When the publisher's process failed.
    pub async fn finish(mut self) -> Result<u64, PublishError> {
        drop(self.messages);
        let answer = answer(&mut self.answers).await?;
        self.worker.wait().await?;
        match answer {
            PublishAnswer::Published(count) => Ok(count),
            other => Err(io::Error::other(format!("{other:?}")).into()),
        }
    }
}

async fn answer(answers: &mut ChildStdout) -> io::Result<PublishAnswer> {
    let frame = Frame::receive(answers).await?;
    frame.ok_or_else(|| io::Error::other("it ended without an answer"))?.parse(FrameKind::Answer)
}

#[derive(Deserialize)]
struct Record<'a> {
    topic: String,
    /// Only fedora-messaging has it.
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    id: Option<String>,
    #[serde(default)]
    headers: Headers,
}

#[derive(Default, Deserialize)]
struct Headers {
    #[serde(rename = "sent-at")]
    sent_at: Option<jiff::Timestamp>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    i: u64,
    msg: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_id: Option<String>,
    timestamp: i64,
    topic: &'a str,
}

/// Topic and envelope of a recorded line.
fn envelope(line: &str, count: u64) -> Result<(String, String), PublishError> {
    let refuse = |error: serde_json::Error| PublishError::Record(error.to_string());
    let record: Record<'_> = serde_json::from_str(line).map_err(refuse)?;
    let Some(body) = record.body else { return Ok((record.topic, line.to_owned())) };
    let timestamp = record.headers.sent_at.map_or_else(seconds_now, jiff::Timestamp::as_second);
    let envelope = Envelope { i: count, msg: body, msg_id: record.id, timestamp, topic: &record.topic };
    let envelope = serde_json::to_string(&envelope).map_err(refuse)?;
    Ok((record.topic, envelope))
}

fn seconds_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_record_is_put_into_an_envelope_and_an_envelope_is_left_alone() {
        for fedmsg in [r#"{"topic": "a.b", "i": 3,  "msg": {"x": 1.50}}"#, r#"{"topic": "a.b", "msg": null}"#]
        {
            assert_eq!(envelope(fedmsg, 0).unwrap(), ("a.b".to_owned(), fedmsg.to_owned()));
        }
        let record = r#"{"topic": "a.b", "body": {"x": 1.50}, "id": "u1",
            "headers": {"sent-at": "1970-01-01T00:01:00Z"}}"#;
        let expected = r#"{"i":7,"msg":{"x": 1.50},"msg_id":"u1","timestamp":60,"topic":"a.b"}"#;
        assert_eq!(envelope(record, 7).unwrap(), ("a.b".to_owned(), expected.to_owned()));
        for line in ["", "null", "{}", r#"{"topic": 1, "msg": {}}"#] {
            assert!(matches!(envelope(line, 0), Err(PublishError::Record(_))), "{line}");
        }
    }
}
