//! The fedmsg subscriber: with `publish_zmq` the only place that names the zeromq crate.
//!
//! Comes in: endpoints, as a request on standard input. Goes out on standard output: each message as a frame,
//! events of the links, and a pulse, so that the daemon can tell silence from death. Each endpoint has a socket
//! and a retry loop of its own, since `connect` waits and gives up. The crate's own reconnecting is never used
//! (it can hang for ever): a lost link is dropped with its socket. A link that has long been silent may be dead
//! without a word, so a second one is made beside it; a message that both bring has one id. A peer that
//! announces a huge frame ends this process, by its memory limit; the daemon starts another.

use std::convert::Infallible;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::Receiver;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use zeromq::{Socket, SocketEvent, SocketOptions, SocketRecv, SubSocket, ZmqMessage};

use super::end_with_the_daemon;
use super::exec::limit;
use super::frame::{Frame, FrameKind};
use crate::limits;
use crate::message::MessageText;
use crate::source::SourceEvent;
use crate::source::pause::Pause;
use crate::spawn::ProcessLimits;

/// What to subscribe to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SubscribeOrder {
    /// Publishers, `tcp://host:port`.
    pub(crate) endpoints: Vec<String>,
    /// Silence after which an endpoint is connected anew; none: never.
    pub(crate) silence: Option<Duration>,
}

/// What the worker says beside messages.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// It lives.
    Pulse,
    /// Something happened to a link.
    Link(SourceEvent),
}

/// A message that is not handed on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RefusedMessage {
    pub(crate) head: Vec<u8>,
    pub(crate) sha256: String,
    pub(crate) length_bytes: u64,
    pub(crate) reason: String,
}

const LIMITS: ProcessLimits = ProcessLimits {
    cpu_seconds: None,
    address_space_bytes: Some(limits::SOURCE_ADDRESS_SPACE_BYTES),
    file_bytes: Some(0),
    processes: None,
    open_files: None,
};

pub(super) fn main() -> ExitCode {
    match subscribe() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn subscribe() -> io::Result<()> {
    limit(&LIMITS)?;
    let frame = Frame::read(&mut io::stdin())?.ok_or_else(|| io::Error::other("no order came"))?;
    let order: SubscribeOrder = frame.parse(FrameKind::Request)?;
    end_with_the_daemon();
    // One thread: what is not read by the daemon is not read from the publishers either.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let links = order.endpoints.iter().map(|endpoint| keep_linked(endpoint, order.silence));
        tokio::select! {
            error = futures::future::select_all(links.map(Box::pin)) => error.0,
            error = pulse() => error,
        }
        .map(|never| match never {})
    })
}

fn say(said: &Said) -> io::Result<()> {
    Frame::json(FrameKind::Event, said)?.write(&mut io::stdout().lock())
}

async fn pulse() -> io::Result<Infallible> {
    loop {
        say(&Said::Pulse)?;
        tokio::time::sleep(limits::WORKER_PULSE).await;
    }
}

/// Links to one endpoint again and again; ends only when the daemon no longer listens.
async fn keep_linked(endpoint: &str, silence: Option<Duration>) -> io::Result<Infallible> {
    let mut pause = Pause::new();
    loop {
        let reason = match Link::make(endpoint).await {
            Ok(link) => {
                say(&Said::Link(SourceEvent::Connected { endpoint: endpoint.to_owned() }))?;
                pause.reset();
                receive(link, endpoint, silence).await?
            }
            Err(reason) => reason,
        };
        // The publisher may have worded it.
        let reason = MessageText::new(reason).to_string();
        let after = pause.next();
        say(&Said::Link(SourceEvent::Lost { endpoint: endpoint.to_owned(), reason }))?;
        say(&Said::Link(SourceEvent::Retrying { endpoint: endpoint.to_owned(), after }))?;
        tokio::time::sleep(after).await;
    }
}

