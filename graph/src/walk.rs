//! Which expressions refer to which: for whoever walks through a graph.
//!
//! Comes in: a rule, its clauses or an expression. Goes out: the places of the expressions that it reads directly. Nothing is
//! evaluated.

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
}
