//! ZMTP 3.0 and 3.1 (RFC 23 and 37 of ZeroMQ) as a subscriber without security (mechanism NULL): bytes only.
//!
//! Comes in: the bytes of a publisher's connection, split anyhow. Goes out: what they say, one thing at a time,
//! and the bytes to answer with. A message is kept whole within `Bounds`; of a larger one only the head, the
//! length and the hash are; one beyond every bound, and whatever is not the protocol, is an error after which
//! the connection is worth nothing. Never holds more than was received, or than the bounds allow. It opens no
//! socket, waits for nothing, and knows nothing of fedmsg.

#[cfg(test)]
mod tests;

use std::fmt;

use crate::fingerprint::Fingerprint;
use crate::limits;

const GREETING_BYTES: usize = 64;
/// Where the greeting's parts start: the end of the signature, the version's major and minor, the mechanism.
const SIGNATURE_END: (usize, u8) = (9, 0x7f);
const VERSION_MAJOR: usize = 10;
const MECHANISM: std::ops::Range<usize> = 12..32;
const NULL: &[u8; 20] = b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// Longest context of a PING that is given back (RFC 37).
const PING_CONTEXT_BYTES: usize = 16;

/// What the peer said. A greeting is to be answered with `ready`, its READY with `subscribe_to_all`, a PING with
/// `pong`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It speaks ZMTP.
    Greeting,
    /// It is a publisher that speaks this minor version of ZMTP 3, and waits for subscriptions.
    Ready { minor: u8 },
    /// It wants a sign of life.
    Ping { context: Vec<u8> },
    /// It gave a sign of life.
    Pong,
    /// The frames of a message.
    Message(Vec<Vec<u8>>),
    /// What is left of a message beyond `Bounds::kept_bytes` or `Bounds::kept_frames`.
    Skimmed(Skimmed),
}

/// What is left of a message that was not kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Skimmed {
    /// Its first bytes, all frames together.
    pub(super) head: Vec<u8>,
    /// The fingerprint of all its frames together.
    pub(super) sha256: String,
    pub(super) length_bytes: u64,
    pub(super) frames: usize,
}

/// How much of a message is kept and read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Largest message that is kept whole, all frames together.
    pub(super) kept_bytes: u64,
    /// Most frames of a message that is kept whole.
    pub(super) kept_frames: usize,
    /// Of a larger message, what is kept.
    pub(super) head_bytes: usize,
    /// Largest message that is read to its end.
    pub(super) read_bytes: u64,
    /// Most frames of a message that is read to its end.
    pub(super) read_frames: usize,
}

/// Why a connection is worth nothing; `Display` says it to people, in words that the peer may have chosen.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ZmtpError {
    NotZmtp,
    Version(u8),
    Mechanism(String),
    NoPublisher(String),
    Refusal(String),
    Early,
    Flags(u8),
    Command(&'static str),
    LargeCommand(u64),
    LargeMessage(u64),
    ManyFrames(usize),
}

impl fmt::Display for ZmtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotZmtp => f.write_str("what answers there is no ZeroMQ socket; check the endpoint"),
            Self::Version(major) => write!(f, "it speaks ZMTP {major}; 3.0 or later is needed (ZeroMQ 4)"),
            Self::Mechanism(name) => write!(f, "it wants the security mechanism {name}; only NULL is known"),
            Self::NoPublisher(kind) => {
                write!(f, "it is a {kind} socket, not PUB or XPUB; check the endpoint")
            }
            Self::Refusal(reason) => write!(f, "it refuses: {reason}"),
            Self::Early => f.write_str("it sent something else before its handshake was done"),
            Self::Flags(flags) => {
                write!(f, "it sent a frame with the flags {flags:#04x}, which ZMTP has not")
            }
            Self::Command(what) => write!(f, "it sent {what}"),
            Self::LargeCommand(bytes) => {
                write!(f, "it announced a command of {bytes} bytes, more than any limit allows")
            }
            Self::LargeMessage(bytes) => {
                write!(f, "it announced a message of {bytes} bytes or more, more than any limit allows")
            }
            Self::ManyFrames(frames) => {
                write!(f, "it sent a message of {frames} frames or more, more than any limit allows")
            }
        }
    }
}

