//! The fedmsg source against the project's own publisher, against pyzmq, and against peers that misbehave (P04).
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use taskbot_runtime::limits;
use taskbot_runtime::publisher::Publisher;
use taskbot_runtime::source::{
    Delivery, SourceConfig, SourceError, SourceEvent, SourceEvents, Wire, run_with,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

struct Subscribed {
    deliveries: mpsc::Receiver<Delivery>,
    events: Arc<Mutex<Vec<SourceEvent>>>,
    stop: CancellationToken,
    source: tokio::task::JoinHandle<Result<(), SourceError>>,
}

impl Subscribed {
    fn to(endpoints: &[&str], silence_seconds: u64) -> Self {
        let (sender, deliveries) = mpsc::channel(limits::DELIVERIES_IN_FLIGHT);
        let events = Arc::new(Mutex::new(Vec::new()));
        let (stop, heard) = (CancellationToken::new(), Arc::clone(&events));
        let config = SourceConfig::Fedmsg {
            name: "fedmsg".to_owned(),
            endpoints: endpoints.iter().map(ToString::to_string).collect(),
            silence_seconds,
        };
        let listener = SourceEvents::new(move |event| heard.lock().unwrap().push(event));
        let token = stop.clone();
        let source =
            tokio::spawn(async move { run_with(&support::worker(), config, sender, token, listener).await });
        Self { deliveries, events, stop, source }
    }

    async fn next(&mut self) -> Wire {
        let delivery = tokio::time::timeout(Duration::from_secs(40), self.deliveries.recv()).await;
        delivery.unwrap_or_else(|_| panic!("nothing came: {:?}", self.events.lock().unwrap())).unwrap().wire
    }

    async fn next_body(&mut self) -> String {
        match self.next().await {
            Wire::Fedmsg { topic, envelope } => {
                assert_eq!(topic, b"a.b");
                String::from_utf8(envelope).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    fn count(&self, wanted: fn(&SourceEvent) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|event| wanted(event)).count()
    }

    /// Why this endpoint's link was lost, each time.
    fn reasons(&self, endpoint: &str) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let lost = events.iter().filter_map(|event| match event {
            SourceEvent::Lost { endpoint: at, reason } if at == endpoint => Some(reason.clone()),
            _ => None,
        });
        lost.collect()
    }

    async fn first_reason(&self, endpoint: &str) -> String {
        let wait = async {
            loop {
                if let Some(reason) = self.reasons(endpoint).into_iter().next() {
                    return reason;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        self.source.await.unwrap().unwrap();
    }
}

fn is_connected(event: &SourceEvent) -> bool {
    matches!(event, SourceEvent::Connected { .. })
}
fn is_lost(event: &SourceEvent) -> bool {
    matches!(event, SourceEvent::Lost { .. })
}
fn has_died(event: &SourceEvent) -> bool {
    matches!(event, SourceEvent::WorkerDied { .. })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn publish(port: u16, messages: std::ops::Range<u32>, pause: Duration) {
    let mut publisher = Publisher::start(&support::worker(), port, pause).await.unwrap();
    for i in messages.clone() {
        publisher.send(b"a.b", i.to_string().as_bytes()).await.unwrap();
    }
    assert_eq!(publisher.finish().await.unwrap(), u64::from(messages.end - messages.start));
}

/// Reads numbers until all of these came, in any order and as often as they like.
async fn receive_all(subscribed: &mut Subscribed, wanted: std::ops::Range<u32>) {
    let mut open: BTreeSet<u32> = wanted.collect();
    while !open.is_empty() {
        open.remove(&subscribed.next_body().await.parse().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_may_be_late_and_may_be_restarted() {
    let port = free_port();
    let mut subscribed = Subscribed::to(&[&format!("tcp://127.0.0.1:{port}")], 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for round in 0..3 {
        let messages = round * 1000..(round + 1) * 1000;
        let publisher = tokio::spawn(publish(port, messages.clone(), Duration::ZERO));
        for i in messages {
            assert_eq!(subscribed.next_body().await, i.to_string(), "in order, without a gap");
        }
        publisher.await.unwrap();
    }
    assert_eq!((subscribed.count(is_connected), subscribed.count(has_died)), (3, 0));
    assert!(subscribed.count(is_lost) >= 2);
    subscribed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_endpoints_do_not_wait_for_each_other() {
    let port = free_port();
    let mut endpoints: Vec<String> = (0..20).map(|_| format!("tcp://127.0.0.1:{}", free_port())).collect();
    endpoints.push(format!("tcp://127.0.0.1:{port}"));
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    let publisher = tokio::spawn(publish(port, 0..10, Duration::ZERO));
    let mut subscribed = Subscribed::to(&endpoints, 0);
    let all = receive_all(&mut subscribed, 0..10);
    tokio::time::timeout(Duration::from_secs(5), all).await.unwrap();
    publisher.await.unwrap();
    subscribed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_leaves_its_head() {
    let port = free_port();
    let mut subscribed = Subscribed::to(&[&format!("tcp://127.0.0.1:{port}")], 0);
    let mut publisher = Publisher::start(&support::worker(), port, Duration::ZERO).await.unwrap();
    publisher.send(b"a.b", &vec![b'x'; limits::MESSAGE_BYTES_MAX]).await.unwrap();
    publisher.send(b"a.b", b"next").await.unwrap();
    let Wire::Refused { head, sha256, length_bytes, .. } = subscribed.next().await else { panic!() };
    assert_eq!((head.len(), length_bytes), (limits::QUARANTINE_HEAD_BYTES, (16 << 20) + 3));
    assert_eq!(sha256.unwrap().len(), 64);
    assert_eq!(subscribed.next_body().await, "next");
    publisher.finish().await.unwrap();
    subscribed.end().await;
}

const READY_PUB: &[u8] = b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB";

/// A peer that greets, says that it is ready and then does what it is told to.
fn hostile_peer(ready: &'static [u8], then: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // ZMTP 3.0: signature, version, mechanism NULL, as-server, filler; then the READY command.
            let mut greeting = [0; 64];
            greeting[0] = 0xff;
            greeting[9] = 0x7f;
            greeting[10] = 3;
            greeting[12..16].copy_from_slice(b"NULL");
            let _ = stream.write_all(&greeting).and_then(|()| stream.read_exact(&mut [0; 64]));
            let _ = stream.write_all(ready);
            then(stream);
        }
    });
    endpoint
}

#[tokio::test(flavor = "multi_thread")]
async fn p04_a_frame_of_a_terabyte_costs_one_connection() {
    let header = [&[0x02][..], &(1_u64 << 40).to_be_bytes()].concat();
    let hostile = hostile_peer(READY_PUB, move |mut stream| {
        std::thread::sleep(Duration::from_millis(500));
        let _ = stream.write_all(&header);
        std::thread::sleep(Duration::from_millis(500));
    });
    let port = free_port();
    let good = format!("tcp://127.0.0.1:{port}");
    let mut subscribed = Subscribed::to(&[&hostile, &good], 0);
    let publisher = tokio::spawn(publish(port, 0..300, Duration::from_millis(20)));
    for i in 0..300 {
        assert_eq!(subscribed.next_body().await, i.to_string(), "the other link goes on");
    }
    publisher.await.unwrap();
    let reasons = subscribed.reasons(&hostile);
    assert!(reasons.len() >= 2, "{reasons:?}");
    assert!(reasons.iter().all(|reason| reason.contains("1099511627776 bytes")), "{reasons:?}");
    assert_eq!(subscribed.count(has_died), 0);
    subscribed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_publisher_does_not_starve_another() {
    let flood = hostile_peer(READY_PUB, |mut stream| {
        let messages = b"\x01\x05flood\0\x02{}".repeat(5000);
        while stream.write_all(&messages).is_ok() {}
    });
    let port = free_port();
    let mut subscribed = Subscribed::to(&[&flood, &format!("tcp://127.0.0.1:{port}")], 0);
    let publisher = tokio::spawn(publish(port, 0..100, Duration::from_millis(20)));
    let (mut flooded, mut came) = (0_u64, 0);
    let all = async {
        while came < 100 {
            match subscribed.next().await {
                Wire::Fedmsg { topic, .. } if topic == b"flood" => flooded += 1,
                _ => came += 1,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.unwrap();
    assert!(flooded > 1000, "{flooded}");
    assert_eq!((subscribed.count(is_connected), subscribed.count(has_died)), (2, 0));
    publisher.await.unwrap();
    subscribed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p04_a_peer_that_is_no_publisher_is_refused_with_the_reason() {
    let cases: [(&'static [u8], &str); 3] = [
        (b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH", "a PUSH socket"),
        (b"\x04\x0c\x05ERROR\x05no \x1b!", "refuses: no "),
        (b"\0\x05hello", "before its handshake"),
    ];
    let endpoints =
        cases.map(|(ready, _)| hostile_peer(ready, |_| std::thread::sleep(Duration::from_millis(100))));
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let web_endpoint = format!("tcp://{}", web.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in web.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let [push, error, early] = &endpoints;
    let subscribed = Subscribed::to(&[push, error, early, &web_endpoint], 0);
    let expected = endpoints.iter().zip(cases.map(|(_, words)| words)).chain([(&web_endpoint, "no ZeroMQ")]);
    for (endpoint, words) in expected {
        let reason = subscribed.first_reason(endpoint).await;
        assert!(reason.contains(words), "{words}: {reason}");
        assert!(!reason.contains('\x1b'), "{reason}");
    }
    assert_eq!((subscribed.count(is_connected), subscribed.count(has_died)), (0, 0));
    subscribed.end().await;
}

/// A link that dies without a word: after a while bytes no longer pass, and nothing is closed. Only the first
/// connection dies.
fn dying_proxy(port: u16, passes: Duration) -> String {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", proxy.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for (number, stream) in proxy.incoming().enumerate() {
            let (down, up) = (stream.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
            let until = (number == 0).then(|| Instant::now() + passes);
            for (mut from, mut to) in [
                (down.try_clone().unwrap(), up.try_clone().unwrap()),
                (up.try_clone().unwrap(), down.try_clone().unwrap()),
            ] {
                std::thread::spawn(move || {
                    let mut chunk = [0; 4096];
                    while let Ok(read @ 1..) = from.read(&mut chunk) {
                        if until.is_none_or(|until| Instant::now() < until) {
                            let _ = to.write_all(chunk.get(..read).unwrap());
                        }
                    }
                });
            }
            held.push((down, up));
        }
    });
    endpoint
}

/// The project's publisher speaks ZMTP 3.0, which has no heartbeat: only its silence tells.
#[tokio::test(flavor = "multi_thread")]
async fn p04_a_link_that_is_silently_dead_is_found() {
    let port = free_port();
    let endpoint = dying_proxy(port, Duration::from_secs(1));
    let publisher = tokio::spawn(publish(port, 0..400, Duration::from_millis(20)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut subscribed = Subscribed::to(&[&endpoint], 1);
    receive_all(&mut subscribed, 350..400).await;
    assert_eq!(subscribed.count(has_died), 0);
    publisher.await.unwrap();
    subscribed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p04_a_half_open_link_to_a_publisher_with_heartbeats_is_live_again_within_30_seconds() {
    let Some(python) = support::python("pyzmq==27.1.0") else { return };
    let port = free_port();
    let _publisher = Pyzmq::start_and_bind(&python, port, 0..100_000, "").await;
    let passes = Duration::from_secs(3);
    let started = Instant::now();
    let mut subscribed = Subscribed::to(&[&dying_proxy(port, passes)], 0);
    while subscribed.count(is_connected) < 2 {
        subscribed.next_body().await;
    }
    let dead = started.elapsed().saturating_sub(passes);
    assert!(dead < Duration::from_secs(30), "{dead:?}");
    assert_eq!((subscribed.count(is_lost), subscribed.count(has_died)), (1, 0));
    subscribed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p04_a_mute_peer_is_lost_and_tried_again() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", mute.local_addr().unwrap());
    let subscribed = Subscribed::to(&[&endpoint], 0);
    let lost = async {
        while subscribed.count(is_lost) == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(limits::CONNECT_TIMEOUT + Duration::from_secs(5), lost).await.unwrap();
    subscribed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_cannot_be_are_refused() {
    for endpoints in
        [&[][..], &["localhost:9940"], &["tcp://host"], &["ipc:///tmp/x"], &["tcp://:1"], &["tcp://h:0"]]
    {
        let refused = Subscribed::to(endpoints, 0).source.await.unwrap();
        assert!(matches!(refused, Err(SourceError::Config(_))), "{endpoints:?}");
    }
}

/// Numbers at a steady pace; `before` is code that sets the socket up of the socket.
const PYTHON_PUBLISHER: &str = r"
import sys, time, zmq
socket = zmq.Context().socket(zmq.PUB)
socket.setsockopt(zmq.SNDHWM, 0)
exec(sys.argv[4])
socket.bind('tcp://127.0.0.1:' + sys.argv[1])
for i in range(int(sys.argv[2]), int(sys.argv[3])):
    socket.send_multipart([b'a.b', str(i).encode()])
    time.sleep(0.01)
socket.close(linger=2000)
";

/// A publisher on libzmq; dropping it ends it.
struct Pyzmq(std::process::Child);

impl Pyzmq {
    fn start(python: &std::path::Path, port: u16, messages: std::ops::Range<u32>, before: &str) -> Self {
        let (first, last) = (messages.start.to_string(), messages.end.to_string());
        let mut command = std::process::Command::new(python);
        command.args(["-c", PYTHON_PUBLISHER, &port.to_string(), &first, &last, before]);
        Self(command.spawn().unwrap())
    }

    async fn start_and_bind(
        python: &std::path::Path,
        port: u16,
        messages: std::ops::Range<u32>,
        before: &str,
    ) -> Self {
        let publisher = Self::start(python, port, messages, before);
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return publisher;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it does not bind");
    }
}

impl Drop for Pyzmq {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pyzmq_publishes_and_is_restarted() {
    let Some(python) = support::python("pyzmq==27.1.0") else { return };
    let port = free_port();
    let mut subscribed = Subscribed::to(&[&format!("tcp://127.0.0.1:{port}")], 0);
    for (first, last) in [(0, 300), (300, 600)] {
        let mut publisher = Pyzmq::start(&python, port, first..last, "");
        // It publishes from its start on, so the first ones go to nobody.
        receive_all(&mut subscribed, last - 100..last).await;
        assert!(publisher.0.wait().unwrap().success());
    }
    assert_eq!((subscribed.count(is_connected), subscribed.count(has_died)), (2, 0));
    subscribed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pyzmq_that_sends_heartbeats_loses_no_message() {
    let Some(python) = support::python("pyzmq==27.1.0") else { return };
    let port = free_port();
    // It publishes once the subscriber had time to subscribe, a message between any two heartbeats.
    let before = r"
socket.setsockopt(zmq.HEARTBEAT_IVL, 200)
sleep, bind = time.sleep, socket.bind
time.sleep = lambda seconds: sleep(0.05)
socket.bind = lambda endpoint: (bind(endpoint), sleep(3))
";
    let publisher = Pyzmq::start_and_bind(&python, port, 0..80, before).await;
    let endpoint = format!("tcp://127.0.0.1:{port}");
    let mut subscribed = Subscribed::to(&[&endpoint], 0);
    let mut came = Vec::new();
    while came.last().is_none_or(|last| last != "79") {
        came.push(subscribed.next_body().await);
    }
    let lost = subscribed.reasons(&endpoint);
    assert_eq!((came.len(), lost), (80, Vec::new()));
    drop(publisher);
    subscribed.end().await;
}
