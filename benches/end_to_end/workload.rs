//! What the bench sends, and the rules that judge it: with a fixed seed.
//!
//! Comes in: a bus and a number. Goes out: a file of messages as that bus carries them (a line each: topic, id, text), rules, and
//! the facts that rules ask for. A tenth of the messages are builds that completed and a twentieth updates; the others are what else
//! a distribution tells (tags, tasks, pushes, builds of others), for which no rule waits. Bodies are 0.7 to 2 kB; half of the
//! fedmsg envelopes carry a certificate and a signature, 1.9 kB more.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::message;

/// Whose build holds the only slot for runs.
pub const HOLDER: &str = "holder-of-the-slot";

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// In signed envelopes over ZeroMQ.
    Fedmsg,
    /// As bodies over AMQP.
    Amqp,
}

/// A generator with a fixed seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn word(&mut self, length: usize) -> String {
        const SIGNS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";
        (0..length).map(|_| char::from(SIGNS[usize::try_from(self.roll(64)).unwrap()])).collect()
    }

    fn nvr(&mut self) -> String {
        format!("package-{}-{}.{}-1.fc40", self.roll(20_000), self.roll(9), self.roll(30))
    }
}

/// Writes `count` messages; the first is the build that takes the slot.
pub fn write(path: &Path, bus: Bus, count: usize) {
    let mut dice = Dice(4);
    let mut file = BufWriter::new(File::create(path).unwrap());
    let (certificate, signature) = (dice.word(1600), dice.word(250));
    for at in 0..count {
        let (topic, body) = if at == 0 {
            (message::BUILD, message::build(&format!("{HOLDER}-1-1")))
        } else {
            message_of(&mut dice)
        };
        let id = format!("2026-{at:08}-0000-4000-8000-{:012}", dice.roll(1 << 30));
        let text = match bus {
            Bus::Amqp => body.to_string(),
            Bus::Fedmsg => {
                let mut envelope = message::envelope(topic, &id, &body);
                if dice.roll(2) == 0 {
                    envelope["crypto"] = json!("x509");
                    envelope["certificate"] = json!(certificate);
                    envelope["signature"] = json!(signature);
                }
                envelope.to_string()
            }
        };
        writeln!(file, "{}\t{id}\t{text}", message::production(topic)).unwrap();
    }
    file.flush().unwrap();
}

fn message_of(dice: &mut Dice) -> (&'static str, Value) {
    let nvr = dice.nvr();
    match dice.roll(20) {
        0 | 1 => {
            let mut body = message::build(&nvr);
            body["task"] = task(dice, &nvr);
            (message::BUILD, body)
        }
        2 => {
            let builds: Vec<String> = (0..=dice.roll(4)).map(|_| dice.nvr()).collect();
            let builds: Vec<&str> = builds.iter().map(String::as_str).collect();
            let mut body = message::update(&format!("FEDORA-2024-{:010}", dice.roll(1 << 30)), &builds);
            body["update"]["notes"] = json!(dice.word(700));
            (message::TESTING, body)
        }
        3..=8 => (
            "buildsys.task.state.change",
            json!({
                "attribute": "state", "old": "OPEN", "new": "CLOSED", "method": "buildArch",
                "instance": "primary",
                "id": dice.roll(1 << 30), "owner": "packager", "srpm": format!("{nvr}.src.rpm"),
                "info": task(dice, &nvr),
            }),
        ),
        9..=12 => (
            "buildsys.tag",
            json!({
                "tag": "f40-updates-candidate", "tag_id": dice.roll(1000), "user": "bodhi",
                "instance": "primary", "owner": "packager",
                "build_id": dice.roll(1 << 30), "name": nvr, "version": "1", "release": "1.fc40",
                "note": dice.word(600),
            }),
        ),
        13..=16 => (
            "git.receive",
            json!({ "commit": {
            "repo": nvr, "branch": "rawhide", "rev": dice.word(40), "namespace": "rpms",
            "username": "packager", "agent": "packager",
            "name": "Packager", "email": "packager@example.org", "summary": "Update to 1.2",
            "message": dice.word(400), "patch": null,
            "stats": { "files": { "sources": { "additions": 1, "deletions": 1, "lines": 2 },
                                   "package.spec": { "additions": 5, "deletions": 2, "lines": 7 } },
                       "total": { "additions": 6, "deletions": 3, "files": 2, "lines": 9 } },
        } }),
        ),
        _ => (
            "copr.build.end",
            json!({
                "build": dice.roll(1 << 30), "chroot": "fedora-40-x86_64", "copr": "project",
                "owner": "packager", "user": "packager",
                "pkg": nvr, "version": "1.2-1", "status": 1, "pid": 4711, "what": dice.word(500),
                "who": "backend.worker-815",
            }),
        ),
    }
}

fn task(dice: &mut Dice, nvr: &str) -> Value {
    json!({
        "id": dice.roll(1 << 30), "parent": dice.roll(1 << 30), "host_id": dice.roll(500),
        "arch": "x86_64", "label": "x86_64",
        "state": 2, "waiting": false, "awaited": false, "priority": 19, "weight": 1.5, "channel_id": 1,
        "method": "buildArch",
        "create_time": "2024-05-01 12:00:00.123456", "start_time": "2024-05-01 12:00:03.654321",
        "completion_time": "2024-05-01 12:09:59.000001",
        "request": [format!("tasks/1234/{nvr}.src.rpm"), dice.roll(9999), "x86_64", true, { "repo_id": dice.roll(1 << 30) }],
        "result": { "brootid": dice.roll(1 << 30), "srpms": [format!("tasks/1234/{nvr}.src.rpm")],
                    "rpms": [format!("tasks/1234/{nvr}.x86_64.rpm"), format!("tasks/1234/{nvr}-devel.x86_64.rpm")],
                    "logs": ["tasks/1234/build.log", "tasks/1234/root.log", "tasks/1234/state.log"] },
    })
}

/// Every package is known: one in eight is written in C.
pub fn facts() -> String {
    let mut text = String::from("[\"nvr.lang\"]\n");
    for package in 0..20_000 {
        let language = if package % 8 == 0 { "C" } else { "Python" };
        writeln!(text, "package-{package} = \"{language}\"").unwrap();
    }
    text
}

/// Rules about packages, by name, list, glob, version and fact, as a distribution would write them.
pub fn rules(count: usize) -> String {
    let mut dice = Dice(2026);
    let mut text = String::new();
    for at in 0..count {
        let package = |dice: &mut Dice| format!("package-{}", dice.roll(20_000));
        let (a, b, c) = (package(&mut dice), package(&mut dice), package(&mut dice));
        let condition = match dice.roll(6) {
            0 | 1 => format!("package.name == \"{a}\""),
            2 => format!("package.name in [\"{a}\", \"{b}\", \"{c}\"]"),
            3 => format!("package.name like \"{a}-*\" and not (package.name like \"*-devel\")"),
            4 => format!("package.name == \"{a}\" and package.evr >= \"{}.0-1\"", dice.roll(9)),
            _ => format!("package.lang == C and package.name != \"{a}\" and package.name like \"{at}*\""),
        };
        let (event, task) = match dice.roll(3) {
            0 => ("bodhi.update.testing", "rpmlint"),
            1 => ("koji.build.completed", "static-analysis"),
            _ => ("bodhi.update.stable", "depcheck"),
        };
        writeln!(text, "rule r{at} on {event} where {condition} run {task}").unwrap();
    }
    text
}
