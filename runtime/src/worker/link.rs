//! A link: one TCP connection of the subscriber to one publisher.
//!
//! Comes in: an endpoint. Goes out: messages, or the reason why the link is lost. It shakes hands within a time
//! limit, answers the publisher's PINGs, and sends its own to peers of ZMTP 3.1 and later; older ones may drop
//! the link for one. A peer that once answered and then says nothing for some heartbeats is lost; for the others
//! TCP's keepalive finds a dead connection, though not a dead process behind a living one. It never reads on
//! while an answer is unsent, so a peer that asks and does not listen costs nothing.

use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::zmtp::{self, Bounds, Decoder, Heard, Skimmed};
use crate::limits;

const BOUNDS: Bounds = Bounds {
    kept_bytes: limits::MESSAGE_BYTES_MAX as u64,
    kept_frames: 2,
    head_bytes: limits::QUARANTINE_HEAD_BYTES,
    read_bytes: limits::WIRE_MESSAGE_BYTES,
    read_frames: limits::WIRE_MESSAGE_FRAMES,
};

/// What a link brings.
#[derive(Debug)]
pub(super) enum Brought {
    /// A message of at most two frames, within the limits.
    Message(Vec<Vec<u8>>),
    /// What is left of another one.
    Skimmed(Skimmed),
}

/// Whether the peer takes part in heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heartbeats {
    /// Its version has none, or is not known yet.
    None,
    /// It is asked, but never answered.
    Asked,
    /// It answers.
    Answered,
}

/// One connection to one publisher that is subscribed to everything.
#[derive(Debug)]
pub(super) struct Link {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    decoder: Decoder,
    chunk: Vec<u8>,
    /// Part of `chunk` that is not decoded yet.
    unread: std::ops::Range<usize>,
    unsent: Vec<u8>,
    heartbeats: Heartbeats,
    beat: Interval,
    /// Beats since the peer was last heard.
    silent_beats: u32,
}

impl Link {
    /// Connects to `tcp://host:port` and shakes hands; asks for a sign of life once in `heartbeat`.
    ///
    /// # Errors
    /// The reason, for people.
    pub(super) async fn make(endpoint: &str, heartbeat: Duration) -> Result<Self, String> {
        let made = timeout(limits::CONNECT_TIMEOUT, Self::connect(endpoint, heartbeat)).await;
        made.unwrap_or_else(|_| Err(format!("no answer within {} s", limits::CONNECT_TIMEOUT.as_secs())))
    }

    async fn connect(endpoint: &str, heartbeat: Duration) -> Result<Self, String> {
        let address = endpoint.strip_prefix("tcp://").unwrap_or(endpoint);
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        keep_alive(&stream).map_err(|error| error.to_string())?;
        let (reader, writer) = stream.into_split();
        let mut beat = interval(heartbeat);
        // After a pause of this process the peer gets a full heartbeat's time before it counts as silent.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut link = Self {
            reader,
            writer,
            decoder: Decoder::new(BOUNDS),
            chunk: vec![0; limits::LINK_CHUNK_BYTES],
            unread: 0..0,
            unsent: zmtp::greeting(),
            heartbeats: Heartbeats::None,
            beat,
            silent_beats: 0,
        };
        while !matches!(link.hear().await?, Heard::Ready { .. }) {}
        Ok(link)
    }

    /// Whether the peer's silence is watched here.
    pub(super) fn has_heartbeats(&self) -> bool {
        self.heartbeats == Heartbeats::Answered
    }

    /// The next message. What was received is not lost when this is dropped.
    ///
    /// # Errors
    /// The reason why the link is lost, for people.
    pub(super) async fn next(&mut self) -> Result<Brought, String> {
        loop {
            if let Some(brought) = brought(self.hear().await?) {
                return Ok(brought);
            }
        }
    }

    /// A message that was received already; none: more has to be waited for.
    ///
    /// # Errors
    /// As `next`.
    pub(super) fn at_hand(&mut self) -> Result<Option<Brought>, String> {
        while self.unsent.is_empty()
            && let Some(heard) = self.decode()?
        {
            self.answer(&heard);
            if let Some(brought) = brought(heard) {
                return Ok(Some(brought));
            }
        }
        Ok(None)
    }

    /// The next thing that the peer says; its answer is sent before anything else is heard.
    async fn hear(&mut self) -> Result<Heard, String> {
        loop {
            if self.unsent.is_empty()
                && let Some(heard) = self.decode()?
            {
                self.answer(&heard);
                return Ok(heard);
            }
            tokio::select! {
                biased;
                sent = self.writer.write(&self.unsent), if !self.unsent.is_empty() => {
                    self.unsent.drain(..sent.map_err(|error| error.to_string())?);
                }
                read = self.reader.read(&mut self.chunk), if self.unsent.is_empty() => {
                    match read.map_err(|error| error.to_string())? {
                        0 => return Err("the publisher closed the connection".to_owned()),
                        read => self.unread = 0..read,
                    }
                    self.silent_beats = 0;
                }
                _ = self.beat.tick() => self.beat()?,
            }
        }
    }

    fn decode(&mut self) -> Result<Option<Heard>, String> {
        let mut bytes = self.chunk.get(self.unread.clone()).unwrap_or_default();
        let heard = self.decoder.take(&mut bytes).map_err(|error| error.to_string())?;
        self.unread.start = self.unread.end - bytes.len();
        Ok(heard)
    }

    fn answer(&mut self, heard: &Heard) {
        match heard {
            Heard::Greeting => self.unsent = zmtp::ready(),
            Heard::Ready { minor } => {
                self.unsent = zmtp::subscribe_to_all();
                self.heartbeats = if *minor >= 1 { Heartbeats::Asked } else { Heartbeats::None };
                // Asked at once, so that also a link that dies young is missed.
                self.ask();
            }
            Heard::Ping { context } => self.unsent = zmtp::pong(context),
            Heard::Pong => self.heartbeats = Heartbeats::Answered,
            Heard::Message(_) | Heard::Skimmed(_) => {}
        }
    }

    fn ask(&mut self) {
        if self.heartbeats != Heartbeats::None {
            self.unsent.extend(zmtp::ping());
        }
    }

    fn beat(&mut self) -> Result<(), String> {
        if self.silent_beats >= limits::HEARTBEATS_SILENT {
            if !self.unsent.is_empty() {
                return Err("the publisher no longer takes answers".to_owned());
            }
            if self.has_heartbeats() {
                return Err("the publisher no longer gives a sign of life".to_owned());
            }
        }
        self.silent_beats = self.silent_beats.saturating_add(1);
        if self.unsent.is_empty() {
            self.ask();
        }
        Ok(())
    }
}

