//! The artifact: a graph as bytes, versioned, deterministic, checksummed, read in place.
//!
//! Comes in: a graph; or bytes that are never trusted. Goes out: bytes, equal for equal graphs; or the sections of bytes whose checksum
//! holds, to be looked at where they lie. What the matcher reads and what is for people (the graph with its sources and
//! places) are sections apart; the hash that decisions are recorded under is of the first alone and was worked out when the
//! artifact was written.
//!
//! Layout, in the writing machine's byte order: magic (8 bytes), version (u32), a mark of the byte order (u32), XXH3 of all that
//! follows (u64), SHA-256 of what the matcher reads (32 bytes), the sections' lengths in bytes (u64 each), the sections, each
//! filled up with zeros to 8 bytes. A mapped file begins at a page, so every word of a section lies where a word may lie.

mod check;
pub(crate) mod tables;
pub(crate) mod write;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use crate::graph::{Graph, Sources};
use crate::limits;
use crate::matcher::{Declarations, Matcher};
pub(crate) use check::check;
use tables::{SECTIONS, Section, Tables};
pub(crate) use write::place;

const MAGIC: &[u8; 8] = b"taskbot\0";
const BYTE_ORDER: u32 = 0x0102_0304;
/// Magic, version, mark of the byte order.
const PREFIX_BYTES: usize = 16;
/// The same, and the checksum.
const CHECKED_FROM: usize = PREFIX_BYTES + 8;
const HEADER_BYTES: usize = CHECKED_FROM + 32 + SECTIONS * 8;
const ALIGNMENT: usize = 8;

/// Why bytes are no artifact of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The first bytes are not an artifact's.
    NotAnArtifact,
    /// Written by another version.
    Version {
        /// The version found.
        found: u32,
    },
    /// Written on a machine of the other byte order.
    ByteOrder,
    /// Shorter than it says, or its checksum differs.
    Damaged,
    /// The checksum is right but its content is not a possible graph.
    Invalid(&'static str),
}

impl LoadError {
    /// A short name that stays the same: for scripts, and for the daemon's log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnArtifact => "not-an-artifact",
            Self::Version { .. } => "artifact-version",
            Self::ByteOrder => "artifact-byte-order",
            Self::Damaged => "artifact-damaged",
            Self::Invalid(_) => "artifact-invalid",
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reads = limits::ARTIFACT_VERSION;
        match self {
            Self::NotAnArtifact => write!(f, "this is no taskbot artifact; make one with `taskbot compile`"),
            Self::Version { found } => {
                write!(f, "artifact of format {found}, this taskbot reads {reads}; compile it again")
            }
            Self::ByteOrder => {
                write!(f, "the artifact was made on a machine of the other byte order; compile it here")
            }
            Self::Damaged => write!(f, "the artifact is cut off or damaged; compile it again"),
            Self::Invalid(what) => write!(f, "the artifact holds an impossible {what}; compile it again"),
        }
    }
}

impl std::error::Error for LoadError {}

impl Graph {
    /// The artifact's bytes: the same graph always gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        let sections = write::sections(self, &mut bytes);
        let mut identity = Sha256::new();
        for section in sections.iter().take(Section::People as usize) {
            identity.update((section.len() as u64).to_le_bytes());
            identity.update(bytes.get(section.clone()).unwrap_or_default());
        }
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&limits::ARTIFACT_VERSION.to_le_bytes());
        header.extend_from_slice(&BYTE_ORDER.to_ne_bytes());
        header.extend_from_slice(&[0; 8]);
        header.extend_from_slice(&identity.finalize());
        for section in &sections {
            header.extend_from_slice(&(section.len() as u64).to_ne_bytes());
        }
        if let Some(place) = bytes.get_mut(..header.len()) {
            place.copy_from_slice(&header);
        }
        let checksum = xxh3_64(bytes.get(CHECKED_FROM..).unwrap_or_default()).to_ne_bytes();
        if let Some(place) = bytes.get_mut(PREFIX_BYTES..CHECKED_FROM) {
            place.copy_from_slice(&checksum);
        }
        bytes
    }

    /// Reads a whole artifact, sources and all. Who only judges messages takes a [`Matcher`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        let matcher = Matcher::load(Cow::Borrowed(bytes))?;
        let graph = matcher.graph()?;
        Ok(graph.with_matcher(matcher))
    }

    /// Lower-case hex SHA-256 of the part that the matcher reads: what decisions are recorded under.
    pub fn hash(&self) -> String {
        self.matcher().hash()
    }
}

