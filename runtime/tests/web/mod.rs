//! A small web server whose every answer a test decides, in plain text or over TLS with a certificate authority of its own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// With what follows a `?`.
    pub path: String,
    /// By lower-case names.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// Where an answer goes.
pub trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

pub struct Server {
    pub port: u16,
    scheme: &'static str,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// In plain text.
    pub fn plain(answer: impl Fn(&Asked, &mut dyn Wire) + Send + Sync + 'static) -> Self {
        Self::start(None, answer)
    }

    /// With a certificate of this authority.
    pub fn secure(
        authority: &Authority,
        answer: impl Fn(&Asked, &mut dyn Wire) + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(authority.config.clone()), answer)
    }

    fn start(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Asked, &mut dyn Wire) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        let scheme = if tls.is_some() { "https" } else { "http" };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer, tls) = (Arc::clone(&seen), Arc::clone(&answer), tls.clone());
                thread::spawn(move || serve(stream.unwrap(), tls, &seen, &*answer));
            }
        });
        Self { port, scheme, asked }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}/{path}", self.scheme, self.port)
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn paths(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.path).collect()
    }
}

fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    seen: &Mutex<Vec<Asked>>,
    answer: &(impl Fn(&Asked, &mut dyn Wire) + ?Sized),
) {
    let mut wire: Box<dyn Wire> = match tls {
        None => Box::new(stream),
        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)),
    };
    // A client may refuse the certificate, or leave.
    if let Some(asked) = read(&mut *wire) {
        seen.lock().unwrap().push(asked.clone());
        answer(&asked, &mut *wire);
        let _ = wire.flush();
    }
}

fn read(wire: &mut dyn Wire) -> Option<Asked> {
    let mut reader = BufReader::new(wire);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().ok()?, 0);
        reader.read_exact(&mut body).ok()?;
    } else if headers.contains_key("transfer-encoding") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            body.extend(&chunk[..size]);
        }
    }
    Some(Asked { method, path, headers, body })
}

/// A whole answer; the connection ends with it.
pub fn answer(wire: &mut dyn Wire, status: &str, headers: &[(&str, &str)], body: &[u8]) {
    head(wire, status, headers, body.len());
    let _ = wire.write_all(body);
}

/// The beginning of an answer.
pub fn head(wire: &mut dyn Wire, status: &str, headers: &[(&str, &str)], length: usize) {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = wire.write_all(format!("{text}\r\n").as_bytes());
}

/// Answers with one of these files, or the asked part of it.
pub fn file(asked: &Asked, wire: &mut dyn Wire, files: &BTreeMap<String, Vec<u8>>) {
    let Some(content) = files.get(asked.path.trim_start_matches('/')) else {
        return answer(wire, "404 Not Found", &[], b"not here");
    };
    let tag = format!("\"{}-{}\"", content.len(), content.iter().map(|b| u64::from(*b)).sum::<u64>());
    let from = asked
        .headers
        .get("range")
        .map(|range| range["bytes=".len()..].trim_end_matches('-').parse::<usize>().unwrap());
    let same = asked.headers.get("if-range").is_none_or(|known| *known == tag);
    match from.filter(|_| same) {
        Some(from) if from >= content.len() => answer(wire, "416 Range Not Satisfiable", &[], b""),
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", content.len() - 1, content.len());
            answer(
                wire,
                "206 Partial Content",
                &[("ETag", &tag), ("Content-Range", &range)],
                &content[from..],
            );
        }
        None => answer(wire, "200 OK", &[("ETag", &tag)], content),
    }
}

/// A certificate authority, and a certificate of it for `localhost`.
pub struct Authority {
    dir: tempfile::TempDir,
    config: Arc<ServerConfig>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages =
            vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(rcgen::DnType::CommonName, "authority of a test");
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let ca = params.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::new(params, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        Self { dir, config: Arc::new(config) }
    }

    /// The file that a site would name as `ca`.
    pub fn pem(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
}
