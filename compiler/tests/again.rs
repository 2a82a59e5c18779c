//! Compiling again gives what compiling for the first time gives, whatever was edited between.
#![expect(clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;
use proptest::sample::Index;
use taskbot_compiler::{Compiled, Compiler, Domains, SourceText, compile, findings};

/// Items that rules build on, and rules of every kind; `N` is a number.
const ITEMS: [&str; 16] = [
    "rule rN on koji.build.completed where package.name == \"pN\" run rpmlint\n",
    "rule rN on bodhi.update.testing where package.name in [\"a\", \"bN\"] and package.lang == C run depcheck\n",
    "## Documented.\nrule rN on bodhi.update.testing where has package and package.name like \"N*\" run rpmlint # why\n",
    "rule rN on topic \"a.bN.c\" where body.x == N and has body.y run tN(n: body.n else \"\")\n",
    "rule rN on topic \"a.*.c\" where body.x in chosen or body.y matches r\"^N\" run t1(n: \"x\")\n",
    "rule rN on koji.build.completed where package.name in chosen and critical run rpmlint limit N in group g\n",
    "on koji.build.completed where critical run rpmlint once per package.name within 2h\n",
    "rule rN on koji.build.completed where package.nane == \"wrong\" run rpmlint\n",
    "rule rN on koji.build.completed where run rpmlint\n",
    "let chosen = [\"x\", \"yN\"]\n",
    "let critical = package.name like \"N-*\"\n",
    "task t1 { n: string repository \"https://example.org/t.git\" }\n",
    "task t2 { n: string = \"N\" repository \"https://example.org/t2.git\" }\n",
    "enum colour { red greenN }\n",
    "fact nvr.ownerN: string { key name }\n",
    "test \"shows N\" given koji.build.completed { n: N } expect nothing\n",
];

/// An item of a program, by numbers.
fn item((which, number): (usize, u8)) -> String {
    ITEMS[which % ITEMS.len()].replace('N', &(number % 4).to_string())
}

/// Compiles again and anew, and compares all that comes of it. The lints read what is not public: trees, parts, lets.
fn agree(compiler: &mut Compiler, sources: &[SourceText]) {
    let (again, fresh) = (compiler.compile(sources, &[]), compile(sources, &[]));
    let same = |what: &str, same: bool| assert!(same, "other {what} when compiled again: {sources:#?}");
    assert_eq!(again.diagnostics, fresh.diagnostics, "{sources:#?}");
    same("files", again.files == fresh.files && again.rules == fresh.rules);
    same("program", again.program == fresh.program);
    same("graph", again.graph == fresh.graph);
    let bytes = |compiled: &Compiled| compiled.graph.as_ref().map(taskbot_graph::Graph::to_bytes);
    same("artifact", bytes(again) == bytes(&fresh));
    let domains = Domains::default();
    same("findings", findings(again, &domains) == findings(&fresh, &domains));
}

/// A change of a program of files of items.
#[derive(Clone, Debug)]
enum Edit {
    Change(Index, (usize, u8)),
    Add(Index, (usize, u8)),
    Remove(Index),
    Move(Index, Index),
    AddFile,
    RemoveFile(Index),
    Type(Index, String),
}

fn edit() -> impl Strategy<Value = Edit> {
    let item = || (0..ITEMS.len(), any::<u8>());
    prop_oneof![
        4 => (any::<Index>(), item()).prop_map(|(at, item)| Edit::Change(at, item)),
        4 => (any::<Index>(), item()).prop_map(|(at, item)| Edit::Add(at, item)),
        3 => any::<Index>().prop_map(Edit::Remove),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Edit::Move(from, to)),
        1 => Just(Edit::AddFile),
        1 => any::<Index>().prop_map(Edit::RemoveFile),
        2 => (any::<Index>(), "[(\"#\n x]{1,2}").prop_map(|(at, text)| Edit::Type(at, text)),
    ]
}

fn apply(files: &mut Vec<Vec<String>>, edit: Edit) {
    let places: Vec<(usize, usize)> = files
        .iter()
        .enumerate()
        .flat_map(|(file, items)| (0..items.len()).map(move |at| (file, at)))
        .collect();
    let place = |at: &Index| if places.is_empty() { None } else { Some(places[at.index(places.len())]) };
    match edit {
        Edit::AddFile => files.push(vec![item((0, 3)), item((4, 1))]),
        Edit::RemoveFile(at) if files.len() > 1 => drop(files.remove(at.index(files.len()))),
        Edit::RemoveFile(_) => {}
        Edit::Add(at, new) => match place(&at) {
            Some((file, at)) => files[file].insert(at, item(new)),
            None => files.push(vec![item(new)]),
        },
        Edit::Change(at, new) => {
            if let Some((file, at)) = place(&at) {
                files[file][at] = item(new);
            }
        }
        Edit::Remove(at) => {
            if let Some((file, at)) = place(&at) {
                files[file].remove(at);
            }
        }
        Edit::Move(from, to) => {
            if let (Some((from, at)), Some((to, _))) = (place(&from), place(&to)) {
                let moved = files[from].remove(at);
                files[to].push(moved);
            }
        }
        Edit::Type(at, text) => {
            if let Some((file, at)) = place(&at) {
                let middle = files[file][at].len() / 2;
                files[file][at].insert_str(middle, &text);
            }
        }
    }
}

