//! python fedmsg publishes, over ZeroMQ on loopback, to the daemon with the project's own rules.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::fs;
use std::time::Duration;

use serde_json::json;

use support::fedmsg::{Publisher, Signing};
use support::site::{Site, names, names_and_states, project};
use support::{free_port, message, python};

const LONG: Duration = Duration::from_secs(120);

fn listening_to(port: u16) -> Site {
    let site = Site::new();
    site.configure(&format!(
        "[[source]]\nkind = \"fedmsg\"\nendpoints = [\"tcp://127.0.0.1:{port}\"]\n[facts.\"nvr.lang\"]\ntable = \"facts.toml\"\n\
         [facts.\"nvr.arches\"]\ntable = \"facts.toml\"\n"
    ));
    site.write(
        "facts.toml",
        "[\"nvr.lang\"]\nkernel = \"C\"\ncurl = \"C\"\npython-yaml = \"Python\"\n\
         [\"nvr.arches\"]\nkernel = [\"x86_64\", \"aarch64\"]\n",
    );
    site
}

#[test]
fn the_rules_of_the_project_run_what_they_say_and_a_restarted_publisher_is_found() {
    let Some(python) = python::environment("fedmsg") else { return };
    let port = free_port();
    let site = listening_to(port);
    fs::copy(project().join("rules.tb"), site.path("rules.tb")).unwrap();
    let _daemon = site.start_and_wait();

    let mut publisher = Publisher::start(&python, &site.path("publisher"), port);
    publisher.heard_by(&site);
    let signed = publisher.publish(
        message::TESTING,
        &message::update("FEDORA-2024-000001", &["curl-8.6.0-7.fc40", "fedup-0.9.0-2.fc40"]),
        Signing::Signed,
    );
    assert_eq!(signed["crypto"], "x509");
    publisher.publish(message::BUILD, &message::build("kernel-6.8.0-1.fc40"), Signing::Unsigned);
    let expected = [
        r#"kernel-tests(package: "kernel-6.8.0-1.fc40", arch: "aarch64")"#,
        r#"kernel-tests(package: "kernel-6.8.0-1.fc40", arch: "x86_64")"#,
        r#"rpmlint(package: "curl-8.6.0-7.fc40")"#,
        r#"rpmlint(package: "fedup-0.9.0-2.fc40")"#,
        r#"static-analysis(package: "kernel-6.8.0-1.fc40")"#,
        r#"upgrade-tests(package: "fedup-0.9.0-2.fc40", config: "X")"#,
        r#"upgrade-tests(package: "fedup-0.9.0-2.fc40", config: "Y")"#,
        r#"upgrade-tests(package: "fedup-0.9.0-2.fc40", config: "Z")"#,
    ];
    let runs = site.settled(expected.len(), LONG);
    assert_eq!(names(&runs), expected);

    drop(publisher);
    let mut publisher = Publisher::start(&python, &site.path("publisher"), port);
    publisher.heard_by(&site);
    let stable = message::update("FEDORA-2024-000002", &["curl-8.6.0-7.fc40", "python-yaml-6.0-1.fc40"]);
    publisher.publish("bodhi.update.request.stable", &stable, Signing::Signed);
    publisher.publish(message::BUILD, &message::build("python-yaml-6.0-1.fc40"), Signing::Signed);
    site.counted("judged", 4, LONG);
    let runs = site.settled(expected.len() + 2, LONG);
    let more = [r#"depcheck(update: "FEDORA-2024-000002")"#, r#"upgradepath(update: "FEDORA-2024-000002")"#];
    let mut all: Vec<String> = [&expected[..], &more].concat().iter().map(ToString::to_string).collect();
    all.sort();
    assert_eq!(names(&runs), all, "a Python package is not analysed");
}

#[test]
fn p02_one_message_delivered_a_hundred_times_is_one_run() {
    let Some(python) = python::environment("fedmsg") else { return };
    let port = free_port();
    let site = listening_to(port);
    let look = site.task("look", "", &[("run", "#!/bin/sh\n")]);
    site.write("rules.tb", format!("on koji.build.completed run look\n{look}"));
    let _daemon = site.start_and_wait();
    let mut publisher = Publisher::start(&python, &site.path("publisher"), port);
    publisher.heard_by(&site);
    publisher.publish_times(message::BUILD, &message::build("curl-8.6.0-7.fc40"), Signing::Signed, 100);
    site.counted("duplicate", 99, LONG);
    let runs = site.settled(1, LONG);
    assert_eq!(
        names_and_states(&runs),
        [(r#"look(package: "curl-8.6.0-7.fc40")"#.to_owned(), "finished".to_owned())]
    );
    assert_eq!((site.results().len(), site.counter("judged")), (1, 1));
}

#[test]
fn p06_hostile_bytes_on_the_bus_are_set_aside_and_the_next_message_is_served() {
    let Some(python) = python::environment("fedmsg") else { return };
    let port = free_port();
    let site = listening_to(port);
    let look = site.task("look", "", &[("run", "#!/bin/sh\n")]);
    site.write("rules.tb", format!("on bodhi.update.testing run look\n{look}"));
    let mut daemon = site.start_and_wait();
    let mut publisher = Publisher::start(&python, &site.path("publisher"), port);
    publisher.heard_by(&site);
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let large =
        message::envelope(message::TESTING, "2024-1", &json!({ "fill": "x".repeat(20 << 20) })).to_string();
    for bytes in [&b"\xff\xfe not json"[..], b"null", deep.as_bytes(), large.as_bytes()] {
        publisher.publish_raw(message::TESTING, bytes);
    }
    // fedmsg itself sends an empty body for `null`.
    let null = message::envelope(message::TESTING, "2024-2", &json!(null)).to_string();
    publisher.publish_raw(message::TESTING, null.as_bytes());
    publisher.publish(message::TESTING, &json!({ "agent": "packager" }), Signing::Signed);
    site.counted("quarantined", 6, LONG);
    publisher.publish(message::TESTING, &message::update("FEDORA-2024-000001", &["a-1-1"]), Signing::Signed);
    let runs = site.settled(1, LONG);
    assert_eq!(names(&runs), [r#"look(package: "a-1-1")"#]);
    assert!(daemon.is_alive());
    for message in site.quarantined() {
        assert!(!message["reason"].as_str().unwrap().is_empty(), "{message:#}");
    }
}
