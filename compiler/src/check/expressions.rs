//! Expressions: names resolved, types known, optionals guarded.
//!
//! Comes in: an expression's tree, what its names may mean (`View`), and where known the type that is expected. Goes out: a typed
//! expression, or diagnostics. Guards narrow as they are read: through `and`, through `not has x or ...`, inside a quantifier.

use std::sync::Arc;

use taskbot_grammar::{CompareOp as TreeOp, Expr, ExprKind, Missing, Name, Quantifier as TreeQuantifier};
use taskbot_graph::{
    CompareOp, Evr, Glob, Nvr, Place, Presence, Quantifier, Test, Type, Value, order_for_set,
};

use super::Checker;
use super::view::{Root, View, guards};
use crate::diagnostic::{
    Diagnostic, TB0205, TB0207, TB0208, TB0210, TB0212, TB0301, TB0302, TB0303, TB0304, TB0305, TB0306,
    TB0307, TB0401,
};
use crate::typed::{TypedExpr, TypedKind};

fn const_expr(value: Value, ty: Type, place: Place) -> TypedExpr {
    TypedExpr { kind: TypedKind::Const(value), ty, presence: Presence::Required, place }
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
        self.present(&typed).then_some(typed)
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
            ExprKind::Duration(_) => {
                self.report(&TB0301, place, "a duration stands where no duration can be", "a duration");
                return None;
            }
            ExprKind::List(items) => self.list(view, items, place, expected)?,
            ExprKind::Path(names) => self.path(view, names, place, expected)?,
            ExprKind::Apply(name, arguments) => self.apply(view, name, arguments, place)?,
            ExprKind::Else(first, second) => self.either(view, first, second, place, expected)?,
            ExprKind::Compare(op, left, right) => self.compare(view, *op, left, right, place)?,
            ExprKind::In(left, right) => self.within(view, left, right, place)?,
            ExprKind::Like(left, pattern) => {
                let of = self.operand(view, left, None)?;
                if !matches!(of.ty, Type::String | Type::Nvr | Type::Enum(_)) {
                    let message = format!("`like` is for text, this is of type {}", self.type_name(&of.ty));
                    self.report(&TB0301, of.place, message, "no text");
                    return None;
                }
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
            ExprKind::Has(of) => bool_expr(TypedKind::Test(Test::Has, Box::new(self.expr(view, of, None)?))),
            ExprKind::Is(of, missing) => {
                let test = if *missing == Missing::Null { Test::IsNull } else { Test::IsAbsent };
                bool_expr(TypedKind::Test(test, Box::new(self.expr(view, of, None)?)))
            }
            ExprKind::Not(of) => bool_expr(TypedKind::Not(Box::new(self.condition(view, of)?))),
            ExprKind::And(parts) => bool_expr(TypedKind::And(self.parts(view, parts, true)?)),
            ExprKind::Or(parts) => bool_expr(TypedKind::Or(self.parts(view, parts, false)?)),
            ExprKind::Quantified { quantifier, name, list, condition } => {
                let quantifier = match quantifier {
                    TreeQuantifier::Any => Quantifier::Any,
                    TreeQuantifier::All => Quantifier::All,
                    TreeQuantifier::None => Quantifier::None,
                };
                let list = self.operand(view, list, None)?;
                let Type::List(item) = &list.ty else {
                    let message =
                        format!("only a list has elements, this is of type {}", self.type_name(&list.ty));
                    self.report(&TB0307, list.place, message, "no list");
                    return None;
                };
                if view.knows(&name.text) {
                    let message = format!("`{}` is a name here already", name.text);
                    self.report(&TB0212, view.place(name.span), message, "the second thing of this name")
                        .help = Some("give the element another name".into());
                    return None;
                }
                view.bound.push((name.text.clone(), (**item).clone()));
                let known = view.guarded.len();
                let condition = self.condition(view, condition);
                view.guarded.truncate(known);
                view.bound.pop();
                bool_expr(TypedKind::Quantified(quantifier, Box::new(list), Box::new(condition?)))
            }
        })
    }

    /// The parts of an `and` (`truth`) or an `or`, each under the guards of those before it. All of them are checked.
    fn parts(&mut self, view: &mut View<'_>, parts: &[Expr], truth: bool) -> Option<Vec<TypedExpr>> {
        let known = view.guarded.len();
        let mut typed = Vec::with_capacity(parts.len());
        for part in parts {
            typed.push(self.condition(view, part));
            guards(part, truth, &mut view.guarded);
        }
        view.guarded.truncate(known);
        typed.into_iter().collect()
    }

    /// An operand that must be there.
    pub(super) fn operand(
        &mut self,
        view: &mut View<'_>,
        expr: &Expr,
        expected: Option<&Type>,
    ) -> Option<TypedExpr> {
        let typed = self.expr(view, expr, expected)?;
        self.present(&typed).then_some(typed)
    }

    fn text(&mut self, text: &str, place: Place, expected: Option<&Type>) -> Option<TypedExpr> {
        let string = || const_expr(Value::Text(text.into()), Type::String, place);
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

    fn list(
        &mut self,
        view: &mut View<'_>,
        items: &[Expr],
        place: Place,
        expected: Option<&Type>,
    ) -> Option<TypedExpr> {
        let mut item_type = if let Some(Type::List(item)) = expected { Some((**item).clone()) } else { None };
        let mut values = Vec::new();
        let mut complete = true;
        for item in items {
            let Some(typed) = self.expr(view, item, item_type.as_ref()) else {
                complete = false;
                continue;
            };
            let wanted = item_type.get_or_insert_with(|| typed.ty.clone()).clone();
            if typed.ty != wanted {
                self.mismatch(&typed, &wanted);
                complete = false;
            } else if let TypedKind::Const(value) = typed.kind {
                values.push(value);
            } else {
                self.report(&TB0301, typed.place, "a list holds literals only", "not a literal");
                complete = false;
            }
        }
        let ty = Type::List(Box::new(item_type.unwrap_or(Type::String)));
        complete.then_some(TypedExpr {
            kind: TypedKind::List(values),
            ty,
            presence: Presence::Required,
            place,
        })
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
        let first = self.expr(view, first, expected)?;
        let second = self.expr(view, second, Some(&first.ty))?;
        if first.ty != second.ty {
            self.mismatch(&second, &first.ty);
            return None;
        }
        let (ty, presence) = (first.ty.clone(), second.presence);
        Some(TypedExpr { kind: TypedKind::Else(Box::new(first), Box::new(second)), ty, presence, place })
    }

    /// Whether an expression gets its type from what it is compared with.
    fn is_bare(view: &View<'_>, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Path(names) => {
                matches!(names.as_slice(), [one] if !view.knows(&one.text) && !matches!(view.root, Root::Value(_)))
            }
            ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
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
        let (a, b) = if Self::is_bare(view, left) && !Self::is_bare(view, right) {
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
        let ordered = matches!(a.ty, Type::Int | Type::Float | Type::Evr);
        if !ordered && !matches!(op, CompareOp::Equal | CompareOp::NotEqual) {
            let message = format!("values of type {} have no order", self.type_name(&a.ty));
            self.report(&TB0302, place, message, "compared by order").help = Some(match a.ty {
                Type::Nvr => "compare their versions: `.evr`".into(),
                _ => "only int, float and evr have one".into(),
            });
            return None;
        }
        let kind = TypedKind::Compare(op, Box::new(a), Box::new(b));
        Some(TypedExpr { kind, ty: Type::Bool, presence: Presence::Required, place })
    }

    fn within(&mut self, view: &mut View<'_>, left: &Expr, right: &Expr, place: Place) -> Option<TypedExpr> {
        let (of, list) = if Self::is_bare(view, left) {
            let list = self.operand(view, right, None)?;
            let item = if let Type::List(item) = &list.ty { Some(&**item) } else { None };
            (self.operand(view, left, item)?, list)
        } else {
            let of = self.operand(view, left, None)?;
            let expected = Type::List(Box::new(of.ty.clone()));
            (of, self.operand(view, right, Some(&expected))?)
        };
        match &list.ty {
            Type::List(item) if **item == of.ty => {}
            Type::List(item) => {
                let item = (**item).clone();
                self.mismatch(&of, &item);
                return None;
            }
            other => {
                let message = format!("`in` looks into a list, this is of type {}", self.type_name(other));
                self.report(&TB0307, list.place, message, "no list").help =
                    Some("compare single values with `==`".into());
                return None;
            }
        }
        let kind = match list.kind {
            TypedKind::List(mut values) => {
                values.sort_by(order_for_set);
                values.dedup_by(|a, b| order_for_set(a, b).is_eq());
                TypedKind::In(Box::new(of), values)
            }
            _ => TypedKind::InList(Box::new(of), Box::new(list)),
        };
        Some(TypedExpr { kind, ty: Type::Bool, presence: Presence::Required, place })
    }
}
