//! TB0617: a raw topic that a declared event covers.

use std::collections::BTreeMap;

use taskbot_grammar::Waits;
use taskbot_graph::topic_matches;

use super::{Context, Lint, place};
use crate::diagnostic::{Diagnostic, TB0617};
use crate::typed::TypedEvent;

pub(super) static LINT: Lint = Lint { code: &TB0617, check };

/// Events that are told by name.
const TOLD: usize = 3;

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let declared: Vec<&TypedEvent> = context.declared_events().collect();
    let mut known: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for site in &context.sites {
        let Waits::Topic(topic) = &site.tree.event else { continue };
        let events = known.entry(&topic.text).or_insert_with(|| {
            let events = declared.iter().filter(|event| covers(event, &topic.text));
            events.map(|event| event.name.as_str()).collect()
        });
        if events.is_empty() {
            continue;
        }
        let names: Vec<String> = events.iter().take(TOLD).map(|name| format!("`on {name}`")).collect();
        let message = format!("the topic {:?} has a declared event", topic.text);
        let diagnostic = Diagnostic::new(&TB0617, place(site.file, topic.span), message, "read raw")
            .help(format!("write {}", names.join(" or ")));
        found.push(diagnostic);
    }
}

/// Whether every message of a topic is this event, for all that its declaration says.
fn covers(event: &TypedEvent, topic: &str) -> bool {
    let fits = |declared: &String| declared == topic || topic_matches(declared, topic);
    event.deprecated.is_none()
        && event.dialects.iter().any(|dialect| {
            dialect.condition.is_none() && dialect.deprecated.is_none() && dialect.topics.iter().any(fits)
        })
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::codes;

    fn rule(topic: &str) -> String {
        format!("task t {{ repository \"https://example.org/t.git\" }}\non topic {topic:?} run t")
    }

    #[test]
    fn a_topic_with_an_event_is_told() {
        assert_eq!(codes(&rule("bodhi.update.request.testing")), ["TB0617"]);
        assert_eq!(codes(&rule("bodhi.update.request.testing.x")), [""; 0]);
        assert_eq!(codes(&rule("bodhi.update.request.*")), [""; 0]);
    }

    #[test]
    fn an_event_that_is_only_some_of_the_messages_does_not_cover() {
        assert_eq!(codes(&rule("buildsys.build.state.change")), [""; 0]);
    }
}
