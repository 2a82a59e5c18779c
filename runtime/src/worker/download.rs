//! The download worker: the only place that gets files for tasks, and the only one here that speaks HTTP.
//!
//! Comes in: one `DownloadOrder` on standard input. Goes out: files below one directory that the daemon made; on standard
//! output now and then how far it is, and one answer. It writes to that directory and to the cache alone (Landlock, as far
//! as the kernel has it), keeps to limits of its own, and ends when the daemon kills it or is gone. What servers and files
//! say is data: it decides neither a path outside of the directory nor an address that may not be contacted.

mod cache;
mod compose;
mod folder;
mod get;
mod http;
mod hub;
mod koji;
mod names;
mod packages;
mod repository;
mod xmlrpc;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use super::end_with_the_daemon;
use super::exec::{landlock_domain, limit};
use super::frame::{Frame, FrameKind};
use crate::limits;
use crate::spawn::ProcessLimits;
use crate::task::download::{DownloadConfig, DownloadError};
use crate::task::plan::FetchWhat;
use get::{Getter, Origin, Wanted};

/// What the worker shall get.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DownloadOrder {
    pub(crate) what: FetchWhat,
    /// The directory for the files.
    pub(crate) into: PathBuf,
    /// What is kept between runs.
    pub(crate) cache: Option<PathBuf>,
    pub(crate) site: DownloadConfig,
}

/// The files in the order in which they came, or why not.
pub(crate) type DownloadAnswer = Result<Vec<PathBuf>, DownloadError>;

const LIMITS: ProcessLimits = ProcessLimits {
    cpu_seconds: Some(limits::DOWNLOAD_DEADLINE.as_secs()),
    address_space_bytes: Some(limits::DOWNLOAD_ADDRESS_SPACE_BYTES),
    file_bytes: Some(limits::DOWNLOAD_BYTES),
    processes: None,
    open_files: Some(limits::DOWNLOAD_OPEN_FILES),
};

pub(super) fn main() -> ExitCode {
    let answer: DownloadAnswer = work();
    match Frame::json(FrameKind::Answer, &answer).and_then(|frame| frame.write(&mut io::stdout())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn work() -> DownloadAnswer {
    limit(&LIMITS)?;
    let frame = Frame::read(&mut io::stdin())?.ok_or_else(|| io::Error::other("no order came"))?;
    let order: DownloadOrder = frame.parse(FrameKind::Request)?;
    let writable: Vec<PathBuf> = order.cache.iter().chain([&order.into]).cloned().collect();
    landlock_domain(&writable).map_err(|error| DownloadError::Failed(format!("Landlock: {error}")))?;
    // Threads that are started from here on are in the domain as well.
    end_with_the_daemon();
    let mut getter = Getter::new(order.into, order.cache, order.site)?;
    match &order.what {
        FetchWhat::Url { url, sha256 } => one_file(&mut getter, url, sha256)?,
        FetchWhat::Repo { repo, packages, arches } => repository::get(&mut getter, repo, packages, arches)?,
        FetchWhat::Koji { build, arches } => koji::get(&mut getter, build, arches)?,
        FetchWhat::Compose { compose, image, arches } => compose::get(&mut getter, compose, image, arches)?,
        FetchWhat::Site { name } => folder::of_site(&mut getter, name)?,
        FetchWhat::Given { path } => folder::get(&mut getter, path)?,
    }
    Ok(getter.into_files())
}

/// One file of known content, named as in its URL.
fn one_file(getter: &mut Getter, url: &str, sha256: &str) -> Result<(), DownloadError> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path
        .rsplit('/')
        .next()
        .filter(|name| names::is_file_name(name))
        .ok_or_else(|| DownloadError::Refused(format!("{url:?} does not end with the name of a file")))?;
    let wanted = Wanted { checksum: Some(get::Checksum::sha256(sha256)), ..Wanted::new(url, Origin::Task) };
    let file = getter.obtain(&wanted)?;
    getter.keep(file, name.as_ref())
}
