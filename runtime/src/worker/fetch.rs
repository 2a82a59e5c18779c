//! The fetch worker: the only place that names git2.
//!
//! Comes in: one `FetchOrder` on standard input. Goes out: one answer on standard output; for a checkout, the
//! files of one commit below a directory that the daemon made. The repository is fetched bare into a temporary
//! directory and its files are written from the tree objects here (`tree`), so no hook, filter, attribute or
//! submodule is ever looked at. It asks nobody for credentials and ends when the daemon kills it: libgit2 has
//! no deadline of its own.

mod make;
mod tree;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use git2::{
    AutotagOption, Direction, ErrorCode, FetchOptions, Oid, RemoteCallbacks, RemoteRedirect, Repository,
};
use serde::{Deserialize, Serialize};

use super::end_with_the_daemon;
use super::exec::limit;
use super::frame::{Frame, FrameKind};
use crate::limits;
use crate::message::MessageText;
use crate::spawn::ProcessLimits;

/// What the worker shall do. The daemon has judged the URL and the names.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FetchOrder {
    /// Writes the files of a commit.
    Checkout {
        /// Where from.
        url: String,
        /// Full hexadecimal commit id.
        commit: String,
        /// An empty directory for the bare repository.
        bare: PathBuf,
        /// An empty directory for the files.
        files: PathBuf,
    },
    /// Finds the commit of a name.
    Resolve {
        /// Where from.
        url: String,
        /// Branch or tag; the default branch without.
        reference: Option<String>,
    },
    /// Makes a bare repository with one commit.
    Make {
        /// An empty directory for it.
        bare: PathBuf,
        /// Its files, sorted by path.
        files: Vec<RepositoryFile>,
    },
}

/// A file of a repository to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RepositoryFile {
    /// Words joined by `/`, none of them special.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Whether it can be run.
    pub executable: bool,
}

/// How it went.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FetchAnswer {
    /// Done; for `Resolve` and `Make`, the commit id. What was left out is said in the second part.
    Done(String, Vec<String>),
    /// The server, network or machine failed.
    Unreachable(String),
    /// The commit or reference is not there.
    NotFound(String),
    /// The files are refused.
    Refused(String),
}

impl From<git2::Error> for FetchAnswer {
    fn from(error: git2::Error) -> Self {
        // A server may have worded it.
        let text = MessageText::new(error.message()).to_string();
        match error.code() {
            ErrorCode::NotFound => Self::NotFound(text),
            _ => Self::Unreachable(text),
        }
    }
}

impl From<io::Error> for FetchAnswer {
    fn from(error: io::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

const LIMITS: ProcessLimits = ProcessLimits {
    cpu_seconds: Some(limits::FETCH_DEADLINE.as_secs()),
    address_space_bytes: Some(limits::FETCH_ADDRESS_SPACE_BYTES),
    file_bytes: Some(limits::FETCH_FILE_BYTES),
    processes: None,
    open_files: None,
};

pub(super) fn main() -> ExitCode {
    let answer = work().unwrap_or_else(|answer| answer);
    match Frame::json(FrameKind::Answer, &answer).and_then(|frame| frame.write(&mut io::stdout())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn work() -> Result<FetchAnswer, FetchAnswer> {
    limit(&LIMITS)?;
    let frame = Frame::read(&mut io::stdin())?.ok_or_else(|| io::Error::other("no order came"))?;
    end_with_the_daemon();
    match frame.parse(FrameKind::Request)? {
        FetchOrder::Checkout { url, commit, bare, files } => checkout(&url, &commit, &bare, &files),
        FetchOrder::Resolve { url, reference } => resolve(&url, reference.as_deref()),
        FetchOrder::Make { bare, files } => make::make(&bare, &files),
    }
}

fn checkout(url: &str, commit: &str, bare: &Path, files: &Path) -> Result<FetchAnswer, FetchAnswer> {
    let id = Oid::from_str(commit)?;
    let repository = Repository::init_bare(bare)?;
    let pinned = fetch_commit(&repository, url, id)
        .or_else(|by_id| fetch_all(&repository, url).map_err(|all| prefer(by_id, all)))
        .and_then(|()| Ok(repository.find_commit(id)?));
    let tree = match pinned {
        Ok(commit) => commit.tree()?,
        Err(FetchAnswer::NotFound(_)) => {
            return Err(FetchAnswer::NotFound(format!("the repository has no commit {commit}")));
        }
        Err(other) => return Err(other),
    };
    let left_out = tree::write(&repository, &tree, files)?;
    Ok(FetchAnswer::Done(commit.to_owned(), left_out))
}

/// That the server does not give single commits is not the news when it gives nothing at all.
fn prefer(_by_id: FetchAnswer, all: FetchAnswer) -> FetchAnswer {
    all
}

/// The one commit without its history, where the server allows that.
fn fetch_commit(repository: &Repository, url: &str, id: Oid) -> Result<(), FetchAnswer> {
    let mut options = options();
    options.depth(1);
    repository.remote_anonymous(url)?.fetch(
        &[format!("+{id}:refs/taskbot/pinned")],
        Some(&mut options),
        None,
    )?;
    Ok(repository.find_commit(id).map(drop)?)
}

/// All branches and tags: old servers, and the transport for local paths.
fn fetch_all(repository: &Repository, url: &str) -> Result<(), FetchAnswer> {
    let all = ["+refs/heads/*:refs/taskbot/heads/*", "+refs/tags/*:refs/taskbot/tags/*"];
    Ok(repository.remote_anonymous(url)?.fetch(&all, Some(&mut options()), None)?)
}

fn options() -> FetchOptions<'static> {
    let mut callbacks = RemoteCallbacks::new();
    callbacks.transfer_progress(|progress| {
        progress.received_bytes() as u64 <= limits::FETCH_FILE_BYTES
            && progress.total_objects() <= limits::FETCH_OBJECTS
    });
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks);
    options.download_tags(AutotagOption::None).follow_redirects(RemoteRedirect::Initial);
    options
}

fn resolve(url: &str, reference: Option<&str>) -> Result<FetchAnswer, FetchAnswer> {
    let mut remote = git2::Remote::create_detached(url)?;
    remote.connect(Direction::Fetch)?;
    let heads = remote.list()?;
    let wanted: Vec<String> = match reference {
        None => vec!["HEAD".to_owned()],
        // An annotated tag is listed twice; the second line, ^{}, is its commit.
        Some(name) => {
            [format!("refs/heads/{name}"), format!("refs/tags/{name}^{{}}"), format!("refs/tags/{name}")]
                .into_iter()
                .chain(name.starts_with("refs/").then(|| name.to_owned()))
                .collect()
        }
    };
    let found = wanted.iter().find_map(|name| heads.iter().find(|head| head.name() == name));
    match found {
        Some(head) => Ok(FetchAnswer::Done(head.oid().to_string(), Vec::new())),
        None => Err(FetchAnswer::NotFound(match reference {
            Some(name) => format!("the repository has no branch or tag `{name}`"),
            None => "the repository has no default branch".to_owned(),
        })),
    }
}
