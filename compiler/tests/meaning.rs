//! What single constructs mean, each once found to mean something else.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use serde_json::json;
use taskbot_compiler::{SourceText, compile};
use taskbot_graph::{Answer, FactKey, Graph, Judgement, NoFacts, Note, Value, judge};

fn codes(text: &str) -> Vec<&'static str> {
    let compiled = compile(&[SourceText { path: "t.tb".into(), text: text.into() }], &[]);
    compiled.diagnostics.iter().map(|d| d.code.id).collect()
}

fn graph(text: &str) -> Graph {
    let compiled = compile(&[SourceText { path: "t.tb".into(), text: text.into() }], &[]);
    assert_eq!(compiled.diagnostics, [], "{text}");
    compiled.graph.unwrap()
}

fn judged(text: &str, topic: &str, body: &serde_json::Value) -> Judgement {
    judge(&graph(text), topic, body.to_string().as_bytes(), &NoFacts)
}

fn runs(judgement: &Judgement) -> Vec<String> {
    judgement.runs.iter().map(taskbot_graph::Run::key).collect()
}

/// An event `e` on a topic with these values, body and definitions, and a task `t`.
fn event(values: &str, body: &str, definitions: &str) -> String {
    let task = "task t { repository \"https://example.org/t\" }\n";
    format!("{task}event e {{ {values} dialect d {{ topic \"x.y\" body {{ {body} }} {definitions} }} }}\n")
}

#[test]
fn every_pattern_that_fits_a_topic_is_looked_at() {
    let one = |name: &str, topic: &str| {
        format!(
            "event {name} {{ dialect d {{ topic \"{topic}\" body {{}} }} }}\nrule r-{name} on {name} run t\n"
        )
    };
    let task = "task t { repository \"https://example.org/t\" }\n";
    let text = format!("{task}{}{}{}", one("a", "x.*.c"), one("b", "x.b.*"), one("c", "x.#"));
    let judgement = judged(&text, "x.b.c", &json!({}));
    assert_eq!(judgement.events, ["a", "b", "c"]);
    assert_eq!(judgement.runs.first().map(|r| r.asks.len()), Some(3));
}

#[test]
fn a_set_of_versions_keeps_all_its_members() {
    for set in ["[\"1-1\", \"1\"]", "[\"1\", \"1-1\"]"] {
        let text = format!("on koji.build.completed where package.evr in {set} run rpmlint\n");
        let body = json!({"new": 1, "name": "a", "version": "1", "release": "5"});
        assert_eq!(judged(&text, "buildsys.build.state.change", &body).runs.len(), 1, "{set}");
    }
}

#[test]
fn a_hostile_message_costs_a_bounded_number_of_steps() {
    let text = event("a: [string] b: [string]", "a: [string], b: [string]", "a = a b = b");
    let text = format!("{text}rule slow on e where (any x in a where x in b) run t\nrule quick on e run t\n");
    let many = |letter: &str| (0..40_000).map(|n| format!("{letter}{n}")).collect::<Vec<_>>();
    let judgement = judged(&text, "x.y", &json!({"a": many("a"), "b": many("b")}));
    assert_eq!(judgement.refused.first().and_then(|r| r.rule.as_deref()), Some("slow"));
    assert_eq!(judgement.runs.first().map(|r| r.asks.len()), Some(1), "the other rule runs");
}

#[test]
fn what_long_texts_cost_is_counted() {
    let text = event("a: [string] b: string", "a: [string], b: string", "a = a b = b");
    let compared = "rule slow on e where (all x in a where (all y in a where x == y)) and b == \"\" run t";
    let judgement = judged(
        &format!("{text}{compared}\nrule quick on e run t\n"),
        "x.y",
        &json!({"a": vec!["x".repeat(20_000); 400], "b": "-"}),
    );
    assert_eq!(judgement.refused, [], "the second part decides");
    let compared = compared.replace("b == \"\"", "b == \"-\"");
    let judgement = judged(
        &format!("{text}{compared}\nrule quick on e run t\n"),
        "x.y",
        &json!({"a": vec!["x".repeat(20_000); 400], "b": "-"}),
    );
    assert_eq!(judgement.refused.first().and_then(|r| r.rule.as_deref()), Some("slow"));
    let glob = format!("rule slow on e where b like \"*{}b*\" run t", "a".repeat(2_000));
    let judgement = judged(&format!("{text}{glob}\n"), "x.y", &json!({"a": [], "b": "a".repeat(1_000_000)}));
    assert_eq!(judgement.refused.first().and_then(|r| r.rule.as_deref()), Some("slow"));
    assert_eq!(judgement.runs, []);
}

