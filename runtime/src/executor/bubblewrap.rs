//! Bubblewrap: the room in which a task's command sees only what it was given.
//!
//! Comes in: what a command may read and write. Goes out: the arguments of `bwrap`: namespaces of its own for processes,
//! network, IPC, host name and control groups, the system read-only, a fresh `/proc`, `/dev` and `/tmp`, and the run's
//! directories at the paths that they have outside. Nothing else of the file system is there, so the daemon's state and
//! other runs have no name. Whatever the task does, its last process ends with the first one of the room. It starts
//! nothing itself.
//!
//! A daemon that is root gives its tasks a user without rights; any other one takes a user namespace.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Uid};

use super::Cage;
use crate::limits;
use crate::spawn;

/// Where the worker program is inside: scripts find it in their `PATH`, for `taskbot result`.
const WORKER: &str = "/run/taskbot/taskbot";

/// Top directories with programs and libraries; on most systems all but the first are links into it.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Of `/etc`, what programs need to start and to behave as people expect: no account, no key, no password.
const SETTINGS: [&str; 37] = [
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "debian_version",
    "fedora-release",
    "fonts",
    "gai.conf",
    "gcrypt",
    "host.conf",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "magic",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "perl",
    "pki/ca-trust",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "popt.d",
    "protocols",
    "redhat-release",
    "rpc",
    "rpm",
    "rpmlint",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "system-release",
    "timezone",
    "xdg",
];

/// Where `bwrap` is looked for.
const PLACES: [&str; 3] = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"];

/// The user that tasks of a daemon that is root run as; none: its own.
pub(crate) fn task_user() -> Option<u32> {
    rustix::process::geteuid().is_root().then_some(limits::TASK_USER)
}

/// Gives the task's user the directories that it is to write to.
pub(crate) fn hand_over(dirs: &[PathBuf]) -> io::Result<()> {
    let Some(user) = task_user() else { return Ok(()) };
    for dir in dirs {
        rustix::fs::chown(dir, Some(Uid::from_raw(user)), Some(Gid::from_raw(user)))?;
    }
    Ok(())
}

/// Finds `bwrap` and tries it.
pub(super) fn find() -> Result<PathBuf, String> {
    let program = PLACES.iter().map(PathBuf::from).find(|path| path.is_file());
    let program = program.ok_or("`bwrap` is not installed; install the package bubblewrap")?;
    let mut arguments = room();
    arguments.extend(["--remount-ro", "/", "--", "/usr/bin/env", "true"].map(OsString::from));
    spawn::succeeds(&program, &arguments)
        .map_err(|why| format!("`{}` cannot make a room here: {why}", program.display()))?;
    Ok(program)
}

/// The arguments that make a room for this command and start the worker `kind` in it; the descriptors are for `bwrap` to
/// read, and must be open until it was started.
pub(crate) fn arguments(cage: &Cage, kind: &str) -> io::Result<(Vec<OsString>, Vec<OwnedFd>)> {
    let mut arguments = room();
    let mut descriptors = Vec::new();
    for (path, text) in files() {
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(text.as_bytes())?;
        give(&mut arguments, &mut descriptors, reader.into(), path)?;
    }
    match own_program()? {
        Program::At(path) => push(&mut arguments, ["--ro-bind".as_ref(), path.as_path(), WORKER.as_ref()]),
        Program::Replaced(file) => {
            push(&mut arguments, ["--perms", "0555"]);
            give(&mut arguments, &mut descriptors, file.into(), WORKER)?;
        }
    }
    // By path, so that a directory comes before what is in it.
    let readable = cage.readable.iter().map(|path| (path, "--ro-bind-try"));
    let writable = cage.writable.iter().map(|path| (path, "--bind"));
    let granted: BTreeMap<&PathBuf, &str> = readable.chain(writable).collect();
    for (path, how) in granted {
        for above in path.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev().skip(1) {
            open_to_all(&mut arguments, above);
        }
        push(&mut arguments, [how.as_ref(), path.as_path(), path.as_path()]);
    }
    push(&mut arguments, ["--remount-ro", "/", "--", WORKER, crate::worker::WORKER_WORD, kind]);
    Ok((arguments, descriptors))
}

