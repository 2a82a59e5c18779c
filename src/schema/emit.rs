//! Shapes as text of the language.
//!
//! Comes in: what was seen of each topic, and the program that the new events join. Goes out: a .tb file: for each topic the records and enums that
//! its body needs, and an event with one dialect. Names that are taken are never taken again; equal shapes share a declaration; what
//! has no type is a comment. Text of messages stands in it only as a quoted name, a word, or a comment without control characters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use taskbot_compiler::Program;
use taskbot_grammar::{Expr, ExprKind, ItemKind, Rule};

use super::Topic;
use super::seen::Seen;
use super::shape::{Field, Need, Shape, fields};
use crate::output::shown;

const BUILT_IN: &[&str] = &[
    "bool", "int", "float", "string", "time", "duration", "evr", "nvr", "topic", "any", "null", "list",
    "record", "enum",
];
/// Values that make two messages tell of the same, in order of preference.
const IDENTITIES: &[&str] =
    &["alias", "updateid", "uuid", "nvr", "id", "msg_id", "build_id", "task_id", "compose_id"];
/// Values of a suggested happening.
const KEYS: usize = 2;

/// Whether an event can name a topic.
pub fn is_topic(topic: &str) -> bool {
    let letters = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+'))
    };
    let words: Vec<&str> = topic.split('.').collect();
    words.iter().all(|word| letters(word))
        && !matches!(words.as_slice(), [_, _, "prod" | "stg" | "stage" | "dev", ..])
}

/// The whole file.
pub fn file(topics: &BTreeMap<String, Topic>, program: &Program) -> String {
    let mut writer = Writer {
        types: BUILT_IN.iter().map(|name| (*name).to_owned()).collect(),
        events: program.events.iter().map(|event| event.name.clone()).collect(),
        made: Vec::new(),
        text: String::from(
            "# Written by `taskbot schema infer` from recorded messages. Review it before use: give things the names that your team\n\
             # uses, and drop what no rule reads, for a message that lacks what is declared without `?` is set aside.\n",
        ),
    };
    writer.types.extend(program.records.iter().map(|record| record.name.clone()));
    writer.types.extend(program.enums.iter().map(|declared| declared.name.clone()));
    for (topic, about) in topics {
        let event = writer.event(topic, about);
        writer.text.push_str(&event);
    }
    writer.text
}

struct Writer {
    /// Names of records and enums that are taken.
    types: BTreeSet<String>,
    events: BTreeSet<String>,
    /// Declared shapes with their names.
    made: Vec<(Shape, String)>,
    text: String,
}

/// A value of an event.
struct Value {
    name: String,
    ty: String,
    definition: String,
    doc: Option<String>,
    need: Need,
}

/// A dialect while its body is written.
struct Body<'s> {
    topic: &'s str,
    seen: &'s Seen,
    /// Steps to the list of subjects; empty: there is none.
    subjects: Vec<String>,
    names: BTreeSet<String>,
    values: Vec<Value>,
    lines: String,
}

impl Writer {
    fn event(&mut self, topic: &str, about: &Topic) -> String {
        let fields = fields(&about.body);
        let mut lists = Vec::new();
        candidates(&fields, &mut Vec::new(), &mut lists);
        let (subject, others) = match lists.as_slice() {
            [(steps, nvr)] if steps.first().is_some_and(|step| is_head(step)) => {
                (Some((steps, nvr)), &[][..])
            }
            others => (None, others),
        };
        let is_triple = subject.is_none() && about.messages > 0 && about.body.triples == about.messages;
        let package = ["package", "build", "nvr", "the-package"]
            .into_iter()
            .find(|n| fields.iter().all(|f| f.name != *n));
        let package = package.unwrap_or("subject-package");
        let mut body = Body {
            topic,
            seen: &about.body,
            subjects: subject.map(|(steps, _)| steps.clone()).unwrap_or_default(),
            names: BTreeSet::from([package.to_owned()]),
            values: Vec::new(),
            lines: String::new(),
        };
        self.body(&mut body, &fields, &mut Vec::new());

        let mut out = String::new();
        let name = unused(&self.events, [event_name(topic)]);
        self.events.insert(name.clone());
        let _ = write!(out, "\n## Inferred from {}.\nevent {name} {{\n", source(topic, about));
        let mut definitions = String::new();
        if let Some((steps, nvr)) = subject {
            let binder = binder(steps, &fields);
            let _ = writeln!(out, "  each {package}: nvr");
            let _ = writeln!(definitions, "    each {binder} in {}", path(steps));
            let _ = writeln!(definitions, "    {package} = {binder}.{}", quoted(nvr).unwrap_or_default());
        } else if is_triple {
            let _ = writeln!(out, "  {package}: nvr");
            let _ =
                writeln!(definitions, "    {package} = nvr(name: name, version: version, release: release)");
        }
        for value in &body.values {
            if let Some(doc) = &value.doc {
                let _ = writeln!(out, "  ## {doc}");
            }
            let _ = writeln!(out, "  {}: {}{}", value.name, value.ty, mark(value.need));
            let _ = writeln!(definitions, "    {} = {}", value.name, value.definition);
        }
        let lines = &body.lines;
        let gap = if definitions.is_empty() { "" } else { "\n" };
        let _ = write!(
            out,
            "{gap}  dialect recorded {{\n    topic \"{topic}\"\n    body {{\n{lines}    }}\n{definitions}{}{}  }}\n}}\n",
            happening(&body.values),
            other_subjects(others),
        );
        out
    }

