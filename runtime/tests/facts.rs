//! Asking facts: how often a message is judged, what holds up whom, when it is given up.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use taskbot_graph::{
    Action, ArgumentSource, Clauses, CompareOp, Dialect, Event, EventValue, Expr, FactDef, Graph, Param,
    Part, Path as ValuePath, Presence, Root, Rule, Scope, TaskDef, TopicFilter, TopicPlan, Type, Value,
};
use taskbot_runtime::admission::{Arrival, Fate};
use taskbot_runtime::config::FactConfig;
use taskbot_runtime::dispatch::{self, Transition};
use taskbot_runtime::effect::{Effects, Performed, StepOrder, Timestamp};
use taskbot_runtime::facts::{self, Asking, Providers};
use taskbot_runtime::generation::Generation;
use taskbot_runtime::inbox::decide;
use taskbot_runtime::message::{Message, MessageText};
use taskbot_runtime::progress::{Observer, Progress};
use taskbot_runtime::store::{Admitted, Durability, Reader, Released, RunId, Status, Store, StoreError};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const TOPIC: &str = "org.example.prod.build.done";

/// For each build: `analyse` where the fact `nvr.lang` of the package's name is C, and again for `nvr.team`.
fn rules(facts: &[&str]) -> Graph {
    let required = |ty| (ty, Presence::Required);
    let (ty, presence) = required(Type::Nvr);
    let nvr = ValuePath { root: Root::Subject, steps: vec!["nvr".into()], lists: Vec::new(), ty, presence };
    let dialect = Dialect {
        name: "plain".into(),
        topics: vec!["build.done".into()],
        condition: None,
        required: vec![0],
        subjects: Some(vec!["builds".into()]),
        values: vec![Some(0)],
        happening: None,
    };
    let param = Param {
        name: "package".into(),
        ty: Type::Nvr,
        type_name: "nvr".into(),
        default: None,
        presence: Presence::Required,
    };
    let mut graph = Graph::default();
    graph.paths = vec![nvr];
    graph.exprs = vec![
        Expr::Path(0),
        Expr::EventValue(0),
        Expr::Part(1, Part::Name),
        Expr::Const(Value::Text("C".into())),
    ];
    graph.events = vec![Event {
        name: "build.done".into(),
        values: vec![EventValue { name: "package".into(), scope: Scope::Subject }],
        dialects: vec![dialect],
    }];
    graph.tasks = vec![TaskDef {
        name: "analyse".into(),
        repository: "standard:analyse".into(),
        reference: None,
        params: vec![param],
        emits: Vec::new(),
    }];
    for (n, fact) in (0_u32..).zip(facts) {
        graph.facts.push(FactDef {
            name: (*fact).into(),
            ty: Type::String,
            presence: if *fact == "nvr.must" { Presence::Required } else { Presence::Optional },
        });
        graph.exprs.extend([Expr::Fact(n, 2), Expr::Compare(CompareOp::Equal, 4 + 2 * n, 3)]);
        graph.rules.push(Rule {
            name: format!("by-{fact}"),
            event: 0,
            scope: Scope::Subject,
            condition: Some(5 + 2 * n),
            axes: Vec::new(),
            except: Vec::new(),
            actions: vec![Action { task: 0, arguments: vec![ArgumentSource::Expr(1)] }],
            clauses: Clauses::default(),
        });
    }
    graph.topics = vec![TopicPlan { topic: "build.done".into(), events: vec![0] }];
    graph
}

/// The real clock and store, and no steps.
#[derive(Clone)]
struct Clock(Store);

impl Effects for Clock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
    fn roll(&self) -> u64 {
        0
    }
    async fn admit(&self, arrivals: Vec<Arrival>) -> Result<Vec<Admitted>, StoreError> {
        self.0.admit(arrivals).await
    }
    async fn release(&self, now: Timestamp) -> Result<Released, StoreError> {
        self.0.release(now).await
    }
    async fn record(&self, _: RunId, transition: Transition) -> Result<dispatch::Progress, StoreError> {
        Ok(transition.progress)
    }
    async fn perform(&self, _: StepOrder, _: &CancellationToken) -> Performed {
        Performed::Interrupted
    }
}

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
    generation: Arc<Generation>,
}

