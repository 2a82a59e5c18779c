//! What a task leaves in its artifact directory.
//!
//! Comes in: the manifest's patterns and size, the run's directories. Goes out: an index of regular files with their
//! hashes, and what was left out and why. It never follows a link and never opens a device or pipe.

use std::io::{self, Read};
use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::left_file::{HardLinks, LeftDir, Refused};
use super::{Manifest, RunDirs};
use crate::effect;
use crate::limits;

/// Names in the artifact directory that begin so are the daemon's own.
const LOG_PREFIX: &str = "taskbot-attempt-";

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

/// Indexes the artifact directory of a run. Files of results are kept first, whatever the manifest's patterns say, since
/// they are what results rest on; then the others in the order of their paths while the manifest's `max_size` lasts. A
/// file that does not fit is left out, smaller ones after it are kept.
pub fn index(manifest: &Manifest, dirs: &RunDirs) -> Index {
    let mut index = Index::default();
    let dir = match LeftDir::open(&dirs.artifacts, HardLinks::Refused) {
        Ok(dir) => dir,
        Err(refused) => {
            index.left_out.push(format!("artifact directory: {refused}"));
            return index;
        }
    };
    let (paths, passed_over) = dir.walk(limits::ARTIFACT_FILES, limits::ARTIFACT_DEPTH);
    index.left_out.extend(passed_over);
    let mut bytes_left = manifest.artifacts_max_bytes;
    let (reserved, paths): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| is_reserved(path));
    index.left_out.extend(reserved.iter().map(|path| {
        format!("{}: names that begin with {LOG_PREFIX} are for logs; use another", path.display())
    }));
    let (of_results, others): (Vec<_>, Vec<_>) = paths.iter().partition(|path| is_of_results(manifest, path));
    let others = others.into_iter().filter(|path| manifest.keep.is_match(path));
    for path in of_results.into_iter().chain(others) {
        match file(&dir, path, bytes_left) {
            Ok(artifact) => {
                bytes_left = bytes_left.saturating_sub(artifact.bytes);
                index.kept.push(artifact);
            }
            Err(Refused::TooLarge(_)) => index.left_out.push(format!(
                "{}: does not fit into `artifacts.max_size` of {} bytes",
                path.display(),
                manifest.artifacts_max_bytes
            )),
            Err(refused) => index.left_out.push(format!("{}: {refused}", path.display())),
        }
    }
    index.kept.sort_by(|a, b| a.path.cmp(&b.path));
    index
}

/// Where the log of an attempt is kept, beside the task's artifacts.
pub fn log_name(attempt: u32) -> String {
    format!("{LOG_PREFIX}{attempt}.log")
}

/// Where the index of an attempt's kept files is kept.
pub fn index_name(attempt: u32) -> String {
    format!("{LOG_PREFIX}{attempt}-index.json")
}

/// The index of kept files, in the order of their paths: `sha256sum --check` can use what `jq` takes out of it.
pub(crate) fn index_json<'a>(
    run: &str,
    attempt: u32,
    kept: impl Iterator<Item = &'a effect::Artifact>,
) -> io::Result<Vec<u8>> {
    let files: Vec<serde_json::Value> =
        kept.map(|one| json!({ "path": one.path, "bytes": one.size_bytes, "sha256": one.sha256 })).collect();
    let index = json!({ "run": run, "attempt": attempt, "files": files });
    Ok(serde_json::to_vec_pretty(&index)?)
}

/// The hash of all that can be read, in lower-case hex, and how many bytes that is.
pub(crate) fn sha256(from: &mut impl Read) -> io::Result<(String, u64)> {
    let mut hash = Sha256::new();
    let bytes = io::copy(from, &mut hash)?;
    Ok((hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(), bytes))
}

/// Whether a task's file would stand in the place of a log, of this attempt or another.
fn is_reserved(path: &Path) -> bool {
    let first = path.components().next();
    first.is_some_and(|name| name.as_os_str().as_encoded_bytes().starts_with(LOG_PREFIX.as_bytes()))
}

/// Whether results are read from a file, or were and it was rejected.
fn is_of_results(manifest: &Manifest, path: &Path) -> bool {
    path.as_os_str() == super::results::REJECTED_RESULTS
        || manifest.results_from.iter().any(|source| source.matches(path))
}

fn file(dir: &LeftDir, path: &Path, max_bytes: u64) -> Result<Artifact, Refused> {
    let name = path.to_str().ok_or_else(|| Refused::Io("its name is not UTF-8".into()))?;
    let (file, size_bytes) = dir.open_file(path)?;
    if size_bytes > max_bytes {
        return Err(Refused::TooLarge(max_bytes));
    }
    let (sha256, bytes) = sha256(&mut file.take(size_bytes)).map_err(|e| Refused::Io(e.to_string()))?;
    Ok(Artifact { path: name.to_owned(), bytes, sha256 })
}
