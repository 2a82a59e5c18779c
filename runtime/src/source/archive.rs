//! The archive source: a recording, JSON Lines, plain or gzip (told by its first bytes, not by its name).
//!
//! Comes in: a file or standard input. Goes out: one `Wire::Record` a line, in order. It reads no faster than
//! the inbox commits, holds no more than one line, and ends only when the fate of every line is durable, so
//! that a replay that ended is complete.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Deliveries, Delivery, Settled, SourceError, SourceEvent, SourceEvents, Wire};
use crate::fingerprint::Fingerprint;
use crate::limits;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Plays a recording to its end, or until `stop`.
pub(super) async fn run(
    name: String,
    path: PathBuf,
    deliveries: Deliveries,
    stop: CancellationToken,
    events: SourceEvents,
) -> Result<(), SourceError> {
    let (sender, done) = oneshot::channel();
    let reader_stop = stop.clone();
    // A thread of its own, for reading standard input can block for ever and would hold up the end of the runtime.
    std::thread::spawn(move || {
        let _ = sender.send(Player { name, path, deliveries, stop: reader_stop, events }.play());
    });
    tokio::select! {
        ended = done => ended.unwrap_or(Err(SourceError::InboxClosed)),
        () = stop.cancelled() => Ok(()),
    }
}

struct Player {
    name: String,
    path: PathBuf,
    deliveries: Deliveries,
    stop: CancellationToken,
    events: SourceEvents,
}

impl Player {
    fn play(&self) -> Result<(), SourceError> {
        let unreadable =
            |error: io::Error| SourceError::File { path: self.path.clone(), reason: error.to_string() };
        let lines = open(&self.path).map_err(unreadable)?;
        self.events.tell(SourceEvent::Connected { endpoint: self.path.display().to_string() });
        let mut open: VecDeque<oneshot::Receiver<Settled>> = VecDeque::new();
        let mut returned = 0;
        for wire in lines {
            let wire = wire.map_err(unreadable)?;
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let (settle, settled) = oneshot::channel();
            let delivery = Delivery { source: self.name.clone(), wire, settle };
            self.deliveries.blocking_send(delivery).map_err(|_| SourceError::InboxClosed)?;
            open.push_back(settled);
            if open.len() >= limits::ARCHIVE_UNSETTLED {
                returned += u64::from(open.pop_front().is_some_and(was_returned));
            }
        }
        returned += open.into_iter().map(|settled| u64::from(was_returned(settled))).sum::<u64>();
        if returned == 0 { Ok(()) } else { Err(SourceError::Returned { messages: returned }) }
    }
}

/// Waits for the fate of one line; an inbox that forgot it has not committed it.
fn was_returned(settled: oneshot::Receiver<Settled>) -> bool {
    settled.blocking_recv() != Ok(Settled::Committed)
}

fn open(path: &Path) -> io::Result<Recording> {
    if path == Path::new("-") { Recording::new(io::stdin()) } else { Recording::new(File::open(path)?) }
}

/// A recording's lines in order, each as a `Wire::Record`, or as a `Wire::Refused` if no limit would accept it. It holds no more
/// than one of them.
pub struct Recording(Box<dyn BufRead>);

impl Recording {
    /// From its bytes, plain or gzip.
    ///
    /// # Errors
    /// What reading its first bytes gave.
    pub fn new(mut raw: impl Read + 'static) -> io::Result<Self> {
        let mut head = Vec::new();
        raw.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut head)?;
        let zipped = head == GZIP_MAGIC;
        let whole = Cursor::new(head).chain(raw);
        Ok(Self(if zipped {
            Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(whole))))
        } else {
            Box::new(BufReader::new(whole))
        }))
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recording")
    }
}

impl Iterator for Recording {
    type Item = io::Result<Wire>;

    /// After an error nothing more of it can be trusted.
    fn next(&mut self) -> Option<Self::Item> {
        next_line(&mut *self.0).transpose()
    }
}

/// The next line that is not blank, without its end. Of one that no limit would accept only the head is kept.
fn next_line(from: &mut dyn BufRead) -> io::Result<Option<Wire>> {
    loop {
        let mut line = Vec::new();
        let whole = limits::MESSAGE_BYTES_MAX + 1;
        if from.take(whole as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.len() == whole && line.last() != Some(&b'\n') {
            return too_long(line, from).map(Some);
        }
        while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            line.pop();
        }
        if !line.iter().all(u8::is_ascii_whitespace) {
            return Ok(Some(Wire::Record { line }));
        }
    }
}

/// Reads on to the end of an endless line, keeping its hash and length.
fn too_long(mut head: Vec<u8>, from: &mut dyn BufRead) -> io::Result<Wire> {
    let mut fingerprint = Fingerprint::new();
    fingerprint.add(&head);
    let mut length_bytes = head.len() as u64;
    loop {
        let chunk = from.fill_buf()?;
        let (end, used) = match chunk.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end, end + 1),
            None => (chunk.len(), chunk.len()),
        };
        fingerprint.add(chunk.get(..end).unwrap_or_default());
        length_bytes += end as u64;
        from.consume(used);
        if used != end || used == 0 {
            break;
        }
    }
    head.truncate(limits::QUARANTINE_HEAD_BYTES);
    head.shrink_to_fit();
    let reason = format!("a line of {length_bytes} bytes, more than any limit allows");
    Ok(Wire::Refused { head, sha256: Some(fingerprint.finish()), length_bytes, reason })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;

    fn lines(text: &[u8]) -> Vec<Wire> {
        let mut from = Cursor::new(text.to_vec());
        std::iter::from_fn(|| next_line(&mut from).unwrap()).collect()
    }

    #[test]
    fn lines_end_as_they_like_and_blank_ones_are_none() {
        let texts: Vec<Vec<u8>> = lines(b"{\"a\":1}\r\n\n  \n[2]\n{}")
            .into_iter()
            .map(|wire| match wire {
                Wire::Record { line } => line,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(texts, [&b"{\"a\":1}"[..], b"[2]", b"{}"]);
    }

    #[test]
    fn an_endless_line_is_refused_and_the_next_one_is_read() {
        let mut text = vec![b'a'; limits::MESSAGE_BYTES_MAX + 100_000];
        let expected = Fingerprint::of(&text);
        text.extend(b"\n{}\n");
        let wires: [Wire; 2] = lines(&text).try_into().unwrap();
        let [Wire::Refused { head, sha256, length_bytes, .. }, Wire::Record { line }] = wires else {
            panic!("{wires:?}")
        };
        assert_eq!(sha256.unwrap(), expected);
        assert_eq!((head.len(), length_bytes), (limits::QUARANTINE_HEAD_BYTES, 16_877_216));
        assert_eq!(line, b"{}");
    }
}
