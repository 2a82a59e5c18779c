//! The message and the facts of a test.
//!
//! Comes in: a typed test, and the file that it names. Goes out: a topic as rules speak of it and a body that passed intake, or
//! why the daemon would set the message aside; and the facts that the test sets. It judges nothing.

use std::path::{Path, PathBuf};

use taskbot_compiler::{TestFact, TestMessage, TypedTest};
use taskbot_graph::{Answer, FactKey, Facts, SourceFile, TopicFilter};
use taskbot_runtime::intake::IntakeLimits;

use crate::recorded;

/// A test's message.
#[derive(Debug)]
pub enum Given {
    /// It can be judged.
    Message {
        /// Without prefix and environment.
        topic: String,
        /// A JSON object.
        body: Vec<u8>,
    },
    /// Intake sets it aside, with this reason.
    Refused(String),
}

/// Reads a test's message; the error says why there is none.
pub fn given(test: &TypedTest, files: &[SourceFile], filter: &TopicFilter) -> Result<Given, String> {
    let limits = IntakeLimits::default();
    let bare = |bytes: &[u8]| match recorded::body(bytes, &limits) {
        Err(reason) => Ok(Given::Refused(reason)),
        Ok(body) => match &test.topic {
            Some(topic) => Ok(Given::Message { topic: topic.clone(), body }),
            None => Err(format!(
                "event {} has patterns of topics only; write which one after it: given {} topic \"...\"",
                test.event, test.event
            )),
        },
    };
    match &test.given {
        TestMessage::Json(text, _) => bare(text.as_bytes()),
        TestMessage::File(name, place) => {
            let holder = files.get(place.file as usize).map_or("", |f| f.path.as_str());
            let path = beside(holder, name);
            let bytes = std::fs::read(&path).map_err(|e| {
                format!("cannot read {}: {e}; the path is taken from beside {holder}", path.display())
            })?;
            if !recorded::is_whole(&bytes) {
                return bare(&bytes);
            }
            let message = match recorded::whole(&bytes, &limits) {
                Ok(message) => message,
                Err(reason) => return Ok(Given::Refused(reason)),
            };
            match filter.strip(&message.topic) {
                Some(topic) => Ok(Given::Message { topic: topic.to_owned(), body: message.body }),
                None => Err(format!(
                    "{}: no rule looks at {}, for its prefix and environment are not among the accepted ones",
                    path.display(),
                    message.topic
                )),
            }
        }
    }
}

/// A path beside a file.
pub fn beside(file: &str, path: &str) -> PathBuf {
    Path::new(file).parent().unwrap_or(Path::new("")).join(path)
}

/// The facts that a test sets: for their key, else for every key.
#[derive(Clone, Copy, Debug)]
pub struct TestFacts<'t>(pub &'t [TestFact]);

impl Facts for TestFacts<'_> {
    fn answer(&self, key: &FactKey) -> Answer {
        let of_fact = || self.0.iter().filter(|set| set.fact == key.fact);
        let own = of_fact().find(|set| set.key.as_ref() == Some(&key.key));
        match own.or_else(|| of_fact().find(|set| set.key.is_none())) {
            None => Answer::NotAsked,
            Some(set) => set.answer.clone().map_or(Answer::NoSuchKey, Answer::Known),
        }
    }
}

#[cfg(test)]
mod tests {
    use taskbot_graph::{Place, Value};

    use super::*;

    #[test]
    fn a_key_of_its_own_counts_more_than_all_keys() {
        let place = Place { file: 0, start: 0, end: 0 };
        let set = |key: Option<&str>, answer: Option<&str>| TestFact {
            fact: "nvr.lang".into(),
            key: key.map(str::to_owned),
            answer: answer.map(|a| Value::Text(a.into())),
            place,
        };
        let facts = [set(None, Some("C")), set(Some("curl"), None)];
        let answer =
            |fact: &str, key: &str| TestFacts(&facts).answer(&FactKey { fact: fact.into(), key: key.into() });
        assert_eq!(answer("nvr.lang", "bash"), Answer::Known(Value::Text("C".into())));
        assert_eq!(answer("nvr.lang", "curl"), Answer::NoSuchKey);
        assert_eq!(answer("nvr.arches", "bash"), Answer::NotAsked);
    }
}
