//! Random programs, messages and facts, shared by the tests that compare what the compiler says with what happens.
//!
//! Rules over an event that has every type, and rules on topics as they are; messages most of which have something missing, null, of
//! the wrong type or unknown.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use taskbot_compiler::{Compiled, SourceText, compile};
use taskbot_graph::{Answer, FactKey, Value};

pub const DECLARATIONS: &str = r#"
let letters = ["a", "b"]
let two = 2
let few = (n else 0) < two
let known = has package.owner and package.owner in letters
enum kind { red green "dark blue" }
record part { name: string, size: int?, sort: kind?, identity name }
fact nvr.size: int { key name }
fact nvr.owner: string? { key name }
task one { repository "https://example.org/one" package: nvr, size: int? }
task two { repository "https://example.org/two" parts: part, mode: kind = "red" }
task three { repository "https://example.org/three" mode: kind, n: int, package: nvr? }
event e {
  each package: nvr
  each level: int?
  main: part
  sort: kind?
  n: int?
  f: float
  flag: bool?
  parts: [part]
  names: [string]
  version: evr?
  since: time?
  took: duration?
  dialect second {
    topic "t.second", "t.both"
    where n == 2
    body {
      n: int, ratio: float, things: [{ build: nvr, level: int? }], main: { title: string, size: int? }
      names: [string], parts: [part]
    }
    each t in things
    package = t.build
    level = t.level
    main = { name: main.title, size: main.size }
    n = n
    f = ratio
    parts = parts
    names = names
  }
  dialect first {
    topic "t.first", "t.both"
    where not (has gone)
    body {
      gone: bool?
      n: int?
      ratio: float
      flag: bool?
      sort: kind?
      version: evr?
      since: time?
      took: duration?
      main: part
      builds: [{ nvr: nvr, tag: string? }]
      names: [string]
      parts: [part]
    }
    each b in builds
    package = b.nvr
    main = main
    sort = sort
    n = n
    f = ratio
    flag = flag
    version = version
    since = since
    took = took
    parts = parts
    names = names
  }
}
"#;

fn leaf() -> impl Strategy<Value = String> {
    let op = || prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let eq = || prop::sample::select(vec!["==", "!="]);
    let kind = || prop::sample::select(vec!["red", "green", "\"dark blue\""]);
    let name = || prop::sample::select(vec!["a", "b", "a-b", "kernel"]);
    prop_oneof![
        (eq(), name()).prop_map(|(o, v)| format!("package.name {o} \"{v}\"")),
        (op(), 0..3).prop_map(|(o, v)| format!("package.evr {o} \"{v}.0-1\"")),
        prop::sample::subsequence(vec!["a", "b", "a-b", "x"], 0..4)
            .prop_map(|v| format!("package.name in {v:?}")),
        Just("package.name like \"a*\"".to_owned()),
        (op(), 0..3).prop_map(|(o, v)| format!("(has n and n {o} {v})")),
        (op(), 0..3).prop_map(|(o, v)| format!("(n else 1) {o} {v}")),
        (op(), 0..3).prop_map(|(o, v)| format!("(not has level or level {o} {v})")),
        (op(), 0..3).prop_map(|(o, v)| format!("f {o} {v}")),
        (eq(), kind()).prop_map(|(o, v)| format!("(has sort and sort {o} {v})")),
        Just("(has flag and flag)".to_owned()),
        Just("(flag else true)".to_owned()),
        prop::sample::select(vec![
            "n is null",
            "n is absent",
            "flag is null",
            "has main.size",
            "has level",
            "has sort"
        ])
        .prop_map(str::to_owned),
        (op(), 0..3).prop_map(|(o, v)| format!("(has version and version {o} \"{v}.0\")")),
        name().prop_map(|v| format!("\"{v}\" in names")),
        (prop::sample::select(vec!["any", "all", "none"]), name())
            .prop_map(|(q, v)| format!("({q} p in parts where p.name == \"{v}\")")),
        (prop::sample::select(vec!["any", "all", "none"]), op(), 0..3, kind()).prop_map(
            |(q, o, v, k)| format!(
                "({q} p in parts where has p.size and p.size {o} {v} or (p.sort else red) == {k})"
            )
        ),
        (op(), 0..3).prop_map(|(o, v)| format!("package.size {o} {v}")),
        (op(), 0..3).prop_map(|(o, v)| format!("(package.size else 1) {o} {v}")),
        prop::sample::select(vec!["^a", "-", "(a|b)$", "k.*l", "^[ab]$"])
            .prop_map(|v| format!("package.name matches r\"{v}\"")),
        (op(), 0..3).prop_map(|(o, v)| format!("count(p in parts where has p.size) {o} {v}")),
        (op(), 0..3).prop_map(|(o, v)| format!("count(x in names) {o} {v}")),
        (op(), 1..4).prop_map(|(o, v)| format!("(has since and since {o} \"2024-01-0{v}T00:00:00Z\")")),
        (op(), 0..3).prop_map(|(o, v)| format!("(took else 1s) {o} {v}m")),
        prop::sample::select(vec![
            "few",
            "not few",
            "known",
            "package.name in letters",
            "(has n and n == two)"
        ])
        .prop_map(str::to_owned),
        any::<bool>()
            .prop_map(|any| format!("{}(x in names where x == \"b\")", if any { "any" } else { "none" })),
        name().prop_map(|v| format!("(has package.owner and package.owner == \"{v}\")")),
    ]
}

