//! The declarations of a program as plain data.
//!
//! Comes in: a compiled program with its files. Goes out: events, tasks, facts and types by name, with their documentation and types as
//! they were written. One's own declaration takes the place of the standard library's, as it does for rules. It prints nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use taskbot_compiler::Compiled;
use taskbot_grammar::{
    self as tree, Expr, Field, Item, ItemKind, Name, Optional, Span, TypeExpr, TypeKind, Varies,
};
use taskbot_graph::Place;

use super::Named;
use crate::render::{self, Spot};

/// Everything that is declared, each kind by name.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// Events.
    pub events: Vec<Event>,
    /// Tasks.
    pub tasks: Vec<Task>,
    /// Facts.
    pub facts: Vec<Fact>,
    /// Records and enums.
    pub types: BTreeMap<String, Type>,
}

/// An event.
#[derive(Debug, Serialize)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub doc: String,
    /// What to use instead.
    pub deprecated: Option<String>,
    /// Where it is declared.
    pub at: Spot,
    /// What rules can read of it.
    pub values: Vec<Value>,
    /// How it is told.
    pub dialects: Vec<Dialect>,
    /// The types of its values, and the types in these.
    pub types: Vec<String>,
}

/// A value of an event.
#[derive(Debug, Serialize)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// Its type as written, `?` included.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it may be missing.
    pub optional: bool,
    /// Whether each subject has its own.
    pub each: bool,
    /// Its documentation.
    pub doc: String,
    /// The dialects that give it.
    pub dialects: Vec<String>,
}

/// A dialect.
#[derive(Debug, Serialize)]
pub struct Dialect {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub doc: String,
    /// What to use instead.
    pub deprecated: Option<String>,
    /// Its topics.
    pub topics: Vec<String>,
    /// What must hold for a message to be the event.
    pub conditions: Vec<String>,
    /// The list whose elements are the subjects.
    pub subjects: Option<String>,
    /// What makes two messages tell of the same.
    pub happening: Option<String>,
}

/// A task.
#[derive(Debug, Serialize)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub doc: String,
    /// Where it is declared.
    pub at: Spot,
    /// Its inputs.
    pub inputs: Vec<Input>,
    /// Where its code is: `standard:NAME` is a part of taskbot.
    pub repository: String,
    /// Branch, tag or commit.
    pub reference: Option<String>,
    /// Events that it may cause.
    pub emits: Vec<String>,
    /// The types of its inputs, and the types in these.
    pub types: Vec<String>,
}

/// An input of a task.
#[derive(Debug, Serialize)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its type as written, `?` included.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it may be left out.
    pub optional: bool,
    /// Its value where a rule gives none.
    pub default: Option<String>,
    /// Its documentation.
    pub doc: String,
}

/// A fact.
#[derive(Debug, Serialize)]
pub struct Fact {
    /// Its name, `type.name`, as providers are configured for it.
    pub name: String,
    /// Its documentation.
    pub doc: String,
    /// Where it is declared.
    pub at: Spot,
    /// The type whose values have it.
    pub on: String,
    /// Type of the answer as written, `?` included.
    #[serde(rename = "type")]
    pub ty: String,
    /// What a provider is asked with, read from a value of the type.
    pub key: String,
    /// The types of the answer.
    pub types: Vec<String>,
}

/// A record or an enum.
#[derive(Debug)]
pub enum Type {
    /// Names, types and documentation of its fields.
    Record(Vec<(String, String, String)>),
    /// Its values.
    Enum(Vec<String>),
}

impl Named for Event {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Task {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Fact {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Catalogue {
    /// Everything that a program declares.
    pub fn of(compiled: &Compiled) -> Self {
        let trees: Vec<tree::File> = compiled.files.iter().map(|file| tree::parse(&file.text).0).collect();
        let mut reader = Reader { compiled, uses: BTreeMap::new() };
        let mut catalogue = Self::default();
        let (mut events, mut tasks, mut facts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (file, tree) in trees.iter().enumerate() {
            for item in &tree.items {
                let item = Placed { file: u32::try_from(file).unwrap_or(u32::MAX), item };
                match &item.item.kind {
                    ItemKind::Record(record) => {
                        let fields =
                            record.fields.iter().map(|field| reader.field(item, &record.name.text, field));
                        let fields: Vec<_> = fields.collect();
                        catalogue.types.insert(record.name.text.to_string(), Type::Record(fields));
                    }
                    ItemKind::Enum(declared) => {
                        let values = declared.values.iter().map(|value| value.text.to_string()).collect();
                        catalogue.types.insert(declared.name.text.to_string(), Type::Enum(values));
                    }
                    ItemKind::Event(event) => drop(events.insert(event.name.text.to_string(), (item, event))),
                    ItemKind::Task(task) => drop(tasks.insert(task.name.text.to_string(), (item, task))),
                    ItemKind::Fact(fact) => {
                        let name = format!("{}.{}", fact.on.text, fact.name.text);
                        facts.insert(name, (item, fact));
                    }
                    _ => {}
                }
            }
        }
        catalogue.events = events.into_values().map(|(item, event)| reader.event(item, event)).collect();
        catalogue.tasks = tasks.into_values().map(|(item, task)| reader.task(item, task)).collect();
        catalogue.facts =
            facts.into_iter().map(|(name, (item, fact))| reader.fact(name, item, fact)).collect();
        catalogue
    }

    /// The facts that values of a type have.
    pub fn facts_on(&self, ty: &str) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(move |fact| fact.on == ty)
    }
}

/// An item and its file.
#[derive(Clone, Copy)]
struct Placed<'t> {
    file: u32,
    item: &'t Item,
}

/// Reads declarations with the text that they stand in.
struct Reader<'c> {
    compiled: &'c Compiled,
    /// The types that each record uses.
    uses: BTreeMap<String, BTreeSet<String>>,
}

impl Reader<'_> {
    fn text(&self, placed: Placed<'_>, span: Span) -> String {
        let place = Place { file: placed.file, start: span.start, end: span.end };
        render::quoted(&self.compiled.files, place).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn spot(&self, placed: Placed<'_>, name: &Name) -> Spot {
        let place = Place { file: placed.file, start: name.span.start, end: name.span.end };
        render::spot(&self.compiled.files, place)
    }

    fn expressions(&self, placed: Placed<'_>, exprs: &[Expr]) -> Vec<String> {
        exprs.iter().map(|expr| self.text(placed, expr.span)).collect()
    }

    fn field(&mut self, placed: Placed<'_>, record: &str, field: &Field) -> (String, String, String) {
        mentioned(&field.ty, self.uses.entry(record.to_owned()).or_default());
        (field.name.text.to_string(), self.text(placed, field.ty.span), field.doc.clone())
    }

    /// The types named by these, and those in them, in the order in which they are met.
    fn types<'t>(&self, of: impl Iterator<Item = &'t TypeExpr>) -> Vec<String> {
        let mut open = BTreeSet::new();
        of.for_each(|ty| mentioned(ty, &mut open));
        let mut all: Vec<String> = open.into_iter().collect();
        let mut at = 0;
        while let Some(name) = all.get(at) {
            let more: Vec<String> = self
                .uses
                .get(name)
                .into_iter()
                .flatten()
                .filter(|used| !all.contains(used))
                .cloned()
                .collect();
            all.extend(more);
            at = at.saturating_add(1);
        }
        all
    }

