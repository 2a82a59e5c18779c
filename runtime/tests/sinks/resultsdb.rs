//! ResultsDB: what arrives there, and that it arrives once, whatever happens on the way.

use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::sink::{Notice, Outlet};
use taskbot_runtime::task::{Outcome, TaskResult};

use super::http_server::{Answer, Request, Server};
use super::resultsdb_server::Store;
use super::{notice, outlet, report, result};

const ALL: [&str; 4] = ["PASSED", "INFO", "FAILED", "NEEDS_INSPECTION"];

/// A store behind a network that `fault` plays: what it gives is answered in place of the store, after the store acted or not.
struct Peer {
    server: Server,
    store: Arc<Mutex<Store>>,
    dir: tempfile::TempDir,
}

enum Fault {
    None,
    /// The store never sees it.
    Before(Answer),
    /// The store acts, its answer is lost.
    After(Answer),
}

impl Peer {
    fn new(
        outcomes: &[&'static str],
        mut fault: impl FnMut(usize, &Request) -> Fault + Send + 'static,
    ) -> Self {
        let store = Arc::new(Mutex::new(Store::new(outcomes)));
        let behind = Arc::clone(&store);
        let mut count = 0;
        let server = Server::start(move |request| {
            count += 1;
            let answer = |request: &Request| behind.lock().unwrap().answer(request);
            match fault(count, request) {
                Fault::None => answer(request),
                Fault::Before(instead) => instead,
                Fault::After(instead) => {
                    answer(request);
                    instead
                }
            }
        });
        Self { server, store, dir: tempfile::tempdir().unwrap() }
    }

    fn sink(&self, more: &str) -> Outlet {
        let toml =
            format!("kind = 'resultsdb'\nurl = '{}/api/v2.0/'\ntimeout = '2s'\n{more}", self.server.url);
        outlet(self.dir.path(), &toml)
    }

    fn results(&self) -> Vec<Value> {
        self.store.lock().unwrap().results.clone()
    }
}

fn some(count: usize) -> Vec<TaskResult> {
    (0..count).map(|n| result(&format!("test.case-{n}"), Outcome::Passed, json!({}))).collect()
}

#[tokio::test]
async fn a_run_becomes_a_group_with_its_results() {
    let peer = Peer::new(&ALL, |_, _| Fault::None);
    fs::write(peer.dir.path().join("token"), "t0ken\n").unwrap();
    let data = json!({
        "a:b": "colon", "count": 3, "flags": ["x", 1], "places": [{"file": "a.c", "line": 3}], "nothing": null,
        "item": "another", "taskbot.run": "forged", "long": "x".repeat(5000),
    });
    let run = notice(vec![
        result("dist.rpmlint", Outcome::Failed, data),
        result("dist.rpmlint.x", Outcome::Passed, json!({})),
    ]);
    let mut sink = peer.sink("link = 'https://qa.example.org/{run}/'\nauth = { token_file = 'token' }");
    sink.deliver(run.clone()).await.unwrap();
    let results = peer.results();
    assert_eq!(results.len(), 2);
    let first = &results[0];
    assert_eq!(first["testcase"], json!({"name": "dist.rpmlint", "ref_url": "https://example.org/look.git"}));
    assert_eq!((&first["outcome"], &first["note"]), (&json!("FAILED"), &json!("dist.rpmlint says so")));
    assert_eq!(first["ref_url"], "https://qa.example.org/7/");
    assert_eq!(first["groups"], json!([run.run_id()]));
    let data = &first["data"];
    for (key, values) in [
        ("item", json!(["curl-8.6.0-7.fc40"])),
        ("type", json!(["koji_build"])),
        ("a.b", json!(["colon"])),
        ("count", json!(["3"])),
        ("flags", json!(["x", "1"])),
        ("places", json!(["{\"file\":\"a.c\",\"line\":3}"])),
        ("nothing", Value::Null),
        ("taskbot.run", json!([run.run_id()])),
        ("taskbot.result", json!(["0"])),
        ("taskbot.rule", json!(["every"])),
        ("taskbot.input.arch", json!(["x86_64"])),
        ("taskbot.outcome", Value::Null),
    ] {
        assert_eq!(data[key], values, "{key}");
    }
    let store = peer.store.lock().unwrap();
    let group = &store.groups[&run.run_id()];
    assert_eq!(group["description"], "look(package: \"curl-8.6.0-7.fc40\")");
    assert!(store.testcases.contains_key("dist.rpmlint.x"));
    drop(store);
    assert!(peer.server.requests().iter().all(|asked| asked.header("authorization") == Some("Bearer t0ken")));
}

#[tokio::test]
async fn p02_an_answer_that_is_lost_makes_no_duplicate() {
    // Each request in turn is cut off, before the store acted and after.
    for lost in 1..=6 {
        for after in [false, true] {
            let peer = Peer::new(&ALL, move |count, _| match (count == lost, after) {
                (true, true) => Fault::After(Answer::Cut),
                (true, false) => Fault::Before(Answer::Cut),
                (false, _) => Fault::None,
            });
            let (mut sink, run) = (peer.sink(""), notice(some(3)));
            let first = sink.deliver(run.clone()).await;
            assert_eq!(first.map_err(|e| e.class()), Err(ErrorClass::Transient), "request {lost}");
            sink.deliver(run).await.unwrap();
            let mut numbers: Vec<_> =
                peer.results().iter().map(|one| one["data"]["taskbot.result"][0].clone()).collect();
            numbers.sort_by_key(ToString::to_string);
            assert_eq!(numbers, ["0", "1", "2"], "request {lost} lost, after the store acted: {after}");
        }
    }
}

#[tokio::test]
async fn what_is_there_is_found_on_every_page() {
    let peer =
        Peer::new(&ALL, |count, _| if count == 115 { Fault::After(Answer::Mute) } else { Fault::None });
    let (mut sink, run) = (peer.sink(""), notice(some(120)));
    assert!(sink.deliver(run.clone()).await.is_err());
    assert!(peer.results().len() > 100);
    sink.deliver(run.clone()).await.unwrap();
    assert_eq!(peer.results().len(), 120);
    sink.deliver(run).await.unwrap();
    assert_eq!(peer.results().len(), 120);
}

#[tokio::test]
async fn another_sites_results_are_not_taken_for_ours() {
    let peer = Peer::new(&ALL, |_, _| Fault::None);
    let mut sink = peer.sink("");
    let mut other = report(some(1));
    other.instance = "message:m2".into();
    sink.deliver(Notice::new(other, "/nowhere".into())).await.unwrap();
    sink.deliver(notice(some(1))).await.unwrap();
    assert_eq!(peer.results().len(), 2);
}

#[tokio::test]
async fn outcomes_are_negotiated() {
    let peer = Peer::new(&["PASSED", "FAILED", "ERROR"], |_, _| Fault::None);
    let mut sink = peer.sink("");
    let all = [Outcome::Passed, Outcome::Info, Outcome::Failed, Outcome::NeedsInspection];
    sink.deliver(notice(all.map(|outcome| result("t.c", outcome, json!({}))).into())).await.unwrap();
    let told: Vec<_> = peer
        .results()
        .iter()
        .map(|one| (one["outcome"].clone(), one["data"]["taskbot.outcome"].clone()))
        .collect();
    let said = |was: &str| json!([was]);
    assert_eq!(
        told,
        [
            (json!("PASSED"), Value::Null),
            (json!("PASSED"), said("INFO")),
            (json!("FAILED"), Value::Null),
            (json!("FAILED"), said("NEEDS_INSPECTION")),
        ]
    );
    // What the surroundings failed has no result; it is told only where the store has an outcome for it.
    let mut broken = report(Vec::new());
    (broken.run.id, broken.run.state, broken.run.note) =
        (8, "infrastructure-error".into(), Some("no network".into()));
    sink.deliver(Notice::new(broken.clone(), "/nowhere".into())).await.unwrap();
    let last = peer.results().pop().unwrap();
    assert_eq!(
        (&last["outcome"], &last["testcase"]["name"], &last["note"]),
        (&json!("ERROR"), &json!("look"), &json!("no network"))
    );
    let strict = Peer::new(&ALL, |_, _| Fault::None);
    strict.sink("").deliver(Notice::new(broken, "/nowhere".into())).await.unwrap();
    assert!(strict.results().is_empty());
    let poor = Peer::new(&["PASSED"], |_, _| Fault::None);
    let error =
        poor.sink("").deliver(notice(vec![result("t", Outcome::Failed, json!({}))])).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Permanent, "{error}");
    assert!(poor.results().is_empty());
}

