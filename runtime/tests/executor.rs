//! Commands of tasks: how they end, what they see, what they may write, and that nothing of them is left.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::executor::{Bounds, Ended, Executor, Layer, Place, TaskCommand, layers};
use taskbot_runtime::limits;
use taskbot_runtime::spawn::{CommandRequest, Confinement, ProcessLimits, SpawnError, capture};
use tokio_util::sync::CancellationToken;

/// With all layers that this machine has.
fn executor() -> Executor {
    Executor::new(support::worker())
}

struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, argv: &[&str]) -> TaskCommand {
        TaskCommand {
            argv: argv.iter().map(ToString::to_string).collect(),
            dir: self.path("work"),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            log: self.path("command.log"),
            writable: vec![self.path("work")],
            readable: Vec::new(),
            bounds: Bounds::default(),
            place: Place::Sandbox,
            timeout: Duration::from_secs(20),
        }
    }

    async fn shell(&self, script: &str) -> Ended {
        self.run(self.command(&["sh", "-c", script])).await
    }

    async fn run(&self, command: TaskCommand) -> Ended {
        executor().execute(command, &CancellationToken::new()).await.unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("command.log")).unwrap()
    }
}

/// Whether a process with this command line is there, other than as a zombie.
fn lives(argument: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        fs::read(entry.path().join("cmdline")).is_ok_and(|line| {
            line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes())
                && line.starts_with(b"sleep")
        })
    })
}

#[tokio::test]
async fn a_command_ends_with_its_code_and_leaves_its_log() {
    let room = Room::new();
    assert_eq!(room.shell("echo out; echo err >&2; exit 3").await, Ended::Exit(3));
    assert_eq!(room.log(), "out\nerr\n");
    assert_eq!(room.shell("kill -USR1 $$").await, Ended::Signal(10));
    assert_eq!(room.shell("echo more").await, Ended::Exit(0));
    assert_eq!(room.log(), "out\nerr\nmore\n", "the log is appended to");
}

#[tokio::test]
async fn a_program_of_the_checkout_is_found_beside_it() {
    let room = Room::new();
    let script = room.path("work/run");
    fs::write(&script, "#!/bin/sh\necho \"$0 $1\"\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(room.run(room.command(&["./run", "a b"])).await, Ended::Exit(0));
    assert_eq!(room.log(), "./run a b\n");
}

#[tokio::test]
async fn what_cannot_start_is_an_error_with_a_class() {
    let room = Room::new();
    let mut commands =
        vec![room.command(&["no-such-program-here"]), room.command(&["./absent"]), room.command(&[])];
    commands.push(TaskCommand { dir: room.path("absent"), ..room.command(&["true"]) });
    commands.push(TaskCommand { writable: vec![room.path("absent")], ..room.command(&["true"]) });
    for command in commands {
        let argv = command.argv.clone();
        let error = executor().execute(command, &CancellationToken::new()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Permanent, "{argv:?}: {error}");
    }
}

#[tokio::test]
async fn a_command_sees_only_what_it_is_given() {
    let room = Room::new();
    let mut command = room.command(&["sh", "-c", "env; ls /proc/self/fd; cat; pwd; umask; ulimit -c"]);
    command.env.insert("TASKBOT_INPUT_PACKAGE".to_owned(), "x; rm -rf / $(id) \n'\"".to_owned());
    assert_eq!(room.run(command).await, Ended::Exit(0));
    let log = room.log();
    assert!(log.contains("TASKBOT_INPUT_PACKAGE=x; rm -rf / $(id) \n'\"\n"), "{log}");
    assert!(!log.contains("CARGO") && !log.contains("HOME="), "{log}");
    let work = fs::canonicalize(room.path("work")).unwrap();
    // Descriptor 3 is that of `ls` itself on /proc/self/fd; `cat` saw the end of its input at once.
    assert!(log.contains(&format!("\n0\n1\n2\n3\n{}\n0022\n0\n", work.display())), "{log}");
}

#[tokio::test]
async fn a_timeout_asks_then_kills() {
    let room = Room::new();
    let mut polite = room.command(&["sh", "-c", "trap 'echo asked; exit 0' TERM; sleep 3601 & wait"]);
    polite.timeout = Duration::from_secs(2);
    assert_eq!(room.run(polite).await, Ended::TimedOut);
    assert_eq!(room.log(), "asked\n");
    let mut deaf = room.command(&["sh", "-c", "trap '' TERM; while :; do sleep 3601; done"]);
    deaf.timeout = Duration::from_millis(500);
    assert_eq!(room.run(deaf).await, Ended::TimedOut);
    assert!(!lives("3601"));
}

#[tokio::test]
async fn cancelling_ends_it_and_dropping_it_too() {
    let room = Room::new();
    let cancel = CancellationToken::new();
    let executor = executor();
    let run = executor.execute(room.command(&["sleep", "3602"]), &cancel);
    let later = async {
        while !lives("3602") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cancel.cancel();
    };
    assert_eq!(tokio::join!(run, later).0.unwrap(), Ended::Cancelled);
    assert!(!lives("3602"));

    let never = CancellationToken::new();
    let dropped = executor.execute(room.command(&["sleep", "3603"]), &never);
    assert!(tokio::time::timeout(Duration::from_millis(500), dropped).await.is_err());
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if !lives("3603") {
            return;
        }
    }
    unreachable!("it outlived the future that ran it");
}

