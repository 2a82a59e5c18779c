//! The sink that is ResultsDB, by its API v2.0.
//!
//! Comes in: a notice. Goes out: a group for the run, and a result for each of the run's results that is not there yet. ResultsDB
//! takes the same result twice, so each carries the run's identity (`taskbot.run`) and its own number (`taskbot.result`), and what is
//! there is asked for before anything is sent: an answer that was lost makes no duplicate. Outcomes are negotiated with the
//! store: what it does not know becomes the nearest that it knows, never a better one, with the original in `taskbot.outcome`. It
//! never changes or deletes a result.
//!
//! ```toml
//! [[sink]]
//! kind = "resultsdb"
//! url = "https://resultsdb.example.org/api/v2.0"
//! link = "https://qa.example.org/runs/{run}/"
//! auth = { token_file = "resultsdb.token" }
//! ```

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::config::{Only, Settings};
use super::error::SinkError;
use super::http::{Auth, Peer, Url};
use super::link::Link;
use super::notice::Notice;
use crate::config::duration;
use crate::limits;
use crate::task::reported::cut;
use crate::task::{Outcome, TaskResult};

/// `kind = "resultsdb"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name.
    #[serde(default = "name")]
    name: String,
    /// What it is told.
    #[serde(default)]
    only: Only,
    /// The API's own URL, up to `v2.0`.
    url: Url,
    /// Page about a run.
    link: Option<Link>,
    /// Who to be.
    #[serde(default)]
    auth: Auth,
    /// The authority of its certificate, beside the system's.
    ca: Option<PathBuf>,
    /// One request, from the connection to the end of the answer.
    #[serde(default = "timeout", deserialize_with = "duration")]
    timeout: Duration,
}

fn name() -> String {
    "resultsdb".into()
}
const fn timeout() -> Duration {
    limits::SINK_TIMEOUT
}

impl Settings for Config {
    fn name(&self) -> &str {
        &self.name
    }
    fn only(&self) -> &Only {
        &self.only
    }
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        self.ca.iter_mut().chain(self.auth.paths()).collect()
    }
    fn check(&self) -> Result<(), String> {
        self.auth.check()
    }
}

/// Key of the run's identity in a result's data.
const RUN: &str = "taskbot.run";
/// Key of the result's number within its run.
const RESULT: &str = "taskbot.result";
/// Key of the outcome as taskbot has it, where the store does not know it.
const OUTCOME: &str = "taskbot.outcome";

pub(super) fn deliver(config: &Config, notice: &Notice) -> Result<(), SinkError> {
    if notice.run.results.is_empty() && notice.run.run.state != BROKEN {
        return Ok(());
    }
    let peer = Peer::new(&config.url, &config.auth, config.ca.as_deref(), config.timeout)?;
    let store = Store { config, peer, notice, run_id: notice.run_id() };
    let accepted = store.outcomes()?;
    let results: Vec<Value> = if notice.run.results.is_empty() {
        store.broken(&accepted).into_iter().collect()
    } else {
        let numbered = notice.run.results.iter().enumerate();
        numbered.map(|(number, result)| store.result(number, result, &accepted)).collect::<Result<_, _>>()?
    };
    if results.is_empty() {
        return Ok(());
    }
    let there = store.there()?;
    if there.is_empty() {
        store.group()?;
    }
    for (number, result) in
        results.iter().enumerate().filter(|(number, _)| !there.contains(&number.to_string()))
    {
        store.post("results", result, &format!("result {number}"))?;
    }
    Ok(())
}

/// State of a run that its surroundings failed: it has no results.
const BROKEN: &str = "infrastructure-error";

struct Store<'a> {
    config: &'a Config,
    peer: Peer,
    notice: &'a Notice,
    run_id: String,
}

