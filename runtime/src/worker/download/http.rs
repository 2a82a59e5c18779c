//! HTTP: one request for one file, or for the rest of it.
//!
//! Comes in: a URL and a file that is perhaps half here. Goes out: more of the file, or a classed error. Each address that a
//! name leads to is judged before it is contacted, that of each redirect as well; redirects are few and never lead from TLS
//! to plain text. Silence ends a request; what comes drop by drop ends with the worker's deadline. No cookies, no passwords,
//! no proxy, no encodings.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use ureq::http::Response;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, Error};

use super::cache::Partial;
use crate::fetch::without_user;
use crate::limits;
use crate::message::MessageText;
use crate::task::download::DownloadError;
use crate::worker::reach::Reach;

/// Whether a connection may be in plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// Only TLS, redirects as well.
    Secure,
    /// Plain text as well: what comes is judged by a checksum, or the site wants it so.
    Any,
}

/// How a request for a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// The file is whole, as far as the server says.
    Whole,
    /// The connection was cut, or the beginning was of no use; what is here is worth going on with.
    Cut,
}

/// A request for a file.
pub(super) struct FileRequest<'a> {
    pub(super) url: &'a str,
    pub(super) transport: Transport,
    /// What is larger is refused.
    pub(super) max_bytes: u64,
    /// Whether the content is judged later, so that a beginning may be gone on with even where the server names no version.
    pub(super) checked_later: bool,
}

#[derive(Debug)]
pub(super) struct Client {
    secure: Agent,
    any: Agent,
}

impl Client {
    pub(super) fn new(reach: Reach, ca: Option<&Path>) -> Result<Self, DownloadError> {
        let roots = match ca {
            Some(path) => certificates(path)?,
            None => RootCerts::PlatformVerifier,
        };
        let agent = |transport| {
            let config = Agent::config_builder()
                .https_only(transport == Transport::Secure)
                .tls_config(TlsConfig::builder().root_certs(roots.clone()).build())
                .proxy(None)
                .max_redirects(limits::DOWNLOAD_REDIRECTS)
                .user_agent(concat!("taskbot/", env!("CARGO_PKG_VERSION")))
                .timeout_resolve(Some(limits::CONNECT_TIMEOUT))
                .timeout_connect(Some(limits::CONNECT_TIMEOUT))
                .timeout_recv_response(Some(limits::DOWNLOAD_SILENCE))
                .timeout_per_read(Some(limits::DOWNLOAD_SILENCE))
                .build();
            Agent::with_parts(
                config,
                DefaultConnector::default(),
                Judged { reach: reach.clone(), system: DefaultResolver::default() },
            )
        };
        Ok(Self { secure: agent(Transport::Secure), any: agent(Transport::Any) })
    }

    fn agent(&self, transport: Transport) -> &Agent {
        match transport {
            Transport::Secure => &self.secure,
            Transport::Any => &self.any,
        }
    }

    /// Appends to `partial` what it lacks. `tell` hears how many bytes are here, and how many there are.
    pub(super) fn get(
        &self,
        request: &FileRequest<'_>,
        partial: &mut Partial,
        mut tell: impl FnMut(u64, Option<u64>),
    ) -> Result<Came, DownloadError> {
        let mut have = partial.length()?;
        if have > 0 && partial.validator.is_none() && !request.checked_later {
            partial.clear()?;
            have = 0;
        }
        let mut get = self.agent(request.transport).get(request.url);
        if have > 0 {
            get = get.header("Range", format!("bytes={have}-"));
            if let Some(validator) = &partial.validator {
                get = get.header("If-Range", validator);
            }
        }
        let response = match get.call() {
            // What is here is as long as all there is, or longer.
            Err(Error::StatusCode(416)) if have > 0 => {
                partial.clear()?;
                return Ok(Came::Cut);
            }
            called => called.map_err(|error| classed(request.url, &error))?,
        };
        let total = match (response.status().as_u16(), content_range(&response)) {
            (206, Some((from, total))) if from == have => total,
            (200, _) => {
                partial.clear()?;
                have = 0;
                partial.set_validator(validator(&response))?;
                response.body().content_length()
            }
            (status, _) => {
                return Err(failed(
                    request.url,
                    format!("it answers with status {status}, which makes no sense here"),
                ));
            }
        };
        let too_large = || {
            DownloadError::Refused(format!(
                "{}: it is larger than {} bytes",
                shown(request.url),
                request.max_bytes
            ))
        };
        if total.is_some_and(|total| total > request.max_bytes) {
            return Err(too_large());
        }
        let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let mut chunk = vec![0; limits::DOWNLOAD_CHUNK_BYTES];
        loop {
            tell(have, total);
            let Ok(read) = body.read(&mut chunk) else { return Ok(Came::Cut) };
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            have += bytes.len() as u64;
            if have > request.max_bytes {
                return Err(too_large());
            }
            partial.file.write_all(bytes)?;
        }
        Ok(if total.is_some_and(|total| total != have) { Came::Cut } else { Came::Whole })
    }

