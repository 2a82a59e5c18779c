//! HTTP as sinks speak it: one request, one bounded answer, within a time.
//!
//! Comes in: a URL of the configuration and a body. Goes out: status and body of the answer, or an error in words that hold
//! neither a secret nor more of the URL than its host. It follows no redirect: what is sent, credentials above all, is for
//! the peer that the configuration names.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use ureq::http::{HeaderMap, Response, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::error::SinkError;
use super::secret::Secret;
use crate::limits;
use crate::message::MessageText;

/// `http://` or `https://`, with a host and without credentials.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Url {
    text: String,
    host: String,
}

impl TryFrom<String> for Url {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // The text itself is not repeated: it may hold a secret.
        let wrong = || "a URL is written `https://host/path`, without user or password".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        if !known || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        Ok(Self { host: authority.to_string(), text })
    }
}

impl Url {
    /// Host and port, which may be shown.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The whole.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Something below it.
    pub(super) fn below(&self, path: &str) -> String {
        format!("{}/{path}", self.text.trim_end_matches('/'))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({})", self.host)
    }
}

/// `auth`: who to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// File with a bearer token.
    pub token_file: Option<PathBuf>,
    /// Name for basic authentication.
    pub user: Option<String>,
    /// File with its password.
    pub password_file: Option<PathBuf>,
}

impl Auth {
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.token_file, &mut self.password_file].into_iter().flatten()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match (&self.token_file, &self.user, &self.password_file) {
            (None, None, None) | (Some(_), None, None) => Ok(()),
            (None, Some(user), Some(_)) if !user.contains(':') => Ok(()),
            _ => Err("auth has either `token_file`, or `user` (without a colon) and `password_file`".into()),
        }
    }

    /// The value of the header `Authorization`.
    fn header(&self) -> Result<Option<String>, SinkError> {
        if let Some(path) = &self.token_file {
            return Ok(Some(format!("Bearer {}", Secret::read(path)?.expose())));
        }
        let (Some(user), Some(path)) = (&self.user, &self.password_file) else { return Ok(None) };
        let pair = format!("{user}:{}", Secret::read(path)?.expose());
        Ok(Some(format!("Basic {}", openssl::base64::encode_block(pair.as_bytes()))))
    }
}

/// A peer to speak with, for one delivery.
pub(super) struct Peer {
    agent: Agent,
    authorization: Option<String>,
    host: String,
    /// What is not shown, should the peer repeat it: credentials, and the path, which may be one.
    hidden: Vec<String>,
}

/// What a peer answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    retry_after: Option<Duration>,
    host: String,
    hidden: Vec<String>,
}

