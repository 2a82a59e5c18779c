//! Events: their values, and how each dialect gives them.
//!
//! Comes in: the trees of events. Goes out: typed events. A value that is not optional is given by every dialect, from paths
//! that the dialect requires, so that whatever fits a dialect has all its values.

use std::rc::Rc;

use taskbot_grammar::{self as tree, Expr, ExprKind, Name, Optional, TypeKind, ValueExpr, Varies};
use taskbot_graph::{Place, Presence, Root as PathRoot, Scope, Type};

use super::Checker;
use super::view::{RAW_BODY, Root, View};

use super::shape::{Member, Shape};
use crate::diagnostic::{
    Diagnostic, TB0203, TB0206, TB0208, TB0212, TB0301, TB0502, TB0503, TB0504, TB0505, TB0506, TB0508,
};
use crate::names::Placed;
use crate::typed::{TypedDialect, TypedEvent, TypedExpr, TypedKind, TypedValue};

impl Checker<'_, '_> {
    pub(super) fn events(&mut self) {
        for (name, placed) in &self.names.events {
            let mut values: Vec<TypedValue> = Vec::new();
            for value in &placed.node.values {
                let Some((ty, presence)) = self.type_of(placed, &value.ty) else { continue };
                if values.iter().any(|v| v.name == value.name.text) {
                    let message = format!("event `{name}` has two values `{}`", value.name.text);
                    self.report(&TB0208, placed.place(value.name.span), message, "the second one");
                    continue;
                }
                let scope = if value.varies == Varies::Subject { Scope::Subject } else { Scope::Message };
                values.push(TypedValue { name: value.name.text.to_string(), ty, presence, scope });
            }
            let place = placed.place(placed.node.name.span);
            let dialects = placed.node.dialects.iter().map(|d| self.dialect(placed, &values, d)).collect();
            let doc = placed.item.doc.clone();
            let deprecated = placed.node.deprecated.as_ref().map(|n| n.text.to_string());
            self.program.events.push(TypedEvent {
                name: name.clone(),
                doc,
                place,
                values,
                dialects,
                deprecated,
            });
        }
    }

    fn dialect(
        &mut self,
        placed: &Placed<'_, tree::Event>,
        values: &[TypedValue],
        dialect: &tree::Dialect,
    ) -> TypedDialect {
        let topics = self.topics(placed, dialect);
        let body = Shape::Object(self.members(placed, &dialect.body));
        let subjects =
            dialect.subjects.as_ref().and_then(|(name, list)| self.subjects(placed, &body, name, list));
        let subject = subjects.as_ref().map(|(name, _, element)| (name.as_str(), element));
        // What is judged once for the message cannot read a subject.
        let mut view = View::new(placed.file, Root::Body { body: &body, subject: None });
        let mut conditions = Vec::new();
        for condition in &dialect.conditions {
            conditions.extend(self.condition(&mut view, condition));
            view.assume(condition, &self.lets);
        }
        let condition = match conditions.len() {
            0 | 1 => conditions.pop(),
            _ => conditions
                .first()
                .cloned()
                .map(|first| TypedExpr { kind: TypedKind::And(conditions), ..first }),
        };
        let happening = dialect.happening.as_ref().map(|h| {
            let key = h.key.iter().filter_map(|k| self.expr(&mut view, k, None)).collect();
            (key, h.within_ms.div_ceil(1000))
        });
        let mut view = view.with_subject(&body, subject);
        // Without its subjects no definition can be judged: that they are wrong was told.
        let definitions = match (&dialect.subjects, &subjects) {
            (Some(_), None) => vec![None; values.len()],
            _ => self.definitions(placed, values, dialect, &mut view),
        };
        let steps = subjects.as_ref().map(|(_, steps, _)| steps.clone());
        let mut required = Vec::new();
        body.required(PathRoot::Body, &mut Vec::new(), steps.as_deref(), &mut required);
        if let Some((_, _, element)) = &subjects {
            element.required(PathRoot::Subject, &mut Vec::new(), None, &mut required);
        }
        TypedDialect {
            name: dialect.name.text.to_string(),
            topics,
            condition,
            required,
            subjects: steps,
            values: definitions,
            happening,
            deprecated: dialect.deprecated.as_ref().map(|n| n.text.to_string()),
        }
    }

    /// An event of its own for a topic that no event declares: it has no values, its rules read the body.
    pub(super) fn raw_event(&mut self, place: Place, topic: &str) -> Option<(usize, Rc<TypedEvent>)> {
        if let Some((at, known)) = self.topics.get(topic) {
            return Some((*at, Rc::clone(known)));
        }
        if !self.is_topic(place, topic) {
            return None;
        }
        let dialect =
            TypedDialect { name: "raw".into(), topics: vec![topic.to_owned()], ..TypedDialect::default() };
        let event = TypedEvent {
            name: format!("topic {topic:?}"),
            doc: String::new(),
            place,
            values: Vec::new(),
            dialects: vec![dialect],
            deprecated: None,
        };
        let (at, shared) = (self.program.events.len(), Rc::new(event.clone()));
        self.program.events.push(event);
        self.topics.insert(topic.into(), (at, Rc::clone(&shared)));
        Some((at, shared))
    }

