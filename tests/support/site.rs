//! A site: one directory with a configuration, rules, facts, task repositories, and the `taskbot` command run in it.
//!
//! Comes in: texts of files and arguments of the command. Goes out: what the command said. Everything is read through the
//! command, as its users do, never from the database.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::eventually;
use super::process::Running;

/// A directory of its own.
#[derive(Debug)]
pub struct Site {
    dir: tempfile::TempDir,
}

/// What a command said.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; a signal is -1.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ended {
    /// Standard output as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Itself, if it ended with this code.
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

/// The binary that is tested.
pub fn taskbot() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskbot"));
    command.env("NO_COLOR", "1").env_remove("RUST_LOG");
    command
}

/// The root of the project.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Site {
    /// An empty one.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("taskbot-site-").tempdir().unwrap();
        // Tasks may run as another user.
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Self { dir }
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes a program.
    pub fn write_program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.write(name, text);
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// Writes `taskbot.toml`: the state in `state`, the rules in `rules.tb`, results in `out`, then `more`.
    pub fn configure(&self, more: &str) {
        let head = "state_dir = \"state\"\nrules = [\"rules.tb\"]\n";
        let sink = "[[sink]]\nkind = \"directory\"\npath = \"out\"\n";
        self.write("taskbot.toml", format!("{head}{more}\n{sink}"));
    }

    /// Makes a task's repository; gives its declaration in the language. `files` are programs beside its manifest.
    pub fn task(&self, name: &str, more_manifest: &str, files: &[(&str, &str)]) -> String {
        let manifest = format!(
            "contract = 1\n[task]\nname = \"{name}\"\nnamespace = \"test\"\n[inputs]\npackage = {{ type = \"nvr\" }}\n\
             [subject]\ntype = \"koji_build\"\nitem = \"{{package}}\"\n{more_manifest}\n\
             [run]\ncommand = [\"./run\"]\ntimeout = \"60s\"\n"
        );
        let repository = format!("tasks/{name}");
        self.write(&format!("{repository}/task.toml"), manifest);
        for (file, text) in files {
            self.write_program(&format!("{repository}/{file}"), text);
        }
        let path = self.path(&repository);
        for arguments in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "-m", "task"]] {
            let mut git = Command::new("git");
            git.current_dir(&path).args(["-c", "user.name=test", "-c", "user.email=test@example.org"]);
            assert!(git.args(arguments).status().unwrap().success());
        }
        format!("task {name} {{\n  package: nvr\n  repository \"file://{}\"\n}}\n", path.display())
    }

    /// The command, to be started in this directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = taskbot();
        command.args(arguments).current_dir(self.dir()).stdin(Stdio::null());
        command
    }

    /// Runs the command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with_input(arguments, b"")
    }

    /// Runs the command to its end with this on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // It may end without reading.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the command with `--format json`; it must succeed.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--format", "json"]].concat()).with_code(0).json()
    }

    /// Starts `taskbot run`; its log goes to `daemon.log`, its progress to `progress.jsonl`.
    pub fn start(&self) -> Running {
        let append =
            |name: &str| fs::File::options().append(true).create(true).open(self.path(name)).unwrap();
        let mut command = self.command(&["run", "--format", "json"]);
        Running::start(command.stdout(append("progress.jsonl")).stderr(append("daemon.log")))
    }

    /// Starts `taskbot run` and waits until it serves.
    pub fn start_and_wait(&self) -> Running {
        let before = self.progress("ready").len();
        let mut daemon = self.start();
        eventually("the daemon", Duration::from_secs(60), || {
            assert!(daemon.is_alive(), "{}", self.daemon_log());
            (self.progress("ready").len() > before).then_some(())
        });
        daemon
    }

    /// What the daemon logged so far.
    pub fn daemon_log(&self) -> String {
        fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// Events of this kind that daemons told so far.
    pub fn progress(&self, event: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path("progress.jsonl")).unwrap_or_default();
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|value| value["event"] == event).collect()
    }

    /// `status --format json`; nothing while there is no store yet.
    pub fn status(&self) -> Option<Value> {
        let ended = self.run(&["status", "--format", "json"]);
        (ended.code == 0).then(|| ended.json())
    }

    /// A counter of `status`; 0 while it is not there.
    pub fn counter(&self, name: &str) -> i64 {
        self.status().and_then(|status| status["status"]["counters"][name].as_i64()).unwrap_or(0)
    }

    /// Waits until a counter has reached a number.
    pub fn counted(&self, name: &str, number: i64, within: Duration) {
        let start = Instant::now();
        while self.counter(name) < number {
            assert!(start.elapsed() < within, "{name}: {:#?}\n{}", self.status(), self.daemon_log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Every run in full as `log RUN` shows it, oldest first.
    pub fn runs(&self) -> Vec<Value> {
        let count: usize = self.run_states().values().sum();
        let mut runs = Vec::new();
        for number in 1_i64.. {
            if runs.len() == count {
                break;
            }
            assert!(number < 100_000, "runs are numbered from 1");
            let ended = self.run(&["log", &number.to_string(), "--format", "json"]);
            if ended.code == 0 {
                runs.push(ended.json());
            }
        }
        runs
    }

    /// Number of runs in each state.
    pub fn run_states(&self) -> BTreeMap<String, usize> {
        let status = self.status().unwrap_or_default();
        let states = status["status"]["runs"].as_object().cloned().unwrap_or_default();
        states
            .into_iter()
            .map(|(state, count)| (state, usize::try_from(count.as_u64().unwrap()).unwrap()))
            .collect()
    }

    /// Waits until there are so many runs and none is under way; gives them.
    pub fn settled(&self, runs: usize, within: Duration) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let states = self.run_states();
            if states.values().sum::<usize>() >= runs && states.keys().all(|state| is_final(state)) {
                return self.runs();
            }
            assert!(start.elapsed() < within, "{:#?}\n{}", self.status(), self.daemon_log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Every result as `results` shows it, newest first.
    pub fn results(&self) -> Vec<Value> {
        let results = self.json(&["results", "--limit", "100000"]);
        results.as_array().unwrap().clone()
    }

    /// What was set aside, as `status` shows it, newest first.
    pub fn quarantined(&self) -> Vec<Value> {
        let status = self.status().unwrap();
        status["newest_quarantined"].as_array().unwrap().clone()
    }
}

/// What runs are and how they stand, `("task(arguments)", "state")`, in order of their names.
pub fn names_and_states(runs: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all: Vec<_> = runs.iter().map(|run| (text(&run["run"]), text(&run["state"]))).collect();
    all.sort();
    all
}

/// What runs are, in order of their names.
pub fn names(runs: &[Value]) -> Vec<String> {
    names_and_states(runs).into_iter().map(|(name, _)| name).collect()
}

/// Whether a run in this state is over.
pub fn is_final(state: &str) -> bool {
    matches!(state, "finished" | "cancelled" | "infrastructure-error")
}
