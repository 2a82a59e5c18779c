//! Recorded messages: the samples of all dialects, from a plain file, a compressed one and standard input.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use support::message;
use support::site::{Ended, Site, names, project};

fn samples() -> Vec<u8> {
    fs::read(project().join("tests/samples/bus.jsonl")).unwrap()
}

/// A site with the rules of the project, whose tasks end at once, and the facts that they ask for.
fn reading(path: &str) -> Site {
    let site = Site::new();
    site.configure(&format!(
        "[[source]]\nkind = \"archive\"\npath = \"{path}\"\n[facts.\"nvr.lang\"]\ntable = \"facts.toml\"\n\
         [facts.\"nvr.arches\"]\ntable = \"facts.toml\"\n"
    ));
    site.write(
        "facts.toml",
        "[\"nvr.lang\"]\nkernel = \"C\"\nhello-leak = \"C\"\npython-hello = \"Python\"\n\
         [\"nvr.arches\"]\nkernel = [\"x86_64\", \"s390x\"]\n",
    );
    fs::copy(project().join("rules.tb"), site.path("rules.tb")).unwrap();
    site
}

/// What was decided, and no more: the runs with their reasons, what was counted, what was set aside.
fn decisions(site: &Site, ended: Ended) -> Value {
    ended.with_code(0);
    let runs: Vec<Value> = site.runs().iter().map(|run| json!([run["run"], run["reasons"]])).collect();
    let counted = ["judged", "duplicate", "other-environment", "no-event", "quarantined"];
    let counted: Vec<i64> = counted.iter().map(|name| site.counter(name)).collect();
    let aside: Vec<Value> =
        site.quarantined().iter().map(|m| json!([m["topic"], m["reason"], m["sha256"]])).collect();
    json!({ "runs": runs, "counted": counted, "aside": aside })
}

#[test]
fn plain_compressed_and_piped_recordings_give_the_same_decisions() {
    let plain = reading("bus.jsonl");
    plain.write("bus.jsonl", samples());
    let from_plain = decisions(&plain, plain.run(&["run", "--until-idle"]));

    let compressed = reading("bus.jsonl.gz");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&samples()).unwrap();
    compressed.write("bus.jsonl.gz", encoder.finish().unwrap());
    assert_eq!(decisions(&compressed, compressed.run(&["run", "--until-idle"])), from_plain);

    let piped = reading("-");
    let ended = piped.run_with_input(&["run", "--until-idle"], &samples());
    assert_eq!(decisions(&piped, ended), from_plain);

    // The same recording again changes nothing.
    plain.run(&["run", "--until-idle"]).with_code(0);
    assert_eq!(plain.runs().len(), from_plain["runs"].as_array().unwrap().len());
}

#[test]
fn the_samples_of_all_dialects_run_what_the_rules_say() {
    let site = reading("bus.jsonl");
    site.write("bus.jsonl", samples());
    site.run(&["run", "--until-idle"]).with_code(0);
    let expected = [
        r#"build-test-iso(package: "anaconda-40.1-1.fc40")"#,
        r#"depcheck(update: "FEDORA-2017-0000000002")"#,
        r#"install-tests(iso: "Test-40-20240501.n.0")"#,
        r#"kernel-tests(package: "kernel-6.8.0-1.fc40", arch: "s390x")"#,
        r#"kernel-tests(package: "kernel-6.8.0-1.fc40", arch: "x86_64")"#,
        r#"rpmlint(package: "fedup-0.9.0-2.fc20")"#,
        r#"rpmlint(package: "hello-clean-1.2-1.fc40")"#,
        r#"rpmlint(package: "hello-leak-1.0-1.fc20")"#,
        r#"static-analysis(package: "hello-leak-1.0-1.fc40")"#,
        r#"static-analysis(package: "kernel-6.8.0-1.fc40")"#,
        r#"upgrade-tests(package: "fedup-0.9.0-2.fc20", config: "X")"#,
        r#"upgrade-tests(package: "fedup-0.9.0-2.fc20", config: "Y")"#,
        r#"upgrade-tests(package: "fedup-0.9.0-2.fc20", config: "Z")"#,
        r#"upgradepath(update: "FEDORA-2017-0000000002")"#,
    ];
    let runs = site.runs();
    assert_eq!(names(&runs), expected);
    let clean = runs.iter().find(|run| run["run"] == expected[6]).unwrap();
    assert_eq!(clean["reasons"].as_array().unwrap().len(), 2, "one happening, told on two topics: {clean:#}");
    assert_eq!((site.counter("other-environment"), site.counter("duplicate")), (1, 1));
    let aside = site.quarantined();
    assert_eq!(aside.len(), 1, "{aside:#?}");
    assert_eq!(aside[0]["topic"], message::production(message::TESTING));
    assert!(aside[0]["reason"].as_str().unwrap().contains("builds"), "{aside:#?}");
}

#[test]
fn the_corpus_is_played_without_a_crash() {
    let corpus = std::env::var_os("TASKBOT_CORPUS").map(std::path::PathBuf::from);
    if !support::require("corpus", corpus.is_some()) {
        return;
    }
    for (file, messages) in [("fedmsg.jsonl.gz", 635), ("fedora-messaging.jsonl.gz", 180)] {
        let site = Site::new();
        let path = corpus.as_ref().unwrap().join(file);
        let path = std::path::absolute(path).unwrap();
        site.configure(&format!("[[source]]\nkind = \"archive\"\npath = \"{}\"\n", path.display()));
        let look = site.task("look", "", &[("run", "#!/bin/sh\n")]);
        site.write(
            "rules.tb",
            format!("on bodhi.update.stable where package.name == \"nobody\" run look\n{look}"),
        );
        site.run(&["run", "--until-idle"]).with_code(0);
        let kinds = ["judged", "duplicate", "other-environment", "no-event", "quarantined"];
        let counted: Vec<i64> = kinds.iter().map(|name| site.counter(name)).collect();
        assert_eq!(counted.iter().sum::<i64>(), messages, "{file}: {kinds:?} {counted:?}");
    }
}
