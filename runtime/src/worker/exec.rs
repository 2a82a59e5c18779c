//! The last stage before a command runs: this process takes on the command's limits and becomes it.
//!
//! Comes in: a `CommandRequest` on standard input, from the minder. Goes out: nothing if all is well, for this
//! process is then the command; else an answer with the reason. What holds for the command is set here, on
//! itself, since nothing safe can be run between fork and exec. It never starts a process of its own.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::frame::{Frame, FrameKind};
use super::mind::Report;
use crate::executor::{Cage, Layer, seccomp};
use crate::limits;
use crate::spawn::{CommandRequest, Confinement, ProcessLimits};

/// What every program may expect to write to.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

pub(super) fn main() -> ExitCode {
    let Ok(mut minder) = standard_input() else { return ExitCode::FAILURE };
    let Err(report) = become_command(&mut minder);
    let _ = Frame::json(FrameKind::Answer, &report).and_then(|frame| frame.write(&mut minder));
    ExitCode::FAILURE
}

/// The socket that stands in for standard input; this descriptor is closed when the command starts.
pub(super) fn standard_input() -> io::Result<UnixStream> {
    Ok(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))
}

fn become_command(minder: &mut UnixStream) -> Result<Infallible, Report> {
    let frame = Frame::read(minder)?.ok_or(Report::System("no request came".to_owned()))?;
    let request: CommandRequest = frame.parse(FrameKind::Request)?;
    let Some((program, arguments)) = request.argv.split_first() else {
        return Err(Report::Request("it names no program".to_owned()));
    };
    rustix::process::setsid().map_err(io::Error::from)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
    std::env::set_current_dir(&request.dir)
        .map_err(|error| Report::Request(format!("its directory {}: {error}", request.dir.display())))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    give_input(request.stdin.as_bytes())?;
    rustix::thread::set_no_new_privs(true).map_err(io::Error::from)?;
    limit(&request.limits)?;
    if let Confinement::Task(cage) = &request.confinement {
        confine(cage)?;
    }
    let error = Command::new(program).args(arguments).env_clear().envs(&request.env).exec();
    Err(Report::Program { program: program.clone(), reason: error.to_string() })
}

/// A pipe that holds the whole input already; `/dev/null` where there is none.
fn give_input(input: &[u8]) -> Result<(), Report> {
    if input.is_empty() {
        let null = File::open("/dev/null")?;
        return Ok(rustix::stdio::dup2_stdin(&null).map_err(io::Error::from)?);
    }
    if input.len() > limits::COMMAND_STDIN_BYTES {
        return Err(Report::Request(format!("{} bytes are too many for its standard input", input.len())));
    }
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(input)?;
    Ok(rustix::stdio::dup2_stdin(&reader).map_err(io::Error::from)?)
}

/// Lowers the limits; what the daemon itself may not exceed stays in force.
pub(super) fn limit(limits: &ProcessLimits) -> io::Result<()> {
    let all = [
        (Resource::Core, Some(0)),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::As, limits.address_space_bytes),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nproc, limits.processes),
        (Resource::Nofile, limits.open_files),
    ];
    for (resource, wanted) in all {
        let Some(wanted) = wanted else { continue };
        let hard = rustix::process::getrlimit(resource).maximum;
        let value = Some(hard.map_or(wanted, |hard| hard.min(wanted)));
        rustix::process::setrlimit(resource, Rlimit { current: value, maximum: value })?;
    }
    Ok(())
}

/// Takes on what a cage puts on the command itself: no capability of the first process, writing only below its
/// directories, signals only among its own processes, no system call that no task needs.
fn confine(cage: &Cage) -> Result<(), Report> {
    // If memory runs out, it is the task that goes.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    if cage.layers.has(Layer::Bubblewrap) {
        rustix::thread::set_capabilities(None, none).map_err(io::Error::from)?;
    }
    if cage.layers.has(Layer::Landlock) {
        let temporary = ["/tmp", "/dev/shm"].map(PathBuf::from);
        let temporary = temporary.into_iter().filter(|_| cage.layers.has(Layer::Bubblewrap));
        let writable: Vec<PathBuf> = cage.writable.iter().cloned().chain(temporary).collect();
        landlock_domain(&writable).map_err(|error| Report::System(format!("Landlock: {error}")))?;
    }
    if cage.layers.has(Layer::Seccomp) {
        seccomp::load().map_err(|error| Report::System(format!("seccomp: {error}")))?;
    }
    Ok(())
}

/// Enters the domain with the calling thread, for good.
pub(crate) fn landlock_domain(writable: &[PathBuf]) -> Result<RulesetStatus, RulesetError> {
    let abi = ABI::V6;
    let writes = AccessFs::from_write(abi);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writes)?
        .scope(Scope::Signal)?
        .create()?
        .add_rules(path_beneath_rules(writable, writes))?
        .add_rules(path_beneath_rules(DEVICES.map(Path::new), AccessFs::WriteFile))?
        .restrict_self()?;
    Ok(status.ruleset)
}
