//! P18: servers that want to hang, lead elsewhere or fill the disk, through the real worker. The good case is real
//! as well: git's own `http-backend` behind TLS with an authority of the test's.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod origin;
mod support;
mod web;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use origin::{FILE, Origin, PROGRAM};
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::fetch::{FetchError, FetchRequest, checkout_with, resolve_with};
use taskbot_runtime::task::download::DownloadConfig;
use tokio_util::sync::CancellationToken;
use web::{Asked, Authority, Server, Wire, answer, head};

/// Nothing here is as slow as this, however busy the machine is.
const HANG: Duration = Duration::from_secs(60);
/// A commit that nobody has.
const NOBODY: &str = "2222222222222222222222222222222222222222";

/// What a site says that knows this authority, and has servers on this machine.
fn site(authority: &Authority) -> DownloadConfig {
    let allow_private = vec!["localhost".to_owned()];
    DownloadConfig { ca: Some(authority.pem()), allow_private, ..DownloadConfig::default() }
}

async fn fetch(
    origin: &Origin,
    url: String,
    commit: &str,
    site: &DownloadConfig,
    deadline: Duration,
) -> Result<(), FetchError> {
    let request = FetchRequest { url, deadline, site: site.clone(), ..origin.request(commit) };
    let since = Instant::now();
    let fetched = checkout_with(&support::worker(), request, &CancellationToken::new()).await;
    assert!(since.elapsed() < deadline + HANG, "{:?}", since.elapsed());
    fetched
}

/// git's own server for smart HTTP; the repository is `git/origin` below the URL.
fn http_backend(authority: &Authority, root: PathBuf) -> Server {
    Server::secure(authority, move |asked, wire| {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let mut child = Command::new("git")
            .arg("http-backend")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs([("GIT_HTTP_EXPORT_ALL", "1"), ("REMOTE_ADDR", "127.0.0.1"), ("QUERY_STRING", query)])
            .env("GIT_PROJECT_ROOT", &root)
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            .env("PATH_INFO", path)
            .env("REQUEST_METHOD", &asked.method)
            .env("CONTENT_TYPE", asked.headers.get("content-type").map_or("", String::as_str))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&asked.body).unwrap();
        let output = child.wait_with_output().unwrap().stdout;
        let split = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let headers = String::from_utf8(output[..split].to_vec()).unwrap();
        let headers: Vec<(&str, &str)> = headers.lines().filter_map(|line| line.split_once(": ")).collect();
        let status =
            headers.iter().find(|(name, _)| *name == "Status").map_or("200 OK", |(_, status)| status);
        answer(wire, status, &headers, &output[split + 4..]);
    })
}

/// An origin with a task in two commits; the second is the branch's.
fn task() -> (Origin, String, String) {
    let origin = Origin::new();
    let tree = |text: &[u8]| {
        let run = (PROGRAM, b"run".as_slice(), origin.blob(text));
        origin.tree(&[run, (FILE, b"task.toml", origin.blob(b"contract = 1\n"))])
    };
    let old = origin.commit("old", tree(b"#!/bin/sh\n"));
    let new = origin.commit("main", tree(b"#!/bin/sh\nexit 1\n"));
    origin.repository.set_head("refs/heads/main").unwrap();
    (origin, old, new)
}