    fn topics(&mut self, placed: &Placed<'_, tree::Event>, dialect: &tree::Dialect) -> Vec<String> {
        if dialect.topics.is_empty() {
            let message = format!("dialect `{}` has no topic", dialect.name.text);
            self.report(&TB0508, placed.place(dialect.name.span), message, "this dialect").help =
                Some("add `topic \"application.what.happened\"`".into());
        }
        for topic in &dialect.topics {
            self.is_topic(placed.place(topic.span), &topic.text);
        }
        dialect.topics.iter().map(|t| t.text.to_string()).collect()
    }

    fn is_topic(&mut self, place: Place, topic: &str) -> bool {
        let words: Vec<&str> = topic.split('.').collect();
        let letters = |w: &str| {
            !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+'))
        };
        let last = words.len().saturating_sub(1);
        let valid = words
            .iter()
            .enumerate()
            .all(|(i, w)| *w == "*" || (*w == "#" && i == last && i > 0) || letters(w));
        let prefixed = matches!(words.as_slice(), [_, _, "prod" | "stg" | "stage" | "dev", ..]);
        if !valid || prefixed {
            let help = if prefixed {
                "leave prefix and environment out: the daemon's configuration matches them"
            } else {
                "write words joined by dots; `*` is one word, a last `#` any number of words"
            };
            self.report(&TB0502, place, format!("{topic:?} is no topic"), "here").help = Some(help.into());
        }
        valid && !prefixed
    }

    fn members(&mut self, placed: &Placed<'_, tree::Event>, fields: &[tree::Field]) -> Vec<Member> {
        let mut members: Vec<Member> = Vec::new();
        for field in fields {
            if members.iter().any(|m| m.name == field.name.text) {
                let message = format!("`{}` stands twice in this shape", field.name.text);
                self.report(&TB0208, placed.place(field.name.span), message, "the second time");
                continue;
            }
            let presence =
                if field.ty.optional == Optional::Yes { Presence::Optional } else { Presence::Required };
            if let Some(shape) = self.shape(placed, &field.ty) {
                members.push(Member { name: field.name.text.to_string(), shape, presence });
            }
        }
        members
    }

    fn shape(&mut self, placed: &Placed<'_, tree::Event>, ty: &tree::TypeExpr) -> Option<Shape> {
        Some(match &ty.kind {
            TypeKind::Named(name) => Shape::Leaf(self.named_type(placed.place(ty.span), name)?),
            TypeKind::Shape(fields) => Shape::Object(self.members(placed, fields)),
            TypeKind::List(item) => match self.shape(placed, item)? {
                Shape::Leaf(ty) => Shape::Leaf(Type::List(Box::new(ty))),
                other => Shape::List(Box::new(other)),
            },
        })
    }

    /// The name of the subject, the steps to their list, and what an element holds.
    fn subjects(
        &mut self,
        placed: &Placed<'_, tree::Event>,
        body: &Shape,
        name: &Name,
        list: &Expr,
    ) -> Option<(String, Vec<String>, Shape)> {
        let ExprKind::Path(names) = &list.kind else { return None };
        if body.member_names().contains(&name.text.as_str()) {
            let message = format!("`{}` is also a member of the body", name.text);
            self.report(&TB0212, placed.place(name.span), message, "the second thing of this name").help =
                Some("give the subject another name".into());
            return None;
        }
        let steps = match names.split_first() {
            Some((first, rest)) if first.text == RAW_BODY && body.member(RAW_BODY).is_none() => rest,
            _ => names.as_slice(),
        };
        let mut at = body;
        for step in steps {
            let below = if let Shape::Object(_) = at { at.member(&step.text) } else { None };
            let Some((shape, Presence::Required, _)) = below else {
                let message = match below {
                    Some(_) => format!("`{}` is optional: without it there would be no subject", step.text),
                    None => format!("the body's shape has no `{}` here", step.text),
                };
                let diagnostic =
                    Diagnostic::new(&TB0505, placed.place(step.span), message, "no list of subjects")
                        .did_you_mean(&step.text, at.member_names());
                self.push(diagnostic);
                return None;
            };
            at = shape;
        }
        let element = match at {
            Shape::List(element) => (**element).clone(),
            Shape::Leaf(Type::List(item)) => Shape::Leaf((**item).clone()),
            _ => {
                self.report(
                    &TB0505,
                    placed.place(list.span),
                    "subjects are the elements of a list",
                    "no list",
                );
                return None;
            }
        };
        Some((name.text.to_string(), steps.iter().map(|n| n.text.to_string()).collect(), element))
    }

