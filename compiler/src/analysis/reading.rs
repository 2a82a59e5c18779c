//! Conditions as formulas.
//!
//! Comes in: an expression of the graph, the dialect through which it is read, and the truth it is to have. Goes out: a formula that
//! can be satisfied wherever the expression can have that truth. Defaults (`else`), values that a dialect makes of others and
//! values that it does not give are written out.

use std::rc::Rc;
use std::sync::Arc;

use taskbot_graph::{
    CompareOp, Dialect, Expr, ExprId, Glob, Nvr, Part, Pattern, Presence, Quantifier, Test, Type, Value,
};

use super::formula::Formula;
use super::predicate::{Pred, compare};
use super::solve;
use super::variable::{Problem, Source, source_of};

/// What an operand is.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Variable(usize),
    Const(Value),
    /// Not given by this dialect.
    Missing,
    Else(Box<Term>, Box<Term>),
    Nvr(Box<[Term; 3]>),
    Record(Vec<Option<Term>>),
}

/// One expression on its way to a formula.
struct Reading<'p, 'g> {
    problem: &'p mut Problem<'g>,
    graph: usize,
    dialect: &'p Dialect,
    /// Types of the elements that quantifiers around are at, outermost first.
    bound: Vec<Type>,
}

impl<'g> Problem<'g> {
    /// The formula of an expression that is to be true (`holds`) or false.
    pub(super) fn formula(&mut self, graph: usize, dialect: &Dialect, id: ExprId, holds: bool) -> Formula {
        Reading { problem: self, graph, dialect, bound: Vec::new() }.formula(id, holds)
    }

    /// The formula of a condition on one element of a list.
    pub(super) fn of_element(
        &mut self,
        graph: usize,
        dialect: &Dialect,
        item: &Type,
        condition: ExprId,
        holds: bool,
    ) -> Formula {
        Reading { problem: self, graph, dialect, bound: vec![item.clone()] }.formula(condition, holds)
    }

    /// An operand as a term.
    pub(super) fn term(&mut self, graph: usize, dialect: &Dialect, id: ExprId) -> Term {
        Reading { problem: self, graph, dialect, bound: Vec::new() }.term(id)
    }
}

