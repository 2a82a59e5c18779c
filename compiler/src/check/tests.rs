//! Tests beside rules: the message, the facts and the expectations, typed.
//!
//! Comes in: the trees of tests. Goes out: typed tests, whose events, facts, tasks and arguments are all known. They are run by
//! whoever can read their files; here nothing is judged.

use std::collections::BTreeMap;

use taskbot_grammar::{self as tree, Call, ExpectKind, Given, WithFact};
use taskbot_graph::{Place, Type, Value};

use super::Checker;
use super::view::{Root, View};
use crate::diagnostic::{Diagnostic, TB0207, TB0214, TB0801};
use crate::names::Placed;
use crate::typed::{
    TestFact, TestMessage, TypedEvent, TypedExpect, TypedExpectKind, TypedExpr, TypedKind, TypedTest,
};

impl Checker<'_, '_> {
    pub(super) fn tests(&mut self) {
        let mut known: BTreeMap<&str, Place> = BTreeMap::new();
        let names = self.names;
        for placed in &names.tests {
            let name = &placed.node.name;
            if let Some(first) = known.insert(&name.text, placed.place(name.span)) {
                let message = format!("two tests show {:?}", name.text);
                let diagnostic =
                    Diagnostic::new(&TB0214, placed.place(name.span), message, "the second test")
                        .other(first, "the first one")
                        .help("say in the name what this one shows");
                self.push(diagnostic);
            }
            if let Some(test) = self.test(placed) {
                self.program.tests.push(test);
            }
        }
    }

    fn test(&mut self, placed: &Placed<'_, tree::Test>) -> Option<TypedTest> {
        let test = placed.node;
        let event_place = placed.place(test.event.span);
        self.known_event(event_place, &test.event.text);
        let event = self.program.events.iter().find(|e| e.name == test.event.text).cloned();
        let expects: Vec<Option<TypedExpect>> = test.expects.iter().map(|e| self.expect(placed, e)).collect();
        let event = event?;
        let topic = self.test_topic(placed, &event)?;
        let mut view = View::new(placed.file, Root::Event(&event));
        let facts: Vec<Option<TestFact>> = test.facts.iter().map(|f| self.test_fact(&mut view, f)).collect();
        let given = match &test.given {
            Given::File(path) => TestMessage::File(path.text.to_string(), placed.place(path.span)),
            Given::Json(json) => TestMessage::Json(json.text.to_string(), placed.place(json.span)),
        };
        Some(TypedTest {
            name: test.name.text.to_string(),
            place: placed.place(placed.item.span),
            event: event.name.clone(),
            event_place,
            topic,
            given,
            facts: facts.into_iter().collect::<Option<_>>()?,
            expects: expects.into_iter().collect::<Option<_>>()?,
        })
    }

    /// The written topic, which must be one of the event's; else the event's first exact one, if it has any.
    fn test_topic(&mut self, placed: &Placed<'_, tree::Test>, event: &TypedEvent) -> Option<Option<String>> {
        let topics: Vec<&str> =
            event.dialects.iter().flat_map(|d| d.topics.iter().map(String::as_str)).collect();
        let Some(written) = &placed.node.topic else {
            return Some(topics.iter().find(|t| !t.contains(['*', '#'])).map(|t| (*t).to_owned()));
        };
        if !topics.iter().any(|t| *t == written.text || taskbot_graph::topic_matches(t, &written.text)) {
            let message = format!("event `{}` is not told on {:?}", event.name, written.text);
            let diagnostic = Diagnostic::new(&TB0801, placed.place(written.span), message, "not its topic")
                .did_you_mean(&written.text, topics);
            self.push(diagnostic);
            return None;
        }
        Some(Some(written.text.to_string()))
    }

    fn test_fact(&mut self, view: &mut View<'_>, with: &WithFact) -> Option<TestFact> {
        let typed = self.expr(view, &with.path, None)?;
        let TypedKind::Fact(at, _) = typed.kind else {
            self.report(
                &TB0801,
                typed.place,
                "a test sets facts; this is a value of the message",
                "no fact",
            )
            .help = Some("change the message instead".into());
            return None;
        };
        let declared = self.program.facts.get(at)?.clone();
        let answer = match &with.value {
            None => None,
            Some(value) => {
                let typed = self.expr(view, value, Some(&declared.ty))?;
                Some(self.literal_of(typed, &declared.ty)?)
            }
        };
        let key = with.key.as_ref().map(|k| k.text.to_string());
        Some(TestFact { fact: declared.name, key, answer, place: view.place(with.path.span) })
    }

    fn literal_of(&mut self, typed: TypedExpr, ty: &Type) -> Option<Value> {
        if typed.ty != *ty {
            self.mismatch(&typed, ty);
            return None;
        }
        match typed.kind {
            TypedKind::Const(value) => Some(value),
            TypedKind::List(values) => Some(Value::List(values.into())),
            _ => {
                self.report(&TB0801, typed.place, "a test names literals", "not a literal");
                None
            }
        }
    }

    fn expect(&mut self, placed: &Placed<'_, tree::Test>, expect: &tree::Expect) -> Option<TypedExpect> {
        let kind = match &expect.kind {
            ExpectKind::Run(call) => {
                let (task, arguments) = self.expected_run(placed, call)?;
                TypedExpectKind::Run { task, arguments }
            }
            ExpectKind::NoRun(call) => {
                let (task, arguments) = self.expected_run(placed, call)?;
                TypedExpectKind::NoRun { task, arguments }
            }
            ExpectKind::Nothing => TypedExpectKind::Nothing,
            ExpectKind::NothingElse => TypedExpectKind::NothingElse,
            ExpectKind::Quarantine => TypedExpectKind::Quarantine,
        };
        Some(TypedExpect { place: placed.place(expect.span), kind })
    }

    fn expected_run(
        &mut self,
        placed: &Placed<'_, tree::Test>,
        call: &Call,
    ) -> Option<(String, Vec<(String, String)>)> {
        let (_, task) = self.task(placed, call)?;
        let mut view = View::new(placed.file, Root::Nothing);
        self.once(&view, call.arguments.iter().map(|(name, _)| name), "input");
        let mut arguments = Vec::new();
        for (name, expr) in &call.arguments {
            let Some(param) = task.params.iter().find(|p| p.name == name.text) else {
                let message = format!("task `{}` has no input `{}`", task.name, name.text);
                let diagnostic = Diagnostic::new(&TB0207, view.place(name.span), message, "unknown input")
                    .did_you_mean(&name.text, task.params.iter().map(|p| p.name.as_str()));
                self.push(diagnostic);
                return None;
            };
            // A record is expected by its identity.
            let ty = if matches!(param.ty, Type::Record(_)) { &Type::String } else { &param.ty };
            let typed = self.expr(&mut view, expr, Some(ty))?;
            let value = self.literal_of(typed, ty)?;
            arguments.push((name.text.to_string(), taskbot_graph::literal_text(&value)));
        }
        Some((task.name.clone(), arguments))
    }
}
