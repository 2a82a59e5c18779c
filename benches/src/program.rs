//! The text of a program in the language.
//!
//! Comes in: rules and topics. Goes out: one .tb file: tasks, an event for each topic and pattern that a rule waits for, the rules.
//! An event's values are named after their paths (`build-owner` is `build.owner`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::rule::{Condition, Literal, On, Rule, SubjectTest, Test};
use crate::shape::{ELEMENT, Kind, Presence, Slot, Topics, shape_of};

/// Tasks that rules run.
const TASKS: usize = 8;

/// Writes the program.
pub fn text(topics: &Topics, rules: &[Rule]) -> String {
    let mut out = String::from("record element {\n");
    for slot in ELEMENT {
        let _ = writeln!(out, "  {}: {}", slot.value_name(), type_name(slot.kind));
    }
    out.push_str("}\n\nfact nvr.dependants: int? { key name }\n\n");
    for task in 0..TASKS {
        let _ = writeln!(
            out,
            "task check-{task} {{ agent: string, repository \"https://tasks.example.org/check-{task}.git\" }}"
        );
    }
    let events: BTreeSet<On> = rules.iter().map(|rule| rule.on).collect();
    for on in events {
        event(&mut out, topics, on);
    }
    out.push('\n');
    for rule in rules {
        write_rule(&mut out, topics, rule);
    }
    out
}

/// The topics that a rule's event covers.
pub fn covered(topics: &Topics, on: On) -> Vec<usize> {
    let pattern = |patterns: &[(String, Vec<usize>)], at: usize| {
        patterns.get(at).map_or(Vec::new(), |(_, of)| of.clone())
    };
    match on {
        On::Topic(at) | On::Raw(at) | On::Subjects(at) => vec![at],
        On::Star(at) => pattern(&topics.stars, at),
        On::Hash(at) => pattern(&topics.hashes, at),
    }
}

fn event_name(on: On) -> String {
    match on {
        On::Topic(at) | On::Raw(at) => format!("bench.t{at}"),
        On::Subjects(at) => format!("bench.s{at}"),
        On::Star(at) => format!("bench.star{at}"),
        On::Hash(at) => format!("bench.hash{at}"),
    }
}

fn pattern_text(topics: &Topics, on: On) -> &str {
    let text = match on {
        On::Topic(at) | On::Raw(at) | On::Subjects(at) => topics.names.get(at),
        On::Star(at) => topics.stars.get(at).map(|(text, _)| text),
        On::Hash(at) => topics.hashes.get(at).map(|(text, _)| text),
    };
    text.map_or("", String::as_str)
}

/// Whether an event covers topics of several shapes, so that all but the common values are optional.
fn spans_shapes(topics: &Topics, on: On) -> bool {
    let covered = covered(topics, on);
    covered.iter().any(|at| covered.first().is_some_and(|first| shape_of(*at) != shape_of(*first)))
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Name | Kind::User | Kind::Choice(_) | Kind::Url | Kind::Note => "string",
        Kind::Id | Kind::Small => "int",
        Kind::Flag => "bool",
        Kind::Tags => "[string]",
        Kind::Packages => "[element]",
        Kind::Builds => "[nvr]",
    }
}

