//! The daemon as a whole on recorded messages: from lines of a file to results in the store and in a sink.
//!
//! The rule set is built by hand (the runtime does not know the compiler): one event with builds as its subjects, one
//! rule that runs `look` for each, one that runs `analyse` where the fact `nvr.lang` of the package's name is C.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use git2::{Repository, Signature};
use taskbot_graph::{
    Action, ArgumentSource, Clauses, CompareOp, Dialect, Event, EventValue, Expr, FactDef, Graph, Param,
    Part, Path as ValuePath, Presence, Root, Rule, Scope, TaskDef, TopicPlan, Type, Value,
};
use taskbot_runtime::config::Config;
use taskbot_runtime::daemon::{self, Control, DaemonError, Options, Reload, Summary, Until};
use taskbot_runtime::progress::Progress;
use taskbot_runtime::store::{Reader, ResultFilter};
use taskbot_runtime::task::Outcome;
use tokio::sync::mpsc;

fn rules() -> Graph {
    let nvr = ValuePath {
        root: Root::Subject,
        steps: vec!["nvr".into()],
        lists: Vec::new(),
        ty: Type::Nvr,
        presence: Presence::Required,
    };
    let dialect = Dialect {
        name: "plain".into(),
        topics: vec!["build.done".into()],
        condition: None,
        required: vec![0],
        subjects: Some(vec!["builds".into()]),
        values: vec![Some(0)],
        happening: None,
    };
    let task = |name: &str| TaskDef {
        name: name.into(),
        repository: format!("standard:{name}"),
        reference: None,
        params: vec![Param {
            name: "package".into(),
            ty: Type::Nvr,
            type_name: "nvr".into(),
            default: None,
            presence: Presence::Required,
        }],
        emits: Vec::new(),
    };
    let rule = |name: &str, task: u32, condition: Option<u32>| Rule {
        name: name.into(),
        event: 0,
        scope: Scope::Subject,
        condition,
        axes: Vec::new(),
        except: Vec::new(),
        actions: vec![Action { task, arguments: vec![ArgumentSource::Expr(1)] }],
        clauses: Clauses::default(),
    };
    let mut graph = Graph::default();
    graph.facts = vec![FactDef { name: "nvr.lang".into(), ty: Type::String, presence: Presence::Optional }];
    graph.tasks = vec![task("look"), task("analyse")];
    graph.paths = vec![nvr];
    graph.exprs = vec![
        Expr::Path(0),
        Expr::EventValue(0),
        Expr::Part(1, Part::Name),
        Expr::Fact(0, 2),
        Expr::Const(Value::Text("C".into())),
        Expr::Compare(CompareOp::Equal, 3, 4),
    ];
    graph.events = vec![Event {
        name: "build.done".into(),
        values: vec![EventValue { name: "package".into(), scope: Scope::Subject }],
        dialects: vec![dialect],
    }];
    graph.rules = vec![rule("every", 0, None), rule("in-c", 1, Some(5))];
    graph.topics = vec![TopicPlan { topic: "build.done".into(), events: vec![0] }];
    graph
}

fn line(id: &str, environment: &str, body: &str) -> String {
    format!(
        r#"{{"topic":"org.example.{environment}.build.done","msg_id":"{id}","i":1,"timestamp":1369353600,"msg":{body}}}"#
    )
}

const TWO_BUILDS: &str = r#"{"builds":[{"nvr":"curl-8.6.0-7.fc40"},{"nvr":"python-yaml-6.0-1.fc40"}]}"#;

