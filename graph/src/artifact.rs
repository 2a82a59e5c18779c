//! The artifact: a graph as bytes.

use std::fmt;

use crate::graph::Graph;

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
        match self {
            Self::NotAnArtifact => write!(f, "this is no taskbot artifact; make one with `taskbot compile`"),
            Self::Version { found } => {
                write!(
                    f,
                    "artifact of format {found}, this taskbot reads {}; compile it again",
                    crate::limits::ARTIFACT_VERSION
                )
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
        Vec::new()
    }

    /// Reads and validates an artifact.
    pub fn from_bytes(_bytes: &[u8]) -> Result<Self, LoadError> {
        Err(LoadError::NotAnArtifact)
    }

    /// Lower-case hex SHA-256 of the part that the matcher reads: what decisions are recorded under.
    pub fn hash(&self) -> String {
        String::new()
    }

    /// Reads a fact provider's JSON answer as the fact's declared type; the error says what was expected and found.
    pub fn read_fact(&self, _fact: &str, _json: &serde_json::Value) -> Result<crate::Value, String> {
        Err("not yet".into())
    }
}
