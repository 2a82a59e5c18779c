//! Every diagnostic, as a person sees it: `tests/ui/CODE.tb` holds a mistake, `CODE.txt` what `taskbot check` says of it.
//!
//! Each code of the registry has a file, and its file shows that code alone. `TASKBOT_BLESS=1` writes the texts anew.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use taskbot_compiler::CODES;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui")
}

fn check(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_taskbot"))
        .arg("check")
        .args(arguments)
        .current_dir(folder())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_code_is_shown_by_its_own_mistake_alone() {
    for code in CODES.iter().filter(|code| code.id != "TB0111") {
        let file = format!("{}.tb", code.id);
        let json: serde_json::Value = serde_json::from_str(&check(&[&file, "--format", "json"])).unwrap();
        let ids: Vec<&str> =
            json["diagnostics"].as_array().unwrap().iter().filter_map(|d| d["id"].as_str()).collect();
        assert_eq!(ids, [code.id], "{file}");
    }
}

#[test]
fn an_item_beyond_the_parsers_bound_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge.tb");
    let names = "\"kernel\", ".repeat(400_000);
    std::fs::write(&path, format!("on koji.build.completed where package.name in [{names}] run rpmlint\n"))
        .unwrap();
    let said = check(&[path.to_str().unwrap()]);
    assert!(said.contains("TB0111 item-too-large"), "{}", said.chars().take(500).collect::<String>());
}

#[test]
fn what_people_see_is_as_recorded() {
    let bless = std::env::var_os("TASKBOT_BLESS").is_some();
    for code in CODES.iter().filter(|code| code.id != "TB0111") {
        let said = check(&[&format!("{}.tb", code.id)]);
        let path = folder().join(format!("{}.txt", code.id));
        if bless {
            std::fs::write(&path, &said).unwrap();
        }
        let recorded = std::fs::read_to_string(&path).expect("recorded; TASKBOT_BLESS=1 records it");
        assert_eq!(said, recorded, "{}", code.id);
    }
}