/// A comparison in a rule on a topic as it is: whatever stands there, it is only ever true or false.
fn raw_leaf() -> impl Strategy<Value = String> {
    let member = || {
        prop::sample::select(vec!["n", "ratio", "flag", "sort", "main.size", "main.name", "names", "gone"])
    };
    let literal = || prop::sample::select(vec!["1", "2", "true", "\"a\"", "\"red\"", "0.5"]);
    prop_oneof![
        (member(), prop::sample::select(vec!["==", "!="]), literal())
            .prop_map(|(m, o, v)| format!("body.{m} {o} {v}")),
        (member(), 0..3).prop_map(|(m, n)| format!("body.{m} >= {n}")),
        member().prop_map(|m| format!("has body.{m}")),
        member().prop_map(|m| format!("body.{m} is null")),
        member().prop_map(|m| format!("(body.{m} else \"a\") like \"[a-r]*\"")),
        member().prop_map(|m| format!("body.{m} matches r\"^[a-f]\"")),
        member().prop_map(|m| format!("body.{m} in [1, 2]")),
        member().prop_map(|m| format!("\"b\" in body.{m}")),
        member().prop_map(|m| format!("count(x in body.{m}) > 1")),
        Just("body.flag".to_owned()),
    ]
}

fn condition(leaf: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|v| format!("({})", v.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|v| format!("({})", v.join(" or "))),
            inner.prop_map(|v| format!("not ({v})")),
        ]
    })
}

fn action() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "one",
        "one(size: n)",
        "two(parts: main)",
        "two(parts: main) for mode in [red, green]",
        "three for mode in [red, \"dark blue\"] for n in [1, 2] except (red, 2), (_, 1)",
        "three(n: package.size) for mode in [green]",
        "one, two(parts: main)",
    ])
    .prop_map(str::to_owned)
}

pub fn program() -> impl Strategy<Value = String> {
    let rules = prop::collection::vec((prop::option::weighted(0.9, condition(leaf())), action()), 1..20);
    let raw = prop::collection::vec(
        (condition(raw_leaf()), prop::sample::select(vec!["t.first", "t.*", "t.other"])),
        0..4,
    );
    (rules, raw).prop_map(|(rules, raw)| {
        let rules = rules.iter().enumerate().map(|(i, (c, a))| match c {
            Some(c) => format!("rule r{i} on e where {c} run {a}\n"),
            None => format!("rule r{i} on e run {a}\n"),
        });
        let raw = raw.iter().enumerate().map(|(i, (c, topic))| {
            format!("rule raw{i} on topic \"{topic}\" where {c} run three(n: {i}) for mode in [red]\n")
        });
        format!("{DECLARATIONS}{}{}", rules.collect::<String>(), raw.collect::<String>())
    })
}

/// A value, or now and then what it should not be.
fn odd(good: impl Strategy<Value = Json> + 'static) -> BoxedStrategy<Option<Json>> {
    prop_oneof![
        12 => good.prop_map(Some),
        2 => Just(None),
        1 => Just(Some(Json::Null)),
        1 => prop::sample::select(vec![json!("zz"), json!(7), json!({}), json!([]), json!([1]), json!(1.5), json!(true)]).prop_map(Some),
    ]
    .boxed()
}