    /// Writes the members of the body, or of an object on the way to the subjects.
    fn body(&mut self, body: &mut Body<'_>, fields: &[Field], steps: &mut Vec<String>) {
        let indent = "  ".repeat(steps.len().saturating_add(3));
        for field in fields {
            let Some(name) = quoted(&field.name) else {
                let _ =
                    writeln!(body.lines, "{indent}# `{}` cannot be written as a name", shown(&field.name));
                continue;
            };
            if steps.is_empty() && !is_head(&field.name) {
                let _ = writeln!(
                    body.lines,
                    "{indent}# `{}` cannot be read: no path can begin with it",
                    shown(&field.name)
                );
                continue;
            }
            steps.push(field.name.clone());
            let on_the_way = steps.len() < body.subjects.len() && body.subjects.starts_with(steps);
            match &field.shape {
                Shape::Unknown(why) => {
                    let _ = writeln!(body.lines, "{indent}# `{}` {why}", shown(&field.name));
                }
                Shape::Record(members) if on_the_way => {
                    let _ = writeln!(body.lines, "{indent}{name}: {{");
                    self.body(body, members, steps);
                    let _ = writeln!(body.lines, "{indent}}}");
                }
                known => match self.type_of(body.topic, steps, known) {
                    None => {
                        let _ = writeln!(
                            body.lines,
                            "{indent}# `{}` holds nothing of a known type",
                            shown(&field.name)
                        );
                    }
                    Some(ty) => {
                        let _ = writeln!(body.lines, "{indent}{name}: {ty}{}", mark(field.need));
                        body.value(steps, ty, field.need);
                    }
                },
            }
            steps.pop();
        }
    }

    /// The text of a type, with the declarations that it needs.
    fn type_of(&mut self, topic: &str, steps: &[String], of: &Shape) -> Option<String> {
        Some(match of {
            Shape::Bool => "bool".into(),
            Shape::Int => "int".into(),
            Shape::Float => "float".into(),
            Shape::Text => "string".into(),
            Shape::Nvr => "nvr".into(),
            Shape::List(item) => {
                let mut one = steps.to_vec();
                if let Some(last) = one.last_mut() {
                    *last = singular(last);
                }
                format!("[{}]", self.type_of(topic, &one, item)?)
            }
            Shape::Unknown(_) => return None,
            Shape::Enum(_) | Shape::Record(_) => {
                if let Some((_, name)) = self.made.iter().find(|(made, _)| made == of) {
                    return Some(name.clone());
                }
                let declared = match of {
                    Shape::Record(fields) => ("record", self.fields(topic, steps, fields)?),
                    Shape::Enum(words) => ("enum", format!("  {}\n", words.join(" "))),
                    _ => return None,
                };
                let name = unused(&self.types, type_names(topic, steps));
                let _ = write!(self.text, "\n{} {name} {{\n{}}}\n", declared.0, declared.1);
                self.types.insert(name.clone());
                self.made.push((of.clone(), name.clone()));
                name
            }
        })
    }

