//! The artifact: a graph as bytes, versioned, deterministic, checksummed.
//!
//! Comes in: a graph; or bytes that are never trusted. Goes out: bytes, equal for equal graphs; or a graph whose every reference
//! was checked. The part that the matcher reads and the part for people (sources, places) are apart, and the hash that
//! decisions are recorded under is of the first alone.
//!
//! Layout, little-endian: magic (8 bytes), version (u32), length of the graph (u64), length of the sources (u64), SHA-256
//! of all that follows it (32 bytes), graph, sources; both in postcard's encoding.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::glob::Glob;
use crate::graph::{ArgumentSource, Expr, Graph, Sources};
use crate::limits;
use crate::pattern::Pattern;
use crate::types::Type;

const MAGIC: &[u8; 8] = b"taskbot\0";
const HEADER_BYTES: usize = 8 + 4 + 8 + 8 + 32;

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
    /// Shorter than it says, or its checksum differs.
    Damaged,
    /// The checksum is right but its content is not a possible graph.
    Invalid(&'static str),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reads = limits::ARTIFACT_VERSION;
        match self {
            Self::NotAnArtifact => write!(f, "this is no taskbot artifact; make one with `taskbot compile`"),
            Self::Version { found } => {
                write!(f, "artifact of format {found}, this taskbot reads {reads}; compile it again")
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
        let graph = encode(self);
        let sources = encode(&self.sources);
        let mut digest = Sha256::new();
        digest.update(&graph);
        digest.update(&sources);
        let mut bytes =
            Vec::with_capacity(HEADER_BYTES.saturating_add(graph.len()).saturating_add(sources.len()));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&limits::ARTIFACT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&(graph.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(sources.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&digest.finalize());
        bytes.extend_from_slice(&graph);
        bytes.extend_from_slice(&sources);
        bytes
    }

    /// Reads and validates an artifact.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        let mut rest = bytes;
        if take::<8>(&mut rest) != Some(MAGIC) {
            return Err(LoadError::NotAnArtifact);
        }
        let version = take::<4>(&mut rest).ok_or(LoadError::Damaged)?;
        let version = u32::from_le_bytes(*version);
        if version != limits::ARTIFACT_VERSION {
            return Err(LoadError::Version { found: version });
        }
        let length = |bytes: Option<&[u8; 8]>| {
            bytes.and_then(|b| usize::try_from(u64::from_le_bytes(*b)).ok()).ok_or(LoadError::Damaged)
        };
        let graph_bytes = length(take::<8>(&mut rest))?;
        let sources_bytes = length(take::<8>(&mut rest))?;
        let digest = take::<32>(&mut rest).ok_or(LoadError::Damaged)?;
        let whole = graph_bytes.checked_add(sources_bytes);
        if whole != Some(rest.len()) || Sha256::digest(rest).as_slice() != digest {
            return Err(LoadError::Damaged);
        }
        let (graph, sources) = rest.split_at_checked(graph_bytes).ok_or(LoadError::Damaged)?;
        let mut graph: Self = postcard::from_bytes(graph).map_err(|_| LoadError::Invalid("graph"))?;
        graph.sources =
            postcard::from_bytes::<Sources>(sources).map_err(|_| LoadError::Invalid("source section"))?;
        check(&graph)?;
        Ok(graph)
    }

    /// Lower-case hex SHA-256 of the part that the matcher reads: what decisions are recorded under.
    pub fn hash(&self) -> String {
        use fmt::Write as _;
        Sha256::digest(encode(self)).iter().fold(String::new(), |mut out, byte| {
            // Writing to a string cannot fail.
            let _ = write!(out, "{byte:02x}");
            out
        })
    }
}

fn encode<T: serde::Serialize>(value: &T) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "plain data into memory: postcard has nothing to refuse")]
    postcard::to_stdvec(value).expect("plain data encodes")
}

fn take<'b, const N: usize>(rest: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(head)
}

