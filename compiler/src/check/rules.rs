//! Rules: their condition, their matrix, and how the inputs of their tasks are bound.
//!
//! Comes in: the trees of rules. Goes out: typed rules with stable names. Arguments are bound by name and type: an axis first,
//! then the event's values; what does not bind so must be written. Type alone never binds.

use std::borrow::Cow;
use std::rc::Rc;

use hashbrown::HashMap;
use taskbot_grammar::{self as tree, Call, ClauseKind, Expr, ExprKind, Name, Waits};
use taskbot_graph::{Param, Place, Presence, Scope, TaskDef, Type, Value};

use super::Checker;
use super::before::{self, Before, Checked};
use super::view::{Root, View};

use crate::diagnostic::{
    Diagnostic, TB0202, TB0207, TB0209, TB0303, TB0307, TB0309, TB0401, TB0402, TB0403, TB0407,
};
use crate::lower::Shared;
use crate::names::Placed;
use crate::typed::{TypedArgument, TypedClauses, TypedEvent, TypedExpr, TypedKind, TypedRule};

/// An axis while its rule is checked.
struct Axis {
    name: String,
    place: Place,
    list: TypedExpr,
}

impl Axis {
    fn item(&self) -> Option<&Type> {
        if let Type::List(item) = &self.list.ty { Some(item) } else { None }
    }
}

impl Checker<'_, '_> {
    /// Checks every rule, but for those that were checked before.
    pub(super) fn rules(&mut self, mut before: Before) -> (Vec<Checked>, Shared) {
        let names = self.names;
        self.program.rules.reserve_exact(names.rules.len());
        let mut known: HashMap<Cow<'_, str>, Place> = HashMap::with_capacity(names.rules.len());
        let mut checked = Vec::with_capacity(names.rules.len());
        let mut shared = Shared::default();
        let mut all_lets = std::mem::take(&mut self.used_lets);
        for (at, placed) in names.rules.iter().enumerate() {
            let name = rule_name(placed.node);
            let place = placed.place(placed.item.span);
            if let Some(first) = known.insert(name.clone(), place) {
                self.second_rule(placed, &name, first);
            }
            let told = self.diagnostics.len();
            let (was, rule) = match before.take(at) {
                Some((was, rule, lets)) => {
                    self.used_lets = lets;
                    (Some(was), self.rule_again(placed, rule, place))
                }
                None => (None, self.rule(placed, name.into_owned(), place)),
            };
            let lets = std::mem::take(&mut self.used_lets);
            all_lets.extend(lets.iter().cloned());
            if let Some(rule) = rule {
                shared.add(&rule);
                self.program.rules.push(rule);
                checked.push(Checked { at, lets: (told == self.diagnostics.len()).then_some(lets), was });
            }
        }
        self.used_lets = all_lets;
        (checked, shared)
    }

    fn second_rule(&mut self, placed: &Placed<'_, tree::Rule>, name: &str, first: Place) {
        let (message, help) = match &placed.node.name {
            Some(_) => (format!("two rules are named `{name}`"), "rename one of them".to_owned()),
            None => (
                format!("two rules are called `{name}`: same event, same tasks"),
                "name them: `rule NAME on ...`, or join their conditions with `or`".to_owned(),
            ),
        };
        let at =
            placed.node.name.as_ref().map_or(placed.place(placed.item.span), |name| placed.place(name.span));
        let diagnostic =
            Diagnostic::new(&TB0209, at, message, "the second rule").other(first, "the first one").help(help);
        self.push(diagnostic);
    }

    /// A rule that is the same as before: what depends on other rules is looked at again.
    fn rule_again(
        &mut self,
        placed: &Placed<'_, tree::Rule>,
        mut rule: TypedRule,
        place: Place,
    ) -> Option<TypedRule> {
        (rule.event, _) = self.event_of(placed, &placed.node.event)?;
        for clause in &placed.node.clauses {
            if let (ClauseKind::Group { name, .. }, Some(group)) = (&clause.kind, &rule.clauses.group) {
                self.one_limit(placed.place(name.span), name, group.runs);
            }
        }
        before::move_to(&mut rule, place);
        Some(rule)
    }