impl<'g> Reading<'_, 'g> {
    fn expr(&self, id: ExprId) -> Option<&'g Expr> {
        self.problem.graphs.get(self.graph)?.exprs.get(id as usize)
    }

    fn formula(&mut self, id: ExprId, holds: bool) -> Formula {
        let Some(expr) = self.expr(id) else { return self.whole(id, &Type::Bool, holds) };
        match expr {
            Expr::Not(of) => self.formula(*of, !holds),
            Expr::And(parts) | Expr::Or(parts) => {
                let formulas: Vec<Formula> = parts.iter().map(|part| self.formula(*part, holds)).collect();
                if matches!(expr, Expr::And(_)) == holds {
                    Formula::all(formulas)
                } else {
                    Formula::any(formulas)
                }
            }
            Expr::Compare(op, a, b) => {
                let (a, b) = (self.term(*a), self.term(*b));
                match (a, b) {
                    (a, Term::Const(b)) => self.compared(id, a, *op, &b, holds),
                    (Term::Const(a), b) => self.compared(id, b, turned(*op), &a, holds),
                    _ => self.whole(id, &Type::Bool, holds),
                }
            }
            Expr::In(of, set) => {
                let of = self.term(*of);
                let test = |v: &Value| set.iter().any(|x| x.same(v));
                self.single(id, of, &Pred::In(Arc::clone(set)), &test, holds)
            }
            Expr::Like(of, text) => {
                let (of, glob) = (self.term(*of), Glob::new(text));
                let test = |v: &Value| glob.as_ref().is_ok_and(|g| g.matches(&v.text()));
                self.single(id, of, &Pred::Like(text.clone()), &test, holds)
            }
            Expr::Matches(of, text) => {
                let (of, pattern) = (self.term(*of), Pattern::new(text));
                let test = |v: &Value| pattern.as_ref().is_ok_and(|p| p.matches(&v.text()));
                self.single(id, of, &Pred::Matches(text.clone()), &test, holds)
            }
            Expr::InList(of, list) => match (self.term(*of), self.term(*list)) {
                (Term::Const(value), list @ Term::Variable(_)) => {
                    self.single(id, list, &Pred::Contains(value), &|_| false, holds)
                }
                _ => self.whole(id, &Type::Bool, holds),
            },
            Expr::Test(test, of) => {
                let of = self.term(*of);
                self.tested(*test, of, holds)
            }
            Expr::Quantified(quantifier, list, condition) => {
                self.quantified(id, *quantifier, *list, *condition, holds)
            }
            _ => {
                let term = self.term(id);
                let test = |v: &Value| *v == Value::Bool(true);
                self.single(id, term, &Pred::Holds, &test, holds)
            }
        }
    }

    /// A condition on elements: simple where no element, or every element, can hold it.
    fn quantified(
        &mut self,
        id: ExprId,
        quantifier: Quantifier,
        list: ExprId,
        condition: ExprId,
        holds: bool,
    ) -> Formula {
        let item = match self.term(list) {
            Term::Variable(list) => match self.problem.variables.get(list).map(|v| &v.ty) {
                Some(Type::List(item)) => Some((**item).clone()),
                _ => None,
            },
            _ => None,
        };
        if let Some(item) = item {
            let mut inner = Problem::new(self.problem.graphs.clone(), self.problem.enums, self.problem.texts);
            let mut reading = Reading {
                problem: &mut inner,
                graph: self.graph,
                dialect: self.dialect,
                bound: self.bound.clone(),
            };
            reading.bound.push(item);
            let wanted = reading.formula(condition, quantifier != Quantifier::All);
            if solve::solve(&inner, wanted).is_impossible() {
                return Formula::constant((quantifier != Quantifier::Any) == holds);
            }
        }
        self.whole(id, &Type::Bool, holds)
    }

    /// Something that is only looked at as a whole.
    fn whole(&mut self, id: ExprId, ty: &Type, holds: bool) -> Formula {
        let variable = self.whole_variable(id, ty);
        Formula::Literal { variable, pred: Rc::new(Pred::Holds), holds }
    }

    fn whole_variable(&mut self, id: ExprId, ty: &Type) -> usize {
        let source = Source::Whole { graph: self.graph, expr: id };
        self.problem.variable(source, ty, self.graph, Presence::Required)
    }

    /// A predicate on a term; `test` decides it for a constant.
    fn single(
        &mut self,
        id: ExprId,
        term: Term,
        pred: &Pred,
        test: &dyn Fn(&Value) -> bool,
        holds: bool,
    ) -> Formula {
        match term {
            Term::Const(value) => Formula::constant(test(&value) == holds),
            Term::Missing => Formula::constant(!holds),
            Term::Variable(variable) => Formula::Literal { variable, pred: Rc::new(pred.clone()), holds },
            Term::Else(first, second) => {
                let there = self.tested(Test::Has, (*first).clone(), true);
                let gone = self.tested(Test::Has, (*first).clone(), false);
                let with = self.single(id, *first, pred, test, holds);
                let without = self.single(id, *second, pred, test, holds);
                Formula::any(vec![Formula::all(vec![there, with]), Formula::all(vec![gone, without])])
            }
            Term::Nvr(_) | Term::Record(_) => self.whole(id, &Type::Bool, holds),
        }
    }

    fn compared(&mut self, id: ExprId, term: Term, op: CompareOp, value: &Value, holds: bool) -> Formula {
        if let (Term::Nvr(parts), Value::Nvr(nvr)) = (&term, value)
            && matches!(op, CompareOp::Equal | CompareOp::NotEqual)
        {
            let equal = (op == CompareOp::Equal) == holds;
            let Nvr { name, version, release } = &**nvr;
            let texts = [name, version, release].map(|t| Value::Text(t.as_str().into()));
            let parts = parts.iter().cloned().zip(texts);
            let parts: Vec<Formula> =
                parts.map(|(part, text)| self.compared(id, part, CompareOp::Equal, &text, equal)).collect();
            return if equal { Formula::all(parts) } else { Formula::any(parts) };
        }
        let test = |v: &Value| compare(op, v, value);
        self.single(id, term, &Pred::Compare(op, value.clone()), &test, holds)
    }

    fn tested(&mut self, test: Test, term: Term, holds: bool) -> Formula {
        let pred = match test {
            Test::Has => Pred::Has,
            Test::IsNull => Pred::IsNull,
            Test::IsAbsent => Pred::IsAbsent,
        };
        match term {
            Term::Variable(variable) => Formula::Literal { variable, pred: Rc::new(pred), holds },
            Term::Missing => Formula::constant((test == Test::IsAbsent) == holds),
            Term::Const(_) | Term::Nvr(_) | Term::Record(_) => {
                Formula::constant((test == Test::Has) == holds)
            }
            Term::Else(first, second) => {
                let gone = self.tested(Test::Has, (*first).clone(), false);
                let there = self.tested(Test::Has, *first, true);
                let second = self.tested(test, *second, holds);
                let otherwise = Formula::all(vec![gone, second]);
                // The first is there: it is not null, not absent.
                if (test == Test::Has) == holds { Formula::any(vec![there, otherwise]) } else { otherwise }
            }
        }
    }

    fn term(&mut self, id: ExprId) -> Term {
        let Some(expr) = self.expr(id) else { return Term::Missing };
        match expr {
            Expr::Const(value) => Term::Const(value.clone()),
            Expr::Path(path) => {
                let found = self
                    .problem
                    .graphs
                    .get(self.graph)
                    .and_then(|g| Some((*g, g.paths.get(*path as usize)?)));
                let Some((graph, path)) = found else { return Term::Missing };
                let source = source_of(graph, path);
                Term::Variable(self.problem.variable(source, &path.ty, self.graph, path.presence))
            }
            Expr::EventValue(at) => match self.dialect.values.get(*at as usize) {
                Some(Some(definition)) => self.term(*definition),
                _ => Term::Missing,
            },
            Expr::Bound(depth) => {
                let at = self.bound.len().checked_sub(1).and_then(|n| n.checked_sub(*depth as usize));
                let Some(ty) = at.and_then(|at| self.bound.get(at)).cloned() else { return Term::Missing };
                let place = u32::try_from(at.unwrap_or_default()).unwrap_or(u32::MAX);
                Term::Variable(self.problem.variable(
                    Source::Bound(place),
                    &ty,
                    self.graph,
                    Presence::Required,
                ))
            }
            Expr::Part(of, part) => {
                let of = self.term(*of);
                self.part(id, of, *part)
            }
            Expr::Field(of, at) => {
                let of = self.term(*of);
                self.field(id, of, *at)
            }
            Expr::Else(first, second) => {
                let (first, second) = (self.term(*first), self.term(*second));
                self.may_be_missing(&first);
                match first {
                    Term::Missing => second,
                    Term::Const(_) | Term::Nvr(_) | Term::Record(_) => first,
                    first => Term::Else(Box::new(first), Box::new(second)),
                }
            }
            Expr::MakeNvr(parts) => {
                let parts = parts.map(|part| self.term(part));
                Term::Nvr(Box::new(parts))
            }
            Expr::MakeRecord(_, fields) => {
                Term::Record(fields.iter().map(|f| f.map(|f| self.term(f))).collect())
            }
            Expr::Fact(fact, key) => {
                let key = self.term(*key);
                let declared = self.problem.graphs.get(self.graph).and_then(|g| g.facts.get(*fact as usize));
                let (Some(declared), Term::Variable(key)) = (declared, key) else {
                    return Term::Variable(self.whole_variable(id, &Type::Anything));
                };
                let Some(key) = self.problem.variables.get(key).map(|v| v.source.clone()) else {
                    return Term::Missing;
                };
                let source = Source::Fact(declared.name.clone(), Box::new(key));
                Term::Variable(self.problem.variable(source, &declared.ty, self.graph, declared.presence))
            }
            Expr::Count(..) => Term::Variable(self.whole_variable(id, &Type::Int)),
            _ => Term::Variable(self.whole_variable(id, &Type::Bool)),
        }
    }

    /// A required fact that has no answer gives way to an `else`.
    fn may_be_missing(&mut self, term: &Term) {
        if let Term::Variable(at) = term
            && let Some(variable) = self.problem.variables.get_mut(*at)
            && matches!(variable.source, Source::Fact(..))
        {
            variable.presence = Presence::Optional;
        }
    }

    fn part(&mut self, id: ExprId, of: Term, part: Part) -> Term {
        match of {
            Term::Variable(at) => {
                let Some(variable) = self.problem.variables.get(at).cloned() else { return Term::Missing };
                let presence = match (&variable.ty, part) {
                    (Type::Evr, Part::Release) => Presence::Optional,
                    _ => variable.presence,
                };
                let ty = if part == Part::Evr { Type::Evr } else { Type::String };
                let source = Source::Part(Box::new(variable.source), part);
                Term::Variable(self.problem.variable(source, &ty, self.graph, presence))
            }
            Term::Nvr(parts) => {
                let [name, version, release] = *parts;
                match part {
                    Part::Name => name,
                    Part::Version => version,
                    Part::Release => release,
                    Part::Evr => Term::Variable(self.whole_variable(id, &Type::Anything)),
                }
            }
            Term::Missing => Term::Missing,
            Term::Else(first, second) => {
                let (first, second) = (self.part(id, *first, part), self.part(id, *second, part));
                Term::Else(Box::new(first), Box::new(second))
            }
            Term::Const(_) | Term::Record(_) => Term::Variable(self.whole_variable(id, &Type::Anything)),
        }
    }

    fn field(&mut self, id: ExprId, of: Term, at: u32) -> Term {
        match of {
            Term::Record(fields) => fields.into_iter().nth(at as usize).flatten().unwrap_or(Term::Missing),
            Term::Variable(place) => {
                let Some(variable) = self.problem.variables.get(place).cloned() else { return Term::Missing };
                let graph = self.problem.graphs.get(self.graph);
                let field = match (&variable.ty, graph) {
                    (Type::Record(record), Some(graph)) => {
                        graph.records.get(*record as usize).and_then(|r| r.fields.get(at as usize))
                    }
                    _ => None,
                };
                let Some(field) = field else {
                    return Term::Variable(self.whole_variable(id, &Type::Anything));
                };
                let presence =
                    if field.presence == Presence::Optional { field.presence } else { variable.presence };
                let source = Source::Field(Box::new(variable.source), field.name.clone());
                Term::Variable(self.problem.variable(source, &field.ty, self.graph, presence))
            }
            Term::Missing => Term::Missing,
            _ => Term::Variable(self.whole_variable(id, &Type::Anything)),
        }
    }
}

/// The same comparison with its sides changed.
const fn turned(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Less => CompareOp::Greater,
        CompareOp::LessOrEqual => CompareOp::GreaterOrEqual,
        CompareOp::Greater => CompareOp::Less,
        CompareOp::GreaterOrEqual => CompareOp::LessOrEqual,
        equal => equal,
    }
}
