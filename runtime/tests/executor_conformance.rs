//! One suite for every executor: how a command ends, its log, its limits, and that nothing of it is left.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::executor::{Bounds, Containers, Ended, Executor, Layer, Place, TaskCommand};
use taskbot_runtime::limits;
use tokio_util::sync::CancellationToken;

/// An executor of this machine, and a room for one run.
struct House {
    executor: Executor,
    place: Place,
    dir: tempfile::TempDir,
}

/// Every executor that this machine has.
fn houses() -> Vec<House> {
    let dir = || {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        dir
    };
    let mut houses =
        vec![House { executor: Executor::new(support::worker()), place: Place::Sandbox, dir: dir() }];
    if !Path::new("/usr/bin/podman").exists() {
        support::skip("podman", "install podman and runc to run the suite on containers");
        return houses;
    }
    let dir = dir();
    let root = root_file_system(dir.path());
    let containers = Containers {
        // The one that works with every layout of control groups.
        runtime: Some("runc".into()),
        images: BTreeMap::from([("small".to_owned(), root.to_str().unwrap().to_owned())]),
        owner: dir.path().to_owned(),
    };
    let place = Place::Container(containers.image(Some("small")).unwrap().to_owned());
    houses.push(House { executor: Executor { containers, ..Executor::new(support::worker()) }, place, dir });
    houses
}

/// A root file system with a shell and a few programs of this machine.
fn root_file_system(dir: &Path) -> PathBuf {
    let root = dir.join("root");
    for name in ["tmp", "var/tmp", "run", "proc", "dev", "sys", "etc"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    let script = "for tool in sh env sleep head cat id touch ls grep; do \
                  path=$(command -v $tool); cp --parents -L $path \"$1\"; \
                  ldd $path | grep -o '/[^ ]*' | while read lib; do cp --parents -L $lib \"$1\"; done; done";
    let made = Command::new("sh").args(["-ec", script, "sh"]).arg(&root).status().unwrap();
    assert!(made.success());
    root
}

impl House {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, argv: &[&str]) -> TaskCommand {
        TaskCommand {
            argv: argv.iter().map(ToString::to_string).collect(),
            dir: self.path("work"),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            log: self.path("log"),
            writable: vec![self.path("work")],
            readable: Vec::new(),
            bounds: Bounds { processes: 100, ..Bounds::default() },
            place: self.place.clone(),
            timeout: Duration::from_secs(60),
        }
    }

    async fn run(&self, command: TaskCommand) -> Ended {
        self.executor.execute(command, &CancellationToken::new()).await.unwrap()
    }

    async fn shell(&self, script: &str) -> Ended {
        self.run(self.command(&["sh", "-c", script])).await
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// Processes in its directories, and containers.
    fn left(&self) -> Vec<String> {
        let in_here = |entry: &fs::DirEntry| {
            fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.dir.path()))
        };
        let processes = fs::read_dir("/proc").unwrap().flatten().filter(in_here);
        let mut left: Vec<String> = processes.map(|entry| entry.path().display().to_string()).collect();
        if matches!(self.place, Place::Container(_)) {
            let label = format!("label=taskbot.state={}", self.dir.path().display());
            let listed =
                Command::new("podman").args(["ps", "--all", "--quiet", "--filter", &label]).output().unwrap();
            left.extend(String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned));
        }
        left
    }
}

#[tokio::test]
async fn a_command_ends_with_its_code_and_leaves_its_log() {
    for house in houses() {
        assert_eq!(house.shell("echo out; echo err >&2; exit 3").await, Ended::Exit(3));
        assert_eq!(house.shell("sh -c 'kill -9 $$'; exit $?").await.verdict(), Ended::Signal(9));
        assert_eq!(house.shell("echo more > /dev/stdout; pwd").await, Ended::Exit(0));
        let log = house.log();
        for said in ["out\n", "err\n", "more\n", &format!("{}\n", house.path("work").display())] {
            assert!(log.contains(said), "{:?}: {log}", house.place);
        }
        assert_eq!(house.left(), Vec::<String>::new());
    }
}

/// A shell tells a signal as 128 and its number, and so does podman.
trait Verdict {
    fn verdict(self) -> Ended;
}

impl Verdict for Ended {
    fn verdict(self) -> Ended {
        match self {
            Self::Exit(code @ 129..) => Self::Signal(code - 128),
            other => other,
        }
    }
}

#[tokio::test]
async fn it_sees_what_it_is_given_and_nothing_else() {
    for house in houses() {
        fs::write(house.path("given"), "given").unwrap();
        fs::write(house.path("hidden"), "hidden").unwrap();
        let mut command =
            house.command(&["sh", "-c", "env; id -u; cat ../given ../hidden; touch ../given x; ls /root"]);
        command.env.insert("TASKBOT_INPUT_X".to_owned(), "--privileged; $(id)\n'\"".to_owned());
        command.readable.push(house.path("given"));
        house.run(command).await;
        let log = house.log();
        assert!(log.contains("TASKBOT_INPUT_X=--privileged; $(id)\n'\"\n"), "{log}");
        assert!(!log.contains("CARGO") && log.contains("given"), "{log}");
        if matches!(house.place, Place::Container(_)) || house.executor.layers.has(Layer::Bubblewrap) {
            assert!(!log.contains("hidden\n") && !log.contains("\n0\n"), "{log}");
        }
        assert_eq!(fs::read_to_string(house.path("given")).unwrap(), "given");
        assert!(house.path("work/x").exists());
    }
}

