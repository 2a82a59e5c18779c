//! Downloads of single files, from servers tame and hostile, through the real worker.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod download_site;
mod support;
mod web;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use download_site::{Site, files, serving, sha256, walk};
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::task::download::DownloadError;
use taskbot_runtime::task::plan::FetchWhat;
use web::{Asked, Authority, Server, Wire, answer, head};

const CONTENT: &[u8] = b"the content of a file that is asked for again and again";

fn url(url: String) -> FetchWhat {
    FetchWhat::Url { url, sha256: sha256(CONTENT) }
}

/// A server that never gives more than this of `CONTENT` at once.
fn cutting(at_most: usize, ranges: bool) -> Server {
    Server::plain(move |asked: &Asked, wire: &mut dyn Wire| {
        let from = asked.headers.get("range").filter(|_| ranges);
        let from = from.map_or(0, |range| range[6..].trim_end_matches('-').parse::<usize>().unwrap());
        let rest = &CONTENT[from..];
        let range = format!("bytes {from}-{}/{}", CONTENT.len() - 1, CONTENT.len());
        match from {
            0 => head(wire, "200 OK", &[("ETag", "\"1\"")], rest.len()),
            _ => {
                head(wire, "206 Partial Content", &[("ETag", "\"1\""), ("Content-Range", &range)], rest.len())
            }
        }
        let _ = wire.write_all(&rest[..rest.len().min(at_most)]);
    })
}

#[tokio::test]
async fn a_file_comes_once_and_then_from_the_cache_as_a_copy() {
    let (site, server) = (Site::new(), serving(&[("dir/file.bin", CONTENT)]));
    let mut told = Vec::new();
    let what = url(server.url("dir/file.bin"));
    let files =
        site.get_within(what.clone(), Duration::from_secs(60), |progress| told.push(progress)).await.unwrap();
    assert_eq!((files, site.read("file.bin")), (vec!["file.bin".to_owned()], CONTENT.to_vec()));
    assert_eq!((told[0].file.as_str(), told[0].total_bytes), ("file.bin", Some(CONTENT.len() as u64)));
    // A task may do to its copy what it likes.
    fs::write(site.fetched().join("into/file.bin"), "changed").unwrap();
    assert_eq!(site.get(what.clone()).await.unwrap(), ["file.bin"]);
    assert_eq!((server.asked().len(), site.read("file.bin")), (1, CONTENT.to_vec()));
    // An entry that was damaged is fetched again.
    let entry = site.dir.path().join("cache/sha256").join(sha256(CONTENT));
    fs::remove_file(&entry).unwrap();
    fs::write(&entry, "damaged").unwrap();
    assert_eq!(site.get(what).await.unwrap(), ["file.bin"]);
    assert_eq!(
        (server.asked().len(), site.read("file.bin"), fs::read(entry).unwrap()),
        (2, CONTENT.to_vec(), CONTENT.to_vec())
    );
}

#[tokio::test]
async fn a_cut_connection_is_gone_on_with() {
    for cache in [true, false] {
        let (mut site, server) = (Site::new(), cutting(20, true));
        site.config.cache = site.config.cache.filter(|_| cache);
        site.get(url(server.url("f"))).await.unwrap();
        assert_eq!(site.read("f"), CONTENT);
        let ranges: Vec<_> = server.asked().iter().map(|asked| asked.headers.get("range").cloned()).collect();
        assert_eq!(ranges, [None, Some("bytes=20-".to_owned()), Some("bytes=40-".to_owned())]);
        assert_eq!(server.asked()[1].headers["if-range"], "\"1\"");
    }
}

#[tokio::test]
async fn a_later_attempt_goes_on_where_an_earlier_one_stopped() {
    let (site, server) = (Site::new(), cutting(5, true));
    let error = site.get(url(server.url("f"))).await.unwrap_err();
    assert!(matches!(&error, DownloadError::Failed(why) if why.contains("was cut")), "{error}");
    assert_eq!(error.class(), ErrorClass::Transient);
    while let Err(error) = site.get(url(server.url("f"))).await {
        assert!(server.asked().len() < 20, "{error}");
    }
    assert_eq!((site.read("f"), server.asked().len()), (CONTENT.to_vec(), CONTENT.len().div_ceil(5)));
}

