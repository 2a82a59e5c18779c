//! A task on a checkout of one's own: the same steps as in the daemon.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::dispatch::Step;
use taskbot_runtime::steps::{Afterwards, LocalRun, LocalTask, run_task};
use taskbot_runtime::task::Outcome;
use taskbot_runtime::task::download::DownloadConfig;
use tokio_util::sync::CancellationToken;

async fn run(
    manifest: &str,
    script: &str,
    inputs: &[(&str, &str)],
) -> (LocalRun, Vec<Step>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let checkout = dir.path().join("task");
    fs::create_dir(&checkout).unwrap();
    fs::write(checkout.join("task.toml"), format!("contract = 1\n[task]\nname = \"t\"\n{manifest}")).unwrap();
    fs::write(checkout.join("run"), format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(checkout.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    let task = LocalTask {
        checkout,
        inputs: inputs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        out: dir.path().join("out"),
        event: "{}".into(),
        downloads: DownloadConfig::default(),
        fetched: Vec::new(),
        afterwards: Afterwards::Remove,
        workers: support::worker(),
    };
    let mut begun = Vec::new();
    let run = run_task(task, &CancellationToken::new(), |step| begun.push(step)).await;
    (run, begun, dir)
}

const MANIFEST: &str = "[inputs]\npackage = { type = \"nvr\" }\n[run]\ncommand = [\"./run\"]\n";

#[tokio::test]
async fn gives_results_and_keeps_the_log() {
    let inputs = [("package", "a-1-1")];
    let (run, begun, _dir) = run(MANIFEST, "echo \"got $TASKBOT_INPUT_PACKAGE\"; exit 1", &inputs).await;
    assert!(run.failure().is_none(), "{:?}", run.steps);
    let [result] = run.results.as_slice() else { unreachable!("one result: {:?}", run.results) };
    assert_eq!((result.outcome, result.item.as_str()), (Outcome::Failed, "a-1-1"));
    assert_eq!(fs::read_to_string(run.artifact_dir.join("taskbot-attempt-1.log")).unwrap(), "got a-1-1\n");
    assert_eq!(begun.first(), Some(&Step::Provision));
    assert_eq!(begun.last(), Some(&Step::CleanUp));
}

#[tokio::test]
async fn a_wrong_input_runs_nothing() {
    for inputs in [vec![], vec![("pakage", "a-1-1")], vec![("package", "no nvr")]] {
        let (run, begun, _dir) = run(MANIFEST, "touch \"$TASKBOT_ARTIFACTS/ran\"", &inputs).await;
        assert!(run.failure().is_some(), "{inputs:?}");
        assert_eq!(begun, [Step::Provision, Step::Clone, Step::CleanUp]);
        assert_eq!((run.results.len(), run.ended), (0, None));
    }
}

#[tokio::test]
async fn a_failed_preparation_is_no_verdict() {
    let manifest = format!("{MANIFEST}[prepare]\nrun = [\"/bin/false\"]\n");
    let (run, _, _dir) = run(&manifest, "", &[("package", "a-1-1")]).await;
    assert!(run.failure().is_some_and(|f| f.message.contains("preparation failed")), "{:?}", run.steps);
    assert_eq!(run.results, []);
}

#[tokio::test]
async fn a_second_run_into_the_same_directory_works() {
    let inputs = [("package", "a-1-1")];
    let manifest = format!("{MANIFEST}[artifacts]\nkeep = [\"**\"]\n");
    let left = "echo 1 > \"$TASKBOT_ARTIFACTS/x\"";
    let (first, _, dir) = run(&manifest, left, &inputs).await;
    assert!(first.failure().is_none(), "{:?}", first.steps);
    let out = dir.path().join("out");
    // What an interrupted run leaves, with a folder that its task made unreadable.
    let locked = out.join("attempt/work/locked");
    fs::create_dir_all(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let task = LocalTask {
        checkout: dir.path().join("task"),
        inputs: inputs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        out,
        event: "{}".into(),
        downloads: DownloadConfig::default(),
        fetched: Vec::new(),
        afterwards: Afterwards::Remove,
        workers: support::worker(),
    };
    let second = run_task(task, &CancellationToken::new(), |_| {}).await;
    assert!(second.failure().is_none(), "{:?}", second.steps);
    assert_eq!(second.results.len(), 1);
}

#[tokio::test]
async fn what_the_site_does_not_give_is_refused_before_anything_runs() {
    for (asks, said) in [
        ("network = true", "needs the network"),
        ("memory = \"900G\"", "of memory"),
        ("disk = \"900G\"", "of disk"),
    ] {
        let manifest = format!("[environment]\n{asks}\n[run]\ncommand = [\"./run\"]\n");
        let (run, begun, _dir) = run(&manifest, "true", &[]).await;
        let failure = run.failure().unwrap();
        assert_eq!(failure.class, ErrorClass::Permanent);
        assert!(failure.message.contains(said), "{}", failure.message);
        assert_eq!(begun, [Step::Provision, Step::Clone, Step::CleanUp]);
    }
}

#[tokio::test]
async fn files_of_one_s_own_stand_in_for_downloads_and_directories_stay_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let checkout = dir.path().join("task");
    fs::create_dir_all(checkout.join("folder/noarch")).unwrap();
    let manifest = format!("{MANIFEST}[[fetch]]\nkoji = \"{{package}}\"\n");
    fs::write(checkout.join("task.toml"), manifest).unwrap();
    fs::write(
        checkout.join("run"),
        "#!/bin/sh\ncat \"$TASKBOT_FETCHED/a.rpm\" \"$TASKBOT_FETCHED/noarch/b.rpm\"\n",
    )
    .unwrap();
    fs::set_permissions(checkout.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(dir.path().join("a.rpm"), "a").unwrap();
    fs::write(checkout.join("folder/noarch/b.rpm"), "b").unwrap();
    let task = LocalTask {
        inputs: vec![("package".into(), "a-1-1".into())],
        out: dir.path().join("out"),
        event: "{}".into(),
        downloads: DownloadConfig::default(),
        fetched: vec![dir.path().join("a.rpm"), checkout.join("folder")],
        checkout,
        afterwards: Afterwards::Leave,
        workers: support::worker(),
    };
    let run = run_task(task.clone(), &CancellationToken::new(), |_| {}).await;
    assert!(run.failure().is_none(), "{:?}", run.steps);
    assert_eq!(fs::read_to_string(run.artifact_dir.join("taskbot-attempt-1.log")).unwrap(), "ab");
    assert!(dir.path().join("out/attempt/fetched/noarch/b.rpm").is_file());
    let gone =
        LocalTask { fetched: vec![dir.path().join("nowhere")], afterwards: Afterwards::Remove, ..task };
    let run = run_task(gone, &CancellationToken::new(), |_| {}).await;
    assert!(run.failure().is_some_and(|failure| failure.message.contains("nowhere")), "{:?}", run.steps);
    assert!(!dir.path().join("out/attempt").exists());
}

#[tokio::test]
async fn a_destructive_task_is_refused_outside_a_machine_of_its_own() {
    let ruin = "touch \"$TASKBOT_ARTIFACTS/ran\"";
    let inputs = [("package", "a-1-1")];
    for (kind, why) in [
        ("sandbox", "a destructive task needs a machine of its own"),
        ("container", "a destructive task needs a machine of its own"),
        (
            "vm",
            "needs a virtual machine, and this taskbot has only its sandbox and containers: the task is destructive",
        ),
    ] {
        let manifest = format!("{MANIFEST}[environment]\nkind = \"{kind}\"\ndestructive = true\n");
        let (run, begun, dir) = run(&manifest, ruin, &inputs).await;
        let failure = run.failure().unwrap();
        assert!(failure.message.contains(why), "{kind}: {}", failure.message);
        assert_eq!(failure.class, ErrorClass::Permanent);
        assert_eq!((begun, run.ended), (vec![Step::Provision, Step::Clone, Step::CleanUp], None));
        assert!(!dir.path().join("out/kept/ran").exists());
    }
}