#[tokio::test]
async fn what_cannot_start_is_an_error_with_a_class() {
    for house in houses() {
        let commands = [
            house.command(&["no-such-program-here"]),
            house.command(&[]),
            TaskCommand { writable: vec![house.path("absent")], ..house.command(&["true"]) },
        ];
        for command in commands {
            let argv = command.argv.clone();
            let error = house.executor.execute(command, &CancellationToken::new()).await.unwrap_err();
            assert_eq!(error.class(), ErrorClass::Permanent, "{:?} {argv:?}: {error}", house.place);
        }
        assert_eq!(house.left(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_timeout_asks_then_kills() {
    for house in houses() {
        let polite = "trap 'echo asked; exit 0' TERM; while :; do sleep 0.1; done";
        let deaf = "trap '' TERM; while :; do sleep 0.1; done";
        for (script, said) in [(polite, true), (deaf, false)] {
            let mut command = house.command(&["sh", "-c", script]);
            command.timeout = Duration::from_secs(1);
            command.log = house.path(if said { "polite" } else { "deaf" });
            let log = command.log.clone();
            assert_eq!(house.run(command).await, Ended::TimedOut);
            assert_eq!(fs::read_to_string(log).unwrap().contains("asked"), said, "{:?}", house.place);
        }
        assert_eq!(house.left(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn cancelling_ends_it() {
    for house in houses() {
        let cancel = CancellationToken::new();
        let command = house.command(&["sh", "-c", "touch begun; while :; do sleep 0.1; done"]);
        let run = house.executor.execute(command, &cancel);
        let later = async {
            for _ in 0..3000 {
                if house.path("work/begun").exists() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            cancel.cancel();
        };
        assert_eq!(tokio::join!(run, later).0.unwrap(), Ended::Cancelled);
        assert_eq!(house.left(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn limits_hold() {
    for house in houses() {
        assert_eq!(house.shell("head -c 60000000 /dev/zero").await, Ended::Exit(0));
        let length = fs::metadata(house.path("log")).unwrap().len();
        assert!((limits::TASK_LOG_BYTES..limits::TASK_LOG_BYTES + 200).contains(&length), "{length}");
        fs::remove_file(house.path("log")).unwrap();

        let bounds = Bounds { disk_bytes: 8 << 20, ..Bounds::default() };
        let script = "i=0; while :; do head -c 1000000 /dev/zero > f$i; i=$((i+1)); sleep 0.05; done";
        let ended = house.run(TaskCommand { bounds, ..house.command(&["sh", "-c", script]) }).await;
        assert_eq!(ended, Ended::Signal(9), "{:?}", house.place);
        assert!(house.log().contains("of disk that it may use"), "{}", house.log());

        let script = "(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 2 & done; wait) 2>&1; exit 0";
        let bounds = Bounds { processes: 12, ..Bounds::default() };
        house.run(TaskCommand { bounds, ..house.command(&["sh", "-c", script]) }).await;
        if matches!(house.place, Place::Container(_)) || house.executor.layers.has(Layer::Cgroup) {
            assert!(house.log().contains("ork"), "no fork was refused: {}", house.log());
        }
    }
}

/// A daemon that is killed leaves a container; the next one removes it, and no other daemon's.
#[tokio::test]
async fn containers_of_a_crash_are_swept() {
    let Some(house) = houses().into_iter().find(|house| matches!(house.place, Place::Container(_))) else {
        return;
    };
    let root = house.path("root");
    let label = |owner: &Path| format!("taskbot.state={}", owner.display());
    let other = tempfile::tempdir().unwrap();
    for owner in [house.dir.path(), other.path()] {
        let made = Command::new("podman")
            .args(["--runtime", "runc", "create", "--network", "none", "--ulimit", "nofile=100:100"])
            .args(["--ulimit", "nproc=100:100", "--label", &label(owner), "--rootfs"])
            .arg(format!("{}:O", root.display()))
            .args(["sleep", "1000"])
            .status()
            .unwrap();
        assert!(made.success());
    }
    assert_eq!(house.left().len(), 1);
    house.executor.containers.sweep(&house.executor.workers).await;
    assert_eq!(house.left(), Vec::<String>::new());
    let theirs = Containers { owner: other.path().to_owned(), ..house.executor.containers.clone() };
    let filter = format!("label={}", label(other.path()));
    let listed = || {
        let output = Command::new("podman").args(["ps", "--all", "--quiet", "--filter", &filter]).output();
        String::from_utf8(output.unwrap().stdout).unwrap().lines().count()
    };
    assert_eq!(listed(), 1);
    theirs.sweep(&house.executor.workers).await;
    assert_eq!(listed(), 0);
}
