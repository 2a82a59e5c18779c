//! The normative grammar, the tables, the highlighting grammar and the reference name the same words.
//!
//! `TASKBOT_BLESS=1` writes the reference's grammar appendix anew.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use taskbot_grammar::keywords;

fn read(path: &str) -> String {
    let root: PathBuf = [env!("CARGO_MANIFEST_DIR"), ".."].iter().collect();
    fs::read_to_string(root.join(path)).unwrap()
}

fn is_word(text: &&str) -> bool {
    text.len() > 1 && text.chars().all(|c| c.is_ascii_lowercase())
}

/// The literals of a line of pest, with their escapes as written.
fn literals(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut begin, mut escaped) = (None, false);
    for (at, c) in line.char_indices() {
        match (c, begin) {
            ('"', None) => begin = Some(at + 1),
            ('"', Some(from)) if !escaped => {
                found.push(&line[from..at]);
                begin = None;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    found
}

fn set<'t>(words: impl IntoIterator<Item = &'t str>) -> BTreeSet<&'t str> {
    words.into_iter().collect()
}

#[test]
fn the_tables_are_the_literals_of_the_grammar() {
    let pest = read("grammar/taskbot.pest");
    let lines: Vec<&str> = pest.lines().filter(|line| !line.starts_with("//")).collect();
    let all = set(lines.iter().flat_map(|line| literals(line)));
    let units = keywords::UNITS;
    let words = set(all.iter().copied().filter(is_word).filter(|word| !units.contains(word)));
    assert_eq!(words, set(keywords::words()));

    let begin = lines.iter().position(|line| line.starts_with("keyword = ")).unwrap();
    let reserved = lines[begin..].iter().take_while(|line| **line != "}").flat_map(|line| literals(line));
    assert_eq!(set(reserved), set(keywords::RESERVED));

    let lexical = set([" ", "\\t", "\\r", "\\n", "#", "-", "\\\"", "\\\\", "r\\\""]);
    let signs = set(all.iter().copied().filter(|literal| !is_word(literal) && !units.contains(literal)));
    let tables = set(keywords::OPERATORS.into_iter().chain(keywords::SIGNS));
    assert_eq!(signs.difference(&lexical).copied().collect::<BTreeSet<_>>(), tables);

    let duration = lines.iter().find(|line| line.starts_with("duration ")).unwrap();
    assert_eq!(set(literals(duration)), set(units));
}

#[test]
fn each_keyword_of_the_grammar_is_its_own_name() {
    let pest = read("grammar/taskbot.pest");
    let rules = pest.lines().filter_map(|line| line.strip_prefix("kw_"));
    let mut count = 0;
    for line in rules {
        let name = line.split([' ', '=']).next().unwrap();
        assert_eq!(literals(line), [name]);
        count += 1;
    }
    assert_eq!(count, set(keywords::words()).len());
}

/// The alternatives of every pattern whose scope begins so.
fn scoped(node: &Value, scope: &str, found: &mut BTreeSet<String>) {
    if let (Some(name), Some(pattern)) = (node["name"].as_str(), node["match"].as_str())
        && name.starts_with(scope)
    {
        let inner = pattern.split("(?:").nth(1).and_then(|rest| rest.split(')').next()).unwrap();
        found.extend(inner.split('|').map(str::to_owned));
    }
    match node {
        Value::Array(nodes) => nodes.iter().for_each(|node| scoped(node, scope, found)),
        Value::Object(nodes) => nodes.values().for_each(|node| scoped(node, scope, found)),
        _ => {}
    }
}

#[test]
fn the_highlighting_grammar_colours_every_word_and_no_other() {
    let grammar: Value = serde_json::from_str(&read("docs/language/taskbot.tmLanguage.json")).unwrap();
    let of = |scopes: &[&str]| {
        let mut found = BTreeSet::new();
        scopes.iter().for_each(|scope| scoped(&grammar, scope, &mut found));
        found
    };
    let coloured = of(&[
        "keyword.control",
        "keyword.operator.word",
        "keyword.other",
        "constant.language",
        "support.function",
    ]);
    assert_eq!(set(coloured.iter().map(String::as_str)), set(keywords::words()));
    let operators = of(&["keyword.operator.comparison"]);
    assert_eq!(set(operators.iter().map(String::as_str)), set(keywords::OPERATORS));
}

/// The text of a section of the reference.
fn section<'t>(page: &'t str, heading: &str) -> &'t str {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap()
}

#[test]
fn the_reference_lists_every_word_and_operator() {
    let page = read("docs/language/reference.md");
    let rows = section(&page, "## Words and signs").lines().filter(|line| line.starts_with('|')).skip(2);
    let listed: BTreeSet<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    let signs = keywords::OPERATORS.into_iter().chain(keywords::SIGNS).chain(keywords::UNITS);
    assert_eq!(listed, set(keywords::words().chain(signs)));
}

#[test]
fn the_reference_holds_the_grammar() {
    let page = read("docs/language/reference.md");
    let pest = read("grammar/taskbot.pest");
    let rules: Vec<&str> = pest.lines().filter(|line| !line.starts_with("kw_")).collect();
    let wanted = format!("```pest\n{}\n```\n", rules.join("\n").trim_end());
    let (before, _) = page.split_once("```pest\n").unwrap();
    if std::env::var_os("TASKBOT_BLESS").is_some() {
        let root: PathBuf = [env!("CARGO_MANIFEST_DIR"), ".."].iter().collect();
        fs::write(root.join("docs/language/reference.md"), format!("{before}{wanted}")).unwrap();
        return;
    }
    assert!(page.ends_with(&wanted), "the appendix is not the grammar: run this test with TASKBOT_BLESS=1");
}
