//! Analyses of conditions: can one be true at all, is it always, does one imply another, and on which message?
//!
//! Comes in: the compiled graph. Goes out: a proof, or a message, or nothing. Conditions become formulas over the paths of a
//! dialect (`reading`), each path with what may stand there (`domain`: finite sets, intervals; `text`: automata of globs and regular
//! expressions); `solve` searches for values that fit; `witness` makes a message of them, and lets the matcher check it. What
//! cannot be decided within the bounds is `Unknown`: nobody is told a guess.

mod domain;
mod formula;
mod loops;
mod predicate;
mod reading;
mod solve;
mod text;
mod variable;
mod witness;

use std::cell::RefCell;
use std::collections::HashMap;

use taskbot_graph::{Dialect, ExprId, Graph};

use formula::Formula;
pub(crate) use loops::loops;
use variable::Problem;
pub use witness::{Beside, RuleOf, Witness, witness};

/// Whether something that is asked for can be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict<T> {
    /// It can, for example so.
    Possible(T),
    /// It cannot: proven.
    Impossible,
    /// Not decided within the bounds.
    Unknown,
}

impl<T> Verdict<T> {
    pub(crate) const fn is_impossible(&self) -> bool {
        matches!(self, Self::Impossible)
    }
}

/// Which values of an enum are considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Enums {
    /// Those that it lists, and one that upstream invents.
    Open,
    /// Those that it lists.
    Listed,
}

/// A condition and the truth that it is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    True(ExprId),
    False(ExprId),
}

/// A graph under analysis, with what was found of texts so far.
pub(crate) struct Analysis<'g> {
    graph: &'g Graph,
    texts: text::Known,
    /// What was found of single conditions: rules share parts, and lints ask the same of them.
    alone: RefCell<HashMap<(u32, Wanted, Enums), Verdict<()>>>,
}

impl<'g> Analysis<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        Self { graph, texts: text::Known::default(), alone: RefCell::default() }
    }

    /// Whether conditions of one event can have the wanted truths on one message together, in any of its dialects.
    pub(crate) fn possible(&self, event: u32, wanted: &[Wanted], enums: Enums) -> Verdict<()> {
        let [one] = wanted else { return self.search(event, wanted, enums) };
        // What listed values make possible is possible.
        if enums == Enums::Open && self.possible(event, wanted, Enums::Listed) == Verdict::Possible(()) {
            return Verdict::Possible(());
        }
        let key = (event, *one, enums);
        if let Some(known) = self.alone.borrow().get(&key) {
            return known.clone();
        }
        let found = self.search(event, wanted, enums);
        self.alone.borrow_mut().insert(key, found.clone());
        found
    }

    fn search(&self, event: u32, wanted: &[Wanted], enums: Enums) -> Verdict<()> {
        let mut unknown = false;
        for dialect in self.graph.events.get(event as usize).into_iter().flat_map(|e| &e.dialects) {
            match self.possible_in(dialect, wanted, enums) {
                Verdict::Possible(()) => return Verdict::Possible(()),
                Verdict::Unknown => unknown = true,
                Verdict::Impossible => {}
            }
        }
        if unknown { Verdict::Unknown } else { Verdict::Impossible }
    }

    fn possible_in(&self, dialect: &Dialect, wanted: &[Wanted], enums: Enums) -> Verdict<()> {
        let mut problem = Problem::new(vec![self.graph], enums, &self.texts);
        let condition = dialect.condition.map(|c| problem.formula(0, dialect, c, true));
        let mut all: Vec<Formula> = condition.into_iter().collect();
        all.extend(wanted.iter().map(|wanted| match wanted {
            Wanted::True(id) => problem.formula(0, dialect, *id, true),
            Wanted::False(id) => problem.formula(0, dialect, *id, false),
        }));
        match solve::solve(&problem, Formula::all(all)) {
            Verdict::Possible(_) => Verdict::Possible(()),
            Verdict::Impossible => Verdict::Impossible,
            Verdict::Unknown => Verdict::Unknown,
        }
    }
}