/// Checks every reference of a graph, so that the matcher can follow them without a doubt.
fn check(graph: &Graph) -> Result<(), LoadError> {
    let mut depths: Vec<usize> = Vec::with_capacity(graph.exprs.len());
    for expr in &graph.exprs {
        let mut depth = 1;
        let mut earlier = true;
        expr.operands(&mut |id| match depths.get(id as usize) {
            Some(below) => depth = depth.max(below.saturating_add(1)),
            None => earlier = false,
        });
        let known = match expr {
            Expr::Path(p) => (*p as usize) < graph.paths.len(),
            Expr::Fact(f, _) => (*f as usize) < graph.facts.len(),
            Expr::MakeRecord(r, fields) => {
                graph.records.get(*r as usize).is_some_and(|def| def.fields.len() == fields.len())
            }
            Expr::Like(_, pattern) => Glob::new(pattern).is_ok(),
            Expr::Matches(_, text) => Pattern::new(text).is_ok(),
            Expr::In(_, set) => set.is_sorted_by(|a, b| a.set_order(b).is_le()),
            _ => true,
        };
        if !earlier || !known || depth > limits::EXPR_DEPTH {
            return Err(LoadError::Invalid("expression"));
        }
        depths.push(depth);
    }
    check_declarations(graph)?;
    check_rules(graph)
}

fn check_declarations(graph: &Graph) -> Result<(), LoadError> {
    let expr = |id: &u32| (*id as usize) < graph.exprs.len();
    for (place, record) in graph.records.iter().enumerate() {
        let fields = record.fields.iter().all(|f| type_known(graph, &f.ty, place));
        if !fields || !record.identity.iter().all(|at| (*at as usize) < record.fields.len()) {
            return Err(LoadError::Invalid("record"));
        }
    }
    let all = graph.records.len();
    let types = graph.paths.iter().map(|p| &p.ty).chain(graph.facts.iter().map(|f| &f.ty));
    if !types
        .chain(graph.tasks.iter().flat_map(|t| t.params.iter().map(|p| &p.ty)))
        .all(|ty| type_known(graph, ty, all))
    {
        return Err(LoadError::Invalid("type"));
    }
    for event in &graph.events {
        for dialect in &event.dialects {
            let happening = dialect.happening.iter().flat_map(|h| &h.key);
            let known =
                dialect.condition.iter().chain(dialect.values.iter().flatten()).chain(happening).all(expr)
                    && dialect.values.len() == event.values.len()
                    && dialect.required.iter().all(|p| (*p as usize) < graph.paths.len());
            if !known {
                return Err(LoadError::Invalid("dialect"));
            }
        }
    }
    Ok(())
}

/// A record's fields refer to records before it, so reading one always ends.
fn type_known(graph: &Graph, ty: &Type, before: usize) -> bool {
    match ty {
        Type::Enum(id) => (*id as usize) < graph.enums.len(),
        Type::Record(id) => (*id as usize) < before,
        Type::List(item) => type_known(graph, item, before),
        _ => true,
    }
}

fn check_rules(graph: &Graph) -> Result<(), LoadError> {
    let expr = |id: &u32| (*id as usize) < graph.exprs.len();
    for rule in &graph.rules {
        let actions = rule.actions.iter().all(|action| {
            let params = graph.tasks.get(action.task as usize).map(|t| t.params.len());
            params == Some(action.arguments.len())
                && action.arguments.iter().all(|a| match a {
                    ArgumentSource::Axis(at) => (*at as usize) < rule.axes.len(),
                    ArgumentSource::Expr(id) => expr(id),
                    ArgumentSource::Default => true,
                })
        });
        let known = (rule.event as usize) < graph.events.len()
            && rule.condition.iter().chain(rule.axes.iter().map(|a| &a.list)).all(expr)
            && rule.except.iter().all(|e| e.len() == rule.axes.len());
        let mut keys = true;
        rule.clauses.keys(&mut |id| keys = keys && expr(&id));
        if !actions || !known || !keys {
            return Err(LoadError::Invalid("rule"));
        }
    }
    let topics = graph.topics.iter().all(|t| t.events.iter().all(|e| (*e as usize) < graph.events.len()));
    let files = graph.sources.files.len();
    let places = graph
        .sources
        .rules
        .iter()
        .all(|r| (r.place.file as usize) < files && r.conjuncts.iter().all(|c| expr(&c.expr)));
    if !topics || !places {
        return Err(LoadError::Invalid("place"));
    }
    Ok(())
}
