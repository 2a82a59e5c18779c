//! The fedmsg source: the daemon's side of the ZeroMQ worker.
//!
//! Comes in: frames of the worker process `taskbot worker source-zmq`. Goes out: deliveries, in the order of
//! each publisher. A worker that dies, or has not said for long that it lives, is replaced by a new one. ZeroMQ
//! has no acknowledgement: what is sent while no worker is linked is lost to this source.

use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::pause::Pause;
use super::{Deliveries, Delivery, SourceError, SourceEvent, SourceEvents, Wire};
use crate::limits;
use crate::message::MessageText;
use crate::spawn::WorkerProgram;
use crate::worker::WorkerKind;
use crate::worker::frame::{Frame, FrameKind};
use crate::worker::source_zmq::{RefusedMessage, Said, SubscribeOrder};

/// A fedmsg source that runs.
pub(super) struct Fedmsg<'a> {
    pub(super) program: &'a WorkerProgram,
    pub(super) name: String,
    pub(super) deliveries: Deliveries,
    pub(super) events: SourceEvents,
}

impl Fedmsg<'_> {
    /// Keeps a worker subscribed until `stop`.
    pub(super) async fn run(
        &self,
        endpoints: Vec<String>,
        silence: Option<Duration>,
        stop: CancellationToken,
    ) -> Result<(), SourceError> {
        check(&endpoints)?;
        let order = SubscribeOrder { endpoints, silence };
        let mut pause = Pause::new();
        loop {
            let started = Instant::now();
            let reason = tokio::select! {
                ended = self.subscribe(&order) => ended?,
                () = stop.cancelled() => return Ok(()),
            };
            if started.elapsed() > limits::RETRY_PAUSE_MAX {
                pause.reset();
            }
            self.events.tell(SourceEvent::WorkerDied { reason });
            tokio::select! {
                () = tokio::time::sleep(pause.next()) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// One life of a worker; gives the reason of its end. Dropping this kills it.
    async fn subscribe(&self, order: &SubscribeOrder) -> Result<String, SourceError> {
        let mut command = self.program.command(WorkerKind::SourceZmq);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut worker = match command.spawn() {
            Ok(worker) => worker,
            Err(error) => return Ok(format!("it could not be started: {error}")),
        };
        let (Some(mut orders), Some(frames), Some(stderr)) =
            (worker.stdin.take(), worker.stdout.take(), worker.stderr.take())
        else {
            return Ok("it has no pipes".to_owned());
        };
        let last_words = tokio::spawn(last_words(stderr));
        let sent = match Frame::json(FrameKind::Request, order) {
            Ok(frame) => frame.send(&mut orders).await,
            Err(error) => Err(error),
        };
        let ended = match sent {
            Ok(()) => self.listen(frames).await?,
            Err(error) => error,
        };
        let status = end(worker).await;
        let words = last_words.await.unwrap_or_default();
        Ok(format!("{ended}; {status}{words}"))
    }

    /// Takes frames until there are no more or what comes is no frame.
    async fn listen(&self, frames: ChildStdout) -> Result<io::Error, SourceError> {
        let mut frames = BufReader::with_capacity(limits::WORKER_PIPE_BYTES, frames);
        loop {
            let frame = match tokio::time::timeout(limits::WORKER_SILENCE, Frame::receive(&mut frames)).await
            {
                Ok(Ok(Some(frame))) => frame,
                Ok(Ok(None)) => return Ok(io::Error::other("it closed its pipe")),
                Ok(Err(error)) => return Ok(error),
                Err(_) => return Ok(io::Error::other("it no longer said that it lives")),
            };
            match wire(frame) {
                Ok(Heard::Wire(wire)) => self.deliver(wire).await?,
                Ok(Heard::Said(Said::Pulse)) => {}
                Ok(Heard::Said(Said::Link(event))) => self.events.tell(event),
                Err(error) => return Ok(error),
            }
        }
    }

    async fn deliver(&self, wire: Wire) -> Result<(), SourceError> {
        // Nobody can be told of a commit: ZeroMQ acknowledges nothing.
        let (settle, _) = oneshot::channel();
        let delivery = Delivery { source: self.name.clone(), wire, settle };
        self.deliveries.send(delivery).await.map_err(|_| SourceError::InboxClosed)
    }
}

fn check(endpoints: &[String]) -> Result<(), SourceError> {
    if endpoints.is_empty() {
        return Err(SourceError::Config("it has no endpoints; give some like tcp://host:9940".to_owned()));
    }
    match endpoints.iter().find(|endpoint| !is_tcp(endpoint)) {
        Some(other) => {
            Err(SourceError::Config(format!("the endpoint `{other}` is not like tcp://host:9940")))
        }
        None => Ok(()),
    }
}

fn is_tcp(endpoint: &str) -> bool {
    let parts = endpoint.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':'));
    parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}

enum Heard {
    Wire(Wire),
    Said(Said),
}

fn wire(frame: Frame) -> io::Result<Heard> {
    Ok(match frame.kind {
        FrameKind::Message => {
            let (topic, envelope) = frame.into_message()?;
            Heard::Wire(Wire::Fedmsg { topic, envelope })
        }
        FrameKind::Refused => {
            let RefusedMessage { head, sha256, length_bytes, reason } = frame.parse(FrameKind::Refused)?;
            Heard::Wire(Wire::Refused { head, sha256: Some(sha256), length_bytes, reason })
        }
        _ => Heard::Said(frame.parse(FrameKind::Event)?),
    })
}

async fn end(mut worker: Child) -> String {
    let gave_up = tokio::time::timeout(limits::OUTPUT_LINGER, worker.wait()).await;
    let status = match gave_up {
        Ok(status) => status,
        Err(_) => match worker.start_kill() {
            Ok(()) => worker.wait().await,
            Err(error) => Err(error),
        },
    };
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// The end of what a worker says on standard error: a panic, a failed allocation.
async fn last_words(mut stderr: ChildStderr) -> String {
    let (mut kept, mut chunk) = (Vec::new(), [0; 1024]);
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        kept.extend(chunk.iter().take(read));
        let surplus = kept.len().saturating_sub(limits::WORKER_STDERR_BYTES);
        kept.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&kept).trim().to_owned();
    if text.is_empty() { text } else { format!(": {}", MessageText::new(text)) }
}
