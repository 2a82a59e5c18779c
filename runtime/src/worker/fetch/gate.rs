//! The gate: the one way from libgit2 to a server.
//!
//! Comes in: on a port of this machine, libgit2's requests in plain HTTP. Goes out: the same requests to the one server of the order,
//! over TLS, and that server's answers back. libgit2 looks names up itself, waits for ever, follows redirects within a
//! server and has no bound on what comes; here all that is `worker::http`'s business as for any download, bytes are
//! counted, no other server is ever asked, and why one gave nothing is remembered.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use ureq::http::Response;
use ureq::{Agent, Body};

use super::Outside;
use crate::limits;
use crate::task::download::DownloadError;
use crate::worker::http::{self, Transport, classed, failed, shown};
use crate::worker::reach::Reach;

/// What of a request is handed on.
const HEADERS: [&str; 3] = ["accept", "content-type", "git-protocol"];

#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// The repository as libgit2 is told.
    pub(super) url: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// `https://host:port`.
    server: String,
    agent: Agent,
    /// Bytes that may still come.
    left_bytes: AtomicU64,
    refusal: Mutex<Option<DownloadError>>,
}

impl Gate {
    /// A gate to the server of an `https://` URL.
    pub(super) fn open(url: &str, outside: &Outside) -> Result<Self, DownloadError> {
        let (server, path) = split(url).ok_or_else(|| failed(url, "the URL names no host"))?;
        let reach = Reach::new(outside.allow_private.clone());
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            agent: http::agent(&reach, outside.ca.as_deref(), Transport::Secure, 0)?,
            left_bytes: AtomicU64::new(limits::FETCH_ADVERTISED_BYTES),
            refusal: Mutex::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let gate = Self {
            url: format!("http://127.0.0.1:{}{path}", listener.local_addr()?.port()),
            shared: Arc::clone(&shared),
        };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // That libgit2 hears nothing is enough for it to ask why.
                thread::spawn(move || {
                    shared.serve(&client).unwrap_or_else(|error| shared.refuse(error.into()))
                });
            }
        });
        Ok(gate)
    }

    /// From now on objects come, not names: so many bytes more.
    pub(super) fn expect_objects(&self) {
        self.shared.left_bytes.store(limits::FETCH_FILE_BYTES, Ordering::Relaxed);
    }

    /// Why the server gave nothing, if it was asked and gave nothing.
    pub(super) fn refusal(&self) -> Option<DownloadError> {
        self.shared.refusal.lock().ok().and_then(|mut refusal| refusal.take())
    }
}

/// `https://host:port` and `/path` of a URL.
fn split(url: &str) -> Option<(&str, &str)> {
    let host = "https://".len();
    let slash = url.get(host..)?.find('/').map_or(url.len(), |at| at.saturating_add(host));
    let (server, path) = url.split_at_checked(slash)?;
    (server.len() > host).then_some((server, path))
}

impl Shared {
    /// The first reason is the one that matters.
    fn refuse(&self, why: DownloadError) {
        if let Ok(mut refusal) = self.refusal.lock() {
            refusal.get_or_insert(why);
        }
    }

