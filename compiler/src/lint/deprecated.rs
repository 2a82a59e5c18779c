//! TB0616: a rule on what is no longer to be used.

use taskbot_grammar::Waits;
use taskbot_graph::topic_matches;

use super::{Context, Lint, place};
use crate::diagnostic::{Diagnostic, TB0616};
use crate::typed::TypedEvent;

pub(super) static LINT: Lint = Lint { code: &TB0616, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let events = &context.compiled.program.events;
    let declared: Vec<&TypedEvent> = context.declared_events().collect();
    for site in &context.sites {
        let instead = match &site.tree.event {
            Waits::Event(_) => events.get(site.typed.event).and_then(of_event),
            Waits::Topic(topic) => of_topic(&declared, &topic.text),
        };
        let Some(instead) = instead else { continue };
        let name = site.tree.event.name();
        let what = if matches!(site.tree.event, Waits::Event(_)) { "event" } else { "topic" };
        let message = format!("the {what} `{}` is deprecated", name.text);
        found
            .push(Diagnostic::new(&TB0616, place(site.file, name.span), message, "deprecated").help(instead));
    }
}

/// What to use instead of an event: said of itself, or of every dialect.
fn of_event(event: &TypedEvent) -> Option<&str> {
    let all = || {
        let mut dialects = event.dialects.iter().map(|dialect| dialect.deprecated.as_deref());
        let first = dialects.next()??;
        dialects.all(|dialect| dialect.is_some()).then_some(first)
    };
    event.deprecated.as_deref().or_else(all)
}

/// What to use instead of a topic: one that is told by nothing that is not deprecated.
fn of_topic<'e>(events: &[&'e TypedEvent], topic: &str) -> Option<&'e str> {
    let fits = |declared: &String| declared == topic || topic_matches(declared, topic);
    let dialects = events.iter().flat_map(|event| event.dialects.iter().map(move |dialect| (event, dialect)));
    let mut instead = dialects
        .filter(|(_, dialect)| dialect.topics.iter().any(fits))
        .map(|(event, dialect)| dialect.deprecated.as_deref().or(event.deprecated.as_deref()));
    let first = instead.next()??;
    instead.all(|other| other.is_some()).then_some(first)
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::codes;

    const OLD: &str = "task t { repository \"https://example.org/t.git\" }
event old.news { deprecated \"use new.news\" dialect d { topic \"old.news\" } }
event both.told { deprecated \"use new.news\" dialect d { topic \"new.news\" } }
event new.news {
  dialect now { topic \"new.news\" }
  dialect before { topic \"new.old-news\" deprecated \"new.news tells the same\" }
}
";

    #[test]
    fn a_deprecated_event_or_topic_is_told_the_new_one_is_not() {
        for (rule, expected) in [
            ("on old.news run t", vec!["TB0616"]),
            ("on topic \"new.old-news\" run t", vec!["TB0616"]),
            ("on topic \"old.news\" run t", vec!["TB0616"]),
            ("on topic \"new.news\" run t", vec!["TB0617"]),
            ("on new.news run t", vec![]),
        ] {
            assert_eq!(codes(&format!("{OLD}{rule}")), expected, "{rule}");
        }
    }
}