    /// The lines of a record; none if no member has a type.
    fn fields(&mut self, topic: &str, steps: &[String], fields: &[Field]) -> Option<String> {
        let mut lines = String::new();
        let mut known: usize = 0;
        for field in fields {
            let below: Vec<String> = steps.iter().chain([&field.name]).cloned().collect();
            let text = shown(&field.name);
            let _ = match (quoted(&field.name), &field.shape, self.type_of(topic, &below, &field.shape)) {
                (Some(name), _, Some(ty)) => {
                    known = known.saturating_add(1);
                    writeln!(lines, "  {name}: {ty}{}", mark(field.need))
                }
                (_, Shape::Unknown(why), _) => writeln!(lines, "  # `{text}` {why}"),
                (None, ..) => writeln!(lines, "  # `{text}` cannot be written as a name"),
                _ => writeln!(lines, "  # `{text}` holds nothing of a known type"),
            };
        }
        (known > 0).then_some(lines)
    }
}

impl Body<'_> {
    /// Makes a value of what a path leads to.
    fn value(&mut self, steps: &[String], ty: String, need: Need) {
        let last = steps.last().map(|step| word(step)).unwrap_or_default();
        // Rules begin a path with it.
        let last = if is_head(&last) { last } else { format!("{last}-value") };
        let name = unused(&self.names, [last, word(&steps.join("-"))]);
        self.names.insert(name.clone());
        let doc = (need == Need::Sometimes && steps.len() == 1).then(|| {
            let times = steps.first().and_then(|step| self.seen.members.get(step)).map_or(0, Seen::present);
            format!("In {times} of {} messages.", self.seen.objects)
        });
        self.values.push(Value { name, ty, definition: path(steps), doc, need });
    }
}

/// Lists of objects that always hold an nvr, on a way that is always there.
fn candidates(fields: &[Field], steps: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    for field in fields.iter().filter(|field| field.need == Need::Always && quoted(&field.name).is_some()) {
        steps.push(field.name.clone());
        match &field.shape {
            Shape::Record(members) => candidates(members, steps, found),
            Shape::List(item) => {
                if let Shape::Record(members) = &**item {
                    let is_nvr = |m: &&Field| {
                        m.shape == Shape::Nvr && m.need == Need::Always && quoted(&m.name).is_some()
                    };
                    found.extend(members.iter().find(is_nvr).map(|m| (steps.clone(), m.name.clone())));
                }
            }
            _ => {}
        }
        steps.pop();
    }
}

/// `12 messages on `a.b`, sent 2017-01-01 to 2018-02-02`
fn source(topic: &str, about: &Topic) -> String {
    let messages =
        if about.messages == 1 { "1 message".to_owned() } else { format!("{} messages", about.messages) };
    let day = |at: taskbot_runtime::effect::Timestamp| {
        at.to_string().get(..10).map(str::to_owned).unwrap_or_default()
    };
    let sent = match (about.first.map(day), about.last.map(day)) {
        (Some(first), Some(last)) if first == last => format!(", sent on {first}"),
        (Some(first), Some(last)) => format!(", sent {first} to {last}"),
        _ => String::new(),
    };
    format!("{messages} on `{topic}`{sent}")
}

fn happening(values: &[Value]) -> String {
    let rank =
        |value: &&Value| IDENTITIES.iter().position(|name| value.definition.rsplit('.').next() == Some(name));
    let mut keys: Vec<&Value> = values
        .iter()
        .filter(|v| v.need == Need::Always && !v.ty.starts_with('['))
        .filter(|v| rank(v).is_some())
        .collect();
    keys.sort_by_key(|value| rank(value));
    let keys: Vec<&str> = keys.iter().take(KEYS).map(|value| value.definition.as_str()).collect();
    if keys.is_empty() {
        return String::new();
    }
    format!(
        "    # Do several messages tell of the same? Then say what makes it the same, for example:\n    # happening {} within 24h\n",
        keys.join(", ")
    )
}

fn other_subjects(others: &[(Vec<String>, String)]) -> String {
    let mut out = String::new();
    for (steps, nvr) in others {
        let _ = writeln!(
            out,
            "    # Each element may be a subject of its own: each item in {}, and each package: nvr with package = item.{}",
            shown(&path(steps)),
            shown(nvr)
        );
    }
    out
}