#[tokio::test]
async fn a_repository_comes_over_https_and_then_from_the_cache_alone() {
    if Command::new("git").arg("--version").output().is_err() {
        return support::skip("git", "install git");
    }
    let (authority, (origin, old, new)) = (Authority::new(), task());
    let server = http_backend(&authority, origin.dir.path().to_owned());
    let cache = tempfile::tempdir().unwrap();
    let site = DownloadConfig { cache: Some(cache.path().to_owned()), ..site(&authority) };
    let url = server.url("origin");
    let resolved = resolve_with(&support::worker(), &url, Some("main"), HANG, &site).await.unwrap();
    assert_eq!(resolved, new);
    assert_eq!(resolve_with(&support::worker(), &url, None, HANG, &site).await.unwrap(), new);
    for commit in [&new, &old] {
        fetch(&origin, url.clone(), commit, &site, HANG).await.unwrap();
        assert!(origin.destination().join("run").is_file());
        fs::remove_dir_all(origin.destination()).unwrap();
    }
    let asked = server.asked().len();
    for _ in 0..2 {
        fetch(&origin, url.clone(), &new, &site, HANG).await.unwrap();
        assert_eq!(fs::read(origin.destination().join("run")).unwrap(), b"#!/bin/sh\nexit 1\n");
        // What a run does to its files stays with it.
        fs::write(origin.destination().join("run"), "changed").unwrap();
        fs::remove_dir_all(origin.destination()).unwrap();
    }
    assert_eq!(server.asked().len(), asked, "no network for a commit that is here");
    // Another URL is another repository, though the commit is the same.
    assert!(fetch(&origin, server.url("absent"), &new, &site, HANG).await.is_err());
    // A damaged entry shows, and is fetched again.
    for entry in fs::read_dir(cache.path().join("git")).unwrap() {
        damage(&entry.unwrap().path().join("objects"));
    }
    let asked = server.asked().len();
    fetch(&origin, url.clone(), &new, &site, HANG).await.unwrap();
    assert_eq!(fs::read(origin.destination().join("run")).unwrap(), b"#!/bin/sh\nexit 1\n");
    assert!(server.asked().len() > asked);
    fs::remove_dir_all(origin.destination()).unwrap();
    let absent = fetch(&origin, url, NOBODY, &site, HANG).await.unwrap_err();
    assert!(matches!(absent, FetchError::NotFound(_)), "{absent}");
}

/// Turns a byte of each pack and each loose object.
fn damage(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            damage(&entry);
        } else if entry.extension().is_none_or(|extension| extension == "pack") {
            let mut bytes = fs::read(&entry).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
            fs::remove_file(&entry).unwrap();
            fs::write(&entry, bytes).unwrap();
        }
    }
}

#[tokio::test]
async fn mirrors_are_asked_before_the_repository_and_may_be_directories() {
    let (authority, (origin, _, new)) = (Authority::new(), task());
    let dead = Server::secure(&authority, |_, wire| answer(wire, "503 Busy", &[], b""));
    let mut site = site(&authority);
    let place = origin.dir.path().to_str().unwrap().to_owned();
    site.mirrors = BTreeMap::from([("https://nowhere.invalid/".to_owned(), vec![dead.url(""), place])]);
    fetch(&origin, "https://nowhere.invalid/origin".into(), &new, &site, HANG).await.unwrap();
    assert!(!dead.asked().is_empty() && origin.destination().join("run").is_file());
    fs::remove_dir_all(origin.destination()).unwrap();
    let other = fetch(&origin, "https://nowhere.invalid/other".into(), &new, &site, HANG).await.unwrap_err();
    assert_eq!(other.class(), ErrorClass::Transient, "{other}");
    assert!(origin.is_clean());
}

/// A line of git's protocol.
fn line(text: &[u8]) -> Vec<u8> {
    let mut line = format!("{:04x}", text.len() + 4).into_bytes();
    line.extend(text);
    line
}

/// A server's list of branches: this commit is `main`.
fn advertisement(commit: &str) -> Vec<u8> {
    let capabilities = "side-band-64k shallow allow-tip-sha1-in-want allow-reachable-sha1-in-want";
    let mut text = line(b"# service=git-upload-pack\n");
    text.extend(b"0000");
    text.extend(line(format!("{commit} refs/heads/main\0{capabilities}\n").as_bytes()));
    text.extend(b"0000");
    text
}

const LISTED: &[(&str, &str)] = &[("Content-Type", "application/x-git-upload-pack-advertisement")];
const RESULT: &[(&str, &str)] = &[("Content-Type", "application/x-git-upload-pack-result")];

/// A server that lists one commit and then answers as the test says.
fn listing(
    authority: &Authority,
    commit: String,
    then: impl Fn(&mut dyn Wire) + Send + Sync + 'static,
) -> Server {
    Server::secure(authority, move |asked: &Asked, wire: &mut dyn Wire| {
        if asked.path.contains("info/refs") {
            answer(wire, "200 OK", LISTED, &advertisement(&commit));
        } else {
            then(wire);
        }
    })
}