#[test]
fn what_is_copied_for_each_subject_is_counted() {
    let text = event(
        "a: [string] each s: string",
        "a: [string], rows: [{ s: string }]",
        "each r in rows a = a s = r.s",
    );
    let rows = |count: usize| (0..count).map(|n| json!({"s": format!("s{n}")})).collect::<Vec<_>>();
    let ask = |what: &str, subjects: usize| {
        let body = json!({"a": vec!["x"; 10_000], "rows": rows(subjects)});
        judged(
            &format!("{text}rule slow on e where s != \"\" run t {what}\nrule quick on e run t\n"),
            "x.y",
            &body,
        )
    };
    for what in ["once per a within 1h", "after 1h quiet per a"] {
        assert_eq!(ask(what, 20).refused, [], "{what}");
        let judgement = ask(what, 2_000);
        let refused = judgement.refused.first().unwrap();
        assert_eq!(refused.rule.as_deref(), Some("slow"), "{what}");
        assert!(refused.reason.contains("steps"), "{}", refused.reason);
    }
}

#[test]
fn a_regular_expression_costs_its_states() {
    let text = event("a: string", "a: string", "a = a");
    let judge = |pattern: &str, length: usize| {
        let rule = format!("{text}rule slow on e where a matches r\"{pattern}\" run t\n");
        judged(&rule, "x.y", &json!({"a": "a".repeat(length)})).refused.len()
    };
    let large = "[az]*a[az]{2000}[^az]";
    assert_eq!((judge(large, 1_000), judge("a[^az]", 900_000), judge(large, 900_000)), (0, 0, 1));
}

#[test]
fn every_value_that_an_enum_does_not_list_is_noted_once() {
    let text = event("c: [colour]", "c: [colour]", "c = c");
    let text = format!("enum colour {{ red, green }}\n{text}on e where any(x in c where x == red) run t\n");
    let unknown: Vec<String> = (0..20_000).map(|n| format!("c{}", n % 10_000)).collect();
    let judgement = judged(&text, "x.y", &json!({"c": unknown}));
    assert_eq!(judgement.notes.len(), 10_000);
}

#[test]
fn a_text_that_repeats_a_piece_leads_to_its_rules_once() {
    let text = event("a: string", "a: string", "a = a");
    let rules: String =
        (0..64).map(|n| format!("rule r{n} on e where a like \"*ddddddddd{n}*\" run t\n")).collect();
    let judgement =
        judged(&format!("{text}{rules}"), "x.y", &json!({"a": format!("{}7", "d".repeat(20_000))}));
    assert_eq!(judgement.runs.first().map(|run| run.asks.len()), Some(1));
}

#[test]
fn a_matrix_over_long_lists_is_bounded_whatever_it_excludes() {
    let task = "task t { repository \"https://example.org/t\" x: string y: string }\n";
    let declared = event("a: [string] b: [string]", "a: [string], b: [string]", "a = a b = b");
    let declared = declared.lines().skip(1).collect::<Vec<_>>().join("\n");
    let text = format!("{task}{declared}\non e run t for x in a for y in b except (\"x\", _)\n");
    let judgement = judged(&text, "x.y", &json!({"a": vec!["x"; 30_000], "b": vec!["y"; 30_000]}));
    assert!(judgement.runs.is_empty());
    assert!(judgement.refused.first().is_some_and(|r| r.reason.contains("runs")), "{:?}", judgement.refused);
}

#[test]
fn a_guard_on_a_list_says_nothing_of_its_elements() {
    let body = "xs: [{ f: string? }]";
    let text = event("n: [string]", body, "where has xs.f n = xs.f");
    assert_eq!(codes(&text), ["TB0504"]);
    let text =
        format!("{}on e where \"q\" in (n else [\"\"]) run t\n", event("n: [string]?", body, "n = xs.f"));
    let judgement = judged(&text, "x.y", &json!({"xs": [{"f": "q"}, {}]}));
    assert_eq!(runs(&judgement), ["t()"]);
}