    fn serve(&self, mut client: &TcpStream) -> io::Result<()> {
        let request = Request::read(&mut BufReader::new(client))?;
        match self.ask(&request) {
            Ok(response) => self.hand_back(response, client),
            Err(error) => {
                // Remembered before libgit2 hears of it and asks why.
                self.refuse(error);
                client
                    .write_all(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            }
        }
    }

    fn ask(&self, request: &Request) -> Result<Response<Body>, DownloadError> {
        let url = format!("{}{}", self.server, request.target);
        let mut asked = ureq::http::Request::builder().method(request.method.as_str()).uri(&url);
        for (name, value) in &request.headers {
            asked = asked.header(name, value);
        }
        let sent = match request.method.as_str() {
            "GET" => asked.body(()).map_err(ureq::Error::from).and_then(|asked| self.agent.run(asked)),
            _ => asked
                .body(request.body.as_slice())
                .map_err(ureq::Error::from)
                .and_then(|asked| self.agent.run(asked)),
        };
        let response = sent.map_err(|error| classed(&url, &error))?;
        match response.status().as_u16() {
            200 => Ok(response),
            300..400 => {
                let why = "it is redirected, which is not followed; write the URL that it has now";
                Err(DownloadError::Refused(format!("{}: {why}", shown(&url))))
            }
            status => {
                Err(failed(&url, format!("it answers with status {status}, which makes no sense here")))
            }
        }
    }

    fn hand_back(&self, response: Response<Body>, mut client: &TcpStream) -> io::Result<()> {
        let kind =
            response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: ";
        client.write_all(format!("{head}{kind}\r\n\r\n").as_bytes())?;
        let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let mut chunk = vec![0; limits::FETCH_CHUNK_BYTES];
        loop {
            let read = match body.read(&mut chunk) {
                Ok(read) => read,
                Err(error) => {
                    self.refuse(failed(&self.server, error));
                    return Ok(());
                }
            };
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            let count = |left: u64| left.checked_sub(bytes.len() as u64);
            if self.left_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_err() {
                let why = format!("{} sends more than any repository of a task has", shown(&self.server));
                self.refuse(DownloadError::Refused(why));
                return Ok(());
            }
            let part = [format!("{read:x}\r\n").as_bytes(), bytes, b"\r\n"].concat();
            // libgit2 may have left; that is not the server's doing.
            if client.write_all(&part).is_err() {
                return Ok(());
            }
        }
        let _ = client.write_all(b"0\r\n\r\n");
        Ok(())
    }
}

/// A request of libgit2's.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let mut head = Vec::new();
        loop {
            let line = line(from)?;
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        let mut lines = head.iter();
        let mut words = lines.next().map(|line| line.split(' ')).into_iter().flatten().map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(io::Error::other("no request came"));
        };
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let value =
            |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let mut body = Vec::new();
        if value("transfer-encoding").is_some() {
            while let Some(length) = u64::from_str_radix(&line(from)?, 16).ok().filter(|length| *length > 0) {
                body.extend(part(from, length)?);
                line(from)?;
            }
        } else if let Some(length) = value("content-length").and_then(|length| length.parse().ok()) {
            body = part(from, length)?;
        }
        let headers = headers.into_iter().filter(|(name, _)| HEADERS.contains(&name.as_str())).collect();
        Ok(Self { method, target, headers, body })
    }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.take(2 * limits::FETCH_URL_BYTES as u64).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn part(from: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    from.take(length.min(limits::FETCH_ADVERTISED_BYTES)).read_to_end(&mut part)?;
    Ok(part)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_url_is_split_into_server_and_path() {
        assert_eq!(split("https://h:1/a/b.git"), Some(("https://h:1", "/a/b.git")));
        assert_eq!(split("https://h"), Some(("https://h", "")));
        assert_eq!(split("https:///a"), None);
    }

    #[test]
    fn requests_are_read_with_either_kind_of_body() {
        let read = |text: &str| Request::read(&mut text.as_bytes()).unwrap();
        let get = read(
            "GET /r/info/refs?service=git-upload-pack HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n",
        );
        assert_eq!((get.target.as_str(), get.body.len()), ("/r/info/refs?service=git-upload-pack", 0));
        assert_eq!(get.headers, [("accept".to_owned(), "*/*".to_owned())]);
        let post = read("POST /r/git-upload-pack HTTP/1.1\r\nContent-Length: 4\r\n\r\n0000more");
        assert_eq!(post.body, b"0000");
        let chunked = read(
            "POST /r HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
        );
        assert_eq!(chunked.body, b"abc0123456789");
        assert!(Request::read(&mut &b"\r\n"[..]).is_err());
    }
}
