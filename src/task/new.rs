//! `taskbot task new NAME`: a task's repository to begin with, that passes `task check` and `task run` as it is.
//!
//! Comes in: a name and what the task is about. Goes out: a directory with a manifest, a script, a page, input to try it on, and an empty git
//! repository without a commit. It never touches a directory that holds anything. No git is run: an empty repository is a
//! handful of files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::output::{self, Failure};

/// Make a task's repository to begin with.
///
/// It passes `taskbot task check` and `taskbot task run` as it is; its README.md says how to try it.
#[derive(Debug, Args)]
pub struct TaskNew {
    /// The task's name, and that of its directory: letters, digits, hyphens.
    name: String,
    /// What the task is about.
    #[arg(long, value_enum, default_value_t)]
    kind: Kind,
    /// The directory; default: the name, here.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What a task is about.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Kind {
    /// A build: its packages are downloaded. A shell script.
    #[default]
    Build,
    /// An update: told by the message alone. A script in Python.
    Update,
}

/// A file: its path, its text, whether it is a program.
type File = (&'static str, &'static str, u32);

const PLAIN: u32 = 0o644;
const PROGRAM: u32 = 0o755;
const BUILD: &[File] = &[
    ("task.toml", include_str!("skeleton/build.toml"), PLAIN),
    ("run", include_str!("skeleton/build.sh"), PROGRAM),
    ("README.md", include_str!("skeleton/README.md"), PLAIN),
    (".gitignore", "/taskbot-run/\n", PLAIN),
    ("test/fetched/noarch/hello-2.12-1.fc40.noarch.rpm", "stands in for a package\n", PLAIN),
];
const UPDATE: &[File] = &[
    ("task.toml", include_str!("skeleton/update.toml"), PLAIN),
    ("run", include_str!("skeleton/update.py"), PROGRAM),
    ("README.md", include_str!("skeleton/README.md"), PLAIN),
    (".gitignore", "/taskbot-run/\n__pycache__/\n", PLAIN),
    ("test/event.json", include_str!("skeleton/event.json"), PLAIN),
];
/// What `git init` leaves that git needs.
const GIT: &[File] = &[
    (".git/HEAD", "ref: refs/heads/main\n", PLAIN),
    (".git/config", "[core]\n\trepositoryformatversion = 0\n\tbare = false\n", PLAIN),
];
const GIT_FOLDERS: [&str; 2] = [".git/objects", ".git/refs/heads"];

impl TaskNew {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !self.name.starts_with(|c: char| c.is_ascii_alphabetic()) || !self.name.chars().all(plain) {
            return Err(Failure::new(format!(
                "{:?} is no name: a letter, then letters, digits, hyphens",
                self.name
            )));
        }
        let dir = self.out.clone().unwrap_or_else(|| PathBuf::from(&self.name));
        if dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || dir.is_file() {
            return Err(Failure::new(format!("{} is there already, and not empty", dir.display())));
        }
        let (files, input, type_name, arguments) = match self.kind {
            Kind::Build => (BUILD, "package", "nvr", "package=hello-2.12-1.fc40 --fetched test/fetched"),
            Kind::Update => {
                (UPDATE, "update", "update", "update=FEDORA-2024-0123456789 --event test/event.json")
            }
        };
        let attempt = format!("taskbot task run . --input {arguments}");
        let filled = |text: &str| {
            text.replace("@NAME@", &self.name)
                .replace("@INPUT@", input)
                .replace("@TYPE@", type_name)
                .replace("@TRY@", &attempt)
        };
        for (path, text, mode) in files {
            write(&dir.join(path), &filled(text), *mode)?;
        }
        if !within_git(&dir) {
            for folder in GIT_FOLDERS {
                fs::create_dir_all(dir.join(folder)).map_err(|e| unwritable(&dir, &e))?;
            }
            for (path, text, mode) in GIT {
                write(&dir.join(path), text, *mode)?;
            }
        }
        output::line(format!(
            "made {}; try it:\n\n  cd {0}\n  taskbot task check\n  {attempt}",
            dir.display()
        ));
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether a repository is around it already.
fn within_git(dir: &Path) -> bool {
    std::path::absolute(dir).is_ok_and(|dir| dir.ancestors().any(|parent| parent.join(".git").exists()))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .map_err(|e| unwritable(path, &e))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot write {}: {error}", path.display()))
}
