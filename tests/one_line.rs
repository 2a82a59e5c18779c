//! The one-line program: a complete, valid file that runs a real analysis for a package in C and for no other.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::process::Command;

use serde_json::json;
use support::site::{Site, names_and_states, project};
use support::{has_program, message, require};

const ONE_LINE: &str = "on bodhi.update.testing where package.lang == C run static-analysis\n";

/// Builds of the sample packages, laid out as koji does.
fn make_builds(site: &Site) {
    let samples = project().join("stdlib/samples");
    let status = Command::new("python3")
        .arg(samples.join("make-builds/make-builds"))
        .args([&samples, &site.path("koji")])
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn it_compiles_without_a_word() {
    let site = Site::new();
    site.write("rules.tb", ONE_LINE);
    let report = site.run(&["check", "rules.tb", "--format", "json"]).with_code(0).json();
    assert_eq!((&report["diagnostics"], &report["rules"]), (&json!([]), &json!(1)));
    let ended = site.run(&["compile", "rules.tb", "--output", "rules.tbc"]).with_code(0);
    assert_eq!(ended.stderr, "");
}

#[test]
fn it_analyses_packages_in_c_and_no_others() {
    let tools = has_program("gcc", &["--version"]) && has_program("python3", &["--version"]);
    if !require("gcc", tools) || !require("rpm", has_program("rpmbuild", &["--version"])) {
        return;
    }
    let site = Site::new();
    make_builds(&site);
    site.write("rules.tb", ONE_LINE);
    site.write(
        "facts.toml",
        "[\"nvr.lang\"]\nhello-leak = \"C\"\nhello-clean = \"C\"\npython-hello = \"Python\"\n",
    );
    site.configure(&format!(
        "[[source]]\nkind = \"archive\"\npath = \"bus.jsonl\"\n[facts.\"nvr.lang\"]\ntable = \"facts.toml\"\n\
         [downloads]\nkoji = \"{}\"\n",
        site.path("koji").display()
    ));
    let builds = ["hello-leak-1.0-1.fc40", "hello-clean-1.2-1.fc40", "python-hello-2.1-1.fc40"];
    let body = message::update("FEDORA-2024-000001", &builds);
    site.write("bus.jsonl", message::lines(&[message::record(message::TESTING, "2024-1", &body)]));
    site.run(&["run", "--until-idle"]).with_code(0);

    let finished = |nvr: &str| (format!("static-analysis(package: \"{nvr}\")"), "finished".to_owned());
    let runs = site.runs();
    assert_eq!(
        names_and_states(&runs),
        [finished("hello-clean-1.2-1.fc40"), finished("hello-leak-1.0-1.fc40")],
        "{runs:#?}"
    );
    let results = site.results();
    let of = |item: &str, testcase: &str| {
        let wanted = |row: &&serde_json::Value| row["item"] == item && row["testcase"] == testcase;
        results.iter().find(wanted).unwrap_or(&serde_json::Value::Null).clone()
    };
    assert_eq!(of("hello-clean-1.2-1.fc40", "dist.static-analysis")["outcome"], "PASSED", "{results:#?}");
    let leak = of("hello-leak-1.0-1.fc40", "dist.static-analysis");
    assert_eq!(leak["outcome"], "FAILED", "{results:#?}");
    let finding = of("hello-leak-1.0-1.fc40", "dist.static-analysis.gcc.double-free");
    assert_eq!(
        (&finding["data"]["places"][0]["file"], &finding["data"]["places"][0]["line"]),
        (&json!("hello-leak-1.0/hello.c"), &json!(30)),
        "{finding:#}"
    );
    assert!(site.path("out").read_dir().unwrap().count() >= 2, "the directory sink has both runs");
}
