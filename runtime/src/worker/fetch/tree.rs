//! Writing the files of a commit from its tree objects.
//!
//! Comes in: a tree that anybody may have made, and an empty directory. Goes out: its files, directories and
//! harmless symbolic links, or a refusal. Nothing is written through a link: directories and files are always
//! made new, and links come last. No mode but 644 and 755, no attribute, filter or end-of-line conversion.

use std::error::Error;
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

/// Writes the tree below `into`; gives what was left out (submodules). All is judged before anything is written.
pub(super) fn write(
    repository: &Repository,
    tree: &Tree<'_>,
    into: &Path,
) -> Result<Vec<String>, FetchAnswer> {
    let mut plan =
        Plan { repository, entries: 0, bytes: 0, steps: Vec::new(), links: Vec::new(), left_out: Vec::new() };
    let mut open = vec![(PathBuf::new(), tree.id())];
    while let Some((dir, id)) = open.pop() {
        open.extend(plan.directory(&dir, id)?);
    }
    for (path, step) in &plan.steps {
        step.take(repository, &into.join(path)).map_err(|error| refused(path, error))?;
    }
    for (path, target) in &plan.links {
        symlink(target, into.join(path)).map_err(|error| refused(path, error))?;
    }
    Ok(plan.left_out)
}

/// Something to make that was not there: what two entries of one name would make twice is an error.
enum Step {
    Directory,
    File { content: Oid, mode: u32 },
}

impl Step {
    fn take(&self, repository: &Repository, path: &Path) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Directory => fs::create_dir(path)?,
            Self::File { content, mode } => {
                let blob = repository.find_blob(*content)?;
                let mut file = OpenOptions::new().write(true).create_new(true).mode(*mode).open(path)?;
                file.write_all(blob.content())?;
            }
        }
        Ok(())
    }
}

/// What will be written: parents before children.
struct Plan<'a> {
    repository: &'a Repository,
    entries: usize,
    bytes: u64,
    steps: Vec<(PathBuf, Step)>,
    links: Vec<(PathBuf, PathBuf)>,
    left_out: Vec<String>,
}

impl Plan<'_> {
    /// Judges one directory; gives the directories in it.
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
                    below.push((path.clone(), entry.id()));
                    self.steps.push((path, Step::Directory));
                }
                (Some(ObjectType::Blob), MODE_LINK) => {
                    let target = self.link_target(&path, entry.id())?;
                    check_link(dir, &target).map_err(|why| refused(&path, why))?;
                    self.links.push((path, target));
                }
                (Some(ObjectType::Blob), mode) => {
                    self.count_bytes(&path, entry.id())?;
                    let mode = if mode == MODE_EXECUTABLE { 0o755 } else { 0o644 };
                    self.steps.push((path, Step::File { content: entry.id(), mode }));
                }
                (Some(ObjectType::Commit), _) => {
                    self.left_out.push(format!("submodule {:?}", path.to_string_lossy()));
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

    /// Counts a file, whose size is known before it is read; gives the size.
    fn count_bytes(&mut self, path: &Path, id: Oid) -> Result<usize, FetchAnswer> {
        let (size, _) = self.repository.odb()?.read_header(id)?;
        self.bytes = self.bytes.saturating_add(size as u64);
        if self.bytes > limits::FETCH_TREE_BYTES {
            return Err(refused(path, format!("more than {} bytes in all", limits::FETCH_TREE_BYTES)));
        }
        Ok(size)
    }

    fn link_target(&mut self, path: &Path, id: Oid) -> Result<PathBuf, FetchAnswer> {
        if self.count_bytes(path, id)? > limits::FETCH_LINK_BYTES {
            return Err(refused(path, "a link to nothing that can be"));
        }
        let blob = self.repository.find_blob(id)?;
        Ok(PathBuf::from(OsStr::from_bytes(blob.content())))
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
    } else if name.iter().any(u8::is_ascii_control) {
        Err("a name with control characters")
    } else if name.split(|byte| *byte == b'\\').any(is_git) {
        Err("a name that git keeps for itself")
    } else if name.len() > limits::FETCH_NAME_BYTES {
        Err("a name that is too long")
    } else {
        Ok(())
    }
}

/// Whether some file system takes the name for `.git`: Windows ignores case, dots and spaces at the end and what follows a
/// colon, and has short names; macOS ignores case and characters without a shape.
fn is_git(name: &[u8]) -> bool {
    let shapeless = |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let name = String::from_utf8_lossy(name);
    let read: String =
        name.split(':').next().unwrap_or_default().chars().filter(|c| !shapeless(*c)).collect();
    let read = read.trim_end_matches([' ', '.']);
    let short = read.get(..4).filter(|start| start.eq_ignore_ascii_case("git~")).and_then(|_| read.get(4..));
    read.eq_ignore_ascii_case(".git")
        || short.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// A link may climb only at its beginning, and not out of the tree. (`..` after a name could climb from
/// wherever another link led.) Then every link stays inside: what it climbs are directories made here, what it
/// descends into are those or links.
fn check_link(dir: &Path, target: &Path) -> Result<(), &'static str> {
    let bytes = target.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
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
    if words().any(is_git) {
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
        for name in [
            ".git ",
            ".git. .",
            ".git::$INDEX_ALLOCATION",
            ".g\u{200c}it",
            "\u{feff}.GIT",
            "git~12",
            "a\\.git\\b",
            "a\nb",
            "a\u{1b}[2J",
            "a\u{7f}",
        ] {
            assert!(check_name(name.as_bytes()).is_err(), "{name:?}");
        }
        for name in [".gitt", ".git-x", "git~", "git~x", "x.git", "a\\b", "a:b"] {
            assert_eq!(check_name(name.as_bytes()), Ok(()), "{name:?}");
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
