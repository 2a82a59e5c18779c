//! Which expressions refer to which: for whoever walks through a graph.
//!
//! Comes in: a rule, its clauses or an expression. Goes out: the places of the expressions that it reads directly, also to be
//! changed by whoever moves expressions. Nothing is evaluated.

use crate::graph::{ArgumentSource, Clauses, Expr, ExprId, Rule};

impl Rule {
    /// Calls `visit` with every expression that it reads directly.
    pub fn exprs(&self, visit: &mut impl FnMut(ExprId)) {
        self.condition.into_iter().for_each(&mut *visit);
        self.axes.iter().for_each(|axis| visit(axis.list));
        for source in self.actions.iter().flat_map(|a| &a.arguments) {
            if let ArgumentSource::Expr(id) = source {
                visit(*id);
            }
        }
        self.clauses.keys(visit);
    }
}

impl Rule {
    /// The same, to be changed.
    pub fn exprs_mut(&mut self, visit: &mut impl FnMut(&mut ExprId)) {
        self.condition.iter_mut().for_each(&mut *visit);
        self.axes.iter_mut().for_each(|axis| visit(&mut axis.list));
        for source in self.actions.iter_mut().flat_map(|action| &mut action.arguments) {
            if let ArgumentSource::Expr(id) = source {
                visit(id);
            }
        }
        let once = self.clauses.once.iter_mut().flat_map(|once| &mut once.key);
        let quiet = self.clauses.quiet.iter_mut().flat_map(|quiet| &mut quiet.key);
        once.chain(quiet).chain(self.clauses.superseding.iter_mut().flatten()).for_each(visit);
    }
}

impl Clauses {
    /// Calls `visit` with every value of a key.
    pub fn keys(&self, visit: &mut impl FnMut(ExprId)) {
        let once = self.once.iter().flat_map(|w| &w.key);
        let quiet = self.quiet.iter().flat_map(|w| &w.key);
        once.chain(quiet).chain(self.superseding.iter().flatten()).for_each(|id| visit(*id));
    }
}

impl Expr {
    /// Calls `visit` with each direct operand.
    pub fn operands(&self, visit: &mut impl FnMut(ExprId)) {
        match self {
            Self::Const(_) | Self::Path(_) | Self::EventValue(_) | Self::Bound(_) => {}
            Self::Field(a, _)
            | Self::Part(a, _)
            | Self::Fact(_, a)
            | Self::In(a, _)
            | Self::Like(a, _)
            | Self::Matches(a, _)
            | Self::Test(_, a)
            | Self::Not(a) => visit(*a),
            Self::Else(a, b) | Self::Compare(_, a, b) | Self::InList(a, b) | Self::Quantified(_, a, b) => {
                visit(*a);
                visit(*b);
            }
            Self::Count(list, condition) => {
                visit(*list);
                condition.iter().for_each(|c| visit(*c));
            }
            Self::MakeNvr(parts) => parts.iter().for_each(|p| visit(*p)),
            Self::MakeRecord(_, fields) => fields.iter().flatten().for_each(|f| visit(*f)),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|p| visit(*p)),
        }
    }

    /// Calls `visit` with each direct operand, to be changed.
    pub fn operands_mut(&mut self, visit: &mut impl FnMut(&mut ExprId)) {
        match self {
            Self::Const(_) | Self::Path(_) | Self::EventValue(_) | Self::Bound(_) => {}
            Self::Field(a, _)
            | Self::Part(a, _)
            | Self::Fact(_, a)
            | Self::In(a, _)
            | Self::Like(a, _)
            | Self::Matches(a, _)
            | Self::Test(_, a)
            | Self::Not(a) => visit(a),
            Self::Else(a, b) | Self::Compare(_, a, b) | Self::InList(a, b) | Self::Quantified(_, a, b) => {
                visit(a);
                visit(b);
            }
            Self::Count(list, condition) => {
                visit(list);
                condition.iter_mut().for_each(visit);
            }
            Self::MakeNvr(parts) => parts.iter_mut().for_each(visit),
            Self::MakeRecord(_, fields) => fields.iter_mut().flatten().for_each(visit),
            Self::And(parts) | Self::Or(parts) => parts.iter_mut().for_each(visit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Action, Axis, CompareOp, Once, Part, Quantifier, Quiet, Scope, Test};
    use crate::value::Value;

    #[test]
    fn what_is_to_be_changed_is_what_is_read() {
        let exprs = [
            Expr::Const(Value::Bool(true)),
            Expr::Path(9),
            Expr::EventValue(9),
            Expr::Bound(9),
            Expr::Field(1, 9),
            Expr::Part(1, Part::Name),
            Expr::MakeRecord(9, vec![Some(1), None, Some(2)]),
            Expr::MakeNvr([1, 2, 3]),
            Expr::Fact(9, 1),
            Expr::Else(1, 2),
            Expr::Compare(CompareOp::Less, 1, 2),
            Expr::In(1, [].into()),
            Expr::InList(1, 2),
            Expr::Like(1, String::new()),
            Expr::Matches(1, String::new()),
            Expr::Test(Test::Has, 1),
            Expr::Not(1),
            Expr::And(vec![1, 2]),
            Expr::Or(vec![1, 2]),
            Expr::Quantified(Quantifier::Any, 1, 2),
            Expr::Count(1, Some(2)),
            Expr::Count(1, None),
        ];
        for mut expr in exprs {
            let (mut read, mut changed) = (Vec::new(), Vec::new());
            expr.operands(&mut |id| read.push(id));
            expr.operands_mut(&mut |id| changed.push(*id));
            assert_eq!(read, changed, "{expr:?}");
        }
        let clauses = Clauses {
            once: Some(Once { key: vec![4], within_seconds: 1 }),
            quiet: Some(Quiet { key: vec![5], for_seconds: 1 }),
            superseding: Some(vec![6]),
            ..Clauses::default()
        };
        let mut rule = Rule {
            name: String::new(),
            event: 0,
            scope: Scope::Message,
            condition: Some(1),
            axes: vec![Axis { name: String::new(), list: 2 }],
            except: Vec::new(),
            actions: vec![Action {
                task: 0,
                arguments: vec![ArgumentSource::Axis(9), ArgumentSource::Expr(3)],
            }],
            clauses,
        };
        let (mut read, mut changed) = (Vec::new(), Vec::new());
        rule.exprs(&mut |id| read.push(id));
        rule.exprs_mut(&mut |id| changed.push(*id));
        assert_eq!(read, [1, 2, 3, 4, 5, 6]);
        assert_eq!(read, changed);
    }
}