/// The first bytes to send: version 3.1, mechanism NULL, not as a server.
pub(super) fn greeting() -> Vec<u8> {
    let version_and_mechanism = [&[3, 1][..], NULL].concat();
    let mut greeting = [&b"\xff\0\0\0\0\0\0\0\0\x7f"[..], &version_and_mechanism].concat();
    greeting.resize(GREETING_BYTES, 0);
    greeting
}

/// The end of the handshake.
pub(super) fn ready() -> Vec<u8> {
    command("READY", b"\x0bSocket-Type\0\0\0\x03SUB")
}

/// A subscription to every topic: as a message, which peers of 3.0 need and those of 3.1 take.
pub(super) fn subscribe_to_all() -> Vec<u8> {
    frame(0, b"\x01")
}

/// Asks for a sign of life. Its time to live is 0, none: while the daemon is too busy to read, this worker stands
/// still, and must not lose its links for it.
pub(super) fn ping() -> Vec<u8> {
    command("PING", &[0, 0])
}

/// Answers a PING.
pub(super) fn pong(context: &[u8]) -> Vec<u8> {
    command("PONG", context)
}

fn command(name: &str, data: &[u8]) -> Vec<u8> {
    // Names are words of this file.
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    frame(COMMAND, &[&[length], name.as_bytes(), data].concat())
}

fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(length) => [&[flags, length], body].concat(),
        Err(_) => [&[flags | LONG], &(body.len() as u64).to_be_bytes()[..], body].concat(),
    }
}

/// Understands the bytes of one connection, from its first on.
#[derive(Debug)]
pub(super) struct Decoder {
    bounds: Bounds,
    handshake: Handshake,
    reading: Reading,
    assembly: Assembly,
}

#[derive(Debug, PartialEq, Eq)]
enum Handshake {
    Open { minor: u8 },
    Done,
}

/// What the next bytes belong to; each holds what came of it.
#[derive(Debug)]
enum Reading {
    Greeting(Vec<u8>),
    Header(Vec<u8>),
    Command { body: Vec<u8>, size: usize },
    Frame { size: u64, left: u64, last: bool },
}

enum Step {
    Heard(Heard),
    Further,
    NeedsMore,
}

impl Decoder {
    /// For a new connection.
    pub(super) fn new(bounds: Bounds) -> Self {
        let (handshake, reading) = (Handshake::Open { minor: 0 }, Reading::Greeting(Vec::new()));
        Self { bounds, handshake, reading, assembly: Assembly::default() }
    }

    /// Takes bytes off the front until they said one thing, or are used up (`None`).
    ///
    /// # Errors
    /// `ZmtpError`: nothing more can be understood on this connection.
    pub(super) fn take(&mut self, bytes: &mut &[u8]) -> Result<Option<Heard>, ZmtpError> {
        loop {
            match self.step(bytes)? {
                Step::Heard(heard) => return Ok(Some(heard)),
                Step::Further => {}
                Step::NeedsMore => return Ok(None),
            }
        }
    }

    fn step(&mut self, bytes: &mut &[u8]) -> Result<Step, ZmtpError> {
        match &mut self.reading {
            Reading::Greeting(seen) => {
                fill(seen, GREETING_BYTES, bytes);
                let Some(minor) = greeted(seen)? else { return Ok(Step::NeedsMore) };
                self.reading = Reading::Header(Vec::new());
                self.handshake = Handshake::Open { minor };
                Ok(Step::Heard(Heard::Greeting))
            }
            Reading::Header(seen) => match header(seen, bytes)? {
                Some((flags, size)) => self.begin(flags, size).map(|()| Step::Further),
                None => Ok(Step::NeedsMore),
            },
            Reading::Command { body, size } => {
                fill(body, *size, bytes);
                if body.len() < *size {
                    return Ok(Step::NeedsMore);
                }
                let body = std::mem::take(body);
                self.reading = Reading::Header(Vec::new());
                self.obey(&body).map(|heard| heard.map_or(Step::Further, Step::Heard))
            }
            Reading::Frame { size, left, last } => {
                let chunk = split_front(bytes, usize::try_from(*left).unwrap_or(usize::MAX));
                self.assembly.append(chunk, *size, self.bounds);
                *left -= chunk.len() as u64;
                let (left, last) = (*left, *last);
                if left > 0 {
                    return Ok(Step::NeedsMore);
                }
                self.reading = Reading::Header(Vec::new());
                Ok(if last { Step::Heard(std::mem::take(&mut self.assembly).end()) } else { Step::Further })
            }
        }
    }

