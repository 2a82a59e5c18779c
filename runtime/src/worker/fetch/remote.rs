//! Asking a server or a local repository, through libgit2.
//!
//! Comes in: a place and a bare repository, or a name. Goes out: objects in the repository, a commit id, or a classed error. To
//! servers libgit2 gets through the gate alone. Objects and bytes are counted while they come; redirects are not followed;
//! nobody is asked for a password.

use std::cell::Cell;
use std::rc::Rc;

use git2::{
    AutotagOption, Direction, ErrorClass, ErrorCode, FetchOptions, Oid, Remote, RemoteCallbacks,
    RemoteRedirect, Repository,
};

use super::gate::Gate;
use super::{FetchAnswer, Outside};
use crate::limits;
use crate::message::MessageText;
use crate::task::download::DownloadError;

/// Where to ask.
pub(super) struct Place {
    /// As libgit2 is told.
    url: String,
    /// None: it is on this machine's disk.
    gate: Option<Gate>,
    /// It sent more than any repository of a task has.
    too_much: Rc<Cell<bool>>,
}

impl Place {
    pub(super) fn of(url: &str, outside: &Outside) -> Result<Self, FetchAnswer> {
        let gate =
            url.starts_with("https://").then(|| Gate::open(url, outside)).transpose().map_err(meaning)?;
        let url = gate.as_ref().map_or_else(|| url.to_owned(), |gate| gate.url.clone());
        Ok(Self { url, gate, too_much: Rc::default() })
    }

    /// Fetches a commit: alone, where the server gives single commits, else with all branches and tags.
    pub(super) fn fetch(&self, repository: &Repository, id: Oid) -> Result<(), FetchAnswer> {
        let fetched = self.fetch_commit(repository, id).or_else(|_| {
            // That the server does not give single commits is not the news when it gives nothing at all.
            let _ = self.gate.as_ref().and_then(Gate::refusal);
            self.fetch_all(repository)
        });
        fetched.map_err(|error| self.answer(&error))?;
        match repository.find_commit(id) {
            Ok(_) => Ok(()),
            Err(error) if error.code() == ErrorCode::NotFound => {
                Err(FetchAnswer::NotFound(format!("the repository has no commit {id}")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The one commit without its history, where the server allows that.
    fn fetch_commit(&self, repository: &Repository, id: Oid) -> Result<(), git2::Error> {
        let mut options = self.options();
        options.depth(1);
        let wanted = [format!("+{id}:refs/taskbot/pinned")];
        repository.remote_anonymous(&self.url)?.fetch(&wanted, Some(&mut options), None)?;
        repository.find_commit(id).map(drop)
    }

    /// All branches and tags: old servers, and the transport for local paths.
    fn fetch_all(&self, repository: &Repository) -> Result<(), git2::Error> {
        let all = ["+refs/heads/*:refs/taskbot/heads/*", "+refs/tags/*:refs/taskbot/tags/*"];
        repository.remote_anonymous(&self.url)?.fetch(&all, Some(&mut self.options()), None)
    }

    fn options(&self) -> FetchOptions<'static> {
        let mut callbacks = RemoteCallbacks::new();
        let gate = self.gate.clone();
        let (mut counting, too_much) = (false, Rc::clone(&self.too_much));
        callbacks.transfer_progress(move |progress| {
            if let Some(gate) = gate.as_ref().filter(|_| !std::mem::replace(&mut counting, true)) {
                gate.expect_objects();
            }
            let fits = progress.received_bytes() as u64 <= limits::FETCH_FILE_BYTES
                && progress.total_objects() <= limits::FETCH_OBJECTS;
            too_much.set(!fits);
            fits
        });
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks);
        options.download_tags(AutotagOption::None).follow_redirects(RemoteRedirect::None);
        options
    }

    /// The commit that a branch, a tag or (without a name) the default branch stands for.
    pub(super) fn resolve(&self, reference: Option<&str>) -> Result<String, FetchAnswer> {
        let mut remote = Remote::create_detached(self.url.as_str())?;
        let connection =
            remote.connect_auth(Direction::Fetch, None, None).map_err(|error| self.answer(&error))?;
        let heads = connection.list()?;
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
        found.map(|head| head.oid().to_string()).ok_or_else(|| {
            FetchAnswer::NotFound(match reference {
                Some(name) => format!("the repository has no branch or tag `{name}`"),
                None => "the repository has no default branch".to_owned(),
            })
        })
    }

    /// What an error means; the gate knows better than libgit2.
    fn answer(&self, error: &git2::Error) -> FetchAnswer {
        if let Some(refusal) = self.gate.as_ref().and_then(Gate::refusal) {
            return meaning(refusal);
        }
        if self.too_much.get() {
            let (objects, bytes) = (limits::FETCH_OBJECTS, limits::FETCH_FILE_BYTES);
            return FetchAnswer::Denied(format!("it sends more than {objects} objects or {bytes} bytes"));
        }
        // A server may have worded it.
        let text = MessageText::new(error.message()).to_string();
        match (error.code(), error.class()) {
            // Of class reference: a server that lists a commit and does not send it.
            (ErrorCode::NotFound, _) | (_, ErrorClass::Reference) => FetchAnswer::NotFound(text),
            (_, ErrorClass::NoMemory) => {
                FetchAnswer::Denied("what it sends takes too much memory".to_owned())
            }
            _ => FetchAnswer::Unreachable(text),
        }
    }
}

fn meaning(error: DownloadError) -> FetchAnswer {
    match error {
        DownloadError::NotFound(why) => FetchAnswer::NotFound(why),
        DownloadError::Refused(why) | DownloadError::Unsupported(why) => FetchAnswer::Denied(why),
        other => FetchAnswer::Unreachable(other.to_string()),
    }
}
