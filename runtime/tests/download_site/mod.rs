//! A site that downloads, in a temporary directory, through the real worker; and servers with files for it.
#![allow(dead_code, clippy::unwrap_used, reason = "tests, each of which uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use taskbot_runtime::task::PlannedFetch;
use taskbot_runtime::task::download::{
    DownloadConfig, DownloadError, DownloadProgress, DownloadRequest, download,
};
use taskbot_runtime::task::plan::FetchWhat;
use tokio_util::sync::CancellationToken;

use crate::support;
use crate::web::{self, Server};

/// A run's directory of downloads, and what its site says.
pub struct Site {
    pub dir: tempfile::TempDir,
    pub config: DownloadConfig,
}

impl Site {
    /// With a cache, and with servers on this machine.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cache = Some(dir.path().join("cache"));
        let allow_private = vec!["localhost".to_owned()];
        Self { config: DownloadConfig { cache, allow_private, ..DownloadConfig::default() }, dir }
    }

    pub fn fetched(&self) -> PathBuf {
        self.dir.path().join("fetched")
    }

    pub async fn get_within(
        &self,
        what: FetchWhat,
        deadline: Duration,
        tell: impl FnMut(DownloadProgress),
    ) -> Result<Vec<String>, DownloadError> {
        let _ = fs::remove_dir_all(self.fetched());
        let fetch = PlannedFetch { what, into: "into".into() };
        let request = DownloadRequest { fetch, fetched: self.fetched(), site: self.config.clone(), deadline };
        let files = download(&support::worker(), request, &CancellationToken::new(), tell).await;
        let into = self.fetched().join("into");
        let mut left = walk(&into);
        let files = files.map(|files| {
            files
                .iter()
                .map(|file| file.strip_prefix(&into).unwrap().to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        });
        left.retain(|file| !files.as_ref().is_ok_and(|files| files.contains(file)));
        assert!(files.is_err() || left.is_empty(), "left over: {left:?}");
        files
    }

    pub async fn get(&self, what: FetchWhat) -> Result<Vec<String>, DownloadError> {
        self.get_within(what, Duration::from_secs(120), |_| ()).await
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.fetched().join("into").join(name)).unwrap()
    }
}

/// The files below a directory.
pub fn walk(dir: &Path) -> Vec<String> {
    let (mut open, mut files) = (vec![dir.to_owned()], Vec::new());
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                files.push(entry.path().strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files
}

pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn files(files: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect()
}

pub fn serving(list: &[(&str, &[u8])]) -> Server {
    let files = files(list);
    Server::plain(move |asked, wire| web::file(asked, wire, &files))
}