/// P17: nothing survives, not in the background, not in a session of its own, not orphaned twice.
#[tokio::test]
async fn p17_no_process_is_left() {
    let room = Room::new();
    let script = "sleep 3604 & setsid sleep 3605 & (setsid sh -c 'trap \"\" TERM HUP; sleep 3606 & sleep 3606' &) \
                  >/dev/null 2>&1; sleep 0.3; exit 0";
    assert_eq!(room.shell(script).await, Ended::Exit(0));
    for argument in ["3604", "3605", "3606"] {
        assert!(!lives(argument), "sleep {argument}");
    }
}

/// P17: a flood of output fills neither memory nor disk, and the command is not held up by it.
#[tokio::test]
async fn p17_a_flood_of_output_is_cut() {
    let room = Room::new();
    assert_eq!(room.shell("head -c 200000000 /dev/zero").await, Ended::Exit(0));
    let length = fs::metadata(room.path("command.log")).unwrap().len();
    assert!((limits::TASK_LOG_BYTES..limits::TASK_LOG_BYTES + 100).contains(&length), "{length}");
    let cut = 200_000_000 - limits::TASK_LOG_BYTES;
    assert!(room.log().ends_with(&format!("[taskbot: {cut} more bytes of output were cut here]\n")));
}

/// P17: with Landlock, writes go nowhere but to the granted directories, and signals reach nobody else.
#[tokio::test]
async fn p17_landlock_holds_writes_and_signals() {
    if layers().check(&[Layer::Landlock]).is_err() {
        return support::skip("landlock", "this kernel has no Landlock");
    }
    let room = Room::new();
    let outside = room.path("outside");
    fs::write(&outside, "mine").unwrap();
    let script = format!(
        "echo a > inside; mkdir d && echo b > d/file && mv d/file e; echo c > {0}; echo d > /tmp/taskbot-escape; \
         ln -s {0} link; echo e > link; rm -f {0}; mv {0} here; chmod 777 {0}; \
         kill -9 {1} && echo killed; echo fine > /dev/null && cat {0}",
        outside.display(),
        std::process::id()
    );
    let mut alone = executor();
    alone.layers = alone.layers.without(Layer::Bubblewrap);
    alone.execute(room.command(&["sh", "-c", &script]), &CancellationToken::new()).await.unwrap();
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
    assert!(!Path::new("/tmp/taskbot-escape").exists());
    assert_eq!(fs::read_to_string(room.path("work/e")).unwrap(), "b\n");
    let log = room.log();
    assert!(log.ends_with("mine") && !log.contains("killed"), "{log}");
}

#[tokio::test]
async fn limits_and_lost_privileges_hold() {
    let room = Room::new();
    let request = |script: &str| CommandRequest {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        dir: room.path("work"),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        stdin: String::new(),
        timeout: Duration::from_secs(20),
        limits: ProcessLimits { file_bytes: Some(10_000), cpu_seconds: Some(1), ..ProcessLimits::default() },
        confinement: Confinement::User,
    };
    let run = async |script| {
        capture(&support::worker(), request(script), 1000, &CancellationToken::new()).await.unwrap()
    };
    run("head -c 100000 /dev/zero > big").await;
    assert_eq!(fs::metadata(room.path("work/big")).unwrap().len(), 10_000);
    assert_eq!(run("while :; do :; done").await.ended, Ended::Signal(9));
    assert_eq!(run("grep NoNewPrivs /proc/self/status").await.stdout, b"NoNewPrivs:\t1\n");
}

#[tokio::test]
async fn a_captured_command_reads_its_input_and_is_cut() {
    let room = Room::new();
    let mut request = CommandRequest {
        argv: ["sh", "-c", "cat; echo wrong >&2; head -c 5000 /dev/zero; exit 4"].map(str::to_owned).to_vec(),
        dir: room.path("work"),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        stdin: "gnome-shell\n".to_owned(),
        timeout: Duration::from_secs(20),
        limits: ProcessLimits::default(),
        confinement: Confinement::User,
    };
    let cancel = CancellationToken::new();
    let captured = capture(&support::worker(), request.clone(), 100, &cancel).await.unwrap();
    assert_eq!(captured.ended, Ended::Exit(4));
    assert!(captured.stdout.starts_with(b"gnome-shell\n\0"));
    assert_eq!((captured.stdout.len(), captured.stdout_cut_bytes), (100, 4912));
    assert_eq!(captured.stderr, b"wrong\n");
    request.stdin = "x".repeat(limits::COMMAND_STDIN_BYTES + 1);
    let error = capture(&support::worker(), request, 100, &cancel).await.unwrap_err();
    assert!(matches!(error, SpawnError::Request(_)), "{error}");
}
