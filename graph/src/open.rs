//! What is not known of a message yet, or cannot be, and why.
//!
//! Comes in: a fact that was not asked yet or has no answer, a value without its declared shape. Goes out: a reason in the message's
//! memory that costs nothing until somebody wants to read it: most are never read, since another dialect fits or another part of
//! a condition decides. [`Reasons`] is the same for people and for whoever asks facts.

use std::collections::{BTreeSet, HashSet};

use bumpalo::Bump;

use crate::body::Raw;
use crate::fact::FactKey;
use crate::graph::Path;
use crate::matcher::Matcher;
use crate::types::Type;

/// Why a place is open.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Open<'m> {
    /// A fact to ask, and its key.
    Needs(&'m str, &'m str),
    /// A fact that was asked, must have an answer and has none.
    Unanswered(&'m str, &'m str),
    Misfit(Misfit<'m>),
    /// Both, and whether nothing but unanswered facts is among them.
    Both(&'m Open<'m>, &'m Open<'m>, Only),
}

/// What keeps a value open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Only {
    /// Facts that have no answer: an `else` may decide.
    Unanswered,
    /// Something else too.
    More,
}

/// How a value misses its declared shape.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Misfit<'m> {
    Text(&'m str),
    /// Absent or null, where something must be.
    Missing(&'m Path, &'static str, &'m Type),
    /// Something of another type.
    Mismatch(&'m Path, Raw<'m>, &'m Type),
    /// A record without a field.
    NoField(&'m Path, &'m str, &'m Type),
    /// Before this step stands no object.
    NoObject(&'m Path, usize, Raw<'m>),
    /// Before this step stands no list.
    NoList(&'m Path, usize, Raw<'m>),
}

impl<'m> Open<'m> {
    pub(crate) fn only(&self) -> Only {
        match self {
            Self::Unanswered(..) => Only::Unanswered,
            Self::Needs(..) | Self::Misfit(_) => Only::More,
            Self::Both(_, _, only) => *only,
        }
    }

    pub(crate) fn with(&'m self, other: &'m Self, memory: &'m Bump) -> &'m Self {
        if std::ptr::eq(self, other) {
            return self;
        }
        let only = if self.only() == other.only() { self.only() } else { Only::More };
        memory.alloc(Self::Both(self, other, only))
    }
}

/// The reasons, each once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reasons {
    /// Facts to ask.
    pub(crate) needs: BTreeSet<FactKey>,
    /// Facts that were asked, must have an answer and have none: undecided.
    pub(crate) unanswered: BTreeSet<FactKey>,
    /// Values without their declared shape, for people.
    pub(crate) misfits: BTreeSet<String>,
}

impl Reasons {
    pub(crate) fn of(open: &Open<'_>, matcher: &Matcher) -> Self {
        Self::counted(open, matcher).0
    }

    /// The same, and how many reasons were looked at.
    pub(crate) fn counted(open: &Open<'_>, matcher: &Matcher) -> (Self, usize) {
        let mut reasons = Self::default();
        let key = |fact: &str, key: &str| FactKey { fact: fact.to_owned(), key: key.to_owned() };
        let mut seen: HashSet<*const Open<'_>> = HashSet::new();
        let mut left = vec![open];
        while let Some(open) = left.pop() {
            if !seen.insert(std::ptr::from_ref(open)) {
                continue;
            }
            match open {
                Open::Needs(fact, of) => drop(reasons.needs.insert(key(fact, of))),
                Open::Unanswered(fact, of) => drop(reasons.unanswered.insert(key(fact, of))),
                Open::Misfit(misfit) => drop(reasons.misfits.insert(misfit.text(matcher))),
                Open::Both(a, b, _) => left.extend([*a, *b]),
            }
        }
        (reasons, seen.len())
    }

    pub(crate) fn misfits_text(&self) -> String {
        self.misfits.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn wait(&self) -> bool {
        !self.needs.is_empty() || !self.unanswered.is_empty()
    }
}

impl Misfit<'_> {
    fn text(&self, matcher: &Matcher) -> String {
        let phrase = |ty: &Type| matcher.declared.shapes().type_phrase(ty);
        let way = |path: &Path, to: usize| path.steps.get(..to).unwrap_or_default().join(".");
        match self {
            Self::Text(text) => (*text).to_owned(),
            Self::Missing(path, how, ty) => {
                format!("`{}` is {how}, {} was expected", path.shown(), phrase(ty))
            }
            Self::Mismatch(path, raw, ty) => {
                format!("`{}` is {}, {} was expected", path.shown(), raw.sketch(), phrase(ty))
            }
            Self::NoField(path, field, ty) => {
                format!("`{}.{field}` is missing, {} was expected", path.shown(), phrase(ty))
            }
            Self::NoObject(path, at, raw) => {
                let step = path.steps.get(*at).map(String::as_str).unwrap_or_default();
                format!("`{}` is {}, an object with `{step}` was expected", way(path, *at), raw.sketch())
            }
            Self::NoList(path, at, raw) => {
                format!("`{}` is {}, a list was expected", way(path, *at), raw.sketch())
            }
        }
    }
}
