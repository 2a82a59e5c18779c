//! What the formatter promises: formatted text stays as it is, means the same, and no comment is lost.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod programs;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use taskbot_grammar::{NESTING_LIMIT, format, parse, words};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The tree without places.
fn tree(text: &str) -> String {
    let shown = format!("{:?}", parse(text).0);
    let mut out = String::new();
    for part in shown.split("Span { start: ") {
        let rest = if out.is_empty() { part } else { part.split_once('}').unwrap().1 };
        out.push_str(rest);
    }
    out
}

/// The formatted text, once it is shown that it keeps what it must keep.
fn formatted(text: &str) -> String {
    assert_eq!(parse(text).1, [], "{text}");
    let once = format(text).unwrap();
    assert_eq!(format(&once).as_ref(), Ok(&once), "not stable:\n{text}");
    assert_eq!(words(&once), words(text), "words or comments changed:\n{text}");
    assert_eq!(tree(&once), tree(text), "the tree changed:\n{text}\n---\n{once}");
    assert!(once.lines().all(|line| !line.ends_with([' ', '\t', '\r'])), "{once}");
    assert!(!once.contains("\n\n\n") && !once.starts_with('\n') && !once.ends_with("\n\n"), "{once}");
    once
}

fn files_below(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != "corpus" && !name.to_string_lossy().starts_with('.') {
            files_below(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

fn texts(extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files_below(project(), extension, &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap_or_default())).collect()
}

/// The `tb` blocks of a page.
fn blocks(page: &str) -> impl Iterator<Item = &str> {
    page.split("\n```tb").skip(1).filter_map(|rest| {
        let (_, body) = rest.split_once('\n')?;
        body.split("\n```").next()
    })
}

#[test]
fn every_program_of_the_project_keeps_its_meaning() {
    let mut count = 0;
    for (_, text) in texts("tb").iter().filter(|(_, text)| parse(text).1.is_empty()) {
        formatted(text);
        count += 1;
    }
    for (_, page) in texts("md") {
        for block in blocks(&page).filter(|block| parse(block).1.is_empty()) {
            formatted(block);
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn rules_tb_is_formatted() {
    let text = fs::read_to_string(project().join("rules.tb")).unwrap();
    assert_eq!(formatted(&text), text);
}

#[test]
fn the_programs_of_the_documentation_are_formatted() {
    let pages = ["README.md", "docs/language", "tests/spec"];
    for (path, page) in
        texts("md").iter().filter(|(path, _)| pages.iter().any(|page| path.starts_with(project().join(page))))
    {
        for block in blocks(page).filter(|block| parse(block).1.is_empty()) {
            assert_eq!(formatted(block).trim_end(), block.trim_end(), "{}", path.display());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_keep_their_meaning(numbers in proptest::collection::vec(any::<u16>(), 0..400)) {
        formatted(&programs::program(&numbers));
    }

    #[test]
    fn text_with_errors_is_refused_and_nothing_panics(text in "[\\[\\](){}a-z \n#\".,:=<0-9_é-]{0,80}") {
        prop_assert_eq!(format(&text).is_err(), !parse(&text).1.is_empty());
    }
}

#[test]
fn what_was_written_on_one_line_stays_there_if_it_fits() {
    let short = "on a.b where c == 1 run t\n";
    assert_eq!(formatted(short), short);
    let long = format!("on a.b where c == \"{}\" run t\n", "x".repeat(90));
    assert_eq!(formatted(&long).lines().count(), 3);
    assert_eq!(formatted("on a.b where c == 1\nrun t"), "on a.b\n  where c == 1\n  run t\n");
    assert_eq!(
        formatted("event e{a:int dialect d{topic \"x\"}}"),
        "event e { a: int dialect d { topic \"x\" } }\n"
    );
    assert_eq!(formatted("record r{\na:int,b:int}"), "record r {\n  a: int\n  b: int\n}\n");
    assert_eq!(formatted("record r{a:int b:int}"), "record r { a: int, b: int }\n");
}

#[test]
fn long_conditions_are_broken_before_their_operators() {
    let parts =
        ["name like \"some-long-pattern-*\"", "other != \"another, even longer, text\"", "third in [a, b]"];
    let text = format!("on a.b\n  where {}\n  run t\n", parts.join(" and "));
    let wanted =
        format!("on a.b\n  where {}\n    and {}\n    and {}\n  run t\n", parts[0], parts[1], parts[2]);
    assert_eq!(formatted(&text), wanted);
}

#[test]
fn long_lists_are_filled() {
    let names: Vec<String> = (0..30).map(|n| format!("\"package-{n}\"")).collect();
    let once = formatted(&format!("let names = [{}]", names.join(",")));
    assert!(once.starts_with("let names = [\n  \"package-0\", \"package-1\", "), "{once}");
    assert!(once.ends_with("\"package-29\",\n]\n"), "{once}");
    assert!(once.lines().all(|line| line.chars().count() <= 100), "{once}");
}

#[test]
fn comments_stay_with_what_they_stand_at() {
    let text =
        "# head\n\n## said\non a # event\n  where b # why\n    # before\n    and c\n  run t # run\n# tail\n";
    assert_eq!(formatted(text), text);
    let text = "let l = [\n  # first\n  a,\n  b, # b\n  c,\n  # end\n]\n";
    assert_eq!(formatted(text), text);
    assert_eq!(formatted("let l = [a # a\n, b]"), "let l = [\n  a, # a\n  b,\n]\n");
    let text = "enum e {\n  A B # b\n  ## C\n  C\n  D\n  # end\n}\n";
    assert_eq!(formatted(text), text);
    assert_eq!(formatted("# only\n\n\n\n# comments"), "# only\n\n# comments\n");
    assert_eq!(formatted(" \n\n"), "");
}

#[test]
fn line_ends_and_blanks_are_made_one() {
    assert_eq!(formatted("\r\non a run b  # x \r\n\r\n\r\n\r\non c run d"), "on a run b # x\n\non c run d\n");
}

#[test]
fn text_with_errors_is_left_alone() {
    assert!(format("on a where run b").is_err());
    assert!(format("on a run b )").is_err());
    assert!(format("on a where b == \"open run c").is_err());
}

#[test]
fn hostile_text_ends() {
    let deep = format!("on a where {}b{} run t", "(".repeat(NESTING_LIMIT), ")".repeat(NESTING_LIMIT));
    formatted(&deep);
    let long = format!("on a where b in [{}] run t", "\"x\",".repeat(20_000));
    formatted(&long);
    let comments = "# c\n".repeat(50_000);
    formatted(&comments);
    let broken = format!("on a where b{} run t", " # c\n and b".repeat(5_000));
    formatted(&broken);
}