#[tokio::test]
async fn a_server_that_knows_no_ranges_or_has_another_file_begins_anew() {
    let (site, server) = (Site::new(), cutting(20, false));
    assert!(site.get(url(server.url("f"))).await.is_err());
    // The beginning of another file was here: the checksum tells, and all is asked for again.
    let turn = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&turn);
    let server = Server::plain(move |asked, wire| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => {
            head(wire, "200 OK", &[], CONTENT.len());
            let _ = wire.write_all(b"another beginning");
        }
        _ => web::file(asked, wire, &files(&[("f", CONTENT)])),
    });
    let site = Site::new();
    site.get(url(server.url("f"))).await.unwrap();
    assert_eq!((site.read("f"), turn.load(Ordering::SeqCst)), (CONTENT.to_vec(), 3));
    assert!(!server.asked()[1].headers.contains_key("if-range"));
}

#[tokio::test]
async fn wrong_content_is_refused_and_not_kept() {
    let (site, server) = (Site::new(), serving(&[("f", b"something else")]));
    let error = site.get(url(server.url("f"))).await.unwrap_err();
    assert!(
        matches!(&error, DownloadError::Refused(why) if why.contains("not what its checksum says")),
        "{error}"
    );
    assert_eq!(error.class(), ErrorClass::Permanent);
    assert_eq!(walk(site.dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn what_servers_answer_is_classed() {
    let server = Server::plain(|asked, wire| {
        let status = asked.path.trim_start_matches('/').replace('_', " ");
        answer(wire, &status, &[], b"\x1b[31m");
    });
    let site = Site::new();
    for (status, class, said) in [
        ("404_Not_Found", ErrorClass::Transient, "it is not there"),
        ("410_Gone", ErrorClass::Transient, "it is not there"),
        ("500_Oops", ErrorClass::Transient, "500"),
        ("503_Busy", ErrorClass::Transient, "503"),
        ("429_Slow", ErrorClass::Transient, "429"),
        ("401_Who", ErrorClass::Permanent, "password"),
        ("403_No", ErrorClass::Permanent, "403"),
        ("204_Empty", ErrorClass::Transient, "makes no sense"),
        ("206_Partial", ErrorClass::Transient, "makes no sense"),
    ] {
        let error = site.get(url(server.url(status))).await.unwrap_err();
        assert_eq!(error.class(), class, "{status}: {error}");
        assert!(error.to_string().contains(said), "{status}: {error}");
    }
    let refused = "http://localhost:1/f".to_owned();
    assert!(matches!(site.get(url(refused)).await, Err(DownloadError::Failed(_))));
    for bad in ["ftp://h/f", "file:///etc/passwd", "/etc/passwd", "https://", "http://h /f", "https://h/.."] {
        let error = site.get(url(bad.to_owned())).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Permanent, "{bad}: {error}");
    }
}

#[tokio::test]
async fn p18_a_download_that_drips_or_is_mute_ends_at_its_deadline() {
    let drip = Server::plain(|_, wire| {
        head(wire, "200 OK", &[], 1 << 30);
        while wire.write_all(b"x").and_then(|()| wire.flush()).is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let mute = Server::plain(|_, _| std::thread::sleep(Duration::from_secs(600)));
    for server in [&drip, &mute] {
        let (site, started) = (Site::new(), Instant::now());
        let error = site.get_within(url(server.url("f")), Duration::from_secs(2), |_| ()).await.unwrap_err();
        assert_eq!(error, DownloadError::TimedOut(Duration::from_secs(2)));
        assert_eq!(error.class(), ErrorClass::Transient);
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}

#[tokio::test]
async fn p18_redirects_are_few_and_lead_to_no_private_address() {
    let there = serving(&[("f", CONTENT)]);
    let target = there.url("f");
    let port = there.port;
    let server = Server::plain(move |asked, wire| {
        let to = match asked.path.as_str() {
            "/good" => target.clone(),
            "/private" => format!("http://127.0.0.1:{port}/f"),
            "/metadata" => "http://169.254.169.254/latest".to_owned(),
            "/v6" => format!("http://[::1]:{port}/f"),
            "/file" => "file:///etc/passwd".to_owned(),
            other => other.to_owned(),
        };
        answer(wire, "302 Found", &[("Location", &to)], b"");
    });
    let site = Site::new();
    assert_eq!(site.get(url(server.url("good"))).await.unwrap(), ["good"]);
    fs::remove_dir_all(site.dir.path().join("cache")).unwrap();
    for (path, said) in [
        ("private", "127.0.0.1 leads to"),
        ("metadata", "169.254.169.254 leads to"),
        ("v6", "allow_private"),
        ("loop", "redirected more often"),
    ] {
        let error = site.get(url(server.url(path))).await.unwrap_err();
        assert!(matches!(&error, DownloadError::Refused(why) if why.contains(said)), "{path}: {error}");
    }
    assert_eq!(site.get(url(server.url("file"))).await.unwrap_err().class(), ErrorClass::Permanent);
    let mut strict = Site::new();
    strict.config.allow_private.clear();
    let error = strict.get(url(server.url("good"))).await.unwrap_err();
    assert!(matches!(&error, DownloadError::Refused(why) if why.contains("localhost leads to")), "{error}");
}

#[tokio::test]
async fn tls_is_believed_by_the_sites_authority_alone_and_never_left() {
    let (ours, other) = (Authority::new(), Authority::new());
    let plain = serving(&[("repodata/repomd.xml", b"<repomd/>")]);
    let to = plain.url("repodata/repomd.xml");
    let server = Server::secure(&ours, move |asked, wire| match asked.path.as_str() {
        "/f" => answer(wire, "200 OK", &[], CONTENT),
        _ => answer(wire, "302 Found", &[("Location", &to)], b""),
    });
    let mut site = Site::new();
    for ca in [None, Some(other.pem())] {
        site.config.ca = ca;
        let error = site.get(url(server.url("f"))).await.unwrap_err();
        assert!(matches!(&error, DownloadError::Refused(why) if why.contains("certificate")), "{error}");
    }
    site.config.ca = Some(ours.pem());
    assert_eq!(site.get(url(server.url("f"))).await.unwrap(), ["f"]);
    let repo = FetchWhat::Repo { repo: server.url("r"), packages: Vec::new(), arches: Vec::new() };
    let error = site.get(repo).await.unwrap_err();
    assert!(error.to_string().contains("redirected to plain http"), "{error}");
    let repo = FetchWhat::Repo { repo: plain.url(""), packages: Vec::new(), arches: Vec::new() };
    let error = site.get(repo).await.unwrap_err();
    assert!(error.to_string().contains("plain http is taken where"), "{error}");
    site.config.ca = Some(site.dir.path().join("absent.pem"));
    assert!(matches!(site.get(url(server.url("f"))).await, Err(DownloadError::Unsupported(_))));
}

#[tokio::test]
async fn mirrors_are_asked_first_and_in_order() {
    let (first, second) = (serving(&[("f", b"stale")]), serving(&[]));
    let there = serving(&[("f", CONTENT)]);
    let mut site = Site::new();
    site.config.mirrors = BTreeMap::from([(there.url(""), vec![first.url(""), second.url("")])]);
    assert_eq!(site.get(url(there.url("f"))).await.unwrap(), ["f"]);
    assert_eq!(
        (first.paths(), second.paths(), there.paths()),
        (vec!["/f".into()], vec!["/f".into()], vec!["/f".into()])
    );
    let mirror = tempfile::tempdir().unwrap();
    fs::write(mirror.path().join("f"), CONTENT).unwrap();
    let mut site = Site::new();
    site.config.mirrors = BTreeMap::from([(there.url(""), vec![mirror.path().to_str().unwrap().to_owned()])]);
    assert_eq!(site.get(url(there.url("f"))).await.unwrap(), ["f"]);
    assert_eq!(there.asked().len(), 1);
}

#[tokio::test]
async fn two_runs_that_want_the_same_wait_for_each_other() {
    let server = Server::plain(|asked, wire| {
        std::thread::sleep(Duration::from_millis(300));
        web::file(asked, wire, &files(&[("f", CONTENT)]));
    });
    let (one, mut two) = (Site::new(), Site::new());
    two.config.cache.clone_from(&one.config.cache);
    let (a, b) = tokio::join!(one.get(url(server.url("f"))), two.get(url(server.url("f"))));
    assert_eq!((a.unwrap(), b.unwrap()), (vec!["f".to_owned()], vec!["f".to_owned()]));
    assert_eq!(server.asked().len(), 1);
}
