//! The rules of the house that `docs/ARCHITECTURE.md` states: who knows whom, who names which library, how large things are.
//!
//! Comes in: `cargo metadata` and the lines of all sources. A line of code counts, a comment does not; unit tests at the end of
//! a file are not part of the house.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which crates of the workspace a crate knows.
const ARROWS: &[(&str, &[&str])] = &[
    ("taskbot-grammar", &[]),
    ("taskbot-graph", &[]),
    ("taskbot-stdlib", &[]),
    ("taskbot-compiler", &["taskbot-grammar", "taskbot-graph", "taskbot-stdlib"]),
    ("taskbot-runtime", &["taskbot-graph"]),
    ("taskbot-fuzz", &["taskbot-compiler", "taskbot-grammar", "taskbot-graph"]),
    ("taskbot-benches", &["taskbot-compiler", "taskbot-grammar", "taskbot-graph", "taskbot-runtime"]),
    (
        "taskbot",
        &["taskbot-compiler", "taskbot-grammar", "taskbot-graph", "taskbot-runtime", "taskbot-stdlib"],
    ),
];

/// Which paths alone name a library.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("pest", &["grammar/src/"]),
    ("pest_derive", &["grammar/src/"]),
    ("logos", &["grammar/src/"]),
    ("clap", &["src/", "benches/src/", "benches/peers/src/"]),
    ("ariadne", &["src/"]),
    ("lsp_types", &["src/"]),
    ("rusqlite", &["runtime/src/store/"]),
    ("git2", &["runtime/src/worker/fetch.rs", "runtime/src/worker/fetch/"]),
    ("zeromq", &["runtime/src/worker/publish_zmq.rs"]),
    ("seccompiler", &["runtime/src/executor/seccomp.rs"]),
    ("lapin", &["runtime/src/source/amqp.rs", "runtime/src/source/amqp/", "runtime/src/sink/amqp.rs"]),
    ("openssl", &["runtime/src/sink/"]),
];

/// Where a process is started: one room, and the workers that are the last steps into a command.
const SPAWNERS: &[&str] = &[
    "runtime/src/spawn.rs",
    "runtime/src/worker/cage.rs",
    "runtime/src/worker/exec.rs",
    "runtime/src/worker/mind.rs",
];

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;
const LINE_CHARS: usize = 120;
/// rustfmt breaks neither comments nor strings.
const TEXT_LINE_CHARS: usize = 150;

/// Files and functions that are larger, and why.
const LARGE_FILES: &[(&str, &str)] =
    &[("grammar/src/tree.rs", "the syntax tree: a type for each construct of the language")];
const LARGE_FUNCTIONS: &[(&str, &str)] =
    &[("grammar/src/words.rs:word", "one match over every rule of the grammar, so that none is forgotten")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below the root that is the project's, relative to it.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let kind = entry.file_type().unwrap();
            if name == "target" || name == "corpus" || (name.starts_with('.') && name != ".ci") {
                continue;
            } else if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path().strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The Rust files, with their text.
fn sources() -> Vec<(String, String)> {
    let rust = files().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| (path.to_str().unwrap().to_owned(), fs::read_to_string(root().join(path)).unwrap()))
        .collect()
}

/// The numbered lines of code of a file in a `src` folder, without comments and unit tests; nothing of other files.
fn code<'t>(path: &str, text: &'t str) -> impl Iterator<Item = (usize, &'t str)> {
    let house = path.starts_with("src/") || path.contains("/src/");
    let house = house && !path.ends_with("/tests.rs") && !path.ends_with("_tests.rs");
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").enumerate();
    lines
        .filter(move |(_, line)| house && !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line))
}

/// Whether a line names this crate: `use krate...`, `krate::...`, `extern crate`.
fn names(line: &str, krate: &str) -> bool {
    line.match_indices(krate).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + krate.len()..]);
        let own_word = !before.ends_with(|c: char| c.is_alphanumeric() || "_:\"".contains(c));
        let used = before.trim_start().starts_with("use ") || before.trim_end().ends_with("crate");
        own_word && (after.starts_with("::") || used && after.starts_with([';', ' ']))
    })
}

fn is_below(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| if place.ends_with('/') { path.starts_with(place) } else { path == *place })
}

fn check(what: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}

#[test]
fn crates_know_only_whom_they_may() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        seen.insert(name);
        let Some(allowed) = allowed.get(name) else {
            wrong.push(format!("{name} is not on the plan"));
            continue;
        };
        // Dependencies of tests alone have a kind; they are no arrows.
        let known =
            package["dependencies"].as_array().unwrap().iter().filter(|known| known["kind"].is_null());
        for known in known.filter_map(|known| known["name"].as_str()) {
            if known.starts_with("taskbot") && !allowed.contains(&known) {
                wrong.push(format!("{name} knows {known}"));
            }
        }
    }
    assert_eq!(seen, allowed.keys().copied().collect());
    check("arrows that the house does not have", &wrong);
}

#[test]
fn each_library_is_named_where_it_belongs() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (line_number, line) in code(&path, &text) {
            for (library, places) in LIBRARIES {
                if names(line, library) && !is_below(&path, places) {
                    wrong.push(format!("{path}:{line_number} names {library}: {}", line.trim()));
                }
            }
        }
    }
    check("libraries outside their room", &wrong);
}

#[test]
fn the_check_of_libraries_can_fail() {
    for line in ["use git2::Repository;", "    git2::Repository::open(x)", "use git2;", "extern crate git2;"]
    {
        assert!(names(line, "git2"), "{line}");
    }
    for line in ["let git2 = 1;", "mygit2::x", "\"git2::x\"", "use crate::git2::X;"] {
        assert!(!names(line, "git2"), "{line}");
    }
}

