//! HTTP as the workers speak it.
//!
//! Comes in: who may be asked, whose certificates are believed. Goes out: an agent that keeps to it, and what its errors mean.
//! Each address that a name leads to is judged before it is contacted, that of each redirect as well; redirects are few
//! and never lead from TLS to plain text where nothing would tell what came. Silence ends a request; what comes drop by drop ends with
//! the worker's deadline. No cookies, no passwords, no proxy, no encodings.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

use super::reach::Reach;
use crate::fetch::without_user;
use crate::limits;
use crate::message::MessageText;
use crate::task::download::DownloadError;

/// Whether a connection may be in plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Only TLS, redirects as well.
    Secure,
    /// Plain text as well: what comes is judged by a checksum, or the site wants it so.
    Any,
}

/// An agent that follows so many redirects. `ca`: the file with the certificates that are believed instead of the system's.
pub(super) fn agent(
    reach: &Reach,
    ca: Option<&Path>,
    transport: Transport,
    redirects: u32,
) -> Result<Agent, DownloadError> {
    let roots = match ca {
        Some(path) => certificates(path)?,
        None => RootCerts::PlatformVerifier,
    };
    let config = Agent::config_builder()
        .https_only(transport == Transport::Secure)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .proxy(None)
        .max_redirects(redirects)
        .user_agent(concat!("taskbot/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(limits::CONNECT_TIMEOUT))
        .timeout_connect(Some(limits::CONNECT_TIMEOUT))
        .timeout_recv_response(Some(limits::HTTP_SILENCE))
        .timeout_per_read(Some(limits::HTTP_SILENCE))
        .build();
    let resolver = Judged { reach: reach.clone(), system: DefaultResolver::default() };
    Ok(Agent::with_parts(config, DefaultConnector::default(), resolver))
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

/// A URL for people; a server may have worded it.
pub(super) fn shown(url: &str) -> String {
    MessageText::new(without_user(url)).to_string()
}

pub(super) fn failed(url: &str, why: impl std::fmt::Display) -> DownloadError {
    DownloadError::Failed(format!("{}: {why}", shown(url)))
}

pub(super) fn classed(url: &str, error: &Error) -> DownloadError {
    let text = MessageText::new(error.to_string()).to_string();
    let refused = |why: &str| DownloadError::Refused(format!("{}: {why}", shown(url)));
    match error {
        Error::StatusCode(404 | 410) => DownloadError::NotFound(format!("{}: it is not there", shown(url))),
        Error::StatusCode(401 | 407) => refused("it asks for a password, and taskbot has none"),
        Error::StatusCode(408 | 425 | 429 | 500..) => failed(url, text),
        Error::StatusCode(status) => refused(&format!("the server refuses with status {status}")),
        Error::Other(why) => refused(&why.to_string()),
        Error::TooManyRedirects => refused("it is redirected more often than is followed"),
        Error::RequireHttpsOnly(_) => {
            refused("it is redirected to plain http, and no checksum would tell what came")
        }
        Error::BadUri(_) | Error::Http(_) => refused(&text),
        // rustls' words for a certificate that is not believed.
        _ if text.contains("invalid peer certificate") => refused(&text),
        _ => failed(url, text),
    }
}