    fn rule(&mut self, placed: &Placed<'_, tree::Rule>, name: String, place: Place) -> Option<TypedRule> {
        let rule = placed.node;
        let tasks: Vec<Option<(usize, Rc<TaskDef>)>> =
            rule.calls.iter().map(|call| self.task(placed, call)).collect();
        let (event_at, event) = self.event_of(placed, &rule.event)?;
        let root = if matches!(rule.event, Waits::Topic(_)) { Root::Raw } else { Root::Event(&event) };
        let mut view = View::new(placed.file, root);
        let condition = rule.condition.as_ref().map(|c| self.condition(&mut view, c));
        if let Some(condition) = &rule.condition {
            view.assume(condition, &self.lets);
        }
        let defs: Vec<&TaskDef> = tasks.iter().flatten().map(|(_, task)| &**task).collect();
        let axes: Vec<Axis> =
            rule.axes.iter().filter_map(|axis| self.axis(&mut view, axis, rule, &defs)).collect();
        if axes.len() < rule.axes.len() {
            return None;
        }
        let mut actions = Vec::with_capacity(rule.calls.len());
        let mut complete = tasks.iter().all(Option::is_some);
        for (call, task) in rule.calls.iter().zip(&tasks) {
            let Some((at, task)) = task else { continue };
            match self.arguments(&mut view, &event, &axes, call, task) {
                Some(arguments) => actions.push((*at, arguments)),
                None => complete = false,
            }
        }
        let except = self.except(&mut view, &axes, rule);
        let clauses = self.clauses(&mut view, &rule.clauses);
        if complete {
            self.axes_are_used(&axes, &actions);
        }
        let condition = condition.map_or(Some(None), |c| c.map(Some))?;
        let (except, clauses) = (except?, clauses?);
        if !complete {
            return None;
        }
        let scope = scope(&event, condition.as_ref(), &axes, &actions, &clauses);
        let axes = axes.into_iter().map(|a| (a.name, a.list)).collect();
        Some(TypedRule {
            name,
            doc: placed.item.doc.clone(),
            place,
            event: event_at,
            scope,
            condition,
            axes,
            except,
            actions,
            clauses,
        })
    }

    fn event_of(
        &mut self,
        placed: &Placed<'_, tree::Rule>,
        waits: &Waits,
    ) -> Option<(usize, Rc<TypedEvent>)> {
        let place = placed.place(waits.name().span);
        let Waits::Event(Name { text: name, .. }) = waits else {
            return self.raw_event(place, &waits.name().text);
        };
        if let Some((at, known)) = self.waited_for.get(name) {
            return Some((*at, Rc::clone(known)));
        }
        self.known_event(place, name);
        let at = self.program.events.iter().position(|e| e.name == *name)?;
        let event = Rc::new(self.program.events.get(at)?.clone());
        self.waited_for.insert(name.clone(), (at, Rc::clone(&event)));
        Some((at, event))
    }

    pub(super) fn task<T>(&mut self, placed: &Placed<'_, T>, call: &Call) -> Option<(usize, Rc<TaskDef>)> {
        let name = &call.task.text;
        if name.contains('.') {
            let message = format!("`{name}` is a value of a message, a task's name is static");
            self.report(&TB0309, placed.place(call.task.span), message, "not a task's name").help =
                Some("write one rule for each task, and choose between them with `where`".into());
            return None;
        }
        if let Some((at, known)) = self.run.get(name) {
            return Some((*at, Rc::clone(known)));
        }
        if let Some(at) = self.program.tasks.iter().position(|t| t.name == *name) {
            let task = Rc::new(self.program.tasks.get(at)?.clone());
            self.run.insert(name.clone(), (at, Rc::clone(&task)));
            return Some((at, task));
        }
        if !self.names.tasks.contains_key(name.as_str()) {
            let diagnostic = Diagnostic::new(
                &TB0202,
                placed.place(call.task.span),
                format!("there is no task `{name}`"),
                "unknown task",
            )
            .did_you_mean(name, self.names.tasks.keys().map(String::as_str));
            self.push(diagnostic);
        }
        None
    }

    /// An axis: a list of literals takes its type from the input that it is written for, or that has its name.
    fn axis(
        &mut self,
        view: &mut View<'_>,
        axis: &tree::AxisDecl,
        rule: &tree::Rule,
        tasks: &[&TaskDef],
    ) -> Option<Axis> {
        let is_axis = |expr: &Expr| match &expr.kind {
            ExprKind::Path(names) => matches!(names.as_slice(), [name] if name.text == axis.name.text),
            _ => false,
        };
        let written = rule.calls.iter().flat_map(|call| &call.arguments).find(|(_, expr)| is_axis(expr));
        let input = written.map_or(axis.name.text.as_str(), |(name, _)| name.text.as_str());
        let param = tasks.iter().find_map(|t| t.params.iter().find(|p| p.name == input));
        let expected = param.map(|p| Type::List(Box::new(p.ty.clone())));
        let list = self.operand(view, &axis.source, expected.as_ref())?;
        if !matches!(list.ty, Type::List(_)) {
            let message = format!("`for` goes through a list, this is of type {}", self.type_name(&list.ty));
            self.report(&TB0307, list.place, message, "no list");
            return None;
        }
        Some(Axis { name: axis.name.text.to_string(), place: view.place(axis.name.span), list })
    }

