//! The command line: help, formats, exit codes, and how the daemon shares and leaves its state directory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use support::site::{Site, names_and_states};
use support::{eventually, message, process};

const COMMANDS: [&[&str]; 20] = [
    &[],
    &["check"],
    &["fmt"],
    &["compile"],
    &["run"],
    &["task", "new"],
    &["task", "check"],
    &["task", "run"],
    &["explain"],
    &["replay"],
    &["graph"],
    &["schema", "infer"],
    &["events"],
    &["tasks"],
    &["facts"],
    &["status"],
    &["result"],
    &["results"],
    &["log"],
    &["demo"],
];

/// A site that has played one update with one rule and one task of its own.
fn played() -> Site {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    let look = site.task("look", "", &[("run", "#!/bin/sh\necho looking\n")]);
    site.write("rules.tb", format!("on bodhi.update.testing run look\n{look}"));
    let body = message::update("FEDORA-2024-000001", &["hello-1.0-1.fc40"]);
    site.write("bus.jsonl", message::lines(&[message::envelope(message::TESTING, "2024-1", &body)]));
    site.run(&["run", "--until-idle"]).with_code(0);
    site
}

#[test]
fn every_command_explains_itself() {
    let site = Site::new();
    for command in COMMANDS {
        let ended = site.run(&[command, &["--help"]].concat()).with_code(0);
        assert!(ended.stdout.contains("Usage: taskbot"), "{command:?}: {}", ended.stdout);
        assert!(
            ended.stdout.lines().next().unwrap().len() > 10,
            "{command:?} says what it is for: {}",
            ended.stdout
        );
        assert!(!ended.stdout.contains("worker"), "workers are nobody's business: {}", ended.stdout);
    }
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let site = Site::new();
    site.write("rules.tb", "on bodhi.update.testing run rpmlint\n");
    for command in COMMANDS {
        let ended = site.run(&[command, &["--no-such-option"]].concat()).with_code(2);
        assert!(ended.stderr.contains("--no-such-option"), "{command:?}: {}", ended.stderr);
    }
    for (arguments, named) in [
        (&["chek"][..], "check"),
        (&["check"], "FILES"),
        (&["check", "nowhere.tb"], "nowhere.tb"),
        (&["compile", "nowhere.tb", "--output", "x"], "nowhere.tb"),
        (&["run", "--config", "nowhere.toml"], "nowhere.toml"),
        (&["status", "--config", "nowhere.toml"], "nowhere.toml"),
        (&["explain", "nowhere.json"], "nowhere"),
        (&["task", "run", "nowhere"], "nowhere"),
        (&["status", "--format", "xml"], "xml"),
        (&["status"], "state"),
        (&["results"], "state"),
        (&["result", "passed"], "$TASKBOT_RESULTS is not set"),
        (&["result", "passable"], "NEEDS_INSPECTION"),
        (&["log"], "state"),
    ] {
        let ended = site.run(arguments).with_code(2);
        assert!(ended.stderr.contains(named), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_its_line() {
    let site = Site::new();
    site.write("rules.tb", "on bodhi.update.testing run rpmlint\n");
    site.write("taskbot.toml", "rules = [\"rules.tb\"]\n\n[executor]\nparalel = 2\n");
    let ended = site.run(&["run"]).with_code(2);
    assert!(
        ended.stderr.contains("taskbot.toml:4") && ended.stderr.contains("`parallel`"),
        "{}",
        ended.stderr
    );
}

#[test]
fn all_output_for_programs_is_json() {
    let site = played();
    assert_eq!(site.json(&["check", "rules.tb"])["diagnostics"], json!([]));
    assert_eq!(site.json(&["compile", "rules.tb", "--output", "rules.tbc"])["rules"], json!(1));
    assert_eq!(site.json(&["status"])["status"]["runs"], json!({ "finished": 1 }));
    assert_eq!(site.json(&["results"])[0]["outcome"], "PASSED");
    assert!(site.json(&["log"]).is_array());
    assert_eq!(site.json(&["log", "1"])["results"][0]["item"], "hello-1.0-1.fc40");
    assert_eq!(site.json(&["explain", "2024-1"])["topic"], message::production(message::TESTING));
    assert_eq!(
        site.json(&["task", "run", "tasks/look", "--input", "package=a-1-1"])["results"][0]["outcome"],
        "PASSED"
    );
    let ended = site.run(&["run", "--until-idle", "--format", "json"]).with_code(0);
    let events: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().all(|event| event["event"].is_string()), "{events:#?}");
}

#[test]
fn people_are_told_the_same() {
    let site = played();
    let status = site.run(&["status"]).with_code(0).stdout;
    assert!(
        status.contains("judged") && status.contains("finished") && status.contains("hello-1.0-1.fc40"),
        "{status}"
    );
    let results = site.run(&["results"]).with_code(0).stdout;
    assert!(results.contains("PASSED") && results.contains("hello-1.0-1.fc40"), "{results}");
    let run = site.run(&["log", "1"]).with_code(0).stdout;
    assert!(run.contains("look") && run.contains("2024-1") && run.contains("PASSED"), "{run}");
}

#[test]
fn a_task_that_fails_is_a_finding() {
    let site = Site::new();
    site.task("bad", "", &[("run", "#!/bin/sh\nexit 1\n")]);
    let ended = site.run(&["task", "run", "tasks/bad", "--input", "package=a-1-1", "--format", "json"]);
    assert_eq!(ended.with_code(1).json()["results"][0]["outcome"], "FAILED");
    let ended = site.run(&["task", "run", "tasks/bad"]);
    assert!(ended.code != 0 && format!("{}{}", ended.stdout, ended.stderr).contains("package"), "{ended:?}");
}

#[test]
fn explain_says_why_a_rule_fired_and_why_not() {
    let site = Site::new();
    let rules = "on koji.build.completed run rpmlint\n\nrule kernel on koji.build.completed\n  where package.name == \"kernel\"\n  \
                 run static-analysis\n\nrule in-c on koji.build.completed where package.lang == C run static-analysis\n";
    site.write("rules.tb", rules);
    let build = message::envelope(message::BUILD, "2024-7", &message::build("curl-8.6.0-7.fc40"));
    site.write("message.json", build.to_string());
    let explained =
        |more: &[&str]| site.json(&[&["explain", "message.json", "--rules", "rules.tb"], more].concat());
    let explanation = explained(&[]);
    let [every, kernel, in_c] = explanation["rules"].as_array().unwrap().as_slice() else {
        panic!("{explanation:#}")
    };
    assert!(every["verdict"].to_string().contains(r#"rpmlint(package: \"curl-8.6.0-7.fc40\")"#), "{every:#}");
    assert_eq!(kernel["condition"]["text"], "package.name == \"kernel\"", "{kernel:#}");
    let at = &kernel["condition"]["at"];
    assert_eq!(
        (&at["file"], &at["line"], &at["column"]),
        (&json!("rules.tb"), &json!(4), &json!(9)),
        "{kernel:#}"
    );
    assert!(kernel["verdict"].to_string().contains("curl"), "the value that was seen: {kernel:#}");
    assert!(in_c["verdict"].to_string().contains("nvr.lang"), "the fact that it waits for: {in_c:#}");
    let fired = explained(&["--fact", "nvr.lang:curl=C"]);
    assert!(fired["rules"][2]["verdict"].to_string().contains("static-analysis"), "{fired:#}");

    let human = site.run(&["explain", "message.json", "--rules", "rules.tb"]).with_code(0).stdout;
    assert!(human.contains("rules.tb:4:9") && human.contains("curl"), "{human}");
    let on_input =
        site.run_with_input(&["explain", "-", "--rules", "rules.tb"], build.to_string().as_bytes());
    assert_eq!(on_input.with_code(0).stdout, human);
}

#[test]
fn explain_shows_what_admission_made_of_a_stored_message() {
    let site = played();
    let human = site.run(&["explain", "2024-1"]).with_code(0).stdout;
    assert!(human.contains("#1") && human.contains("finished"), "{human}");
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused() {
    let site = played();
    let mut first = site.start_and_wait();
    let ended = site.run(&["run", "--until-idle"]).with_code(2);
    assert!(ended.stderr.contains("another taskbot"), "{}", ended.stderr);
    assert!(first.is_alive());
    // Looking is always allowed.
    assert!(site.status().is_some());
}

/// A run that takes long, with processes of its own that would like to stay.
const STUBBORN: &str = "#!/bin/sh
trap '' TERM INT HUP
(trap '' TERM INT HUP; sleep 300) &
setsid sleep 300 &
echo started
if [ \"$TASKBOT_ATTEMPT\" = 1 ]; then sleep 300; sleep 300; fi
";

fn stopped_in_the_middle(signal: Signal) {
    let site = Site::new();
    site.configure("[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n");
    let stubborn = site.task("stubborn", "", &[("run", STUBBORN)]);
    site.write("rules.tb", format!("on bodhi.update.testing run stubborn\n{stubborn}"));
    let body = message::update("FEDORA-2024-000001", &["hello-1.0-1.fc40"]);
    site.write("bus.jsonl", message::lines(&[message::envelope(message::TESTING, "2024-1", &body)]));
    let mut daemon = site.start_and_wait();
    eventually("the task to run", Duration::from_secs(60), || {
        let running =
            process::naming(site.dir()).iter().filter(|process| process.contains("sleep 300")).count();
        (running >= 3).then_some(())
    });
    let family = process::descendants(daemon.id());
    let start = Instant::now();
    daemon.signal(signal);
    let status = daemon.ended(Duration::from_secs(20));
    assert!(
        start.elapsed() <= Duration::from_secs(10),
        "it took {:?}\n{}",
        start.elapsed(),
        site.daemon_log()
    );
    assert!(status.success(), "{status}\n{}", site.daemon_log());
    assert_eq!(process::survivors(&family), [], "children of the daemon");
    assert_eq!(process::naming(site.dir()), [""; 0], "processes of the site");
    assert!(site.run_states().keys().all(|state| !support::site::is_final(state)), "{:?}", site.run_states());

    // The next start finishes the work.
    let mut daemon = site.start_and_wait();
    let runs = site.settled(1, Duration::from_secs(60));
    assert_eq!(
        names_and_states(&runs),
        [("stubborn(package: \"hello-1.0-1.fc40\")".to_owned(), "finished".to_owned())]
    );
    assert_eq!(site.results().len(), 1);
    daemon.signal(Signal::TERM);
    assert!(daemon.ended(Duration::from_secs(10)).success());
}

#[test]
fn p20_ctrl_c_ends_soon_leaves_nothing_and_the_next_start_resumes() {
    stopped_in_the_middle(Signal::INT);
}

#[test]
fn p20_sigterm_ends_soon_leaves_nothing_and_the_next_start_resumes() {
    stopped_in_the_middle(Signal::TERM);
}
