//! A tree that stands somewhere else.
//!
//! Comes in: items, and how far the text before them grew or shrank. Goes out: the same items, with every place moved. Each
//! struct is taken apart field by field, so that no new place can be forgotten.

use crate::tree::*;

/// What holds places.
pub(crate) trait Shift {
    /// Moves every place by so many bytes; backwards as a wrapping number.
    fn shift(&mut self, by: u32);
}

impl Shift for Span {
    fn shift(&mut self, by: u32) {
        self.start = self.start.wrapping_add(by);
        self.end = self.end.wrapping_add(by);
    }
}

impl<T: Shift> Shift for Vec<T> {
    fn shift(&mut self, by: u32) {
        self.iter_mut().for_each(|each| each.shift(by));
    }
}

impl Shift for Names {
    fn shift(&mut self, by: u32) {
        self.iter_mut().for_each(|each| each.shift(by));
    }
}

impl<T: Shift> Shift for Option<T> {
    fn shift(&mut self, by: u32) {
        self.iter_mut().for_each(|each| each.shift(by));
    }
}

impl<T: Shift> Shift for Box<T> {
    fn shift(&mut self, by: u32) {
        (**self).shift(by);
    }
}

impl<A: Shift, B: Shift> Shift for (A, B) {
    fn shift(&mut self, by: u32) {
        self.0.shift(by);
        self.1.shift(by);
    }
}

impl Shift for SyntaxError {
    fn shift(&mut self, by: u32) {
        let Self { span, kind } = self;
        span.shift(by);
        if let SyntaxErrorKind::WrongBracket(open) = kind {
            open.shift(by);
        }
    }
}

impl Shift for Name {
    fn shift(&mut self, by: u32) {
        let Self { text: _, span } = self;
        span.shift(by);
    }
}

impl Shift for Item {
    fn shift(&mut self, by: u32) {
        let Self { span, doc: _, kind } = self;
        span.shift(by);
        match kind {
            ItemKind::Rule(rule) => rule.shift(by),
            ItemKind::Event(event) => event.shift(by),
            ItemKind::Record(Record { name, fields, identity }) => {
                name.shift(by);
                fields.shift(by);
                identity.shift(by);
            }
            ItemKind::Enum(Enum { name, values }) => {
                name.shift(by);
                values.shift(by);
            }
            ItemKind::Fact(Fact { on, name, ty, key }) => {
                on.shift(by);
                name.shift(by);
                ty.shift(by);
                key.shift(by);
            }
            ItemKind::Task(task) => task.shift(by),
            ItemKind::Let(Let { name, value }) => {
                name.shift(by);
                value.shift(by);
            }
            ItemKind::Use(path) => path.shift(by),
            ItemKind::Test(test) => test.shift(by),
        }
    }
}

impl Shift for Rule {
    fn shift(&mut self, by: u32) {
        let Self { name, event, condition, calls, axes, except, clauses } = self;
        name.shift(by);
        match event {
            Waits::Event(name) | Waits::Topic(name) => name.shift(by),
        }
        condition.shift(by);
        calls.shift(by);
        axes.shift(by);
        except.shift(by);
        clauses.shift(by);
    }
}

impl Shift for Call {
    fn shift(&mut self, by: u32) {
        let Self { task, arguments } = self;
        task.shift(by);
        arguments.shift(by);
    }
}

impl Shift for AxisDecl {
    fn shift(&mut self, by: u32) {
        let Self { name, source } = self;
        name.shift(by);
        source.shift(by);
    }
}

impl Shift for Clause {
    fn shift(&mut self, by: u32) {
        let Self { span, kind } = self;
        span.shift(by);
        match kind {
            ClauseKind::Once { key, .. }
            | ClauseKind::Quiet { key, .. }
            | ClauseKind::Superseding { key } => {
                key.shift(by);
            }
            ClauseKind::Group { name, .. } | ClauseKind::Priority(name) => name.shift(by),
            ClauseKind::AtMost { .. } | ClauseKind::Timeout(_) | ClauseKind::MayLoop => {}
        }
    }
}

impl Shift for Event {
    fn shift(&mut self, by: u32) {
        let Self { name, values, dialects, deprecated } = self;
        name.shift(by);
        values.shift(by);
        dialects.shift(by);
        deprecated.shift(by);
    }
}

