//! How hostile tasks are run, and what must hold after each: nothing of it lives, nothing of others was read or changed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

pub mod commands;
pub mod leavings;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use taskbot_runtime::executor::{Bounds, Ended, Executor, Layer, Place, TaskCommand};
use taskbot_runtime::limits;
use tokio_util::sync::CancellationToken;

/// What no task may ever learn.
pub const SECRET: &str = "canary-of-the-daemon-3f1c";

/// A command that attacks, and what must hold.
pub struct HostileCommand {
    pub name: &'static str,
    /// Layers without which it cannot be held.
    pub needs: &'static [Layer],
    pub script: &'static str,
    pub ending: Ending,
    /// What its log must hold.
    pub says: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with a log that says `held`.
    Held,
    /// At its time limit.
    TimedOut,
    /// Because it took too much.
    Killed,
}

/// The neighbourhood of hostile commands: a store, another run, services of the machine.
pub struct Scene {
    pub dir: tempfile::TempDir,
    mark: String,
    port: u16,
    _listener: TcpListener,
    _abstract: UnixListener,
}

impl Scene {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in [("state/taskbot.db", SECRET), ("other/file", SECRET)] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mark = format!("hostile-{}", dir.path().file_name().unwrap().to_str().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = SocketAddr::from_abstract_name(&mark).unwrap();
        Self { mark, port, _listener: listener, _abstract: UnixListener::bind_addr(&address).unwrap(), dir }
    }

    /// What is wrong after this command, if anything.
    pub async fn attack(&self, executor: &Executor, command: &HostileCommand) -> Vec<String> {
        let room = self.dir.path().join(command.name.replace(['/', ' '], "-"));
        let path = |name: &str| room.join(name);
        for name in ["work", "task"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::write(path("task/attack.py"), include_str!("attack.py")).unwrap();
        give_to_minder(executor, &path("work"));
        let never = CancellationToken::new();
        let ended = executor.execute(self.command(command, &room), &never);
        let ended = tokio::time::timeout(Duration::from_secs(120), ended).await;
        let ended = ended.expect("it hangs").map_err(|error| error.to_string());
        let log = String::from_utf8_lossy(&fs::read(path("log")).unwrap_or_default()).into_owned();
        let mut wrong = Vec::new();
        let expected = match command.ending {
            Ending::Held => Ended::Exit(0),
            Ending::TimedOut => Ended::TimedOut,
            Ending::Killed => Ended::Signal(9),
        };
        let shown: String = log.chars().take(2000).collect();
        if ended.as_ref() != Ok(&expected) {
            wrong.push(format!("ended {ended:?} instead of {expected:?}: {shown}"));
        }
        if log.contains("ESCAPED") || log.contains(SECRET) || !log.contains(command.says) {
            wrong.push(shown);
        }
        if log.len() as u64 > limits::TASK_LOG_BYTES + 200 {
            wrong.push(format!("its log has {} bytes", log.len()));
        }
        wrong.extend(self.survivors(&room));
        let shared = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        if command.name.contains("shared memory") && shared.contains(commands::SHARED_MEMORY_KEY) {
            wrong.push("its shared memory is still there".to_owned());
        }
        for file in ["state/taskbot.db", "other/file"] {
            if fs::read_to_string(self.dir.path().join(file)).ok().as_deref() != Some(SECRET) {
                wrong.push(format!("{file} was changed"));
            }
        }
        wrong
    }

    fn command(&self, command: &HostileCommand, room: &Path) -> TaskCommand {
        let work = room.join("work");
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let env = BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin:/bin:/usr/sbin:/sbin".to_owned()),
            ("PYTHONPATH".to_owned(), text(&room.join("task"))),
            ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
            ("W".to_owned(), text(&work)),
            ("TASK".to_owned(), text(&room.join("task"))),
            ("STATE".to_owned(), text(&self.dir.path().join("state"))),
            ("OTHER".to_owned(), text(&self.dir.path().join("other"))),
            ("PORT".to_owned(), self.port.to_string()),
            ("ABSTRACT".to_owned(), self.mark.clone()),
            ("HOST_PID".to_owned(), std::process::id().to_string()),
        ]);
        let timeout = if command.ending == Ending::TimedOut { 1 } else { 60 };
        TaskCommand {
            argv: ["sh", "-c", command.script].map(str::to_owned).to_vec(),
            dir: work.clone(),
            env,
            log: room.join("log"),
            writable: vec![work],
            readable: vec![room.join("task")],
            bounds: Bounds {
                memory_bytes: 256 << 20,
                cpus: Some(1),
                processes: 100,
                disk_bytes: 64 << 20,
                files: 2000,
            },
            place: Place::Sandbox,
            timeout: Duration::from_secs(timeout),
        }
    }

    /// Processes that are still there: by their directory, their environment, or the group that they are in.
    fn survivors(&self, room: &Path) -> Option<String> {
        let found = |pid: &Path| {
            let cwd = fs::read_link(pid.join("cwd")).is_ok_and(|cwd| cwd.starts_with(room));
            let environment = fs::read(pid.join("environ")).unwrap_or_default();
            let work = room.join("work");
            let work = work.as_os_str().as_encoded_bytes();
            cwd || environment.windows(work.len()).any(|part| part == work)
        };
        let pids = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let left: Vec<PathBuf> = pids
            .filter(|pid| pid.join("cwd").is_symlink() || pid.join("environ").exists())
            .filter(|pid| found(pid))
            .collect();
        (!left.is_empty()).then(|| format!("these live: {left:?}"))
    }
}

/// A minder that is another user than this test has to own what it minds.
fn give_to_minder(executor: &Executor, dir: &Path) {
    if let Some(user) = minder_user(executor) {
        std::os::unix::fs::chown(dir, Some(user), Some(user)).unwrap();
    }
}

/// The user that `as_plain_user` put before the worker program.
fn minder_user(executor: &Executor) -> Option<u32> {
    let argument = executor.workers.args.first()?.to_str()?;
    argument.strip_prefix("--reuid=")?.parse().ok()
}

/// The same executor as a daemon that is no root has it.
pub fn as_plain_user(mut executor: Executor) -> Executor {
    let user = 54_321;
    let worker = executor.workers.path.clone();
    executor.workers.path = "/usr/bin/setpriv".into();
    executor.workers.args.splice(
        0..0,
        [
            format!("--reuid={user}").into(),
            format!("--regid={user}").into(),
            "--clear-groups".into(),
            worker.into(),
        ],
    );
    executor.layers = executor.layers.without(Layer::Cgroup);
    executor
}
