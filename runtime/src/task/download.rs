//! Downloads of a task, before it runs.
//!
//! Comes in: a planned download and where this site keeps packages. Goes out: files below the run's `fetched`
//! directory. It never follows a link out of its source and never puts a message's value into a path before it was
//! read as its type.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use taskbot_graph::Nvr;

use super::left_file::{HardLinks, LeftDir, Refused};
use super::plan::FetchWhat;
use super::{PlannedFetch, RunDirs};
use crate::class::ErrorClass;
use crate::limits;

/// `[downloads]` of the daemon's configuration.
#[derive(Clone, Debug, Default)]
pub struct DownloadConfig {
    /// Base of koji's `packages/` layout: a directory (or `file://`),
    /// `<base>/<name>/<version>/<release>/<arch>/*.rpm`.
    pub koji: Option<String>,
    /// Folders of this machine that tasks ask for by name (`site`).
    pub site: BTreeMap<String, PathBuf>,
}

/// Why a download did not happen.
#[derive(Debug)]
pub enum DownloadError {
    /// This kind of download is not built, or not configured.
    Unsupported(String),
    /// The build is not there.
    NotFound(String),
    /// What is there may not be used: too large, too many files.
    Refused(String),
    /// Reading or writing failed.
    Io(String),
}

impl DownloadError {
    /// Only reading and writing may go better next time; a build that is not there yet may arrive.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unsupported(_) | Self::Refused(_) => ErrorClass::Permanent,
            Self::NotFound(_) | Self::Io(_) => ErrorClass::Transient,
        }
    }
}

impl fmt::Display for DownloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(why) | Self::NotFound(why) | Self::Refused(why) | Self::Io(why) => {
                f.write_str(why)
            }
        }
    }
}

impl std::error::Error for DownloadError {}

/// Gets one download into `dirs.fetched`; the files in the order of their names.
///
/// # Errors
/// See `DownloadError`.
pub fn download(
    fetch: &PlannedFetch,
    dirs: &RunDirs,
    config: &DownloadConfig,
) -> Result<Vec<PathBuf>, DownloadError> {
    let into = dirs.fetched.join(&fetch.into);
    match &fetch.what {
        FetchWhat::Koji { build, arches } => {
            let base = koji_base(config)?;
            fs::create_dir_all(&into).map_err(|e| io_error(&into, &e))?;
            koji(&base, build, arches, &into)
        }
        FetchWhat::Url { .. } => Err(not_built("[[fetch]] url")),
        FetchWhat::Repo { .. } => Err(not_built("[[fetch]] repo")),
        FetchWhat::Compose { .. } => Err(not_built("[[fetch]] compose")),
        FetchWhat::Site { name } => match config.site.get(name) {
            Some(folder) => copy_folder(folder, &into),
            None => Err(DownloadError::Unsupported(format!(
                "the task reads the folder `{name}` of this site, which is not configured; set `{name} = \"/folder\"` \
                 in [downloads.site]"
            ))),
        },
    }
}

fn not_built(what: &str) -> DownloadError {
    DownloadError::Unsupported(format!("{what} is not built yet; the task can run where its files are local"))
}

fn koji_base(config: &DownloadConfig) -> Result<PathBuf, DownloadError> {
    let refused = |why: &str| Err(DownloadError::Unsupported(why.to_owned()));
    match config.koji.as_deref() {
        None => refused(
            "where builds are is not configured; set `koji` in [downloads] to a directory laid out as \
             <name>/<version>/<release>/<arch>/*.rpm",
        ),
        Some(base) if base.starts_with("https://") || base.starts_with("http://") => {
            refused("downloads over https are not built yet; configure [downloads] koji = a directory")
        }
        Some(base) => {
            let path = Path::new(base.strip_prefix("file://").unwrap_or(base));
            if path.is_absolute() {
                Ok(path.to_owned())
            } else {
                refused("[downloads] koji must be an absolute path")
            }
        }
    }
}

