//! What can go wrong in the store. All of it stops the daemon: a store that failed once is not to be trusted.

use std::fmt;
use std::path::PathBuf;

use crate::class::ErrorClass;

/// Why the store refused.
#[derive(Clone, Debug)]
pub enum StoreError {
    /// The database was written by a newer taskbot.
    Newer {
        /// Its format.
        found: i64,
        /// The newest format that this taskbot knows.
        known: i64,
    },
    /// The database was written by an older taskbot, and is only read here.
    Older {
        /// Its format.
        found: i64,
        /// The format that this taskbot reads.
        known: i64,
    },
    /// The file is some other program's database.
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// No database there yet.
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Reading or writing failed.
    Database {
        /// Where the fault lies.
        fault: Fault,
        /// What was being done.
        doing: &'static str,
        /// SQLite's own words.
        cause: String,
    },
    /// The store stopped after an earlier error.
    Stopped {
        /// The first error, which stopped it.
        cause: String,
    },
}

/// Where the fault of a database error lies, which decides whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// With the machine: disk full, I/O error, damaged file.
    Machine,
    /// With taskbot: a violated constraint, a wrong statement.
    Taskbot,
}

impl Fault {
    fn of(error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(
                Code::DiskFull
                | Code::SystemIoFailure
                | Code::DatabaseCorrupt
                | Code::NotADatabase
                | Code::CannotOpen
                | Code::ReadOnly
                | Code::PermissionDenied
                | Code::DatabaseBusy
                | Code::DatabaseLocked
                | Code::FileLockingProtocolFailed
                | Code::NoLargeFileSupport
                | Code::OutOfMemory,
            ) => Self::Machine,
            _ => Self::Taskbot,
        }
    }
}

impl StoreError {
    /// Always fatal: see the module.
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Fatal
    }

    pub(super) fn database(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |cause| Self::Database { fault: Fault::of(&cause), doing, cause: cause.to_string() }
    }

    /// Of the files around the database.
    pub(super) fn machine(doing: &'static str, cause: impl fmt::Display) -> Self {
        Self::Database { fault: Fault::Machine, doing, cause: cause.to_string() }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { found, known } => write!(
                f,
                "the store has format {found}, this taskbot knows up to {known}: run the newer taskbot, or \
                 restore the copy that it made before its migration"
            ),
            Self::Older { found, known } => write!(
                f,
                "the store has the older format {found}, this taskbot reads {known}: `taskbot run` brings it there, \
                 after a copy"
            ),
            Self::Foreign { path } => {
                write!(f, "{} is a database, but not taskbot's: choose another `state_dir`", path.display())
            }
            Self::Missing { path } => {
                write!(f, "no store at {}: start `taskbot run` first, or check `state_dir`", path.display())
            }
            Self::Database { fault, doing, cause } => {
                let todo = match fault {
                    Fault::Machine => "check the disk, then start taskbot again: it resumes",
                    Fault::Taskbot => "this is a mistake of taskbot: please report it with this text",
                };
                write!(f, "the store failed while {doing}: {cause}; {todo}")
            }
            Self::Stopped { cause } => write!(f, "the store has stopped: {cause}"),
        }
    }
}

impl std::error::Error for StoreError {}