/// Members of a body's shape by name.
#[derive(Default)]
struct Members(BTreeMap<&'static str, Member>);

enum Member {
    Leaf(Kind, Presence),
    Object(Members),
}

impl Members {
    fn add(&mut self, path: &[&'static str], kind: Kind, presence: Presence) {
        match path {
            [] => {}
            [last] => drop(self.0.insert(last, Member::Leaf(kind, presence))),
            [first, rest @ ..] => {
                let below = self.0.entry(first).or_insert_with(|| Member::Object(Self::default()));
                if let Member::Object(members) = below {
                    members.add(rest, kind, presence);
                }
            }
        }
    }

    fn optional(&self) -> bool {
        self.0.values().all(|member| match member {
            Member::Leaf(_, presence) => *presence == Presence::Sometimes,
            Member::Object(members) => members.optional(),
        })
    }

    fn write(&self, out: &mut String) {
        out.push('{');
        for (at, (name, member)) in self.0.iter().enumerate() {
            let _ = write!(out, "{}{name}: ", if at == 0 { " " } else { ", " });
            let mark = match member {
                Member::Leaf(kind, presence) => {
                    out.push_str(type_name(*kind));
                    *presence == Presence::Sometimes
                }
                Member::Object(members) => {
                    members.write(out);
                    members.optional()
                }
            };
            out.push_str(if mark { "?" } else { "" });
        }
        out.push_str(" }");
    }
}

/// The values of an event, each path once.
fn slots(topics: &Topics, on: On) -> Vec<Slot> {
    let spans = spans_shapes(topics, on);
    let mut found: Vec<Slot> = Vec::new();
    for slot in covered(topics, on).into_iter().flat_map(|topic| shape_of(topic).iter()) {
        let common = slot.path == ["agent"];
        let presence = if spans && !common { Presence::Sometimes } else { slot.presence };
        if !found.iter().any(|known| known.path == slot.path) {
            found.push(Slot { presence, ..*slot });
        }
    }
    found
}

fn event(out: &mut String, topics: &Topics, on: On) {
    if matches!(on, On::Raw(_)) {
        return;
    }
    let _ = writeln!(out, "\nevent {} {{", event_name(on));
    let slots = slots(topics, on);
    let subjects = slots.iter().find(|slot| slot.kind == Kind::Builds && matches!(on, On::Subjects(_)));
    if subjects.is_some() {
        out.push_str("  each package: nvr\n");
    }
    let (mut members, mut values) = (Members::default(), String::new());
    for slot in &slots {
        let mark = if slot.presence == Presence::Sometimes { "?" } else { "" };
        members.add(slot.path, slot.kind, slot.presence);
        if slot.kind != Kind::Builds {
            let _ = writeln!(out, "  {}: {}{mark}", slot.value_name(), type_name(slot.kind));
            let _ = writeln!(values, "    {} = {}", slot.value_name(), slot.path.join("."));
        }
    }
    let _ = write!(out, "  dialect site {{\n    topic \"{}\"\n    body ", pattern_text(topics, on));
    members.write(out);
    out.push('\n');
    if let Some(list) = subjects {
        let _ = writeln!(out, "    each one in {}\n    package = one", list.path.join("."));
    }
    let _ = writeln!(out, "{values}  }}\n}}");
}

fn write_rule(out: &mut String, topics: &Topics, rule: &Rule) {
    let writer = Writer { raw: matches!(rule.on, On::Raw(_)), spans: spans_shapes(topics, rule.on) };
    let _ = match rule.on {
        On::Raw(_) => {
            write!(out, "rule {} on topic \"{}\" where ", rule.name(), pattern_text(topics, rule.on))
        }
        _ => write!(out, "rule {} on {} where ", rule.name(), event_name(rule.on)),
    };
    for (at, condition) in rule.conditions.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { " and " });
        writer.condition(out, condition);
    }
    let task = rule.number.checked_rem(TASKS).unwrap_or_default();
    let argument = if writer.raw { "(agent: \"bus\")" } else { "" };
    let _ = writeln!(out, " run check-{task}{argument}");
}

/// How the values of a rule's event are named and guarded.
struct Writer {
    raw: bool,
    spans: bool,
}

impl Writer {
    fn name(&self, slot: &Slot) -> String {
        if self.raw { format!("body.{}", slot.path.join(".")) } else { slot.value_name() }
    }

    fn guard(&self, out: &mut String, slot: &Slot) {
        let missing = slot.presence == Presence::Sometimes || self.spans && slot.path != ["agent"];
        if self.raw || missing {
            let _ = write!(out, "has {} and ", self.name(slot));
        }
    }

    fn condition(&self, out: &mut String, condition: &Condition) {
        match condition {
            Condition::Value(slot, Test::Has) => {
                let _ = write!(out, "has {}", self.name(slot));
            }
            Condition::Value(slot, test) => {
                self.guard(out, slot);
                write_test(out, &self.name(slot), test);
            }
            Condition::Any(list, tests) => {
                self.guard(out, list);
                let _ = write!(out, "any(e in {} where ", self.name(list));
                for (at, (slot, test)) in tests.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { " and " });
                    let name = slot.map_or("e".to_owned(), |slot| format!("e.{}", slot.path.join(".")));
                    write_test(out, &name, test);
                }
                out.push(')');
            }
            Condition::Or(parts) => {
                out.push('(');
                for (at, part) in parts.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { " or " });
                    self.condition(out, part);
                }
                out.push(')');
            }
            Condition::Subject(SubjectTest::Name(test)) => write_test(out, "package.name", test),
            Condition::Subject(SubjectTest::Older(version, dist)) => {
                let [a, b, c, r] = version;
                let _ = write!(out, "package.evr < \"{a}.{b}.{c}-{r}.{dist}\"");
            }
            Condition::Subject(SubjectTest::Dependants(least)) => {
                let _ = write!(out, "(package.dependants else 0) > {least}");
            }
        }
    }
}

fn write_test(out: &mut String, name: &str, test: &Test) {
    let _ = match test {
        Test::Has => write!(out, "has {name}"),
        Test::Is(literal) => write!(out, "{name} == {}", literal_text(literal)),
        Test::IsNot(literal) => write!(out, "{name} != {}", literal_text(literal)),
        Test::In(texts) => write!(out, "{name} in [\"{}\"]", texts.join("\", \"")),
        Test::Within(low, high) => write!(out, "{name} >= {low} and {name} < {high}"),
        Test::AtLeast(low) => write!(out, "{name} >= {low}"),
        Test::Below(high) => write!(out, "{name} < {high}"),
        Test::Prefix(text) => write!(out, "{name} like \"{text}*\""),
        Test::Suffix(text) => write!(out, "{name} like \"*{text}\""),
        Test::Glob(text) => write!(out, "{name} like \"{text}\""),
        Test::Matches(text) => write!(out, "{name} matches r\"{text}\""),
        Test::Not(test) => {
            out.push_str("not (");
            write_test(out, name, test);
            write!(out, ")")
        }
    };
}

fn literal_text(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) => format!("\"{text}\""),
        Literal::Number(number) => number.to_string(),
        Literal::Flag(flag) => flag.to_string(),
    }
}
