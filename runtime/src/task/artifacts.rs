//! What a task leaves in its artifact directory.
//!
//! Comes in: the manifest's patterns and size, the run's directories. Goes out: an index of regular files with their
//! hashes, and what was left out and why. It never follows a link and never opens a device or pipe.

use super::{Manifest, RunDirs};

/// One kept file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Relative to the artifact directory, `/` between folders.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// The artifacts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// In the order of their paths.
    pub kept: Vec<Artifact>,
    /// What is not kept, with the reason, for people.
    pub left_out: Vec<String>,
}

/// Indexes the artifact directory of a run.
pub fn index(manifest: &Manifest, dirs: &RunDirs) -> Index {
    todo!()
}
