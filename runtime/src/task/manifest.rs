//! `task.toml`: what a task's repository says about itself.
//!
//! Comes in: a checkout. Goes out: a `Manifest` whose every field has been read as its type, or all that is wrong
//! with it, each with its line and the closest known key. It never runs anything and follows no link.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::format::ResultFormat;
use super::left_file::{self, HardLinks};
use crate::class::ErrorClass;
use crate::limits;

/// A task's manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Short name, `rpmlint`; where it is not given, `task`.
    pub name: String,
    /// Namespace of its test cases, `dist`; may be empty.
    pub namespace: String,
    /// One line for people.
    pub summary: String,
    /// Who to ask.
    pub owner: String,
    /// Inputs in the order of the file.
    pub inputs: Vec<Input>,
    /// Template of what results are about.
    pub subject: Option<SubjectTemplate>,
    /// Packages it needs.
    pub packages: Vec<Package>,
    /// Preparation.
    pub prepare: Option<Command>,
    /// Downloads.
    pub fetches: Vec<Fetch>,
    /// The task itself.
    pub run: Command,
    /// What exit codes of `run` mean.
    pub exit: Exit,
    /// Where it must run.
    pub environment: Environment,
    /// Formats of results beside `$TASKBOT_RESULTS`.
    pub results_from: Vec<ResultSource>,
    /// Test cases that must report.
    pub testcases: Vec<String>,
    /// Patterns of artifacts to keep, relative to `$TASKBOT_ARTIFACTS`.
    pub keep: globset::GlobSet,
    /// Most bytes of all artifacts together.
    pub artifacts_max_bytes: u64,
    /// Events that the task may publish.
    pub emits: Vec<String>,
    /// Cleaning up.
    pub cleanup: Option<Command>,
    /// How often to try again after an infrastructure error.
    pub infrastructure_retries: u32,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name: letters, digits, hyphens, underscores.
    pub name: String,
    /// Its type as written: `nvr`, `arch`, `[arch]`, or the name of a record or enum of the rules.
    pub type_name: String,
    /// Value where the rule gives none.
    pub default: Option<String>,
}

/// Templates of the subject, filled with inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectTemplate {
    /// Kind of item, literal.
    pub item_type: String,
    /// The item, `{package}`.
    pub item: String,
}

/// A package that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name where the package manager has no name of its own.
    pub name: String,
    /// The command that it gives, or the absolute path of a file of it: this is what is looked for.
    pub tool: String,
    /// Its name for apt.
    pub apt: Option<String>,
    /// Its name for dnf.
    pub dnf: Option<String>,
}

/// A command with its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Wall-clock limit.
    pub timeout: Duration,
}

/// One `[[fetch]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// What to get.
    pub from: FetchFrom,
    /// Folder below `$TASKBOT_FETCHED`.
    pub into: PathBuf,
}

/// What a `[[fetch]]` gets; templates are not filled yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchFrom {
    /// `koji`: template of a build; `arches`: templates.
    Koji {
        /// The build.
        build: String,
        /// Folders of it.
        arches: Vec<String>,
    },
    /// `url`, `sha256`: both literal.
    Url {
        /// Where from.
        url: String,
        /// Lower-case hex SHA-256.
        sha256: String,
    },
    /// `repo`: literal; `packages`, `arches`: templates.
    Repo {
        /// The repository.
        repo: String,
        /// Packages.
        packages: Vec<String>,
        /// Their architectures.
        arches: Vec<String>,
    },
    /// `compose`, `arches`: templates; `image`: literal.
    Compose {
        /// The compose's id.
        compose: String,
        /// Which image.
        image: String,
        /// For which architectures.
        arches: Vec<String>,
    },
    /// `site`: literal.
    Site {
        /// Name of a folder in the site's configuration.
        name: String,
    },
}

/// What exit codes mean where no result says more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// PASSED.
    pub pass: Vec<i32>,
    /// FAILED.
    pub fail: Vec<i32>,
    /// INFO, "skipped".
    pub skip: Vec<i32>,
}

/// Where a task must run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Kind of place.
    pub kind: EnvironmentKind,
    /// Image of a container or machine.
    pub image: Option<String>,
    /// Memory limit in bytes; none: the executor's.
    pub memory_bytes: Option<u64>,
    /// Processors; none: the executor's.
    pub cpus: Option<u32>,
    /// Disk limit in bytes; none: the executor's.
    pub disk_bytes: Option<u64>,
    /// Whether it may reach the network.
    pub network: Network,
    /// Whether it may leave its system unusable; then it runs only in a machine of its own.
    pub destructive: Destructive,
}

/// Kind of place a task runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvironmentKind {
    /// A process of this machine behind the layers that the kernel gives.
    Sandbox,
    /// A container of its own.
    Container,
    /// A virtual machine of its own.
    Vm,
    /// A cloud image booted in a virtual machine.
    Cloud,
    /// A blank disk and an installation ISO.
    IsoInstall,
}

