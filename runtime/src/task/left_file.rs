//! Files that a task left behind or brought along: opened as what they are, never as what they point to.
//!
//! Comes in: a directory of the run and a name relative to it. Goes out: bytes within a bound, or why not. It never
//! follows a symbolic link, never waits on a pipe, never opens a device, and reads no more than it was told.

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Why a file is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no such file.
    Missing,
    /// Not a regular file: what it is instead.
    Kind(&'static str),
    /// A second name (hard link) of a file that may lie elsewhere.
    Linked,
    /// The path leaves its directory.
    Escapes,
    /// Larger than the bound in bytes.
    TooLarge(u64),
    /// Reading failed.
    Io(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "there is no such file"),
            Self::Kind(kind) => write!(f, "it is {kind}, not a regular file"),
            Self::Linked => write!(f, "it has a second name (hard link)"),
            Self::Escapes => write!(f, "the path leaves its directory"),
            Self::TooLarge(bound) => write!(f, "it is larger than {bound} bytes"),
            Self::Io(why) => write!(f, "it cannot be read: {why}"),
        }
    }
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::Missing,
            // O_NOFOLLOW on a link, O_DIRECTORY on something else
            Errno::LOOP => Self::Kind("a symbolic link"),
            Errno::NOTDIR => Self::Kind("reached through something that is no directory"),
            // O_NONBLOCK on a socket
            Errno::NXIO => Self::Kind("a socket or pipe"),
            other => Self::Io(io::Error::from(other).to_string()),
        }
    }
}

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// What a second name (hard link) of a file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HardLinks {
    /// A task may have linked a file of somebody else into its directory.
    Refused,
    /// The directory is the site's own; package stores link files.
    Allowed,
}

/// An open directory below which names are looked up.
#[derive(Debug)]
pub(crate) struct LeftDir {
    dir: OwnedFd,
    hard_links: HardLinks,
}

impl LeftDir {
    /// Opens a directory whose parents are trusted; it may itself not be a link.
    pub(crate) fn open(path: &Path, hard_links: HardLinks) -> Result<Self, Refused> {
        let dir = rustix::fs::open(path, OPEN | OFlags::DIRECTORY, Mode::empty())?;
        Ok(Self { dir, hard_links })
    }

    /// Opens a regular file below it, no part of whose path is a link. Also gives its size in bytes.
    pub(crate) fn open_file(&self, relative: &Path) -> Result<(File, u64), Refused> {
        let (parents, name) = split(relative)?;
        let mut dir = None;
        for part in parents {
            let at: BorrowedFd<'_> = dir.as_ref().map_or(self.dir.as_fd(), |fd: &OwnedFd| fd.as_fd());
            dir = Some(rustix::fs::openat(at, part, OPEN | OFlags::DIRECTORY, Mode::empty())?);
        }
        let at = dir.as_ref().map_or(self.dir.as_fd(), |fd| fd.as_fd());
        // Looked at before it is opened: opening a device can have effects.
        self.check_kind(&rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?)?;
        let file = rustix::fs::openat(at, name, OPEN, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        self.check_kind(&stat)?;
        Ok((File::from(file), u64::try_from(stat.st_size).unwrap_or(0)))
    }

    fn check_kind(&self, stat: &rustix::fs::Stat) -> Result<(), Refused> {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if stat.st_nlink > 1 && self.hard_links == HardLinks::Refused => {
                return Err(Refused::Linked);
            }
            FileType::RegularFile => return Ok(()),
            FileType::Symlink => "a symbolic link",
            FileType::Directory => "a directory",
            FileType::Fifo => "a pipe",
            FileType::Socket => "a socket",
            FileType::CharacterDevice | FileType::BlockDevice => "a device",
            FileType::Unknown => "of an unknown kind",
        };
        Err(Refused::Kind(kind))
    }

    /// Reads a regular file of at most `max_bytes`.
    pub(crate) fn read(&self, relative: &Path, max_bytes: u64) -> Result<Vec<u8>, Refused> {
        let (file, size_bytes) = self.open_file(relative)?;
        if size_bytes > max_bytes {
            return Err(Refused::TooLarge(max_bytes));
        }
        let mut bytes = Vec::new();
        file.take(max_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|e| Refused::Io(e.to_string()))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max_bytes {
            return Err(Refused::TooLarge(max_bytes));
        }
        Ok(bytes)
    }

    /// Moves an entry into another directory, whatever it is; nothing is followed.
    pub(crate) fn move_to(&self, name: &OsStr, to: &Self, new_name: &str) -> Result<(), Refused> {
        Ok(rustix::fs::renameat(&self.dir, name, &to.dir, new_name)?)
    }

    /// All entries below it that are no directories, as relative paths in order; and what was not looked at: folders
    /// deeper than `max_depth`, and everything beyond `max_entries` files and folders.
    pub(crate) fn walk(&self, max_entries: usize, max_depth: usize) -> (Vec<PathBuf>, Vec<String>) {
        let mut walk = Walk { found: Vec::new(), passed_over: Vec::new(), entries_left: max_entries };
        walk.folder(self.dir.as_fd(), Path::new(""), max_depth);
        if walk.entries_left == 0 {
            walk.passed_over
                .push(format!("there are {max_entries} files and folders or more, others are passed over"));
        }
        walk.found.sort();
        (walk.found, walk.passed_over)
    }
}

/// Reads a regular file whose parents are trusted.
pub(crate) fn read_file(path: &Path, max_bytes: u64, hard_links: HardLinks) -> Result<Vec<u8>, Refused> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(Refused::Escapes) };
    LeftDir::open(parent, hard_links)?.read(Path::new(name), max_bytes)
}

fn split(relative: &Path) -> Result<(Vec<&OsStr>, &OsStr), Refused> {
    let mut parts = Vec::new();
    for component in relative.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(Refused::Escapes),
        }
    }
    let name = parts.pop().ok_or(Refused::Escapes)?;
    Ok((parts, name))
}

struct Walk {
    found: Vec<PathBuf>,
    passed_over: Vec<String>,
    entries_left: usize,
}

impl Walk {
    fn folder(&mut self, dir: BorrowedFd<'_>, below: &Path, depth_left: usize) {
        let entries = match Dir::read_from(dir) {
            Ok(entries) => entries,
            Err(errno) => return self.passed_over.push(said(below, errno)),
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(errno) => return self.passed_over.push(said(below, errno)),
            };
            let name: &CStr = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if self.entries_left == 0 {
                return;
            }
            self.entries_left -= 1;
            let path = below.join(OsStr::from_bytes(name.to_bytes()));
            match rustix::fs::openat(dir, name, OPEN | OFlags::DIRECTORY, Mode::empty()) {
                Ok(_) if depth_left == 0 => {
                    self.passed_over.push(format!("{}: folders are nested too deep", path.display()));
                }
                Ok(folder) => self.folder(folder.as_fd(), &path, depth_left - 1),
                // No folder, or one that may not be read: opening it later says which.
                Err(_) => self.found.push(path),
            }
        }
    }
}

fn said(path: &Path, errno: Errno) -> String {
    format!("{}: {}", path.display(), io::Error::from(errno))
}
