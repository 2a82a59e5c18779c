//! A ResultsDB as strict as the real one: API v2.0, as far as a client that reports needs it.
//!
//! Comes in: requests. Goes out: the documented answers. It refuses what the real one refuses, in the real one's form, takes
//! the same result as often as it is sent, and makes test cases and groups that it does not know.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::http_server::{Answer, Request};

const BASE: &str = "/api/v2.0";

/// What the store holds.
#[derive(Default)]
pub struct Store {
    pub outcomes: Vec<&'static str>,
    pub results: Vec<Value>,
    pub groups: BTreeMap<String, Value>,
    pub testcases: BTreeMap<String, Value>,
}

impl Store {
    pub fn new(outcomes: &[&'static str]) -> Self {
        Self { outcomes: outcomes.to_vec(), ..Self::default() }
    }

    /// Answers as the server does.
    pub fn answer(&mut self, request: &Request) -> Answer {
        let Some(path) = request.path.strip_prefix(BASE) else { return missing("Not found") };
        match (request.method.as_str(), path) {
            ("GET", "" | "/") => Answer::Json(
                300,
                json!({ "message": "Everything is fine.", "outcomes": self.outcomes, "results": "http://x/results" }),
            ),
            ("GET", "/results") => self.query(request),
            ("GET", path) if path.starts_with("/results/") => {
                let id = path.trim_start_matches("/results/");
                let found =
                    self.results.iter().find(|result| id.parse() == Ok(result["id"].as_u64().unwrap()));
                found.map_or(missing("Result not found"), |result| Answer::Json(200, result.clone()))
            }
            ("POST", "/results" | "/groups" | "/testcases") => match body(request) {
                Err(answer) => answer,
                Ok(body) => match path {
                    "/results" => self.add_result(&body),
                    "/groups" => self.add_group(&body),
                    _ => self.add_testcase(&body),
                },
            },
            _ => missing("Not found"),
        }
    }

    fn query(&self, request: &Request) -> Answer {
        let (mut page, mut limit, mut wanted) = (0, 20, Vec::new());
        for (key, value) in &request.query {
            match key.as_str() {
                "page" | "limit" => {
                    let Ok(number) = value.parse::<usize>() else {
                        return invalid(key, "value is not a valid integer");
                    };
                    *(if key == "page" { &mut page } else { &mut limit }) = number;
                }
                key => wanted.push((key, value.split(',').collect::<Vec<_>>())),
            }
        }
        let matches = |result: &&Value| {
            wanted.iter().all(|(key, values)| {
                let stored = result["data"][key].as_array().into_iter().flatten();
                stored.filter_map(Value::as_str).any(|stored| values.contains(&stored))
            })
        };
        // The newest first.
        let found: Vec<&Value> = self.results.iter().rev().filter(matches).skip(page * limit).collect();
        let next = (found.len() > limit).then(|| format!("http://elsewhere/results?page={}", page + 1));
        let data: Vec<_> = found.into_iter().take(limit).collect();
        Answer::Json(200, json!({ "data": data, "next": next, "prev": null }))
    }

    fn add_result(&mut self, body: &Map<String, Value>) -> Answer {
        let outcome = body.get("outcome").and_then(Value::as_str).unwrap_or_default().trim().to_uppercase();
        if !self.outcomes.iter().any(|known| outcome == *known) {
            return invalid("outcome", &format!("must be one of: {}", self.outcomes.join(", ")));
        }
        let testcase = match body.get("testcase") {
            Some(Value::String(name)) if !name.is_empty() => json!({ "name": name }),
            Some(Value::Object(testcase)) if testcase.get("name").is_some_and(|name| name != "") => {
                Value::Object(testcase.clone())
            }
            _ => return invalid("testcase", "testcase name must be non-empty"),
        };
        let mut data = Map::new();
        if let Some(given) = body.get("data") {
            let Some(given) = given.as_object() else { return invalid("data", "value is not a valid dict") };
            let colons: Vec<_> = given.keys().filter(|key| key.contains(':')).collect();
            if !colons.is_empty() {
                return Answer::Json(
                    400,
                    json!({ "message": format!("Colon not allowed in key name: {colons:?}") }),
                );
            }
            for (key, value) in given {
                let Some(values) = strings(value) else {
                    return invalid("data", &format!("{key} holds no strings"));
                };
                // A row for each value, which an index of PostgreSQL has to hold.
                if values.iter().any(|value| key.len() + value.len() > 2704) {
                    return Answer::Json(500, json!({ "message": "Internal Server Error" }));
                }
                if !values.is_empty() {
                    data.insert(key.clone(), json!(values));
                }
            }
        }
        let Some(groups) = strings(body.get("groups").unwrap_or(&json!([]))) else {
            return invalid("groups", "value is not a valid list");
        };
        for group in &groups {
            self.groups.entry(group.clone()).or_insert_with(|| json!({ "uuid": group }));
        }
        self.testcases.insert(testcase["name"].as_str().unwrap().to_owned(), testcase.clone());
        let result = json!({
            "id": self.results.len() + 1, "outcome": outcome, "testcase": testcase, "groups": groups, "data": data,
            "note": body.get("note"), "ref_url": body.get("ref_url"), "submit_time": "2026-01-01T00:00:00.000000",
        });
        self.results.push(result.clone());
        Answer::Json(201, result)
    }

    fn add_group(&mut self, body: &Map<String, Value>) -> Answer {
        let Some(uuid) = body.get("uuid").and_then(Value::as_str) else {
            return invalid("uuid", "str type expected");
        };
        let group = Value::Object(body.clone());
        self.groups.insert(uuid.to_owned(), group.clone());
        Answer::Json(201, group)
    }

    fn add_testcase(&mut self, body: &Map<String, Value>) -> Answer {
        match body.get("name").and_then(Value::as_str) {
            None | Some("") => invalid("name", "ensure this value has at least 1 characters"),
            Some(name) => {
                self.testcases.insert(name.to_owned(), Value::Object(body.clone()));
                Answer::Json(201, Value::Object(body.clone()))
            }
        }
    }
}

fn body(request: &Request) -> Result<Map<String, Value>, Answer> {
    let bad = || Answer::Json(400, json!({ "message": "Bad request" }));
    if request.header("content-type") != Some("application/json") {
        return Err(Answer::Json(415, json!({ "message": "Unsupported media type" })));
    }
    serde_json::from_slice(&request.body).map_err(|_| bad())
}

/// A string, or a list of strings.
fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn invalid(field: &str, why: &str) -> Answer {
    let error = json!([{ "loc": [field], "msg": why, "type": "value_error", "input": null, "url": "https://errors.example.org" }]);
    Answer::Json(400, json!({ "validation_error": error }))
}

fn missing(message: &str) -> Answer {
    Answer::Json(404, json!({ "message": message }))
}

mod tests {
    use super::super::http_server::Server;
    use super::*;

