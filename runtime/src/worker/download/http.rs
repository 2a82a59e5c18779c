//! One request for one file, or for the rest of it.
//!
//! Comes in: a URL and a file that is perhaps half here. Goes out: more of the file, or a classed error. A file is gone on with
//! where the server says that it is the same one, or where a checksum will tell; how much comes is bounded, whatever the
//! server announces. Who may be asked and how is decided in `worker::http`.

use std::io::{Read, Write};
use std::path::Path;

use ureq::http::Response;
use ureq::{Agent, Body, Error};

use super::cache::Partial;
use crate::limits;
use crate::task::download::DownloadError;
use crate::worker::http::{self, Transport, classed, failed, shown};
use crate::worker::reach::Reach;

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
        let agent = |transport| http::agent(&reach, ca, transport, limits::DOWNLOAD_REDIRECTS);
        Ok(Self { secure: agent(Transport::Secure)?, any: agent(Transport::Any)? })
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
