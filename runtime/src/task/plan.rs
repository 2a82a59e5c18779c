//! From a manifest and typed arguments to what a run does: commands, downloads, the environment.
//!
//! Comes in: a manifest, the values of its inputs, the directories of the run. Goes out: a `Plan` for the steps. It
//! never puts a value into a command line or an option: values reach a task only as environment values, and
//! templates (`{package}`) are filled only in the subject and in downloads, where each value has been read as its
//! type.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use taskbot_graph::Nvr;

use super::manifest::{Environment, Exit, Fetch, FetchFrom, Input, Manifest, ManifestError, Package};
use crate::limits;

/// What a task finds on its `PATH`.
pub const TASK_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/taskbot";

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        /// A URL, or the word that the site's configuration gives it.
        repo: String,
        /// Names of packages; none: the metadata alone.
        packages: Vec<String>,
        /// Their architectures; empty: all.
        arches: Vec<String>,
    },
    /// An image of a compose.
    Compose {
        /// The compose's id.
        compose: String,
        /// Which image.
        image: String,
        /// For which architectures; empty: all.
        arches: Vec<String>,
    },
    /// A folder that the site's configuration names.
    Site {
        /// Its name there.
        name: String,
    },
    /// A folder or a file that somebody gives instead of the task's downloads.
    Given {
        /// Absolute.
        path: PathBuf,
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
    /// What a run with these inputs does. Inputs are `(name, value as text)`: a list as JSON, a record by
    /// its identity.
    ///
    /// # Errors
    /// An input that is unknown, missing, not of its type, or unfit for an environment value.
    pub fn plan(
        &self,
        inputs: &[(String, String)],
        dirs: &RunDirs,
        ids: &RunIds,
    ) -> Result<Plan, ManifestError> {
        let values = self.values(inputs)?;
        let command =
            |c: &super::manifest::Command| PlannedCommand { argv: c.argv.clone(), timeout: c.timeout };
        Ok(Plan {
            name: self.full_name(),
            environment: self.environment.clone(),
            packages: self.packages.clone(),
            prepare: self.prepare.iter().map(command).collect(),
            fetches: self.fetches.iter().map(|fetch| plan_fetch(fetch, &values)).collect::<Result<_, _>>()?,
            run: command(&self.run),
            cleanup: self.cleanup.iter().map(command).collect(),
            dir: dirs.checkout.clone(),
            env: environment(&values, dirs, ids)?,
            writable: self.writable(dirs),
            infrastructure_retries: self.infrastructure_retries,
            subject: self.subject_of(&values)?,
            exit: self.exit.clone(),
        })
    }

    /// The values of all inputs, in the manifest's order, each checked against its type.
    fn values<'a>(&'a self, given: &'a [(String, String)]) -> Result<Values<'a>, ManifestError> {
        for (name, _) in given {
            if !self.inputs.iter().any(|input| input.name == *name) {
                let known: Vec<_> = self.inputs.iter().map(|input| input.name.as_str()).collect();
                let message = format!("the task has no such input; it has: {}", known.join(", "));
                return Err(ManifestError::Input { name: name.clone(), message });
            }
        }
        let mut values = Vec::new();
        for input in &self.inputs {
            let refused = |message: String| ManifestError::Input { name: input.name.clone(), message };
            let value = given
                .iter()
                .find(|(name, _)| *name == input.name)
                .map(|(_, value)| value)
                .or(input.default.as_ref())
                .ok_or_else(|| refused(format!("is missing; give a value of type {}", input.type_name)))?;
            check_value(&input.type_name, value).map_err(refused)?;
            values.push((input, value.as_str()));
        }
        Ok(values)
    }

    fn subject_of(&self, values: &Values<'_>) -> Result<Subject, ManifestError> {
        if let Some(template) = &self.subject {
            let item = fill(&template.item, values)?;
            return Ok(Subject { item, item_type: template.item_type.clone() });
        }
        let (item, item_type) = match values.first() {
            None => (self.full_name(), "task"),
            Some((input, value)) => (
                (*value).to_owned(),
                match input.type_name.as_str() {
                    "nvr" => "koji_build",
                    "update" => "bodhi_update",
                    other => other,
                },
            ),
        };
        Ok(Subject { item, item_type: item_type.to_owned() })
    }

    fn writable(&self, dirs: &RunDirs) -> Vec<PathBuf> {
        let mut writable = vec![dirs.work.clone(), dirs.artifacts.clone()];
        writable.extend(dirs.results_file.parent().map(PathBuf::from));
        writable.dedup();
        writable
    }
}

/// Inputs with their checked values.
type Values<'a> = Vec<(&'a Input, &'a str)>;

/// The environment variable that holds an input's value: `TASKBOT_INPUT_SOME_NAME`.
pub(super) fn environment_name(input: &str) -> String {
    format!("TASKBOT_INPUT_{}", input.to_ascii_uppercase().replace('-', "_"))
}

