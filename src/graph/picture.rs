//! What is drawn of a rule set: boxes and lines.
//!
//! Comes in: the compiled graph with its sources. Goes out: nodes in columns, with their text and what a pointer shows, and edges
//! between them. Conditions are shown as they were written; equal ones of one event are one box. It knows no coordinates.

use std::collections::{BTreeMap, BTreeSet};

use taskbot_compiler::Compiled;
use taskbot_graph::{Graph, Place, Rule};

use crate::output::shown;
use crate::render;

/// A column of the picture, from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Topics.
    Topic,
    /// Events.
    Event,
    /// Conditions.
    Condition,
    /// Rules.
    Rule,
    /// Tasks.
    Task,
    /// Events that tasks emit and no rule waits for.
    Emitted,
}

impl Column {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Topic, Self::Event, Self::Condition, Self::Rule, Self::Task, Self::Emitted];

    /// What stands over it.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Topic => "topics",
            Self::Event => "events",
            Self::Condition => "conditions",
            Self::Rule => "rules",
            Self::Task => "tasks",
            Self::Emitted => "emitted, no rule waits",
        }
    }

    /// Light, for dark text.
    pub const fn colour(self) -> &'static str {
        match self {
            Self::Topic => "#eef1f4",
            Self::Event => "#dcebff",
            Self::Condition => "#fff4cc",
            Self::Rule => "#ddf3dd",
            Self::Task => "#ffe6d3",
            Self::Emitted => "#f3eaff",
        }
    }

    /// Characters after which its texts are broken.
    const fn width_chars(self) -> usize {
        match self {
            Self::Topic | Self::Condition => 40,
            Self::Event | Self::Rule | Self::Task | Self::Emitted => 34,
        }
    }
}

/// A box.
#[derive(Debug)]
pub struct Node {
    /// Where it stands.
    pub column: Column,
    /// Its text, line by line, harmless.
    pub lines: Vec<String>,
    /// What a pointer shows, line by line, harmless.
    pub title: Vec<String>,
}

/// What a line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// What a message goes through.
    Flow,
    /// A task emits an event.
    Emits,
}

/// A line between two boxes.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// Place in [`Picture::nodes`].
    pub from: usize,
    /// Place in [`Picture::nodes`].
    pub to: usize,
    /// What it means.
    pub kind: EdgeKind,
}

/// All boxes and lines.
#[derive(Debug, Default)]
pub struct Picture {
    /// Boxes.
    pub nodes: Vec<Node>,
    /// Lines, each once.
    pub edges: Vec<Edge>,
    /// Place of each box by its column and what it stands for.
    places: BTreeMap<(Column, String), usize>,
}

/// Lines of text in one box.
const LINES: usize = 6;

/// Draws the rules of these names; without names all of them.
pub fn picture(compiled: &Compiled, graph: &Graph, names: &[String]) -> Picture {
    let mut picture = Picture::default();
    let wanted = |rule: &Rule| names.is_empty() || names.contains(&rule.name);
    for (at, rule) in graph.rules.iter().enumerate().filter(|(_, rule)| wanted(rule)) {
        let event = picture.event(compiled, graph, rule.event);
        let own = picture.rule(compiled, graph, at, rule);
        let conjuncts = graph.sources.rules.get(at).map(|s| s.conjuncts.as_slice()).unwrap_or_default();
        for conjunct in conjuncts {
            let text = one_line(render::quoted(&compiled.files, conjunct.place));
            let key = format!("{} {}", rule.event, conjunct.expr);
            let condition = picture.node(Column::Condition, key, vec![text], Vec::new());
            picture.tell(condition, &format!("for {} at {}", rule.name, at_place(compiled, conjunct.place)));
            picture.edge(event, condition, EdgeKind::Flow);
            picture.edge(condition, own, EdgeKind::Flow);
        }
        if conjuncts.is_empty() {
            picture.edge(event, own, EdgeKind::Flow);
        }
        for action in &rule.actions {
            let Some(task) = graph.tasks.get(action.task as usize) else { continue };
            let inputs: Vec<String> =
                task.params.iter().map(|p| format!("{}: {}", p.name, p.type_name)).collect();
            let title = vec![format!("{}({})", task.name, inputs.join(", ")), shown(&task.repository)];
            let place = picture.node(Column::Task, task.name.clone(), vec![task.name.clone()], title);
            picture.edge(own, place, EdgeKind::Flow);
        }
    }
    picture.emitted(compiled, graph);
    picture
}

impl Picture {
    /// The box that stands for this, made if it is new.
    fn node(&mut self, column: Column, key: String, texts: Vec<String>, title: Vec<String>) -> usize {
        let next = self.nodes.len();
        let place = *self.places.entry((column, key)).or_insert(next);
        if place == next {
            let lines = texts.iter().flat_map(|text| wrapped(&shown(text), column.width_chars())).collect();
            self.nodes.push(Node { column, lines, title: title.iter().map(|line| shown(line)).collect() });
        }
        place
    }

    fn edge(&mut self, from: usize, to: usize, kind: EdgeKind) {
        let known = |e: &Edge| e.from == from && e.to == to && e.kind == kind;
        if !self.edges.iter().any(known) {
            self.edges.push(Edge { from, to, kind });
        }
    }

