//! Lists: literals, `in`, quantifiers and `count`.
//!
//! Comes in: their trees. Goes out: typed expressions. Inside of a quantifier its element is a name, and guards hold as far as
//! the quantifier.

use std::sync::Arc;

use taskbot_grammar::{Expr, ExprKind, Name};
use taskbot_graph::{Place, Presence, Type, Value, order_for_set};

use super::Checker;
use super::view::View;
use crate::diagnostic::{TB0212, TB0301, TB0307};
use crate::typed::{TypedExpr, TypedKind};

impl Checker<'_, '_> {
    pub(super) fn list(
        &mut self,
        view: &mut View<'_>,
        items: &[Expr],
        place: Place,
        expected: Option<&Type>,
    ) -> Option<TypedExpr> {
        let expected = if let Some(Type::List(item)) = expected { Some(&**item) } else { None };
        let (values, item) = self.literals(view, items, expected)?;
        let ty = Type::List(Box::new(item));
        Some(TypedExpr { kind: TypedKind::List(values), ty, presence: Presence::Required, place })
    }

    /// The values of a list of literals, and their type: the one that is expected, else that of the first.
    fn literals(
        &mut self,
        view: &mut View<'_>,
        items: &[Expr],
        expected: Option<&Type>,
    ) -> Option<(Vec<Value>, Type)> {
        let mut item_type = expected.cloned();
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            if let (ExprKind::Text(text), Some(Type::String)) = (&item.kind, &item_type) {
                values.push(Value::Text(Arc::clone(text)));
                continue;
            }
            let Some(typed) = self.expr(view, item, item_type.as_ref()) else { continue };
            let wanted = item_type.get_or_insert_with(|| typed.ty.clone());
            if typed.ty != *wanted {
                let wanted = wanted.clone();
                self.mismatch(&typed, &wanted);
            } else if let TypedKind::Const(value) = typed.kind {
                values.push(value);
            } else {
                self.report(&TB0301, typed.place, "a list holds literals only", "not a literal");
            }
        }
        (values.len() == items.len()).then(|| (values, item_type.unwrap_or(Type::String)))
    }

    pub(super) fn within(
        &mut self,
        view: &mut View<'_>,
        left: &Expr,
        right: &Expr,
        place: Place,
    ) -> Option<TypedExpr> {
        let (of, list) = if self.is_bare(view, left) && !Self::is_raw(view, right) {
            let list = self.operand(view, right, None)?;
            let item = if let Type::List(item) = &list.ty { Some(&**item) } else { None };
            (self.operand(view, left, item)?, list)
        } else if let ExprKind::List(items) = &right.kind {
            let of = self.operand(view, left, None)?;
            let (values, _) = self.literals(view, items, Some(&of.ty))?;
            return Some(one_of(of, values, place));
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
            TypedKind::List(values) => return Some(one_of(of, values, place)),
            _ => TypedKind::InList(Box::new(of), Box::new(list)),
        };
        Some(TypedExpr { kind, ty: Type::Bool, presence: Presence::Required, place })
    }

    /// A list, and a condition on each of its elements.
    pub(super) fn elements(
        &mut self,
        view: &mut View<'_>,
        name: &Name,
        list: &Expr,
        condition: Option<&Expr>,
    ) -> Option<(TypedExpr, Option<TypedExpr>)> {
        let raw =
            (condition.is_none() && Self::is_raw(view, list)).then(|| Type::List(Box::new(Type::Anything)));
        let list = self.operand(view, list, raw.as_ref())?;
        let Type::List(item) = &list.ty else {
            let message = format!("only a list has elements, this is of type {}", self.type_name(&list.ty));
            self.report(&TB0307, list.place, message, "no list");
            return None;
        };
        if view.knows(&name.text) {
            let message = format!("`{}` is a name here already", name.text);
            self.report(&TB0212, view.place(name.span), message, "the second thing of this name").help =
                Some("give the element another name".into());
            return None;
        }
        let Some(condition) = condition else { return Some((list, None)) };
        view.bound.push((name.text.clone(), (**item).clone()));
        let known = view.guarded.len();
        let condition = self.condition(view, condition);
        view.guarded.truncate(known);
        view.bound.pop();
        Some((list, Some(condition?)))
    }
}

/// Whether a value is one of a set.
fn one_of(of: TypedExpr, mut values: Vec<Value>, place: Place) -> TypedExpr {
    // Most sets are of texts, whose order is that of their letters.
    values.sort_by(|a, b| match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (a, b) => order_for_set(a, b),
    });
    values.dedup_by(|a, b| order_for_set(a, b).is_eq());
    let kind = TypedKind::In(Box::new(of), values.into());
    TypedExpr { kind, ty: Type::Bool, presence: Presence::Required, place }
}