fn sources(files: &[Vec<String>]) -> Vec<SourceText> {
    let named = files.iter().enumerate();
    named.map(|(at, items)| SourceText { path: format!("f{at}.tb"), text: items.concat() }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_random_edits(
        first in proptest::collection::vec(proptest::collection::vec((0..ITEMS.len(), any::<u8>()), 0..12), 1..3),
        edits in proptest::collection::vec(edit(), 1..8),
    ) {
        let mut files: Vec<Vec<String>> =
            first.into_iter().map(|items| items.into_iter().map(item).collect()).collect();
        let mut compiler = Compiler::default();
        agree(&mut compiler, &sources(&files));
        for edit in edits {
            apply(&mut files, edit);
            agree(&mut compiler, &sources(&files));
        }
    }
}

#[test]
fn a_right_program_is_compiled_again_as_it_moves() {
    let declarations: String = [9, 10, 11, 13].map(|which| item((which, 1))).concat();
    let rules = |numbers: std::ops::Range<usize>| -> String {
        let condition = "package.name in chosen and critical and package.name";
        let rule =
            |n| format!("rule s{n} on koji.build.completed where {condition} != \"p{n}\" run rpmlint\n");
        numbers.map(rule).collect()
    };
    let mut compiler = Compiler::default();
    for text in [
        format!("{declarations}{}", rules(0..20)),
        format!("{declarations}{}", rules(1..20)),
        format!("{declarations}\n\n{}", rules(1..25)),
        format!("\n{declarations}{}", rules(0..25)),
        format!("{}{declarations}{}", rules(0..5), rules(5..25)),
        format!("{}{declarations}{}", rules(0..5), rules(5..25)).replace("p7", "q"),
    ] {
        let sources = [SourceText { path: "rules.tb".into(), text }];
        agree(&mut compiler, &sources);
        assert!(compiler.compile(&sources, &[]).graph.is_some());
    }
}

/// A rule that is right, by numbers: few values, so that rules share parts, and a change makes, drops or takes what others need.
fn right(at: usize, (form, one, other): (u8, u8, u8)) -> String {
    let part = |n: u8| match n % 8 {
        0 => "package.name == \"a\"".to_owned(),
        1 => format!("package.name in [\"a\", \"b{}\"]", n / 8 % 3),
        2 => "package.lang == C".to_owned(),
        3 => "not (package.name like \"x*\")".to_owned(),
        4 => format!("package.evr >= \"{}.0-1\"", n / 8 % 2),
        5 => "(package.name == \"a\" or package.lang == C)".to_owned(),
        6 => "(package.name like \"x*\" or package.evr >= \"1.0-1\")".to_owned(),
        _ => "package.version matches r\"^1\"".to_owned(),
    };
    let (one, other) = (part(one), part(other));
    let doc = if form % 5 == 0 { "## Why.\n" } else { "" };
    match form % 7 {
        0 => format!("{doc}rule r{at} on koji.build.completed where {one} run rpmlint\n"),
        1 => format!("{doc}rule r{at} on koji.build.completed where {one} and {other} run rpmlint\n"),
        2 => format!(
            "{doc}rule r{at} on koji.build.completed where {one} or {other} run rpmlint once per package.name within 2h\n"
        ),
        3 => format!(
            "{doc}rule r{at} on bodhi.update.testing where {one} and ({other} or {one}) run depcheck\n"
        ),
        4 => format!(
            "{doc}rule r{at} on bodhi.update.testing where {other} run rpmlint superseding per package.name\n"
        ),
        5 => format!(
            "{doc}rule r{at} on topic \"a.b{}.c\" where body.x == 1 run echo(n: body.y else \"n\")\n",
            form / 7 % 2
        ),
        _ => format!(
            "{doc}rule r{at} on koji.build.completed where {one} and {other} run echo(n: package.name)\n"
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, failure_persistence: None, ..ProptestConfig::default() })]

    /// Such a program is lowered every time, so nearly all of it is kept from before.
    #[test]
    fn a_right_program_after_random_edits(
        first in proptest::collection::vec((0..6_u8, any::<u8>(), any::<u8>()), 1..16),
        edits in proptest::collection::vec(
            (any::<Index>(), 0..3_usize, proptest::collection::vec(any::<(u8, u8, u8)>(), 0..3)), 1..8
        ),
    ) {
        let mut next = first.len();
        let mut rules: Vec<String> = first.into_iter().enumerate().map(|(at, of)| right(at, of)).collect();
        let mut compiler = Compiler::default();
        for (at, removed, added) in edits {
            let from = at.index(rules.len() + 1);
            let to = rules.len().min(from + removed);
            let added: Vec<String> = added.into_iter().zip(next..).map(|(of, at)| right(at, of)).collect();
            next += added.len();
            rules.splice(from..to, added);
            let text = format!("task echo {{ n: string repository \"https://example.org/e.git\" }}\n{}", rules.concat());
            let sources = [SourceText { path: "rules.tb".into(), text }];
            agree(&mut compiler, &sources);
            prop_assert!(compiler.compile(&sources, &[]).graph.is_some(), "{:?}", compiler.compile(&sources, &[]).diagnostics);
        }
    }
}
