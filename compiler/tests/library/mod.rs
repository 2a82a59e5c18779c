//! The standard library as the tests look at it: its trees, and a rule for every event that reads every value.

pub mod page;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};
use taskbot_compiler::{Program, SourceText, compile};
use taskbot_grammar as tree;
use taskbot_graph::{Graph, NoFacts, Note, judge};

/// A module with its tree.
pub struct Module {
    pub name: &'static str,
    pub text: &'static str,
    pub tree: tree::File,
}

/// All modules, compiled together with the probes.
pub struct Library {
    pub modules: Vec<Module>,
    pub program: Program,
    graph: Graph,
}

/// What a message is to an event whose topic it has.
pub enum Meaning {
    /// It is the event. The values that can be read, for each subject; the reason, if some can't.
    Typed { subjects: Json, unreadable: String },
    /// A condition of the event says that it is another one.
    Other,
    /// It has not the event's shape.
    Quarantined(String),
}

/// Counted messages of one event.
#[derive(Default)]
pub struct Count {
    pub messages: usize,
    pub typed: usize,
    pub other: usize,
    /// Why messages were quarantined, and how many.
    pub reasons: BTreeMap<String, usize>,
    /// Which values could not be read though the message was typed.
    pub unreadable: BTreeMap<String, usize>,
}

/// Counted messages.
#[derive(Default)]
pub struct Counts {
    pub events: BTreeMap<String, Count>,
    pub messages: usize,
    /// Messages that at least one event is made of.
    pub typed: usize,
    /// Messages on the topic of some event.
    pub covered: usize,
    /// Values that no enum of the library lists, as `ENUM VALUE`.
    pub unlisted: BTreeSet<String>,
}

impl Module {
    /// Its events.
    pub fn events(&self) -> impl Iterator<Item = (&tree::Item, &tree::Event)> {
        self.tree.items.iter().filter_map(|item| match &item.kind {
            tree::ItemKind::Event(event) => Some((item, event)),
            _ => None,
        })
    }
}

impl Library {
    pub fn load() -> Self {
        let read = |(name, text): &(&'static str, &'static str)| {
            let (tree, errors) = tree::parse(text);
            assert_eq!(errors, [], "{name}.tb");
            Module { name, text, tree }
        };
        let modules: Vec<Module> = taskbot_stdlib::modules().iter().map(read).collect();
        let mut probes = String::new();
        let events = modules.iter().flat_map(|m| m.events().map(move |(_, e)| (m, e)));
        for (at, (module, event)) in events.enumerate() {
            let inputs = event.values.iter().map(|value| {
                let ty = value.ty.span.of(module.text).trim_end_matches('?');
                format!("  {}: {ty}?\n", value.name.text)
            });
            let inputs: String = inputs.collect();
            probes.push_str(&format!(
                "task probe-{at} {{\n{inputs}  repository \"https://example.org/probe\"\n}}\n\
                 rule probe-{at} on {} run probe-{at} at most 9 per 1d may loop\n",
                event.name.text
            ));
        }
        let compiled = compile(&[SourceText { path: "probes.tb".into(), text: probes }], &[]);
        assert_eq!(compiled.diagnostics, []);
        Self { modules, program: compiled.program, graph: compiled.graph.unwrap() }
    }

    /// Names of the events that a topic may be, in order of declaration.
    pub fn events_of(&self, topic: &str) -> Vec<String> {
        let covers = |pattern: &str| {
            let (mut words, mut parts) = (topic.split('.'), pattern.split('.'));
            loop {
                match (parts.next(), words.next()) {
                    (Some("#"), _) | (None, None) => return true,
                    (Some(part), Some(word)) if part == "*" || part == word => {}
                    _ => return false,
                }
            }
        };
        let events = self.program.events.iter();
        let named = events.filter(|e| e.dialects.iter().any(|d| d.topics.iter().any(|t| covers(t))));
        named.map(|event| event.name.clone()).collect()
    }