impl Store<'_> {
    /// The outcomes that the store accepts. Its front page lists them, under the status 300.
    fn outcomes(&self) -> Result<Vec<String>, SinkError> {
        #[derive(Deserialize)]
        struct Front {
            outcomes: Vec<String>,
        }
        const WHAT: &str = "the question for its outcomes";
        let answer = self.peer.get(&self.config.url.below(""), &[])?;
        if answer.status != 300 && !answer.is_success() {
            return Err(answer.refusal(WHAT));
        }
        answer.json::<Front>(WHAT).map(|front| front.outcomes)
    }

    /// Numbers of this run's results that are there.
    fn there(&self) -> Result<BTreeSet<String>, SinkError> {
        #[derive(Deserialize)]
        struct Page {
            data: Vec<Stored>,
            next: Option<String>,
        }
        #[derive(Deserialize)]
        struct Stored {
            data: Map<String, Value>,
        }
        const WHAT: &str = "the question for what is there";
        let (url, limit) = (self.config.url.below("results"), limits::RESULTSDB_PAGE.to_string());
        let mut there = BTreeSet::new();
        // One page more than all results fill: the page after the last may be empty.
        for page in 0..=limits::RESULTS_PER_RUN.div_ceil(limits::RESULTSDB_PAGE) {
            let page = page.to_string();
            let query = [(RUN, self.run_id.as_str()), ("limit", &limit), ("page", &page)];
            let answer = self.peer.get(&url, &query)?;
            if !answer.is_success() {
                return Err(answer.refusal(WHAT));
            }
            let page: Page = answer.json(WHAT)?;
            let last = page.next.is_none() || page.data.is_empty();
            let numbers = page.data.iter().filter_map(|one| one.data.get(RESULT)).flat_map(texts);
            there.extend(numbers);
            if last {
                break;
            }
        }
        Ok(there)
    }

    /// Makes the run's group, or sets it as it is: doing it twice is doing it once.
    fn group(&self) -> Result<(), SinkError> {
        let description = bounded(&self.notice.run.run.run);
        let mut group = json!({ "uuid": self.run_id, "description": description });
        self.refer(&mut group);
        self.post("groups", &group, "the run's group")
    }

    fn refer(&self, object: &mut Value) {
        if let (Some(link), Some(object)) = (&self.config.link, object.as_object_mut()) {
            object.insert("ref_url".into(), link.to(self.notice.run.run.id).into());
        }
    }

    fn post(&self, path: &str, document: &Value, what: &str) -> Result<(), SinkError> {
        let json = serde_json::to_vec(document).map_err(|e| SinkError::Form(e.to_string()))?;
        let answer = self.peer.post(&self.config.url.below(path), &[], &json)?;
        if answer.is_success() { Ok(()) } else { Err(answer.refusal(what)) }
    }

    /// A result as the store wants it.
    fn result(&self, number: usize, result: &TaskResult, accepted: &[String]) -> Result<Value, SinkError> {
        let outcome = nearest(result.outcome, accepted).ok_or_else(|| {
            SinkError::Form(format!(
                "ResultsDB accepts none of the outcomes that could tell {}",
                word(result.outcome)
            ))
        })?;
        let mut data = Map::new();
        for (key, value) in result.data.iter().take(limits::RESULTSDB_KEYS) {
            // A colon in a key is refused.
            data.insert(
                cut(&key.replace(':', "."), limits::RESULTSDB_KEY_BYTES),
                Value::Array(values(value)),
            );
        }
        data.insert("item".into(), bounded(&result.item));
        data.insert("type".into(), bounded(&result.item_type));
        if outcome != word(result.outcome) {
            data.insert(OUTCOME.into(), word(result.outcome).into());
        }
        Ok(self.wrap(number, &result.testcase, outcome, &result.note, data))
    }

    /// A run without results, where the store has an outcome for it.
    fn broken(&self, accepted: &[String]) -> Option<Value> {
        let outcome =
            ["ERROR", "CRASHED"].into_iter().find(|outcome| accepted.iter().any(|a| a == outcome))?;
        let run = &self.notice.run;
        let note = run.run.note.as_deref().unwrap_or_default();
        let item = run.arguments.first().map_or(run.run.run.as_str(), |argument| argument.text.as_str());
        let data = Map::from_iter([("item".to_owned(), bounded(item))]);
        Some(self.wrap(0, &run.run.task, outcome, note, data))
    }

    fn wrap(
        &self,
        number: usize,
        testcase: &str,
        outcome: &str,
        note: &str,
        mut data: Map<String, Value>,
    ) -> Value {
        let run = &self.notice.run;
        for argument in &run.arguments {
            let key = cut(&format!("taskbot.input.{}", argument.name), limits::RESULTSDB_KEY_BYTES);
            data.insert(key, bounded(&argument.text));
        }
        data.insert("taskbot.task".into(), bounded(&run.run.task));
        data.insert("taskbot.rule".into(), run.run.rules.iter().map(|rule| bounded(rule)).collect());
        data.extend(run.commit.as_ref().map(|commit| ("taskbot.commit".to_owned(), bounded(commit))));
        data.insert(RUN.into(), self.run_id.clone().into());
        data.insert(RESULT.into(), number.to_string().into());
        let mut testcase = json!({ "name": testcase });
        if run.repository.starts_with("https://")
            && let Some(testcase) = testcase.as_object_mut()
        {
            testcase.insert("ref_url".into(), bounded(&run.repository));
        }
        let mut result = json!({
            "testcase": testcase, "outcome": outcome, "groups": [self.run_id], "note": note, "data": data,
        });
        self.refer(&mut result);
        result
    }
}

