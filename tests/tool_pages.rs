//! The pages on tools: their files are written, their commands run, their outputs compared.
//!
//! A block whose first line names a file (```` ```tb rules.tb ````) is that file; in a block of `console`, a line after `$` is a command and
//! what follows its output; `> FILE` behind a command keeps what it prints. `TASKBOT_BLESS=1` writes the outputs of today into the pages.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use support::site::{Site, project};

#[test]
fn the_page_on_tests_prints_what_the_tool_prints() {
    check("docs/testing.md");
}

#[test]
fn the_page_on_plans_prints_what_the_tool_prints() {
    check("docs/plan.md");
}

#[test]
fn the_page_on_reviews_prints_what_the_tools_print() {
    check("docs/review.md");
}

#[test]
fn the_page_on_tasks_prints_what_the_tool_prints() {
    check("docs/tasks.md");
}

fn check(page: &str) {
    let path = project().join(page);
    let text = fs::read_to_string(&path).unwrap();
    let (printed, commands) = as_printed(&text);
    assert!(commands > 0, "{page} shows no command");
    if std::env::var_os("TASKBOT_BLESS").is_some() {
        fs::write(&path, printed).unwrap();
    } else {
        assert_eq!(text, printed, "{page} shows other outputs; TASKBOT_BLESS=1 writes those of today");
    }
}

/// The page with the outputs of today, and the number of its commands.
fn as_printed(text: &str) -> (String, usize) {
    let site = Site::new();
    let mut out = String::new();
    let mut commands = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        out.push_str(&format!("{line}\n"));
        let Some(info) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if info == "console" {
            for command in block.iter().filter_map(|line| line.strip_prefix("$ taskbot ")) {
                commands += 1;
                let (told, file) =
                    command.split_once(" > ").map_or((command, None), |(told, file)| (told, Some(file)));
                let arguments = words(told);
                let mut ended = site.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
                assert!(ended.code < 2, "{command}: {ended:#?}");
                if let Some(file) = file {
                    assert!(!ended.stdout.is_empty(), "{command} prints nothing");
                    site.write(file, std::mem::take(&mut ended.stdout));
                }
                out.push_str(&format!("$ taskbot {command}\n{}{}", ended.stdout, ended.stderr));
            }
        } else {
            block.iter().for_each(|line| out.push_str(&format!("{line}\n")));
            if let Some((_, file)) = info.split_once(' ') {
                site.write(file, format!("{}\n", block.join("\n")));
            }
        }
        out.push_str("```\n");
    }
    (out, commands)
}

/// The words of a command; quotes hold words together.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    parts
        .flat_map(|(at, part)| {
            if at % 2 == 1 {
                vec![part.to_owned()]
            } else {
                part.split_whitespace().map(str::to_owned).collect()
            }
        })
        .collect()
}