fn object(members: Vec<(&'static str, BoxedStrategy<Option<Json>>)>) -> BoxedStrategy<Json> {
    let (names, values): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    values
        .prop_map(move |values| {
            names
                .iter()
                .zip(values)
                .filter_map(|(n, v)| Some(((*n).to_owned(), v?)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        })
        .boxed()
}

pub fn message() -> impl Strategy<Value = (&'static str, Json)> {
    let text = |options: &'static [&'static str]| prop::sample::select(options).prop_map(|t| json!(t));
    let int = || (0..3).prop_map(|n| json!(n));
    let nvr = move || text(&["a-1.0-1", "b-0.0-1", "a-b-2.0-1", "kernel-1.0-1", "x-1-1"]);
    let kind = move || text(&["red", "green", "dark blue", "pink"]);
    let name = move || text(&["a", "b", "a-b", "kernel"]);
    let part = move || object(vec![("name", odd(name())), ("size", odd(int())), ("sort", odd(kind()))]);
    let list = |of: BoxedStrategy<Option<Json>>| {
        prop::collection::vec(of, 0..4).prop_map(|v| Json::Array(v.into_iter().flatten().collect()))
    };
    let sometimes =
        |of: BoxedStrategy<Json>| prop_oneof![9 => of.clone().prop_map(Some), 1 => odd(of)].boxed();
    let good_part =
        || object(vec![("name", prop::sample::select(vec!["a", "b"]).prop_map(|t| Some(json!(t))).boxed())]);
    let parts =
        move || list(prop_oneof![4 => good_part().prop_map(Some), 1 => sometimes(part())].boxed()).boxed();
    let body = object(vec![
        ("n", odd(int())),
        ("gone", prop_oneof![9 => Just(None), 1 => Just(Some(json!(true)))].boxed()),
        ("ratio", sometimes((0..3).prop_map(|n| json!(f64::from(n) / 2.0)).boxed())),
        ("flag", odd(any::<bool>().prop_map(|b| json!(b)))),
        ("sort", odd(kind())),
        ("version", odd(text(&["0.0", "1.0", "1.0-1", "2.0~rc1", "1:0"]))),
        ("main", sometimes(prop_oneof![2 => good_part(), 1 => object(vec![("title", odd(name())), ("size", odd(int()))]), 1 => part()].boxed())),
        ("builds", sometimes(list(sometimes(object(vec![("nvr", sometimes(nvr().boxed())), ("tag", odd(name()))]))).boxed())),
        ("things", sometimes(list(sometimes(object(vec![("build", sometimes(nvr().boxed())), ("level", odd(int()))]))).boxed())),
        ("parts", sometimes(parts())),
        ("names", sometimes(list(sometimes(name().boxed())).boxed())),
        ("since", odd(text(&["2024-01-01", "2024-01-02T00:00:00Z", "2024-01-03 01:00:00", "soon"]))),
        ("took", odd((0..3).prop_map(|n| json!(n * 60)))),
        ("unread", odd(int())),
    ]);
    (prop::sample::select(vec!["t.first", "t.second", "t.both", "t.other"]), body)
}

pub fn facts() -> impl Strategy<Value = BTreeMap<FactKey, Answer>> {
    let size = prop_oneof![
        (0..3i64).prop_map(|n| Answer::Known(Value::Int(n))),
        Just(Answer::NoSuchKey),
        Just(Answer::NotAsked)
    ];
    let owner = prop_oneof![
        Just(Answer::Known(Value::Text("a".into()))),
        Just(Answer::NoSuchKey),
        Just(Answer::NotAsked)
    ];
    let names = ["a", "b", "a-b", "kernel"];
    (prop::collection::vec(size, 4), prop::collection::vec(owner, 4)).prop_map(move |(sizes, owners)| {
        let key = |fact: &str, name: &str| FactKey { fact: fact.into(), key: name.into() };
        let sizes = names.iter().zip(sizes).map(|(n, a)| (key("nvr.size", n), a));
        let owners = names.iter().zip(owners).map(|(n, a)| (key("nvr.owner", n), a));
        sizes.chain(owners).collect()
    })
}

pub fn program_of(text: &str) -> Compiled {
    let compiled = compile(&[SourceText { path: "random.tb".into(), text: text.to_owned() }], &[]);
    assert_eq!(compiled.diagnostics, [], "{text}");
    compiled
}
