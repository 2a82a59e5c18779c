//! Every diagnostic, as a person sees it: the bad example of its page (`docs/diagnostics/CODE.md`), and in `tests/ui/CODE.txt`
//! what `taskbot check` says of it.
//!
//! `TASKBOT_BLESS=1` writes the texts anew.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use taskbot_compiler::{CODES, Code, Level};

fn recorded(code: &Code) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/ui/{}.txt", code.id))
}

/// The first bad example of a page; the one page without has a test of its own.
fn bad_example(code: &Code) -> Option<&'static str> {
    let (_, rest) = code.page.split_once("```tb,fails")?;
    let (_, rest) = rest.split_once('\n')?;
    rest.split_once("\n```").map(|(program, _)| program)
}

/// Codes with their examples as files in a folder.
fn examples() -> (tempfile::TempDir, Vec<&'static Code>) {
    let dir = tempfile::tempdir().unwrap();
    let (with, without): (Vec<&Code>, Vec<&Code>) =
        CODES.iter().partition(|code| bad_example(code).is_some());
    assert_eq!(without.iter().map(|code| code.id).collect::<Vec<_>>(), ["TB0111"]);
    for code in &with {
        let program = format!("{}\n", bad_example(code).unwrap());
        std::fs::write(dir.path().join(format!("{}.tb", code.id)), program).unwrap();
    }
    // What two of them need beside them.
    let tasks = "task abi-check { package: nvr repository \"https://example.org/abi-check.git\" }\n";
    std::fs::write(dir.path().join("tasks.tb"), tasks).unwrap();
    let facts = "[\"nvr.lang\"]\nbash = \"C\"\nglibc = \"C\"\nkernel = \"C\"\n";
    std::fs::write(dir.path().join("facts.toml"), facts).unwrap();
    (dir, with)
}

/// What `check` says of the example of a code, which is switched on.
fn check_example(dir: &Path, code: &Code, format: &str) -> String {
    let file = format!("{}.tb", code.id);
    let mut arguments = vec![file.as_str(), "--format", format];
    if code.level == Level::Off {
        arguments.extend(["--warn", code.id]);
    }
    if code.id == "TB0613" {
        arguments.extend(["--facts", "facts.toml"]);
    }
    check(dir, &arguments)
}

fn check(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_taskbot"))
        .arg("check")
        .args(arguments)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_code_is_shown_by_its_own_mistake_alone() {
    let (dir, codes) = examples();
    for code in codes {
        let json: serde_json::Value = serde_json::from_str(&check_example(dir.path(), code, "json")).unwrap();
        let ids: Vec<&str> =
            json["diagnostics"].as_array().unwrap().iter().filter_map(|d| d["id"].as_str()).collect();
        assert_eq!(ids, [code.id]);
    }
}

#[test]
fn an_item_beyond_the_parsers_bound_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge.tb");
    let names = "\"kernel\", ".repeat(400_000);
    std::fs::write(&path, format!("on koji.build.completed where package.name in [{names}] run rpmlint\n"))
        .unwrap();
    let said = check(dir.path(), &[path.to_str().unwrap()]);
    assert!(said.contains("TB0111 item-too-large"), "{}", said.chars().take(500).collect::<String>());
}

#[test]
fn what_people_see_is_as_recorded() {
    let bless = std::env::var_os("TASKBOT_BLESS").is_some();
    let (dir, codes) = examples();
    for code in codes {
        let said = check_example(dir.path(), code, "human");
        let path = recorded(code);
        if bless {
            std::fs::write(&path, &said).unwrap();
        }
        let recorded = std::fs::read_to_string(&path).expect("recorded; TASKBOT_BLESS=1 records it");
        assert_eq!(said, recorded, "{}", code.id);
    }
}