/// A pack of what the origin's commits are made of, made by git.
fn pack(origin: &Origin) -> Vec<u8> {
    let objects = origin.dir.path().join("origin");
    let mut child = Command::new("git")
        .args(["-c", "safe.directory=*", "--git-dir"])
        .arg(&objects)
        .args(["pack-objects", "--all", "--stdout", "--quiet"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdin.take());
    child.wait_with_output().unwrap().stdout
}

/// A pack on the side band, after the words that come before it.
fn result(pack: &[u8]) -> Vec<u8> {
    let mut text = line(b"NAK\n");
    for part in pack.chunks(60_000) {
        text.extend(line(&[b"\x01", part].concat()));
    }
    text.extend(b"0000");
    text
}

fn endless(wire: &mut dyn Wire, bytes: &[u8], pause: Duration) {
    while wire.write_all(bytes).and_then(|()| wire.flush()).is_ok() {
        thread::sleep(pause);
    }
}

/// Servers that do not end are stopped at the deadline.
#[tokio::test]
async fn p18_servers_that_do_not_end_are_stopped_at_the_deadline() {
    let authority = Authority::new();
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mute_url = format!("https://localhost:{}/r", mute.local_addr().unwrap().port());
    let silent = Server::secure(&authority, |_, _| thread::sleep(HANG * 10));
    let drip = Server::secure(&authority, |_, wire| {
        head(wire, "200 OK", LISTED, 1 << 30);
        let _ = wire.write_all(b"fff0");
        endless(wire, b"x", Duration::from_millis(100));
    });
    let headers = Server::secure(&authority, |_, wire| {
        let _ = wire.write_all(b"HTTP/1.1 200 OK\r\n");
        endless(wire, b"X-A: b\r\n", Duration::from_millis(100));
    });
    let keepalive = listing(&authority, NOBODY.into(), |wire| {
        head(wire, "200 OK", RESULT, 1 << 30);
        let _ = wire.write_all(&line(b"NAK\n"));
        endless(wire, &line(b"\x02still counting\n"), Duration::from_millis(50));
    });
    let urls = [mute_url, silent.url("r"), drip.url("r"), headers.url("r"), keepalive.url("r")];
    for url in urls {
        let (origin, deadline) = (Origin::new(), Duration::from_secs(2));
        let error = fetch(&origin, url.clone(), NOBODY, &site(&authority), deadline).await.unwrap_err();
        assert!(matches!(error, FetchError::TimedOut(_)), "{url}: {error}");
        assert_eq!(error.class(), ErrorClass::Transient);
        assert!(origin.is_clean());
    }
}

/// What a server sends is bounded, however much it is.
#[tokio::test]
async fn p18_a_server_that_sends_without_end_is_left_at_the_bound() {
    let authority = Authority::new();
    let references = Server::secure(&authority, |_, wire| {
        head(wire, "200 OK", LISTED, 1 << 40);
        let _ = wire.write_all(&advertisement(NOBODY)[..34]);
        let _ = wire.write_all(&line(format!("{NOBODY} refs/heads/main\0side-band-64k\n").as_bytes()));
        let many: Vec<u8> =
            (0..2000).flat_map(|at| line(format!("{NOBODY} refs/heads/{at:0900}\n").as_bytes())).collect();
        endless(wire, &many, Duration::ZERO);
    });
    let chatter = listing(&authority, NOBODY.into(), |wire| {
        head(wire, "200 OK", RESULT, 1 << 40);
        let _ = wire.write_all(&line(b"NAK\n"));
        endless(wire, &line(&[2; 60_000]).repeat(20), Duration::ZERO);
    });
    for server in [references, chatter] {
        let origin = Origin::new();
        let error = fetch(&origin, server.url("r"), NOBODY, &site(&authority), HANG * 4).await.unwrap_err();
        assert!(matches!(&error, FetchError::Denied(why) if why.contains("sends more than")), "{error}");
        assert_eq!(error.class(), ErrorClass::Permanent);
        assert!(origin.is_clean());
    }
}

/// Where a server leads and what it wants is no business of a fetch.
#[tokio::test]
async fn p18_redirects_passwords_and_private_addresses_are_denied() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let elsewhere =
        Server::secure(&authority, |_, wire| answer(wire, "200 OK", LISTED, &advertisement(NOBODY)));
    let there = elsewhere.url("r/info/refs?service=git-upload-pack");
    let port = elsewhere.port;
    let server = Server::secure(&authority, move |asked, wire| {
        let kind = asked.path.split('/').nth(1).unwrap();
        let to = match kind {
            "401" => return answer(wire, "401 Who", &[("WWW-Authenticate", "Basic realm=\"x\"")], b""),
            "403" => return answer(wire, "403 No", &[], b""),
            "404" => return answer(wire, "404 Not Found", &[], b"\x1b[31m"),
            "500" => return answer(wire, "500 Oops", &[], b""),
            "html" => return answer(wire, "200 OK", &[("Content-Type", "text/html")], b"<html>"),
            "file" => "file:///etc/passwd".to_owned(),
            "host" => there.clone(),
            "private" => format!("https://127.0.0.1:{port}/r/info/refs?service=git-upload-pack"),
            _ => asked.path.clone(),
        };
        answer(wire, "302 Found", &[("Location", &to)], b"");
    });
    let ours = site(&authority);
    let without = DownloadConfig { allow_private: Vec::new(), ..ours.clone() };
    let cases = [
        (server.url("401/r"), &ours, ErrorClass::Permanent, ""),
        (server.url("403/r"), &ours, ErrorClass::Permanent, "403"),
        (server.url("404/r"), &ours, ErrorClass::Permanent, ""),
        (server.url("500/r"), &ours, ErrorClass::Transient, "500"),
        (server.url("html/r"), &ours, ErrorClass::Transient, ""),
        (server.url("file/r"), &ours, ErrorClass::Permanent, "redirect"),
        (server.url("host/r"), &ours, ErrorClass::Permanent, "redirect"),
        (server.url("private/r"), &ours, ErrorClass::Permanent, "redirect"),
        (server.url("loop/r"), &ours, ErrorClass::Permanent, "redirect"),
        (server.url("r"), &without, ErrorClass::Permanent, "localhost leads to"),
        (
            "https://169.254.169.254/latest".to_owned(),
            &ours,
            ErrorClass::Permanent,
            "169.254.169.254 leads to",
        ),
        ("https://[::1]/r".to_owned(), &ours, ErrorClass::Permanent, "::1"),
        ("https://localhost:1/r".to_owned(), &ours, ErrorClass::Transient, "localhost:1"),
        ("https://nowhere.invalid/r".to_owned(), &ours, ErrorClass::Transient, "nowhere.invalid"),
    ];
    for (url, site, class, said) in cases {
        let origin = Origin::new();
        let error = fetch(&origin, url.clone(), NOBODY, site, HANG).await.unwrap_err();
        assert_eq!(error.class(), class, "{url}: {error:?}");
        assert!(error.to_string().contains(said) && !error.to_string().contains('\x1b'), "{url}: {error}");
        assert!(origin.is_clean());
    }
    assert_eq!(elsewhere.asked().len(), 0, "nobody else was asked");
    for ca in [None, Some(stranger.pem())] {
        let (origin, site) = (Origin::new(), DownloadConfig { ca, ..ours.clone() });
        let error = fetch(&origin, server.url("r"), NOBODY, &site, HANG).await.unwrap_err();
        assert!(matches!(&error, FetchError::Denied(why) if why.contains("certificate")), "{error:?}");
    }
}

