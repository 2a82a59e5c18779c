//! The minder: one process beside each command, which sees to it that nothing of the command is left.
//!
//! Comes in: a `CommandRequest` over the socket that is its standard input, and later the end of that socket,
//! which means stop (so a daemon that dies stops its commands). Goes out: one answer: how the command ended, or
//! why it did not start. As a "child subreaper" it inherits whatever the command leaves behind, in other
//! sessions too, and kills it. It never reads the command's output, which goes straight to the daemon.
//!
//! The command of a task is minded twice: from within its cage, by its first process (`init`), and from outside, by
//! `cage`, which sees to `init`.

use std::collections::HashMap;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus};
use serde::{Deserialize, Serialize};

use super::exec::standard_input;
use super::frame::{Frame, FrameKind};
use super::{WORKER_WORD, WorkerKind};
use crate::executor::{Cage, Layer, bubblewrap, disk};
use crate::limits;
use crate::spawn::{CommandRequest, Confinement, Ended};

/// The minder's one answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// From the first process of a cage, before its answer: the cage stands, the request may come.
    Ready,
    /// It ran and ended.
    Ended(Ended),
    /// It ended, but some of its processes could not be killed.
    Survivors(usize),
    /// The request cannot be carried out.
    Request(String),
    /// The program could not be executed.
    Program {
        /// Its name.
        program: String,
        /// The system's reason.
        reason: String,
    },
    /// The machine failed.
    System(String),
}

impl From<io::Error> for Report {
    fn from(error: io::Error) -> Self {
        Self::System(error.to_string())
    }
}

pub(super) enum Event {
    Reaped(Pid, WaitStatus),
    NoneLeft,
    Stop,
    /// It takes more of the disk than it may.
    Exceeded(String),
}

pub(super) fn main() -> ExitCode {
    let Ok(mut daemon) = standard_input() else { return ExitCode::FAILURE };
    let report = mind(&mut daemon).unwrap_or_else(|report| report);
    answer(&report, &mut daemon)
}

/// The first process of a cage: whatever happens, with its end everything in there ends.
pub(super) fn init() -> ExitCode {
    let Ok(mut minder) = standard_input() else { return ExitCode::FAILURE };
    let mut ready = || -> io::Result<()> {
        // A task of the same user must not write into this process.
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        Frame::json(FrameKind::Answer, &Report::Ready)?.write(&mut minder)
    };
    if ready().is_err() {
        return ExitCode::FAILURE;
    }
    let report = mind_command(&mut minder).unwrap_or_else(|report| report);
    answer(&report, &mut minder)
}

fn answer(report: &Report, to: &mut UnixStream) -> ExitCode {
    match Frame::json(FrameKind::Answer, report).and_then(|frame| frame.write(to)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn mind(daemon: &mut UnixStream) -> Result<Report, Report> {
    let (frame, request) = receive(daemon)?;
    match &request.confinement {
        Confinement::User => mind_this(daemon, &frame, &request),
        Confinement::Task(cage) => super::cage::mind(daemon, &frame, &request, cage),
    }
}

fn mind_command(minder: &mut UnixStream) -> Result<Report, Report> {
    let (frame, request) = receive(minder)?;
    mind_this(minder, &frame, &request)
}

fn receive(from: &mut UnixStream) -> Result<(Frame, CommandRequest), Report> {
    let frame = Frame::read(from)?.ok_or(Report::System("no request came".to_owned()))?;
    let request = frame.parse(FrameKind::Request)?;
    Ok((frame, request))
}

fn mind_this(asked: &mut UnixStream, frame: &Frame, request: &CommandRequest) -> Result<Report, Report> {
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own)).map_err(io::Error::from)?;
    let cage = match &request.confinement {
        Confinement::User => None,
        Confinement::Task(cage) => Some(cage),
    };
    let user = cage.filter(|cage| cage.layers.has(Layer::Bubblewrap)).and_then(|_| bubblewrap::task_user());
    // The threads are there before the command is, which may leave no room for any.
    let (sender, events) = mpsc::channel();
    let started = watch_children(sender.clone());
    watch_socket(asked.try_clone()?, sender.clone());
    if let Some(cage) = cage {
        watch_disk((**cage).clone(), sender);
    }
    let command = start(frame, user)?;
    drop(started);
    let now = Instant::now();
    // Beyond what the clock can tell it is as good as never.
    let deadline = now.checked_add(request.timeout).unwrap_or(now + limits::CONFIG_DURATION_MAX);
    let ended = until_end(&events, command, deadline);
    // With the first process of a room the kernel ends all others.
    let survivors = if own.is_init() { 0 } else { end_all(&events, own) };
    Ok(if survivors == 0 { Report::Ended(ended) } else { Report::Survivors(survivors) })
}

/// Starts the command through `worker exec`, which closes its end of the socket by becoming the command.
fn start(request: &Frame, user: Option<u32>) -> Result<Pid, Report> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new("/proc/self/exe");
    command.args([WORKER_WORD, WorkerKind::Exec.word()]).env_clear().stdin(OwnedFd::from(theirs));
    if let Some(user) = user {
        // The standard library gives up all further groups with it.
        command.uid(user).gid(user);
    }
    let child = command.spawn()?;
    drop(command);
    request.write(&mut ours)?;
    if let Some(answer) = Frame::read(&mut ours)? {
        return Err(answer.parse(FrameKind::Answer)?);
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| Report::System("a child without a process id".to_owned()))
}

