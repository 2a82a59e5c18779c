//! The outputs that docs/tools.md and the README's tour quote are those that the commands print.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::fs;

use support::site::{Site, project};

/// A command as the page quotes it, and its output.
fn quoted(page: &str) -> Vec<(String, Vec<String>)> {
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        if line.starts_with("```") {
            open = line == "```text";
        } else if let Some(command) = line.strip_prefix("$ taskbot ").filter(|_| open) {
            blocks.push((command.to_owned(), Vec::new()));
        } else if let (true, Some((_, output))) = (open, blocks.last_mut()) {
            output.push(line.to_owned());
        }
    }
    blocks
}

/// Whether the lines are these, where `...` stands for any number of lines.
fn is_like(lines: &[&str], quoted: &[String]) -> bool {
    match quoted.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == "..." => (0..=lines.len()).any(|skip| is_like(&lines[skip..], rest)),
        Some((first, rest)) => {
            lines.first().is_some_and(|line| line.trim_end() == first) && is_like(&lines[1..], rest)
        }
    }
}

#[test]
fn every_quoted_output_is_printed_so() {
    let page = fs::read_to_string(project().join("docs/tools.md")).unwrap();
    let file = |kind: &str| {
        let fence = format!("```{kind}\n");
        page.split_once(&fence).and_then(|(_, rest)| rest.split_once("```")).unwrap().0
    };
    let site = Site::new();
    fs::copy(project().join("rules.tb"), site.path("rules.tb")).unwrap();
    fs::copy(project().join("tests/samples/bus.jsonl"), site.path("bus.jsonl")).unwrap();
    site.write("facts.toml", file("toml"));
    site.write("own.tb", file("tb"));
    let blocks = quoted(&page);
    assert!(blocks.len() >= 4, "{blocks:#?}");
    for (command, output) in blocks {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let ended = site.run(&arguments).with_code(0);
        let lines: Vec<&str> = ended.stdout.trim_end().lines().collect();
        assert!(is_like(&lines, &output), "{command} prints\n{}", ended.stdout);
    }
}

/// What the README's tour writes into a file between these lines.
fn heredoc<'p>(page: &'p str, file: &str) -> &'p str {
    let begins = format!("cat > {file} <<'END'\n");
    page.split_once(&begins).and_then(|(_, rest)| rest.split_once("END\n")).unwrap().0
}

#[test]
fn the_tour_of_the_readme_prints_what_it_says() {
    let page = fs::read_to_string(project().join("README.md")).unwrap();
    let tour = page.split_once("## Five minutes").and_then(|(_, rest)| rest.split_once("\n## ")).unwrap().0;
    let site = Site::new();
    let one_line = "on bodhi.update.testing where package.lang == C run static-analysis\n";
    assert!(tour.contains(&format!("echo '{}' > rules.tb", one_line.trim_end())));
    site.write("rules.tb", one_line);
    site.write("typo.tb", one_line.replace("package.lang", "package.lnag"));
    site.write("narrower.tb", one_line.replace("== C", "== C and not package.name like \"hello-c*\""));
    for file in ["rules_test.tb", "facts.toml"] {
        site.write(file, heredoc(tour, file));
    }
    let messages = fs::read_to_string(project().join("src/demo/messages.jsonl")).unwrap();
    site.write("update.json", messages.lines().nth(5).unwrap());
    site.write("messages.jsonl", &messages);
    let blocks = quoted(&tour.replace("```console", "```text").replace("../taskbot-demo/", ""));
    let without_effect = ["check", "explain", "test", "plan", "replay"];
    let mut shown = 0;
    for (command, mut output) in blocks {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        if without_effect.contains(&arguments[0]) {
            output.retain(|line| !line.starts_with("$ "));
            let ended = site.run(&arguments);
            let printed = format!("{}{}", ended.stdout, ended.stderr);
            let lines: Vec<&str> = printed.trim_end().lines().collect();
            assert!(is_like(&lines, &output), "{command} prints\n{printed}");
            shown += 1;
        }
    }
    assert!(shown >= 6, "{shown}");
}

#[test]
fn the_comparison_can_fail() {
    let quoted = ["a".to_owned(), "...".to_owned(), "c".to_owned()];
    assert!(is_like(&["a", "b", "b", "c"], &quoted) && is_like(&["a", "c"], &quoted));
    assert!(!is_like(&["a", "b"], &quoted) && !is_like(&["b", "c"], &quoted));
}
