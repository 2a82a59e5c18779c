//! Facts: what no message tells. A provider that fails delays a decision, and never turns it into "no".
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use support::site::{Site, names};
use support::{eventually, message};

const LONG: Duration = Duration::from_secs(60);

/// A site that looks at packages in C, with this provider of their language.
fn asking(provider: &str) -> Site {
    let site = Site::new();
    site.configure(&format!(
        "[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n[facts.\"nvr.lang\"]\n{provider}\n"
    ));
    let look = site.task("look", "", &[("run", "#!/bin/sh\n")]);
    site.write("rules.tb", format!("on bodhi.update.testing where package.lang == C run look\n{look}"));
    let body = message::update("FEDORA-2024-000001", &["curl-8.6.0-7.fc40", "python-yaml-6.0-1.fc40"]);
    site.write("bus.jsonl", message::lines(&[message::record(message::TESTING, "2024-1", &body)]));
    site
}

/// Answers as a site's own program would, and notes each question.
fn program(site: &Site, before: &str) -> String {
    let text = format!(
        "#!/bin/sh\nquestion=$(cat)\necho \"$question\" >> {0}/asked\n{before}\ncase \"$question\" in\n\
         *curl*) echo '{{\"value\": \"C\"}}' ;;\n*python-yaml*) echo '{{\"value\": \"Python\"}}' ;;\n\
         *) echo '{{\"absent\": true}}' ;;\nesac\n",
        site.dir().display()
    );
    let path = site.write_program("find-lang", &text);
    format!("command = [\"{}\"]", path.display())
}

fn configure_program(site: &Site, before: &str) {
    let provider = program(site, before);
    let config = fs::read_to_string(site.path("taskbot.toml")).unwrap();
    site.write("taskbot.toml", config.replace("table = \"later\"", &provider));
}

#[test]
fn a_table_and_a_program_give_the_same_decisions() {
    let table = asking("table = \"facts.toml\"");
    table.write("facts.toml", "[\"nvr.lang\"]\ncurl = \"C\"\npython-yaml = \"Python\"\n");
    table.run(&["run", "--until-idle"]).with_code(0);
    let asked = asking("table = \"later\"");
    configure_program(&asked, "");
    asked.run(&["run", "--until-idle"]).with_code(0);
    for site in [&table, &asked] {
        assert_eq!(names(&site.runs()), ["look(package: \"curl-8.6.0-7.fc40\")"]);
    }
    let questions = fs::read_to_string(asked.path("asked")).unwrap();
    let mut questions: Vec<&str> = questions.lines().collect();
    questions.sort_unstable();
    assert_eq!(questions.len(), 2, "each once: {questions:?}");
    let first: serde_json::Value = serde_json::from_str(questions[0]).unwrap();
    assert_eq!(first, json!({ "fact": "nvr.lang", "key": "curl" }));
    // What is known is not asked again.
    asked.write(
        "bus.jsonl",
        message::lines(&[message::record(
            message::TESTING,
            "2024-2",
            &message::update("FEDORA-2024-000002", &["curl-8.7.0-1.fc40"]),
        )]),
    );
    asked.run(&["run", "--until-idle"]).with_code(0);
    assert_eq!(asked.runs().len(), 2);
    assert_eq!(fs::read_to_string(asked.path("asked")).unwrap().lines().count(), 2);
}

#[test]
fn a_failing_program_is_asked_again_until_it_answers() {
    let site = asking("table = \"later\"");
    configure_program(
        &site,
        &format!("[ -e {}/well ] || {{ echo no database >&2; exit 3; }}", site.dir().display()),
    );
    let _daemon = site.start_and_wait();
    let waiting = eventually("a failed attempt", LONG, || {
        let status = site.status()?;
        let waiting = status["status"]["waiting_for"].as_array()?.clone();
        (waiting.len() == 2 && waiting.iter().all(|fact| fact["attempts"].as_u64() > Some(0)))
            .then_some(waiting)
    });
    assert!(waiting[0]["last_error"].as_str().unwrap().contains("no database"), "{waiting:#?}");
    assert_eq!(site.runs().len(), 0, "neither yes nor no");
    let human = site.run(&["status"]).with_code(0).stdout;
    assert!(human.contains("waiting for nvr.lang of curl"), "{human}");
    site.write("well", "");
    let runs = site.settled(1, LONG);
    assert_eq!(names(&runs), ["look(package: \"curl-8.6.0-7.fc40\")"]);
    eventually("the other answer", LONG, || {
        (site.status()?["status"]["waiting_for"] == json!([])).then_some(())
    });
    assert_eq!(site.runs().len(), 1);
}

#[test]
fn a_question_outlives_the_daemon() {
    let site = asking("table = \"facts.toml\"");
    let mut daemon = site.start_and_wait();
    eventually("the table to be missed", LONG, || {
        let status = site.status()?;
        status["status"]["waiting_for"].as_array().is_some_and(|waiting| waiting.len() == 2).then_some(())
    });
    daemon.signal(Signal::TERM);
    assert!(daemon.ended(Duration::from_secs(10)).success());
    site.write("bus.jsonl", "");
    site.write("facts.toml", "[\"nvr.lang\"]\ncurl = \"C\"\npython-yaml = \"Python\"\n");
    let _daemon = site.start_and_wait();
    let runs = site.settled(1, LONG);
    assert_eq!(names(&runs), ["look(package: \"curl-8.6.0-7.fc40\")"]);
}

#[test]
fn what_nobody_can_say_is_undecided_and_said_loudly() {
    let site = asking("table = \"facts.toml\"\ndeadline = \"1s\"");
    site.write("facts.toml", "[\"nvr.lang\"]\ncurl = \"C\"\n");
    site.run(&["run", "--until-idle"]).with_code(0);
    assert_eq!(names(&site.runs()), ["look(package: \"curl-8.6.0-7.fc40\")"]);
    let status = site.status().unwrap();
    assert_eq!(status["status"]["undecided"], 1, "{status:#}");
    let human = site.run(&["status"]).with_code(0).stdout;
    assert!(human.contains("undecided"), "{human}");
}