/// A site with its own directory: configuration, rules, task repositories, a recording.
struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new(lines: &[String]) -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        fs::write(site.path("bus.jsonl"), lines.join("\n")).unwrap();
        fs::write(site.path("facts.toml"), "[\"nvr.lang\"]\ncurl = \"C\"\npython-yaml = \"Python\"\n")
            .unwrap();
        site.task(
            "look",
            "",
            "#!/bin/sh\necho looking\necho \"$TASKBOT_INPUT_PACKAGE\" > \"$TASKBOT_ARTIFACTS/seen.log\"\n",
        );
        site.task("analyse", "", "#!/bin/sh\nexit 1\n");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes or changes a standard task's repository.
    fn task(&self, name: &str, more_manifest: &str, run: &str) {
        let manifest = format!(
            "contract = 1\n[task]\nname = \"{name}\"\nnamespace = \"test\"\n[inputs]\npackage = {{ type = \"nvr\" }}\n\
             [run]\ncommand = [\"./run\"]\ntimeout = \"60s\"\n[artifacts]\nkeep = [\"*.log\"]\n{more_manifest}"
        );
        let repository = Repository::init_bare(self.path("tasks").join(format!("{name}.git"))).unwrap();
        let mut tree = repository.treebuilder(None).unwrap();
        for (file, text, mode) in [("run", run, 0o100_755), ("task.toml", &manifest, 0o100_644)] {
            tree.insert(file, repository.blob(text.as_bytes()).unwrap(), mode).unwrap();
        }
        let tree = repository.find_tree(tree.write().unwrap()).unwrap();
        let author = Signature::new("a", "a@example.org", &git2::Time::new(0, 0)).unwrap();
        let head = repository.head().ok().map(|head| head.peel_to_commit().unwrap());
        let parents: Vec<_> = head.iter().collect();
        repository.commit(Some("HEAD"), &author, &author, "task", &tree, &parents).unwrap();
    }

    fn config(&self, facts: &str) -> Config {
        let text = format!(
            "state_dir = \"state\"\nstandard_tasks = \"tasks\"\n\
             [[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n\
             [[sink]]\nkind = \"directory\"\npath = \"out\"\n[facts.\"nvr.lang\"]\n{facts}"
        );
        Config::parse(&text, &self.path("taskbot.toml")).unwrap()
    }

    async fn run(&self, facts: &str) -> Result<Summary, DaemonError> {
        let (_keep, control) = mpsc::channel(1);
        self.run_with(facts, control, options(None)).await
    }

    async fn run_with(
        &self,
        facts: &str,
        control: mpsc::Receiver<Control>,
        options: Options,
    ) -> Result<Summary, DaemonError> {
        let reload: Reload = Arc::new(|| Ok(rules().to_bytes()));
        daemon::run(self.config(facts), reload, control, options).await
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.path("state")).unwrap()
    }

    fn runs(&self) -> Vec<(String, String)> {
        self.reader().runs(100).unwrap().into_iter().rev().map(|run| (run.run, run.state)).collect()
    }
}

fn options(observer: Option<mpsc::Sender<Progress>>) -> Options {
    Options { until: Until::Idle, workers: support::worker(), observer }
}

