//! `taskbot events`, `tasks` and `facts`: what rules can speak of, of the standard library and of one's own files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use serde_json::{Value, json};

use support::site::Site;

const OWN: &str = r#"
## How a ticket stands.
enum ticket-state { open closed }

record ticket {
  ## Its number.
  id: int
  state: ticket-state
  identity id
}

## A ticket changed.
## Told by the tracker.
event tracker.ticket.changed {
  each package: nvr
  ticket: ticket
  ## Who changed it.
  who: string?

  ## The old tracker.
  dialect one {
    topic "tracker.ticket.edit", "tracker.ticket.new"
    where kind == "ticket"
    body { kind: string, ticket: ticket, builds: [{ nvr: nvr }] }
    each build in builds
    package = build.nvr
    ticket = ticket
    happening ticket.id within 1h
  }

  dialect two {
    topic "tracker2.ticket"
    body { who: string, ticket: ticket, builds: [{ nvr: nvr }] }
    each build in builds
    package = build.nvr
    ticket = ticket
    who = who
  }
}

## Looks at a ticket.
task look-at-ticket {
  ticket: ticket
  ## How closely.
  depth: int = 3
  repository "https://example.org/look" at "v1"
  emits tracker.ticket.changed
}

## How sick a package is.
fact nvr.sickness: ticket-state? { key name }
"#;

