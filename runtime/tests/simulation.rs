//! P01 and P02 in a deterministic simulation (`simulated`): a crash at every single point of small scenarios.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod simulated;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use simulated::{Scenario, World};
use taskbot_graph::{Argument, Happening, Reason};
use taskbot_runtime::admission::windows::{AtMost, Keyed, Windows};
use taskbot_runtime::admission::{Arrival, Decision, Fate, Request, Standing, WantedRun};
use taskbot_runtime::effect::Timestamp;
use taskbot_runtime::message::{Message, MessageText};
use taskbot_runtime::store::{Durability, Reader, ResultFilter, RunReport, Store};

/// Three messages, two rules.
const PLAIN: Scenario = Scenario { messages: MESSAGES, arrival, check };

/// Three messages, four rules, each with its window.
const WINDOWS: Scenario = Scenario { messages: MESSAGES, arrival: windowed, check: check_windows };

fn play(seed: u64, crash_at: &[usize], one_fails_in: u64) -> usize {
    simulated::play(&PLAIN, seed, crash_at, one_fails_in)
}

fn wanted(task: &str, name: &str, value: &str, rule: &str, happening: Option<&str>) -> WantedRun {
    let argument = Argument { name: name.into(), text: value.into(), json: value.into() };
    let reason = Reason { rule: rule.into(), subject: Some(0) };
    let (axes, windows, standing) = (String::new(), Windows::default(), Standing::default());
    WantedRun {
        key: format!("{task}({name}: \"{value}\")"),
        task: task.into(),
        repository: format!("standard:{task}"),
        reference: None,
        arguments: vec![argument],
        asks: vec![Request { reason, axes, windows, standing }],
        happening: happening.map(|key| Happening { key: key.into(), within_seconds: 3600 }),
    }
}

const MESSAGES: usize = 3;
/// Three packages, each with its rpmlint; messages 1 and 2 tell of one update, so they share a depcheck.
const RUNS: usize = 5;

/// Message `n` with what both rules make of it.
fn arrival(n: usize, received_at: Timestamp) -> Arrival {
    let update = format!("FEDORA-{}", n.min(1));
    let lint = wanted("rpmlint", "package", &format!("p{n}-1-1"), "lint", None);
    message(n, received_at, vec![lint, wanted("depcheck", "update", &update, "deps", Some(&update))])
}

/// Message `n`, for which four rules ask for a run of their own task, each through its window.
fn windowed(n: usize, received_at: Timestamp) -> Arrival {
    let keyed = |span| Some(Keyed { key: "k".into(), span });
    let (quiet, per) = (Duration::from_secs(5), Duration::from_secs(20));
    let of_rules = [
        ("first", Windows { once: keyed(Duration::from_secs(3600)), ..Windows::default() }),
        ("calm", Windows { quiet: keyed(quiet), ..Windows::default() }),
        ("few", Windows { at_most: Some(AtMost { runs: 1, span: per }), ..Windows::default() }),
        ("latest", Windows { superseding: Some("k".into()), ..Windows::default() }),
    ];
    let runs = of_rules.map(|(name, windows)| {
        let mut run = wanted(name, "package", "p-1-1", name, None);
        run.asks[0].windows = windows;
        run
    });
    message(n, received_at, runs.to_vec())
}

fn message(n: usize, received_at: Timestamp, runs: Vec<WantedRun>) -> Arrival {
    let decision = Decision {
        generation: "rules".into(),
        events: vec!["bodhi.update.testing".into()],
        facts: Vec::new(),
        runs,
        parked: Vec::new(),
        undecided: Vec::new(),
        refused: Vec::new(),
        notes: Vec::new(),
    };
    let message = Message {
        id: MessageText::new(format!("2013-{n}")),
        topic: MessageText::new("org.example.prod.bodhi.update.request.testing"),
        body: b"{}".to_vec(),
        sent_at: None,
        source: "bus".into(),
    };
    Arrival { received_at, source: "bus".into(), fate: Fate::Judged { message, decision } }
}

/// P01: nothing lost. P02: no run and no result twice.
fn check(dir: &Path, world: &World, what: &str) {
    let reader = Reader::open(dir).unwrap();
    let runs = reader.runs(100).unwrap();
    let keys: BTreeSet<&str> = runs.iter().map(|run| run.run.as_str()).collect();
    assert_eq!((runs.len(), keys.len()), (RUNS, RUNS), "{what}: {keys:?}");
    for run in &runs {
        assert_eq!(run.state, "finished", "{what}: {run:?}");
        assert_eq!(run.outcomes, ["PASSED", "PASSED"], "{what}: {run:?}");
        let report = reader.run(run.id).unwrap().unwrap();
        let reasons = if run.run.contains("FEDORA-1") { 2 } else { 1 };
        assert_eq!(report.reasons.len(), reasons, "{what}: {report:?}");
        let reported = report.steps.iter().filter(|s| s.step == "report" && s.state == "done").count();
        assert_eq!(reported, 1, "{what}: {report:?}");
        assert!(report.steps.iter().all(|s| s.state != "started"), "{what}: {report:?}");
    }
    let results = reader.results(&ResultFilter::default(), 100).unwrap();
    let mut seen: BTreeMap<(i64, String), usize> = BTreeMap::new();
    for row in &results {
        *seen.entry((row.run, row.result.testcase.clone())).or_default() += 1;
    }
    assert_eq!((seen.len(), results.len()), (2 * RUNS, 2 * RUNS), "{what}");
    assert_eq!(world.work, BTreeSet::new(), "{what}: every attempt is cleaned up");
    assert_eq!(
        reader.status().unwrap().outbox,
        i64::try_from(RUNS).unwrap(),
        "{what}: each run is told once"
    );
}

