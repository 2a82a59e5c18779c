//! python fedora-messaging publishes, through a RabbitMQ of the test's own, to the daemon.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use support::broker::{Broker, Publisher};
use support::site::{Site, is_final, names};
use support::{eventually, message, python};

const LONG: Duration = Duration::from_secs(180);

/// A site that consumes the broker's queue `taskbot` with one cheap task for each build.
fn consuming(broker: &Broker) -> Site {
    let site = Site::new();
    site.configure(&format!(
        "[[source]]\nkind = \"amqp\"\nurl = \"{}\"\nqueue = \"taskbot\"\n",
        broker.url()
    ));
    let look = site.task("look", "", &[("run", "#!/bin/sh\n")]);
    site.write(
        "rules.tb",
        format!("on koji.build.completed run look\non bodhi.update.testing run look\n{look}"),
    );
    site
}

fn wait_for_the_consumer(broker: &Broker) {
    eventually("the consumer", Duration::from_secs(60), || {
        (broker.consumers_of("taskbot") == 1).then_some(())
    });
}

#[test]
fn messages_are_consumed_committed_and_acknowledged_through_a_restart_of_the_broker() {
    let Some(python) = python::environment("fedora-messaging") else { return };
    let Some(broker) = Broker::start() else { return };
    let site = consuming(&broker);
    let mut daemon = site.start_and_wait();
    wait_for_the_consumer(&broker);
    let mut publisher = Publisher::start(&python, &broker);
    let mut ids = vec![
        publisher.publish(
            message::TESTING,
            &message::update("FEDORA-2024-000001", &["curl-8.6.0-7.fc40", "b-1-1"]),
        ),
        publisher.publish(message::BUILD, &message::build("kernel-6.8.0-1.fc40")),
    ];
    let runs = site.settled(3, LONG);
    assert_eq!(names(&runs), ["b-1-1", "curl-8.6.0-7.fc40", "kernel-6.8.0-1.fc40"].map(look));
    eventually("the acknowledgements", LONG, || (broker.messages_in("taskbot") == 0).then_some(()));

    // The broker goes away while messages are published: what it confirmed, it keeps.
    (0..30).for_each(|number| {
        publisher.order(message::BUILD, &message::build(&format!("stream-1.{number}-1.fc40")))
    });
    ids.extend((0..10).map(|_| publisher.confirmed()));
    broker.stop();
    broker.boot();
    ids.extend((0..20).map(|_| publisher.confirmed()));
    let runs = site.settled(33, LONG);
    assert_eq!(runs.len(), 33, "{:?}", names(&runs));
    assert_eq!(
        runs.iter().map(|run| run["reasons"][0]["message"].as_str().unwrap()).collect::<BTreeSet<_>>().len(),
        32
    );
    for id in &ids {
        assert!(runs.iter().any(|run| run["reasons"][0]["message"] == id.as_str()), "{id} is lost");
    }
    eventually("the acknowledgements", LONG, || (broker.messages_in("taskbot") == 0).then_some(()));
    assert!(daemon.is_alive());
}

#[test]
fn p01_p02_nothing_is_lost_or_told_twice_while_the_daemon_is_killed_under_a_stream() {
    const MESSAGES: usize = 60;
    let Some(python) = python::environment("fedora-messaging") else { return };
    let Some(broker) = Broker::start() else { return };
    let site = consuming(&broker);
    let daemon = site.start_and_wait();
    wait_for_the_consumer(&broker);
    let mut publisher = Publisher::start(&python, &broker);
    daemon.kill();
    for round in 0..6 {
        let daemon = site.start();
        for number in 0..MESSAGES / 6 {
            publisher.order(message::BUILD, &message::build(&format!("stream-{round}.{number}-1.fc40")));
        }
        // Another moment in each round: while it starts, while it receives, while it runs tasks.
        std::thread::sleep(Duration::from_millis(150 + 350 * round));
        daemon.kill();
    }
    let ids: BTreeSet<String> = (0..MESSAGES).map(|_| publisher.confirmed()).collect();
    let _daemon = site.start();
    let runs = site.settled(MESSAGES, LONG);
    assert_eq!(runs.len(), MESSAGES);
    assert!(runs.iter().all(|run| is_final(run["state"].as_str().unwrap())));
    let told: BTreeSet<String> =
        runs.iter().map(|run| run["reasons"][0]["message"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ids, "each message has its run");
    let results = site.results();
    let items: BTreeSet<&str> = results.iter().map(|row| row["item"].as_str().unwrap()).collect();
    assert_eq!((results.len(), items.len()), (MESSAGES, MESSAGES), "one result each");
}

fn look(nvr: &str) -> String {
    format!("look(package: \"{nvr}\")")
}
