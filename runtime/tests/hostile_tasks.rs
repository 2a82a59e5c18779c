//! Hostile tasks: promise P17. None escapes, none survives.
//!
//! `hostile/commands.rs` attacks what a command can reach, `hostile/leavings.rs` what reads what a task leaves. Both are tables;
//! `docs/sandbox.md` lists them, which a test compares.
#![expect(clippy::unwrap_used, reason = "tests")]

mod hostile;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use hostile::commands::COMMANDS;
use hostile::leavings::{HostileLeaving, LEAVINGS};
use hostile::{SECRET, Scene, as_plain_user};
use taskbot_runtime::executor::{Executor, Layer};
use taskbot_runtime::steps::{Afterwards, LocalTask, run_task};
use taskbot_runtime::task::download::DownloadConfig;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// At once: they wait more than they work.
const PARALLEL: usize = 4;

/// The sandbox of this machine; what it lacks is said, and what needs it is left out.
fn executor() -> Executor {
    let executor = Executor::new(support::worker());
    for absent in &executor.layers.absent {
        support::skip(&absent.layer.to_string(), &absent.why);
    }
    executor
}

async fn attack_with_all(executor: Executor) {
    let (scene, executor) = (Arc::new(Scene::new()), Arc::new(executor));
    let at_once = Arc::new(Semaphore::new(PARALLEL));
    let mut attacks = JoinSet::new();
    let held =
        COMMANDS.iter().filter(|command| command.needs.iter().all(|layer| executor.layers.has(*layer)));
    for command in held {
        let (scene, executor, at_once) = (Arc::clone(&scene), Arc::clone(&executor), Arc::clone(&at_once));
        attacks.spawn(async move {
            let _turn = at_once.acquire().await.unwrap();
            (command.name, scene.attack(&executor, command).await)
        });
    }
    let mut wrong = Vec::new();
    while let Some(attack) = attacks.join_next().await {
        let (name, problems) = attack.unwrap();
        wrong.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// P17: no command reaches what it was not given, and nothing of it is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p17_no_command_escapes_or_survives() {
    let mut bystander = bystander();
    attack_with_all(executor()).await;
    assert!(bystander.try_wait().unwrap().is_none(), "a process of the same user was killed");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

/// P17: the same where the daemon is no root, so that the room is made by a user namespace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p17_no_command_escapes_a_daemon_without_rights() {
    if !rustix::process::geteuid().is_root() {
        return; // The other test is the same then.
    }
    let executor = as_plain_user(executor());
    if executor.layers.has(Layer::Bubblewrap) {
        attack_with_all(executor).await;
    }
}

/// A process that a task could signal if it saw it.
fn bystander() -> Child {
    // It ends with this test, which holds its input.
    let mut command = Command::new("/usr/bin/cat");
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    if rustix::process::geteuid().is_root() {
        command.uid(taskbot_runtime::limits::TASK_USER);
    }
    command.spawn().unwrap()
}

/// P17: whatever a task leaves, the run ends, says what was wrong, keeps nothing of others, and is removed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p17_nothing_that_a_task_leaves_is_believed() {
    let executor = executor();
    let at_once = Arc::new(Semaphore::new(PARALLEL));
    let mut runs = JoinSet::new();
    for leaving in LEAVINGS {
        let (at_once, confined) = (Arc::clone(&at_once), executor.layers.has(Layer::Bubblewrap));
        runs.spawn(async move {
            let _turn = at_once.acquire().await.unwrap();
            (leaving.name, if confined { leave(leaving).await } else { Vec::new() })
        });
    }
    let mut wrong = Vec::new();
    while let Some(run) = runs.join_next().await {
        let (name, problems) = run.unwrap();
        wrong.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What is wrong after this run, if anything.
async fn leave(leaving: &HostileLeaving) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for name in ["task", "state"] {
        fs::create_dir(path(name)).unwrap();
    }
    fs::write(path("state/secret"), SECRET).unwrap();
    let words = "R=$TASKBOT_RESULTS A=$TASKBOT_ARTIFACTS W=$TASKBOT_WORKDIR";
    let program = |script: &str| {
        format!("#!/bin/sh\n{words} SECRET_FILE={}\n{script}\n", path("state/secret").display())
    };
    let prepare = leaving.prepare.map_or("", |_| "[prepare]\nrun = [\"./prepare\"]\n");
    let manifest = format!(
        "contract = 1\n[task]\nname = \"t\"\n[run]\ncommand = [\"./run\"]\ntimeout = \"60s\"\n{prepare}"
    );
    fs::write(path("task/task.toml"), manifest).unwrap();
    for (name, script) in [("run", leaving.script), ("prepare", leaving.prepare.unwrap_or("true"))] {
        let file = path("task").join(name);
        fs::write(&file, program(script)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let task = LocalTask {
        checkout: path("task"),
        inputs: Vec::new(),
        out: path("out"),
        event: "{}".into(),
        downloads: DownloadConfig::default(),
        fetched: Vec::new(),
        afterwards: Afterwards::Remove,
        workers: support::worker(),
    };
    let run = run_task(task, &CancellationToken::new(), |_| {}).await;
    let said = format!("{:?} {:?}", run.steps, run.results);
    let mut wrong = Vec::new();
    if !said.contains(leaving.says) {
        wrong.push(format!("it does not say '{}'", leaving.says));
    }
    // `{:?}` writes control characters as escapes, so the texts themselves are looked at.
    let texts = run.steps.iter().filter_map(|step| match &step.outcome {
        Ok(detail) => detail.clone(),
        Err(failure) => Some(failure.message.clone()),
    });
    let texts = texts.chain(run.results.iter().flat_map(|r| [r.note.clone(), r.item.clone()]));
    wrong.extend(texts.filter(|text| text.contains('\u{1b}')).map(|text| format!("an escape: {text:?}")));
    if said.contains(SECRET) || holds(&run.artifact_dir, SECRET) {
        wrong.push("the secret was kept".to_owned());
    }
    if path("out/attempt").exists() {
        wrong.push("its directory was not removed".to_owned());
    }
    if !wrong.is_empty() {
        wrong.push(said.chars().take(3000).collect());
    }
    wrong
}

/// Whether a file below this directory holds a text.
fn holds(dir: &Path, text: &str) -> bool {
    fs::read_dir(dir).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            return holds(&path, text);
        }
        fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
    })
}

#[test]
fn the_page_lists_every_hostile_task() {
    let page = include_str!("../../docs/sandbox.md");
    let listed: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    let names = COMMANDS.iter().map(|c| c.name).chain(LEAVINGS.iter().map(|l| l.name));
    let missing: Vec<&str> = names.clone().filter(|name| !listed.contains(name)).collect();
    assert!(missing.is_empty(), "docs/sandbox.md lacks: {missing:#?}");
    assert!(names.clone().count() >= 40);
    assert_eq!(names.clone().collect::<BTreeSet<_>>().len(), names.count(), "a name stands for one task");
}