/// Packs that are not what they should be.
#[tokio::test]
async fn p18_wrong_torn_and_exploding_packs_leave_nothing() {
    if Command::new("git").arg("--version").output().is_err() {
        return support::skip("git", "install git");
    }
    let authority = Authority::new();
    let (made, _, commit) = task();
    let good = pack(&made);
    let torn = good[..good.len() / 2].to_vec();
    let mut turned = good.clone();
    turned[good.len() / 2] ^= 0xff;
    let mut many = good.clone();
    many[8..12].copy_from_slice(&3_000_000_u32.to_be_bytes());
    let bomb = Origin::new();
    let zeros = bomb.blob(&vec![0; 100 << 20]);
    let names: [[u8; 1]; 6] = std::array::from_fn(|at| [b'a' + u8::try_from(at).unwrap()]);
    bomb.commit("main", bomb.tree(&names.each_ref().map(|name| (FILE, name.as_slice(), zeros))));
    let exploding = pack(&bomb);
    assert!(exploding.len() < 2 << 20, "{}", exploding.len());
    let bomb_commit = bomb.repository.refname_to_id("refs/heads/main").unwrap().to_string();
    for (what, sent, listed, class) in [
        ("good", good.clone(), &commit, None),
        ("another commit", good, &NOBODY.to_owned(), Some(ErrorClass::Permanent)),
        ("torn", torn, &commit, Some(ErrorClass::Transient)),
        ("turned", turned, &commit, Some(ErrorClass::Transient)),
        ("many", many, &commit, Some(ErrorClass::Permanent)),
        ("empty", Vec::new(), &commit, Some(ErrorClass::Transient)),
        ("no pack", b"PACK".repeat(100), &commit, Some(ErrorClass::Transient)),
        ("bomb", exploding, &bomb_commit, Some(ErrorClass::Permanent)),
    ] {
        let text = result(&sent);
        let server = listing(&authority, listed.clone(), move |wire| answer(wire, "200 OK", RESULT, &text));
        let origin = Origin::new();
        let fetched = fetch(&origin, server.url("r"), listed, &site(&authority), HANG * 2).await;
        assert_eq!(fetched.as_ref().err().map(FetchError::class), class, "{what}: {fetched:?}");
        assert_eq!(origin.is_clean(), class.is_some(), "{what}");
    }
}

