//! Messages in the shapes that buses give them, made for the tests; the recorded ones are in `tests/samples`.
//!
//! Comes in: packages and ids. Goes out: bodies, fedmsg envelopes and fedora-messaging records as JSON.

use serde_json::{Value, json};

/// Bodhi: an update was submitted for testing.
pub const TESTING: &str = "bodhi.update.request.testing";
/// Koji: a build changed its state.
pub const BUILD: &str = "buildsys.build.state.change";

/// A topic as sent, in production.
pub fn production(topic: &str) -> String {
    format!("org.fedoraproject.prod.{topic}")
}

/// Body of Bodhi's message about an update.
pub fn update(alias: &str, builds: &[&str]) -> Value {
    let builds: Vec<Value> =
        builds.iter().map(|nvr| json!({ "nvr": nvr, "epoch": 0, "signed": true })).collect();
    json!({
        "agent": "packager",
        "update": {
            "alias": alias,
            "builds": builds,
            "critpath": false,
            "release": { "name": "F40", "branch": "f40", "long_name": "Fedora 40", "version": "40" },
            "request": "testing",
            "status": "pending",
            "user": { "name": "packager" },
        },
    })
}

/// Body of Koji's message: the build is complete.
pub fn build(nvr: &str) -> Value {
    let mut parts = nvr.rsplitn(3, '-');
    let (release, version, name) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    json!({
        "name": name, "version": version, "release": release, "epoch": null,
        "attribute": "state", "old": 0, "new": 1, "build_id": 4711, "task_id": 815, "task": null,
        "request": ["git+https://src.example.org/rpms/x.git#0123", "f40", {}],
        "owner": "packager", "instance": "primary",
        "creation_time": "2024-05-01 12:00:00", "completion_time": "2024-05-01 12:10:00",
    })
}

/// A fedmsg envelope.
pub fn envelope(topic: &str, id: &str, body: &Value) -> Value {
    json!({ "i": 1, "timestamp": 1_714_564_800, "topic": production(topic), "msg_id": id, "username": "apache", "msg": body })
}

/// A recorded fedora-messaging message.
pub fn record(topic: &str, id: &str, body: &Value) -> Value {
    json!({
        "topic": production(topic), "id": id, "queue": null, "priority": 0, "body": body,
        "headers": { "fedora_messaging_severity": 20, "sent-at": "2024-05-01T12:00:00+00:00" },
    })
}

/// JSON Lines.
pub fn lines(messages: &[Value]) -> String {
    messages.iter().map(|message| format!("{message}\n")).collect()
}
