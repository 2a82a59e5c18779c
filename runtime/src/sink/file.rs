//! Files of sinks: each is there as a whole or not at all, whenever the machine stops.
//!
//! Comes in: a path and bytes. Goes out: the file, replaced in one step; and its name on disk, once its directory was synced.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::error::SinkError;

/// Puts a file in the place of another, or of none.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), SinkError> {
    let new = path.with_added_extension("new");
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|e| SinkError::Io(path.to_owned(), e))
}

/// Makes a directory, if absent.
pub(super) fn make_dir(path: &Path) -> Result<(), SinkError> {
    fs::create_dir_all(path).map_err(|e| SinkError::Io(path.to_owned(), e))
}

/// Brings the names in a directory to disk: before that a parcel does not count as delivered.
pub(super) fn sync_dir(path: &Path) -> Result<(), SinkError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|e| SinkError::Io(path.to_owned(), e))
}
