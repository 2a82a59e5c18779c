//! Expressions: names resolved, types known, optionals guarded.
//!
//! Comes in: an expression's tree, what its names may mean (`View`), and where known the type that is expected. Goes out: a typed
//! expression, or diagnostics. Guards narrow as they are read: through `and`, through `not has x or ...`, inside a quantifier.

use std::sync::Arc;

use taskbot_grammar::{CompareOp as TreeOp, Expr, ExprKind, Missing, Name, Quantifier as TreeQuantifier};
use taskbot_graph::{
    CompareOp, Evr, Glob, Nvr, Pattern, Place, Presence, Quantifier, Root as PathRoot, Test, Type, Value,
    parse_time,
};

use super::Checker;
use super::view::{RAW_BODY, Root, View, guards};
use crate::diagnostic::{
    Diagnostic, TB0205, TB0207, TB0208, TB0210, TB0301, TB0302, TB0303, TB0304, TB0305, TB0306, TB0308,
    TB0401,
};
use crate::typed::{TypedExpr, TypedKind};

fn const_expr(value: Value, ty: Type, place: Place) -> TypedExpr {
    TypedExpr { kind: TypedKind::Const(value), ty, presence: Presence::Required, place }
}

/// Whether it is read from a body that no event declares.
fn is_raw_path(expr: &TypedExpr) -> bool {
    matches!(&expr.kind, TypedKind::Path(path) if path.root == PathRoot::Raw)
}

impl Checker<'_, '_> {
    /// A condition: of type bool and surely there.
    pub(super) fn condition(&mut self, view: &mut View<'_>, expr: &Expr) -> Option<TypedExpr> {
        let typed = self.expr(view, expr, Some(&Type::Bool))?;
        if typed.ty != Type::Bool {
            let message =
                format!("a condition is true or false, this is of type {}", self.type_name(&typed.ty));
            self.report(&TB0306, typed.place, message, "no condition").help =
                Some("compare it with something".into());
            return None;
        }
        (is_raw_path(&typed) || self.present(&typed)).then_some(typed)
    }

    /// Reports a value that may be missing where it must not be.
    pub(super) fn present(&mut self, expr: &TypedExpr) -> bool {
        if expr.presence == Presence::Required {
            return true;
        }
        let diagnostic =
            Diagnostic::new(&TB0303, expr.place, "this value may be missing", "may be absent or null")
                .help("guard it with `has ... and`, or give a default with `else`");
        self.push(diagnostic);
        false
    }