/// A thread that waits for the end of the socket; it ends with this process.
pub(super) fn watch_socket(mut socket: UnixStream, events: Sender<Event>) {
    thread::spawn(move || {
        while socket.read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {}
        let _ = events.send(Event::Stop);
    });
}

/// A thread that waits for children, as long as there are any; it begins when what it gives is dropped.
#[must_use]
pub(super) fn watch_children(events: Sender<Event>) -> Sender<()> {
    let (begin, begun) = mpsc::channel();
    thread::spawn(move || {
        let _ = begun.recv();
        loop {
            let event = match rustix::process::wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) => Event::Reaped(pid, status),
                Ok(None) | Err(rustix::io::Errno::INTR) => continue,
                Err(_) => Event::NoneLeft,
            };
            let last = matches!(event, Event::NoneLeft);
            if events.send(event).is_err() || last {
                return;
            }
        }
    });
    begin
}

/// A thread that looks how much of the disk the command takes, until that is too much.
fn watch_disk(cage: Cage, events: Sender<Event>) {
    thread::spawn(move || {
        loop {
            let since = Instant::now();
            let found = disk::beyond(&cage);
            if let Some(found) = found {
                let _ = events.send(Event::Exceeded(found));
                return;
            }
            thread::sleep(limits::DISK_LOOK.max(since.elapsed() * limits::DISK_LOOK_SHARE));
        }
    });
}

/// Waits for the command itself; asks it to end when its time is over or the daemon says so.
fn until_end(events: &Receiver<Event>, command: Pid, deadline: Instant) -> Ended {
    let stopped = match wait_for(events, command, deadline) {
        Waited::Status(status) => return ended(status),
        Waited::Stop => Ended::Cancelled,
        Waited::Deadline => Ended::TimedOut,
        Waited::Exceeded(why) => {
            // Standard error is the log of the task.
            eprintln!("[taskbot: killed: {why}]");
            let _ = rustix::process::kill_process_group(command, Signal::KILL);
            return Ended::Signal(Signal::KILL.as_raw());
        }
    };
    let _ = rustix::process::kill_process_group(command, Signal::TERM);
    let grace = Instant::now() + limits::TERM_GRACE;
    while matches!(wait_for(events, command, grace), Waited::Stop | Waited::Exceeded(_)) {}
    stopped
}

enum Waited {
    Status(WaitStatus),
    Stop,
    Deadline,
    Exceeded(String),
}

fn wait_for(events: &Receiver<Event>, command: Pid, deadline: Instant) -> Waited {
    loop {
        match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Event::Reaped(pid, status)) if pid == command => return Waited::Status(status),
            Ok(Event::Reaped(..)) => {}
            Ok(Event::Stop) => return Waited::Stop,
            Ok(Event::Exceeded(why)) => return Waited::Exceeded(why),
            Ok(Event::NoneLeft) | Err(_) => return Waited::Deadline,
        }
    }
}

fn ended(status: WaitStatus) -> Ended {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ended::Exit(code),
        (None, Some(signal)) => Ended::Signal(signal),
        (None, None) => Ended::Signal(Signal::KILL.as_raw()),
    }
}

/// Kills all that descends from here until nothing is left; gives the number of those that would not die.
pub(super) fn end_all(events: &Receiver<Event>, own: Pid) -> usize {
    let patience = Instant::now() + limits::KILL_PATIENCE;
    loop {
        let left = descendants(own);
        for pid in &left {
            let _ = rustix::process::kill_process(*pid, Signal::KILL);
        }
        loop {
            match events.recv_timeout(Duration::from_millis(20)) {
                Ok(Event::NoneLeft) => return 0,
                Ok(Event::Reaped(..) | Event::Stop | Event::Exceeded(_)) => {}
                Err(_) if left.is_empty() && descendants(own).is_empty() => return 0,
                Err(_) => break,
            }
        }
        if Instant::now() > patience {
            return left.len();
        }
    }
}

/// Every living process below this one, by the parents that `/proc` tells.
pub(super) fn descendants(own: Pid) -> Vec<Pid> {
    let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for name in entries.map(|entry| entry.file_name()) {
        let pid = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        if let Some((pid, parent)) = pid.and_then(|pid| Some((pid, parent(pid)?))) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![own];
    while let Some(parent) = open.pop() {
        let below = children.remove(&parent).unwrap_or_default();
        open.extend(&below);
        found.extend(below);
    }
    found
}

/// Parent in `/proc/PID/stat`, `PID (NAME) STATE PARENT ...`, where the name may hold anything; none for a zombie.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.get(stat.iter().rposition(|byte| *byte == b')')? + 1..)?;
    let mut words = std::str::from_utf8(after_name).ok()?.split_ascii_whitespace();
    let state = words.next()?;
    let parent = words.next()?.parse().ok()?;
    if state == "Z" { None } else { Pid::from_raw(parent) }
}