#[tokio::test]
async fn what_the_store_says_decides_whether_it_is_asked_again() {
    let invalid = || json!({"validation_error": [{"loc": ["outcome"], "msg": "must be one of: X"}]});
    let post = |request: &Request| request.method == "POST" && request.path.ends_with("/results");
    type Say = Box<dyn Fn() -> Answer + Send>;
    let cases: Vec<(Say, ErrorClass, &str)> = vec![
        (Box::new(move || Answer::Json(400, invalid())), ErrorClass::Permanent, "must be one of"),
        (Box::new(|| Answer::Json(404, json!({"message": "Not found"}))), ErrorClass::Permanent, "Not found"),
        (Box::new(|| Answer::Json(500, json!({"message": "oops"}))), ErrorClass::Transient, "answered 500"),
        (Box::new(|| Answer::With(503, "retry-after", "2")), ErrorClass::Transient, "answered 503"),
        (Box::new(|| Answer::With(301, "location", "/x")), ErrorClass::Permanent, "redirects"),
        (Box::new(|| Answer::Mute), ErrorClass::Transient, "no answer in time"),
    ];
    for (say, class, words) in cases {
        let peer =
            Peer::new(&ALL, move |_, request| if post(request) { Fault::Before(say()) } else { Fault::None });
        let error = peer.sink("").deliver(notice(some(1))).await.unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    // Nonsense where an answer is read.
    for path in ["/api/v2.0/", "/api/v2.0/results"] {
        let peer = Peer::new(&ALL, move |_, request| {
            let here = request.method == "GET" && request.path == path;
            if here { Fault::Before(Answer::Json(200, json!(["nonsense"]))) } else { Fault::None }
        });
        let error = peer.sink("").deliver(notice(some(1))).await.unwrap_err();
        assert!(error.class() == ErrorClass::Transient && error.to_string().contains("nonsense"), "{error}");
        assert!(peer.results().is_empty(), "nothing is sent where it is not known what is there");
    }
}

#[tokio::test]
async fn a_run_without_results_is_not_told() {
    let peer = Peer::new(&ALL, |_, _| Fault::None);
    peer.sink("").deliver(notice(Vec::new())).await.unwrap();
    assert!(peer.server.requests().is_empty());
}
