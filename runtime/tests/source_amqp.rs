//! The AMQP source against a RabbitMQ of its own: acknowledged after the commit, given back, found again after
//! an outage.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use taskbot_runtime::source::{
    Delivery, QueueDeclare, Settled, SourceConfig, SourceEvent, SourceEvents, Wire, run,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const TOPIC: &str = "org.fedoraproject.prod.bodhi.update.request.testing";

/// A broker on loopback, with its own node, ports and name service.
struct Broker {
    dir: tempfile::TempDir,
    port: u16,
    dist_port: u16,
    epmd_port: u16,
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Broker {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        Self { dir, port: free_port(), dist_port: free_port(), epmd_port: free_port() }
    }

    fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2F", self.port)
    }

    fn node(&self) -> String {
        format!("taskbot{}@localhost", self.port)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let path = |name: &str| self.dir.path().join(name);
        let status = Command::new(program)
            .args(arguments)
            .env("RABBITMQ_NODENAME", self.node())
            .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_DIST_PORT", self.dist_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }

    fn control(&self, arguments: &[&str]) -> bool {
        let node = self.node();
        self.run("rabbitmqctl", &[&["-n", &node], arguments].concat())
    }

    fn start(&self) -> bool {
        // `await_startup` gives up at once while the node is not known by name.
        self.run("rabbitmq-server", &["-detached"])
            && patiently(|| self.control(&["await_startup", "--timeout", "60"]))
    }
}

/// Tries for about half a minute.
fn patiently(mut tried: impl FnMut() -> bool) -> bool {
    (0..60).any(|_| {
        tried() || {
            std::thread::sleep(Duration::from_millis(500));
            false
        }
    })
}

impl Drop for Broker {
    fn drop(&mut self) {
        // With the file it waits for the process, whose name service can be ended only after it.
        let pid_file = self.dir.path().join(format!("mnesia/{}.pid", self.node()));
        self.control(&["stop", pid_file.to_str().unwrap()]);
        patiently(|| {
            self.run("epmd", &["-kill"]);
            TcpStream::connect(("127.0.0.1", self.epmd_port)).is_err()
        });
    }
}

async fn channel(broker: &Broker) -> Channel {
    let connection = Connection::connect(&broker.url(), ConnectionProperties::default()).await.unwrap();
    connection.create_channel().await.unwrap()
}

/// As fedora-messaging publishes: persistent, with an id, and `sent-at` among the headers.
async fn publish(broker: &Broker, messages: std::ops::Range<u32>) {
    let channel = channel(broker).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for i in messages {
        let mut headers = FieldTable::default();
        headers.insert("sent-at".into(), AMQPValue::LongString("2024-05-01T12:00:00+00:00".into()));
        let properties = BasicProperties::default()
            .with_message_id(format!("id-{i}").into())
            .with_delivery_mode(2)
            .with_headers(headers);
        let (exchange, topic) = ("amq.topic".into(), TOPIC.into());
        let body = format!("{{\"i\": {i}}}");
        let options = BasicPublishOptions::default();
        channel
            .basic_publish(exchange, topic, options, body.as_bytes(), properties)
            .await
            .unwrap()
            .await
            .unwrap();
    }
}

fn config(broker: &Broker, queue: &str, declare: QueueDeclare) -> SourceConfig {
    SourceConfig::Amqp {
        name: "amqp".to_owned(),
        url: broker.url(),
        tls: None,
        queue: queue.to_owned(),
        exchange: "amq.topic".to_owned(),
        bindings: vec!["org.fedoraproject.#".to_owned()],
        prefetch: 20,
        declare,
    }
}

type Events = Arc<Mutex<Vec<SourceEvent>>>;

fn consume(
    config: SourceConfig,
    stop: &CancellationToken,
) -> (mpsc::Receiver<Delivery>, Events, tokio::task::JoinHandle<()>) {
    let (sender, deliveries) = mpsc::channel(8);
    let events = Events::default();
    let heard = Arc::clone(&events);
    let listener = SourceEvents::new(move |event| heard.lock().unwrap().push(event));
    let source = run(config, sender, stop.clone(), listener);
    (deliveries, events, tokio::spawn(async { source.await.unwrap() }))
}

async fn wait_for(events: &Events, wanted: impl Fn(&SourceEvent) -> bool) {
    let there = async {
        while !events.lock().unwrap().iter().any(&wanted) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(40), there).await;
    assert!(waited.is_ok(), "{:?}", events.lock().unwrap());
}

async fn next(deliveries: &mut mpsc::Receiver<Delivery>) -> Delivery {
    tokio::time::timeout(Duration::from_secs(40), deliveries.recv()).await.unwrap().unwrap()
}

