//! A notice: one run that is over, as every sink gets it.
//!
//! Comes in: the run's document out of the store. Goes out: the same, cleaned and with names that are the same each time
//! it is told, by which peers know what they have already. Text of tasks and messages is made printable here, once for all
//! sinks: control characters and marks of direction become `\u{..}`. Its bounds are those of results and runs.

use std::path::PathBuf;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::error::SinkError;
use crate::message::MessageText;
use crate::store::RunReport;
use crate::task::TaskResult;

/// One run that is over, on its way to a sink.
#[derive(Clone, Debug)]
pub struct Notice {
    /// What is told.
    pub run: RunReport,
    /// Where its kept files are.
    pub artifacts: PathBuf,
}

impl Notice {
    /// Cleans a run's document.
    pub fn new(mut run: RunReport, artifacts: PathBuf) -> Self {
        for text in [&mut run.run.run, &mut run.run.task, &mut run.instance, &mut run.repository] {
            clean(text);
        }
        run.run.note.iter_mut().for_each(clean);
        run.run.rules.iter_mut().for_each(clean);
        for argument in &mut run.arguments {
            clean(&mut argument.text);
            argument.json = cleaned(std::mem::take(&mut argument.json));
        }
        for reason in &mut run.reasons {
            [&mut reason.message, &mut reason.topic, &mut reason.rule].into_iter().for_each(clean);
        }
        for request in &mut run.requests {
            [&mut request.rule, &mut request.message, &mut request.run].into_iter().for_each(clean);
            request.instead.iter_mut().for_each(clean);
        }
        run.steps.iter_mut().filter_map(|step| step.detail.as_mut()).for_each(clean);
        run.results.iter_mut().for_each(clean_result);
        Self { run, artifacts }
    }

    /// The run's identity: the same in every attempt to tell it, another for every run of every site.
    pub fn run_id(&self) -> String {
        self.id("run")
    }

    /// Identity of something that is told about the run in its present attempt; `what` says which.
    pub fn id_of(&self, what: &str) -> String {
        self.id(&format!("{} {} {what}", self.run.run.attempt, self.run.run.state))
    }

    fn id(&self, what: &str) -> String {
        let run = &self.run;
        let [id, made] = [run.run.id, run.run.created_at.millis()].map(|number| number.to_string());
        uuid(&["taskbot", &id, &made, &run.instance, &run.run.run, what])
    }

    /// The whole document as JSON.
    pub(super) fn document(&self) -> Result<Value, SinkError> {
        serde_json::to_value(&self.run).map_err(|e| SinkError::Form(e.to_string()))
    }
}

/// A UUID made of names (version 8 of RFC 9562, from SHA-256).
fn uuid(names: &[&str]) -> String {
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_bytes());
        hash.update([0]);
    }
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash.finalize()) {
        *byte = hashed;
    }
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf << 76) | 8 << 76;
    let number = number & !(0b11 << 62) | 0b10 << 62;
    let group = |shift: u32, digits: usize| {
        let mask = (1_u128 << (4 * digits)) - 1;
        format!("{:0digits$x}", number >> shift & mask)
    };
    [group(96, 8), group(80, 4), group(64, 4), group(48, 4), group(0, 12)].join("-")
}

fn clean_result(result: &mut TaskResult) {
    for text in [&mut result.testcase, &mut result.item, &mut result.item_type, &mut result.note] {
        clean(text);
    }
    result.artifacts.iter_mut().for_each(clean);
    result.data = cleaned_map(std::mem::take(&mut result.data));
}

fn clean(text: &mut String) {
    if !MessageText::prints(text) {
        *text = MessageText::new(std::mem::take(text)).to_string();
    }
}

fn cleaned(value: Value) -> Value {
    match value {
        Value::String(mut text) => {
            clean(&mut text);
            Value::String(text)
        }
        Value::Array(values) => Value::Array(values.into_iter().map(cleaned).collect()),
        Value::Object(map) => Value::Object(cleaned_map(map)),
        other => other,
    }
}

fn cleaned_map(map: Map<String, Value>) -> Map<String, Value> {
    let entry = |(mut key, value)| {
        clean(&mut key);
        (key, cleaned(value))
    };
    map.into_iter().map(entry).collect()
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;
    use taskbot_graph::Argument;

    use super::*;
    use crate::effect::Timestamp;
    use crate::store::{ReasonRow, RunRow};
    use crate::task::Outcome;

    /// A result of a test case.
    pub(crate) fn result(testcase: &str, outcome: Outcome, note: &str, data: Value) -> TaskResult {
        TaskResult {
            testcase: testcase.into(),
            outcome,
            item: "curl-8.6.0-7.fc40".into(),
            item_type: "koji_build".into(),
            note: note.into(),
            artifacts: Vec::new(),
            data: serde_json::from_value(data).unwrap(),
        }
    }

    /// A run that is over, with these results.
    pub(crate) fn notice(results: Vec<TaskResult>) -> Notice {
        let at = Timestamp::from_millis(1_700_000_000_000);
        let argument =
            |name: &str, text: &str| Argument { name: name.into(), text: text.into(), json: json!(text) };
        let row = RunRow {
            id: 7,
            run: "look(package: \"curl-8.6.0-7.fc40\")".into(),
            task: "look".into(),
            state: "finished".into(),
            step: None,
            attempt: 1,
            note: None,
            rules: vec!["every".into()],
            outcomes: Vec::new(),
            created_at: at,
            changed_at: at,
        };
        let reason = ReasonRow {
            message: "m1".into(),
            topic: "org.x.prod.t".into(),
            rule: "every".into(),
            subject: None,
            about_run: None,
        };
        let run = RunReport {
            run: row,
            instance: "message:m1".into(),
            repository: "https://example.org/look.git".into(),
            commit: Some("c0ffee".into()),
            arguments: vec![argument("package", "curl-8.6.0-7.fc40"), argument("arch", "x86_64")],
            reasons: vec![reason],
            requests: Vec::new(),
            steps: Vec::new(),
            results,
            artifacts: Vec::new(),
        };
        Notice::new(run, "/nowhere".into())
    }

    #[test]
    fn identities_stay_and_differ() {
        let one = notice(Vec::new());
        assert_eq!(one.run_id(), notice(Vec::new()).run_id());
        let mut again = notice(Vec::new());
        again.run.run.attempt = 2;
        assert_eq!(one.run_id(), again.run_id(), "the run stays the run");
        assert_ne!(one.id_of("hook"), again.id_of("hook"), "what became of it is news");
        again.run.run.id = 8;
        assert_ne!(one.run_id(), again.run_id());
        let id = one.run_id();
        let shape: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(shape, [8, 4, 4, 4, 12], "{id}");
        assert!(&id[14..15] == "8" && "89ab".contains(&id[19..20]), "{id}");
    }

    #[test]
    fn nothing_that_misleads_a_reader_is_told() {
        let data = json!({"a\u{1b}": ["b\u{202e}", {"c": "d\n"}], "n": 1});
        let mut dirty = notice(Vec::new()).run;
        dirty.results = vec![result("a.b\u{7}", Outcome::Failed, "x\u{9b}y", data)];
        dirty.run.note = Some("z\u{200f}".into());
        let told = serde_json::to_string(&Notice::new(dirty, "/nowhere".into()).document().unwrap()).unwrap();
        assert!(MessageText::prints(&told), "{told}");
        for escaped in ["\\u00", "\\n"] {
            assert!(!told.contains(escaped), "{told}");
        }
        assert!(told.contains("d\\\\u{a}") && told.contains("\"n\":1"), "{told}");
    }
}
