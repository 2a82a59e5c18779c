//! The fedmsg publisher, for the sink, the demonstration and tests: the only place that names the zeromq crate.
//!
//! Comes in on standard input: an order, then messages as frames. Goes out: the messages to every subscriber; on
//! standard output an answer with the bound endpoint, and one with the count, at the end or after each message. A
//! recording waits for its first subscriber, live messages wait for nobody. It changes no byte of a message.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use zeromq::{Socket, SocketRecv, SocketSend, XPubSocket, ZmqError, ZmqMessage};

use super::exec::limit;
use super::frame::{Frame, FrameKind};
use crate::limits;
use crate::spawn::ProcessLimits;

/// How to publish.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PublishOrder {
    /// Where to bind; port 0: any that is free.
    pub(crate) address: SocketAddr,
    /// What comes.
    pub(crate) manner: Manner,
}

/// What is published.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Manner {
    /// A recording: the first message waits for a subscriber, each is followed by this pause.
    Recording(Duration),
    /// What happens: each message goes at once and is answered.
    Live,
}

/// The publisher's answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum PublishAnswer {
    /// Bound to this endpoint.
    Bound(String),
    /// Published so many messages.
    Published(u64),
    /// It did not work.
    Failed(String),
}

const LIMITS: ProcessLimits = ProcessLimits {
    cpu_seconds: None,
    address_space_bytes: Some(limits::SOURCE_ADDRESS_SPACE_BYTES),
    file_bytes: Some(0),
    processes: None,
    open_files: None,
};

pub(super) fn main() -> ExitCode {
    let (last, code) = match publish() {
        Ok(count) => (PublishAnswer::Published(count), ExitCode::SUCCESS),
        Err(error) => (PublishAnswer::Failed(error.to_string()), ExitCode::FAILURE),
    };
    answer(&last).map_or(ExitCode::FAILURE, |()| code)
}

fn answer(answer: &PublishAnswer) -> io::Result<()> {
    Frame::json(FrameKind::Answer, answer)?.write(&mut io::stdout())
}

fn publish() -> io::Result<u64> {
    limit(&LIMITS)?;
    let frame = Frame::read(&mut io::stdin())?.ok_or_else(|| io::Error::other("no order came"))?;
    let order: PublishOrder = frame.parse(FrameKind::Request)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut socket = XPubSocket::new();
        let endpoint = socket.bind(&format!("tcp://{}", order.address)).await.map_err(failed)?;
        answer(&PublishAnswer::Bound(endpoint.to_string()))?;
        let count = publish_all(&mut socket, messages(), order.manner).await?;
        // What was sent may still be in a socket's buffer; a closed one would drop it.
        tokio::time::sleep(limits::PUBLISH_LINGER).await;
        Ok(count)
    })
}

fn failed(error: ZmqError) -> io::Error {
    io::Error::other(error.to_string())
}

/// Frames of standard input, which only a thread can wait for.
fn messages() -> mpsc::Receiver<Frame> {
    let (sender, receiver) = mpsc::channel(limits::DELIVERIES_IN_FLIGHT);
    thread::spawn(move || {
        while let Ok(Some(frame)) = Frame::read(&mut io::stdin()) {
            if sender.blocking_send(frame).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn publish_all(
    socket: &mut XPubSocket,
    mut messages: mpsc::Receiver<Frame>,
    manner: Manner,
) -> io::Result<u64> {
    if matches!(manner, Manner::Recording(_)) {
        wait_for_subscription(socket).await;
    }
    let mut count = 0;
    loop {
        // Subscriptions of later subscribers take effect only while they are received.
        let frame = tokio::select! {
            frame = messages.recv() => frame,
            () = subscriptions(socket) => continue,
        };
        let Some(frame) = frame else { return Ok(count) };
        let (topic, envelope) = frame.into_message()?;
        let mut message = ZmqMessage::from(topic);
        message.push_back(envelope.into());
        socket.send(message).await.map_err(failed)?;
        count += 1;
        match manner {
            Manner::Live => answer(&PublishAnswer::Published(count))?,
            Manner::Recording(pause) => tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = subscriptions(socket) => {}
            },
        }
    }
}

async fn wait_for_subscription(socket: &mut XPubSocket) {
    while socket.recv().await.is_err() {}
}

/// Never ends.
async fn subscriptions(socket: &mut XPubSocket) {
    loop {
        // An error is a subscriber that left.
        let _ = socket.recv().await;
    }
}