impl Peer {
    /// Makes ready to speak with the host of a URL.
    pub(super) fn new(
        url: &Url,
        auth: &Auth,
        ca: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self, SinkError> {
        let roots = match ca {
            None => RootCerts::PlatformVerifier,
            Some(path) => {
                let failed = |e| SinkError::Io(path.to_owned(), e);
                let pem = std::fs::read(path).map_err(failed)?;
                let certificate = Certificate::from_pem(&pem)
                    .map_err(|_| failed(std::io::Error::other("it is no certificate in PEM")))?;
                RootCerts::new_with_certs(&[certificate])
            }
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(timeout))
            .user_agent(concat!("taskbot/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build());
        let authorization = auth.header()?;
        let credentials = authorization.as_deref().and_then(|header| header.split_once(' '));
        let path = url.text().split_once(url.host()).map(|(_, path)| path).filter(|path| path.len() > 1);
        let hidden = credentials.map(|(_, text)| text).into_iter().chain(path).map(str::to_owned).collect();
        Ok(Self { agent: config.build().new_agent(), authorization, host: url.host().to_owned(), hidden })
    }

    /// GET with a query.
    pub(super) fn get(&self, url: &str, query: &[(&str, &str)]) -> Result<Answer, SinkError> {
        let mut request = self.agent.get(url).query_pairs(query.iter().copied());
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        self.answer(request.call())
    }

    /// POST of JSON.
    pub(super) fn post(&self, url: &str, headers: &[(&str, &str)], json: &[u8]) -> Result<Answer, SinkError> {
        let mut request = self.agent.post(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        self.answer(request.send(json))
    }

    fn answer(&self, response: Result<Response<Body>, ureq::Error>) -> Result<Answer, SinkError> {
        let failed = |e: &ureq::Error| SinkError::unavailable(format!("{}: {}", self.host, words(e)));
        let mut response = response.map_err(|e| failed(&e))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let body = response.body_mut().with_config().limit(limits::SINK_ANSWER_BYTES).read_to_vec();
        let body = body.map_err(|e| failed(&e))?;
        Ok(Answer { status, body, retry_after, host: self.host.clone(), hidden: self.hidden.clone() })
    }
}

/// An error in words of our own: those of the library could repeat what was sent.
fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".into(),
        ureq::Error::HostNotFound => "no such host".into(),
        ureq::Error::Io(e) => MessageText::new(e.to_string()).to_string(),
        ureq::Error::Tls(why) => format!("TLS: {why}"),
        ureq::Error::Rustls(e) => format!("TLS: {e}"),
        ureq::Error::ConnectionFailed => "no connection".into(),
        ureq::Error::BodyExceedsLimit(_) => "its answer is too large".into(),
        ureq::Error::Protocol(_) => "it does not speak HTTP".into(),
        ureq::Error::Http(_) => {
            "the request cannot be written: a header or the URL has characters that none may have".into()
        }
        _ => "the request failed".into(),
    }
}

/// Seconds; a date is not worth its parser.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(limits::SINK_RETRY_AFTER_MAX))
}

impl Answer {
    /// Whether it was taken.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The error that an answer other than success is. What the peer says of credentials or of its load may change by
    /// itself; what it says of the request will not.
    pub(super) fn refusal(&self, what: &str) -> SinkError {
        let said = String::from_utf8_lossy(&self.body);
        let said = self.hidden.iter().fold(said.into_owned(), |said, hidden| said.replace(hidden, "..."));
        let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let said: String = said.chars().take(limits::REASON_CHARS).collect();
        let said = if said.is_empty() { said } else { format!(": {}", MessageText::new(said)) };
        let why = format!("{} answered {} to {what}{said}", self.host, self.status);
        match self.status {
            401 | 403 | 407 | 408 | 425 | 429 | 500..=599 => {
                SinkError::Unavailable { why, retry_after: self.retry_after }
            }
            300..=399 => SinkError::Refused(format!("{why}; redirects are not followed")),
            _ => SinkError::Refused(why),
        }
    }

    /// Its body as JSON.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, what: &str) -> Result<T, SinkError> {
        serde_json::from_slice(&self.body)
            .map_err(|_| SinkError::unavailable(format!("{} answered nonsense to {what}", self.host)))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::class::ErrorClass;

    fn url(text: &str) -> Result<Url, String> {
        Url::try_from(text.to_owned())
    }

    #[test]
    fn a_url_names_a_host_and_holds_no_credentials() {
        let good = url("https://qa.example.org:8443/hooks/s3cret?x=1").unwrap();
        assert_eq!(
            (good.host(), format!("{good:?}").as_str()),
            ("qa.example.org:8443", "Url(qa.example.org:8443)")
        );
        assert_eq!(url("http://h/api/v2.0/").unwrap().below("results"), "http://h/api/v2.0/results");
        for wrong in
            ["", "example.org/x", "ftp://h/", "https://u:s3cret@h/", "https:///x", "/x", "https://h/ s3cret"]
        {
            let error = url(wrong).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn what_a_status_means() {
        let class = |status| {
            let answer = Answer {
                status,
                body: b"no\x1b[2J".to_vec(),
                retry_after: None,
                host: "h".into(),
                hidden: Vec::new(),
            };
            let error = answer.refusal("the hook");
            assert!(MessageText::prints(&error.to_string()), "{error}");
            error.class()
        };
        for status in [401, 403, 408, 429, 500, 502, 503, 599] {
            assert_eq!(class(status), ErrorClass::Transient, "{status}");
        }
        for status in [302, 308, 400, 404, 409, 410, 413, 422] {
            assert_eq!(class(status), ErrorClass::Permanent, "{status}");
        }
    }

    #[test]
    fn the_wait_that_a_peer_asks_for_is_bounded() {
        let wait = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("99999999999"), Some(limits::SINK_RETRY_AFTER_MAX));
        assert_eq!((wait("-1"), wait("soon")), (None, None));
    }

    #[test]
    fn credentials_are_of_one_kind() {
        let auth = |token: bool, user: Option<&str>, password: bool| Auth {
            token_file: token.then(|| "t".into()),
            user: user.map(str::to_owned),
            password_file: password.then(|| "p".into()),
        };
        for good in [auth(false, None, false), auth(true, None, false), auth(false, Some("u"), true)] {
            assert_eq!(good.check(), Ok(()));
        }
        for wrong in
            [auth(true, Some("u"), true), auth(false, Some("u"), false), auth(false, Some("u:v"), true)]
        {
            assert!(wrong.check().is_err());
        }
    }
}
