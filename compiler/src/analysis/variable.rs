//! Variables: the places of a message that conditions read, and the facts about them.
//!
//! Comes in: paths, parts of values, facts. Goes out: one variable for each, however often it is read and whichever of two graphs
//! reads it. A variable knows what may stand there; that two of them may be parts of one value is not known here, which only
//! makes more possible.

use std::collections::HashMap;

use taskbot_graph::{ExprId, Graph, Part, Path, Presence, Root, Type};

use super::Enums;
use super::text::Known;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// The body, or a subject's row.
    Path { root: Root, steps: Vec<String>, lists: Vec<u32>, kind: String },
    /// The element that a quantifier is at.
    Bound(u32),
    /// A part of a built-in type.
    Part(Box<Source>, Part),
    /// A field of a record.
    Field(Box<Source>, String),
    /// A fact about a value.
    Fact(String, Box<Source>),
    /// Something that is only true or false, or a number, as a whole: a condition on elements, a comparison of two paths.
    Whole { graph: usize, expr: ExprId },
}

/// What may stand at a variable's place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Variable {
    pub(super) source: Source,
    pub(super) ty: Type,
    /// Values of its enum, if it is one.
    pub(super) listed: Vec<String>,
    pub(super) presence: Presence,
    /// Whether its values always have a release: those of a build do.
    pub(super) released: bool,
    /// Whether it counts something: never below 0.
    pub(super) counts: bool,
}

/// Graphs whose conditions are looked at together, and their variables.
pub(super) struct Problem<'g> {
    pub(super) graphs: Vec<&'g Graph>,
    pub(super) enums: Enums,
    pub(super) texts: &'g Known,
    pub(super) variables: Vec<Variable>,
    places: HashMap<Source, usize>,
}

impl<'g> Problem<'g> {
    pub(super) fn new(graphs: Vec<&'g Graph>, enums: Enums, texts: &'g Known) -> Self {
        Self { graphs, enums, texts, variables: Vec::new(), places: HashMap::new() }
    }

    /// The variable of a source; of two readings the one that allows more decides about presence.
    pub(super) fn variable(&mut self, source: Source, ty: &Type, graph: usize, presence: Presence) -> usize {
        if let Some(known) = self.places.get(&source) {
            if presence == Presence::Optional
                && let Some(variable) = self.variables.get_mut(*known)
            {
                variable.presence = presence;
            }
            return *known;
        }
        let listed = match (ty, self.graphs.get(graph)) {
            (Type::Enum(id), Some(graph)) => {
                graph.enums.get(*id as usize).map_or(Vec::new(), |e| e.values.clone())
            }
            _ => Vec::new(),
        };
        let released = matches!(source, Source::Part(_, Part::Evr));
        let place = self.variables.len();
        let counts = ty == &Type::Int && matches!(source, Source::Whole { .. });
        self.variables.push(Variable {
            source: source.clone(),
            ty: ty.clone(),
            listed,
            presence,
            released,
            counts,
        });
        self.places.insert(source, place);
        place
    }
}

/// A path as a source; paths of two graphs are one if they read the same place as the same type.
pub(super) fn source_of(graph: &Graph, path: &Path) -> Source {
    Source::Path {
        root: path.root,
        steps: path.steps.clone(),
        lists: path.lists.clone(),
        kind: kind(graph, &path.ty),
    }
}

fn kind(graph: &Graph, ty: &Type) -> String {
    match ty {
        Type::Enum(id) => format!("enum {}", graph.enums.get(*id as usize).map_or("", |e| e.name.as_str())),
        Type::Record(id) => {
            format!("record {}", graph.records.get(*id as usize).map_or("", |r| r.name.as_str()))
        }
        Type::List(item) => format!("[{}]", kind(graph, item)),
        other => format!("{other:?}"),
    }
}
