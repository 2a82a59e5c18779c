//! Paths: `package.name`, `update.builds.nvr`, `package.lang`.
//!
//! Comes in: the names of a path and what the first of them may mean. Goes out: a typed expression: a value of the event, a path
//! into the body, a part of a built-in type, a field of a record, or a fact about the value before the dot.

use taskbot_grammar::Name;
use taskbot_graph::{Part, Path, Place, Presence, Root as PathRoot, Type};

use super::Checker;
use super::shape::{Shape, Through};
use super::view::{RAW_BODY, Root, View};
use crate::diagnostic::{Diagnostic, Safety, TB0203, TB0206, TB0211, TB0301, TB0310, closest};
use crate::typed::{TypedExpr, TypedKind};

impl Checker<'_, '_> {
    pub(super) fn path(
        &mut self,
        view: &mut View<'_>,
        names: &[Name],
        place: Place,
        expected: Option<&Type>,
    ) -> Option<TypedExpr> {
        let (first, rest) = names.split_first()?;
        if let (Some(Type::Enum(id)), true) = (expected, rest.is_empty()) {
            let declared = self.program.enums.get(*id as usize)?;
            let is_value = declared.values.iter().any(|value| *value == first.text);
            let is_name = view.knows(&first.text) || self.names.lets.contains_key(first.text.as_str());
            if is_value && is_name {
                let message =
                    format!("`{}` is a value of enum `{}` and also a name here", first.text, declared.name);
                self.report(&TB0211, place, message, "which one?").help =
                    Some(format!("write \"{}\" for the enum's value", first.text));
                return None;
            }
            if is_value || !is_name {
                return self.enum_value(*id, &first.text, place);
            }
        }
        if !view.knows(&first.text) && self.names.lets.contains_key(first.text.as_str()) {
            return self.named(view, names, place, expected);
        }
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
                None if rest.is_empty() => return self.unknown_word(view, first, &event.name, expected),
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
            Root::Raw => return self.raw_path(view, names, place, expected),
            Root::Nothing => return self.unknown_name(view, first, None),
        };
        let guarded = |upto: usize| names.get(..upto).is_some_and(|names| view.is_guarded(names));
        if guarded(1) {
            at.presence = Presence::Required;
        }
        for (name, upto) in rest.iter().zip(2..) {
            at = self.access(view, at, name)?;
            if guarded(upto) {
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

    /// A word alone that names nothing: text without its quotes, or a name.
    fn unknown_word(
        &mut self,
        view: &View<'_>,
        name: &Name,
        event: &str,
        expected: Option<&Type>,
    ) -> Option<TypedExpr> {
        let (word, place) = (&name.text, view.place(name.span));
        let message = format!("`{word}` is no value of event `{event}`");
        let diagnostic = Diagnostic::new(&TB0206, place, message, "unknown name");
        let lower = ["true", "false"].into_iter().find(|known| word.eq_ignore_ascii_case(known));
        self.push(match expected {
            _ if lower.is_some() => diagnostic.did_you_mean(word, lower),
            Some(Type::String | Type::Nvr | Type::Evr | Type::Time)
                if closest(word, &view.names()).is_none() =>
            {
                let quoted = format!("{word:?}");
                diagnostic.help(format!("text stands in quotes: `{quoted}`")).suggest(
                    place,
                    quoted,
                    Safety::Unsafe,
                )
            }
            _ => diagnostic.did_you_mean(word, view.names()),
        });
        None
    }

    /// A path into a body that no event declares: `body.a.b`, of the type that is expected.
    fn raw_path(
        &mut self,
        view: &View<'_>,
        names: &[Name],
        place: Place,
        expected: Option<&Type>,
    ) -> Option<TypedExpr> {
        let (first, rest) = names.split_first()?;
        if first.text != RAW_BODY {
            return self.unknown_name(view, first, None);
        }
        let Some(ty) = expected.filter(|ty| !rest.is_empty() && !matches!(ty, Type::Record(_))) else {
            let (message, label) = if rest.is_empty() {
                ("the body as a whole is no value", "name a member: `body.NAME`")
            } else {
                ("the type of this value is not known", "no event declares it")
            };
            self.report(&TB0310, place, message, label).help = Some(
                "compare it with a literal, or declare an event: `taskbot schema infer` writes one".into(),
            );
            return None;
        };
        let steps = rest.iter().map(|n| n.text.to_string()).collect();
        let path = Path {
            root: PathRoot::Raw,
            steps,
            lists: Vec::new(),
            ty: ty.clone(),
            presence: Presence::Optional,
        };
        let presence = if view.is_guarded(names) { Presence::Required } else { Presence::Optional };
        Some(TypedExpr { kind: TypedKind::Path(Box::new(path)), ty: ty.clone(), presence, place })
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
        let (root, mut shape, skip): (_, _, usize) = match subject {
            Some((name, element)) if name == first.text => (PathRoot::Subject, element, 1),
            // So a member whose name is reserved can be read: `body.run`.
            _ if first.text == RAW_BODY && body.member(RAW_BODY).is_none() => (PathRoot::Body, body, 1),
            _ => (PathRoot::Body, body, 0),
        };
        let (mut steps, mut lists, mut presence) = (Vec::new(), Vec::new(), Presence::Required);
        let mut names_left = names.iter();
        let mut read = skip;
        if skip > 0 {
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
            read = read.saturating_add(1);
            // A guard on a path through a list speaks of the list, not of each element.
            let in_list = through == Through::List || !lists.is_empty();
            if names.get(..read).is_some_and(|names| view.is_guarded(names)) && !in_list {
                presence = Presence::Required;
            } else if own == Presence::Optional {
                presence = Presence::Optional;
            }
            if through == Through::List {
                lists.push(u32::try_from(steps.len()).ok()?);
            }
            steps.push(name.text.to_string());
            shape = below;
            leaf = if let Shape::Leaf(ty) = below { Some(ty.clone()) } else { None };
        }
        let ty = leaf?;
        let ty = if lists.is_empty() { ty } else { Type::List(Box::new(ty)) };
        let path = Path { root, steps, lists, ty: ty.clone(), presence };
        let mut at = TypedExpr { kind: TypedKind::Path(Box::new(path)), ty, presence, place };
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
        if let Some((fact, key)) = self.facts.get(&(on.clone(), name.text.to_string())) {
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