    /// What the sink relies on when it is told that something was wrong.
    #[test]
    fn it_refuses_what_the_real_one_refuses_and_takes_twice_what_is_sent_twice() {
        let mut store = Store::new(&["PASSED", "FAILED"]);
        let server = Server::start(move |request| store.answer(request));
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build()
            .into();
        let url = |path: &str| format!("{}{BASE}/{path}", server.url);
        let post = |path: &str, body: &str| {
            let mut answer =
                agent.post(url(path)).header("content-type", "application/json").send(body).unwrap();
            (
                answer.status().as_u16(),
                serde_json::from_str::<Value>(&answer.body_mut().read_to_string().unwrap()).unwrap(),
            )
        };
        let get = |path: &str| {
            let mut answer = agent.get(url(path)).call().unwrap();
            (
                answer.status().as_u16(),
                serde_json::from_str::<Value>(&answer.body_mut().read_to_string().unwrap()).unwrap(),
            )
        };
        assert_eq!(
            get(""),
            (
                300,
                json!({"message": "Everything is fine.", "outcomes": ["PASSED", "FAILED"], "results": "http://x/results"})
            )
        );
        assert_eq!(post("results", "{"), (400, json!({"message": "Bad request"})));
        for wrong in [
            json!({"outcome": "ERROR", "testcase": "a"}),
            json!({"testcase": "a"}),
            json!({"outcome": "PASSED", "testcase": ""}),
            json!({"outcome": "PASSED", "testcase": {"ref_url": "x"}}),
            json!({"outcome": "PASSED", "testcase": "a", "data": {"n": 1}}),
            json!({"outcome": "PASSED", "testcase": "a", "data": {"n": [["x"]]}}),
            json!({"outcome": "PASSED", "testcase": "a", "groups": 7}),
        ] {
            let (status, answer) = post("results", &wrong.to_string());
            assert!(status == 400 && answer["validation_error"][0]["msg"].is_string(), "{wrong}: {answer}");
        }
        let (status, answer) =
            post("results", &json!({"outcome": "PASSED", "testcase": "a", "data": {"a:b": "x"}}).to_string());
        assert!(status == 400 && answer["message"].as_str().unwrap().contains("Colon"), "{answer}");
        assert_eq!(get("results/999").0, 404);
        let good = json!({"outcome": "passed", "testcase": {"name": "a.b"}, "groups": ["u"], "data": {"k": "v", "l": ["x", "y"]}});
        assert_eq!(post("results", &good.to_string()).1["data"], json!({"k": ["v"], "l": ["x", "y"]}));
        assert_eq!(post("results", &good.to_string()).1["id"], 2);
        let (_, page) = get("results?k=v&l=y,z&limit=1");
        assert_eq!((page["data"][0]["id"].clone(), page["next"].is_string()), (json!(2), true));
        assert_eq!(get("results?k=w").1["data"], json!([]));
    }
}
