//! The documentation says what the compiler does: its programs compile, its table of codes is the registry.
//!
//! A block fenced as `tb` in the README or in docs/language is a program without diagnostics; one fenced as
//! `tb,fails TB0203` gives exactly that code. The page of a code in docs/diagnostics has one of each. `TASKBOT_BLESS=1`
//! writes docs/diagnostics.md anew.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use taskbot_compiler::{
    CODES, Code, Compiled, Domains, Level, Levels, Manifest, ManifestInput, Needed, SourceText, compile,
    findings, select,
};

/// Codes whose page has no examples, and why.
const WITHOUT_EXAMPLES: &[(&str, &str)] = &[("TB0111", "its example would have more than a megabyte")];
/// A file that one page's examples use.
const TASKS: &str =
    "## Is it new?\ntask abi-check { package: nvr repository \"https://example.org/abi-check.git\" }\n";
/// Packages that one page's examples know.
const PACKAGES: [&str; 3] = ["bash", "glibc", "kernel"];

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

/// A block as a program, with the manifest that one example differs from.
fn compiled(block: &Block) -> Compiled {
    let package = ManifestInput { name: "package".into(), ty: "nvr".into(), needed: Needed::Yes };
    let manifest = Manifest { task: "rpmlint".into(), inputs: vec![package] };
    // A page is a file of its own name, which one example uses.
    let file = block.place.rsplit('/').next().and_then(|name| name.split_once(".md:"));
    let path = format!("{}.tb", file.unwrap().0);
    let mut sources = vec![SourceText { path, text: block.text.clone() }];
    if block.text.contains("use \"tasks.tb\"") {
        sources.push(SourceText { path: "tasks.tb".into(), text: TASKS.into() });
    }
    compile(&sources, &[manifest])
}

#[test]
fn every_program_of_the_documentation_compiles_or_fails_as_it_says() {
    let blocks = blocks();
    assert!(blocks.iter().filter(|b| b.fails.is_none()).count() >= 10, "{}", blocks.len());
    assert!(blocks.iter().any(|b| b.fails.is_some()));
    for block in blocks {
        let compiled = compiled(&block);
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
fn every_code_has_a_page_whose_examples_show_it_alone() {
    for code in CODES {
        let page = page(code.id);
        assert_eq!(code.page, fs::read_to_string(&page).unwrap(), "{}", code.id);
        let heading = format!("# {} {}\n", code.id, code.name);
        assert!(code.page.starts_with(&heading), "{}: the heading is not {heading:?}", code.id);
        let blocks = blocks_of(&page);
        let (bad, good): (Vec<&Block>, Vec<&Block>) = blocks.iter().partition(|block| block.fails.is_some());
        let without = WITHOUT_EXAMPLES.iter().any(|(id, _)| *id == code.id);
        assert_eq!((bad.is_empty(), good.is_empty()), (without, without), "{}: examples", code.id);
        for block in bad {
            assert_eq!(block.fails.as_deref(), Some(code.id), "{}", block.place);
            assert_eq!(shown(block, code), [code.id], "{}", block.place);
        }
        for block in good {
            assert_eq!(shown(block, code), [""; 0], "{}", block.place);
        }
    }
    let pages = fs::read_dir(page("x").parent().unwrap()).unwrap();
    assert_eq!(pages.count(), CODES.len(), "docs/diagnostics holds the pages of the codes and nothing else");
}

fn page(id: &str) -> PathBuf {
    project().join(format!("docs/diagnostics/{id}.md"))
}

/// The codes that a block shows, with one code switched on.
fn shown(block: &Block, code: &Code) -> Vec<&'static str> {
    let mut levels = Levels::default();
    if code.level == Level::Off {
        levels.choose(code.id, Level::Warning).unwrap();
    }
    let mut domains = Domains::default();
    if code.id == "TB0613" {
        domains.keys.insert("nvr.lang".into(), PACKAGES.map(str::to_owned).into());
    }
    let shown = select(&findings(&compiled(block), &domains), &levels).shown;
    shown.iter().map(|diagnostic| diagnostic.code.id).collect()
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

const ABOVE_THE_TABLE: &str = "\
# Diagnostics

What `taskbot check` can find. A code is never used for another thing and never re-used; its range tells the
stage: 01 text, 02 names, 03 types, 04 rules and tasks, 05 declarations, 06 lints, 07 lints that are off by
default, 08 tests. Each has a page with an example that shows it and one that is clean; `taskbot explain TB0203`
prints it. This table is written by a test of the compiler from its registry, `compiler/src/diagnostic.rs`.

An *error* keeps everything from being compiled. A *warning* is a lint: the program has a meaning, and somebody should
look. Lints have a level: `check --allow CODE` does not show one, `--warn CODE` shows one that is off by default,
`--deny CODE` makes its findings errors; CODE is an id, a name, or `all`, and a code's own choice counts more than that
for all. `check` ends with 0 if nothing is shown, else with 1.

A comment suppresses a lint where it stands, with a reason, which is required:

```text
# taskbot: allow unused-let because the file that reads it comes next week
```

On a line of its own it covers the rule or declaration that follows, or within one the line that follows; at the
end of a line it covers that line. Several codes are separated by commas. Errors are never suppressed. A suppression
that is not needed is reported (TB0694).

`check --fix` mends what can be mended without changing what the rules mean, `--fix --unsafe-fixes` also takes
suggestions like \"did you mean\", which somebody has to look at; `--diff` shows either without writing.
`check --format` is `human`, `json`, `sarif` (2.1.0), `github` (workflow commands) or `junit`.

| code | name | level | why it matters |
| --- | --- | --- | --- |
";

fn table_of_codes() -> String {
    let mut page = String::from(ABOVE_THE_TABLE);
    for code in CODES {
        let level = match code.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Off => "off",
        };
        let (id, name, why) = (code.id, code.name, code.why.replace('|', "\\|"));
        writeln!(page, "| [{id}](diagnostics/{id}.md) | {name} | {level} | {why} |").unwrap();
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
