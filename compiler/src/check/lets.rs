//! Lets: names for values, lists and conditions.
//!
//! Comes in: a path whose first name is a let. Goes out: what it stands for, typed where it is used: the same let may be read on
//! events that all have a `package`. Circles are found first, so that looking into lets always ends.

use taskbot_grammar::{Expr, ExprKind, Let, Name};
use taskbot_graph::{Place, Type};

use super::Checker;
use super::view::View;
use crate::diagnostic::{Diagnostic, TB0203, TB0213};
use crate::names::Table;
use crate::typed::TypedExpr;

impl Checker<'_, '_> {
    /// Finds lets that stand for themselves.
    pub(super) fn lets(&mut self) {
        let names = self.names;
        let mut done = Vec::new();
        for name in names.lets.keys() {
            let mut way = Vec::new();
            if let Some(circle) = circle(name, &names.lets, &mut way, &mut done) {
                self.broken_lets.extend(circle.iter().cloned());
                let Some(first) = circle.first().and_then(|name| names.lets.get(name)) else { continue };
                let message =
                    format!("`{}` stands for itself: {}", first.node.name.text, circle.join(" -> "));
                self.report(&TB0213, first.place(first.node.name.span), message, "this name").help =
                    Some("write out what it is to stand for".into());
            }
        }
        let sound = names.lets.iter().filter(|(name, _)| !self.broken_lets.contains(*name));
        self.lets = sound.map(|(name, found)| (name.clone(), *found)).collect();
    }

    /// A path that begins with a let: what it stands for, and what of that is meant.
    pub(super) fn named(
        &mut self,
        view: &mut View<'_>,
        names: &[Name],
        place: Place,
        expected: Option<&Type>,
    ) -> Option<TypedExpr> {
        let (first, rest) = names.split_first()?;
        self.used_lets.insert(first.text.to_string());
        let found = self.lets.get(first.text.as_str()).copied()?;
        let value = match (&found.node.value.kind, rest) {
            (_, []) => found.node.value.clone(),
            // Guards go by the spelling of paths, so the parts belong to the path.
            (ExprKind::Path(path), rest) => {
                let kind = ExprKind::Path(path.iter().chain(rest).cloned().collect());
                Expr { span: found.node.value.span, kind }
            }
            (_, [part, ..]) => {
                let message = format!("`{}` names no path, so it has no `{}`", first.text, part.text);
                let at = view.place(part.span);
                let defined = found.place(found.node.name.span);
                let diagnostic = Diagnostic::new(&TB0203, at, message, "unknown field")
                    .other(defined, "it stands for this");
                self.push(diagnostic);
                return None;
            }
        };
        let file = std::mem::replace(&mut view.file, found.file);
        let told = self.diagnostics.len();
        let typed = self.expr(view, &value, expected);
        view.file = file;
        for diagnostic in self.diagnostics.iter_mut().skip(told).filter(|d| d.others.is_empty()) {
            diagnostic.others.push(crate::Label { place, text: "used here".into() });
        }
        typed.map(|typed| TypedExpr { place, ..typed })
    }
}

/// The names of a circle that this let leads into, the first one again at the end.
fn circle(
    name: &str,
    lets: &Table<'_, Let>,
    way: &mut Vec<String>,
    done: &mut Vec<String>,
) -> Option<Vec<String>> {
    if let Some(from) = way.iter().position(|w| w == name) {
        let mut circle: Vec<String> = way.iter().skip(from).cloned().collect();
        circle.push(name.to_owned());
        return Some(circle);
    }
    if done.iter().any(|d| d == name) {
        return None;
    }
    let found = lets.get(name)?;
    way.push(name.to_owned());
    let mut read = Vec::new();
    first_names(&found.node.value, &mut read);
    let circle = read.into_iter().find_map(|read| circle(read, lets, way, done));
    way.pop();
    done.push(name.to_owned());
    circle
}

/// The first name of every path of an expression.
pub(crate) fn first_names<'e>(expr: &'e Expr, out: &mut Vec<&'e str>) {
    match &expr.kind {
        ExprKind::Path(names) => out.extend(names.first().map(|n| n.text.as_str())),
        ExprKind::List(parts) | ExprKind::And(parts) | ExprKind::Or(parts) => {
            parts.iter().for_each(|p| first_names(p, out));
        }
        ExprKind::Apply(_, arguments) => arguments.iter().for_each(|(_, a)| first_names(a, out)),
        ExprKind::Else(a, b) | ExprKind::Compare(_, a, b) | ExprKind::In(a, b) => {
            first_names(a, out);
            first_names(b, out);
        }
        ExprKind::Like(a, _)
        | ExprKind::Matches(a, _)
        | ExprKind::Has(a)
        | ExprKind::Is(a, _)
        | ExprKind::Not(a) => {
            first_names(a, out);
        }
        ExprKind::Quantified { list, condition, .. } => {
            first_names(list, out);
            first_names(condition, out);
        }
        ExprKind::Count { list, condition, .. } => {
            first_names(list, out);
            condition.iter().for_each(|c| first_names(c, out));
        }
        ExprKind::Bool(_)
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Text(_)
        | ExprKind::Duration(_) => {}
    }
}