/// What every room has.
fn room() -> Vec<OsString> {
    let mut arguments = Vec::new();
    if task_user().is_none() {
        push(&mut arguments, ["--unshare-user"]);
    }
    push(&mut arguments, ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]);
    push(&mut arguments, ["--unshare-cgroup-try", "--hostname", "taskbot"]);
    push(&mut arguments, ["--die-with-parent", "--as-pid-1", "--clearenv", "--cap-drop", "ALL"]);
    // For the first process alone, which looks at all files of the task; the command gets none of them.
    push(&mut arguments, ["--cap-add", "CAP_DAC_READ_SEARCH"]);
    if task_user().is_some() {
        for capability in ["CAP_SETUID", "CAP_SETGID", "CAP_KILL"] {
            push(&mut arguments, ["--cap-add", capability]);
        }
    }
    for path in SYSTEM {
        match fs::read_link(path) {
            Ok(target) => push(&mut arguments, ["--symlink".as_ref(), target.as_path(), path.as_ref()]),
            Err(_) if Path::new(path).is_dir() => push(&mut arguments, ["--ro-bind", path, path]),
            Err(_) => {}
        }
    }
    for path in ["/etc", "/etc/pki", "/etc/pki/tls", "/etc/ssl", "/run", "/run/taskbot", "/var"] {
        open_to_all(&mut arguments, path);
    }
    for name in SETTINGS {
        let path = format!("/etc/{name}");
        push(&mut arguments, ["--ro-bind-try", path.as_str(), path.as_str()]);
    }
    push(&mut arguments, ["--proc", "/proc", "--dev", "/dev"]);
    for (path, bytes) in [("/tmp", limits::TASK_TMP_BYTES), ("/dev/shm", limits::TASK_SHM_BYTES)] {
        push(&mut arguments, ["--perms", "1777", "--size", &bytes.to_string(), "--tmpfs", path]);
    }
    push(&mut arguments, ["--symlink", "../tmp", "/var/tmp", "--remount-ro", "/dev"]);
    arguments
}

/// Makes a directory, if it is not there, which Bubblewrap would do for its owner alone.
fn open_to_all(arguments: &mut Vec<OsString>, path: impl AsRef<Path>) {
    push(arguments, ["--perms".as_ref(), "0755".as_ref(), "--dir".as_ref(), path.as_ref()]);
}

fn push<A: Into<OsString>>(arguments: &mut Vec<OsString>, more: impl IntoIterator<Item = A>) {
    arguments.extend(more.into_iter().map(Into::into));
}

/// Files that are made for the room.
fn files() -> [(&'static str, String); 3] {
    let (user, group) = match task_user() {
        Some(id) => (id, id),
        None => (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
    };
    [
        ("/etc/passwd", format!("root:x:0:0:root:/:/bin/sh\ntask:x:{user}:{group}:the task:/tmp:/bin/sh\n")),
        ("/etc/group", format!("root:x:0:\ntask:x:{group}:\n")),
        ("/etc/hosts", "127.0.0.1 localhost taskbot\n::1 localhost\n".to_owned()),
    ]
}

/// Lets `bwrap` read a file's content from a descriptor, which it inherits.
fn give(
    arguments: &mut Vec<OsString>,
    descriptors: &mut Vec<OwnedFd>,
    from: OwnedFd,
    path: &str,
) -> io::Result<()> {
    rustix::io::fcntl_setfd(from.as_fd(), rustix::io::FdFlags::empty())?;
    push(arguments, ["--ro-bind-data", &from.as_raw_fd().to_string(), path]);
    descriptors.push(from);
    Ok(())
}

/// The running program.
enum Program {
    /// Its file is where it was.
    At(PathBuf),
    /// Its file was replaced or removed: its content is still here.
    Replaced(File),
}

fn own_program() -> io::Result<Program> {
    let running = File::open("/proc/self/exe")?;
    let path = fs::read_link("/proc/self/exe")?;
    let own = running.metadata()?;
    match fs::metadata(&path) {
        Ok(there) if (there.dev(), there.ino()) == (own.dev(), own.ino()) => Ok(Program::At(path)),
        _ => Ok(Program::Replaced(running)),
    }
}
