//! A repository in a temporary directory, of objects that no honest git would write.
#![allow(dead_code, clippy::unwrap_used, reason = "tests, each of which uses a part of it")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use git2::{ObjectType, Oid, Repository};
use taskbot_runtime::fetch::{FetchError, FetchRequest, checkout_with};
use taskbot_runtime::task::download::DownloadConfig;
use tokio_util::sync::CancellationToken;

use crate::support;

pub const FILE: u32 = 0o100_644;
pub const PROGRAM: u32 = 0o100_755;
pub const LINK: u32 = 0o120_000;
pub const TREE: u32 = 0o40_000;
pub const SUBMODULE: u32 = 0o160_000;

/// A repository that is made object by object, and a place beside it for a checkout.
pub struct Origin {
    pub dir: tempfile::TempDir,
    pub repository: Repository,
}

impl Origin {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(dir.path().join("origin")).unwrap();
        Self { dir, repository }
    }

    pub fn url(&self) -> String {
        self.dir.path().join("origin").to_str().unwrap().to_owned()
    }

    pub fn destination(&self) -> PathBuf {
        self.dir.path().join("checkout")
    }

    pub fn blob(&self, content: &[u8]) -> Oid {
        self.repository.blob(content).unwrap()
    }

    /// A tree as raw bytes, so that names no honest git would write can be.
    pub fn tree(&self, entries: &[(u32, &[u8], Oid)]) -> Oid {
        let mut raw = Vec::new();
        for (mode, name, id) in entries {
            raw.extend(format!("{mode:o} ").as_bytes());
            raw.extend(*name);
            raw.push(0);
            raw.extend(id.as_bytes());
        }
        self.repository.odb().unwrap().write(ObjectType::Tree, &raw).unwrap()
    }

    /// A commit on a branch.
    pub fn commit(&self, branch: &str, tree: Oid) -> String {
        let raw = format!("tree {tree}\nauthor a <a@b> 0 +0000\ncommitter a <a@b> 0 +0000\n\n{branch}\n");
        let id = self.repository.odb().unwrap().write(ObjectType::Commit, raw.as_bytes()).unwrap();
        self.repository.reference(&format!("refs/heads/{branch}"), id, true, "").unwrap();
        id.to_string()
    }

    pub fn request(&self, commit: &str) -> FetchRequest {
        FetchRequest {
            url: self.url(),
            commit: commit.to_owned(),
            into: self.destination(),
            deadline: Duration::from_secs(30),
            site: DownloadConfig::default(),
        }
    }

    pub async fn checkout(&self, commit: &str) -> Result<(), FetchError> {
        checkout_with(&support::worker(), self.request(commit), &CancellationToken::new()).await
    }

    /// Only what stood there before is there: no half checkout, no leftover beside it.
    pub fn is_clean(&self) -> bool {
        fs::read_dir(self.dir.path()).unwrap().all(|entry| entry.unwrap().file_name() == "origin")
    }
}