impl Shift for ValueDecl {
    fn shift(&mut self, by: u32) {
        let Self { doc: _, varies: _, name, ty } = self;
        name.shift(by);
        ty.shift(by);
    }
}

impl Shift for Dialect {
    fn shift(&mut self, by: u32) {
        let Self { name, doc: _, topics, conditions, body, subjects, happening, values, deprecated } = self;
        name.shift(by);
        topics.shift(by);
        conditions.shift(by);
        body.shift(by);
        subjects.shift(by);
        if let Some(HappeningDecl { span, key, within_ms: _ }) = happening {
            span.shift(by);
            key.shift(by);
        }
        values.shift(by);
        deprecated.shift(by);
    }
}

impl Shift for ValueExpr {
    fn shift(&mut self, by: u32) {
        match self {
            Self::Expr(expr) => expr.shift(by),
            Self::Record(span, fields) => {
                span.shift(by);
                fields.shift(by);
            }
        }
    }
}

impl Shift for Field {
    fn shift(&mut self, by: u32) {
        let Self { doc: _, name, ty } = self;
        name.shift(by);
        ty.shift(by);
    }
}

impl Shift for TypeExpr {
    fn shift(&mut self, by: u32) {
        let Self { span, kind, optional: _ } = self;
        span.shift(by);
        match kind {
            TypeKind::Named(_) => {}
            TypeKind::List(item) => item.shift(by),
            TypeKind::Shape(fields) => fields.shift(by),
        }
    }
}

impl Shift for Task {
    fn shift(&mut self, by: u32) {
        let Self { name, params, repository, emits } = self;
        name.shift(by);
        params.shift(by);
        repository.shift(by);
        emits.shift(by);
    }
}

impl Shift for ParamDecl {
    fn shift(&mut self, by: u32) {
        let Self { doc: _, name, ty, default } = self;
        name.shift(by);
        ty.shift(by);
        default.shift(by);
    }
}

impl Shift for StaticText {
    fn shift(&mut self, by: u32) {
        match self {
            Self::Literal(name) => name.shift(by),
            Self::Path(path) => path.shift(by),
        }
    }
}

impl Shift for Test {
    fn shift(&mut self, by: u32) {
        let Self { name, event, topic, given, facts, expects } = self;
        name.shift(by);
        event.shift(by);
        topic.shift(by);
        match given {
            Given::File(name) | Given::Json(name) => name.shift(by),
        }
        facts.shift(by);
        expects.shift(by);
    }
}

impl Shift for WithFact {
    fn shift(&mut self, by: u32) {
        let Self { path, key, value } = self;
        path.shift(by);
        key.shift(by);
        value.shift(by);
    }
}

impl Shift for Expect {
    fn shift(&mut self, by: u32) {
        let Self { span, kind } = self;
        span.shift(by);
        match kind {
            ExpectKind::Run(call) | ExpectKind::NoRun(call) => call.shift(by),
            ExpectKind::Nothing | ExpectKind::NothingElse | ExpectKind::Quarantine => {}
        }
    }
}

impl Shift for Expr {
    fn shift(&mut self, by: u32) {
        let Self { span, kind } = self;
        span.shift(by);
        match kind {
            ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Text(_)
            | ExprKind::Duration(_) => {}
            ExprKind::List(parts) | ExprKind::And(parts) | ExprKind::Or(parts) => parts.shift(by),
            ExprKind::Path(names) => names.shift(by),
            ExprKind::Apply(name, arguments) => {
                name.shift(by);
                arguments.shift(by);
            }
            ExprKind::Else(a, b) | ExprKind::Compare(_, a, b) | ExprKind::In(a, b) => {
                a.shift(by);
                b.shift(by);
            }
            ExprKind::Like(of, pattern) | ExprKind::Matches(of, pattern) => {
                of.shift(by);
                pattern.shift(by);
            }
            ExprKind::Has(of) | ExprKind::Is(of, _) | ExprKind::Not(of) => of.shift(by),
            ExprKind::Quantified { quantifier: _, name, list, condition } => {
                name.shift(by);
                list.shift(by);
                condition.shift(by);
            }
            ExprKind::Count { name, list, condition } => {
                name.shift(by);
                list.shift(by);
                condition.shift(by);
            }
        }
    }
}
