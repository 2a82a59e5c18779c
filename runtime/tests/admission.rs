//! Admission's memory: what the store makes of arrivals.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;

use taskbot_graph::{Argument, FactKey, Parked, Reason, Refusal};
use taskbot_runtime::admission::windows::Windows;
use taskbot_runtime::admission::{Arrival, Decision, Fate, Request, Standing, WantedRun};
use taskbot_runtime::effect::Timestamp;
use taskbot_runtime::intake::Quarantine;
use taskbot_runtime::message::{Message, MessageText};
use taskbot_runtime::store::{Admitted, AdmittedAs, Durability, QuestionEnd, Reader, Store, StoredAnswer};

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
}

const NOW: Timestamp = Timestamp::from_millis(1_369_353_600_000);

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Durability::ProcessOnly).unwrap();
        store.keep_generation("rules".into(), Arc::from([]), NOW).await.unwrap();
        Self { dir, store }
    }

    async fn admit(&self, fate: Fate) -> Admitted {
        let arrival = Arrival { received_at: NOW, source: "bus".into(), fate };
        self.store.admit(vec![arrival]).await.unwrap().remove(0)
    }

    async fn answered(&self, key: FactKey, answer: StoredAnswer, expires_at: Timestamp) {
        let end = QuestionEnd::Answered { answer, expires_at };
        self.store.questions_ended(vec![(key, end)], NOW).await.unwrap();
    }

    fn reader(&self) -> Reader {
        Reader::open(self.dir.path()).unwrap()
    }
}

fn reason(rule: &str) -> Reason {
    Reason { rule: rule.into(), subject: None }
}

fn ask(rule: &str) -> Request {
    Request {
        reason: reason(rule),
        axes: String::new(),
        windows: Windows::default(),
        standing: Standing::default(),
    }
}

fn run(rules: &[&str]) -> WantedRun {
    WantedRun {
        key: "look(package: \"a-1-1\")".into(),
        task: "look".into(),
        repository: "standard:look".into(),
        reference: None,
        arguments: vec![Argument { name: "package".into(), text: "a-1-1".into(), json: "a-1-1".into() }],
        asks: rules.iter().map(|rule| ask(rule)).collect(),
        happening: None,
    }
}

fn decision(runs: Vec<WantedRun>) -> Decision {
    Decision {
        generation: "rules".into(),
        events: vec!["e".into()],
        facts: Vec::new(),
        runs,
        parked: Vec::new(),
        undecided: Vec::new(),
        refused: Vec::new(),
        notes: Vec::new(),
    }
}

fn judged(id: &str, decision: Decision) -> Fate {
    let message = Message {
        id: MessageText::new(id),
        topic: MessageText::new("org.example.prod.e"),
        body: b"{}".to_vec(),
        sent_at: None,
        source: "bus".into(),
    };
    Fate::Judged { message, decision }
}

fn unreadable(reason: &str) -> Fate {
    Fate::Unreadable(Quarantine {
        topic: None,
        reason: reason.into(),
        head: b"{".to_vec(),
        sha256: "aa".into(),
        length_bytes: 1,
    })
}

#[tokio::test]
async fn two_rules_that_ask_for_one_run_are_its_two_reasons() {
    let bench = Bench::new().await;
    let admitted = bench.admit(judged("m", decision(vec![run(&["a", "b"])]))).await;
    assert_eq!((admitted.kind, admitted.new_runs.len()), (AdmittedAs::Judged, 1));
    assert_eq!(bench.reader().runs(10).unwrap()[0].rules, ["a", "b"]);
}

#[tokio::test]
async fn one_message_delivered_a_hundred_times_is_one_run_p02() {
    let bench = Bench::new().await;
    for n in 0..100 {
        let kind = bench.admit(judged("m", decision(vec![run(&["a"])]))).await.kind;
        assert_eq!(kind, if n == 0 { AdmittedAs::Judged } else { AdmittedAs::Duplicate });
    }
    assert_eq!(bench.reader().runs(1000).unwrap().len(), 1);
    // Another message that asks for the same is another run: nothing says that they tell of one happening.
    assert_eq!(bench.admit(judged("n", decision(vec![run(&["a"])]))).await.new_runs.len(), 1);
}

#[tokio::test]
async fn what_is_refused_is_kept_and_the_other_rules_still_run() {
    let bench = Bench::new().await;
    let refusal = Refusal { event: "e".into(), rule: Some("b".into()), reason: "`x` is not there".into() };
    let admitted =
        bench.admit(judged("m", Decision { refused: vec![refusal], ..decision(vec![run(&["a"])]) })).await;
    assert_eq!((admitted.kind, admitted.new_runs.len()), (AdmittedAs::Quarantined, 1));
    let aside = bench.reader().quarantine(10).unwrap();
    assert_eq!((aside[0].message.as_deref(), aside[0].rule.as_deref()), (Some("m"), Some("b")));
    assert!(bench.reader().message("m").unwrap().is_some(), "it can be judged again");
}

#[tokio::test]
async fn poison_that_comes_again_and_again_is_one_row_counted() {
    let bench = Bench::new().await;
    for _ in 0..50 {
        bench.admit(unreadable("not JSON")).await;
    }
    let (aside, log) = (bench.reader().quarantine(10).unwrap(), bench.reader().log(100).unwrap());
    assert_eq!((aside.len(), aside[0].times, log.len()), (1, 50, 1));
    assert_eq!(bench.reader().status().unwrap().counters.get("quarantined"), Some(&50));
}

#[tokio::test]
async fn parked_is_per_rule_and_goes_on_when_its_fact_is_known() {
    let bench = Bench::new().await;
    let key = FactKey { fact: "nvr.lang".into(), key: "a".into() };
    let parked = Parked { reason: reason("b"), needs: vec![key.clone()] };
    let first = decision(vec![run(&["a"])]);
    let admitted = bench.admit(judged("m", Decision { parked: vec![parked], ..first })).await;
    assert_eq!((admitted.new_runs.len(), admitted.parked), (1, 1));
    assert_eq!(bench.reader().status().unwrap().waiting_for[0].key, "a");
    let waiting: Vec<i64> =
        bench.store.parked_on(BTreeSet::from([key.clone()])).await.unwrap().into_iter().collect();
    assert_eq!(waiting.len(), 1);
    bench.answered(key.clone(), Some("C".into()), NOW).await;
    let decided = decision(vec![run(&["a", "b"])]);
    let admitted = bench.store.redecide(waiting[0], decided, NOW).await.unwrap();
    assert_eq!((admitted.new_runs.len(), admitted.merged_runs), (0, 1), "the same run, one reason more");
    assert_eq!(bench.reader().runs(10).unwrap()[0].rules, ["a", "b"]);
    assert!(bench.store.parked_after(0).await.unwrap().is_empty());
    assert_eq!(bench.reader().status().unwrap().waiting_for.len(), 0);
}

#[tokio::test]
async fn an_answer_is_used_until_its_lifetime_ends() {
    let bench = Bench::new().await;
    let key = FactKey { fact: "nvr.lang".into(), key: "a".into() };
    let later = NOW.after(std::time::Duration::from_secs(60));
    bench.answered(key.clone(), None, later).await;
    assert_eq!(bench.store.answers(vec![key.clone()], NOW).await.unwrap().get(&key), Some(&None));
    assert!(bench.store.answers(vec![key], later).await.unwrap().is_empty());
}
