//! Files of this machine: a folder that the site names, or one that somebody gives.
//!
//! Comes in: a path, from the site's configuration or from a command line. Goes out: copies of all regular files below it, at the
//! same places. A run gets files of its own, so it changes nothing there. No link is followed; where one lies, nothing is copied.

use std::fmt::Display;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use tempfile::NamedTempFile;

use super::get::Getter;
use crate::limits;
use crate::task::download::DownloadError;
use crate::task::left_file::{HardLinks, LeftDir, Refused};

pub(super) fn of_site(getter: &mut Getter, name: &str) -> Result<(), DownloadError> {
    let Some(folder) = getter.site.site.get(name).cloned() else {
        return Err(DownloadError::Unsupported(format!(
            "the task reads the folder `{name}` of this site, which is not configured; set `{name} = \"/folder\"` in \
             [downloads.site]"
        )));
    };
    get(getter, &folder)
}

/// All files of a folder, or the one file that it is.
pub(super) fn get(getter: &mut Getter, source: &Path) -> Result<(), DownloadError> {
    let refused = |why: &dyn Display| DownloadError::Refused(format!("{}: {why}", source.display()));
    let (base, file) = match (source.parent(), source.file_name()) {
        (Some(parent), Some(name)) if source.is_file() => (parent, Some(Path::new(name))),
        _ => (source, None),
    };
    let dir = LeftDir::open(base, HardLinks::Allowed).map_err(|why| refused(&why))?;
    if let Some(name) = file {
        return copy(getter, &dir, name);
    }
    let (paths, passed_over) = dir.walk(limits::DOWNLOAD_FILES, limits::ARTIFACT_DEPTH);
    if let Some(why) = passed_over.first() {
        return Err(refused(why));
    }
    paths.iter().try_for_each(|path| copy(getter, &dir, path))
}

/// Copies one file to the same place below the run's directory.
pub(super) fn copy(getter: &mut Getter, dir: &LeftDir, path: &Path) -> Result<(), DownloadError> {
    let failed = |why: &dyn Display| DownloadError::Failed(format!("{}: {why}", path.display()));
    let (file, size_bytes) = match dir.open_file(path) {
        Err(Refused::Io(why)) => return Err(failed(&why)),
        other => other.map_err(|why| DownloadError::Refused(format!("{}: {why}", path.display())))?,
    };
    fs::create_dir_all(&getter.into)?;
    let mut copy = NamedTempFile::new_in(&getter.into)?;
    io::copy(&mut file.take(size_bytes), &mut copy).map_err(|why| failed(&why))?;
    getter.keep(copy, path)
}
