//! The documentation says what the compiler does: its programs compile, its table of codes is the registry.
//!
//! A block fenced as `tb` in the README or in docs/language is a program without diagnostics; one fenced as
//! `tb,fails TB0203` gives exactly that code. `TASKBOT_BLESS=1` writes docs/diagnostics.md anew.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use taskbot_compiler::{CODES, Severity, SourceText, compile};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A program of the documentation.
#[derive(Debug)]
struct Block {
    /// `README.md:12`: the file and the line of its fence, from 1.
    place: String,
    /// The code that it must give; none: it is clean.
    fails: Option<String>,
    text: String,
}

/// The blocks fenced as `tb`, of all pages whose programs are tested.
fn blocks() -> Vec<Block> {
    let language = fs::read_dir(project().join("docs/language")).unwrap();
    let mut pages: Vec<PathBuf> = language.map(|entry| entry.unwrap().path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.push(project().join("README.md"));
    pages.sort();
    pages.iter().flat_map(|page| blocks_of(page)).collect()
}

fn blocks_of(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(page).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut other = false;
    for (at, line) in text.lines().enumerate() {
        if let Some(mut block) = open.take() {
            if line == "```" {
                blocks.push(block);
            } else {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
        } else if let Some(info) = line.strip_prefix("```") {
            if other || !(info == "tb" || info.starts_with("tb,")) {
                other = !other;
                continue;
            }
            let fails = info.strip_prefix("tb,").map(|rest| rest.strip_prefix("fails ").unwrap().to_owned());
            let place = format!("{}:{}", page.strip_prefix(project()).unwrap().display(), at + 1);
            open = Some(Block { place, fails, text: String::new() });
        }
    }
    assert!(open.is_none() && !other, "{}: a block is not closed", page.display());
    blocks
}

#[test]
fn every_program_of_the_documentation_compiles_or_fails_as_it_says() {
    let blocks = blocks();
    assert!(blocks.iter().filter(|b| b.fails.is_none()).count() >= 10, "{}", blocks.len());
    assert!(blocks.iter().any(|b| b.fails.is_some()));
    for block in blocks {
        let compiled = compile(&[SourceText { path: block.place.clone(), text: block.text }], &[]);
        let found: Vec<&str> = compiled.diagnostics.iter().map(|d| d.code.id).collect();
        let expected: Vec<&str> = block.fails.as_deref().into_iter().collect();
        let said: Vec<&str> = compiled.diagnostics.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(found, expected, "{}: {said:?}", block.place);
        assert!(block.fails.is_some() || !compiled.program.rules.is_empty(), "{}: no rule", block.place);
    }
}

#[test]
fn the_readme_quotes_rules_tb() {
    let rules = fs::read_to_string(project().join("rules.tb")).unwrap();
    let quoted = blocks().into_iter().any(|b| b.place.starts_with("README.md:") && b.text == rules);
    assert!(quoted, "README.md must hold rules.tb as it is");
}

#[test]
fn the_table_of_codes_is_the_registry() {
    let path = project().join("docs/diagnostics.md");
    let wanted = table_of_codes();
    if std::env::var_os("TASKBOT_BLESS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, wanted, "docs/diagnostics.md is not the registry: run this test with TASKBOT_BLESS=1");
}

fn table_of_codes() -> String {
    let mut page = String::from(
        "# Diagnostics\n\n\
         What `taskbot check` can find. A code is never used for another thing and never re-used; its range tells the\n\
         stage: 01 text, 02 names, 03 types, 04 rules and tasks, 05 declarations. An error keeps everything from being\n\
         compiled, a warning does not. A code leads to a mistake of its kind as `check` shows it. This page is written by a\n\
         test of the compiler from its registry, `compiler/src/diagnostic.rs`.\n\n\
         | code | name | severity | why it matters |\n| --- | --- | --- | --- |\n",
    );
    for code in CODES {
        let severity = match code.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let sample = format!("tests/ui/{}.txt", code.id);
        let id = if project().join(&sample).exists() {
            format!("[{}](../{sample})", code.id)
        } else {
            code.id.to_owned()
        };
        writeln!(page, "| {id} | {} | {severity} | {} |", code.name, code.why.replace('|', "\\|")).unwrap();
    }
    page
}

#[test]
fn every_test_that_the_promises_name_exists() {
    let page = fs::read_to_string(project().join("docs/PROMISES.md")).unwrap();
    let named: Vec<(&str, &str)> = page.split('`').filter_map(|code| code.split_once(".rs::")).collect();
    assert!(named.len() > 20, "{named:?}");
    for (file, test) in named {
        let file = project().join(file).with_extension("rs");
        let text = fs::read_to_string(&file).unwrap_or_default();
        assert!(text.contains(&format!("fn {test}(")), "{} has no test {test}", file.display());
    }
}
