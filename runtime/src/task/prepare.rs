//! Whether the machine has what a task needs, and what a failed preparation means.
//!
//! Comes in: a plan. Goes out: nothing, or the missing commands with what to install. It never installs anything
//! and starts no process: a command is looked for on the task's own `PATH`.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::manifest::{Exit, Package};
use super::plan::TASK_PATH;
use super::{Plan, PlannedCommand};
use crate::class::ErrorClass;
use crate::executor::Ended;
use crate::limits;
use crate::message::MessageText;

/// Exit code (EX_UNAVAILABLE of sysexits.h) by which `[prepare]` and `[run]` say: not available on this machine, do
/// not try again.
pub const EXIT_UNAVAILABLE: i32 = 69;

/// Commands that a task needs and the machine lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTools {
    /// The commands or files.
    pub tools: Vec<String>,
    /// What installs them here, `apt-get install -y rpmlint`.
    pub install: String,
}

/// Why a preparation failed: always infrastructure, never a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepareFailure {
    /// Permanent for `EXIT_UNAVAILABLE`, else Transient.
    pub class: ErrorClass,
    /// For people, with the last line of the log.
    pub message: String,
}

impl MissingTools {
    /// A tool stays missing until somebody installs it.
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Permanent
    }
}

impl fmt::Display for MissingTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not on this machine: {}; install with: {}", self.tools.join(", "), self.install)
    }
}

impl std::error::Error for MissingTools {}

impl fmt::Display for PrepareFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)
    }
}

impl std::error::Error for PrepareFailure {}

/// Checks that the commands of the plan's packages are there (kind sandbox; other kinds install them).
///
/// # Errors
/// The missing ones, with the command that installs them.
pub fn prepare_check(plan: &Plan) -> Result<(), MissingTools> {
    let missing: Vec<&Package> = plan.packages.iter().filter(|package| !is_there(&package.tool)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let tools = missing.iter().map(|package| package.tool.clone()).collect();
    Err(MissingTools { tools, install: install_command(&missing, Manager::of_this_machine()) })
}

/// A command that checks the same from within a container; none where the task needs no package.
pub(crate) fn check_command(plan: &Plan) -> Option<PlannedCommand> {
    const SCRIPT: &str =
        "for tool do command -v \"$tool\" >/dev/null || { echo \"not in the image: $tool\"; exit 69; }; done";
    let tools = plan.packages.iter().map(|package| package.tool.clone());
    let argv: Vec<String> = ["sh", "-c", SCRIPT, "sh"].map(str::to_owned).into_iter().chain(tools).collect();
    let timeout = limits::PREPARE_TIMEOUT_DEFAULT;
    (!plan.packages.is_empty()).then_some(PlannedCommand { argv, timeout })
}

/// What it means that a command of `[prepare]` ended so; none if it went well. `log` is the run's log file.
pub fn failure(ended: Ended, log: &Path) -> Option<PrepareFailure> {
    let (class, how) = match ended {
        Ended::Exit(0) => return None,
        Ended::Exit(EXIT_UNAVAILABLE) => (ErrorClass::Permanent, "not available on this machine".to_owned()),
        Ended::Exit(code) => (ErrorClass::Transient, format!("preparation failed with exit code {code}")),
        Ended::Signal(signal) => (ErrorClass::Transient, format!("preparation ended by signal {signal}")),
        Ended::TimedOut => (ErrorClass::Transient, "preparation killed at its timeout".to_owned()),
        Ended::Cancelled => (ErrorClass::Permanent, "preparation cancelled".to_owned()),
    };
    let said = last_line(log).map_or_else(String::new, |line| format!(": {}", MessageText::new(line)));
    Some(PrepareFailure { class, message: format!("{how}{said}") })
}

/// What it means that the task's own command ended with `EXIT_UNAVAILABLE`: it found out only then that this
/// machine lacks something. None for every other end, and where `run.exit` gives the code a meaning of its own.
/// Such a run has no results.
pub fn unavailable(exit: &Exit, ended: Ended, log: &Path) -> Option<PrepareFailure> {
    let own_meaning =
        [&exit.pass, &exit.fail, &exit.skip].iter().any(|codes| codes.contains(&EXIT_UNAVAILABLE));
    if own_meaning || ended != Ended::Exit(EXIT_UNAVAILABLE) { None } else { failure(ended, log) }
}

/// A package manager that a person would use on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
    Unknown,
}

