//! The shape of a body: which members it has, which of them must be there, and how a path leads to a value.
//!
//! Comes in: the `body { ... }` of a dialect. Goes out: its required paths, and for a dotted path the type and presence of
//! what stands there. A list on the way is walked through element by element.

use taskbot_graph::{Path, Presence, Root, Type};

/// What stands at a place of the body.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// A value that rules can use.
    Leaf(Type),
    /// Members.
    Object(Vec<Member>),
    /// Objects in order.
    List(Box<Shape>),
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) presence: Presence,
}

impl Shape {
    /// The paths that must be there, from a root.
    pub(super) fn required(
        &self,
        root: Root,
        steps: &mut Vec<String>,
        skip: Option<&[String]>,
        out: &mut Vec<Path>,
    ) {
        if skip == Some(steps.as_slice()) {
            return;
        }
        match self {
            Self::Leaf(ty) => {
                let (steps, lists) = (steps.clone(), Vec::new());
                out.push(Path { root, steps, lists, ty: ty.clone(), presence: Presence::Required });
            }
            Self::Object(members) => {
                for member in members.iter().filter(|m| m.presence == Presence::Required) {
                    steps.push(member.name.clone());
                    member.shape.required(root, steps, skip, out);
                    steps.pop();
                }
            }
            Self::List(item) => {
                let mut below = Vec::new();
                item.required(root, steps, skip, &mut below);
                let here = u32::try_from(steps.len()).unwrap_or(u32::MAX);
                out.extend(below.into_iter().map(|mut path| {
                    path.lists.insert(0, here);
                    if path.lists.len() == 1 {
                        path.ty = Type::List(Box::new(path.ty));
                    }
                    path
                }));
            }
        }
    }

    /// The member of this name, through lists: the shape, its presence, and whether a list was walked through.
    pub(super) fn member(&self, name: &str) -> Option<(&Self, Presence, Through)> {
        match self {
            Self::Leaf(_) => None,
            Self::Object(members) => {
                members.iter().find(|m| m.name == name).map(|m| (&m.shape, m.presence, Through::Object))
            }
            Self::List(item) => {
                item.member(name).map(|(shape, presence, _)| (shape, presence, Through::List))
            }
        }
    }

    /// Names of the members, for suggestions.
    pub(super) fn member_names(&self) -> Vec<&str> {
        match self {
            Self::Leaf(_) => Vec::new(),
            Self::Object(members) => members.iter().map(|m| m.name.as_str()).collect(),
            Self::List(item) => item.member_names(),
        }
    }
}

/// What a step of a path walked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Through {
    Object,
    List,
}
