//! The fedmsg subscriber: a worker process that links to publishers over ZeroMQ.
//!
//! Comes in: endpoints, as a request on standard input. Goes out on standard output: each message as a frame,
//! events of the links, and a pulse, so that the daemon can tell silence from death. Each endpoint has a task and
//! a retry loop of its own. A publisher without heartbeats that has long been silent may be dead without a word,
//! so a second link is made beside the first; a message that both bring has one id. Nothing that a publisher
//! sends is known to end this process; if something does, by its memory limit, the daemon starts another. It
//! never judges a message beyond its frames and size.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::end_with_the_daemon;
use super::exec::limit;
use super::frame::{Frame, FrameKind};
use super::link::{Brought, Link};
use super::zmtp::Skimmed;
use crate::fingerprint::Fingerprint;
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
    // One thread: what is not read by the daemon is not read from the publishers either. Names are looked up on
    // others, each of which reserves address space.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(limits::NAME_LOOKUPS)
        .enable_all()
        .build()?;
    let daemon = Daemon::over(io::stdout().as_fd())?;
    runtime.block_on(async {
        // A task each: what floods one link does not starve the others.
        let mut tasks = JoinSet::new();
        tasks.spawn(pulse(daemon.clone()));
        for endpoint in order.endpoints {
            tasks.spawn(keep_linked(daemon.clone(), endpoint, order.silence));
        }
        match tasks.join_next().await {
            Some(Ok(Err(error))) => Err(error),
            Some(Err(error)) => Err(io::Error::other(error)),
            Some(Ok(Ok(never))) => match never {},
            None => Ok(()),
        }
    })
}

/// The daemon's end of the pipe. One write takes whole frames, so those of several links do not mix.
#[derive(Clone)]
struct Daemon(Arc<File>);

impl Daemon {
    /// Standard output without the buffer that Rust puts before it, which is meant for lines.
    fn over(pipe: impl AsFd) -> io::Result<Self> {
        Ok(Self(Arc::new(pipe.as_fd().try_clone_to_owned()?.into())))
    }

    fn say(&self, said: &Said) -> io::Result<()> {
        Frame::json(FrameKind::Event, said)?.write(&mut &*self.0)
    }

    /// Hands on what came, and whatever came in one piece with it.
    fn hand_on(&self, brought: Brought, link: &mut Link) -> io::Result<Option<String>> {
        let mut frames = Vec::new();
        frame(brought)?.write(&mut frames)?;
        let lost = loop {
            match link.at_hand() {
                Ok(Some(brought)) => frame(brought)?.write(&mut frames)?,
                Ok(None) => break None,
                Err(reason) => break Some(reason),
            }
        };
        (&*self.0).write_all(&frames)?;
        Ok(lost)
    }
}

async fn pulse(daemon: Daemon) -> io::Result<Infallible> {
    loop {
        daemon.say(&Said::Pulse)?;
        tokio::time::sleep(limits::WORKER_PULSE).await;
    }
}

/// Links to one endpoint again and again; ends only when the daemon no longer listens.
async fn keep_linked(daemon: Daemon, endpoint: String, silence: Option<Duration>) -> io::Result<Infallible> {
    let mut pause = Pause::new();
    loop {
        let reason = match Link::make(&endpoint, limits::HEARTBEAT).await {
            Ok(link) => {
                daemon.say(&Said::Link(SourceEvent::Connected { endpoint: endpoint.clone() }))?;
                let linked_at = Instant::now();
                let reason = receive(&daemon, link, &endpoint, silence).await?;
                // A peer that shakes hands and then misbehaves is not worth a quick return.
                if linked_at.elapsed() > limits::LINK_HELD {
                    pause.reset();
                }
                reason
            }
            Err(reason) => reason,
        };
        // The publisher may have worded it.
        let reason = MessageText::new(reason).to_string();
        let after = pause.next();
        daemon.say(&Said::Link(SourceEvent::Lost { endpoint: endpoint.clone(), reason }))?;
        daemon.say(&Said::Link(SourceEvent::Retrying { endpoint: endpoint.clone(), after }))?;
        tokio::time::sleep(after).await;
    }
}

/// Hands messages on until the link is lost; gives the reason.
async fn receive(
    daemon: &Daemon,
    mut link: Link,
    endpoint: &str,
    silence: Option<Duration>,
) -> io::Result<String> {
    let mut outgoing: Option<(Link, Instant)> = None;
    let mut heard_at = Instant::now();
    loop {
        tokio::select! {
            biased;
            brought = link.next() => match brought {
                Ok(brought) => {
                    heard_at = Instant::now();
                    if let Some(reason) = daemon.hand_on(brought, &mut link)? {
                        return Ok(reason);
                    }
                }
                Err(reason) => return Ok(reason),
            },
            brought = next_of(&mut outgoing) => match (brought, &mut outgoing) {
                (Some(brought), Some((link, _))) => {
                    if daemon.hand_on(brought, link)?.is_some() {
                        outgoing = None;
                    }
                }
                _ => outgoing = None,
            },
            () = silent_since(heard_at, silence) => {
                heard_at = Instant::now();
                if link.has_heartbeats() {
                    continue;
                }
                match Link::make(endpoint, limits::HEARTBEAT).await {
                    Ok(fresh) => {
                        let until = Instant::now() + limits::LINK_OVERLAP;
                        outgoing = Some((std::mem::replace(&mut link, fresh), until));
                    }
                    Err(reason) => return Ok(reason),
                }
            }
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
async fn next_of(outgoing: &mut Option<(Link, Instant)>) -> Option<Brought> {
    match outgoing {
        Some((link, until)) => tokio::time::timeout_at(*until, link.next()).await.ok()?.ok(),
        None => std::future::pending().await,
    }
}

fn frame(brought: Brought) -> io::Result<Frame> {
    match brought {
        Brought::Message(frames) => match frames.as_slice() {
            [topic, envelope] => Frame::message(topic, envelope),
            frames => {
                let mut head = frames.concat();
                let (sha256, length_bytes) = (Fingerprint::of(&head), head.len() as u64);
                head.truncate(limits::QUARANTINE_HEAD_BYTES);
                refused(Skimmed { head, sha256, length_bytes, frames: frames.len() })
            }
        },
        Brought::Skimmed(skimmed) => refused(skimmed),
    }
}

fn refused(skimmed: Skimmed) -> io::Result<Frame> {
    let Skimmed { head, sha256, length_bytes, frames } = skimmed;
    let reason = match frames {
        2 => format!("{length_bytes} bytes, more than any limit allows"),
        count => format!("{count} frames instead of topic and envelope"),
    };
    Frame::json(FrameKind::Refused, &RefusedMessage { head, sha256, length_bytes, reason })
}
