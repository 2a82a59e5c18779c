//! Formulas: literals on variables, joined by all and any, without negation above a literal.

use std::rc::Rc;

use super::predicate::Pred;

/// A condition on variables.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Formula {
    True,
    False,
    /// `holds`: the predicate, else its opposite; what is missing holds none of them but `IsNull` and `IsAbsent`.
    Literal {
        variable: usize,
        pred: Rc<Pred>,
        holds: bool,
    },
    All(Vec<Formula>),
    Any(Vec<Formula>),
}

impl Formula {
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let mut out = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::True => {}
                Self::False => return Self::False,
                Self::All(more) => out.extend(more),
                other => out.push(other),
            }
        }
        match out.len() {
            0 => Self::True,
            1 => out.pop().unwrap_or(Self::True),
            _ => Self::All(out),
        }
    }

    pub(super) fn any(parts: Vec<Self>) -> Self {
        let mut out = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::False => {}
                Self::True => return Self::True,
                Self::Any(more) => out.extend(more),
                other => out.push(other),
            }
        }
        match out.len() {
            0 => Self::False,
            1 => out.pop().unwrap_or(Self::False),
            _ => Self::Any(out),
        }
    }

    pub(super) const fn constant(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }
}