    fn definitions(
        &mut self,
        placed: &Placed<'_, tree::Event>,
        values: &[TypedValue],
        dialect: &tree::Dialect,
        view: &mut View<'_>,
    ) -> Vec<Option<TypedExpr>> {
        self.once(view, dialect.values.iter().map(|(name, _)| name), "value");
        for (name, _) in &dialect.values {
            if !values.iter().any(|v| v.name == name.text) {
                let message = format!("event `{}` has no value `{}`", placed.node.name.text, name.text);
                let diagnostic = Diagnostic::new(&TB0206, placed.place(name.span), message, "unknown value")
                    .did_you_mean(&name.text, values.iter().map(|v| v.name.as_str()));
                self.push(diagnostic);
            }
        }
        let mut definitions = Vec::with_capacity(values.len());
        for value in values {
            let Some((name, right)) = dialect.values.iter().find(|(n, _)| n.text == value.name) else {
                if value.presence == Presence::Required {
                    let message = format!("dialect `{}` gives no `{}`", dialect.name.text, value.name);
                    let help = format!("add `{} = ...`, or declare it optional with `?`", value.name);
                    self.report(&TB0503, placed.place(dialect.name.span), message, "in this dialect").help =
                        Some(help);
                }
                definitions.push(None);
                continue;
            };
            let typed = match right {
                ValueExpr::Expr(expr) => self.expr(view, expr, Some(&value.ty)),
                ValueExpr::Record(span, fields) => {
                    self.record_value(view, placed.place(*span), &value.ty, fields)
                }
            };
            definitions.push(typed.filter(|typed| self.definition_fits(placed, value, name, typed)));
        }
        definitions
    }

    fn definition_fits(
        &mut self,
        placed: &Placed<'_, tree::Event>,
        value: &TypedValue,
        name: &Name,
        typed: &TypedExpr,
    ) -> bool {
        if typed.ty != value.ty {
            self.mismatch(typed, &value.ty);
            return false;
        }
        if value.presence == Presence::Required && typed.presence == Presence::Optional {
            let message = format!("`{}` is always there, but its definition may be missing", value.name);
            self.report(&TB0504, typed.place, message, "may be absent or null").help = Some(format!(
                "require the path in the body, give a default with `else`, or declare `{}` optional",
                value.name
            ));
            return false;
        }
        let reads_subject =
            typed.any(&mut |k| matches!(k, TypedKind::Path(path) if path.root == PathRoot::Subject));
        if reads_subject && value.scope == Scope::Message {
            let message = format!("`{}` differs from subject to subject", value.name);
            self.report(&TB0506, placed.place(name.span), message, "reads the subject").help =
                Some(format!("declare it `each {}`", value.name));
            return false;
        }
        true
    }

    fn record_value(
        &mut self,
        view: &mut View<'_>,
        place: Place,
        ty: &Type,
        fields: &[(Name, Expr)],
    ) -> Option<TypedExpr> {
        let Type::Record(id) = ty else {
            let message = format!("{} was expected here, found a record", self.type_name(ty));
            self.report(&TB0301, place, message, "a record");
            return None;
        };
        let record = self.program.records.get(*id as usize)?.clone();
        self.once(view, fields.iter().map(|(name, _)| name), "field");
        for (name, _) in fields {
            if !record.fields.iter().any(|f| f.name == name.text) {
                let message = format!("record `{}` has no field `{}`", record.name, name.text);
                let diagnostic = Diagnostic::new(&TB0203, view.place(name.span), message, "unknown field")
                    .did_you_mean(&name.text, record.fields.iter().map(|f| f.name.as_str()));
                self.push(diagnostic);
            }
        }
        let mut values = Vec::with_capacity(record.fields.len());
        let mut complete = true;
        for field in &record.fields {
            let Some((_, expr)) = fields.iter().find(|(n, _)| n.text == field.name) else {
                if field.presence == Presence::Required {
                    let message = format!("field `{}` of record `{}` is missing", field.name, record.name);
                    self.report(&TB0503, place, message, "in this record");
                    complete = false;
                }
                values.push(None);
                continue;
            };
            let Some(typed) = self.expr(view, expr, Some(&field.ty)) else {
                complete = false;
                continue;
            };
            if typed.ty != field.ty {
                self.mismatch(&typed, &field.ty);
                complete = false;
            } else if field.presence == Presence::Required && !self.present(&typed) {
                complete = false;
            }
            values.push(Some(typed));
        }
        let kind = TypedKind::MakeRecord(*id, values);
        complete.then(|| TypedExpr { kind, ty: ty.clone(), presence: Presence::Required, place })
    }
}