impl Bench {
    async fn new(facts: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Durability::ProcessOnly).unwrap();
        let generation = Arc::new(Generation::load(&rules(facts).to_bytes()).unwrap());
        let clock = Clock(store.clone());
        store
            .keep_generation(generation.hash.clone(), Arc::clone(&generation.artifact), clock.now())
            .await
            .unwrap();
        Self { dir, store, generation }
    }

    fn clock(&self) -> Clock {
        Clock(self.store.clone())
    }

    async fn message(&self, id: &str, builds: &[String]) {
        let builds: Vec<_> = builds.iter().map(|nvr| serde_json::json!({ "nvr": nvr })).collect();
        let body = serde_json::json!({ "builds": builds }).to_string().into_bytes();
        let received_at = self.clock().now();
        let decision = decide(&self.store, &self.generation, "build.done", &body, received_at).await.unwrap();
        let message = Message {
            id: MessageText::new(id),
            topic: MessageText::new(TOPIC),
            body,
            sent_at: None,
            source: "bus".into(),
        };
        let fate = Fate::Judged { message, decision };
        self.store.admit(vec![Arrival { received_at, source: "bus".into(), fate }]).await.unwrap();
    }

    /// Asks until all is answered or given up; gives how often a message was judged.
    async fn ask(&self, configured: &str, accept: &str) -> usize {
        let configured: BTreeMap<String, FactConfig> = toml::from_str(configured).unwrap();
        let (observer, mut progress) = mpsc::channel(10_000);
        let no_more = CancellationToken::new();
        no_more.cancel();
        let asking = Asking {
            effects: self.clock(),
            store: self.store.clone(),
            providers: Providers::new(&configured, &support::worker()),
            filter: TopicFilter::new(&[accept.to_owned()]).unwrap(),
            generation: watch::Sender::new(Arc::clone(&self.generation)).subscribe(),
            observer: Observer::new(Some(observer)),
            wake: Arc::default(),
            new_runs: Arc::default(),
            newly_held: Arc::default(),
            stop: CancellationToken::new(),
            no_more,
        };
        facts::serve(asking).await.unwrap();
        let mut judged = 0;
        while let Some(event) = progress.recv().await {
            judged += usize::from(matches!(event, Progress::Decided { .. }));
        }
        judged
    }

    fn table(&self, text: &str) -> String {
        let path = self.dir.path().join("facts.toml");
        fs::write(&path, text).unwrap();
        format!("table = {}\n", quoted(&path))
    }

    fn reader(&self) -> Reader {
        Reader::open(self.dir.path()).unwrap()
    }

    fn status(&self) -> Status {
        self.reader().status().unwrap()
    }
}

fn quoted(path: &Path) -> String {
    toml::Value::from(path.to_str().unwrap()).to_string()
}

fn builds(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("p{n}-1-1")).collect()
}