/// Deltas upon deltas: 4 GiB of one byte, in a pack of some kilobytes. Python hashes, as no honest git makes such a pack.
const DELTA_BOMB: &str = r"
import hashlib, struct, sys, zlib
def number(size):
    out = b''
    while size > 127:
        out, size = out + bytes([size & 127 | 128]), size >> 7
    return out + bytes([size])
def entry(kind, size, base, data):
    first, size = kind << 4 | size & 15, size >> 4
    return (bytes([first | 128]) + number(size) if size else bytes([first])) + base + zlib.compress(data)
def identity(content):
    return hashlib.sha1(b'blob %d\0' % len(content) + content).digest()
content = bytes(1 << 20)
pack = b'PACK' + struct.pack('>II', 2, 4) + entry(3, len(content), b'', content)
for copies, piece in ((16, 1 << 20), (16, 0xffffff), (260, 0xffffff)):
    delta = number(len(content)) + number(copies * piece) + copies * (b'\xf0' + struct.pack('<I', piece)[:3])
    pack += entry(7, len(delta), identity(content), delta)
    content = content[:piece] * copies if copies < 200 else b''
sys.stdout.buffer.write(pack + hashlib.sha1(pack).digest())
";

#[tokio::test]
async fn p18_a_chain_of_deltas_takes_no_more_memory_than_the_worker_has() {
    let made = match Command::new("python3").args(["-c", DELTA_BOMB]).output() {
        Ok(made) => made,
        Err(_) => return support::skip("python", "install python3"),
    };
    assert!(made.status.success() && made.stdout.len() < 10_000, "{}", String::from_utf8_lossy(&made.stderr));
    let text = result(&made.stdout);
    let authority = Authority::new();
    let server = listing(&authority, NOBODY.into(), move |wire| answer(wire, "200 OK", RESULT, &text));
    let origin = Origin::new();
    let error = fetch(&origin, server.url("r"), NOBODY, &site(&authority), HANG * 2).await.unwrap_err();
    // libgit2 gives up at a size of its own, or has no memory left; either way the worker lives to say so.
    assert!(matches!(error, FetchError::Denied(_) | FetchError::Unreachable(_)), "{error:?}");
    assert!(!error.to_string().contains("ended early"), "{error}");
    assert!(origin.is_clean());
}