const TABLE: &str = "table = \"facts.toml\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn messages_become_runs_and_results() {
    let site = Site::new(&[
        line("m1", "prod", TWO_BUILDS),
        line("m1", "prod", TWO_BUILDS),
        line("m2", "stg", TWO_BUILDS),
        "this is not JSON".into(),
        line("m3", "prod", r#"{"builds":[{"nvr":"no nvr at all"}]}"#),
        line("m4", "prod", TWO_BUILDS).replace("build.done", "other.topic"),
        line("m5", "prod", r#"{"builds":[{"nvr":"bash-5.2-1.fc40"}]}"#),
    ]);
    let summary = site.run(TABLE).await.unwrap();
    let counters = summary.status.counters;
    let count = |name: &str| counters.get(name).copied().unwrap_or_default();
    assert_eq!((count("accepted"), count("quarantined")), (5, 2), "{counters:?}");
    assert_eq!((count("judged"), count("duplicate")), (2, 1), "{counters:?}");
    assert_eq!((count("other-environment"), count("no-event")), (1, 1), "{counters:?}");
    let finished = |run: &str| (run.to_owned(), "finished".to_owned());
    assert_eq!(
        site.runs(),
        [
            finished(r#"look(package: "curl-8.6.0-7.fc40")"#),
            finished(r#"look(package: "python-yaml-6.0-1.fc40")"#),
            finished(r#"look(package: "bash-5.2-1.fc40")"#),
            finished(r#"analyse(package: "curl-8.6.0-7.fc40")"#),
        ]
    );
    let failed = ResultFilter { outcome: Some("FAILED".into()), ..ResultFilter::default() };
    let failed = site.reader().results(&failed, 10).unwrap();
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (failed[0].result.testcase.as_str(), failed[0].result.outcome),
        ("test.analyse", Outcome::Failed)
    );
    assert_eq!(failed[0].result.item, "curl-8.6.0-7.fc40");
    the_traces_of_a_run(&site);
}

fn the_traces_of_a_run(site: &Site) {
    let report = site.reader().run(1).unwrap().unwrap();
    let steps: Vec<&str> = report.steps.iter().map(|s| s.step.as_str()).collect();
    assert_eq!(
        steps,
        ["determine", "provision", "clone", "prepare", "download", "run", "report", "clean-up"]
    );
    assert!(report.steps.iter().all(|s| s.state == "done" && s.ended_at.is_some()), "{report:?}");
    assert_eq!(report.commit.as_deref().map(str::len), Some(40));
    assert_eq!(report.reasons[0].rule, "every");
    let kept = site.path("state/artifacts/1");
    assert_eq!(fs::read_to_string(kept.join("seen.log")).unwrap(), "curl-8.6.0-7.fc40\n");
    assert_eq!(fs::read_to_string(kept.join("taskbot-attempt-1.log")).unwrap(), "looking\n");
    let index = fs::read(kept.join("taskbot-attempt-1-index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    // the index cannot list itself, the store does
    let stored: Vec<_> = report.artifacts.iter().filter(|one| !one.path.ends_with("-index.json")).collect();
    assert_eq!((stored.len(), report.artifacts.len()), (2, 3));
    for (listed, stored) in index["files"].as_array().unwrap().iter().zip(stored) {
        assert_eq!(
            (&listed["path"], &listed["sha256"]),
            (&stored.path.as_str().into(), &stored.sha256.as_str().into())
        );
    }
    assert_eq!(fs::read_dir(site.path("state/runs")).unwrap().count(), 0, "work directories are gone");
    let sunk: serde_json::Value =
        serde_json::from_slice(&fs::read(site.path("out/1.json")).unwrap()).unwrap();
    assert_eq!(sunk["results"][0]["outcome"], "PASSED");
    let xml = fs::read_to_string(site.path("out/4.xml")).unwrap();
    assert!(xml.contains("failures=\"1\"") && xml.contains("<failure"), "{xml}");
    assert_eq!(site.reader().status().unwrap().outbox, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_fact_provider_is_never_a_no() {
    let site = Site::new(&[line("m1", "prod", r#"{"builds":[{"nvr":"curl-8.6.0-7.fc40"}]}"#)]);
    let failing = "command = [\"/bin/sh\", \"-c\", \"echo out of order >&2; exit 3\"]\ndeadline = \"1ms\"\n";
    let summary = site.run(failing).await.unwrap();
    assert_eq!((summary.status.undecided, summary.status.runs.get("finished")), (1, Some(&1)));
    let log = site.reader().log(10).unwrap();
    assert!(log.iter().any(|l| l.level == "error" && l.text.contains("out of order")), "{log:?}");
    // What a crash left of an ended run is removed by the next start.
    fs::create_dir_all(site.path("state/runs/1/1/work")).unwrap();
    // Mended and started again: what was undecided is decided.
    let question = r#"{"fact":"nvr.lang","key":"curl"}"#;
    let script = format!(r#"read q; test "$q" = '{question}' && echo '{{"value": "C"}}'"#);
    let answering = format!("command = [\"/bin/sh\", \"-c\", {}]\n", toml::Value::from(script));
    let summary = site.run(&answering).await.unwrap();
    assert_eq!((summary.status.undecided, summary.status.runs.get("finished")), (0, Some(&2)));
    assert_eq!(site.runs()[1].0, r#"analyse(package: "curl-8.6.0-7.fc40")"#);
    assert_eq!(fs::read_dir(site.path("state/runs")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn infrastructure_fails_a_run_without_a_verdict() {
    let site = Site::new(&[line("m1", "prod", r#"{"builds":[{"nvr":"bash-5.2-1.fc40"}]}"#)]);
    site.task("look", "[prepare]\npackages = [\"no-such-tool-anywhere\"]\n", "#!/bin/sh\n");
    site.run(TABLE).await.unwrap();
    assert_eq!(site.runs()[0].1, "infrastructure-error");
    let report = site.reader().run(1).unwrap().unwrap();
    assert_eq!(report.results, []);
    assert_eq!(report.steps.last().map(|s| s.step.as_str()), Some("clean-up"), "cleaned up all the same");
    assert!(report.run.note.unwrap().contains("no-such-tool-anywhere"));
    assert!(fs::read_to_string(site.path("out/1.xml")).unwrap().contains("errors=\"1\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_task_leaves_stops_the_daemon() {
    let builds = r#"{"builds":[{"nvr":"bash-5.2-1.fc40"}]}"#;
    let site = Site::new(&[line("m1", "prod", builds), line("m2", "prod", builds)]);
    // The log's own name, as a file and as a folder; NUL in a result; results that are the same twice.
    let script = r#"#!/bin/sh
        echo mine > "$TASKBOT_ARTIFACTS/other.log"
        cd "$TASKBOT_ARTIFACTS"
        if test "$TASKBOT_RUN_ID" = 1; then
            echo forged > taskbot-attempt-1.log
        else
            mkdir taskbot-attempt-1.log && echo forged > taskbot-attempt-1.log/a.log
        fi
        for n in 1 2; do printf 'results:\n' ; done | head -1 > "$TASKBOT_RESULTS"
        for n in 1 2; do
            printf -- '- item: "a\\0b"\n  type: koji_build\n  outcome: PASSED\n  note: "x\\0y"\n'
        done >> "$TASKBOT_RESULTS"
        echo looking
    "#;
    site.task("look", "", script);
    site.run(TABLE).await.unwrap();
    let states: Vec<String> = site.runs().into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["finished", "finished"]);
    for run in [1, 2] {
        let report = site.reader().run(run).unwrap().unwrap();
        let paths: Vec<&str> = report.artifacts.iter().map(|a| a.path.as_str()).collect();
        assert!(paths.contains(&"other.log") && paths.contains(&"taskbot-attempt-1.log"), "{paths:?}");
        let log = site.path(&format!("state/artifacts/{run}/taskbot-attempt-1.log"));
        assert_eq!(fs::read_to_string(log).unwrap(), "looking\n");
        let detail = report.steps.iter().find(|s| s.step == "report").unwrap().detail.clone().unwrap();
        assert!(detail.contains("taskbot-attempt-1.log") && detail.contains("use another"), "{detail}");
        assert!(!report.results.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_leaves_a_run_resumable_p20() {
    let site = Site::new(&[line("m1", "prod", r#"{"builds":[{"nvr":"bash-5.2-1.fc40"}]}"#)]);
    site.task("look", "", "#!/bin/sh\ntest \"$TASKBOT_ATTEMPT\" -gt 1 || sleep 600\n");
    let (control, orders) = mpsc::channel(1);
    let (observer, mut progress) = mpsc::channel(100);
    let daemon = site.run_with(TABLE, orders, options(Some(observer)));
    let operator = async {
        while let Some(event) = progress.recv().await {
            let running = serde_json::to_value(&event).unwrap();
            if running["event"] == "run" && running["state"] == "running" {
                control.send(Control::Stop).await.unwrap();
                return Instant::now();
            }
        }
        Instant::now()
    };
    let (ended, since) = tokio::join!(daemon, operator);
    ended.unwrap();
    assert!(since.elapsed() < Duration::from_secs(10), "stopping took {:?}", since.elapsed());
    assert_eq!(site.runs()[0].1, "running", "as it was recorded");
    site.run(TABLE).await.unwrap();
    assert_eq!(site.runs(), [(r#"look(package: "bash-5.2-1.fc40")"#.into(), "finished".into())]);
    let report = site.reader().run(1).unwrap().unwrap();
    assert_eq!((report.run.attempt, report.results.len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_cancelled() {
    let site = Site::new(&[line("m1", "prod", r#"{"builds":[{"nvr":"bash-5.2-1.fc40"}]}"#)]);
    site.task("look", "", "#!/bin/sh\nsleep 600\n");
    let (control, orders) = mpsc::channel(1);
    let (observer, mut progress) = mpsc::channel(100);
    let daemon = site.run_with(TABLE, orders, options(Some(observer)));
    let operator = async {
        while let Some(event) = progress.recv().await {
            if let Progress::Run { id, state, .. } = event
                && state.name() == "running"
            {
                control.send(Control::Cancel(id)).await.unwrap();
            }
        }
    };
    let (ended, ()) = tokio::join!(daemon, operator);
    ended.unwrap();
    assert_eq!(site.runs()[0].1, "cancelled");
    assert_eq!(fs::read_dir(site.path("state/runs")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_and_bad_rules_start_nothing() {
    let site = Site::new(&[]);
    let (control, orders) = mpsc::channel(1);
    let (observer, mut progress) = mpsc::channel(100);
    let until_stopped = Options { until: Until::Stopped, ..options(Some(observer)) };
    let first = site.run_with(TABLE, orders, until_stopped);
    let rest = async {
        assert!(matches!(progress.recv().await, Some(Progress::Ready { .. })));
        let second = site.run(TABLE).await;
        assert!(matches!(second, Err(DaemonError::InUse(_))), "{second:?}");
        control.send(Control::Stop).await.unwrap();
    };
    let (ended, ()) = tokio::join!(first, rest);
    ended.unwrap();
    let (_keep, orders) = mpsc::channel(1);
    let bad: Reload = Arc::new(|| Err("rules.tb has 5 errors".into()));
    let refused = daemon::run(site.config(TABLE), bad, orders, options(None)).await;
    assert!(matches!(refused, Err(DaemonError::Rules(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_reload_changes_nothing_p13() {
    let site = Site::new(&[]);
    let good = site.path("good");
    fs::write(&good, "").unwrap();
    let reload: Reload =
        Arc::new(
            move || {
                if good.exists() { Ok(rules().to_bytes()) } else { Ok(b"not an artifact".to_vec()) }
            },
        );
    let (control, orders) = mpsc::channel(1);
    let (observer, mut progress) = mpsc::channel(100);
    let until_stopped = Options { until: Until::Stopped, ..options(Some(observer)) };
    let daemon = daemon::run(site.config(TABLE), reload, orders, until_stopped);
    let operator = async {
        let mut told = Vec::new();
        while let Some(event) = progress.recv().await {
            match event {
                Progress::Ready { .. } => control.send(Control::Reload).await.unwrap(),
                Progress::Reloaded { .. } => {
                    told.push("reloaded");
                    remove(&site.path("good"));
                    control.send(Control::Reload).await.unwrap();
                }
                Progress::ReloadRefused { .. } => {
                    told.push("refused");
                    control.send(Control::Stop).await.unwrap();
                }
                _ => {}
            }
        }
        told
    };
    let (ended, told) = tokio::join!(daemon, operator);
    assert_eq!(told, ["reloaded", "refused"]);
    assert_eq!(ended.unwrap().generation, rules().hash());
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}
