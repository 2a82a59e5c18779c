//! Expressions: names resolved, types known, optionals guarded.
//!
//! Comes in: an expression's tree, what its names may mean (`View`), and where known the type that is expected. Goes out: a typed
//! expression, or diagnostics. Guards narrow as they are read: through `and`, through `not has x or ...`, inside a quantifier.

use std::sync::Arc;

use taskbot_grammar::{
    CompareOp as TreeOp, Expr, ExprKind, Missing, Name, Quantifier as TreeQuantifier, Span,
};
use taskbot_graph::{
    CompareOp, Evr, Glob, Nvr, Part, Path, Place, Presence, Quantifier, Root as PathRoot, Test, Type, Value,
    order_for_set,
};

use super::Checker;
use super::shape::{Shape, Through};
use crate::diagnostic::{
    Diagnostic, TB0203, TB0205, TB0206, TB0207, TB0208, TB0210, TB0211, TB0212, TB0301, TB0302, TB0303,
    TB0304, TB0305, TB0306, TB0307, TB0401,
};
use crate::typed::{TypedEvent, TypedExpr, TypedKind};

/// What names may mean at a place.
pub(super) struct View<'v> {
    file: u32,
    root: Root<'v>,
    /// Names bound by quantifiers, outermost first.
    bound: Vec<(String, Type)>,
    /// Paths that a guard has shown to be there.
    guarded: Vec<String>,
}

/// Where a path's first name is looked up.
pub(super) enum Root<'v> {
    /// Constants only.
    Nothing,
    /// The values of an event.
    Event(&'v TypedEvent),
    /// A body, and the name and element of its list of subjects.
    Body { body: &'v Shape, subject: Option<(&'v str, &'v Shape)> },
    /// The parts of one value.
    Value(Type),
}

impl<'v> View<'v> {
    pub(super) fn new(file: u32, root: Root<'v>) -> Self {
        Self { file, root, bound: Vec::new(), guarded: Vec::new() }
    }

    /// The same guards, where each subject can be read as well.
    pub(super) fn with_subject<'b>(self, body: &'b Shape, subject: Option<(&'b str, &'b Shape)>) -> View<'b> {
        View { file: self.file, root: Root::Body { body, subject }, bound: self.bound, guarded: self.guarded }
    }

    pub(super) fn place(&self, span: Span) -> Place {
        Place { file: self.file, start: span.start, end: span.end }
    }

    /// From here on the paths that this condition guards are there.
    pub(super) fn assume(&mut self, condition: &Expr) {
        guards(condition, true, &mut self.guarded);
    }

    /// Names that a path can begin with.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.bound.iter().map(|(n, _)| n.as_str()).collect();
        match &self.root {
            Root::Nothing | Root::Value(_) => {}
            Root::Event(event) => names.extend(event.values.iter().map(|v| v.name.as_str())),
            Root::Body { body, subject } => {
                names.extend(body.member_names());
                names.extend(subject.iter().map(|(name, _)| *name));
            }
        }
        names
    }

    fn knows(&self, name: &str) -> bool {
        self.names().contains(&name)
    }
}

/// A path as one piece of text that no other path has.
fn path_key<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.collect::<Vec<_>>().join("\u{1f}")
}

