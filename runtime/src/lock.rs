//! `taskbot.lock`: the commit that each task is run at, reviewed like code.
//!
//! Comes in: the file. Goes out: the commit of a task's repository. It never resolves anything: `taskbot` writes the
//! file, the daemon reads it; a task that it does not name is resolved when its run starts, and the commit is
//! recorded with the run.
//!
//! ```toml
//! version = 1
//!
//! [[task]]
//! name = "rpmlint"
//! repository = "standard:rpmlint"
//! commit = "0123456789abcdef0123456789abcdef01234567"
//! ```

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::class::ErrorClass;

/// The format that this version reads and writes.
pub const VERSION: u32 = 1;

/// A lock file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Its format.
    pub version: u32,
    /// Tasks, sorted by name.
    #[serde(rename = "task", default)]
    pub tasks: Vec<LockedTask>,
}

/// One task's commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedTask {
    /// Name in the language.
    pub name: String,
    /// Repository as the rules name it; another one there makes the entry void.
    pub repository: String,
    /// Full hexadecimal commit id.
    pub commit: String,
}

/// Why a lock file cannot be used.
#[derive(Clone, Debug)]
pub struct LockError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub message: String,
}

impl LockError {
    /// Fatal: running other commits than the reviewed ones is worse than not starting.
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Fatal
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message)
    }
}

impl std::error::Error for LockError {}

impl Default for Lock {
    fn default() -> Self {
        Self { version: VERSION, tasks: Vec::new() }
    }
}

impl Lock {
    /// Reads the file; an absent one locks nothing.
    pub fn read(path: &Path) -> Result<Self, LockError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|message| LockError { path: path.to_owned(), message }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(LockError { path: path.to_owned(), message: error.to_string() }),
        }
    }

    /// Writes the file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let error = |message: String| LockError { path: path.to_owned(), message };
        let text = toml::to_string(self).map_err(|e| error(e.to_string()))?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
        written.map_err(|e| error(format!("cannot be written: {e}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let lock: Self = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        if lock.version != VERSION {
            return Err(format!(
                "has version {}, this taskbot reads {VERSION}: remove it and lock again",
                lock.version
            ));
        }
        for task in &lock.tasks {
            let hex = task.commit.bytes().all(|b| b.is_ascii_hexdigit());
            if !hex || !matches!(task.commit.len(), 40 | 64) {
                return Err(format!("task '{}': '{}' is no full commit id", task.name, task.commit));
            }
        }
        Ok(lock)
    }

    /// Refuses entries for one of these tasks (name and repository) that are for another repository: the reviewed
    /// commit would be passed over in silence.
    pub fn check<'t>(&self, tasks: impl Iterator<Item = (&'t str, &'t str)>) -> Result<(), String> {
        for (name, repository) in tasks {
            let mut locked = self.tasks.iter().filter(|locked| locked.name == name).peekable();
            if let Some(other) = locked.peek().map(|locked| locked.repository.as_str())
                && !locked.any(|locked| locked.repository == repository)
            {
                return Err(format!(
                    "task '{name}' is locked for {other}, but the rules take it from {repository}: lock it again"
                ));
            }
        }
        Ok(())
    }

    /// The commit of a task, if it is locked for this repository.
    pub fn commit(&self, task: &str, repository: &str) -> Option<&str> {
        self.tasks
            .iter()
            .find(|locked| locked.name == task && locked.repository == repository)
            .map(|locked| locked.commit.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_commit_is_for_one_task_of_one_repository() {
        let task = LockedTask { name: "t".into(), repository: "standard:t".into(), commit: COMMIT.into() };
        let text = toml::to_string(&Lock { version: VERSION, tasks: vec![task] }).unwrap();
        let lock = Lock::parse(&text).unwrap();
        assert_eq!(lock.commit("t", "standard:t"), Some(COMMIT));
        assert_eq!(lock.commit("t", "https://elsewhere/t.git"), None);
        assert_eq!(lock.commit("u", "standard:t"), None);
        assert_eq!(lock.check([("t", "standard:t"), ("u", "standard:u")].into_iter()), Ok(()));
        let refused = lock.check([("t", "https://elsewhere/t.git")].into_iter()).unwrap_err();
        assert!(
            refused.contains("'t' is locked for standard:t") && refused.contains("lock it again"),
            "{refused}"
        );
    }

    #[test]
    fn what_is_no_pin_is_refused() {
        let task =
            |commit: &str| format!("version = 1\n[[task]]\nname='t'\nrepository='r'\ncommit='{commit}'\n");
        assert!(Lock::parse(&task(COMMIT)).is_ok());
        for text in [task("main"), task("0123456"), "version = 2".into(), "version = 1\ntaks = []".into()] {
            assert!(Lock::parse(&text).is_err(), "{text}");
        }
    }
}
