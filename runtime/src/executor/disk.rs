//! How much of the disk a task's directories take.
//!
//! Comes in: directories that a task writes to, and bounds. Goes out: what they hold more of than they may, if anything.
//! It looks at what is allocated, so holes cost nothing, and counts a file with several names once. It never follows a
//! link and never trusts a path: a task may rename what it is looking at.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};

use super::{Bounds, Cage, Layer};
use crate::limits;

/// What directories hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    /// Bytes that are allocated.
    bytes: u64,
    /// Files, directories, links.
    files: u64,
    /// Directories in directories.
    depth: usize,
}

impl Usage {
    /// What of it is more than it may be, for people.
    fn beyond(&self, bounds: &Bounds) -> Option<String> {
        if self.bytes > bounds.disk_bytes {
            let most = bounds.disk_bytes >> 20;
            return Some(format!("its files take more than the {most} MiB of disk that it may use"));
        }
        if self.files > bounds.files {
            return Some(format!("it made more than the {} files that it may", bounds.files));
        }
        (self.depth > limits::TASK_DEPTH)
            .then(|| format!("its directories are nested deeper than {}", limits::TASK_DEPTH))
    }
}

/// What a command takes more of than it may, for people.
pub(crate) fn beyond(cage: &Cage) -> Option<String> {
    // In a room the temporary directories are memory of its own; their bytes are bounded, the number of files is not.
    let temporary = ["/tmp", "/dev/shm"].into_iter().filter(|_| cage.layers.has(Layer::Bubblewrap));
    for path in temporary {
        let files = rustix::fs::statvfs(path).map_or(0, |stat| stat.f_files.saturating_sub(stat.f_ffree));
        if files > limits::TASK_TMP_FILES {
            return Some(format!(
                "it made more than the {} files that it may in {path}",
                limits::TASK_TMP_FILES
            ));
        }
    }
    over(&cage.writable, &cage.bounds)
}

/// What directories hold more of than they may, for people.
pub(crate) fn over(dirs: &[PathBuf], bounds: &Bounds) -> Option<String> {
    usage(dirs, bounds).beyond(bounds)
}

/// Looks through directories, until there is more in them than the bounds allow.
fn usage(roots: &[PathBuf], bounds: &Bounds) -> Usage {
    let mut walk = Walk { usage: Usage::default(), seen: HashSet::new() };
    for root in roots {
        // What cannot be opened any more was removed meanwhile.
        if let Ok(root) = open(CWD, root.as_path()) {
            walk.through(root, bounds);
        }
    }
    walk.usage
}

struct Walk {
    usage: Usage,
    /// Files with several names.
    seen: HashSet<(u64, u64)>,
}

impl Walk {
    /// Keeps the directories open on the way down, so that no path is ever looked up twice.
    fn through(&mut self, root: OwnedFd, bounds: &Bounds) {
        let mut open: Vec<Dir> = Dir::new(root).into_iter().collect();
        while let Some(dir) = open.last_mut() {
            let Some(Ok(entry)) = dir.read() else {
                open.pop();
                continue;
            };
            let below = self.count(dir, entry.file_name());
            open.extend(below);
            self.usage.depth = self.usage.depth.max(open.len());
            if self.usage.beyond(bounds).is_some() {
                return;
            }
        }
    }

    /// Counts an entry; if it is a directory, gives it to go on with.
    fn count(&mut self, dir: &Dir, name: &std::ffi::CStr) -> Option<Dir> {
        if matches!(name.to_bytes(), b"." | b"..") {
            return None;
        }
        let at = dir.fd().ok()?;
        let stat = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if stat.st_nlink > 1 && kind != FileType::Directory && !self.seen.insert((stat.st_dev, stat.st_ino)) {
            return None;
        }
        self.usage.files += 1;
        self.usage.bytes += u64::try_from(stat.st_blocks).unwrap_or_default() * 512;
        if kind == FileType::Directory { Dir::new(open(at, name).ok()?).ok() } else { None }
    }
}

fn open<P: rustix::path::Arg>(at: impl std::os::fd::AsFd, path: P) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, path, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn counts_what_is_allocated_once_and_follows_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("a")).unwrap();
        fs::write(path("a/one"), vec![1; 100_000]).unwrap();
        fs::hard_link(path("a/one"), path("a/again")).unwrap();
        File::create(path("hole")).unwrap().set_len(1 << 40).unwrap();
        symlink("/usr", path("link")).unwrap();
        let bounds = Bounds::default();
        let usage = usage(&[dir.path().to_owned()], &bounds);
        assert_eq!((usage.files, usage.depth), (4, 2));
        assert!((100_000..200_000).contains(&usage.bytes), "{usage:?}");
        assert_eq!(usage.beyond(&bounds), None);
    }

    #[test]
    fn says_what_is_too_much() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), vec![1; 10_000]).unwrap();
        fs::write(dir.path().join("b"), "").unwrap();
        fs::create_dir_all(dir.path().join("d/".repeat(limits::TASK_DEPTH + 1))).unwrap();
        let beyond = |bounds: Bounds| usage(&[dir.path().to_owned()], &bounds).beyond(&bounds).unwrap();
        assert!(beyond(Bounds { disk_bytes: 5_000, ..Bounds::default() }).contains("of disk"));
        assert!(beyond(Bounds { files: 1, ..Bounds::default() }).contains("the 1 files"));
        assert!(beyond(Bounds::default()).contains("deeper than"));
    }
}