/// An artifact whose checksum holds, and where its sections are.
pub(crate) struct Sections {
    bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
    ranges: [Range<usize>; SECTIONS],
    identity: [u8; 32],
}

/// Bytes that begin where a word may lie.
struct Aligned {
    words: Vec<u64>,
    length: usize,
}

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words).get(..self.length).unwrap_or_default()
    }
}

impl Sections {
    pub(crate) fn copied(bytes: Cow<'_, [u8]>) -> Result<Self, LoadError> {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        if let Some(to) = bytemuck::cast_slice_mut(&mut words).get_mut(..bytes.len()) {
            to.copy_from_slice(&bytes);
        }
        Self::shared(Arc::new(Aligned { words, length: bytes.len() }))
    }

    pub(crate) fn shared(bytes: Arc<dyn AsRef<[u8]> + Send + Sync>) -> Result<Self, LoadError> {
        let all = (*bytes).as_ref();
        if bytemuck::try_cast_slice::<u8, u64>(all.get(..all.len() & !7).unwrap_or_default()).is_err() {
            return Self::copied(Cow::Borrowed(all));
        }
        let mut rest = all;
        if take::<8>(&mut rest) != Some(MAGIC) {
            return Err(LoadError::NotAnArtifact);
        }
        let version =
            take::<4>(&mut rest).map(|bytes| u32::from_le_bytes(*bytes)).ok_or(LoadError::Damaged)?;
        if version != limits::ARTIFACT_VERSION {
            return Err(LoadError::Version { found: version });
        }
        match take::<4>(&mut rest).map(|bytes| u32::from_ne_bytes(*bytes)) {
            Some(BYTE_ORDER) => {}
            Some(mark) if mark == BYTE_ORDER.swap_bytes() => return Err(LoadError::ByteOrder),
            _ => return Err(LoadError::Damaged),
        }
        let checksum = take::<8>(&mut rest).map(|bytes| u64::from_ne_bytes(*bytes));
        if checksum != Some(xxh3_64(rest)) {
            return Err(LoadError::Damaged);
        }
        let identity = *take::<32>(&mut rest).ok_or(LoadError::Damaged)?;
        let mut ranges: [Range<usize>; SECTIONS] = Default::default();
        let mut at = HEADER_BYTES;
        for range in &mut ranges {
            let length =
                take::<8>(&mut rest).and_then(|bytes| usize::try_from(u64::from_ne_bytes(*bytes)).ok());
            let end = length.and_then(|length| at.checked_add(length)).filter(|end| *end <= all.len());
            let end = end.ok_or(LoadError::Damaged)?;
            *range = at..end;
            at = end.next_multiple_of(ALIGNMENT);
        }
        if at != all.len() {
            return Err(LoadError::Damaged);
        }
        Ok(Self { bytes, ranges, identity })
    }

    fn section(&self, which: Section) -> &[u8] {
        self.section_of((*self.bytes).as_ref(), which)
    }

    fn section_of<'b>(&self, bytes: &'b [u8], which: Section) -> &'b [u8] {
        let range = self.ranges.get(which as usize).cloned().unwrap_or_default();
        bytes.get(range).unwrap_or_default()
    }

    pub(crate) fn matching_bytes(&self) -> usize {
        self.ranges.iter().take(Section::People as usize).map(ExactSizeIterator::len).sum()
    }

    pub(crate) fn tables(&self) -> Tables<'_> {
        let bytes = (*self.bytes).as_ref();
        Tables::new(|which| self.section_of(bytes, which))
    }

    pub(crate) fn declarations(&self) -> Result<Declarations, LoadError> {
        postcard::from_bytes(self.section(Section::Declarations))
            .map_err(|_| LoadError::Invalid("declaration"))
    }

    pub(crate) fn graph(&self) -> Result<Graph, LoadError> {
        let (mut graph, sources): (Graph, Sources) = postcard::from_bytes(self.section(Section::People))
            .map_err(|_| LoadError::Invalid("source section"))?;
        graph.sources = sources;
        check::check_graph(&graph)?;
        Ok(graph)
    }

    pub(crate) fn hash(&self) -> String {
        use fmt::Write as _;
        self.identity.iter().fold(String::new(), |mut out, byte| {
            // Writing to a string cannot fail.
            let _ = write!(out, "{byte:02x}");
            out
        })
    }
}

fn take<'b, const N: usize>(rest: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(head)
}