fn id(delivery: &Delivery) -> String {
    match &delivery.wire {
        Wire::Amqp { routing_key, message_id, sent_at, body } => {
            assert_eq!(routing_key, TOPIC);
            assert_eq!(sent_at.as_deref(), Some("2024-05-01T12:00:00+00:00"));
            assert!(body.starts_with(b"{\"i\": "));
            message_id.clone().unwrap()
        }
        other => panic!("{other:?}"),
    }
}

/// Commits messages until each of these was committed.
async fn commit_all(deliveries: &mut mpsc::Receiver<Delivery>, ids: std::ops::Range<u32>) {
    let mut open: BTreeSet<String> = ids.map(|i| format!("id-{i}")).collect();
    while !open.is_empty() {
        let delivery = next(deliveries).await;
        open.remove(&id(&delivery));
        // It may be from before an outage, when nobody waits for its fate any more.
        let _ = delivery.settle.send(Settled::Committed);
    }
}

async fn left_in(broker: &Broker, queue: &str) -> u32 {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let channel = channel(broker).await;
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap().message_count()
}

#[tokio::test(flavor = "multi_thread")]
async fn p01_a_message_is_acknowledged_after_its_commit_and_through_outages() {
    if !is_installed("rabbitmq-server") {
        return support::skip("rabbitmq", "apt-get install --no-install-recommends rabbitmq-server");
    }
    let broker = Broker::new();
    let stop = CancellationToken::new();
    // The source is there first.
    let (mut deliveries, events, source) = consume(config(&broker, "tests", QueueDeclare::Durable), &stop);
    wait_for(&events, |event| matches!(event, SourceEvent::Lost { .. })).await;
    assert!(broker.start(), "rabbitmq-server is installed but did not start");
    wait_for(&events, |event| matches!(event, SourceEvent::Connected { .. })).await;

    // Each fate: committed, given back, forgotten. The latter two come again.
    publish(&broker, 0..60).await;
    for i in 0..60 {
        let delivery = next(&mut deliveries).await;
        match i % 3 {
            0 => delivery.settle.send(Settled::Committed).unwrap(),
            1 => delivery.settle.send(Settled::Returned).unwrap(),
            _ => drop(delivery.settle),
        }
    }
    let mut again = BTreeSet::new();
    while again.len() < 40 {
        let delivery = next(&mut deliveries).await;
        again.insert(id(&delivery));
        delivery.settle.send(Settled::Committed).unwrap();
    }

    // An outage with messages in flight.
    publish(&broker, 100..160).await;
    let held = next(&mut deliveries).await;
    assert!(broker.control(&["stop_app"]));
    events.lock().unwrap().clear();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(broker.control(&["start_app"]));
    drop(held);
    commit_all(&mut deliveries, 100..160).await;
    assert!(events.lock().unwrap().iter().any(|event| matches!(event, SourceEvent::Connected { .. })));
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.cancel();
    source.await.unwrap();
    assert_eq!(left_in(&broker, "tests").await, 0);

    // A source that ends gives back what it did not settle.
    publish(&broker, 200..210).await;
    let stop = CancellationToken::new();
    let (mut deliveries, _, source) = consume(config(&broker, "tests", QueueDeclare::Durable), &stop);
    let _unsettled = next(&mut deliveries).await;
    stop.cancel();
    source.await.unwrap();
    let stop = CancellationToken::new();
    let (mut deliveries, _, source) = consume(config(&broker, "tests", QueueDeclare::Passive), &stop);
    commit_all(&mut deliveries, 200..210).await;
    stop.cancel();
    source.await.unwrap();

    // A queue that should be there and is not, and a wrong password, are said.
    let stop = CancellationToken::new();
    let (_deliveries, events, source) = consume(config(&broker, "absent", QueueDeclare::Passive), &stop);
    wait_for(
        &events,
        |event| matches!(event, SourceEvent::Lost { reason, .. } if reason.contains("NOT_FOUND")),
    )
    .await;
    stop.cancel();
    source.await.unwrap();
    let SourceConfig::Amqp { url, .. } = config(&broker, "tests", QueueDeclare::Durable) else { panic!() };
    let url = url.replace("guest:guest", "guest:hunter2");
    let stop = CancellationToken::new();
    let wrong: SourceConfig =
        serde_json::from_value(serde_json::json!({"kind": "amqp", "url": url, "queue": "tests"})).unwrap();
    let (_deliveries, events, source) = consume(wrong, &stop);
    wait_for(
        &events,
        |event| matches!(event, SourceEvent::Lost { reason, .. } if reason.contains("ACCESS_REFUSED")),
    )
    .await;
    assert!(!format!("{:?}", events.lock().unwrap()).contains("hunter2"));
    stop.cancel();
    source.await.unwrap();
}