/// What there is to hand on of what was heard.
fn brought(heard: Heard) -> Option<Brought> {
    match heard {
        Heard::Message(frames) => Some(Brought::Message(frames)),
        Heard::Skimmed(skimmed) => Some(Brought::Skimmed(skimmed)),
        Heard::Greeting | Heard::Ready { .. } | Heard::Ping { .. } | Heard::Pong => None,
    }
}

/// Lets the system find a peer that is gone without a word, also one that has no heartbeats. Keepalive alone would
/// not do: it waits while bytes, such as a PING, are on their way.
fn keep_alive(stream: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, limits::KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, limits::KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, limits::KEEPALIVE_PROBES)?;
    let unacknowledged = u32::try_from(limits::UNACKNOWLEDGED.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, unacknowledged)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use tokio::net::TcpListener;

    use super::*;

    const HEARTBEAT: Duration = Duration::from_millis(100);
    const READY: &[u8] = b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB";

    /// A link, and the peer's end of it after the handshake and the subscription.
    async fn linked(minor: u8) -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
        let peer = async {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut greeting = [0; 64];
            peer.read_exact(&mut greeting).await.unwrap();
            assert_eq!(greeting.as_slice(), zmtp::greeting());
            *greeting.get_mut(11).unwrap() = minor;
            peer.write_all(&greeting).await.unwrap();
            assert_eq!(read(&mut peer, 27).await, zmtp::ready());
            peer.write_all(READY).await.unwrap();
            peer
        };
        let (link, peer) = tokio::join!(Link::make(&endpoint, HEARTBEAT), peer);
        (link.unwrap(), peer)
    }

    async fn read(peer: &mut TcpStream, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        timeout(Duration::from_secs(5), peer.read_exact(&mut read)).await.unwrap().unwrap();
        read
    }

    async fn next(link: &mut Link) -> Result<Brought, String> {
        timeout(Duration::from_secs(5), link.next()).await.unwrap()
    }

    #[tokio::test]
    async fn pings_are_answered_in_order_and_messages_come_through() {
        let (mut link, mut peer) = linked(0).await;
        peer.write_all(b"\x04\x0b\x04PING\0\x0aabcd\x01\x01t\x04\x07\x04PING\0\0\0\x01e").await.unwrap();
        let Brought::Message(frames) = next(&mut link).await.unwrap() else { unreachable!("it is small") };
        assert_eq!(frames, [b"t", b"e"]);
        let answers = [zmtp::subscribe_to_all(), zmtp::pong(b"abcd"), zmtp::pong(b"")].concat();
        assert_eq!(read(&mut peer, answers.len()).await, answers);
        drop(peer);
        assert_eq!(next(&mut link).await.unwrap_err(), "the publisher closed the connection");
    }

    #[tokio::test]
    async fn a_peer_that_answered_once_and_falls_silent_is_lost() {
        let (mut link, mut peer) = linked(1).await;
        peer.write_all(&zmtp::pong(b"")).await.unwrap();
        let reason = next(&mut link).await.unwrap_err();
        assert_eq!(reason, "the publisher no longer gives a sign of life");
        let asked = [zmtp::subscribe_to_all(), zmtp::ping(), zmtp::ping()].concat();
        assert_eq!(read(&mut peer, asked.len()).await, asked);
    }

    #[tokio::test]
    async fn a_peer_that_never_answered_or_cannot_is_left_to_the_watch_for_silence() {
        for (minor, asked) in [(0, 0), (1, 5)] {
            let (mut link, mut peer) = linked(minor).await;
            assert!(timeout(HEARTBEAT * 8, link.next()).await.is_err(), "it is still there");
            assert!(!link.has_heartbeats());
            drop(link);
            let mut sent = Vec::new();
            peer.read_to_end(&mut sent).await.unwrap();
            let pings = (sent.len() - zmtp::subscribe_to_all().len()) / zmtp::ping().len();
            assert!(pings >= asked && (asked > 0 || pings == 0), "{minor}: {pings}");
        }
    }

    #[tokio::test]
    async fn a_peer_that_asks_and_does_not_listen_is_lost() {
        let (mut link, mut peer) = linked(0).await;
        let asking = tokio::spawn(async move {
            let asked = b"\x04\x17\x04PING\0\x000123456789abcdef".repeat(1000);
            while peer.write_all(&asked).await.is_ok() {}
            // The other end reset the connection.
        });
        let reason = timeout(Duration::from_secs(60), link.next()).await.unwrap().unwrap_err();
        assert_eq!(reason, "the publisher no longer takes answers");
        assert!(link.unsent.len() <= 32, "no answers pile up");
        drop(link);
        asking.await.unwrap();
    }
}
