//! What happens in taskbot, as messages of a bus.
//!
//! Comes in: a notice. Goes out: one `taskbot.run.finished` and a `taskbot.result.new` for each result, with the shape that the
//! standard library declares for these events and some more. Each has an id that is made of what it tells, so a message that is sent
//! again is known for the same. What a body holds is bounded.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::link::Link;
use super::notice::Notice;
use super::page::outcome;
use crate::limits;

/// A message to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BusEvent {
    /// Below the prefix of the site.
    pub(crate) topic: &'static str,
    /// A UUID.
    pub(crate) id: String,
    /// A JSON object without floating-point numbers.
    pub(crate) body: Map<String, Value>,
}

/// Prefix and environment that topics begin with, `org.fedoraproject.prod`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TopicPrefix(String);

impl TryFrom<String> for TopicPrefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let word = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if text.split('.').all(word) {
            Ok(Self(text))
        } else {
            Err(format!(
                "'{text}' is no beginning of topics; write words with dots between, `org.example.prod`"
            ))
        }
    }
}

impl TopicPrefix {
    /// The whole topic of an event.
    pub(super) fn topic(&self, event: &BusEvent) -> String {
        format!("{}.{}", self.0, event.topic)
    }
}

/// The messages that tell a run: its results, then that it is over.
pub(crate) fn events(notice: &Notice, link: Option<&Link>) -> Vec<BusEvent> {
    let (run, run_id) = (&notice.run, notice.run_id());
    let url = link.map(|link| link.to(run.run.id));
    let event = |topic, what: &str, body: Value| {
        let mut body = match body {
            Value::Object(body) => body,
            _ => Map::new(),
        };
        body.insert("run_id".into(), json!(run_id));
        body.insert("task".into(), json!(run.run.task));
        body.extend(url.as_ref().map(|url| ("url".to_owned(), json!(url))));
        BusEvent { topic, id: notice.id_of(what), body }
    };
    let results = run.results.iter().enumerate().take(limits::SINK_EVENTS).map(|(number, result)| {
        let body = json!({
            "result": number, "testcase": result.testcase, "outcome": outcome(result.outcome),
            "item": result.item, "type": result.item_type, "note": result.note,
        });
        event("taskbot.result.new", &format!("result {number}"), body)
    });
    let mut all: Vec<BusEvent> = results.collect();
    let arguments: Map<String, Value> =
        run.arguments.iter().map(|argument| (argument.name.clone(), json!(cut(&argument.text)))).collect();
    let mut counts: Map<String, Value> = Map::new();
    for result in &run.results {
        let count = counts.entry(outcome(result.outcome)).or_insert(json!(0));
        *count = json!(count.as_u64().unwrap_or(0) + 1);
    }
    let causes: Vec<&str> =
        run.reasons.iter().take(limits::SINK_CAUSES).map(|r| r.message.as_str()).collect();
    let body = json!({
        "run": run.run.id, "state": run.run.state, "attempt": run.run.attempt, "rules": run.run.rules,
        "arguments": arguments, "outcomes": counts, "commit": run.commit, "causes": causes,
        "note": run.run.note.as_deref().map(cut), "results_left_out": run.results.len().saturating_sub(limits::SINK_EVENTS),
    });
    all.push(event("taskbot.run.finished", "run", body));
    all
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(limits::RESULT_NOTE_BYTES)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "tests")]

    use super::super::notice::tests::{notice, result};
    use super::*;
    use crate::task::Outcome;

    #[test]
    fn a_run_is_told_by_its_results_and_its_end() {
        let run = notice(vec![
            result("a.b", Outcome::Passed, "", json!({})),
            result("a.c", Outcome::NeedsInspection, "look", json!({"x": 1.5})),
        ]);
        let all = events(&run, None);
        assert_eq!(all, events(&run, None), "the same each time, ids included");
        let topics: Vec<_> = all.iter().map(|event| event.topic).collect();
        assert_eq!(topics, ["taskbot.result.new", "taskbot.result.new", "taskbot.run.finished"]);
        assert_eq!(all[1].body["outcome"], "NEEDS_INSPECTION");
        assert_eq!(all[1].body["run_id"], all[2].body["run_id"]);
        assert_eq!(all[2].body["outcomes"], json!({"PASSED": 1, "NEEDS_INSPECTION": 1}));
        assert_eq!(all[2].body["causes"], json!(["m1"]));
        let mut ids: Vec<_> = all.iter().map(|event| &event.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 3);
    }

    #[test]
    fn a_run_with_very_many_results_is_told_in_part_and_says_so() {
        let many =
            notice((0..limits::SINK_EVENTS + 5).map(|_| result("a", Outcome::Info, "", json!({}))).collect());
        let all = events(&many, None);
        assert_eq!(all.len(), limits::SINK_EVENTS + 1);
        assert_eq!(all.last().map(|last| &last.body["results_left_out"]), Some(&json!(5)));
    }

    #[test]
    fn a_prefix_is_words_with_dots() {
        for wrong in ["", ".", "org..x", "org.*", "org.x.prod ", "org.x\n"] {
            assert!(TopicPrefix::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        assert!(TopicPrefix::try_from("org.fedoraproject.prod".to_owned()).is_ok());
    }
}
