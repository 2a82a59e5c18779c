//! Cloning a task's repository: the daemon's side of the fetch worker, which alone names git2.
//!
//! Comes in: a URL, a pinned commit and an empty directory. Goes out: the files of that commit, or a classed
//! error. It never runs hooks, filters or submodules, and never outlives its deadline.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::class::ErrorClass;
use crate::limits;
use crate::spawn::WorkerProgram;
use crate::task::download::DownloadConfig;
use crate::worker::WorkerKind;
pub use crate::worker::fetch::RepositoryFile;
use crate::worker::fetch::{CheckoutOrder, FILES, FetchAnswer, FetchOrder, Outside};
use crate::worker::frame::{Frame, FrameKind};

/// A pinned checkout to make.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// Repository: `https://`, `file://` or an absolute path, from the rule set, never from a message.
    pub url: String,
    /// Full hexadecimal commit id.
    pub commit: String,
    /// Directory to fill; made if absent, must be empty.
    pub into: PathBuf,
    /// After this long the worker is killed.
    pub deadline: Duration,
    /// What the site says: mirrors, certificates, the cache, whom to ask.
    pub site: DownloadConfig,
}

/// Why a repository could not be fetched.
#[derive(Debug)]
pub enum FetchError {
    /// The request is refused before anything is contacted: URL, commit or directory.
    Request(String),
    /// The server, the network or this machine failed; trying again can help.
    Unreachable(String),
    /// The repository does not hold the commit or reference.
    NotFound(String),
    /// The commit's files are refused: hostile names, links that leave the tree, too many or too large.
    Refused(String),
    /// The server is not to be asked or does not give: a private address, a certificate that is not believed, a redirect, a
    /// password, more than any repository has.
    Denied(String),
    /// Killed at its deadline.
    TimedOut(Duration),
    /// The run was cancelled.
    Cancelled,
}

impl FetchError {
    /// Whether trying again can help.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Request(_) | Self::NotFound(_) | Self::Refused(_) | Self::Denied(_) => {
                ErrorClass::Permanent
            }
            Self::Unreachable(_) | Self::TimedOut(_) | Self::Cancelled => ErrorClass::Transient,
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(why) => write!(f, "cannot fetch: {why}"),
            Self::Unreachable(why) => write!(f, "the repository could not be reached: {why}"),
            Self::NotFound(why) => write!(f, "{why}; was it pushed, and is it the right repository?"),
            Self::Refused(why) => write!(f, "the repository's files are refused: {why}"),
            Self::Denied(why) => write!(f, "the repository is not to be had: {why}"),
            Self::TimedOut(after) => write!(f, "fetching was stopped after {} s", after.as_secs()),
            Self::Cancelled => f.write_str("fetching was cancelled"),
        }
    }
}

impl std::error::Error for FetchError {}

/// Fetches one commit and writes its files to `into`, which stays absent or empty on failure.
///
/// # Errors
/// `FetchError`; its `class` says whether trying again can help.
pub async fn checkout(request: FetchRequest, cancel: &CancellationToken) -> Result<(), FetchError> {
    checkout_with(&WorkerProgram::current(), request, cancel).await
}

/// `checkout` through another worker program; for tests.
///
/// # Errors
/// As `checkout`.
pub async fn checkout_with(
    program: &WorkerProgram,
    request: FetchRequest,
    cancel: &CancellationToken,
) -> Result<(), FetchError> {
    let places = places(&request.url, &request.site)?;
    if !is_commit(&request.commit) {
        return Err(FetchError::Request(format!("`{}` is not a full commit id", request.commit)));
    }
    let into = std::path::absolute(&request.into).map_err(unwritable)?;
    let (Some(beside), Some(_)) = (into.parent(), into.file_name()) else {
        return Err(FetchError::Request(format!("{} is no directory to make", into.display())));
    };
    if std::fs::read_dir(&into).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(FetchError::Request(format!("{} is not empty", into.display())));
    }
    let room = tempfile::Builder::new().prefix(".fetch-").tempdir_in(beside).map_err(unwritable)?;
    let cache = request.site.cache.as_ref().map(|cache| cache.join("git"));
    if let Some(cache) = &cache {
        std::fs::create_dir_all(cache).map_err(unwritable)?;
    }
    let order = FetchOrder::Checkout(CheckoutOrder {
        url: request.url,
        places,
        commit: request.commit,
        room: room.path().to_owned(),
        cache,
        outside: outside(&request.site),
    });
    order_worker(program, &order, request.deadline, cancel).await?;
    std::fs::rename(room.path().join(FILES), &into).map_err(unwritable)
}

fn unwritable(error: io::Error) -> FetchError {
    FetchError::Unreachable(format!("cannot write the checkout: {error}"))
}

/// The full commit id that a branch, tag or (without a name) the default branch stands for now.
///
/// # Errors
/// `FetchError`; its `class` says whether trying again can help.
pub async fn resolve(
    url: &str,
    reference: Option<&str>,
    deadline: Duration,
    site: &DownloadConfig,
) -> Result<String, FetchError> {
    resolve_with(&WorkerProgram::current(), url, reference, deadline, site).await
}