fn environment(
    values: &Values<'_>,
    dirs: &RunDirs,
    ids: &RunIds,
) -> Result<BTreeMap<String, String>, ManifestError> {
    let path = |name: &str, path: &PathBuf| match path.to_str() {
        Some(text) => Ok((name.to_owned(), text.to_owned())),
        None => Err(ManifestError::Input {
            name: name.to_owned(),
            message: format!("the run's directory {} is not UTF-8", path.display()),
        }),
    };
    let deadline_seconds = ids.deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut env = BTreeMap::from([
        path("HOME", &dirs.work)?,
        path("TASKBOT_ARTIFACTS", &dirs.artifacts)?,
        path("TASKBOT_EVENT", &dirs.event_file)?,
        path("TASKBOT_FETCHED", &dirs.fetched)?,
        path("TASKBOT_RESULTS", &dirs.results_file)?,
        path("TASKBOT_WORKDIR", &dirs.work)?,
        path("TMPDIR", &dirs.work)?,
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("PATH".to_owned(), TASK_PATH.to_owned()),
        ("TASKBOT_ATTEMPT".to_owned(), ids.attempt.to_string()),
        ("TASKBOT_DEADLINE".to_owned(), deadline_seconds.to_string()),
        ("TASKBOT_RUN_ID".to_owned(), ids.run.clone()),
    ]);
    for (input, value) in values {
        env.insert(environment_name(&input.name), (*value).to_owned());
    }
    Ok(env)
}

fn plan_fetch(fetch: &Fetch, values: &Values<'_>) -> Result<PlannedFetch, ManifestError> {
    let all = |templates: &[String]| templates.iter().map(|t| fill(t, values)).collect::<Result<Vec<_>, _>>();
    let architectures = |templates: &[String]| {
        let arches = all(templates)?;
        let refused = |message| ManifestError::Input { name: "fetch.arches".into(), message };
        arches.iter().try_for_each(|arch| check_value("arch", arch)).map_err(refused)?;
        Ok::<_, ManifestError>(arches)
    };
    let what = match &fetch.from {
        FetchFrom::Koji { build, arches } => {
            let text = fill(build, values)?;
            let refused = |message| ManifestError::Input { name: "fetch.koji".into(), message };
            check_value("nvr", &text).map_err(refused)?;
            let build = Nvr::parse(&text).ok_or_else(|| refused("is not a build".into()))?;
            let arches = architectures(arches)?;
            FetchWhat::Koji { build, arches }
        }
        FetchFrom::Url { url, sha256 } => FetchWhat::Url { url: url.clone(), sha256: sha256.clone() },
        FetchFrom::Repo { repo, packages, arches } => {
            FetchWhat::Repo { repo: repo.clone(), packages: all(packages)?, arches: architectures(arches)? }
        }
        FetchFrom::Compose { compose, image, arches } => FetchWhat::Compose {
            compose: fill(compose, values)?,
            image: image.clone(),
            arches: architectures(arches)?,
        },
        FetchFrom::Site { name } => FetchWhat::Site { name: name.clone() },
    };
    Ok(PlannedFetch { what, into: fetch.into.clone() })
}

/// Names between braces.
pub(super) fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).map(|rest| rest.split_once('}').map_or(rest, |(name, _)| name))
}

fn fill(template: &str, values: &Values<'_>) -> Result<String, ManifestError> {
    let mut pieces = template.split('{');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').unwrap_or((piece, ""));
        let value = values.iter().find(|(input, _)| input.name == name).map(|(_, value)| *value);
        text.push_str(value.ok_or_else(|| ManifestError::Input {
            name: name.to_owned(),
            message: format!("the template {template:?} names it, the task has no such input"),
        })?);
        text.push_str(rest);
    }
    Ok(text)
}

/// Checks a value against the name of its type. Types of the rules (records, enums) are only checked to fit into an
/// environment value: what they are is the compiler's business.
pub(super) fn check_value(type_name: &str, value: &str) -> Result<(), String> {
    if value.contains('\0') {
        return Err("holds a NUL byte, which no environment value can".into());
    }
    if value.len() > limits::TASK_INPUT_BYTES {
        return Err(format!("is longer than {} bytes", limits::TASK_INPUT_BYTES));
    }
    if let Some(element) = type_name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let items: Vec<serde_json::Value> =
            serde_json::from_str(value).map_err(|_| format!("is not a JSON list of {element}"))?;
        return items.iter().try_for_each(|item| match item {
            serde_json::Value::String(text) => check_value(element, text),
            other => check_value(element, &other.to_string()),
        });
    }
    let fits = match type_name {
        "nvr" => Nvr::parse(value).is_some() && is_path_word(value),
        "arch" => !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
        "evr" => !value.is_empty() && !value.chars().any(|c| c.is_whitespace() || c.is_control()),
        "int" => value.parse::<i64>().is_ok(),
        "float" => value.parse::<f64>().is_ok_and(f64::is_finite),
        "bool" => matches!(value, "true" | "false"),
        _ => true,
    };
    if fits { Ok(()) } else { Err(format!("{:?} is not of type {type_name}", shorten(value))) }
}

/// Fit for one part of a path on any disk: so that a build's name never climbs out of a directory.
fn is_path_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.len() <= 255
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+~^%-".contains(c))
        && !text.contains("-.")
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(100).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