/// The paths that are surely there when the condition has this truth.
fn guards(condition: &Expr, truth: bool, out: &mut Vec<String>) {
    match (&condition.kind, truth) {
        (ExprKind::Has(of), true) => {
            if let ExprKind::Path(names) = &of.kind {
                let names: Vec<&str> = names.iter().map(|n| n.text.as_str()).collect();
                out.extend((1..=names.len()).map(|n| path_key(names.iter().copied().take(n))));
            }
        }
        (ExprKind::Not(of), _) => guards(of, !truth, out),
        (ExprKind::And(parts), true) | (ExprKind::Or(parts), false) => {
            parts.iter().for_each(|p| guards(p, truth, out))
        }
        _ => {}
    }
}

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

    fn enum_value(&mut self, id: u32, text: &str, place: Place) -> Option<TypedExpr> {
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

    fn path(
        &mut self,
        view: &View<'_>,
        names: &[Name],
        place: Place,
        expected: Option<&Type>,
    ) -> Option<TypedExpr> {
        let (first, rest) = names.split_first()?;
        if let (Some(Type::Enum(id)), true) = (expected, rest.is_empty()) {
            let declared = self.program.enums.get(*id as usize)?;
            let is_value = declared.values.contains(&first.text);
            if is_value && view.knows(&first.text) {
                let message =
                    format!("`{}` is a value of enum `{}` and also a name here", first.text, declared.name);
                self.report(&TB0211, place, message, "which one?").help =
                    Some(format!("write \"{}\" for the enum's value", first.text));
                return None;
            }
            if is_value || !view.knows(&first.text) {
                return self.enum_value(*id, &first.text, place);
            }
        }
        let mut key = path_key([first.text.as_str()].into_iter());
        let mut at = match &view.root {
            _ if view.bound.iter().any(|(n, _)| *n == first.text) => {
                let depth = view.bound.iter().rev().position(|(n, _)| *n == first.text)?;
                let ty = view.bound.iter().rev().nth(depth)?.1.clone();
                let kind = TypedKind::Bound(u32::try_from(depth).ok()?);
                TypedExpr { kind, ty, presence: Presence::Required, place: view.place(first.span) }
            }
            Root::Body { body, subject } => return self.body_path(view, body, *subject, names, place),
            Root::Event(event) => match event.values.iter().position(|v| v.name == first.text) {
                Some(value) => {
                    let declared = event.values.get(value)?;
                    let kind = TypedKind::EventValue(value);
                    let presence = declared.presence;
                    TypedExpr { kind, ty: declared.ty.clone(), presence, place: view.place(first.span) }
                }
                None => return self.unknown_name(view, first, Some(&event.name)),
            },
            Root::Value(ty) => {
                let this = TypedExpr {
                    kind: TypedKind::Bound(0),
                    ty: ty.clone(),
                    presence: Presence::Required,
                    place,
                };
                self.access(view, this, first)?
            }
            Root::Nothing => return self.unknown_name(view, first, None),
        };
        if view.guarded.contains(&key) {
            at.presence = Presence::Required;
        }
        for name in rest {
            at = self.access(view, at, name)?;
            key = path_key([key.as_str(), name.text.as_str()].into_iter());
            if view.guarded.contains(&key) {
                at.presence = Presence::Required;
            }
        }
        Some(at)
    }

    fn unknown_name(&mut self, view: &View<'_>, name: &Name, event: Option<&str>) -> Option<TypedExpr> {
        let message = match event {
            Some(event) => format!("`{}` is no value of event `{event}`", name.text),
            None => format!("`{}` names nothing here", name.text),
        };
        let diagnostic = Diagnostic::new(&TB0206, view.place(name.span), message, "unknown name")
            .did_you_mean(&name.text, view.names());
        self.push(diagnostic);
        None
    }

    /// A path into a body: through its shape, then on into the value that stands there.
    fn body_path(
        &mut self,
        view: &View<'_>,
        body: &Shape,
        subject: Option<(&str, &Shape)>,
        names: &[Name],
        place: Place,
    ) -> Option<TypedExpr> {
        let first = names.first()?;
        let (root, mut shape, skip) = match subject {
            Some((name, element)) if name == first.text => (PathRoot::Subject, element, 1),
            _ => (PathRoot::Body, body, 0),
        };
        let (mut steps, mut lists, mut presence) = (Vec::new(), Vec::new(), Presence::Required);
        let mut names_left = names.iter();
        let mut key = String::new();
        for _ in 0..skip {
            key = first.text.clone();
            names_left.next();
        }
        let mut leaf = if let Shape::Leaf(ty) = shape { Some(ty.clone()) } else { None };
        while leaf.is_none() {
            let Some(name) = names_left.next() else {
                self.report(
                    &TB0301,
                    place,
                    "this is an object of the body, not a value",
                    "name one of its members",
                );
                return None;
            };
            let Some((below, own, through)) = shape.member(&name.text) else {
                let message = format!("the body's shape has no `{}` here", name.text);
                let code = if steps.is_empty() && skip == 0 { &TB0206 } else { &TB0203 };
                let mut known = shape.member_names();
                known.extend(subject.filter(|_| steps.is_empty()).map(|(n, _)| n));
                let diagnostic = Diagnostic::new(code, view.place(name.span), message, "unknown")
                    .did_you_mean(&name.text, known);
                self.push(diagnostic);
                return None;
            };
            key = if key.is_empty() {
                name.text.clone()
            } else {
                path_key([key.as_str(), name.text.as_str()].into_iter())
            };
            // A guard on a path through a list speaks of the list, not of each element.
            let in_list = through == Through::List || !lists.is_empty();
            if view.guarded.contains(&key) && !in_list {
                presence = Presence::Required;
            } else if own == Presence::Optional {
                presence = Presence::Optional;
            }
            if through == Through::List {
                lists.push(u32::try_from(steps.len()).ok()?);
            }
            steps.push(name.text.clone());
            shape = below;
            leaf = if let Shape::Leaf(ty) = below { Some(ty.clone()) } else { None };
        }
        let ty = leaf?;
        let ty = if lists.is_empty() { ty } else { Type::List(Box::new(ty)) };
        let path = Path { root, steps, lists, ty: ty.clone(), presence };
        let mut at = TypedExpr { kind: TypedKind::Path(path), ty, presence, place };
        for name in names_left {
            at = self.access(view, at, name)?;
        }
        Some(at)
    }

    /// `VALUE.NAME`: a part of a built-in type, a field of a record, or a fact.
    fn access(&mut self, view: &View<'_>, of: TypedExpr, name: &Name) -> Option<TypedExpr> {
        let place = Place { end: name.span.end, ..of.place };
        let presence = of.presence;
        let part = match (&of.ty, name.text.as_str()) {
            (Type::Nvr, "name") => Some((Part::Name, Type::String, presence)),
            (Type::Nvr | Type::Evr, "version") => Some((Part::Version, Type::String, presence)),
            (Type::Nvr, "release") => Some((Part::Release, Type::String, presence)),
            (Type::Evr, "release") => Some((Part::Release, Type::String, Presence::Optional)),
            (Type::Nvr, "evr") => Some((Part::Evr, Type::Evr, presence)),
            _ => None,
        };
        if let Some((part, ty, presence)) = part {
            return Some(TypedExpr { kind: TypedKind::Part(Box::new(of), part), ty, presence, place });
        }
        if let Type::Record(id) = &of.ty
            && let Some(record) = self.program.records.get(*id as usize)
            && let Some(at) = record.fields.iter().position(|f| f.name == name.text)
            && let Some(field) = record.fields.get(at)
        {
            let (ty, own) = (field.ty.clone(), field.presence);
            let presence = if own == Presence::Optional { own } else { presence };
            let at = u32::try_from(at).ok()?;
            return Some(TypedExpr { kind: TypedKind::Field(Box::new(of), at), ty, presence, place });
        }
        let on = self.type_name(&of.ty);
        if let Some((fact, key)) = self.facts.get(&(on.clone(), name.text.clone())) {
            let declared = self.program.facts.get(*fact)?;
            let own = declared.presence;
            let presence = if own == Presence::Optional { own } else { presence };
            let key = substitute(key, &of);
            return Some(TypedExpr {
                kind: TypedKind::Fact(*fact, Box::new(key)),
                ty: declared.ty.clone(),
                presence,
                place,
            });
        }
        let mut known: Vec<String> = match &of.ty {
            Type::Nvr => ["name", "version", "release", "evr"].map(str::to_owned).to_vec(),
            Type::Evr => ["version", "release"].map(str::to_owned).to_vec(),
            Type::Record(id) => {
                let fields =
                    self.program.records.get(*id as usize).map(|r| r.fields.as_slice()).unwrap_or_default();
                fields.iter().map(|f| f.name.clone()).collect()
            }
            _ => Vec::new(),
        };
        known.extend(self.facts.keys().filter(|(ty, _)| *ty == on).map(|(_, fact)| fact.clone()));
        let diagnostic = Diagnostic::new(
            &TB0203,
            view.place(name.span),
            format!("{on} has no field `{}`", name.text),
            "unknown field",
        )
        .did_you_mean(&name.text, known.iter().map(String::as_str));
        self.push(diagnostic);
        None
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

/// A fact's key about one value: the value takes the place of the one bound in the declaration.
fn substitute(key: &TypedExpr, of: &TypedExpr) -> TypedExpr {
    let below = |e: &TypedExpr| Box::new(substitute(e, of));
    let kind = match &key.kind {
        TypedKind::Bound(0) => return of.clone(),
        TypedKind::Part(a, part) => TypedKind::Part(below(a), *part),
        TypedKind::Field(a, field) => TypedKind::Field(below(a), *field),
        TypedKind::Fact(fact, a) => TypedKind::Fact(*fact, below(a)),
        other => other.clone(),
    };
    TypedExpr { kind, ..key.clone() }
}