    fn except(
        &mut self,
        view: &mut View<'_>,
        axes: &[Axis],
        rule: &tree::Rule,
    ) -> Option<Vec<Vec<Option<Value>>>> {
        let mut except = Vec::new();
        let mut complete = true;
        for (span, values) in &rule.except {
            if values.len() != axes.len() {
                let message = format!("{} values for {} axes", values.len(), axes.len());
                self.report(&TB0403, view.place(*span), message, "this combination").help =
                    Some("name one value for each axis, `_` for any".into());
                complete = false;
                continue;
            }
            let mut combination = Vec::new();
            for (value, axis) in values.iter().zip(axes) {
                let Some(value) = value else {
                    combination.push(None);
                    continue;
                };
                let Some(typed) = self.operand(view, value, axis.item()) else {
                    complete = false;
                    continue;
                };
                match self.excepted(axis, typed) {
                    Some(value) => combination.push(Some(value)),
                    None => complete = false,
                }
            }
            except.push(combination);
        }
        complete.then_some(except)
    }

    /// A literal of an `except`: of the axis's type and, where that is known, one of its values.
    fn excepted(&mut self, axis: &Axis, typed: TypedExpr) -> Option<Value> {
        let TypedKind::Const(value) = typed.kind else {
            self.report(&TB0403, typed.place, "a combination names literals", "not a literal");
            return None;
        };
        if axis.item() != Some(&typed.ty) {
            let found = TypedExpr { kind: TypedKind::Const(value), ..typed };
            self.mismatch(&found, &axis.item()?.clone());
            return None;
        }
        if let TypedKind::List(values) = &axis.list.kind
            && !values.iter().any(|v| v.same(&value))
        {
            let message = format!("`{}` is no value of the axis `{}`", value.text(), axis.name);
            self.report(&TB0403, typed.place, message, "excludes nothing").help = Some(format!(
                "it goes through {}",
                values.iter().map(Value::text).collect::<Vec<_>>().join(", ")
            ));
            return None;
        }
        Some(value)
    }

    fn arguments(
        &mut self,
        view: &mut View<'_>,
        event: &TypedEvent,
        axes: &[Axis],
        call: &Call,
        task: &TaskDef,
    ) -> Option<Vec<TypedArgument>> {
        let mut complete = true;
        self.once(view, call.arguments.iter().map(|(name, _)| name), "input");
        for (name, _) in &call.arguments {
            if !task.params.iter().any(|p| p.name == name.text) {
                let message = format!("task `{}` has no input `{}`", task.name, name.text);
                let diagnostic = Diagnostic::new(&TB0207, view.place(name.span), message, "unknown input")
                    .did_you_mean(&name.text, task.params.iter().map(|p| p.name.as_str()));
                self.push(diagnostic);
                complete = false;
            }
        }
        let mut arguments = Vec::with_capacity(task.params.len());
        for param in &task.params {
            let written = call.arguments.iter().find(|(name, _)| name.text == param.name);
            let argument = match written {
                Some((_, expr)) => self.written(view, axes, expr, param),
                None => self.bound(view, event, axes, call, task, param),
            };
            match argument {
                Some(argument) => arguments.push(argument),
                None => complete = false,
            }
        }
        complete.then_some(arguments)
    }

    fn written(
        &mut self,
        view: &mut View<'_>,
        axes: &[Axis],
        expr: &Expr,
        param: &Param,
    ) -> Option<TypedArgument> {
        if let ExprKind::Path(names) = &expr.kind
            && let [one] = names.as_slice()
            && let Some(at) = axes.iter().position(|a| a.name == one.text)
        {
            let axis = axes.get(at)?;
            if axis.item() != Some(&param.ty) {
                let found =
                    TypedExpr { place: view.place(expr.span), ty: axis.item()?.clone(), ..axis.list.clone() };
                self.mismatch(&found, &param.ty);
                return None;
            }
            return Some(TypedArgument::Axis(at));
        }
        if let ExprKind::Path(names) = &expr.kind
            && names.len() > 1
            && let Some(axis) = names.first().and_then(|n| axes.iter().find(|a| a.name == n.text))
        {
            let message = format!("an input takes the axis `{}` as a whole", axis.name);
            self.report(&TB0407, view.place(expr.span), message, "a part of an axis");
            return None;
        }
        let typed = self.expr(view, expr, Some(&param.ty))?;
        if typed.ty != param.ty {
            self.mismatch(&typed, &param.ty);
            return None;
        }
        (param.presence == Presence::Optional || self.present(&typed)).then_some(TypedArgument::Expr(typed))
    }

