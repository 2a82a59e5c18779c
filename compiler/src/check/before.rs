//! Rules that were checked before.
//!
//! Comes in: the typed rules of the last program, and which rules of this one are the same. Goes out: for such a rule its typed
//! form, moved to where it stands now. A rule about which anything was told is not among them: it is told again.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::vec::IntoIter;

use taskbot_graph::Place;

use crate::typed::{Moved, TypedExpr, TypedRule};

/// How a rule was checked.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    /// Its place among all rules.
    pub(crate) at: usize,
    /// The lets that it reads; none if something was told about it.
    pub(super) lets: Option<BTreeSet<String>>,
    /// Its place among all rules of the last program, if it is the same as there.
    pub(crate) was: Option<usize>,
}

/// The rules of the last program, in order.
#[derive(Default)]
pub(crate) struct Before {
    rules: Option<Rules>,
    /// For each rule of this program its place among those of the last one, rising.
    places: Vec<Option<usize>>,
}

type Rules = Peekable<std::iter::Zip<IntoIter<TypedRule>, IntoIter<Checked>>>;

impl Before {
    pub(crate) fn new(rules: Vec<TypedRule>, checked: Vec<Checked>, places: Vec<Option<usize>>) -> Self {
        Self { rules: Some(rules.into_iter().zip(checked).peekable()), places }
    }

    /// Where a rule that is the same as before was, its typed form, and the lets that it reads.
    pub(super) fn take(&mut self, at: usize) -> Option<(usize, TypedRule, BTreeSet<String>)> {
        let was = (*self.places.get(at)?)?;
        let rules = self.rules.as_mut()?;
        while rules.next_if(|(_, checked)| checked.at < was).is_some() {}
        let (rule, checked) = rules.next_if(|(_, checked)| checked.at == was)?;
        checked.lets.map(|lets| (was, rule, lets))
    }
}

/// Moves a rule.
pub(super) fn move_to(rule: &mut TypedRule, place: Place) {
    let from = std::mem::replace(&mut rule.place, place);
    if from == place {
        return;
    }
    let moved = Moved { from, to: place };
    let mut shift = |at: &mut Place| moved.shift(at);
    rule.exprs_mut().for_each(|expr| each_place(expr, &mut shift));
}

fn each_place(expr: &mut TypedExpr, visit: &mut impl FnMut(&mut Place)) {
    visit(&mut expr.place);
    expr.operands_mut(&mut |operand| each_place(operand, visit));
}
