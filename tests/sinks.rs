//! What the daemon tells a bus, as the bus's own libraries hear it: python fedmsg and python fedora-messaging.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::broker::Broker;
use support::process::Running;
use support::site::Site;
use support::{eventually, free_port, has_program, message, python, require};

const LONG: Duration = Duration::from_secs(180);

/// A peer that says a line for each message that it hears.
struct Ear {
    _process: Running,
    lines: BufReader<ChildStdout>,
}

impl Ear {
    fn start(python: &Path, script: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(python);
        command.arg(python::script(script)).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut ear = Self { _process: Running::over(child), lines };
        assert_eq!(ear.hear(), json!({ "ready": true }));
        ear
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the peer said {line:?}: {error}"))
    }
}

/// A site whose task fails a build's test with a note in many scripts, when a line is written into `bus.jsonl`.
fn site(sink: &str) -> Site {
    let site = Site::new();
    site.configure(&format!("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n{sink}"));
    let results = json!({"results": [{"test": "case", "outcome": "FAILED", "note": "Zażółć \"x\" 😀"}]});
    let run = format!("#!/bin/sh\ncat > \"$TASKBOT_RESULTS\" <<'END'\n{results}\nEND\n");
    let look = site.task("look", "", &[("run", &run)]);
    site.write("rules.tb", format!("on koji.build.completed run look\n{look}"));
    site
}

fn tell(site: &Site, builds: &[&str]) {
    let lines = builds
        .iter()
        .map(|nvr| message::record(message::BUILD, &format!("2024-{nvr}"), &message::build(nvr)));
    site.write("bus.jsonl", message::lines(&lines.collect::<Vec<_>>()));
}

#[test]
fn fedora_messaging_takes_what_is_told_to_a_broker() {
    let Some(python) = python::environment("fedora-messaging") else { return };
    let Some(broker) = Broker::start() else { return };
    let site = site(&format!(
        "[[sink]]\nkind = \"amqp\"\nurl = \"{}\"\ntopic_prefix = \"org.example.prod\"\nlink = \"https://qa.example.org/{{run}}\"\n",
        broker.url()
    ));
    tell(&site, &["curl-8.6.0-7.fc40", "bash-5.2-1.fc40"]);
    let mut ear = Ear::start(&python, "hear_amqp.py", &[&broker.url()]);
    site.run(&["run", "--until-idle"]).with_code(0);
    let mut heard: Vec<Value> = (0..4).map(|_| ear.hear()).collect();
    let ids: BTreeSet<_> = heard.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 4);
    for one in &heard {
        assert_eq!((&one["class"], &one["severity"]), (&json!("Message"), &json!(20)), "{one}");
        assert!(one["sent"].as_str().unwrap().ends_with('Z'), "{one}");
    }
    heard.retain(|one| one["topic"] == "org.example.prod.taskbot.result.new");
    assert_eq!(heard.len(), 2);
    let body = &heard[0]["body"];
    assert_eq!(
        (&body["outcome"], &body["task"], &body["note"]),
        (&json!("FAILED"), &json!("look"), &json!("Zażółć \"x\" 😀"))
    );
    assert!(body["url"].as_str().unwrap().starts_with("https://qa.example.org/"), "{body}");
    assert_eq!(site.status().unwrap()["status"]["sinks"], json!([]));
}

#[test]
fn fedmsg_believes_what_is_signed_and_nothing_else() {
    let Some(python) = python::environment("fedmsg") else { return };
    if !require("openssl", has_program("openssl", &["version"])) {
        return;
    }
    for signed in [true, false] {
        let port = free_port();
        let sign = if signed { "sign = { certificate = \"bot.crt\", key = \"bot.key\" }\n" } else { "" };
        let site = site(&format!(
            "[[sink]]\nkind = \"fedmsg\"\nbind = \"tcp://127.0.0.1:{port}\"\ntopic_prefix = \"org.example.prod\"\n{sign}"
        ));
        certificates(&site);
        let ca = site.path("ca.crt");
        let mut ear = Ear::start(
            &python,
            "hear_fedmsg.py",
            &[&format!("tcp://127.0.0.1:{port}"), ca.to_str().unwrap()],
        );
        // Who subscribes too late hears nothing: runs are made until one is heard.
        let builds: Vec<String> = (0..40).map(|number| format!("curl-{number}-1.fc40")).collect();
        tell(&site, &builds.iter().map(String::as_str).collect::<Vec<_>>());
        let mut daemon = site.start();
        let heard = loop {
            let heard = ear.hear();
            if heard["topic"] == "org.example.prod.taskbot.result.new" {
                break heard;
            }
        };
        let envelope = &heard["envelope"];
        assert_eq!(
            (&envelope["msg"]["note"], &envelope["topic"]),
            (&json!("Zażółć \"x\" 😀"), &heard["topic"])
        );
        assert!(envelope["msg_id"].as_str().unwrap().starts_with("20"), "{envelope}");
        let verdicts = if signed { (json!(true), json!(false)) } else { (Value::Null, Value::Null) };
        assert_eq!((heard["valid"].clone(), heard["tampered"].clone()), verdicts, "{envelope}");
        eventually("the daemon to live on", LONG, || daemon.is_alive().then_some(()));
        daemon.kill();
    }
}

/// A certificate authority and a certificate under it.
fn certificates(site: &Site) {
    site.write("ext", "basicConstraints=critical,CA:false\n");
    for line in [
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=Test-CA",
        "req -newkey rsa:2048 -nodes -keyout bot.key -out bot.csr -subj /CN=taskbot.example.org",
        "x509 -req -in bot.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out bot.crt -days 30 -extfile ext",
    ] {
        let output = Command::new("openssl").args(line.split(' ')).current_dir(site.dir()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