    /// An input that the rule does not write: an axis, else a value of the event, of the same name and type; else its default.
    fn bound(
        &mut self,
        view: &mut View<'_>,
        event: &TypedEvent,
        axes: &[Axis],
        call: &Call,
        task: &TaskDef,
        param: &Param,
    ) -> Option<TypedArgument> {
        if let Some(at) = axes.iter().position(|a| a.name == param.name && a.item() == Some(&param.ty)) {
            return Some(TypedArgument::Axis(at));
        }
        let span = call.task.span;
        if event.values.iter().any(|v| v.name == param.name && v.ty == param.ty) {
            let name = tree::Name { text: param.name.as_str().into(), span };
            let typed = self.expr(view, &Expr { span, kind: ExprKind::Path([name].into()) }, None)?;
            if typed.presence == Presence::Optional
                && param.presence == Presence::Required
                && param.default.is_none()
            {
                let message =
                    format!("input `{}` of task `{}` may be missing in the message", param.name, task.name);
                self.report(&TB0303, view.place(span), message, "needs it").help =
                    Some(format!("guard the rule with `where has {}`", param.name));
                return None;
            }
            return Some(TypedArgument::Expr(typed));
        }
        if param.default.is_some() || param.presence == Presence::Optional {
            return Some(TypedArgument::Default);
        }
        let ty = self.type_name(&param.ty);
        let candidates: Vec<&str> =
            event.values.iter().filter(|v| v.ty == param.ty).map(|v| v.name.as_str()).collect();
        let help = match candidates.as_slice() {
            [] => format!("event `{}` gives no {ty}; write `{}({}: ...)`", event.name, task.name, param.name),
            all => format!("write `{}({}: {})`", task.name, param.name, all.join("` or `")),
        };
        let message = format!("task `{}` needs `{}: {ty}`", task.name, param.name);
        self.report(&TB0401, view.place(span), message, "lacks an input").help = Some(help);
        None
    }

    fn axes_are_used(&mut self, axes: &[Axis], actions: &[(usize, Vec<TypedArgument>)]) {
        for (at, axis) in axes.iter().enumerate() {
            let used = actions.iter().any(|(_, arguments)| arguments.contains(&TypedArgument::Axis(at)));
            if !used {
                let message = format!("no task of this rule takes `{}`", axis.name);
                self.report(&TB0402, axis.place, message, "unused axis").help =
                    Some("name it like an input of the task, or write `TASK(input: axis)`".into());
            }
        }
    }
}

/// The written name, else event and tasks.
fn rule_name(rule: &tree::Rule) -> Cow<'_, str> {
    match &rule.name {
        Some(name) => Cow::Borrowed(&name.text),
        None => {
            let tasks: Vec<&str> = rule.calls.iter().map(|c| c.task.text.as_str()).collect();
            Cow::Owned(format!("{}/{}", rule.event.name().text, tasks.join("+")))
        }
    }
}

/// Whether any part of the rule reads a value that differs from subject to subject.
fn scope(
    event: &TypedEvent,
    condition: Option<&TypedExpr>,
    axes: &[Axis],
    actions: &[(usize, Vec<TypedArgument>)],
    clauses: &TypedClauses,
) -> Scope {
    let arguments = actions.iter().flat_map(|(_, arguments)| arguments);
    let arguments = arguments.filter_map(|a| if let TypedArgument::Expr(e) = a { Some(e) } else { None });
    let axes = axes.iter().map(|a| &a.list);
    let mut exprs = condition.into_iter().chain(axes).chain(arguments).chain(clauses.keys());
    let of_subject = |at: usize| event.values.get(at).is_some_and(|value| value.scope == Scope::Subject);
    let varies = |kind: &TypedKind| matches!(kind, TypedKind::EventValue(at) if of_subject(*at));
    if exprs.any(|e| e.any(&mut |kind| varies(kind))) { Scope::Subject } else { Scope::Message }
}