    /// Sends a question and gives the answer, which may have so many bytes.
    pub(super) fn ask(&self, url: &str, question: &str, max_bytes: u64) -> Result<String, DownloadError> {
        let sent = self.any.post(url).content_type("text/xml").send(question);
        let mut response = sent.map_err(|error| classed(url, &error))?;
        response
            .body_mut()
            .with_config()
            .limit(max_bytes)
            .read_to_string()
            .map_err(|error| classed(url, &error))
    }
}

/// The system's resolver, whose answers are judged.
#[derive(Debug)]
struct Judged {
    reach: Reach,
    system: DefaultResolver,
}

impl Resolver for Judged {
    fn resolve(
        &self,
        uri: &ureq::http::Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let addresses = self.system.resolve(uri, config, timeout)?;
        self.reach
            .check(uri.host().unwrap_or_default(), &addresses)
            .map_err(|why| Error::Other(why.into()))?;
        Ok(addresses)
    }
}

fn certificates(path: &Path) -> Result<RootCerts, DownloadError> {
    let refused = |why: &dyn std::fmt::Display| {
        DownloadError::Unsupported(format!("`ca` of [downloads], {}: {why}", path.display()))
    };
    let text = std::fs::read(path).map_err(|error| refused(&error))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| refused(&error))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        Err(refused(&"it holds no certificate"))
    } else {
        Ok(RootCerts::Specific(Arc::new(certificates)))
    }
}

fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

/// What names this version of the file, so strong that two of its parts fit together.
fn validator(response: &Response<Body>) -> Option<String> {
    let tag = header(response, "etag").filter(|tag| !tag.starts_with("W/"));
    tag.or_else(|| header(response, "last-modified")).map(str::to_owned)
}

/// `bytes 100-199/200`: 100, and 200 if it is said.
fn content_range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let (range, total) = header(response, "content-range")?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

/// A URL for people; a server may have worded it.
pub(super) fn shown(url: &str) -> String {
    MessageText::new(without_user(url)).to_string()
}

fn failed(url: &str, why: impl std::fmt::Display) -> DownloadError {
    DownloadError::Failed(format!("{}: {why}", shown(url)))
}

fn classed(url: &str, error: &Error) -> DownloadError {
    let text = MessageText::new(error.to_string()).to_string();
    let refused = |why: &str| DownloadError::Refused(format!("{}: {why}", shown(url)));
    match error {
        Error::StatusCode(404 | 410) => DownloadError::NotFound(format!("{}: it is not there", shown(url))),
        Error::StatusCode(401 | 407) => refused("it asks for a password, and taskbot has none"),
        Error::StatusCode(408 | 425 | 429 | 500..) => failed(url, text),
        Error::StatusCode(status) => refused(&format!("the server refuses with status {status}")),
        Error::Other(why) => refused(&why.to_string()),
        Error::TooManyRedirects => {
            refused(&format!("it is redirected more than {} times", limits::DOWNLOAD_REDIRECTS))
        }
        Error::RequireHttpsOnly(_) => {
            refused("it is redirected to plain http, and no checksum would tell what came")
        }
        Error::BadUri(_) | Error::Http(_) => refused(&text),
        // rustls' words for a certificate that is not believed.
        _ if text.contains("invalid peer certificate") => refused(&text),
        _ => failed(url, text),
    }
}