    fn event(&self, placed: Placed<'_>, event: &tree::Event) -> Event {
        let gives =
            |dialect: &&tree::Dialect, value: &str| dialect.values.iter().any(|(name, _)| name.text == value);
        let values = event.values.iter().map(|value| Value {
            name: value.name.text.to_string(),
            ty: self.text(placed, value.ty.span),
            optional: value.ty.optional == Optional::Yes,
            each: value.varies == Varies::Subject,
            doc: value.doc.clone(),
            dialects: event
                .dialects
                .iter()
                .filter(|dialect| gives(dialect, &value.name.text))
                .map(|dialect| dialect.name.text.to_string())
                .collect(),
        });
        Event {
            name: event.name.text.to_string(),
            doc: placed.item.doc.clone(),
            deprecated: event.deprecated.as_ref().map(|instead| instead.text.to_string()),
            at: self.spot(placed, &event.name),
            values: values.collect(),
            dialects: event.dialects.iter().map(|dialect| self.dialect(placed, dialect)).collect(),
            types: self.types(event.values.iter().map(|value| &value.ty)),
        }
    }

    fn dialect(&self, placed: Placed<'_>, dialect: &tree::Dialect) -> Dialect {
        let happening = dialect.happening.as_ref().map(|happening| self.text(placed, happening.span));
        Dialect {
            name: dialect.name.text.to_string(),
            doc: dialect.doc.clone(),
            deprecated: dialect.deprecated.as_ref().map(|instead| instead.text.to_string()),
            topics: dialect.topics.iter().map(|topic| topic.text.to_string()).collect(),
            conditions: self.expressions(placed, &dialect.conditions),
            subjects: dialect.subjects.as_ref().map(|(_, list)| self.text(placed, list.span)),
            happening: happening.map(|text| text.trim_start_matches("happening").trim().to_owned()),
        }
    }

    fn task(&self, placed: Placed<'_>, task: &tree::Task) -> Task {
        let typed = self.compiled.program.tasks.iter().find(|known| known.name == task.name.text);
        let inputs = task.params.iter().map(|param| Input {
            name: param.name.text.to_string(),
            ty: self.text(placed, param.ty.span),
            optional: param.ty.optional == Optional::Yes || param.default.is_some(),
            default: param.default.as_ref().map(|default| self.text(placed, default.span)),
            doc: param.doc.clone(),
        });
        Task {
            name: task.name.text.to_string(),
            doc: placed.item.doc.clone(),
            at: self.spot(placed, &task.name),
            inputs: inputs.collect(),
            repository: typed.map(|typed| typed.repository.clone()).unwrap_or_default(),
            reference: typed.and_then(|typed| typed.reference.clone()),
            emits: task.emits.iter().map(|event| event.text.to_string()).collect(),
            types: self.types(task.params.iter().map(|param| &param.ty)),
        }
    }

    fn fact(&self, name: String, placed: Placed<'_>, fact: &tree::Fact) -> Fact {
        Fact {
            name,
            doc: placed.item.doc.clone(),
            at: self.spot(placed, &fact.name),
            on: fact.on.text.to_string(),
            ty: self.text(placed, fact.ty.span),
            key: self.text(placed, fact.key.span),
            types: self.types(std::iter::once(&fact.ty)),
        }
    }
}

/// Names in a type.
fn mentioned(ty: &TypeExpr, into: &mut BTreeSet<String>) {
    match &ty.kind {
        TypeKind::Named(name) => drop(into.insert(name.clone())),
        TypeKind::List(item) => mentioned(item, into),
        TypeKind::Shape(fields) => fields.iter().for_each(|field| mentioned(&field.ty, into)),
    }
}