    /// Reports names that are given twice.
    pub(super) fn once<'n>(&mut self, view: &View<'_>, names: impl Iterator<Item = &'n Name>, what: &str) {
        let mut seen: Vec<&Name> = Vec::new();
        for name in names {
            match seen.iter().find(|n| n.text == name.text) {
                Some(first) => {
                    let message = format!("the {what} `{}` is given twice", name.text);
                    let diagnostic =
                        Diagnostic::new(&TB0208, view.place(name.span), message, "the second time")
                            .other(view.place(first.span), "the first time");
                    self.push(diagnostic);
                }
                None => seen.push(name),
            }
        }
    }

    /// An expression. `expected` gives bare words and literals their type; it is not enforced on other expressions.
    pub(super) fn expr(
        &mut self,
        view: &mut View<'_>,
        expr: &Expr,
        expected: Option<&Type>,
    ) -> Option<TypedExpr> {
        let place = view.place(expr.span);
        let bool_expr = |kind| TypedExpr { kind, ty: Type::Bool, presence: Presence::Required, place };
        Some(match &expr.kind {
            ExprKind::Bool(b) => const_expr(Value::Bool(*b), Type::Bool, place),
            #[expect(clippy::cast_precision_loss, reason = "a float is what is expected here")]
            ExprKind::Int(n) if expected == Some(&Type::Float) => {
                const_expr(Value::Float(*n as f64), Type::Float, place)
            }
            ExprKind::Int(n) => const_expr(Value::Int(*n), Type::Int, place),
            ExprKind::Float(f) => const_expr(Value::Float(*f), Type::Float, place),
            ExprKind::Text(text) => self.text(text, place, expected)?,
            ExprKind::Duration(ms) => {
                let ms = i64::try_from(*ms).unwrap_or(i64::MAX);
                const_expr(Value::Duration(ms), Type::Duration, place)
            }
            ExprKind::List(items) => self.list(view, items, place, expected)?,
            ExprKind::Path(names) => self.path(view, names, place, expected)?,
            ExprKind::Apply(name, arguments) => self.apply(view, name, arguments, place)?,
            ExprKind::Else(first, second) => self.either(view, first, second, place, expected)?,
            ExprKind::Compare(op, left, right) => self.compare(view, *op, left, right, place)?,
            ExprKind::In(left, right) => self.within(view, left, right, place)?,
            ExprKind::Like(left, pattern) => {
                let of = self.text_operand(view, left, "like")?;
                if let Err(reason) = Glob::new(&pattern.text) {
                    self.report(
                        &TB0305,
                        view.place(pattern.span),
                        format!("this glob cannot be read: {reason}"),
                        "here",
                    );
                    return None;
                }
                bool_expr(TypedKind::Like(Box::new(of), pattern.text.clone()))
            }
            ExprKind::Matches(left, pattern) => {
                let of = self.text_operand(view, left, "matches")?;
                if let Err(reason) = Pattern::new(&pattern.text) {
                    let message = format!("this regular expression cannot be used: {reason}");
                    self.report(&TB0308, view.place(pattern.span), message, "here").help =
                        Some("the syntax is that of RE2: no look-around, no back-references".into());
                    return None;
                }
                bool_expr(TypedKind::Matches(Box::new(of), pattern.text.clone()))
            }
            ExprKind::Has(of) => {
                let of = self.expr(view, of, Some(&Type::Anything))?;
                bool_expr(TypedKind::Test(Test::Has, Box::new(of)))
            }
            ExprKind::Is(of, missing) => {
                let test = if *missing == Missing::Null { Test::IsNull } else { Test::IsAbsent };
                let of = self.expr(view, of, Some(&Type::Anything))?;
                bool_expr(TypedKind::Test(test, Box::new(of)))
            }
            ExprKind::Not(of) => bool_expr(TypedKind::Not(Box::new(self.condition(view, of)?))),
            ExprKind::And(parts) => bool_expr(TypedKind::And(self.parts(view, parts, true)?)),
            ExprKind::Or(parts) => bool_expr(TypedKind::Or(self.parts(view, parts, false)?)),
            ExprKind::Quantified { quantifier, name, list, condition } => {
                let (list, condition) = self.elements(view, name, list, Some(condition))?;
                let quantifier = match quantifier {
                    TreeQuantifier::Any => Quantifier::Any,
                    TreeQuantifier::All => Quantifier::All,
                    TreeQuantifier::None => Quantifier::None,
                };
                bool_expr(TypedKind::Quantified(quantifier, Box::new(list), Box::new(condition?)))
            }
            ExprKind::Count { name, list, condition } => {
                let (list, condition) = self.elements(view, name, list, condition.as_deref())?;
                let kind = TypedKind::Count(Box::new(list), condition.map(Box::new));
                TypedExpr { kind, ty: Type::Int, presence: Presence::Required, place }
            }
        })
    }

    /// The parts of an `and` (`truth`) or an `or`, each under the guards of those before it. All of them are checked.
    fn parts(&mut self, view: &mut View<'_>, parts: &[Expr], truth: bool) -> Option<Vec<TypedExpr>> {
        let known = view.guarded.len();
        let mut typed = Vec::with_capacity(parts.len());
        for part in parts {
            typed.extend(self.condition(view, part));
            guards(part, truth, &self.lets, &mut view.guarded);
        }
        view.guarded.truncate(known);
        (typed.len() == parts.len()).then_some(typed)
    }

    /// Text for a glob or regular expression.
    fn text_operand(&mut self, view: &mut View<'_>, expr: &Expr, word: &str) -> Option<TypedExpr> {
        let raw = Self::is_raw(view, expr).then_some(Type::String);
        let of = self.operand(view, expr, raw.as_ref())?;
        if matches!(of.ty, Type::String | Type::Nvr | Type::Enum(_)) {
            return Some(of);
        }
        let message = format!("`{word}` is for text, this is of type {}", self.type_name(&of.ty));
        self.report(&TB0301, of.place, message, "no text");
        None
    }

    /// An operand that must be there. In a raw topic nothing is sure to be there; what is not is equal to nothing.
    pub(super) fn operand(
        &mut self,
        view: &mut View<'_>,
        expr: &Expr,
        expected: Option<&Type>,
    ) -> Option<TypedExpr> {
        let typed = self.expr(view, expr, expected)?;
        (is_raw_path(&typed) || self.present(&typed)).then_some(typed)
    }

    fn text(&mut self, text: &Arc<str>, place: Place, expected: Option<&Type>) -> Option<TypedExpr> {
        let string = || const_expr(Value::Text(Arc::clone(text)), Type::String, place);
        Some(match expected {
            Some(Type::Enum(id)) => self.enum_value(*id, text, place)?,
            Some(ty @ Type::Nvr) => {
                let Some(nvr) = Nvr::parse(text) else {
                    return self.bad_literal(text, "name-version-release like \"bash-5.2.26-3.fc40\"", place);
                };
                const_expr(Value::Nvr(Arc::new(nvr)), ty.clone(), place)
            }
            Some(ty @ Type::Evr) => {
                let Some(evr) = Evr::parse(text) else {
                    return self.bad_literal(text, "version like \"1:2.0-3.fc40\"", place);
                };
                const_expr(Value::Evr(Arc::new(evr)), ty.clone(), place)
            }
            Some(ty @ Type::Time) => {
                let Some(millis) = parse_time(text) else {
                    return self.bad_literal(text, "time like \"2024-02-01T12:00:00Z\"", place);
                };
                const_expr(Value::Time(millis), ty.clone(), place)
            }
            _ => string(),
        })
    }

    fn bad_literal(&mut self, text: &str, what: &str, place: Place) -> Option<TypedExpr> {
        self.report(&TB0304, place, format!("{text:?} is no {what}"), "cannot be read so");
        None
    }

    pub(super) fn enum_value(&mut self, id: u32, text: &str, place: Place) -> Option<TypedExpr> {
        let declared = self.program.enums.get(id as usize)?;
        if declared.values.iter().any(|v| v == text) {
            return Some(const_expr(Value::Text(text.into()), Type::Enum(id), place));
        }
        let message = format!("`{text}` is no value of enum `{}`", declared.name);
        let diagnostic = Diagnostic::new(&TB0205, place, message, "unknown value")
            .did_you_mean(text, declared.values.iter().map(String::as_str));
        self.push(diagnostic);
        None
    }

    pub(super) fn mismatch(&mut self, found: &TypedExpr, wanted: &Type) {
        let message =
            format!("{} was expected here, found {}", self.type_name(wanted), self.type_name(&found.ty));
        self.report(&TB0301, found.place, message, format!("of type {}", self.type_name(&found.ty)));
    }

    fn apply(
        &mut self,
        view: &mut View<'_>,
        name: &Name,
        arguments: &[(Name, Expr)],
        place: Place,
    ) -> Option<TypedExpr> {
        if name.text != "nvr" {
            self.report(
                &TB0210,
                view.place(name.span),
                format!("there is no function `{}`", name.text),
                "unknown function",
            );
            return None;
        }
        let wanted = ["name", "version", "release"];
        self.once(view, arguments.iter().map(|(name, _)| name), "argument");
        if let Some((unknown, _)) = arguments.iter().find(|(n, _)| !wanted.contains(&n.text.as_str())) {
            let message = format!("nvr(...) takes no `{}`", unknown.text);
            let diagnostic = Diagnostic::new(&TB0207, view.place(unknown.span), message, "unknown argument")
                .did_you_mean(&unknown.text, wanted);
            self.push(diagnostic);
            return None;
        }
        let mut parts = Vec::new();
        for wanted in wanted {
            let Some((_, argument)) = arguments.iter().find(|(n, _)| n.text == wanted) else {
                self.report(&TB0401, place, format!("nvr(...) lacks `{wanted}`"), "here").help =
                    Some("write nvr(name: ..., version: ..., release: ...)".into());
                return None;
            };
            let typed = self.operand(view, argument, Some(&Type::String))?;
            if typed.ty != Type::String {
                self.mismatch(&typed, &Type::String);
                return None;
            }
            parts.push(typed);
        }
        let parts: Box<[TypedExpr; 3]> = Box::new(parts.try_into().ok()?);
        Some(TypedExpr {
            kind: TypedKind::MakeNvr(parts),
            ty: Type::Nvr,
            presence: Presence::Required,
            place,
        })
    }

    fn either(
        &mut self,
        view: &mut View<'_>,
        first: &Expr,
        second: &Expr,
        place: Place,
        expected: Option<&Type>,
    ) -> Option<TypedExpr> {
        let (first, second) = if expected.is_none() && Self::is_raw(view, first) {
            let second = self.expr(view, second, None)?;
            (self.expr(view, first, Some(&second.ty))?, second)
        } else {
            let first = self.expr(view, first, expected)?;
            let second = self.expr(view, second, Some(&first.ty))?;
            (first, second)
        };
        if first.ty != second.ty {
            self.mismatch(&second, &first.ty);
            return None;
        }
        let (ty, presence) = (first.ty.clone(), second.presence);
        Some(TypedExpr { kind: TypedKind::Else(Box::new(first), Box::new(second)), ty, presence, place })
    }

    /// Whether it is a value of a body that no event declares: it gets its type from what it is compared with.
    pub(super) fn is_raw(view: &View<'_>, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Path(names) => {
                matches!(view.root, Root::Raw) && names.first().is_some_and(|n| n.text == RAW_BODY)
            }
            ExprKind::Else(first, _) => Self::is_raw(view, first),
            _ => false,
        }
    }

    /// Whether an expression gets its type from what it is compared with.
    pub(super) fn is_bare(&self, view: &View<'_>, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Path(names) => match (names.as_slice(), names.first()) {
                (_, Some(first)) if view.knows(&first.text) => Self::is_raw(view, expr),
                ([_], Some(first)) => match self.lets.get(first.text.as_str()) {
                    Some(found) => self.is_bare(view, &found.node.value),
                    None => !matches!(view.root, Root::Value(_)),
                },
                _ => false,
            },
            ExprKind::Else(..) => Self::is_raw(view, expr),
            ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Duration(_)
            | ExprKind::Text(_)
            | ExprKind::List(_) => true,
            _ => false,
        }
    }

    fn compare(
        &mut self,
        view: &mut View<'_>,
        op: TreeOp,
        left: &Expr,
        right: &Expr,
        place: Place,
    ) -> Option<TypedExpr> {
        let first_raw = Self::is_raw(view, left) && !Self::is_raw(view, right);
        let (a, b) = if first_raw || self.is_bare(view, left) && !self.is_bare(view, right) {
            let b = self.operand(view, right, None)?;
            (self.operand(view, left, Some(&b.ty))?, b)
        } else {
            let a = self.operand(view, left, None)?;
            let b = self.operand(view, right, Some(&a.ty))?;
            (a, b)
        };
        if a.ty != b.ty {
            self.mismatch(&b, &a.ty);
            if let (Type::Evr, Type::Int | Type::Float, Some(last)) =
                (&a.ty, &b.ty, self.diagnostics.last_mut())
            {
                last.help = Some("write a version in quotes, like \"5.0-1\"".into());
            }
            return None;
        }
        let op = match op {
            TreeOp::Equal => CompareOp::Equal,
            TreeOp::NotEqual => CompareOp::NotEqual,
            TreeOp::Less => CompareOp::Less,
            TreeOp::LessOrEqual => CompareOp::LessOrEqual,
            TreeOp::Greater => CompareOp::Greater,
            TreeOp::GreaterOrEqual => CompareOp::GreaterOrEqual,
        };
        let ordered = matches!(a.ty, Type::Int | Type::Float | Type::Evr | Type::Time | Type::Duration);
        if !ordered && !matches!(op, CompareOp::Equal | CompareOp::NotEqual) {
            let message = format!("values of type {} have no order", self.type_name(&a.ty));
            self.report(&TB0302, place, message, "compared by order").help = Some(match a.ty {
                Type::Nvr => "compare their versions: `.evr`".into(),
                _ => "only int, float, evr, time and duration have one".into(),
            });
            return None;
        }
        let kind = TypedKind::Compare(op, Box::new(a), Box::new(b));
        Some(TypedExpr { kind, ty: Type::Bool, presence: Presence::Required, place })
    }
}