    fn tell(&mut self, node: usize, line: &str) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.title.push(shown(line));
        }
    }

    /// An event with its topics.
    fn event(&mut self, compiled: &Compiled, graph: &Graph, id: u32) -> usize {
        let Some(event) = graph.events.get(id as usize) else {
            return self.node(Column::Event, id.to_string(), vec![id.to_string()], Vec::new());
        };
        if let Some(known) = self.places.get(&(Column::Event, event.name.clone())) {
            return *known;
        }
        let dialects: Vec<&str> = event.dialects.iter().map(|d| d.name.as_str()).collect();
        let texts = vec![event.name.clone(), dialects.join(", ")];
        let title = event_title(compiled, &event.name);
        let place = self.node(Column::Event, event.name.clone(), texts, title);
        for topic in event.dialects.iter().flat_map(|dialect| &dialect.topics) {
            let told = self.node(Column::Topic, topic.clone(), vec![topic.clone()], vec![topic.clone()]);
            self.edge(told, place, EdgeKind::Flow);
        }
        place
    }

    fn rule(&mut self, compiled: &Compiled, graph: &Graph, at: usize, rule: &Rule) -> usize {
        let mut texts = vec![rule.name.clone()];
        let typed = compiled.program.rules.iter().find(|typed| typed.name == rule.name);
        for (name, list) in typed.map(|typed| typed.axes.as_slice()).unwrap_or_default() {
            texts.push(format!("for {name} in {}", one_line(render::quoted(&compiled.files, list.place))));
        }
        if !rule.except.is_empty() {
            texts.push(format!("except {}", rule.except.len()));
        }
        let mut title = Vec::new();
        if let Some(source) = graph.sources.rules.get(at) {
            title.push(at_place(compiled, source.place));
            title.extend(source.doc.lines().map(str::to_owned));
            title.extend(render::quoted(&compiled.files, source.place).lines().map(str::to_owned));
        }
        self.node(Column::Rule, rule.name.clone(), texts, title)
    }

    /// Lines back from tasks to the events that they emit.
    fn emitted(&mut self, compiled: &Compiled, graph: &Graph) {
        let tasks: BTreeSet<String> =
            self.places.keys().filter(|(c, _)| *c == Column::Task).map(|(_, name)| name.clone()).collect();
        for task in graph.tasks.iter().filter(|task| tasks.contains(&task.name)) {
            let Some(from) = self.places.get(&(Column::Task, task.name.clone())).copied() else { continue };
            for event in &task.emits {
                let known = self.places.get(&(Column::Event, event.clone())).copied();
                let to = known.unwrap_or_else(|| {
                    let title = event_title(compiled, event);
                    self.node(Column::Emitted, event.clone(), vec![event.clone()], title)
                });
                let drawn_before = known.is_some();
                self.edge(from, to, if drawn_before { EdgeKind::Emits } else { EdgeKind::Flow });
            }
        }
    }
}

/// An event's place, documentation and dialects.
fn event_title(compiled: &Compiled, name: &str) -> Vec<String> {
    let Some(event) = compiled.program.events.iter().find(|event| event.name == name) else {
        return Vec::new();
    };
    let mut title = vec![at_place(compiled, event.place)];
    title.extend(event.doc.lines().map(str::to_owned));
    for dialect in &event.dialects {
        let condition = dialect
            .condition
            .as_ref()
            .map(|c| format!(" where {}", one_line(render::quoted(&compiled.files, c.place))));
        let topics = dialect.topics.join(", ");
        title.push(format!("dialect {}: {topics}{}", dialect.name, condition.unwrap_or_default()));
    }
    title
}

fn at_place(compiled: &Compiled, place: Place) -> String {
    render::spot(&compiled.files, place).short()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text in lines of a width, broken at spaces, or behind dots and slashes where a word is too long; at most [`LINES`] of them.
fn wrapped(text: &str, width_chars: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length: usize = 0;
    for piece in text.split_inclusive([' ', '.', '/', ',']) {
        let chars = piece.trim_end().chars().count();
        if length > 0 && length.saturating_add(chars) > width_chars {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            length = 0;
        }
        for c in piece.chars() {
            if length >= width_chars && c != ' ' {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
                length = 0;
            }
            line.push(c);
            length = length.saturating_add(1);
        }
    }
    lines.push(line.trim_end().to_owned());
    lines.retain(|line| !line.is_empty());
    if lines.len() > LINES {
        lines.truncate(LINES);
        if let Some(last) = lines.last_mut() {
            last.push('…');
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_broken_where_it_reads_well() {
        assert_eq!(wrapped("package.name == \"kernel\"", 40), ["package.name == \"kernel\""]);
        assert_eq!(wrapped("aaaa bbbb cccc", 9), ["aaaa bbbb", "cccc"]);
        assert_eq!(wrapped("bodhi.update.request.testing", 14), ["bodhi.update.", "request.", "testing"]);
        assert_eq!(wrapped("xxxxxxxxxxxx", 5), ["xxxxx", "xxxxx", "xx"]);
        assert_eq!(wrapped(&"word ".repeat(100), 10).len(), LINES);
    }
}
