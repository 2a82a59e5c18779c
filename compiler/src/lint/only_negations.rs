//! TB0610: a rule on a wildcard that only says what it does not want.

use taskbot_graph::{CompareOp, Quantifier, Test};

use super::{Context, Lint};
use crate::diagnostic::{Diagnostic, TB0610};
use crate::typed::{TypedEvent, TypedExpr, TypedKind};

pub(super) static LINT: Lint = Lint { code: &TB0610, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for site in &context.sites {
        let Some(condition) = &site.typed.condition else { continue };
        let event = context.compiled.program.events.get(site.typed.event);
        if event.is_some_and(is_wild) && excludes(condition, Sense::AsWritten) {
            let message = "this rule says only what it does not want, on every topic that fits the wildcard";
            let diagnostic = Diagnostic::new(&TB0610, condition.place, message, "matches everything else")
                .help("say what it wants (`==`, `in`, `like`), or name the topics one by one");
            found.push(diagnostic);
        }
    }
}

/// Whether every topic of an event has a wildcard.
fn is_wild(event: &TypedEvent) -> bool {
    let mut topics = event.dialects.iter().flat_map(|dialect| &dialect.topics).peekable();
    topics.peek().is_some() && topics.all(|topic| topic.split('.').any(|word| word == "*" || word == "#"))
}

/// Whether a condition counts as it stands or as its opposite.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sense {
    AsWritten,
    Opposite,
}

/// Whether a condition only excludes.
fn excludes(condition: &TypedExpr, sense: Sense) -> bool {
    let opposite = if sense == Sense::AsWritten { Sense::Opposite } else { Sense::AsWritten };
    match &condition.kind {
        TypedKind::And(parts) | TypedKind::Or(parts) => parts.iter().all(|part| excludes(part, sense)),
        TypedKind::Not(of) => excludes(of, opposite),
        TypedKind::Compare(CompareOp::NotEqual, ..) | TypedKind::Test(Test::IsNull | Test::IsAbsent, _) => {
            sense == Sense::AsWritten
        }
        TypedKind::Compare(CompareOp::Equal, ..)
        | TypedKind::In(..)
        | TypedKind::InList(..)
        | TypedKind::Like(..)
        | TypedKind::Matches(..)
        | TypedKind::Test(Test::Has, _)
        | TypedKind::Path(_)
        | TypedKind::EventValue(_) => sense == Sense::Opposite,
        TypedKind::Quantified(Quantifier::None, _, of) => excludes(of, opposite),
        TypedKind::Quantified(_, _, of) => excludes(of, sense),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::codes;

    fn rule(topic: &str, condition: &str) -> String {
        format!(
            "task t {{ repository \"https://example.org/t.git\" }}\non topic {topic:?} where {condition} run t"
        )
    }

    #[test]
    fn only_negations_on_a_wildcard_are_told() {
        for condition in [
            "body.a != \"x\"",
            "not body.a in [\"x\", \"y\"] and body.b != 2",
            "not (body.a == \"x\" or body.a like \"y*\")",
            "not has body.a",
        ] {
            assert_eq!(codes(&rule("ci.*.result", condition)), ["TB0610"], "{condition}");
        }
        assert_eq!(codes(&rule("ci.#", "body.a != \"x\"")), ["TB0610"]);
    }

    #[test]
    fn one_thing_that_is_wanted_is_enough() {
        assert_eq!(codes(&rule("ci.*.result", "body.a != \"x\" and has body.b")), [""; 0]);
        assert_eq!(codes(&rule("ci.*.result", "not body.a != \"x\"")), [""; 0]);
        assert_eq!(codes(&rule("ci.*.result", "body.a > 2")), [""; 0]);
        assert_eq!(codes(&rule("ci.result.new", "body.a != \"x\"")), [""; 0]);
    }
}
