//! Writing the files of a commit from its tree objects.
//!
//! Comes in: a tree that anybody may have made, and an empty directory. Goes out: its files, directories and harmless symbolic links,
//! or a refusal. Nothing is written through a link: directories and files are always made new, and links come last. No mode
//! but 644 and 755, no attribute, filter or end-of-line conversion.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository, Tree};

use super::FetchAnswer;
use crate::limits;

const MODE_EXECUTABLE: i32 = 0o100_755;
const MODE_LINK: i32 = 0o120_000;

fn refused(path: &Path, why: impl std::fmt::Display) -> FetchAnswer {
    FetchAnswer::Refused(format!("{:?}: {why}", path.to_string_lossy()))
}

/// Writes the tree below `into`; gives what was left out (submodules).
pub(super) fn write(
    repository: &Repository,
    tree: &Tree<'_>,
    into: &Path,
) -> Result<Vec<String>, FetchAnswer> {
    let mut writer =
        Writer { repository, into, entries: 0, bytes: 0, links: Vec::new(), left_out: Vec::new() };
    let mut open = vec![(PathBuf::new(), tree.id())];
    while let Some((dir, id)) = open.pop() {
        open.extend(writer.directory(&dir, id)?);
    }
    for (link, target) in &writer.links {
        symlink(target, into.join(link)).map_err(|error| refused(link, error))?;
    }
    Ok(writer.left_out)
}

struct Writer<'a> {
    repository: &'a Repository,
    into: &'a Path,
    entries: usize,
    bytes: u64,
    links: Vec<(PathBuf, PathBuf)>,
    left_out: Vec<String>,
}

impl Writer<'_> {
    /// Writes the files of one directory; gives the directories in it, already made.
    fn directory(&mut self, dir: &Path, id: Oid) -> Result<Vec<(PathBuf, Oid)>, FetchAnswer> {
        let tree = self.repository.find_tree(id)?;
        let mut below = Vec::new();
        for entry in &tree {
            check_name(entry.name_bytes())
                .map_err(|why| refused(&dir.join(lossy(entry.name_bytes())), why))?;
            let path = dir.join(OsStr::from_bytes(entry.name_bytes()));
            self.count(&path)?;
            match (entry.kind(), entry.filemode()) {
                (Some(ObjectType::Tree), _) => {
                    fs::create_dir(self.into.join(&path)).map_err(|error| refused(&path, error))?;
                    below.push((path, entry.id()));
                }
                (Some(ObjectType::Blob), MODE_LINK) => {
                    let target = self.content(&path, entry.id())?;
                    let target = PathBuf::from(OsStr::from_bytes(&target));
                    check_link(dir, &target).map_err(|why| refused(&path, why))?;
                    self.links.push((path, target));
                }
                (Some(ObjectType::Blob), mode) => self.file(&path, entry.id(), mode)?,
                (Some(ObjectType::Commit), _) => {
                    self.left_out.push(format!("submodule {:?}", path.to_string_lossy()))
                }
                _ => return Err(refused(&path, "neither file, directory, link nor submodule")),
            }
        }
        Ok(below)
    }

    fn count(&mut self, path: &Path) -> Result<(), FetchAnswer> {
        self.entries += 1;
        if self.entries > limits::FETCH_ENTRIES {
            return Err(refused(path, format!("more than {} files and directories", limits::FETCH_ENTRIES)));
        }
        if path.components().count() > limits::FETCH_DEPTH {
            return Err(refused(path, format!("more than {} directories deep", limits::FETCH_DEPTH)));
        }
        Ok(())
    }

    /// A blob, whose size is known and counted before it is read.
    fn content(&mut self, path: &Path, id: Oid) -> Result<Vec<u8>, FetchAnswer> {
        let (size, _) = self.repository.odb()?.read_header(id)?;
        self.bytes = self.bytes.saturating_add(size as u64);
        if self.bytes > limits::FETCH_TREE_BYTES {
            return Err(refused(path, format!("more than {} bytes in all", limits::FETCH_TREE_BYTES)));
        }
        Ok(self.repository.find_blob(id)?.content().to_vec())
    }

    fn file(&mut self, path: &Path, id: Oid, mode: i32) -> Result<(), FetchAnswer> {
        let content = self.content(path, id)?;
        let mode = if mode == MODE_EXECUTABLE { 0o755 } else { 0o644 };
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(self.into.join(path))
            .and_then(|mut file| file.write_all(&content))
            .map_err(|error| refused(path, error))
    }
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn check_name(name: &[u8]) -> Result<(), &'static str> {
    if matches!(name, b"" | b"." | b"..") {
        Err("a name that leads out of its directory")
    } else if name.iter().any(|byte| matches!(byte, b'/' | 0)) {
        Err("a name that is a path")
    } else if name.eq_ignore_ascii_case(b".git") || name.eq_ignore_ascii_case(b"git~1") {
        Err("a name that git keeps for itself")
    } else if name.len() > limits::FETCH_NAME_BYTES {
        Err("a name that is too long")
    } else {
        Ok(())
    }
}

/// A link may climb only at its beginning, and not out of the tree. (`..` after a name could climb from wherever another
/// link led.) Then every link stays inside: what it climbs are directories made here, what it descends into are those or links.
fn check_link(dir: &Path, target: &Path) -> Result<(), &'static str> {
    let bytes = target.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.contains(&0) || bytes.len() > limits::FETCH_LINK_BYTES {
        return Err("a link to nothing that can be");
    }
    if bytes.starts_with(b"/") {
        return Err("a link to an absolute path");
    }
    let words = || bytes.split(|byte| *byte == b'/').filter(|word| !matches!(*word, b"" | b"."));
    let climbs = words().take_while(|word| *word == b"..").count();
    if climbs > dir.components().count() {
        return Err("a link that leads out of the repository");
    }
    if words().skip(climbs).any(|word| word == b"..") {
        return Err("a link with `..` after a name");
    }
    if words().any(|word| word.eq_ignore_ascii_case(b".git")) {
        return Err("a link to git's own files");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0b", b".git", b".GiT", b"GIT~1", &[b'a'; 256]] {
            assert!(check_name(name).is_err(), "{:?}", lossy(name));
        }
        for name in [&b"task.toml"[..], b"...", b"..a", b".gitignore", b"-rf", "käpy".as_bytes(), b"\xff"] {
            assert_eq!(check_name(name), Ok(()), "{:?}", lossy(name));
        }
    }

    #[test]
    fn links_stay_inside() {
        let check = |dir: &str, target: &str| check_link(Path::new(dir), Path::new(target));
        for (dir, target) in
            [("", "a"), ("", "a/b/../".trim_end_matches("../")), ("a/b", "../../c"), ("a", "./../c")]
        {
            assert_eq!(check(dir, target), Ok(()), "{dir} -> {target}");
        }
        for (dir, target) in [
            ("", ""),
            ("", "/etc/passwd"),
            ("", ".."),
            ("a", "../.."),
            ("a", "./.././../x"),
            ("a/b", "c/../../../../x"),
            ("", "link/x/../.."),
            ("a", "../.git/config"),
        ] {
            assert!(check(dir, target).is_err(), "{dir} -> {target}");
        }
    }
}
