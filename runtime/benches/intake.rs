//! What intake costs a message: `cargo bench -p taskbot-runtime`.
//!
//! For a message of 3 kB, plain and in an envelope, and for one that is too large: µs for `accept`, beside serde_json's own pass over
//! the same text that checks and keeps nothing (`IgnoredAny`). The best of many rounds.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its table")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;
use taskbot_runtime::intake::{IntakeLimits, accept};
use taskbot_runtime::source::Wire;

const TOPIC: &str = "org.fedoraproject.prod.buildsys.build.state.change";

/// 3 kB as Koji tells of a build: objects in objects, lists, names, numbers, a few escapes.
fn body() -> String {
    let mut text =
        String::from(r#"{"attribute": "state", "old": 0, "new": 1, "owner": "packager", "epoch": null, "#);
    for at in 0..7 {
        let task = 114_000_000 + at;
        write!(
            text,
            r#""task_{at}": {{"id": {task}, "parent": {task}, "label": "x86_64", "waiting": false, "weight": 1.5, "method": "buildArch",
            "create_time": "2024-05-01 12:00:00.123456", "start_time": "2024-05-01 12:00:03.654321", "host_id": 234,
            "request": ["tasks/1234/{task}/package-1.2-1.fc40.src.rpm", {at}, "x86_64", true, {{"repo_id": {task}}}],
            "summary": "Update to 1.2 \u2014 caf\u00e9 \"quoted\""}}, "#
        )
        .unwrap();
    }
    text.push_str(r#""instance": "primary"}"#);
    text
}

fn amqp(body: &str) -> Wire {
    let (routing_key, message_id) = (TOPIC.to_owned(), Some("2024-00000000".to_owned()));
    Wire::Amqp { routing_key, message_id, sent_at: None, body: body.into() }
}

fn fedmsg(envelope: &str) -> Wire {
    Wire::Fedmsg { topic: TOPIC.into(), envelope: envelope.into() }
}

/// The best time of one call, of `rounds` of them.
fn best<I, O>(rounds: usize, mut make: impl FnMut() -> I, mut run: impl FnMut(I) -> O) -> Duration {
    let mut time = |input| {
        let started = Instant::now();
        black_box(run(black_box(input)));
        started.elapsed()
    };
    (0..rounds).map(|_| time(make())).min().unwrap()
}

fn row(what: &str, text: &str, rounds: usize, wire: impl Fn(&str) -> Wire) {
    let limits = IntakeLimits::default();
    let accepted = best(rounds, || wire(text), |wire| accept(wire, "bus", &limits).is_ok());
    let ignored = best(rounds, || text.to_owned(), |text| serde_json::from_str::<IgnoredAny>(&text).is_ok());
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let kilobytes = text.len() / 1000;
    println!("{what:>28} {kilobytes:>7} {:>10.2} {:>11.2}", micros(accepted), micros(ignored));
}

fn main() {
    let body = body();
    let envelope = |more: &str| {
        format!(
            r#"{{"i": 1, "timestamp": 1714564800, "topic": "{TOPIC}", "msg_id": "2024-0", {more}"msg": {body}}}"#
        )
    };
    let signed =
        format!(r#""certificate": "{}", "signature": "{}", "#, "LS0t".repeat(400), "mA+x".repeat(60));
    println!("{:>28} {:>7} {:>10} {:>11}", "message", "kB", "accept µs", "ignored µs");
    row("AMQP body", &body, 20_000, amqp);
    row("fedmsg envelope", &envelope(""), 20_000, fedmsg);
    row("fedmsg envelope, signed", &envelope(&signed), 20_000, fedmsg);
    row("too large", &"a".repeat(20 << 20), 5, amqp);
}
