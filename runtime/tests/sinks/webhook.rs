//! The webhook, and what holds for every sink that speaks HTTP.

use std::fs;

use serde_json::json;
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::sink::SinkError;
use taskbot_runtime::task::Outcome;

use super::http_server::{Answer, Server};
use super::{notice, outlet, report, result};

const CANARY: &str = "c4nary-s3cret";

#[tokio::test]
async fn a_run_is_posted_with_a_key_that_stays_and_a_signature() {
    let mut asked = 0;
    let server = Server::start(move |_| {
        asked += 1;
        if asked == 1 { Answer::Cut } else { Answer::With(204, "x", "y") }
    });
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("hook.secret"), format!("{CANARY}\n")).unwrap();
    let toml = format!("kind = 'webhook'\nurl = '{}/hooks/1?a=b'\nsecret_file = 'hook.secret'", server.url);
    let mut hook = outlet(dir.path(), &toml);
    let run = notice(vec![result("test.look", Outcome::Failed, json!({"n": 1}))]);
    let lost = hook.deliver(run.clone()).await.unwrap_err();
    assert_eq!(lost.class(), ErrorClass::Transient, "{lost}");
    hook.deliver(run.clone()).await.unwrap();
    let requests = server.requests();
    let [first, second] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((second.method.as_str(), second.path.as_str(), second.query.len()), ("POST", "/hooks/1", 1));
    assert_eq!(second.header("content-type"), Some("application/json"));
    let key = |n: usize| requests[n].header("idempotency-key").unwrap();
    assert_eq!(key(0), key(1));
    assert_eq!((&first.body, first.header("x-taskbot-signature-256").is_some()), (&second.body, true));
    let told = second.json();
    assert_eq!((&told["event"], &told["run_id"]), (&json!("taskbot.run.finished"), &json!(run.run_id())));
    assert_eq!(told["run"]["results"][0]["outcome"], "FAILED");
    let again = {
        let mut again = report(Vec::new());
        again.run.attempt = 2;
        taskbot_runtime::sink::Notice::new(again, "/nowhere".into())
    };
    hook.deliver(again).await.unwrap();
    assert_ne!(
        server.requests()[2].header("idempotency-key"),
        Some(key(0)),
        "another end is another message"
    );
}

#[tokio::test]
async fn what_the_peer_does_decides_whether_it_is_tried_again() {
    let server = Server::start(|request| match request.path.as_str() {
        "/503" => Answer::With(503, "retry-after", "17"),
        "/500" => Answer::Json(500, json!({"message": "\u{1b}[31m database \n gone"})),
        "/302" => Answer::With(302, "location", "http://127.0.0.1:1/elsewhere"),
        "/400" => Answer::Json(400, json!({"message": "no such field"})),
        "/401" => Answer::Json(401, json!({})),
        "/garbage" => Answer::Raw(b"\x00\x01\x02 nonsense\r\n\r\n"),
        "/mute" => Answer::Mute,
        "/large" => Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nx"),
        _ => Answer::Cut,
    });
    let dir = tempfile::tempdir().unwrap();
    for (path, class, words) in [
        ("503", ErrorClass::Transient, "answered 503"),
        ("500", ErrorClass::Transient, "[31m database"),
        ("302", ErrorClass::Permanent, "redirects are not followed"),
        ("400", ErrorClass::Permanent, "no such field"),
        ("401", ErrorClass::Transient, "answered 401"),
        ("garbage", ErrorClass::Transient, ""),
        ("mute", ErrorClass::Transient, "no answer in time"),
        ("large", ErrorClass::Transient, ""),
        ("cut", ErrorClass::Transient, ""),
    ] {
        let toml = format!("kind = 'webhook'\nurl = '{}/{path}'\ntimeout = '1s'", server.url);
        let error = outlet(dir.path(), &toml).deliver(notice(Vec::new())).await.unwrap_err();
        assert_eq!(error.class(), class, "{path}: {error}");
        assert!(error.to_string().contains(words), "{path}: {error}");
        let SinkError::Unavailable { retry_after, .. } = error else { continue };
        assert_eq!(retry_after.map(|wait| wait.as_secs()), (path == "503").then_some(17));
    }
    assert_eq!(server.requests().len(), 9, "a redirect is not followed");
}

#[tokio::test]
async fn nobody_there_is_tried_again() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let dir = tempfile::tempdir().unwrap();
    let mut hook = outlet(dir.path(), &format!("kind = 'webhook'\nurl = 'http://127.0.0.1:{port}/'"));
    let error = hook.deliver(notice(Vec::new())).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient, "{error}");
}

#[tokio::test]
async fn secrets_reach_the_peer_and_nothing_else() {
    // One repeats what it was sent, as servers do; others are broken.
    let server = Server::start(|request| match request.path.as_str() {
        "/hooks/c4nary-s3cret/garbage" => Answer::Raw(b"\x00"),
        "/hooks/c4nary-s3cret/cut" => Answer::Cut,
        path => {
            let status = if path.ends_with("refused") { 400 } else { 503 };
            let said = format!("no {path} for {}, sorry", request.header("authorization").unwrap());
            Answer::Json(status, json!({ "message": said }))
        }
    });
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("token"), CANARY).unwrap();
    let encoded = "dTpjNG5hcnktczNjcmV0";
    for (path, auth, header) in [
        ("garbage", "token_file = 'token'", format!("Bearer {CANARY}")),
        ("cut", "user = 'u', password_file = 'token'", format!("Basic {encoded}")),
        ("refused", "token_file = 'token'", format!("Bearer {CANARY}")),
        ("busy", "user = 'u', password_file = 'token'", format!("Basic {encoded}")),
    ] {
        let url = format!("{}/hooks/{CANARY}/{path}", server.url);
        let toml = format!("kind = 'webhook'\nurl = '{url}'\nauth = {{ {auth} }}\nsecret_file = 'token'");
        let mut hook = outlet(dir.path(), &toml);
        let error = hook.deliver(notice(Vec::new())).await.unwrap_err();
        let shown = format!("{error} {error:?} {hook:?}");
        assert!(!shown.contains(CANARY) && !shown.contains(encoded), "{shown}");
        let asked = server.requests().pop().unwrap();
        assert_eq!(asked.header("authorization"), Some(header.as_str()), "{path}");
        assert!(!String::from_utf8_lossy(&asked.body).contains(CANARY));
    }
    let mut hook =
        outlet(dir.path(), &format!("kind = 'webhook'\nurl = '{}'\nsecret_file = 'none'", server.url));
    let error = hook.deliver(notice(Vec::new())).await.unwrap_err().to_string();
    assert!(error.contains("none: "), "{error}");
}