#[test]
fn what_is_judged_once_cannot_read_a_subject() {
    let body = "xs: [{ x: int }]";
    assert_eq!(codes(&event("each n: int", body, "each b in xs where b.x == 1 n = b.x")), ["TB0206"]);
    assert_eq!(
        codes(&event("each n: int", body, "each b in xs n = b.x happening b.x within 1h")),
        ["TB0206"]
    );
}

#[test]
fn a_default_takes_the_place_of_what_is_absent() {
    let declared = event("n: string?", "n: string?", "n = n");
    let declared = declared.replace("/t\" }", "/t\" n: string = \"none\" k: [int] = [1, 2] }");
    let text = format!("{declared}on e run t\n");
    assert_eq!(runs(&judged(&text, "x.y", &json!({}))), [r#"t(n: "none", k: "[\"1\",\"2\"]")"#]);
    assert_eq!(codes("task t { repository \"/t\" k: int = \"x\" }"), ["TB0301"]);
}

#[test]
fn what_is_excluded_must_be_there_to_exclude() {
    let of = |except: &str| {
        format!("on koji.build.completed run upgrade-tests for config in [X, Y] except ({except})\n")
    };
    assert_eq!(codes(&of("X")), Vec::<&str>::new());
    assert_eq!(codes(&of("Z")), ["TB0403"]);
    let of_arch = |except: &str| {
        format!("on koji.build.completed run kernel-tests for arch in package.arches except ({except})\n")
    };
    assert_eq!(codes(&of_arch("1")), ["TB0301"]);
    assert_eq!(codes(&of_arch("s390x")), Vec::<&str>::new());
}

#[test]
fn what_is_given_twice_is_said() {
    assert_eq!(
        codes("on koji.build.completed run rpmlint(package: package, package: package)\n"),
        ["TB0208"]
    );
    assert_eq!(codes(&event("n: int", "n: int", "n = n n = n")), ["TB0208"]);
    assert_eq!(codes("task t { repository \"/t\" n: int n: string }"), ["TB0208"]);
    assert_eq!(
        codes(&event("p: nvr", "a: string", "p = nvr(name: a, version: a, release: a, epoch: a)")),
        ["TB0207"]
    );
}

#[test]
fn lists_as_arguments_have_texts_of_their_own() {
    let declared = event("l: [nvr]", "l: [nvr]", "l = l").replace("/t\" }", "/t\" l: [nvr] }");
    let text = format!("{declared}on e run t\n");
    let one = runs(&judged(&text, "x.y", &json!({"l": ["a-1-1,b-2-2"]})));
    let two = runs(&judged(&text, "x.y", &json!({"l": ["a-1-1", "b-2-2"]})));
    assert_ne!(one, two);
}

#[test]
fn a_value_that_a_provider_invents_is_noted_and_equal_to_none() {
    let graph = graph("on koji.build.completed where package.lang != C run static-analysis\n");
    let key = FactKey { fact: "nvr.lang".into(), key: "a".into() };
    let facts = BTreeMap::from([(key, Answer::Known(Value::Text("Zig".into())))]);
    let body = json!({"new": 1, "name": "a", "version": "1", "release": "5"}).to_string();
    let judgement = judge(&graph, "buildsys.build.state.change", body.as_bytes(), &facts);
    assert_eq!(judgement.runs.len(), 1);
    assert_eq!(judgement.notes, [Note::UnknownEnumValue { name: "language".into(), value: "Zig".into() }]);
}

#[test]
fn what_is_executed_is_static_and_no_option() {
    assert_eq!(codes("on koji.build.completed run package.name"), ["TB0309"]);
    assert_eq!(codes("task t { repository package.url }"), ["TB0309"]);
    let at =
        |reference: &str| codes(&format!("task t {{ repository \"https://x.org/t\" at \"{reference}\" }}"));
    for refused in ["--upload-pack=sh", "a b", "main~1", "a..b", "", "*"] {
        assert_eq!(at(refused), ["TB0408"], "{refused:?}");
    }
    assert_eq!(at("release/2.1"), [""; 0]);
}