    /// What a message is to each event whose topic it has.
    pub fn mean(&self, topic: &str, body: &[u8]) -> Vec<(String, Meaning)> {
        let judgement = judge(&self.graph, topic, body, &NoFacts);
        let meaning = |event: &String| {
            let refusal = |of_rule: bool| {
                let mut all = judgement.refused.iter().filter(|r| r.event == *event);
                all.find(|r| r.rule.is_some() == of_rule).map(|r| r.reason.clone())
            };
            if let Some(reason) = refusal(false) {
                return Meaning::Quarantined(reason);
            }
            if !judgement.events.contains(event) {
                return Meaning::Other;
            }
            let probe = self.graph.rules.iter().find(|rule| {
                self.graph.events[rule.event as usize].name == *event && rule.name.starts_with("probe-")
            });
            let rule = &probe.unwrap().name;
            let runs = judgement.runs.iter().filter(|run| run.task == *rule);
            let subjects = runs.map(|run| {
                let values = run.arguments.iter().filter(|a| !a.json.is_null());
                values.map(|a| (a.name.clone(), a.json.clone())).collect::<Map<_, _>>().into()
            });
            Meaning::Typed {
                subjects: subjects.collect::<Vec<Json>>().into(),
                unreadable: refusal(true).unwrap_or_default(),
            }
        };
        self.events_of(topic).into_iter().map(|event| (event.clone(), meaning(&event))).collect()
    }

    /// Every event with each of its values.
    pub fn values(&self) -> Vec<(String, String)> {
        let events = self.program.events.iter();
        events.flat_map(|e| e.values.iter().map(|v| (e.name.clone(), v.name.clone()))).collect()
    }

    /// What has no `##` line and does not explain itself by its name and type.
    pub fn undocumented(&self) -> Vec<String> {
        let mut found = Vec::new();
        for module in &self.modules {
            let mut want = |name: String, doc: &str| {
                if doc.is_empty() {
                    found.push(format!("{}.tb: {name}", module.name));
                }
            };
            let named_as_type = |name: &str, ty: &tree::TypeExpr| {
                let ty = ty.span.of(module.text).trim_end_matches('?');
                ty.ends_with(name)
            };
            for item in &module.tree.items {
                match &item.kind {
                    tree::ItemKind::Event(event) => {
                        want(event.name.text.to_string(), &item.doc);
                        for value in event.values.iter().filter(|v| !named_as_type(&v.name.text, &v.ty)) {
                            want(format!("{} {}", event.name.text, value.name.text), &value.doc);
                        }
                    }
                    tree::ItemKind::Record(record) => {
                        want(record.name.text.to_string(), &item.doc);
                        for field in &record.fields {
                            want(format!("{} {}", record.name.text, field.name.text), &field.doc);
                        }
                    }
                    tree::ItemKind::Enum(item_enum) => want(item_enum.name.text.to_string(), &item.doc),
                    tree::ItemKind::Fact(fact) => want(fact.name.text.to_string(), &item.doc),
                    tree::ItemKind::Task(task) => want(task.name.text.to_string(), &item.doc),
                    _ => {}
                }
            }
        }
        found
    }
}

impl Count {
    /// Messages of the topic that have not the shape.
    pub fn quarantined(&self) -> usize {
        self.reasons.values().sum()
    }
}

impl Counts {
    /// Counts one message.
    pub fn add(&mut self, library: &Library, topic: &str, body: &[u8]) {
        self.messages += 1;
        for note in judge(&library.graph, topic, body, &NoFacts).notes {
            if let Note::UnknownEnumValue { name, value } = note {
                self.unlisted.insert(format!("{name} {value}"));
            }
        }
        let meant = library.mean(topic, body);
        self.covered += usize::from(!meant.is_empty());
        self.typed += usize::from(meant.iter().any(|(_, m)| matches!(m, Meaning::Typed { .. })));
        for (event, meaning) in meant {
            let count = self.events.entry(event).or_default();
            count.messages += 1;
            match meaning {
                Meaning::Typed { unreadable, .. } => {
                    count.typed += 1;
                    if !unreadable.is_empty() {
                        *count.unreadable.entry(without_values(&unreadable)).or_default() += 1;
                    }
                }
                Meaning::Other => count.other += 1,
                Meaning::Quarantined(reason) => {
                    *count.reasons.entry(without_values(&reason)).or_default() += 1
                }
            }
        }
    }
}

/// A reason without what the message says: recorded messages are nobody's to print.
fn without_values(reason: &str) -> String {
    let mut plain = String::new();
    let mut rest = reason;
    while let Some((before, after)) = rest.split_once("` is ") {
        plain.push_str(before);
        plain.push_str("` is ");
        rest = after;
        if let Some(text) = after.strip_prefix('"') {
            plain.push_str("other text");
            let mut escaped = false;
            let end = text.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            rest = text[end.unwrap() + 1..].trim_start_matches('…');
        } else if after.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            plain.push_str("a number");
            rest =
                after.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.' | 'e' | '+'));
        }
    }
    plain + rest
}
