//! The executor for containers, by the command line of podman.
//!
//! Comes in: a command and the name of an image that the site gave. Goes out: how it ended, and its log, as from the
//! sandbox. A container has no network, no capability, a read-only root and the run's directories at their paths; podman
//! bounds memory, processes and processors, and what is written is watched here. Values of messages reach podman by its
//! environment, never by its command line. A container is removed after its command; what a crash left, at the next start.
//! It never fetches an image.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::{Bounds, Ended, Executor, ExecutorError, TaskCommand, bubblewrap, disk, log_of};
use crate::limits;
use crate::spawn::{self, CommandRequest, Confinement, ProcessLimits, SpawnError, WorkerProgram};

/// Where podman is looked for.
const PLACES: [&str; 2] = ["/usr/bin/podman", "/usr/local/bin/podman"];
/// Marks the containers of one daemon, so that it removes no other's.
const LABEL: &str = "taskbot.state";

/// What a site says of containers, `[executor.container]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Containers {
    /// Podman's own choice where there is none.
    pub runtime: Option<String>,
    /// Images by the names that manifests use: what podman calls them, or a directory with a root file system.
    pub images: BTreeMap<String, String>,
    /// Whose containers these are: the daemon's directory.
    pub owner: PathBuf,
}

impl Containers {
    /// The image that a manifest means.
    ///
    /// # Errors
    /// Which there are.
    pub fn image(&self, name: Option<&str>) -> Result<&str, String> {
        let known = || self.images.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let name = name.ok_or("a container needs `environment.image`")?;
        self.images.get(name).map(String::as_str).ok_or_else(|| match known() {
            none if none.is_empty() => {
                format!("no image `{name}`: this site gives none; add it to [executor.container.images]")
            }
            known => format!("no image `{name}`; this site gives {known}"),
        })
    }

    /// Removes the containers that a crash left.
    pub async fn sweep(&self, workers: &WorkerProgram) {
        if self.images.is_empty() {
            return;
        }
        let removed = async {
            let podman = Podman::find(workers)?;
            let filter = format!("label={LABEL}={}", self.owner.display());
            let left = podman.say(&["ps", "--all", "--quiet", "--filter", &filter], BTreeMap::new()).await?;
            for id in left.lines() {
                podman.remove(id).await;
                tracing::info!(container = id, "removed a container that a crash had left");
            }
            Ok::<_, SpawnError>(())
        };
        if let Err(error) = removed.await {
            tracing::warn!(%error, "tasks cannot run in containers");
        }
    }
}

/// Runs a command in a container of its own.
pub(super) async fn execute(
    executor: &Executor,
    command: TaskCommand,
    image: &str,
    cancel: &CancellationToken,
) -> Result<Ended, ExecutorError> {
    let podman = Podman::find(&executor.workers)?;
    let mut log = log_of(&command.log).await?;
    let name = name();
    let (arguments, values) = create(&executor.containers, &command, image, &name)?;
    bubblewrap::hand_over(&command.writable).map_err(SpawnError::System)?;
    podman.say(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), values).await?;
    let stop = cancel.child_token();
    let start = podman.request(&["start", "--attach", &name], BTreeMap::new(), command.timeout);
    let run = super::run_logged(&executor.workers, start, &command.log, &stop);
    let (ended, beyond) = {
        tokio::pin!(run);
        let watch = watch(command.writable.clone(), command.bounds);
        tokio::select! {
            ended = &mut run => (ended, None),
            beyond = watch => {
                stop.cancel();
                (run.await, Some(beyond))
            }
        }
    };
    let told = podman.told(&name).await;
    podman.remove(&name).await;
    if let Some(beyond) = beyond {
        let line = format!("[taskbot: killed: {beyond}]\n");
        // The file writes on a thread of its own: without `flush` a reader may come before it.
        let written = async { log.write_all(line.as_bytes()).await.and(log.flush().await) };
        written.await.map_err(|error| ExecutorError::Log(command.log, error))?;
        return Ok(Ended::Signal(9));
    }
    match ended? {
        Ended::Exit(_) => Ok(told.and_then(|told| meaning(&told, &command.argv))?),
        other => Ok(other),
    }
}