fn own() -> Site {
    let site = Site::new();
    site.write("own.tb", OWN);
    site
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[test]
fn everything_of_the_standard_library_is_listed_and_documented() {
    let site = Site::new();
    for (command, some) in
        [("events", "bodhi.update.testing"), ("tasks", "static-analysis"), ("facts", "nvr.lang")]
    {
        let all = site.json(&[command]);
        let human = site.run(&[command]).with_code(0).stdout;
        assert!(names(&all).contains(&some), "{all:#}");
        for name in names(&all) {
            assert!(human.lines().any(|line| line.starts_with(name)), "{name} in {human}");
            let details = site.run(&[command, name]).with_code(0).stdout;
            assert!(details.contains(name) && details.contains("std/"), "{details}");
        }
        for entry in all.as_array().unwrap() {
            assert_ne!(entry["doc"], "", "{}: no documentation", entry["name"]);
        }
    }
}

#[test]
fn an_event_is_told_with_its_values_types_and_dialects() {
    let site = own();
    let event = &site.json(&["events", "tracker.ticket.changed", "--rules", "own.tb"])[0];
    assert_eq!(event["doc"], "A ticket changed.\nTold by the tracker.");
    assert_eq!((&event["at"]["file"], &event["at"]["line"]), (&json!("own.tb"), &json!(14)));
    let [package, ticket, who] = event["values"].as_array().unwrap().as_slice() else { panic!("{event:#}") };
    assert_eq!((&package["each"], &package["type"]), (&json!(true), &json!("nvr")));
    assert_eq!((&ticket["optional"], &ticket["dialects"]), (&json!(false), &json!(["one", "two"])));
    assert_eq!((&who["optional"], &who["type"]), (&json!(true), &json!("string?")));
    assert_eq!((&who["dialects"], &who["doc"]), (&json!(["two"]), &json!("Who changed it.")));
    let one = &event["dialects"][0];
    assert_eq!(one["topics"], json!(["tracker.ticket.edit", "tracker.ticket.new"]));
    assert_eq!(one["conditions"], json!(["kind == \"ticket\""]));
    assert_eq!((&one["subjects"], &one["happening"]), (&json!("builds"), &json!("ticket.id within 1h")));

    let human = site.run(&["events", "tracker.ticket.changed", "--rules", "own.tb"]).with_code(0).stdout;
    for line in [
        "  Told by the tracker.",
        "record ticket",
        "  .id: int  Its number.",
        "enum ticket-state",
        "  open, closed",
        "  .name, .version, .release: string, .evr: evr",
        "  topic tracker.ticket.new",
        "  where kind == \"ticket\"",
    ] {
        assert!(human.lines().any(|found| found == line), "{line:?} is not in\n{human}");
    }
    assert!(human.contains(".sickness: ticket-state?"), "the facts of a value: {human}");
    let fitting = human.lines().find(|line| line.starts_with("tasks that take its values: ")).unwrap();
    assert!(fitting.contains("look-at-ticket") && !fitting.contains("depcheck"), "{fitting}");
}

#[test]
fn a_task_is_told_with_its_inputs_and_what_it_causes() {
    let site = own();
    let task = &site.json(&["tasks", "look-at-ticket", "--rules", "own.tb"])[0];
    assert_eq!((&task["repository"], &task["reference"]), (&json!("https://example.org/look"), &json!("v1")));
    assert_eq!(task["emits"], json!(["tracker.ticket.changed"]));
    assert_eq!(
        task["inputs"][1],
        json!({ "name": "depth", "type": "int", "optional": true, "default": "3", "doc": "How closely." })
    );
    let human = site.run(&["tasks", "look-at-ticket", "--rules", "own.tb"]).with_code(0).stdout;
    assert!(human.contains("repository https://example.org/look at v1"), "{human}");
    assert!(human.contains("events that give its inputs: tracker.ticket.changed"), "{human}");
    assert_eq!(site.json(&["tasks", "rpmlint"])[0]["repository"], "standard:rpmlint");
}

#[test]
fn a_fact_is_told_with_its_type_and_key() {
    let site = own();
    let fact = &site.json(&["facts", "nvr.sickness", "--rules", "own.tb"])[0];
    assert_eq!(
        (&fact["on"], &fact["type"], &fact["key"]),
        (&json!("nvr"), &json!("ticket-state?"), &json!("name"))
    );
    let human = site.run(&["facts", "nvr.sickness", "--rules", "own.tb"]).with_code(0).stdout;
    assert!(human.contains("[facts.\"nvr.sickness\"]") && human.contains("open, closed"), "{human}");
}

#[test]
fn own_declarations_take_the_place_of_the_library_s() {
    let site = Site::new();
    site.write("own.tb", "## Ours.\ntask rpmlint { package: nvr repository \"https://example.org/ours\" }\n");
    let task = &site.json(&["tasks", "rpmlint", "--rules", "own.tb"])[0];
    assert_eq!((&task["doc"], &task["repository"]), (&json!("Ours."), &json!("https://example.org/ours")));
}

#[test]
fn names_are_found_by_their_beginning_by_patterns_and_when_misspelt() {
    let site = own();
    let begins = site.json(&["events", "koji."]);
    assert!(names(&begins).len() > 1 && names(&begins).iter().all(|n| n.starts_with("koji.")), "{begins:#}");
    let pattern = site.json(&["events", "*.failed"]);
    assert!(names(&pattern).contains(&"koji.build.failed"), "{pattern:#}");
    let table = site.run(&["events", "koji."]).with_code(0).stdout;
    assert!(table.starts_with("EVENT"), "several are a table: {table}");
    for (arguments, near) in [
        (["events", "koji.build.complet3d"], "did you mean koji.build.completed?"),
        (["tasks", "rmplint"], "did you mean rpmlint?"),
        (["facts", "nvr.language"], "`taskbot facts` lists all"),
    ] {
        let ended = site.run(&arguments).with_code(2);
        assert!(ended.stderr.contains(near) && ended.stdout.is_empty(), "{ended:?}");
    }
}

#[test]
fn files_with_an_error_are_shown_it() {
    let site = Site::new();
    site.write("own.tb", "event x { a: strin }\n");
    let ended = site.run(&["events", "--rules", "own.tb"]).with_code(1);
    assert!(ended.stderr.contains("strin") && ended.stdout.is_empty(), "{ended:?}");
}
