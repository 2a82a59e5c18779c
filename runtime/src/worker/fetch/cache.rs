//! Commits that were fetched before: for each URL and commit a bare repository.
//!
//! Comes in: a URL and a commit; or a bare repository that was just fetched. Goes out: the repository, from which files are
//! written anew for each run; no run sees the cache. An entry appears by a rename, whole, and is never changed, so workers need
//! not know of each other. libgit2 hashes each object that it reads: an entry that was damaged shows, and is dropped.
//! The entries that were used longest ago go when all together grow too large.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::limits;

/// Where the commit of a URL is or would be.
#[derive(Debug)]
pub(super) struct Entry {
    root: PathBuf,
    path: PathBuf,
}

impl Entry {
    pub(super) fn of(root: &Path, url: &str, commit: &str) -> Self {
        let url: String = Sha256::digest(url).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { root: root.to_owned(), path: root.join(format!("{url}-{commit}")) }
    }

    /// The repository, if it is there.
    pub(super) fn repository(&self) -> Option<&Path> {
        let entry = File::open(&self.path).ok()?;
        // What was used last is dropped last; without that only the order suffers.
        let _ = entry.set_modified(SystemTime::now());
        Some(&self.path)
    }

    pub(super) fn forget(&self) {
        let _ = fs::remove_dir_all(&self.path);
    }

    /// Keeps a repository; another worker may have been faster, with the same commit.
    pub(super) fn keep(&self, bare: &Path) -> io::Result<()> {
        if fs::rename(bare, &self.path).is_ok() {
            shrink(&self.root, limits::FETCH_CACHE_BYTES)?;
        }
        Ok(())
    }
}

/// Drops the oldest until all are within the bound.
fn shrink(root: &Path, bound_bytes: u64) -> io::Result<()> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        // Another worker may have dropped it.
        let Ok(meta) = path.metadata() else { continue };
        all.push((meta.modified()?, size_bytes(&path), path));
    }
    let mut bytes: u64 = all.iter().map(|(_, size, _)| size).sum();
    all.sort();
    for (_, size, path) in all {
        if bytes <= bound_bytes {
            break;
        }
        fs::remove_dir_all(path)?;
        bytes = bytes.saturating_sub(size);
    }
    Ok(())
}

fn size_bytes(dir: &Path) -> u64 {
    let (mut open, mut bytes) = (vec![dir.to_owned()], 0);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => open.push(entry.path()),
                Ok(meta) => bytes += meta.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use super::*;

    #[test]
    fn entries_are_by_url_and_commit_and_the_longest_unused_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("cache");
        fs::create_dir(&root).unwrap();
        let made = |url: &str| {
            let bare = dir.path().join("bare");
            fs::create_dir_all(bare.join("objects")).unwrap();
            fs::write(bare.join("objects/pack"), [0; 100]).unwrap();
            let entry = Entry::of(&root, url, "c");
            entry.keep(&bare).unwrap();
            let old = SystemTime::now() - Duration::from_secs(1000);
            File::open(&entry.path).unwrap().set_modified(old).unwrap();
            entry
        };
        let (unused, used) = (made("https://h/unused"), made("https://h/used"));
        assert!(
            used.repository().is_some() && Entry::of(&root, "https://h/used", "d").repository().is_none()
        );
        shrink(&root, 150).unwrap();
        assert!(unused.repository().is_none() && used.repository().is_some());
        used.forget();
        assert!(used.repository().is_none());
    }
}