/// Copies the files of a build: of each wanted folder, its regular files. A folder `src` may hold an unpacked
/// source tree (the layout for machines without rpm); it is copied as it is.
fn koji(base: &Path, build: &Nvr, arches: &[String], into: &Path) -> Result<Vec<PathBuf>, DownloadError> {
    let source = base.join(&build.name).join(&build.version).join(&build.release);
    let not_found = |what: &Path| {
        DownloadError::NotFound(format!("{build} is not below [downloads] koji: no {}", what.display()))
    };
    let dir = match LeftDir::open(&source, HardLinks::Allowed) {
        Ok(dir) => dir,
        Err(Refused::Missing) => return Err(not_found(&source)),
        Err(other) => return Err(DownloadError::Refused(format!("{}: {other}", source.display()))),
    };
    let (paths, passed_over) = dir.walk(limits::DOWNLOAD_FILES, limits::ARTIFACT_DEPTH);
    if let Some(why) = passed_over.first() {
        return Err(DownloadError::Refused(format!("{}: {why}", source.display())));
    }
    let wanted = |path: &&PathBuf| {
        let arch = path.components().next().map(|part| part.as_os_str());
        arches.is_empty() || arches.iter().any(|wanted| Some(wanted.as_ref()) == arch)
    };
    let mut bytes_left = limits::DOWNLOAD_BYTES;
    let mut files = Vec::new();
    for path in paths.iter().filter(wanted) {
        // logs, images and signatures lie beside the architectures
        if path.components().nth(1).is_none() || path.starts_with("data") {
            continue;
        }
        let target = into.join(path);
        bytes_left = bytes_left.saturating_sub(copy(&dir, path, &target, bytes_left)?);
        files.push(target);
    }
    if files.is_empty() { Err(not_found(&source.join(arches.join(", ")))) } else { Ok(files) }
}

/// Copies all files of a folder, or the one file that it is; the files in the order of their names.
///
/// # Errors
/// See `DownloadError`.
pub fn copy_folder(source: &Path, into: &Path) -> Result<Vec<PathBuf>, DownloadError> {
    let refused = |why: String| DownloadError::Refused(format!("{}: {why}", source.display()));
    let (parent, name) = (source.parent(), source.file_name().map(Path::new));
    let (base, file) = match (parent, name) {
        (Some(parent), Some(name)) if source.is_file() => (parent, Some(name)),
        _ => (source, None),
    };
    let dir = LeftDir::open(base, HardLinks::Allowed).map_err(|why| refused(why.to_string()))?;
    let paths = match file {
        Some(name) => vec![name.to_owned()],
        None => match dir.walk(limits::DOWNLOAD_FILES, limits::ARTIFACT_DEPTH) {
            (paths, passed_over) if passed_over.is_empty() => paths,
            (_, passed_over) => return Err(refused(passed_over.join("; "))),
        },
    };
    let mut bytes_left = limits::DOWNLOAD_BYTES;
    let mut files = Vec::new();
    for path in paths {
        let target = into.join(&path);
        bytes_left = bytes_left.saturating_sub(copy(&dir, &path, &target, bytes_left)?);
        files.push(target);
    }
    Ok(files)
}

fn copy(dir: &LeftDir, path: &Path, target: &Path, max_bytes: u64) -> Result<u64, DownloadError> {
    let refused = |why: String| DownloadError::Refused(format!("{}: {why}", path.display()));
    let (file, size_bytes) = match dir.open_file(path) {
        Err(Refused::Io(why)) => return Err(DownloadError::Io(format!("{}: {why}", path.display()))),
        other => other.map_err(|why| refused(why.to_string()))?,
    };
    if size_bytes > max_bytes {
        return Err(refused(format!("a download may have {} bytes", limits::DOWNLOAD_BYTES)));
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(|e| io_error(parent, &e))?;
    }
    let mut out = File::create(target).map_err(|e| io_error(target, &e))?;
    io::copy(&mut file.take(size_bytes), &mut out).map_err(|e| io_error(target, &e))
}

fn io_error(path: &Path, error: &io::Error) -> DownloadError {
    DownloadError::Io(format!("{}: {error}", path.display()))
}
