//! `taskbot graph`: what is in the picture, and that nothing of a rule file becomes part of its markup.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;

use quick_xml::Reader;
use quick_xml::events::Event;

use support::site::{Site, project};

/// Shown texts and titles of a picture; it must be well-formed and hold nothing that a browser would run.
fn texts(svg: &str) -> (Vec<String>, Vec<String>) {
    let mut reader = Reader::from_str(svg);
    let (mut shown, mut titles) = (Vec::new(), Vec::new());
    let mut element = Vec::new();
    let mut text = String::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::Start(start) => {
                let name = start.name().as_ref().to_owned();
                assert!(name != "script" && name != "foreignObject", "{name}");
                element.push(name);
                text.clear();
            }
            Event::Text(piece) => text.push_str(&piece),
            Event::GeneralRef(reference) => {
                let named = reference.to_string();
                text.push_str(match named.as_str() {
                    "lt" => "<",
                    "gt" => ">",
                    "amp" => "&",
                    "quot" => "\"",
                    "#39" => "'",
                    other => panic!("{other}"),
                });
            }
            Event::End(_) => match element.pop().unwrap().as_str() {
                "text" => shown.push(std::mem::take(&mut text)),
                "title" => titles.push(std::mem::take(&mut text)),
                _ => {}
            },
            _ => {}
        }
    }
    assert!(element.is_empty(), "{element:?} are open");
    (shown, titles)
}

#[test]
fn the_founding_rules_are_drawn_with_everything_that_belongs_to_them() {
    let site = Site::new();
    fs::copy(project().join("rules.tb"), site.path("rules.tb")).unwrap();
    let svg = site.run(&["graph", "rules.tb"]).with_code(0).stdout;
    let (shown, titles) = texts(&svg);
    for text in [
        "bodhi.update.request.testing",
        "koji.build.completed",
        "package.name == \"kernel\"",
        "for arch in package.arches",
        "static-analysis",
    ] {
        assert!(shown.iter().any(|line| line == text), "{text} in {shown:#?}");
    }
    let kernel = titles.iter().find(|title| title.contains("run kernel-tests")).unwrap();
    assert!(kernel.starts_with("rules.tb:"), "its place and its text: {kernel}");
    assert_eq!(svg.matches("class=\"e\"").count(), 1, "build-test-iso emits what install-tests waits for");

    site.run(&["graph", "rules.tb", "-o", "rules.svg"]).with_code(0);
    assert_eq!(fs::read_to_string(site.path("rules.svg")).unwrap(), svg);
}

#[test]
fn a_condition_that_rules_share_is_drawn_once() {
    let site = Site::new();
    site.write(
        "rules.tb",
        "rule a on koji.build.completed where package.lang == C and package.version like \"1*\" run rpmlint\n\
         rule b on koji.build.completed where package.lang == C run static-analysis\n\
         rule c on koji.build.tagged where package.lang == C run static-analysis\n",
    );
    let (shown, titles) = texts(&site.run(&["graph", "rules.tb"]).with_code(0).stdout);
    assert_eq!(shown.iter().filter(|line| *line == "package.lang == C").count(), 2, "one for each event");
    let shared = titles.iter().find(|title| title.contains("for a at") && title.contains("for b at"));
    assert!(shared.is_some(), "{titles:#?}");

    let (shown, _) = texts(&site.run(&["graph", "rules.tb", "--rule", "c"]).with_code(0).stdout);
    assert!(shown.iter().any(|line| line == "koji.build.tagged"));
    assert!(!shown.iter().any(|line| line == "rpmlint" || line == "koji.build.completed"), "{shown:#?}");
    let ended = site.run(&["graph", "rules.tb", "--rule", "d"]).with_code(2);
    assert!(ended.stderr.contains("no rule d"), "{}", ended.stderr);
}

const HOSTILE: &str = "task odd { package: nvr repository \"https://example.org/</title><script>x</script>\" }\n\
    ## ]]> <b> & \\ \" \u{202e}\n\
    rule odd on koji.build.tagged where tag == \"</text><script>alert('x')</script>&\\\"\" run odd\n";

#[test]
fn nothing_of_a_rule_file_becomes_markup() {
    let site = Site::new();
    site.write("rules.tb", HOSTILE);
    let svg = site.run(&["graph", "rules.tb"]).with_code(0).stdout;
    assert!(!svg.contains("<script") && !svg.contains('\u{202e}'), "{svg}");
    let (shown, titles) = texts(&svg);
    assert!(shown.concat().contains("<script>alert('x')</script>&"), "{shown:#?}");
    assert!(titles.concat().contains("<b> &"), "{titles:#?}");
}

#[test]
fn the_text_for_graphviz_is_of_whole_strings() {
    let site = Site::new();
    site.write("rules.tb", HOSTILE);
    site.run(&["graph", "rules.tb", "-o", "rules.dot"]).with_code(0);
    let dot = fs::read_to_string(site.path("rules.dot")).unwrap();
    assert!(dot.starts_with("digraph rules {") && dot.ends_with("}\n"), "{dot}");
    assert_eq!(site.run(&["graph", "rules.tb", "--format", "dot"]).with_code(0).stdout, dot);
    for line in dot.lines() {
        let mut open = false;
        let mut characters = line.chars();
        while let Some(c) = characters.next() {
            match c {
                '\\' if open => drop(characters.next()),
                '"' => open = !open,
                _ => assert!(open || c != '<', "markup outside of a string: {line}"),
            }
        }
        assert!(!open, "{line}");
    }
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let site = Site::new();
    site.write("wrong.tb", "on koji.build.done run rpmlint\n");
    let ended = site.run(&["graph", "wrong.tb"]).with_code(1);
    assert!(ended.stderr.contains("TB0201") && ended.stdout.is_empty(), "{ended:?}");
    site.write("none.tb", "enum e { a }\n");
    assert!(site.run(&["graph", "none.tb"]).with_code(2).stderr.contains("no rule to draw"));
    site.write("rules.tb", "on koji.build.completed run rpmlint\n");
    let ended = site.run(&["graph", "rules.tb", "-o", "no/such/folder.svg"]).with_code(2);
    assert!(ended.stderr.contains("no/such/folder.svg"), "{}", ended.stderr);
}
