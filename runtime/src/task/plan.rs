//! From a manifest and typed arguments to what a run does: commands, downloads, the environment.
//!
//! Comes in: a manifest, the values of its inputs, the directories of the run. Goes out: a `Plan` for the steps. It never
//! puts a value into a command line or an option: values reach a task only as environment values, and templates
//! (`{package}`) are filled only in the subject and in downloads, where each value has been read as its type.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use taskbot_graph::Nvr;

use super::manifest::{Environment, Exit, Fetch, FetchFrom, Input, Manifest, ManifestError, Package};
use crate::limits;

/// What a task finds on its `PATH`.
pub const TASK_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The directories and files of one run.
#[derive(Clone, Debug)]
pub struct RunDirs {
    /// Writable scratch space, also `HOME`.
    pub work: PathBuf,
    /// The task's repository; its commands start here.
    pub checkout: PathBuf,
    /// Where downloads are put, one folder for each `into`.
    pub fetched: PathBuf,
    /// What the task leaves here is kept, within its manifest's patterns and size.
    pub artifacts: PathBuf,
    /// File the task may write its results to.
    pub results_file: PathBuf,
    /// Read-only JSON of the message that caused the run.
    pub event_file: PathBuf,
    /// The log of the task's commands (standard output and error), read only where the manifest says `tap:-`.
    pub log_file: PathBuf,
}

/// Who the run is, and until when.
#[derive(Clone, Debug)]
pub struct RunIds {
    /// The run's id.
    pub run: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// When the run is killed, told to the task in whole seconds since 1970.
    pub deadline: SystemTime,
}

/// What results are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What was tested, `gnome-shell-45.1-1.fc39`.
    pub item: String,
    /// Kind of the item, `koji_build`.
    pub item_type: String,
}

/// One command of a task: from its repository alone, no value of a message in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCommand {
    /// Program and arguments; a program with a slash is relative to the checkout.
    pub argv: Vec<String>,
    /// Wall-clock limit.
    pub timeout: Duration,
}

/// One download, its templates filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFetch {
    /// What to get.
    pub what: FetchWhat,
    /// Folder below `RunDirs::fetched`: relative, without `..`.
    pub into: PathBuf,
}

/// What a download gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchWhat {
    /// The packages of a build, as koji lays them out.
    Koji {
        /// The build.
        build: Nvr,
        /// Folders of it: `src`, `noarch`, `x86_64`; empty: all.
        arches: Vec<String>,
    },
    /// One file.
    Url {
        /// Where from, from the repository alone.
        url: String,
        /// Lower-case hex SHA-256 it must have.
        sha256: String,
    },
    /// Packages of a dnf repository.
    Repo {
        /// The repository.
        repo: String,
        /// Names of packages.
        packages: Vec<String>,
    },
    /// An image of a compose.
    Compose {
        /// The compose's id.
        compose: String,
        /// Which image.
        image: String,
    },
}

/// All that the steps of a run need to know of its task.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Full name of the task, `dist.rpmlint`.
    pub name: String,
    /// Where it must run.
    pub environment: Environment,
    /// Packages whose commands must be there (sandbox) or are installed (container, vm).
    pub packages: Vec<Package>,
    /// Preparation; a failure here is infrastructure, see `prepare::failure`.
    pub prepare: Vec<PlannedCommand>,
    /// Downloads, in order.
    pub fetches: Vec<PlannedFetch>,
    /// The task itself.
    pub run: PlannedCommand,
    /// Cleaning up, always run.
    pub cleanup: Vec<PlannedCommand>,
    /// Working directory of all commands: the checkout.
    pub dir: PathBuf,
    /// The whole environment of all commands.
    pub env: BTreeMap<String, String>,
    /// Directories that the commands may write to.
    pub writable: Vec<PathBuf>,
    /// How often the run is tried again after an infrastructure error that is not permanent.
    pub infrastructure_retries: u32,
    /// What results are about unless they say so themselves.
    pub subject: Subject,
    /// What exit codes of `run` mean.
    pub exit: Exit,
}

impl Manifest {
    /// What a run with these inputs does. Inputs are `(name, value as text)`: lists and records as JSON.
    ///
    /// # Errors
    /// An input that is unknown, missing, not of its type, or unfit for an environment value.
    pub fn plan(
        &self,
        inputs: &[(String, String)],
        dirs: &RunDirs,
        ids: &RunIds,
    ) -> Result<Plan, ManifestError> {
        todo!()
    }
}