/// Each answer judged by itself would be as many judgements as subjects, each of all subjects.
async fn a_large_update(subjects: usize) {
    let bench = Bench::new(&["nvr.lang"]).await;
    bench.message("large", &builds(subjects)).await;
    let table: String = (0..subjects).map(|n| format!("p{n} = \"C\"\n")).collect();
    let table = bench.table(&format!("[\"nvr.lang\"]\n{table}"));
    let since = Instant::now();
    let judged = bench.ask(&format!("[\"nvr.lang\"]\n{table}"), "org.example.prod").await;
    let took = since.elapsed();
    println!("{subjects} subjects: {judged} judgements, {took:?}");
    assert_eq!(bench.status().runs.get("queued").copied(), i64::try_from(subjects).ok());
    let pauses = usize::try_from(took.as_secs()).unwrap();
    assert!(judged <= 2 + pauses, "{judged} judgements in {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_judged_once_for_all_the_answers_that_come_together() {
    a_large_update(600).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn also_the_largest_update_that_was_seen() {
    a_large_update(3_500).await;
}

fn script(text: &str) -> String {
    format!("command = [\"/bin/sh\", \"-c\", {}]\n", toml::Value::from(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_counts_from_the_first_attempt() {
    let bench = Bench::new(&["nvr.lang"]).await;
    bench.message("m", &builds(24)).await;
    // Twenty-four calls of 0.3 s in eight slots: the deadline would be over before the last of them end.
    let slow = script("sleep 0.3; exit 1") + "deadline = \"600ms\"\n";
    bench.ask(&format!("[\"nvr.lang\"]\n{slow}"), "org.example.prod").await;
    let status = bench.status();
    assert_eq!((status.undecided, status.waiting_for.len()), (24, 0));
    let again = status.counters.get("fact-failures").copied();
    assert!(again >= Some(24), "each is asked at least twice: {again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_used_while_another_provider_hangs() {
    let bench = Bench::new(&["nvr.lang", "nvr.team"]).await;
    bench.message("m", &builds(20)).await;
    let hung = script("sleep 600") + "timeout = \"600s\"\n";
    let table = bench.table("[\"nvr.team\"]\np0 = \"C\"\np19 = \"C\"\n");
    let configured = format!("[\"nvr.lang\"]\n{hung}[\"nvr.team\"]\n{table}");
    let asking = bench.ask(&configured, "org.example.prod");
    let decided = async {
        while bench.status().runs.get("queued") != Some(&2) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        _ = asking => unreachable!("one provider hangs"),
        decided = tokio::time::timeout(Duration::from_secs(30), decided) => decided.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn becoming_undecided_is_counted_and_told_once() {
    let bench = Bench::new(&["nvr.must", "nvr.lang"]).await;
    bench.message("m", &builds(1)).await;
    let table = bench.table("[\"nvr.must\"]\nother = \"C\"\n");
    let failing = script("exit 1") + "deadline = \"1ms\"\n";
    for _ in 0..3 {
        bench.ask(&format!("[\"nvr.must\"]\n{table}[\"nvr.lang\"]\n{failing}"), "org.example.prod").await;
        let status = bench.status();
        assert_eq!((status.undecided, status.counters.get("undecided")), (2, Some(&2)));
        let told = bench.reader().log(100).unwrap().iter().filter(|l| l.text.contains("undecided")).count();
        assert_eq!(told, 2);
    }
    // The one whose provider failed is mended; that the other has no value is still known.
    let table = bench.table("[\"nvr.lang\"]\np0 = \"C\"\n");
    bench.ask(&format!("[\"nvr.lang\"]\n{table}"), "org.example.prod").await;
    assert_eq!(bench.status().undecided, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_accepted_any_more_is_undecided_with_its_reason() {
    let bench = Bench::new(&["nvr.lang"]).await;
    bench.message("m", &builds(1)).await;
    let table = bench.table("[\"nvr.lang\"]\np0 = \"C\"\n");
    let configured = format!("[\"nvr.lang\"]\n{table}");
    bench.ask(&configured, "org.other.prod").await;
    assert_eq!(bench.status().undecided, 1);
    let log = bench.reader().log(100).unwrap();
    assert!(log.iter().any(|l| l.level == "error" && l.text.contains("not accepted any more")), "{log:?}");
    bench.ask(&configured, "org.example.prod").await;
    let status = bench.status();
    assert_eq!((status.undecided, status.runs.get("queued")), (0, Some(&1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_parked_is_judged_at_the_start_some_at_a_time() {
    let bench = Bench::new(&["nvr.lang"]).await;
    for n in 0..100 {
        bench.message(&format!("m{n}"), &builds(1)).await;
    }
    assert_eq!(bench.store.parked_after(0).await.unwrap().len(), 32);
    let table = bench.table("[\"nvr.lang\"]\np0 = \"C\"\n");
    bench.ask(&format!("[\"nvr.lang\"]\n{table}"), "org.example.prod").await;
    assert_eq!(bench.status().runs.get("queued"), Some(&100));
}