    /// A header came: decides about what follows before any of it is stored. Commands may come between the frames
    /// of a message: libzmq sends its heartbeat so.
    fn begin(&mut self, flags: u8, size: u64) -> Result<(), ZmtpError> {
        self.reading = if flags & COMMAND != 0 {
            match usize::try_from(size) {
                Ok(size @ ..=limits::ZMTP_COMMAND_BYTES) => Reading::Command { body: Vec::new(), size },
                _ => return Err(ZmtpError::LargeCommand(size)),
            }
        } else if self.handshake != Handshake::Done {
            return Err(ZmtpError::Early);
        } else {
            self.assembly.begin(size, self.bounds)?;
            Reading::Frame { size, left: size, last: flags & MORE == 0 }
        };
        Ok(())
    }

    fn obey(&mut self, body: &[u8]) -> Result<Option<Heard>, ZmtpError> {
        const NAMELESS: ZmtpError = ZmtpError::Command("a command without a name");
        let (name, data) = short_string(body).filter(|(name, _)| !name.is_empty()).ok_or(NAMELESS)?;
        match (name, &self.handshake) {
            (b"ERROR", _) => {
                let (reason, _) = short_string(data).unwrap_or_default();
                Err(ZmtpError::Refusal(String::from_utf8_lossy(reason).into_owned()))
            }
            (b"READY", &Handshake::Open { minor }) => {
                check_socket_type(data)?;
                self.handshake = Handshake::Done;
                Ok(Some(Heard::Ready { minor }))
            }
            (_, Handshake::Open { .. }) => Err(ZmtpError::Early),
            (b"PING", Handshake::Done) => {
                let (_, context) =
                    data.split_at_checked(2).ok_or(ZmtpError::Command("a PING without a time to live"))?;
                Ok(Some(Heard::Ping { context: context.iter().take(PING_CONTEXT_BYTES).copied().collect() }))
            }
            (b"PONG", Handshake::Done) => Ok(Some(Heard::Pong)),
            // Commands of later versions.
            (_, Handshake::Done) => Ok(None),
        }
    }
}

/// The peer's minor version, once its greeting is complete; a wrong one is told as early as it can be.
fn greeted(seen: &[u8]) -> Result<Option<u8>, ZmtpError> {
    let (end, mark) = SIGNATURE_END;
    if seen.first().is_some_and(|first| *first != 0xff) || seen.get(end).is_some_and(|last| *last != mark) {
        return Err(ZmtpError::NotZmtp);
    }
    let major = seen.get(VERSION_MAJOR).copied().unwrap_or(3);
    if major < 3 {
        // The byte is 0 and 1 in versions 1 and 2.
        return Err(ZmtpError::Version(major + 1));
    }
    if let Some(mechanism) = seen.get(MECHANISM).filter(|mechanism| mechanism != NULL) {
        let name = String::from_utf8_lossy(mechanism);
        return Err(ZmtpError::Mechanism(name.trim_end_matches('\0').to_owned()));
    }
    let minor = if major > 3 { u8::MAX } else { seen.get(VERSION_MAJOR + 1).copied().unwrap_or_default() };
    Ok((seen.len() == GREETING_BYTES).then_some(minor))
}

/// Flags and size of a frame, once its header is complete.
fn header(seen: &mut Vec<u8>, bytes: &mut &[u8]) -> Result<Option<(u8, u64)>, ZmtpError> {
    fill(seen, 1, bytes);
    let Some(&flags) = seen.first() else { return Ok(None) };
    if flags & !(MORE | LONG | COMMAND) != 0 || flags & COMMAND != 0 && flags & MORE != 0 {
        return Err(ZmtpError::Flags(flags));
    }
    let long = flags & LONG != 0;
    fill(seen, if long { 9 } else { 2 }, bytes);
    Ok(match (long, seen.as_slice()) {
        (false, [_, size]) => Some((flags, u64::from(*size))),
        (true, [_, size @ ..]) => size.try_into().ok().map(|size| (flags, u64::from_be_bytes(size))),
        _ => None,
    })
}