fn mark(need: Need) -> &'static str {
    match need {
        Need::Always => "",
        Need::Sometimes => "?",
    }
}

/// A name for one element of a list, which no member of the body has.
fn binder(steps: &[String], fields: &[Field]) -> String {
    let list = steps.last().map(|step| word(step)).unwrap_or_default();
    let free = |name: &String| is_head(name) && fields.iter().all(|field| field.name != *name);
    [singular(&list), format!("one-{list}"), "the-subject".to_owned()]
        .into_iter()
        .find(free)
        .unwrap_or_default()
}

fn singular(name: &str) -> String {
    match name.strip_suffix('s') {
        Some(one) if one.len() > 1 && !one.ends_with('s') => one.to_owned(),
        _ => name.to_owned(),
    }
}

/// Names for a type, the shortest first.
fn type_names(topic: &str, steps: &[String]) -> [String; 3] {
    let last = steps.last().map(|step| word(step)).unwrap_or_default();
    let application = topic.split('.').next().unwrap_or_default();
    let whole = format!("{topic}-{}", steps.join("-"));
    [last.clone(), word(&format!("{application}-{last}")), word(&whole)]
}

/// The first name that is not taken; else the last of them with a number.
fn unused<const N: usize>(taken: &BTreeSet<String>, names: [String; N]) -> String {
    if let Some(free) = names.iter().find(|name| !taken.contains(*name)) {
        return free.clone();
    }
    let last = names.last().cloned().unwrap_or_default();
    (2u64..).map(|n| format!("{last}-{n}")).find(|name| !taken.contains(name)).unwrap_or(last)
}

fn event_name(topic: &str) -> String {
    topic.split('.').map(word).collect::<Vec<_>>().join(".")
}

/// Text as a word of the language: a letter, then letters, digits, `_` and single hyphens.
fn word(text: &str) -> String {
    let mut word = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        if c == '-' && (word.is_empty() || word.ends_with('-')) {
            continue;
        }
        if word.is_empty() && !c.is_ascii_alphabetic() {
            word.push('n');
        }
        word.push(c);
    }
    let word = word.trim_end_matches('-');
    if word.is_empty() { "unnamed".to_owned() } else { word.to_owned() }
}

/// A member's name as the language writes it; none if no string can hold it.
fn quoted(name: &str) -> Option<String> {
    if word(name) == name {
        return Some(name.to_owned());
    }
    let plain = !name.is_empty() && shown(name) == name;
    plain.then(|| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")))
}

fn path(steps: &[String]) -> String {
    steps.iter().filter_map(|step| quoted(step)).collect::<Vec<_>>().join(".")
}

/// Whether a path can begin with this name: asked of the grammar, which knows its keywords and literals.
fn is_head(name: &str) -> bool {
    if word(name) != name {
        return false;
    }
    let (file, errors) = taskbot_grammar::parse(&format!("on a where has {name} run b"));
    let is_path = |item: &taskbot_grammar::Item| match &item.kind {
        ItemKind::Rule(Rule { condition: Some(Expr { kind: ExprKind::Has(of), .. }), .. }) => {
            matches!(of.kind, ExprKind::Path(_))
        }
        _ => false,
    };
    errors.is_empty() && file.items.len() == 1 && file.items.iter().all(is_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_or_quoted() {
        assert_eq!(word("f40-updates"), "f40-updates");
        assert_eq!(word("40 -- x."), "n40-x");
        assert_eq!(word("é"), "unnamed");
        assert_eq!(quoted("user").as_deref(), Some("user"));
        assert_eq!(quoted("re-trigger ").as_deref(), Some("\"re-trigger \""));
        assert_eq!(quoted("5.0\"\\").as_deref(), Some("\"5.0\\\"\\\\\""));
        assert_eq!(quoted("a\u{1b}b"), None);
        assert!(
            is_head("user") && !is_head("all") && !is_head("true") && !is_head("event") && !is_head("5.0")
        );
    }

    #[test]
    fn topics_are_what_events_can_name() {
        assert!(is_topic("pagure.issue.new") && is_topic("a.c++"));
        assert!(!is_topic("a..b") && !is_topic("a.*") && !is_topic("org.example.prod.x"));
    }
}
