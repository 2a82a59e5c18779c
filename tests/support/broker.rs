//! A RabbitMQ of the test's own, and a publisher of python fedora-messaging.
//!
//! Comes in: nothing but free ports. Goes out: a broker on loopback with its own node, files and name service, stopped when it
//! is dropped, so that neither a broker of the machine nor another test is disturbed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::process::Running;
use super::{eventually, free_port, has_program, python, require};

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    dir: tempfile::TempDir,
    port: u16,
    dist_port: u16,
    epmd_port: u16,
}

impl Broker {
    /// Starts one; none: the test ends as skipped.
    pub fn start() -> Option<Self> {
        if !require("rabbitmq", has_program("rabbitmqctl", &["version"])) {
            return None;
        }
        let dir = tempfile::Builder::new().prefix("taskbot-broker-").tempdir().unwrap();
        // The server runs as its own user.
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let broker = Self { dir, port: free_port(), dist_port: free_port(), epmd_port: free_port() };
        broker.boot();
        Some(broker)
    }

    /// Starts it again after `stop`.
    pub fn boot(&self) {
        // The name of a node that stopped is taken for a moment longer, and a new node is not found at once.
        let node = self.node();
        eventually("the broker", Duration::from_secs(90), || {
            self.try_run("rabbitmq-server", &["-detached"]);
            self.try_run("rabbitmqctl", &["-n", &node, "await_startup", "--timeout", "30"]).0.then_some(())
        });
    }

    /// Stops it; durable queues and their messages stay.
    pub fn stop(&self) {
        self.control(&["stop"]);
    }

    /// Where it is, with its standard user.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2F", self.port)
    }

    /// Messages in a queue, acknowledged ones not counted.
    pub fn messages_in(&self, queue: &str) -> u64 {
        self.number_of("messages", queue)
    }

    /// Consumers of a queue.
    pub fn consumers_of(&self, queue: &str) -> u64 {
        self.number_of("consumers", queue)
    }

    fn number_of(&self, what: &str, queue: &str) -> u64 {
        let output = self.control(&["--quiet", "list_queues", "name", what, "--no-table-headers"]);
        let rows = output.lines().filter_map(|line| line.split_once('\t'));
        rows.filter(|(name, _)| *name == queue).map(|(_, count)| count.trim().parse::<u64>().unwrap()).sum()
    }

    fn control(&self, arguments: &[&str]) -> String {
        let node = self.node();
        self.run("rabbitmqctl", &[&["-n", &node], arguments].concat())
    }

    fn node(&self) -> String {
        format!("taskbot-tests-{}@localhost", self.port)
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let (succeeded, output) = self.try_run(program, arguments);
        assert!(succeeded, "{program} {arguments:?}: {output}");
        output
    }

    fn try_run(&self, program: &str, arguments: &[&str]) -> (bool, String) {
        let path = |name: &str| self.dir.path().join(name);
        // A detached server would hold a pipe open.
        let output = File::create(path("output")).unwrap();
        let errors = output.try_clone().unwrap();
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
            .stdout(output)
            .stderr(errors)
            .status();
        let output = fs::read_to_string(path("output")).unwrap_or_default();
        (status.is_ok_and(|status| status.success()), output)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let node = self.node();
        self.try_run("rabbitmqctl", &["-n", &node, "stop"]);
        // The name service does not end while it knows a node.
        for _ in 0..50 {
            if self.try_run("epmd", &["-kill"]).0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// A running publisher of python fedora-messaging.
#[derive(Debug)]
pub struct Publisher {
    _process: Running,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Publisher {
    /// Starts one for a broker.
    pub fn start(python: &Path, broker: &Broker) -> Self {
        let mut command = Command::new(python);
        command.arg(python::script("publish_amqp.py")).arg(broker.url()).current_dir(broker.dir.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { _process: Running::over(child), stdin, stdout }
    }

    /// Orders a message; `confirmed` waits for it.
    pub fn order(&mut self, topic: &str, body: &Value) {
        writeln!(self.stdin, "{}", json!({ "topic": topic, "body": body })).unwrap();
    }

    /// Waits until the broker has confirmed the next ordered message; gives its id.
    pub fn confirmed(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let answer: Value =
            serde_json::from_str(&line).unwrap_or_else(|e| panic!("the publisher said {line:?}: {e}"));
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Publishes and waits; gives the message's id.
    pub fn publish(&mut self, topic: &str, body: &Value) -> String {
        self.order(topic, body);
        self.confirmed()
    }
}