/// What podman tells of a container that is over: its state and exit code. A signal is told as 128 and its number.
fn meaning(told: &str, argv: &[String]) -> Result<Ended, SpawnError> {
    let code = match told.trim().split_once(' ') {
        Some(("exited", code)) => code.parse::<i32>().ok(),
        Some(("created" | "initialized", _)) => {
            let program = argv.first().cloned().unwrap_or_default();
            let reason = "the container did not start; the log says why".to_owned();
            return Err(SpawnError::Program { program, reason });
        }
        _ => None,
    };
    match code {
        Some(code @ 129..=192) => Ok(Ended::Signal(code - 128)),
        Some(code) => Ok(Ended::Exit(code)),
        None => Err(failed(format!("podman says of the container: {}", told.trim()))),
    }
}

/// Podman's arguments that make the container, and the values that it takes from its environment.
fn create(
    site: &Containers,
    command: &TaskCommand,
    image: &str,
    name: &str,
) -> Result<(Vec<String>, BTreeMap<String, String>), SpawnError> {
    if command.argv.is_empty() {
        return Err(SpawnError::Request("it names no program".to_owned()));
    }
    let bounds = command.bounds;
    let mut arguments: Vec<String> = Vec::new();
    arguments.extend(site.runtime.iter().flat_map(|runtime| ["--runtime".to_owned(), runtime.clone()]));
    arguments.push("create".to_owned());
    let mut option = |name: &str, value: &dyn Display| arguments.extend([name.to_owned(), value.to_string()]);
    option("--name", &name);
    option("--label", &format!("{LABEL}={}", site.owner.display()));
    for (name, value) in [
        ("--pull", "never"),
        ("--network", "none"),
        ("--cap-drop", "all"),
        ("--security-opt", "no-new-privileges"),
        ("--log-driver", "none"),
        ("--hostname", "taskbot"),
    ] {
        option(name, &value);
    }
    if let Some(user) = bubblewrap::task_user() {
        option("--user", &format!("{user}:{user}"));
    }
    option("--memory", &bounds.memory_bytes);
    option("--memory-swap", &bounds.memory_bytes);
    option("--pids-limit", &bounds.processes);
    if let Some(cpus) = bounds.cpus {
        option("--cpus", &cpus);
    }
    option("--shm-size", &limits::TASK_SHM_BYTES);
    for (limit, most) in [
        ("nofile", limits::TASK_OPEN_FILES),
        ("nproc", limits::TASK_PROCESSES),
        ("fsize", limits::TASK_FILE_BYTES.min(bounds.disk_bytes)),
        ("core", 0),
    ] {
        option("--ulimit", &format!("{limit}={most}:{most}"));
    }
    for place in ["/tmp", "/var/tmp", "/run"] {
        option("--tmpfs", &format!("{place}:size={},mode=1777", limits::TASK_TMP_BYTES));
    }
    let readable = command.readable.iter().filter(|path| path.exists()).map(|path| (path, ",ro=true"));
    for (path, how) in readable.chain(command.writable.iter().map(|path| (path, ""))) {
        let path = mountable(path)?;
        option("--mount", &format!("type=bind,src={path},dst={path}{how}"));
    }
    option("--workdir", &command.dir.display());
    let mut values = BTreeMap::new();
    for (key, value) in &command.env {
        // What comes of messages stays off the command line; the rest is told there, since podman has a `PATH` and a
        // `HOME` of its own.
        if key.starts_with("TASKBOT_") {
            values.insert(key.clone(), value.clone());
            option("--env", key);
        } else {
            option("--env", &format!("{key}={value}"));
        }
    }
    arguments.push("--read-only".to_owned());
    match image.starts_with('/') {
        true => arguments.extend(["--rootfs".to_owned(), format!("{image}:O")]),
        false => arguments.push(image.to_owned()),
    }
    arguments.extend(command.argv.iter().cloned());
    Ok((arguments, values))
}

/// A path as podman's `--mount` takes it.
fn mountable(path: &Path) -> Result<&str, SpawnError> {
    let wrong = |why: &str| SpawnError::Request(format!("{}: {why}", path.display()));
    let text = path.to_str().filter(|text| !text.contains([',', '"', '\n']));
    let text = text.ok_or_else(|| wrong("podman cannot mount a path with such a name"))?;
    if path.exists() { Ok(text) } else { Err(wrong("is not there")) }
}

/// Ends when the directories hold more than they may.
async fn watch(dirs: Vec<PathBuf>, bounds: Bounds) -> String {
    loop {
        let dirs = dirs.clone();
        let looked = tokio::task::spawn_blocking(move || disk::over(&dirs, &bounds)).await;
        match looked {
            Ok(Some(beyond)) => return beyond,
            _ => tokio::time::sleep(limits::DISK_LOOK * limits::DISK_LOOK_SHARE).await,
        }
    }
}

/// A name that no other container of this machine has.
fn name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    format!("taskbot-{}-{since}-{count}", std::process::id())
}

