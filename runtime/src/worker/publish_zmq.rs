//! The fedmsg publisher, for the demonstration and tests: the only place that names the zeromq crate.
//!
//! Comes in on standard input: an order, then messages as frames. Goes out: the messages to every subscriber,
//! the first not before there is one; on standard output an answer with the bound endpoint, and one with the
//! count at the end. It binds to loopback only, and changes no byte of a message.

use std::io;
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
    /// Port on 127.0.0.1; 0: any that is free.
    pub(crate) port: u16,
    /// Pause after each message.
    pub(crate) pause: Duration,
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
        let endpoint = socket.bind(&format!("tcp://127.0.0.1:{}", order.port)).await.map_err(failed)?;
        answer(&PublishAnswer::Bound(endpoint.to_string()))?;
        let count = publish_all(&mut socket, messages(), order.pause).await?;
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
    pause: Duration,
) -> io::Result<u64> {
    wait_for_subscription(socket).await;
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
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = subscriptions(socket) => {}
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