/// As the store spells an outcome.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "PASSED",
        Outcome::Info => "INFO",
        Outcome::Failed => "FAILED",
        Outcome::NeedsInspection => "NEEDS_INSPECTION",
    }
}

/// The nearest outcome that the store accepts, never a better one than it is.
fn nearest(outcome: Outcome, accepted: &[String]) -> Option<&'static str> {
    let order: &[&str] = match outcome {
        Outcome::Passed => &["PASSED"],
        Outcome::Info => &["INFO", "PASSED", "NEEDS_INSPECTION"],
        Outcome::NeedsInspection => &["NEEDS_INSPECTION", "FAILED"],
        Outcome::Failed => &["FAILED", "NEEDS_INSPECTION"],
    };
    order.iter().copied().find(|word| accepted.iter().any(|a| a == word))
}

/// A value of a result's data as the store keeps it: strings.
fn values(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![bounded(text)],
        Value::Array(values) => values.iter().take(limits::RESULTSDB_VALUES).flat_map(flat).collect(),
        other => flat(other),
    }
}

fn flat(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![bounded(text)],
        other => vec![bounded(&other.to_string())],
    }
}

/// The strings of a value that the store gives back: a list, or one.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn bounded(text: &str) -> Value {
    Value::String(cut(text, limits::RESULTSDB_VALUE_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_never_becomes_a_better_one() {
        let near = |outcome, accepted: &[&str]| {
            nearest(outcome, &accepted.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        const ALL: [Outcome; 4] = [Outcome::Passed, Outcome::Info, Outcome::Failed, Outcome::NeedsInspection];
        for outcome in ALL {
            assert_eq!(
                near(outcome, &["PASSED", "INFO", "FAILED", "NEEDS_INSPECTION", "ERROR"]),
                Some(word(outcome))
            );
            assert_eq!(near(outcome, &["ERROR", "QUEUED"]), None);
        }
        let two = ["PASSED", "FAILED"];
        assert_eq!(
            ALL.map(|outcome| near(outcome, &two)),
            [Some("PASSED"), Some("PASSED"), Some("FAILED"), Some("FAILED")]
        );
        assert_eq!(near(Outcome::Failed, &["PASSED", "INFO"]), None);
    }

    #[test]
    fn data_is_strings_and_lists_of_strings() {
        let texts =
            |value| values(&value).iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(texts(json!("x")), ["x"]);
        assert_eq!(texts(json!(["x", 1, true, null, {"a": 1.5}])), ["x", "1", "true", "{\"a\":1.5}"]);
        assert_eq!(texts(json!({"a": [1]})), ["{\"a\":[1]}"]);
        assert!(texts(json!(null)).is_empty());
        assert!(
            texts(json!("é".repeat(5000))).iter().all(|text| text.len() <= limits::RESULTSDB_VALUE_BYTES)
        );
    }
}
