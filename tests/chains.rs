//! Chains: what happens in taskbot asks for further runs, through the same rules as what happens on a bus.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::message;
use support::site::Site;

/// Makes an image and says where it is, on a topic of its choice.
fn build_iso(topic: &str) -> String {
    let result = json!({"results": [{
        "test": "image", "outcome": "PASSED", "artifact": "boot.iso",
        "emit": [{"topic": topic, "body": {"url": "artifact:boot.iso", "arch": "x86_64"}}],
    }]});
    format!(
        "#!/bin/sh\necho image > \"$TASKBOT_ARTIFACTS/boot.iso\"\ncat > \"$TASKBOT_RESULTS\" <<'END'\n{result}\nEND\n"
    )
}

/// A site that hears of one build, with tasks `build` and `install`; rules are written by the test.
fn site(rules: &str, emits: &str, topic: &str) -> Site {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    let build = site.task("build", "[artifacts]\nkeep = [\"*.iso\"]", &[("run", &build_iso(topic))]);
    let build = build.replace("\n  repository", &format!("{emits}\n  repository"));
    let mut declared = vec![build];
    for name in ["install", "note"] {
        let program = "#!/bin/sh\nprintf '%s' \"$TASKBOT_INPUT_TEXT\" > \"$TASKBOT_ARTIFACTS/text.log\"\n";
        let task = site.task(name, "[artifacts]\nkeep = [\"*.log\"]", &[("run", program)]);
        let manifest = site.path(&format!("tasks/{name}/task.toml"));
        let text = fs::read_to_string(&manifest).unwrap();
        let text = text
            .replace("package = { type = \"nvr\" }", "text = { type = \"string\" }")
            .replace("{package}", "{text}");
        fs::write(&manifest, text).unwrap();
        let commit =
            ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-am", "text"];
        let path = site.path(&format!("tasks/{name}"));
        assert!(std::process::Command::new("git").args(commit).current_dir(path).status().unwrap().success());
        declared.push(task.replace("package: nvr", "text: string"));
    }
    site.write("rules.tb", format!("{rules}\n{}", declared.concat()));
    let body = message::build("curl-8.6.0-7.fc40");
    site.write("bus.jsonl", message::lines(&[message::record(message::BUILD, "2024-1", &body)]));
    site
}

const EMITS: &str = "\n  emits compose.test-iso.built";
const BUILD: &str = "rule build on koji.build.completed\n  run build\n";
const INSTALL: &str =
    "rule install on compose.test-iso.built\n  where has iso.url\n  run install(text: iso.url)\n";

fn run(site: &Site, task: &str) -> Value {
    let runs = site.runs();
    runs.iter().find(|run| run["task"] == task).unwrap_or_else(|| panic!("no {task} in {runs:#?}")).clone()
}

#[test]
fn an_image_that_was_built_is_installed_and_each_run_knows_its_cause() {
    let told = "rule told on taskbot.run.finished\n  where task-name == \"install\" and state == finished\n  run note(text: run-id)\n";
    let site = site(&format!("{BUILD}{INSTALL}{told}"), EMITS, "taskbot.iso.built");
    site.run(&["run", "--until-idle"]).with_code(0);
    let (build, install, note) = (run(&site, "build"), run(&site, "install"), run(&site, "note"));
    assert_eq!(site.runs().len(), 3);
    for run in [&build, &install, &note] {
        assert_eq!(run["state"], "finished", "{run:#}");
    }
    assert_eq!(install["reasons"][0]["about_run"], build["id"], "{install:#}");
    assert_eq!(note["reasons"][0]["about_run"], install["id"], "{note:#}");
    assert_eq!(build["reasons"][0].get("about_run"), None);
    let url = install["arguments"][0]["text"].as_str().unwrap();
    let image = url.strip_prefix("file://").unwrap();
    assert_eq!(fs::read_to_string(image).unwrap(), "image\n", "the image is where the event says");
    let id = install["id"].to_string();
    let shown = site.run(&["log", &id]).with_code(0).stdout;
    assert!(shown.contains(&format!("about run #{}", build["id"])), "{shown}");
    // Everything was told: another life finds nothing to do.
    site.run(&["run", "--until-idle"]).with_code(0);
    assert_eq!(site.runs().len(), 3);
}

#[test]
fn a_task_emits_only_what_it_declares_and_on_topics_of_taskbot_alone() {
    for (emits, topic) in [("", "taskbot.iso.built"), (EMITS, "pungi.compose.createiso.imagedone")] {
        let site = site(&format!("{BUILD}{INSTALL}"), emits, topic);
        let ended = site.run(&["run", "--until-idle"]).with_code(0);
        assert!(ended.stderr.contains("an event is not emitted"), "{}", ended.stderr);
        assert_eq!(site.runs().len(), 1, "{emits} {topic}");
        assert_eq!(run(&site, "build")["state"], "finished");
    }
}

#[test]
fn a_loop_that_nobody_saw_ends() {
    // Any run's end asks for a run: the compiler wants it said that this is meant.
    let again =
        "rule again on taskbot.run.finished\n  run note(text: run-id)\n  at most 1000 per 1h\n  may loop\n";
    let site = site(&format!("{BUILD}{again}"), EMITS, "taskbot.iso.built");
    site.run(&["run", "--until-idle"]).with_code(0);
    let runs = site.runs();
    assert_eq!(runs.len(), 1 + 16, "{}", runs.len());
    assert_eq!(site.counter("chains-cut"), 1);
}