fn failed(text: String) -> SpawnError {
    SpawnError::System(io::Error::other(text))
}

/// The podman of this machine.
struct Podman<'a> {
    program: &'static str,
    workers: &'a WorkerProgram,
}

impl<'a> Podman<'a> {
    fn find(workers: &'a WorkerProgram) -> Result<Self, SpawnError> {
        let program = PLACES.into_iter().find(|path| Path::new(path).is_file());
        let program = program.ok_or_else(|| SpawnError::Program {
            program: "podman".to_owned(),
            reason: "not installed; install the packages podman and runc (or crun)".to_owned(),
        })?;
        Ok(Self { program, workers })
    }

    fn request(
        &self,
        arguments: &[&str],
        mut env: BTreeMap<String, String>,
        timeout: Duration,
    ) -> CommandRequest {
        // Where a daemon that is no root keeps its images is said by these.
        for key in ["HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            env.extend(std::env::var(key).ok().map(|value| (key.to_owned(), value)));
        }
        env.insert("PATH".to_owned(), crate::task::plan::TASK_PATH.to_owned());
        let argv = [self.program].iter().chain(arguments).map(ToString::to_string).collect();
        CommandRequest {
            argv,
            dir: "/".into(),
            env,
            stdin: String::new(),
            timeout,
            limits: ProcessLimits::default(),
            confinement: Confinement::User,
        }
    }

    /// What it answers.
    async fn say(&self, arguments: &[&str], env: BTreeMap<String, String>) -> Result<String, SpawnError> {
        let request = self.request(arguments, env, limits::PODMAN_TIMEOUT);
        let never = CancellationToken::new();
        let said = spawn::capture(self.workers, request, limits::WORKER_STDERR_BYTES, &never).await?;
        match said.ended {
            Ended::Exit(0) => Ok(String::from_utf8_lossy(&said.stdout).into_owned()),
            _ => Err(failed(format!("podman: {}", String::from_utf8_lossy(&said.stderr).trim()))),
        }
    }

    async fn told(&self, name: &str) -> Result<String, SpawnError> {
        let format = "{{.State.Status}} {{.State.ExitCode}}";
        self.say(&["inspect", "--format", format, name], BTreeMap::new()).await
    }

    async fn remove(&self, name: &str) {
        if let Err(error) = self.say(&["rm", "--force", "--time", "0", name], BTreeMap::new()).await {
            tracing::warn!(container = name, %error, "a container was not removed; the next start tries again");
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn images_are_those_of_the_site_alone() {
        let images = BTreeMap::from([("fedora".to_owned(), "localhost/fedora".to_owned())]);
        let site = Containers { images, ..Containers::default() };
        assert_eq!(site.image(Some("fedora")), Ok("localhost/fedora"));
        assert!(site.image(Some("/")).unwrap_err().contains("gives fedora"));
        assert!(Containers::default().image(Some("x")).unwrap_err().contains("[executor.container.images]"));
        assert!(site.image(None).is_err());
    }

    #[test]
    fn values_of_messages_are_not_on_the_command_line() {
        let command = TaskCommand {
            argv: vec!["./run".to_owned()],
            dir: "/".into(),
            env: BTreeMap::from([("TASKBOT_INPUT_X".to_owned(), "--privileged".to_owned())]),
            log: "/dev/null".into(),
            writable: vec!["/tmp".into()],
            readable: Vec::new(),
            bounds: Bounds::default(),
            place: super::super::Place::Sandbox,
            timeout: Duration::from_secs(1),
        };
        let (arguments, values) = create(&Containers::default(), &command, "x", "n").unwrap();
        assert!(!arguments.iter().any(|argument| argument.contains("--privileged")), "{arguments:?}");
        assert_eq!(values.get("TASKBOT_INPUT_X").map(String::as_str), Some("--privileged"));
        let odd = TaskCommand { writable: vec!["/tmp/a,src=/".into()], ..command };
        assert!(create(&Containers::default(), &odd, "x", "n").is_err());
    }

    #[test]
    fn podman_is_understood() {
        let argv = ["x".to_owned()];
        assert_eq!(meaning("exited 3\n", &argv).unwrap(), Ended::Exit(3));
        assert_eq!(meaning("exited 137\n", &argv).unwrap(), Ended::Signal(9));
        assert!(matches!(meaning("created 127\n", &argv), Err(SpawnError::Program { .. })));
        assert!(matches!(meaning("running 0\n", &argv), Err(SpawnError::System(_))));
    }
}