/// P01 and P02 through windows: each lets through what it must, once, whatever is cut off between.
fn check_windows(dir: &Path, world: &World, what: &str) {
    let reader = Reader::open(dir).unwrap();
    let mut of_task: BTreeMap<String, Vec<RunReport>> = BTreeMap::new();
    for run in reader.runs(100).unwrap().into_iter().rev() {
        let finished = run.state == "finished";
        assert_eq!(run.outcomes.len(), if finished { 2 } else { 0 }, "{what}: {run:?}");
        of_task.entry(run.task.clone()).or_default().push(reader.run(run.id).unwrap().unwrap());
    }
    let messages = |task: &str| -> Vec<&str> {
        of_task[task].iter().flat_map(|run| &run.reasons).map(|reason| reason.message.as_str()).collect()
    };
    assert_eq!(messages("first"), ["2013-0"], "{what}");
    assert_eq!(messages("calm"), ["2013-2"], "{what}");
    assert_eq!(messages("few"), ["2013-0", "2013-1", "2013-2"], "{what}");
    assert_eq!(messages("latest"), ["2013-0", "2013-1", "2013-2"], "{what}");
    for pair in of_task["few"].windows(2) {
        let apart = pair[1].run.created_at.since(pair[0].run.created_at);
        assert!(apart >= Duration::from_secs(20), "{what}: {apart:?}");
    }
    let runs: Vec<&RunReport> = of_task.values().flatten().collect();
    for report in &runs {
        let (run, last) = (&report.run, report.reasons[0].message == "2013-2");
        let superseded = run.task == "latest" && !last && run.state == "cancelled";
        assert!(superseded || run.state == "finished", "{what}: {run:?}");
        assert_eq!(superseded, run.note.as_ref().is_some_and(|n| n.starts_with("superseded by run")));
        assert!(report.steps.iter().all(|s| s.state != "started"), "{what}: {report:?}");
    }
    let states = |state: &str| {
        let requests = (0..MESSAGES).flat_map(|n| reader.requests_of_message(&format!("2013-{n}")).unwrap());
        requests.filter(|request| request.state == state).count()
    };
    assert_eq!((states("through"), states("once"), states("replaced")), (8, 2, 2), "{what}");
    let status = reader.status().unwrap();
    assert_eq!((status.held.len(), world.work.len()), (0, 0), "{what}: nothing is left");
    assert_eq!(status.outbox, i64::try_from(runs.len()).unwrap(), "{what}: each run is told once");
}

#[test]
fn p01_p02_windows_with_a_crash_at_every_single_point() {
    let points = simulated::play(&WINDOWS, 1, &[], 0);
    assert!(points > 150, "the scenario has {points} points only");
    for point in 1..=points {
        simulated::play(&WINDOWS, 1, &[point], 0);
    }
}

#[test]
fn p01_p02_windows_in_any_order_of_things() {
    for seed in 0..40 {
        let point = usize::try_from(seed * 5 + 1).unwrap();
        simulated::play(&WINDOWS, seed, &[point, point + 13], if seed % 2 == 0 { 0 } else { 9 });
    }
}

#[test]
fn p01_p02_without_a_crash() {
    let points = play(1, &[], 0);
    assert!(points > 150, "the scenario has {points} points only: crashes would miss the most");
}

#[test]
fn p01_p02_a_crash_at_every_single_point() {
    for point in 1..=play(1, &[], 0) {
        play(1, &[point], 0);
    }
}

#[test]
fn p01_p02_crashes_among_failing_steps() {
    for seed in 0..20 {
        let point = usize::try_from(seed * 9 + 1).unwrap();
        play(seed, &[point, point + 17, point + 40], 9);
    }
}

#[test]
#[ignore = "a longer run: every pair of crash points"]
fn p01_p02_crashes_at_all_pairs_of_points() {
    let points = play(1, &[], 0);
    for first in 1..=points {
        for second in first + 1..=points + 20 {
            play(1, &[first, second], 0);
        }
    }
}

#[test]
fn a_new_happening_begins_after_the_window() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Durability::ProcessOnly).unwrap();
    block_on(store.keep_generation("rules".into(), Arc::from([]), Timestamp::default())).unwrap();
    let start = Timestamp::from_millis(0);
    let mut made = Vec::new();
    for (n, seconds) in [(1, 0), (2, 3600), (3, 3602)] {
        let mut one = arrival(n, start.after(Duration::from_secs(seconds)));
        if let Fate::Judged { decision, .. } = &mut one.fate {
            decision.runs.retain(|run| run.task == "depcheck");
        }
        made.extend(block_on(store.admit(vec![one])).unwrap().into_iter().map(|a| a.new_runs.len()));
    }
    assert_eq!(made, [1, 0, 1]);
    if Reader::open(dir.path()).unwrap().runs(10).unwrap().len() != 2 {
        panic!("two happenings, two runs");
    }
}
