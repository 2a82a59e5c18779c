//! The search for values that satisfy a formula.
//!
//! Comes in: a formula over a problem's variables. Goes out: a sample for each variable that the formula speaks of, a proof that there
//! is none, or neither, when the search grew beyond its bound. Literals are taken at once, alternatives are tried one by one, the
//! fewest first; a variable that contradicts itself ends a branch.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Verdict;
use super::domain::{self, Sample};
use super::formula::Formula;
use super::predicate::{Pred, Said};
use super::variable::Problem;

/// Branches that are looked at before the search gives up.
const BRANCHES: usize = 2_000;

/// A sample for each variable that matters.
pub(super) type Model = BTreeMap<usize, Sample>;

type Literals = BTreeMap<usize, Vec<(Rc<Pred>, bool)>>;

/// Searches for a model.
pub(super) fn solve(problem: &Problem<'_>, formula: Formula) -> Verdict<Model> {
    let mut search = Search { problem, branches: 0 };
    search.go(Literals::new(), Vec::new(), vec![formula])
}

struct Search<'p, 'g> {
    problem: &'p Problem<'g>,
    branches: usize,
}

impl Search<'_, '_> {
    fn go(
        &mut self,
        mut literals: Literals,
        mut open: Vec<Vec<Formula>>,
        mut todo: Vec<Formula>,
    ) -> Verdict<Model> {
        self.branches = self.branches.saturating_add(1);
        if self.branches > BRANCHES {
            return Verdict::Unknown;
        }
        let mut touched = Vec::new();
        while let Some(formula) = todo.pop() {
            match formula {
                Formula::True => {}
                Formula::False => return Verdict::Impossible,
                Formula::Literal { variable, pred, holds } => {
                    let said = literals.entry(variable).or_default();
                    if !said.iter().any(|(p, h)| *p == pred && *h == holds) {
                        said.push((pred, holds));
                        touched.push(variable);
                    }
                }
                Formula::All(parts) => todo.extend(parts),
                Formula::Any(parts) => open.push(parts),
            }
        }
        for variable in touched {
            if self.sample(variable, &literals).is_impossible() {
                return Verdict::Impossible;
            }
        }
        let fewest = open.iter().enumerate().min_by_key(|(_, parts)| parts.len()).map(|(at, _)| at);
        let Some(at) = fewest else { return self.model(&literals) };
        let mut unknown = false;
        for part in open.swap_remove(at) {
            match self.go(literals.clone(), open.clone(), vec![part]) {
                Verdict::Possible(model) => return Verdict::Possible(model),
                Verdict::Unknown => unknown = true,
                Verdict::Impossible => {}
            }
        }
        if unknown { Verdict::Unknown } else { Verdict::Impossible }
    }

    fn sample(&self, variable: usize, literals: &Literals) -> Verdict<Sample> {
        let Some(known) = self.problem.variables.get(variable) else { return Verdict::Unknown };
        let said: Vec<Said<'_>> =
            literals.get(&variable).into_iter().flatten().map(|(pred, holds)| (&**pred, *holds)).collect();
        domain::sample(known, self.problem.enums, self.problem.texts, &said)
    }

    fn model(&self, literals: &Literals) -> Verdict<Model> {
        let mut model = Model::new();
        let mut unknown = false;
        for variable in literals.keys() {
            match self.sample(*variable, literals) {
                Verdict::Possible(sample) => drop(model.insert(*variable, sample)),
                Verdict::Impossible => return Verdict::Impossible,
                Verdict::Unknown => unknown = true,
            }
        }
        if unknown { Verdict::Unknown } else { Verdict::Possible(model) }
    }
}