impl Manager {
    /// By the distribution first: the tools of the other family can be installed anywhere.
    fn of_this_machine() -> Self {
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        Self::of_release(&release)
    }

    fn of_release(release: &str) -> Self {
        let words =
            release.lines().filter_map(|line| line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")));
        for word in words.flat_map(|value| value.trim_matches('"').split(' ')) {
            match word {
                "debian" | "ubuntu" => return Self::Apt,
                "fedora" | "rhel" | "centos" => return Self::Dnf,
                _ => {}
            }
        }
        Self::Unknown
    }
}

fn install_command(packages: &[&Package], manager: Manager) -> String {
    let (command, name): (_, fn(&Package) -> Option<&String>) = match manager {
        Manager::Apt => ("apt-get install -y", |package| package.apt.as_ref()),
        Manager::Dnf => ("dnf install -y", |package| package.dnf.as_ref()),
        Manager::Unknown => ("the package manager of this machine:", |_| None),
    };
    let mut names: Vec<&str> =
        packages.iter().map(|package| name(package).unwrap_or(&package.name).as_str()).collect();
    names.sort_unstable();
    names.dedup();
    format!("{command} {}", names.join(" "))
}

/// An executable on the task's `PATH`; an absolute path just has to be there.
pub(super) fn is_there(tool: &str) -> bool {
    if tool.starts_with('/') {
        return Path::new(tool).exists();
    }
    TASK_PATH.split(':').any(|folder| {
        Path::new(folder)
            .join(tool)
            .metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}

/// The last line of a log that is not empty, from its last 4 KiB.
fn last_line(log: &Path) -> Option<String> {
    const TAIL_BYTES: u64 = 4 << 10;
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail).ok()?;
    let tail = String::from_utf8_lossy(&tail);
    tail.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn package(name: &str, tool: &str, apt: Option<&str>) -> Package {
        Package { name: name.into(), tool: tool.into(), apt: apt.map(str::to_owned), dnf: None }
    }

    #[test]
    fn names_what_the_manager_of_the_machine_installs() {
        let (rpmlint, cpp) = (package("rpmlint", "rpmlint", None), package("gcc-c++", "g++", Some("g++")));
        let packages = [&rpmlint, &cpp];
        assert_eq!(install_command(&packages, Manager::Apt), "apt-get install -y g++ rpmlint");
        assert_eq!(install_command(&packages, Manager::Dnf), "dnf install -y gcc-c++ rpmlint");
    }

    #[test]
    fn the_distribution_decides_which_manager() {
        assert_eq!(Manager::of_release("ID=debian\n"), Manager::Apt);
        assert_eq!(Manager::of_release("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), Manager::Apt);
        assert_eq!(Manager::of_release("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"), Manager::Dnf);
        assert_eq!(Manager::of_release("VERSION_ID=fedora\n"), Manager::Unknown);
    }

    #[test]
    fn tools_are_looked_for_on_the_path_of_tasks() {
        assert!(is_there("sh"));
        assert!(is_there("/bin/sh"));
        assert!(!is_there("taskbot-no-such-tool"));
        assert!(!is_there("/no/such/file"));
    }

    #[test]
    fn exit_69_is_permanent_everything_else_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        std::fs::write(&log, "first\nneeds a \u{1b}[31mVM\n\n").unwrap();
        assert_eq!(failure(Ended::Exit(0), &log), None);
        let unavailable = failure(Ended::Exit(69), &log).unwrap();
        assert_eq!(unavailable.class, ErrorClass::Permanent);
        assert_eq!(unavailable.message, "not available on this machine: needs a \\u{1b}[31mVM");
        for ended in [Ended::Exit(1), Ended::Signal(9), Ended::TimedOut] {
            assert_eq!(failure(ended, &log).unwrap().class, ErrorClass::Transient);
        }
    }

    #[test]
    fn a_command_that_finds_itself_unavailable_gives_no_verdict() {
        let mut exit = Exit { pass: vec![0], fail: vec![1], skip: vec![77] };
        let log = Path::new("/no/such/log");
        assert_eq!(unavailable(&exit, Ended::Exit(69), log).unwrap().class, ErrorClass::Permanent);
        assert_eq!(unavailable(&exit, Ended::Exit(1), log), None);
        exit.fail.push(69);
        assert_eq!(unavailable(&exit, Ended::Exit(69), log), None);
    }
}