/// READY's metadata: names and values, of which the socket type must be a publisher's.
fn check_socket_type(mut metadata: &[u8]) -> Result<(), ZmtpError> {
    const CUT_OFF: ZmtpError = ZmtpError::Command("a READY that is cut off");
    while !metadata.is_empty() {
        let (name, rest) = short_string(metadata).ok_or(CUT_OFF)?;
        let (length, rest) = rest.split_first_chunk().ok_or(CUT_OFF)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (value, rest) = rest.split_at_checked(length).ok_or(CUT_OFF)?;
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            return match value {
                b"PUB" | b"XPUB" => Ok(()),
                other => Err(ZmtpError::NoPublisher(String::from_utf8_lossy(other).into_owned())),
            };
        }
        metadata = rest;
    }
    Err(ZmtpError::Command("a READY without a socket type"))
}

/// A string whose first byte is its length, and what follows it.
fn short_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// Moves bytes over until `held` has `size` of them or there are no more.
fn fill(held: &mut Vec<u8>, size: usize, bytes: &mut &[u8]) {
    held.extend_from_slice(split_front(bytes, size.saturating_sub(held.len())));
}

/// Takes at most `most` bytes off the front.
fn split_front<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (front, rest) = bytes.split_at(most.min(bytes.len()));
    *bytes = rest;
    front
}

/// A message on its way.
#[derive(Debug, Default)]
struct Assembly {
    frames: usize,
    length_bytes: u64,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Frames(Vec<Vec<u8>>),
    Skim { head: Vec<u8>, fingerprint: Fingerprint },
}

impl Default for Held {
    fn default() -> Self {
        Self::Frames(Vec::new())
    }
}

impl Assembly {
    fn begin(&mut self, size: u64, bounds: Bounds) -> Result<(), ZmtpError> {
        self.frames += 1;
        self.length_bytes = self.length_bytes.saturating_add(size);
        if self.length_bytes > bounds.read_bytes {
            return Err(ZmtpError::LargeMessage(self.length_bytes));
        }
        if self.frames > bounds.read_frames {
            return Err(ZmtpError::ManyFrames(self.frames));
        }
        if let Held::Frames(frames) = &mut self.held {
            if self.length_bytes <= bounds.kept_bytes && self.frames <= bounds.kept_frames {
                frames.push(Vec::new());
            } else {
                let frames = std::mem::take(frames);
                self.held = Held::Skim { head: Vec::new(), fingerprint: Fingerprint::new() };
                frames.iter().for_each(|frame| self.append(frame, 0, bounds));
            }
        }
        Ok(())
    }

    /// More bytes of a frame of `size`.
    fn append(&mut self, chunk: &[u8], size: u64, bounds: Bounds) {
        match &mut self.held {
            Held::Frames(frames) => {
                if let Some(frame) = frames.last_mut() {
                    // Room grows with what came, never with what was announced, and ends with it.
                    let needed = frame.len() + chunk.len();
                    if needed > frame.capacity() {
                        let room = usize::try_from(size).unwrap_or(usize::MAX).min(2 * needed);
                        frame.reserve_exact(room - frame.len());
                    }
                    frame.extend_from_slice(chunk);
                }
            }
            Held::Skim { head, fingerprint } => {
                fingerprint.add(chunk);
                head.extend(chunk.iter().take(bounds.head_bytes.saturating_sub(head.len())));
            }
        }
    }

    fn end(self) -> Heard {
        match self.held {
            Held::Frames(frames) => Heard::Message(frames),
            Held::Skim { head, fingerprint } => {
                let (length_bytes, frames) = (self.length_bytes, self.frames);
                Heard::Skimmed(Skimmed { head, sha256: fingerprint.finish(), length_bytes, frames })
            }
        }
    }
}
