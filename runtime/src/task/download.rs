//! Downloads of a task, before it runs: the daemon's side of the download worker.
//!
//! Comes in: a planned download and what this site says about where files are. Goes out: files below the run's `fetched`
//! directory, or a classed error; on the way, how far it is. Values of messages were read as their types before they came
//! here. It never contacts anybody itself, and never outlives its deadline.

mod site;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::PlannedFetch;
use crate::class::ErrorClass;
use crate::limits;
use crate::spawn::WorkerProgram;
use crate::worker::WorkerKind;
use crate::worker::download::{DownloadAnswer, DownloadOrder};
use crate::worker::frame::{Frame, FrameKind};

pub use site::DownloadConfig;

/// A download to make.
#[derive(Clone, Debug)]
pub struct DownloadRequest {
    /// What, and into which folder.
    pub fetch: PlannedFetch,
    /// The run's directory of downloads.
    pub fetched: PathBuf,
    /// What the site says.
    pub site: DownloadConfig,
    /// After this long the worker is killed.
    pub deadline: Duration,
}

/// How far a download is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadProgress {
    /// The file that comes now.
    pub file: String,
    /// Bytes of it that are here.
    pub done_bytes: u64,
    /// All its bytes, where the server says.
    pub total_bytes: Option<u64>,
}

/// Why a download did not happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DownloadError {
    /// This kind of download is not configured here.
    Unsupported(String),
    /// It is not there.
    NotFound(String),
    /// What is asked for or what is there may not be used: too large, too many files, a wrong checksum, a private address.
    Refused(String),
    /// The server, the network or this machine failed.
    Failed(String),
    /// Stopped at its deadline.
    TimedOut(Duration),
    /// The run was cancelled.
    Cancelled,
}

impl DownloadError {
    /// What failed may go better next time, and what is not there yet may arrive.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unsupported(_) | Self::Refused(_) => ErrorClass::Permanent,
            Self::NotFound(_) | Self::Failed(_) | Self::TimedOut(_) | Self::Cancelled => {
                ErrorClass::Transient
            }
        }
    }
}

impl fmt::Display for DownloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(why) | Self::NotFound(why) | Self::Refused(why) | Self::Failed(why) => {
                f.write_str(why)
            }
            Self::TimedOut(after) => write!(f, "downloading was stopped after {} s", after.as_secs()),
            Self::Cancelled => f.write_str("downloading was cancelled"),
        }
    }
}

impl std::error::Error for DownloadError {}

impl From<io::Error> for DownloadError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Gets one download; the files in the order in which they came. `tell` hears now and then how far it is.
///
/// # Errors
/// `DownloadError`; its `class` says whether trying again can help.
pub async fn download(
    program: &WorkerProgram,
    request: DownloadRequest,
    cancel: &CancellationToken,
    mut tell: impl FnMut(DownloadProgress),
) -> Result<Vec<PathBuf>, DownloadError> {
    let DownloadRequest { fetch, fetched, site, deadline } = request;
    let into = fetched.join(&fetch.into);
    for dir in [Some(&into), site.cache.as_ref()].into_iter().flatten() {
        std::fs::create_dir_all(dir)
            .map_err(|error| DownloadError::Failed(format!("{}: {error}", dir.display())))?;
    }
    let cache = site.cache.clone();
    let order = DownloadOrder { what: fetch.what, into, cache, site };
    let work = async {
        let mut command = program.command(WorkerKind::Download);
        let mut worker = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let (Some(mut orders), Some(mut answers)) = (worker.stdin.take(), worker.stdout.take()) else {
            return Err(io::Error::other("a worker without its pipes"));
        };
        Frame::json(FrameKind::Request, &order)?.send(&mut orders).await?;
        loop {
            match Frame::receive(&mut answers).await? {
                Some(frame) if frame.kind == FrameKind::Event => tell(frame.parse(FrameKind::Event)?),
                Some(frame) => return frame.parse::<DownloadAnswer>(FrameKind::Answer),
                None => {
                    let status = worker.wait().await?;
                    return Err(io::Error::other(format!("the download worker ended early ({status})")));
                }
            }
        }
    };
    // Dropping `work` kills the worker.
    tokio::select! {
        answer = work => answer?,
        () = tokio::time::sleep(deadline) => Err(DownloadError::TimedOut(deadline)),
        () = cancel.cancelled() => Err(DownloadError::Cancelled),
    }
}

impl DownloadRequest {
    /// With the deadline that the daemon gives.
    pub fn new(fetch: PlannedFetch, fetched: PathBuf, site: DownloadConfig) -> Self {
        Self { fetch, fetched, site, deadline: limits::DOWNLOAD_DEADLINE }
    }
}
