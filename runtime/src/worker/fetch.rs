//! The fetch worker: the only place that names git2.
//!
//! Comes in: one `FetchOrder` on standard input. Goes out: one answer on standard output; for a checkout, the
//! files of one commit below a directory that the daemon made. The repository is fetched bare (`remote`, through the
//! `gate`) or found in the `cache`, and its files are written from the tree objects here (`tree`), so no hook, filter,
//! attribute or submodule is ever looked at. It has no home, hence no configuration of a user; it writes to its own
//! directories alone (Landlock, as far as the kernel has it). It asks nobody for credentials and ends when the daemon
//! kills it: libgit2 has no deadline of its own.

mod cache;
mod gate;
mod make;
mod remote;
mod tree;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use git2::{ErrorCode, Oid, Repository};
use serde::{Deserialize, Serialize};

use super::end_with_the_daemon;
use super::exec::{landlock_domain, limit};
use super::frame::{Frame, FrameKind};
use crate::limits;
use crate::message::MessageText;
use crate::spawn::ProcessLimits;
use cache::Entry;
use remote::Place;

/// What the worker shall do. The daemon has judged the URLs and the names.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FetchOrder {
    /// Writes the files of a commit.
    Checkout(CheckoutOrder),
    /// Finds the commit of a name.
    Resolve {
        /// Where to ask, in order.
        places: Vec<String>,
        /// Branch or tag; the default branch without.
        reference: Option<String>,
        /// What the site says.
        outside: Outside,
    },
    /// Makes a bare repository with one commit.
    Make {
        /// A directory to make it in.
        bare: PathBuf,
        /// Its files, sorted by path.
        files: Vec<RepositoryFile>,
    },
}

/// A checkout to make.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CheckoutOrder {
    /// The repository as the rule set names it.
    pub(crate) url: String,
    /// Where to ask, in order.
    pub(crate) places: Vec<String>,
    /// Full hexadecimal commit id.
    pub(crate) commit: String,
    /// An empty directory; `FILES` in it gets the files.
    pub(crate) room: PathBuf,
    /// What is kept between runs.
    pub(crate) cache: Option<PathBuf>,
    /// What the site says.
    pub(crate) outside: Outside,
}

/// What the site says about whom to ask and to believe.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outside {
    /// Hosts that may have addresses of this machine or site.
    pub(crate) allow_private: Vec<String>,
    /// File with the certificates that are believed instead of the system's.
    pub(crate) ca: Option<PathBuf>,
}

/// Name of the directory with the files of a checkout.
pub(crate) const FILES: &str = "files";

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
    /// The server is not to be asked, or does not give.
    Denied(String),
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
    open_files: Some(limits::FETCH_OPEN_FILES),
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
    let order: FetchOrder = frame.parse(FrameKind::Request)?;
    let writable = match &order {
        FetchOrder::Checkout(order) => order.cache.iter().chain([&order.room]).cloned().collect(),
        FetchOrder::Resolve { .. } => Vec::new(),
        FetchOrder::Make { bare, .. } => vec![bare.clone()],
    };
    landlock_domain(&writable).map_err(|error| FetchAnswer::Unreachable(format!("Landlock: {error}")))?;
    // Threads that are started from here on are in the domain as well.
    end_with_the_daemon();
    match order {
        FetchOrder::Checkout(order) => checkout(&order),
        FetchOrder::Resolve { places, reference, outside } => {
            let resolve = |place: &str| Place::of(place, &outside)?.resolve(reference.as_deref());
            first(&places, resolve).map(|commit| FetchAnswer::Done(commit, Vec::new()))
        }
        FetchOrder::Make { bare, files } => make::make(&bare, &files),
    }
}

/// What the first place gives that gives something; else what the last one says.
fn first<T>(
    places: &[String],
    mut ask: impl FnMut(&str) -> Result<T, FetchAnswer>,
) -> Result<T, FetchAnswer> {
    let mut last = FetchAnswer::NotFound("there is no place to ask".to_owned());
    for place in places {
        match ask(place) {
            Ok(given) => return Ok(given),
            Err(answer) => last = answer,
        }
    }
    Err(last)
}

fn checkout(order: &CheckoutOrder) -> Result<FetchAnswer, FetchAnswer> {
    let id = Oid::from_str(&order.commit)?;
    let (bare, files) = (order.room.join("bare"), order.room.join(FILES));
    fs::create_dir(&files)?;
    // What lies on this machine is as near as a cache.
    let remote = order.url.starts_with("https://");
    let entry =
        order.cache.as_deref().filter(|_| remote).map(|root| Entry::of(root, &order.url, &order.commit));
    if let Some(entry) = &entry
        && let Some(kept) = entry.repository()
    {
        match write(kept, id, &files) {
            Ok(left_out) => return Ok(FetchAnswer::Done(order.commit.clone(), left_out)),
            // Damaged, or dropped meanwhile; what is refused will be refused again.
            Err(_) => {
                entry.forget();
                fs::remove_dir_all(&files)?;
                fs::create_dir(&files)?;
            }
        }
    }
    first(&order.places, |place| {
        // What a place before it sent is gone.
        let _ = fs::remove_dir_all(&bare);
        Place::of(place, &order.outside)?.fetch(&Repository::init_bare(&bare)?, id)
    })?;
    let left_out = write(&bare, id, &files)?;
    if let Some(entry) = &entry {
        entry.keep(&bare)?;
    }
    Ok(FetchAnswer::Done(order.commit.clone(), left_out))
}

/// Writes the files of a commit; gives what was left out.
fn write(bare: &Path, id: Oid, files: &Path) -> Result<Vec<String>, FetchAnswer> {
    let repository = Repository::open_bare(bare)?;
    let tree = repository.find_commit(id)?.tree()?;
    tree::write(&repository, &tree, files)
}