#[test]
fn processes_are_started_in_one_room() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (line_number, line) in code(&path, &text) {
            let spawns = ["Command::new", "CommandExt", "fork(", "posix_spawn", "execve"];
            if spawns.iter().any(|word| line.contains(word))
                && !is_below(&path, SPAWNERS)
                && !path.starts_with("src/")
            {
                wrong.push(format!("{path}:{line_number}: {}", line.trim()));
            }
        }
    }
    check("processes that do not go through spawn", &wrong);
}

#[test]
fn the_command_starts_no_process_itself() {
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| path.starts_with("src/")) {
        let lines = code(&path, &text).filter(|(_, line)| line.contains("process::Command"));
        wrong.extend(lines.map(|(line_number, line)| format!("{path}:{line_number}: {}", line.trim())));
    }
    check("processes that do not go through spawn", &wrong);
}

#[test]
fn pure_crates_touch_nothing_of_the_world() {
    let worlds = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant::now",
        "tokio",
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if ["grammar/src/", "graph/src/", "compiler/src/"].iter().any(|house| path.starts_with(house)) {
            for (line_number, line) in code(&path, &text) {
                if worlds.iter().any(|world| line.contains(world)) {
                    wrong.push(format!("{path}:{line_number}: {}", line.trim()));
                }
            }
        }
    }
    check("input, output or clocks in a pure crate", &wrong);
}

#[test]
fn every_crate_takes_the_lints_of_the_house() {
    let manifest = |path: &Path| fs::read_to_string(root().join(path)).unwrap();
    assert!(manifest("Cargo.toml".as_ref()).contains("[workspace.lints.rust]\nunsafe_code = \"forbid\""));
    let manifests = files().into_iter().filter(|path| path.ends_with("Cargo.toml"));
    let without = manifests.filter(|path| !manifest(path).contains("[lints]\nworkspace = true"));
    check(
        "crates without the lints of the house",
        &without.map(|path| path.display().to_string()).collect::<Vec<_>>(),
    );
}

#[test]
fn no_file_is_named_after_nothing() {
    let nothings = ["util", "utils", "helper", "helpers", "common", "manager", "misc"];
    let named = |path: &PathBuf| {
        let is_nothing =
            |part: &Path| part.file_stem().is_some_and(|stem| nothings.iter().any(|name| stem == *name));
        path.iter().any(|part| is_nothing(Path::new(part)))
    };
    let wrong: Vec<String> =
        files().into_iter().filter(named).map(|path| path.display().to_string()).collect();
    check("files that are not named after a concept", &wrong);
}

#[test]
fn files_and_lines_are_of_a_readable_size() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let lines = file_lines(&text);
        if lines > FILE_LINES && !LARGE_FILES.iter().any(|(large, _)| *large == path) {
            wrong.push(format!("{path}: {lines} lines"));
        }
        for (at, line) in text.lines().enumerate() {
            let most = if line.contains(['"', '/', '\\']) { TEXT_LINE_CHARS } else { LINE_CHARS };
            if line.chars().count() > most {
                wrong.push(format!("{path}:{}: more than {most} characters", at + 1));
            }
        }
    }
    check("too large to be read at once; split them, or give a reason in LARGE_FILES", &wrong);
}

/// Lines of a file without the unit tests at its end.
fn file_lines(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

#[test]
fn functions_are_of_a_readable_size() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (name, line_number, lines) in functions(&text) {
            let place = format!("{path}:{name}");
            if lines > FUNCTION_LINES && !LARGE_FUNCTIONS.iter().any(|(large, _)| *large == place) {
                wrong.push(format!("{path}:{line_number} fn {name}: {lines} lines"));
            }
        }
    }
    check("too long to be read at once; split them, or give a reason in LARGE_FUNCTIONS", &wrong);
}

#[test]
fn exceptions_are_still_needed() {
    let sources = sources();
    for (path, reason) in LARGE_FILES {
        let lines = sources.iter().find(|(known, _)| known == path).map(|(_, text)| file_lines(text));
        assert!(lines.is_some_and(|lines| lines > FILE_LINES) && !reason.is_empty(), "{path}");
    }
    for (place, reason) in LARGE_FUNCTIONS {
        let (path, name) = place.rsplit_once(':').unwrap();
        let text = &sources.iter().find(|(known, _)| known == path).unwrap().1;
        let large =
            functions(text).into_iter().any(|(known, _, lines)| known == name && lines > FUNCTION_LINES);
        assert!(large && !reason.is_empty(), "{place}");
    }
}

/// Name, first line and number of lines of each function: rustfmt puts its closing brace under its beginning.
fn functions(text: &str) -> Vec<(&str, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let before_fn = code.split("fn ").next().unwrap_or_default();
        let is_head = code.contains("fn ")
            && before_fn.split_whitespace().all(|word| {
                word.starts_with("pub") || ["const", "async", "in", "crate)", "super)"].contains(&word)
            });
        if !is_head {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let ends =
            |other: &&str| other.strip_prefix(indent).is_some_and(|rest| rest == "}" || rest.ends_with(" }"));
        let length = lines[at..].iter().position(ends).unwrap_or(0) + 1;
        let name = code[before_fn.len() + 3..].split(['(', '<']).next().unwrap_or_default();
        found.push((name, at + 1, length));
    }
    found
}

#[test]
fn functions_are_found_with_their_length() {
    let text = "fn a() {\n    x\n}\n\nimpl B {\n    pub(crate) async fn c<T>(\n    ) {\n        y\n    }\n}\nfn d() { z }\n";
    assert_eq!(functions(text), [("a", 1, 3), ("c", 6, 4), ("d", 11, 1)]);
}