impl EnvironmentKind {
    /// What it is, with its article, for people.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Sandbox => "a sandbox",
            Self::Container => "a container",
            Self::Vm => "a virtual machine",
            Self::Cloud => "a virtual machine that boots a cloud image",
            Self::IsoInstall => "a blank virtual machine to install from an ISO",
        }
    }
}

/// Whether a task may reach the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// No network.
    None,
    /// Granted, as far as the site's configuration allows.
    Granted,
}

/// Whether a task may leave its system unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destructive {
    /// It leaves the system as it was.
    No,
    /// It may not.
    Yes,
}

/// Where results are read beside `$TASKBOT_RESULTS`.
#[derive(Clone, Debug)]
pub enum ResultSource {
    /// Files among the artifacts.
    Files {
        /// What they are.
        format: ResultFormat,
        /// Which they are.
        pattern: globset::GlobMatcher,
    },
    /// TAP within the run's log.
    TapLog,
}

impl ResultSource {
    /// Whether a file, by its path relative to the artifacts, is one of it.
    pub(super) fn matches(&self, path: &Path) -> bool {
        match self {
            Self::Files { pattern, .. } => pattern.is_match(path),
            Self::TapLog => false,
        }
    }
}

/// One thing that is wrong in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

/// Why a manifest gives no plan.
#[derive(Debug)]
pub enum ManifestError {
    /// There is no `task.toml`, or it is no file that may be read.
    Unreadable(String),
    /// It says something that is not understood; all problems of the file.
    Invalid(Vec<Problem>),
    /// A value does not fit its input.
    Input {
        /// Name of the input.
        name: String,
        /// What is wrong.
        message: String,
    },
}

impl ManifestError {
    /// A manifest stays as it is at its commit; a value that does not fit its input is the message's fault.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unreadable(_) | Self::Invalid(_) => ErrorClass::Permanent,
            Self::Input { .. } => ErrorClass::Poison,
        }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "task.toml: {why}"),
            Self::Invalid(problems) => {
                for (i, problem) in problems.iter().enumerate() {
                    let separator = if i == 0 { "" } else { "\n" };
                    match problem.line {
                        0 => write!(f, "{separator}task.toml: {}", problem.message)?,
                        line => write!(f, "{separator}task.toml:{line}: {}", problem.message)?,
                    }
                }
                Ok(())
            }
            Self::Input { name, message } => write!(f, "input `{name}`: {message}"),
        }
    }
}

impl std::error::Error for ManifestError {}

impl Manifest {
    /// Reads `task.toml` of a checkout.
    ///
    /// # Errors
    /// No such file, a link, too large, not TOML, or not what the contract knows: all problems at once.
    pub fn read(checkout: &Path) -> Result<Self, ManifestError> {
        let path = checkout.join("task.toml");
        let bytes = left_file::read_file(&path, limits::MANIFEST_BYTES, HardLinks::Allowed)
            .map_err(|refused| ManifestError::Unreadable(refused.to_string()))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| ManifestError::Unreadable("not UTF-8 text; save it as UTF-8".into()))?;
        Self::parse(&text)
    }

    /// Reads the text of a `task.toml`.
    ///
    /// # Errors
    /// As `read`, for the text.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        super::manifest_reader::parse(text).map_err(ManifestError::Invalid)
    }

    /// `dist.rpmlint`: how its own result is named.
    pub fn full_name(&self) -> String {
        if self.namespace.is_empty() {
            self.name.clone()
        } else {
            format!("{}.{}", self.namespace, self.name)
        }
    }

    /// How the inputs differ from the task's .tb declaration, `(name, type)` each; the declaration decides, and a
    /// manifest that differs is to be refused. An input with a default may be missing from the declaration.
    pub fn check_inputs(&self, declared: &[(String, String)]) -> Vec<String> {
        let mut differences = Vec::new();
        for (name, type_name) in declared {
            match self.inputs.iter().find(|input| input.name == *name) {
                None => differences.push(format!(
                    "the declaration has `{name}: {type_name}`, task.toml has no such input: add \
                     `{name} = {{ type = \"{type_name}\" }}` to [inputs]"
                )),
                Some(input) if input.type_name != *type_name => differences.push(format!(
                    "input `{name}` is `{type_name}` in the declaration and `{}` in task.toml",
                    input.type_name
                )),
                Some(_) => {}
            }
        }
        for input in &self.inputs {
            let known = declared.iter().any(|(name, _)| *name == input.name);
            if !known && input.default.is_none() {
                differences.push(format!(
                    "task.toml has input `{}` without a default, the declaration does not have it",
                    input.name
                ));
            }
        }
        differences
    }
}
