//! Why a rule fired or did not, in words.
//!
//! Comes in: what `taskbot_graph::explain` found for one rule, and the files that its places speak of. Goes out: lines of text
//! without colours or indentation, escaped, for `test` and `plan`; `explain` prints the same at length.

use taskbot_graph::{Graph, Place, RuleReport, SourceFile, Unreached, Verdict};

use crate::output::shown;
use crate::render;

/// The first failed condition with what it saw, or whatever else kept the rule from asking for a run.
pub fn lines(files: &[SourceFile], report: &RuleReport) -> Vec<String> {
    match &report.verdict {
        Verdict::Fired { runs, .. } => runs.iter().map(|run| format!("it asks for {}", shown(run))).collect(),
        Verdict::ConditionFailed { place, seen } => {
            let what = match place {
                Some(place) => {
                    format!("`{}` does not hold  {}", source_text(files, *place), spot(files, *place))
                }
                None => "its condition does not hold".to_owned(),
            };
            let seen = seen.iter().map(|s| format!("  {} is {}", shown(&s.text), shown(&s.value)));
            std::iter::once(what).chain(seen).collect()
        }
        Verdict::Waiting { needs } => needs
            .iter()
            .map(|need| format!("it waits for the fact {} of {}", need.fact, shown(&need.key)))
            .collect(),
        Verdict::Refused { reason } => vec![format!("the message is quarantined for it: {}", shown(reason))],
        Verdict::NoSubject => vec!["the list of subjects is empty".to_owned()],
    }
}

/// Why a rule never looked at a message.
pub fn unreached(topic: &str, event: &str, reason: &Unreached) -> Vec<String> {
    match reason {
        Unreached::OtherTopic { waits_for } => {
            let mut lines = vec![
                format!("it waits for {event}, told on {}", waits_for.join(", ")),
                format!("the message's topic is {}", shown(topic)),
            ];
            let close = closest_topic(topic, waits_for.iter().map(String::as_str));
            lines.extend(close.map(|close| format!("the closest of its topics is {close}")));
            lines
        }
        Unreached::OtherEvent { reason, quarantined } => {
            let word = if *quarantined { "cannot be judged as" } else { "is not" };
            vec![format!("the message {word} {event}: {}", shown(reason))]
        }
    }
}

/// The topic that shares most words, in their order from both ends; none: not even one.
pub fn closest_topic<'t>(topic: &str, topics: impl Iterator<Item = &'t str>) -> Option<&'t str> {
    let words: Vec<&str> = topic.split('.').collect();
    let shared = |other: &str| {
        let other: Vec<&str> = other.split('.').collect();
        let head = words.iter().zip(&other).take_while(|(a, b)| a == b).count();
        let tail = words.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
        head.saturating_add(tail)
    };
    let mut best: Option<(usize, &str)> = None;
    for other in topics {
        let shared = shared(other);
        if shared > best.map_or(0, |(most, _)| most) {
            best = Some((shared, other));
        }
    }
    best.map(|(_, topic)| topic)
}

/// A place's text on one line.
pub fn source_text(files: &[SourceFile], place: Place) -> String {
    shown(&render::quoted(files, place).split_whitespace().collect::<Vec<_>>().join(" "))
}

/// `rules.tb:3:7`
pub fn spot(files: &[SourceFile], place: Place) -> String {
    render::spot(files, place).short()
}

/// Where a rule stands.
pub fn rule_place(graph: &Graph, rule: &str) -> Option<Place> {
    let at = graph.rules.iter().position(|r| r.name == rule)?;
    graph.sources.rules.get(at).map(|source| source.place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_topic_shares_words_not_letters() {
        let topics = ["bodhi.update.request.testing", "bodhi.update.complete.testing", "buildsys.tag"];
        let close = |topic| closest_topic(topic, topics.into_iter());
        assert_eq!(close("bodhi.update.request.stable"), Some("bodhi.update.request.testing"));
        assert_eq!(close("buildsys.untag"), Some("buildsys.tag"));
        assert_eq!(close("compose.rawhide"), None);
    }
}
