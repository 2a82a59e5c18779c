//! The minder of a task's command, seen from outside: it makes the cage, and sees to it that nothing of it is left.
//!
//! Comes in: a request with a `Cage`, and the end of the daemon's socket, which means stop. Goes out: the answer of the
//! cage's first process, `worker init`, or that there was none. It makes the control group and gives the directories to the
//! task's user before, and afterwards ends whatever is left: by the group, by the descent of processes, and by the
//! namespace, whose processes the kernel ends with its first one.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use rustix::fs::{Gid, Uid};

use super::frame::{Frame, FrameKind};
use super::mind::{Report, descendants, end_all, watch_children};
use super::{WORKER_WORD, WorkerKind};
use crate::executor::cgroup::Group;
use crate::executor::{Cage, bubblewrap};
use crate::limits;
use crate::spawn::CommandRequest;

pub(super) fn mind(
    daemon: &mut UnixStream,
    frame: &Frame,
    request: &CommandRequest,
    cage: &Cage,
) -> Result<Report, Report> {
    check(request, cage)?;
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own)).map_err(io::Error::from)?;
    hand_over(cage)?;
    let group = match &cage.layers.cgroups {
        Some(cgroups) => {
            let made = Group::make(cgroups, &cage.bounds, &own.to_string());
            Some(made.map_err(|error| Report::System(format!("making its control group: {error}")))?)
        }
        None => None,
    };
    let answered = start(cage).and_then(|mut init| {
        // From here on its processes are started: they are in the group as it is.
        for pid in descendants(own) {
            group.as_ref().map_or(Ok(()), |group| group.enter(pid))?;
        }
        follow(daemon, frame, request, &mut init)
    });
    let (sender, events) = mpsc::channel();
    drop(watch_children(sender));
    if let Some(group) = &group {
        let killed = group.out_of_memory();
        if killed > 0 {
            let most = cage.bounds.memory_bytes >> 20;
            eprintln!(
                "[taskbot: {killed} processes were killed: together they wanted more than {most} MiB of memory]"
            );
        }
        group.kill();
    }
    let survivors = end_all(&events, own);
    if let Some(group) = group {
        group.remove();
    }
    if survivors > 0 { Ok(Report::Survivors(survivors)) } else { answered }
}

/// What would make the room fail with less of an explanation.
fn check(request: &CommandRequest, cage: &Cage) -> Result<(), Report> {
    if let Some(missing) = cage.writable.iter().find(|dir| !dir.is_dir()) {
        return Err(Report::Request(format!("{} is not a directory to write to", missing.display())));
    }
    if !request.dir.is_dir() {
        return Err(Report::Request(format!("its directory {} is not there", request.dir.display())));
    }
    Ok(())
}

/// Gives the task's user what it is to write to.
fn hand_over(cage: &Cage) -> Result<(), Report> {
    let Some(user) = bubblewrap::task_user().filter(|_| cage.layers.bubblewrap.is_some()) else {
        return Ok(());
    };
    let (user, group) = (Some(Uid::from_raw(user)), Some(Gid::from_raw(user)));
    bubblewrap::hand_over(&cage.writable)?;
    // So that `/dev/stdout` can be opened.
    rustix::fs::fchown(io::stdout(), user, group).map_err(io::Error::from)?;
    rustix::fs::fchown(io::stderr(), user, group).map_err(io::Error::from)?;
    Ok(())
}

/// Starts the cage and waits until it stands.
fn start(cage: &Cage) -> Result<UnixStream, Report> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let kind = WorkerKind::Init.word();
    // Read by bubblewrap, closed here.
    let mut _given = Vec::new();
    let mut command = match &cage.layers.bubblewrap {
        None => {
            let mut command = Command::new("/proc/self/exe");
            command.args([WORKER_WORD, kind]);
            command
        }
        Some(program) => {
            let (arguments, given) = bubblewrap::arguments(cage, kind)?;
            _given = given;
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
    };
    command.env_clear().process_group(0).stdin(OwnedFd::from(theirs)).spawn()?;
    drop(command);
    match Frame::read(&mut ours)?.map(|frame| frame.parse(FrameKind::Answer)) {
        Some(Ok(Report::Ready)) => Ok(ours),
        _ => Err(Report::System("its room could not be made; the log says why".to_owned())),
    }
}

/// Hands the request over and waits for the answer; passes on that the daemon wants it to stop.
fn follow(
    daemon: &mut UnixStream,
    frame: &Frame,
    request: &CommandRequest,
    init: &mut UnixStream,
) -> Result<Report, Report> {
    frame.write(init)?;
    let (mut asked, stop) = (daemon.try_clone()?, init.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut asked, &mut io::sink());
        let _ = stop.shutdown(Shutdown::Write);
    });
    let patience = request.timeout.saturating_add(limits::TERM_GRACE + limits::KILL_PATIENCE / 2);
    init.set_read_timeout(Some(patience.min(limits::CONFIG_DURATION_MAX)))?;
    match Frame::read(init)? {
        Some(answer) => Ok(answer.parse(FrameKind::Answer)?),
        None => Err(Report::System("the first process of its room was killed; out of memory?".to_owned())),
    }
}
