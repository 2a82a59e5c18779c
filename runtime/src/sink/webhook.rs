//! The sink that is a webhook: one POST of JSON for each run, to a URL of the site.
//!
//! Comes in: a notice. Goes out: `{"event": "taskbot.run.finished", "run_id": .., "run": {..}}`, everything about the run, under the
//! header `idempotency-key`, which is the same in each attempt to tell the same; where there is a secret, with
//! `x-taskbot-signature-256: sha256=HEX`, the HMAC-SHA256 of the body. Any 2xx is a delivery; redirects are not followed. A body that
//! would be too large loses the data of its results, then results, and says so.
//!
//! ```toml
//! [[sink]]
//! kind = "webhook"
//! url = "https://qa.example.org/hooks/taskbot"
//! secret_file = "hook.secret"
//! ```

use std::path::PathBuf;
use std::time::Duration;

use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use super::config::{Only, Settings};
use super::error::SinkError;
use super::http::{Auth, Peer, Url};
use super::notice::Notice;
use super::secret::Secret;
use crate::config::duration;
use crate::limits;

/// `kind = "webhook"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name.
    #[serde(default = "name")]
    name: String,
    /// What it is told.
    #[serde(default)]
    only: Only,
    /// Where it is.
    url: Url,
    /// Key of the signature.
    secret_file: Option<PathBuf>,
    /// Who to be.
    #[serde(default)]
    auth: Auth,
    /// The authority of its certificate, beside the system's.
    ca: Option<PathBuf>,
    /// One POST, from the connection to the end of the answer.
    #[serde(default = "timeout", deserialize_with = "duration")]
    timeout: Duration,
}

fn name() -> String {
    "webhook".into()
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
        self.secret_file.iter_mut().chain(&mut self.ca).chain(self.auth.paths()).collect()
    }
    fn check(&self) -> Result<(), String> {
        self.auth.check()
    }
}

pub(super) fn deliver(config: &Config, notice: &Notice) -> Result<(), SinkError> {
    let body = body(notice, limits::SINK_BODY_BYTES)?;
    let key = notice.id_of("webhook");
    let mut headers = vec![("idempotency-key", key.as_str())];
    let signature =
        config.secret_file.as_deref().map(|path| signature(&Secret::read(path)?, &body)).transpose()?;
    headers.extend(signature.as_deref().map(|signature| ("x-taskbot-signature-256", signature)));
    let peer = Peer::new(&config.url, &config.auth, config.ca.as_deref(), config.timeout)?;
    let answer = peer.post(config.url.text(), &headers, &body)?;
    if answer.is_success() { Ok(()) } else { Err(answer.refusal("the hook")) }
}

fn signature(secret: &Secret, body: &[u8]) -> Result<String, SinkError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .map_err(|_| SinkError::Form("its secret is no key".into()))?;
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256={hex}"))
}

/// The document within a bound.
fn body(notice: &Notice, max_bytes: usize) -> Result<Vec<u8>, SinkError> {
    let mut run = notice.document()?;
    let write = |run: &Value, left_out: usize| {
        let mut document = json!({ "event": "taskbot.run.finished", "run_id": notice.run_id(), "run": run });
        if left_out > 0
            && let Some(document) = document.as_object_mut()
        {
            document.insert("results_left_out".into(), json!(left_out));
        }
        serde_json::to_vec(&document).map_err(|e| SinkError::Form(e.to_string()))
    };
    let whole = write(&run, 0)?;
    if whole.len() <= max_bytes {
        return Ok(whole);
    }
    let mut results = Vec::new();
    if let Some(run) = run.as_object_mut() {
        run.insert("data_left_out".into(), Value::Bool(true));
        if let Some(Value::Array(all)) = run.insert("results".into(), Value::Array(Vec::new())) {
            results = all;
        }
    }
    let count = results.len();
    let room = max_bytes.saturating_sub(write(&run, usize::MAX)?.len());
    let mut used = 0;
    let mut kept = Vec::new();
    for mut result in results {
        if let Some(result) = result.as_object_mut() {
            result.remove("data");
        }
        used += result.to_string().len() + 1;
        if used > room {
            break;
        }
        kept.push(result);
    }
    let left_out = count - kept.len();
    if let Some(run) = run.as_object_mut() {
        run.insert("results".into(), Value::Array(kept));
    }
    write(&run, left_out)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::super::notice::tests::{notice, result};
    use super::*;
    use crate::task::Outcome;

    #[test]
    fn a_body_stays_within_its_bound_and_says_what_it_lacks() {
        let many = notice(
            (0..500)
                .map(|n| {
                    result("a.b", Outcome::Passed, &format!("note {n}"), json!({"big": "x".repeat(100)}))
                })
                .collect(),
        );
        let read = |max: usize| -> (usize, Value) {
            let body = body(&many, max).unwrap();
            (body.len(), serde_json::from_slice(&body).unwrap())
        };
        let (whole, document) = read(usize::MAX);
        assert_eq!(
            (document["run"]["results"].as_array().unwrap().len(), &document["results_left_out"]),
            (500, &Value::Null)
        );
        let (length, document) = read(whole - 1);
        assert!(
            length < whole && document["run"]["results"][499]["note"] == "note 499",
            "only the data is left out"
        );
        assert_eq!(
            (&document["run"]["data_left_out"], &document["run"]["results"][0]["data"]),
            (&json!(true), &Value::Null)
        );
        let (length, document) = read(20_000);
        let kept = document["run"]["results"].as_array().unwrap().len();
        assert!(length <= 20_000 && kept > 50, "{length} {kept}");
        assert_eq!(document["results_left_out"], json!(500 - kept));
    }

    /// Test case 2 of RFC 4231.
    #[test]
    fn a_signature_is_what_others_compute() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("s"), "Jefe\n").unwrap();
        let secret = Secret::read(&dir.path().join("s")).unwrap();
        assert_eq!(
            signature(&secret, b"what do ya want for nothing?").unwrap(),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(!format!("{secret:?}").contains("Jefe"));
    }
}
