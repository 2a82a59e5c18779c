//! What names may mean at a place, and which of them a guard has shown to be there.
//!
//! Comes in: an event's values, a body's shape, or one value, and the guards read so far. Goes out: whether a name is known.
//! Guards are kept by the spelling of their path, so no name may stand for two things in one view.

use smol_str::SmolStr;
use taskbot_grammar::{Expr, ExprKind, Let, Name, Names, Span};
use taskbot_graph::{Place, Type};

use super::shape::Shape;
use crate::names::Table;
use crate::typed::TypedEvent;

/// How a rule on a raw topic names the message's body.
pub(super) const RAW_BODY: &str = "body";

/// What names may mean at a place.
pub(super) struct View<'v> {
    pub(super) file: u32,
    pub(super) root: Root<'v>,
    /// Names bound by quantifiers, outermost first.
    pub(super) bound: Vec<(SmolStr, Type)>,
    /// Paths that a guard has shown to be there, and with them all that they begin with.
    pub(super) guarded: Vec<Names>,
}

/// Where a path's first name is looked up.
pub(super) enum Root<'v> {
    /// Constants only.
    Nothing,
    /// The values of an event.
    Event(&'v TypedEvent),
    /// A body, and the name and element of its list of subjects.
    Body { body: &'v Shape, subject: Option<(&'v str, &'v Shape)> },
    /// The parts of one value.
    Value(Type),
    /// The body of a topic that no event declares, named [`RAW_BODY`].
    Raw,
}

impl<'v> View<'v> {
    pub(super) fn new(file: u32, root: Root<'v>) -> Self {
        Self { file, root, bound: Vec::new(), guarded: Vec::new() }
    }

    /// The same guards, where each subject can be read as well.
    pub(super) fn with_subject<'b>(self, body: &'b Shape, subject: Option<(&'b str, &'b Shape)>) -> View<'b> {
        View { file: self.file, root: Root::Body { body, subject }, bound: self.bound, guarded: self.guarded }
    }

    pub(super) fn place(&self, span: Span) -> Place {
        Place { file: self.file, start: span.start, end: span.end }
    }

    /// From here on the paths that this condition guards are there.
    pub(super) fn assume(&mut self, condition: &Expr, lets: &Table<'_, Let>) {
        guards(condition, true, lets, &mut self.guarded);
    }

    /// Names that a path can begin with.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.bound.iter().map(|(n, _)| n.as_str()).collect();
        match &self.root {
            Root::Nothing | Root::Value(_) => {}
            Root::Raw => names.push(RAW_BODY),
            Root::Event(event) => names.extend(event.values.iter().map(|v| v.name.as_str())),
            Root::Body { body, subject } => {
                names.extend(body.member_names());
                names.extend(subject.iter().map(|(name, _)| *name));
            }
        }
        names
    }

    /// Whether a path can begin with this name.
    pub(super) fn knows(&self, name: &str) -> bool {
        let of_root = match &self.root {
            Root::Nothing | Root::Value(_) => false,
            Root::Raw => name == RAW_BODY,
            Root::Event(event) => event.values.iter().any(|v| v.name == name),
            Root::Body { body, subject } => {
                body.member(name).is_some() || subject.is_some_and(|(subject, _)| subject == name)
            }
        };
        of_root || self.bound.iter().any(|(bound, _)| bound == name)
    }

    /// Whether a guard has shown this path to be there.
    pub(super) fn is_guarded(&self, names: &[Name]) -> bool {
        let is_same = |guarded: &[Name]| guarded.iter().zip(names).all(|(a, b)| a.text == b.text);
        self.guarded.iter().any(|guarded| guarded.get(..names.len()).is_some_and(is_same))
    }
}

/// The paths that are surely there when the condition has this truth. Lets hold no circle: that was checked before.
pub(super) fn guards(condition: &Expr, truth: bool, lets: &Table<'_, Let>, out: &mut Vec<Names>) {
    match (&condition.kind, truth) {
        (ExprKind::Has(of), true) => {
            if let ExprKind::Path(names) = &of.kind {
                out.push(names.clone());
            }
        }
        (ExprKind::Not(of), _) => guards(of, !truth, lets, out),
        (ExprKind::Path(names), _) => {
            if let [one] = names.as_slice()
                && let Some(named) = lets.get(one.text.as_str())
            {
                guards(&named.node.value, truth, lets, out);
            }
        }
        (ExprKind::And(parts), true) | (ExprKind::Or(parts), false) => {
            parts.iter().for_each(|p| guards(p, truth, lets, out))
        }
        _ => {}
    }
}
