//! Frames: what the daemon and its workers say to each other over a pipe or socket.
//!
//! Comes in: bytes of the other side. Goes out: frames of a known kind, at most `limits::WORKER_FRAME_BYTES`
//! long. A frame is a length (four bytes, big endian, of all that follows), a kind (one byte) and a body; the
//! length is checked before anything is allocated, since a worker may have been taken over by what it read.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::limits;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// To a worker: what it shall do, as JSON.
    Request,
    /// From a worker: how it went, as JSON.
    Answer,
    /// From a source: one message, `Frame::message`.
    Message,
    /// From a source: a message that is too large, as JSON.
    Refused,
    /// From a source: a `SourceEvent` or a sign of life, as JSON.
    Event,
}

impl FrameKind {
    const ALL: [Self; 5] = [Self::Request, Self::Answer, Self::Message, Self::Refused, Self::Event];

    const fn byte(self) -> u8 {
        match self {
            Self::Request => b'q',
            Self::Answer => b'a',
            Self::Message => b'm',
            Self::Refused => b'r',
            Self::Event => b'e',
        }
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it holds.
    pub kind: FrameKind,
    /// Its content.
    pub body: Vec<u8>,
}

fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

impl Frame {
    /// A frame whose body is JSON.
    ///
    /// # Errors
    /// When the value has no JSON.
    pub fn json(kind: FrameKind, value: &impl Serialize) -> io::Result<Self> {
        Ok(Self { kind, body: serde_json::to_vec(value)? })
    }

    /// A message of two parts, topic and envelope.
    ///
    /// # Errors
    /// When the topic is longer than a length of four bytes can say.
    pub fn message(topic: &[u8], envelope: &[u8]) -> io::Result<Self> {
        let length = u32::try_from(topic.len()).map_err(|_| invalid("a topic of 4 GiB"))?;
        let body = [&length.to_be_bytes(), topic, envelope].concat();
        Ok(Self { kind: FrameKind::Message, body })
    }

    /// The two parts of a message.
    ///
    /// # Errors
    /// When the body does not hold them.
    pub fn into_message(self) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let mut body = self.body;
        let topic = body.split_first_chunk().and_then(|(length, rest)| {
            rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?).map(<[u8]>::to_vec)
        });
        let topic = topic.ok_or_else(|| invalid("a message frame without its parts"))?;
        // The envelope stays where it is, which is cheaper than room of its own.
        body.drain(..size_of::<u32>() + topic.len());
        Ok((topic, body))
    }

    /// The value of a JSON body of the expected kind.
    ///
    /// # Errors
    /// When the kind differs or the body is not such a value.
    pub fn parse<T: DeserializeOwned>(&self, kind: FrameKind) -> io::Result<T> {
        if self.kind != kind {
            return Err(invalid(format!("a frame of kind {:?} where {kind:?} was due", self.kind)));
        }
        Ok(serde_json::from_slice(&self.body)?)
    }

    fn header(&self) -> io::Result<[u8; 5]> {
        match u32::try_from(self.body.len() + 1) {
            Ok(length) if self.body.len() < limits::WORKER_FRAME_BYTES => {
                let [a, b, c, d] = length.to_be_bytes();
                Ok([a, b, c, d, self.kind.byte()])
            }
            _ => Err(invalid(format!("a frame of {} bytes is too large to send", self.body.len()))),
        }
    }

    /// An empty frame of the kind and length that a header announces.
    fn announced(header: [u8; 5]) -> io::Result<Self> {
        let [a, b, c, d, kind] = header;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if !(1..=limits::WORKER_FRAME_BYTES).contains(&length) {
            return Err(invalid(format!("a frame of {length} bytes was announced")));
        }
        let kind = FrameKind::ALL.into_iter().find(|known| known.byte() == kind);
        let kind = kind.ok_or_else(|| invalid("a frame of an unknown kind"))?;
        Ok(Self { kind, body: vec![0; length - 1] })
    }

    /// Writes it, without waiting in a buffer.
    ///
    /// # Errors
    /// Those of the pipe; `InvalidData` when the body is too large.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.header()?)?;
        to.write_all(&self.body)?;
        to.flush()
    }

    /// Reads the next one; `None` at the end.
    ///
    /// # Errors
    /// Those of the pipe; `InvalidData` when what comes is no frame.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut header = [0; 5];
        if from.read(&mut header[..1])? == 0 {
            return Ok(None);
        }
        from.read_exact(&mut header[1..])?;
        let mut frame = Self::announced(header)?;
        from.read_exact(&mut frame.body)?;
        Ok(Some(frame))
    }

    /// `write` for the daemon's side.
    ///
    /// # Errors
    /// As `write`.
    pub async fn send(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        to.write_all(&self.header()?).await?;
        to.write_all(&self.body).await?;
        to.flush().await
    }

    /// `read` for the daemon's side.
    ///
    /// # Errors
    /// As `read`.
    pub async fn receive(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut header = [0; 5];
        if from.read(&mut header[..1]).await? == 0 {
            return Ok(None);
        }
        from.read_exact(&mut header[1..]).await?;
        let mut frame = Self::announced(header)?;
        from.read_exact(&mut frame.body).await?;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_on_both_sides() {
        let frames = [
            Frame::message(b"a.b", b"{}").unwrap(),
            Frame::json(FrameKind::Event, &"alive").unwrap(),
            Frame { kind: FrameKind::Answer, body: Vec::new() },
        ];
        let mut pipe = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut pipe).unwrap());
        let (mut blocking, mut waiting) = (pipe.as_slice(), pipe.as_slice());
        for frame in &frames {
            assert_eq!(Frame::read(&mut blocking).unwrap().as_ref(), Some(frame));
            assert_eq!(Frame::receive(&mut waiting).await.unwrap().as_ref(), Some(frame));
        }
        assert_eq!(Frame::read(&mut blocking).unwrap(), None);
        assert_eq!(Frame::receive(&mut waiting).await.unwrap(), None);
        let [message, event, _] = frames;
        assert_eq!(event.parse::<String>(FrameKind::Event).unwrap(), "alive");
        assert!(event.parse::<String>(FrameKind::Answer).is_err());
        assert_eq!(message.into_message().unwrap(), (b"a.b".to_vec(), b"{}".to_vec()));
    }

    #[test]
    fn hostile_frames_are_errors() {
        let cases: [&[u8]; 6] = [
            b"\xff\xff\xff\xffm",
            b"\0\0\0\0m",
            b"\0\0\0\x02?x",
            b"\0\0\0\x05mabc",
            b"\0\0",
            b"\x01\x01\0\x01m",
        ];
        for mut case in cases {
            assert!(Frame::read(&mut case).is_err(), "{case:?}");
        }
        let short = Frame { kind: FrameKind::Message, body: b"\0\0\0\x09topic".to_vec() };
        assert!(short.into_message().is_err());
        let huge = Frame { kind: FrameKind::Message, body: vec![0; limits::WORKER_FRAME_BYTES] };
        assert!(huge.write(&mut Vec::new()).is_err());
    }
}