/// Hands messages on until the link is lost; gives the reason.
async fn receive(mut link: Link, endpoint: &str, silence: Option<Duration>) -> io::Result<String> {
    let mut outgoing: Option<(Link, Instant)> = None;
    let mut heard_at = Instant::now();
    loop {
        tokio::select! {
            biased;
            heard = link.next() => match heard {
                Ok(message) => {
                    heard_at = Instant::now();
                    hand_on(message)?;
                }
                Err(reason) => return Ok(reason),
            },
            heard = next_of(&mut outgoing) => match heard {
                Some(message) => hand_on(message)?,
                None => outgoing = None,
            },
            () = silent_since(heard_at, silence) => match Link::make(endpoint).await {
                Ok(fresh) => {
                    let until = Instant::now() + limits::LINK_OVERLAP;
                    outgoing = Some((std::mem::replace(&mut link, fresh), until));
                    heard_at = Instant::now();
                }
                Err(reason) => return Ok(reason),
            },
        }
    }
}

async fn silent_since(heard_at: Instant, silence: Option<Duration>) {
    match silence {
        Some(silence) => tokio::time::sleep_until(heard_at + silence).await,
        None => std::future::pending().await,
    }
}

/// What the link that was replaced still brings; `None` once it is done with.
async fn next_of(outgoing: &mut Option<(Link, Instant)>) -> Option<ZmqMessage> {
    match outgoing {
        Some((link, until)) => tokio::time::timeout_at(*until, link.next()).await.ok()?.ok(),
        None => std::future::pending().await,
    }
}

/// One connection to one publisher.
struct Link {
    socket: SubSocket,
    monitor: Receiver<SocketEvent>,
}

impl Link {
    async fn make(endpoint: &str) -> Result<Self, String> {
        let mut options = SocketOptions::default();
        options.connect_timeout(limits::CONNECT_TIMEOUT);
        let mut socket = SubSocket::with_options(options);
        let monitor = socket.monitor();
        socket.subscribe("").await.map_err(|error| error.to_string())?;
        // The crate's own time limit does not cover all of the handshake.
        let connected = tokio::time::timeout(limits::CONNECT_TIMEOUT, socket.connect(endpoint)).await;
        match connected {
            Ok(Ok(())) => Ok(Self { socket, monitor }),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", limits::CONNECT_TIMEOUT.as_secs())),
        }
    }

    async fn next(&mut self) -> Result<ZmqMessage, String> {
        tokio::select! {
            biased;
            message = self.socket.recv() => message.map_err(|error| error.to_string()),
            reason = disconnected(&mut self.monitor) => Err(reason),
        }
    }
}

async fn disconnected(monitor: &mut Receiver<SocketEvent>) -> String {
    loop {
        match monitor.next().await {
            Some(SocketEvent::Disconnected(_) | SocketEvent::Closed) | None => {
                return "the publisher closed the connection".to_owned();
            }
            Some(_) => {}
        }
    }
}

fn hand_on(message: ZmqMessage) -> io::Result<()> {
    let frames = message.into_vec();
    let length_bytes: usize = frames.iter().map(|frame| frame.len()).sum();
    let frame = match frames.as_slice() {
        [topic, envelope] if length_bytes <= limits::MESSAGE_BYTES_MAX => Frame::message(topic, envelope)?,
        frames => {
            let mut head = frames.concat();
            let sha256 = format!("{:x}", Sha256::digest(&head));
            head.truncate(limits::QUARANTINE_HEAD_BYTES);
            let reason = match frames.len() {
                2 => format!("{length_bytes} bytes, more than any limit allows"),
                count => format!("{count} frames instead of topic and envelope"),
            };
            let refused = RefusedMessage { head, sha256, length_bytes: length_bytes as u64, reason };
            Frame::json(FrameKind::Refused, &refused)?
        }
    };
    frame.write(&mut io::stdout().lock())
}