/// `resolve` through another worker program; for tests.
///
/// # Errors
/// As `resolve`.
pub async fn resolve_with(
    program: &WorkerProgram,
    url: &str,
    reference: Option<&str>,
    deadline: Duration,
    site: &DownloadConfig,
) -> Result<String, FetchError> {
    // Of a branch the repository itself knows most.
    let mut places = places(url, site)?;
    places.reverse();
    match reference {
        Some(commit) if is_commit(commit) => return Ok(commit.to_owned()),
        Some(name) if name.is_empty() || name.len() > limits::FETCH_URL_BYTES => {
            return Err(FetchError::Request("a reference without or with far too long a name".to_owned()));
        }
        _ => {}
    }
    let reference = reference.map(str::to_owned);
    let order = FetchOrder::Resolve { places, reference, outside: outside(site) };
    order_worker(program, &order, deadline, &CancellationToken::new()).await
}

/// Makes a bare repository of files in memory, `into`, which must not be there yet; gives the id of its one commit.
///
/// # Errors
/// `FetchError`, if this machine failed.
pub async fn make_repository(
    program: &WorkerProgram,
    mut files: Vec<RepositoryFile>,
    into: &Path,
) -> Result<String, FetchError> {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let beside = into.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(beside).map_err(unwritable)?;
    let room = tempfile::Builder::new().prefix(".make-").tempdir_in(beside).map_err(unwritable)?;
    let bare = room.path().join("bare");
    std::fs::create_dir(&bare).map_err(unwritable)?;
    let order = FetchOrder::Make { bare: bare.clone(), files };
    let commit = order_worker(program, &order, limits::FETCH_DEADLINE, &CancellationToken::new()).await?;
    match std::fs::rename(&bare, into) {
        // Another process made the same repository first: the same files give the same commit.
        Err(_) if into.join("HEAD").exists() => Ok(commit),
        renamed => renamed.map(|()| commit).map_err(unwritable),
    }
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn outside(site: &DownloadConfig) -> Outside {
    Outside { allow_private: site.allow_private.clone(), ca: site.ca.clone() }
}

/// What may be asked for a repository, in order: its mirrors, then itself.
fn places(url: &str, site: &DownloadConfig) -> Result<Vec<String>, FetchError> {
    let places = site.places(url);
    places.iter().try_for_each(|place| check_url(place))?;
    Ok(places)
}

/// `https://`, `file:///` or an absolute path; no other transport is ever asked.
fn check_url(url: &str) -> Result<(), FetchError> {
    let refuse = |why: &str| Err(FetchError::Request(format!("the URL `{}` {why}", without_user(url))));
    if url.len() > limits::FETCH_URL_BYTES || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refuse("is too long or holds spaces or control characters");
    }
    let known = url.starts_with("https://") || url.starts_with("file:///") || url.starts_with('/');
    if known { Ok(()) } else { refuse("is neither https://, file:/// nor an absolute path") }
}

/// A URL to show: what stands before an `@` may be a password.
pub(crate) fn without_user(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, host)) => format!("{scheme}://***@{host}"),
        None => url.to_owned(),
    }
}

/// Has a new worker do one thing, and kills it at the deadline. It has no children.
async fn order_worker(
    program: &WorkerProgram,
    order: &FetchOrder,
    deadline: Duration,
    cancel: &CancellationToken,
) -> Result<String, FetchError> {
    let work = async {
        let mut command = program.command(WorkerKind::Fetch);
        let mut worker = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let (Some(mut orders), Some(mut answers)) = (worker.stdin.take(), worker.stdout.take()) else {
            return Err(io::Error::other("a worker without its pipes"));
        };
        Frame::json(FrameKind::Request, order)?.send(&mut orders).await?;
        let answer = Frame::receive(&mut answers).await?;
        let status = worker.wait().await?;
        match answer {
            Some(frame) => frame.parse(FrameKind::Answer),
            None => Err(io::Error::other(format!(
                "the fetch worker ended early ({status}); is the repository too large?"
            ))),
        }
    };
    // Dropping `work` kills the worker.
    let answer = tokio::select! {
        answer = work => answer.map_err(|error| FetchError::Unreachable(error.to_string()))?,
        () = tokio::time::sleep(deadline) => return Err(FetchError::TimedOut(deadline)),
        () = cancel.cancelled() => return Err(FetchError::Cancelled),
    };
    match answer {
        FetchAnswer::Done(commit, left_out) => {
            for what in left_out {
                tracing::warn!(%what, "left out of a checkout");
            }
            Ok(commit)
        }
        FetchAnswer::Unreachable(why) => Err(FetchError::Unreachable(why)),
        FetchAnswer::NotFound(why) => Err(FetchError::NotFound(why)),
        FetchAnswer::Refused(why) => Err(FetchError::Refused(why)),
        FetchAnswer::Denied(why) => Err(FetchError::Denied(why)),
    }
}
