//! A publisher of python fedmsg: the other end of the fedmsg source, as Fedora's services had it.
//!
//! Comes in: bodies of messages. Goes out: envelopes over a real ZeroMQ socket on loopback, signed or not. PUB sockets drop what
//! nobody subscribed to, so `heard_by` first makes sure that the daemon hears.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::eventually;
use super::process::Running;
use super::python;
use super::site::Site;

/// Whether fedmsg signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// With the site's own test certificate.
    Signed,
    /// Not at all.
    Unsigned,
}

/// A running publisher.
#[derive(Debug)]
pub struct Publisher {
    _process: Running,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Publisher {
    /// Starts one that binds to this port; its files are below `dir`.
    pub fn start(python: &Path, dir: &Path, port: u16) -> Self {
        fs::create_dir_all(dir).unwrap();
        let mut command = Command::new(python);
        command.arg(python::script("publish_fedmsg.py")).arg(dir).arg(port.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut publisher = Self { _process: Running::over(child), stdin, stdout };
        assert_eq!(publisher.answer(), json!({ "ready": true }));
        publisher
    }

    /// Publishes; gives the envelope that was sent.
    pub fn publish(&mut self, topic: &str, body: &Value, signing: Signing) -> Value {
        self.publish_times(topic, body, signing, 1)
    }

    /// Publishes one envelope so many times.
    pub fn publish_times(&mut self, topic: &str, body: &Value, signing: Signing, times: u32) -> Value {
        let order =
            json!({ "topic": topic, "msg": body, "signed": signing == Signing::Signed, "times": times });
        writeln!(self.stdin, "{order}").unwrap();
        self.answer()["sent"].take()
    }

    /// Publishes bytes that fedmsg itself would not send.
    pub fn publish_raw(&mut self, topic: &str, bytes: &[u8]) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(self.stdin, "{}", json!({ "topic": topic, "raw": hex })).unwrap();
        self.answer();
    }

    /// Publishes messages that mean nothing until the daemon of this site has counted one of them.
    pub fn heard_by(&mut self, site: &Site) {
        let before = site.counter("no-event");
        eventually("the daemon to hear the publisher", Duration::from_secs(60), || {
            self.publish("taskbot-tests.hello", &json!({}), Signing::Unsigned);
            (site.counter("no-event") > before).then_some(())
        });
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the publisher said {line:?}: {error}"))
    }
}
