//! Downloads over HTTP, from servers tame and hostile, through the real worker.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;
mod web;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use taskbot_graph::Nvr;
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::task::PlannedFetch;
use taskbot_runtime::task::download::{
    DownloadConfig, DownloadError, DownloadProgress, DownloadRequest, download,
};
use taskbot_runtime::task::plan::FetchWhat;
use tokio_util::sync::CancellationToken;
use web::{Asked, Authority, Server, Wire, answer, head};

const CONTENT: &[u8] = b"the content of a file that is asked for again and again";

/// A run's directory of downloads, and what its site says.
struct Site {
    dir: tempfile::TempDir,
    config: DownloadConfig,
}

impl Site {
    /// With a cache, and with servers on this machine.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cache = Some(dir.path().join("cache"));
        let allow_private = vec!["localhost".to_owned()];
        Self { config: DownloadConfig { cache, allow_private, ..DownloadConfig::default() }, dir }
    }

    fn fetched(&self) -> PathBuf {
        self.dir.path().join("fetched")
    }

    async fn get_within(
        &self,
        what: FetchWhat,
        deadline: Duration,
        tell: impl FnMut(DownloadProgress),
    ) -> Result<Vec<String>, DownloadError> {
        let _ = fs::remove_dir_all(self.fetched());
        let fetch = PlannedFetch { what, into: "into".into() };
        let request = DownloadRequest { fetch, fetched: self.fetched(), site: self.config.clone(), deadline };
        let files = download(&support::worker(), request, &CancellationToken::new(), tell).await;
        let into = self.fetched().join("into");
        let mut left = walk(&into);
        let files = files.map(|files| {
            files
                .iter()
                .map(|file| file.strip_prefix(&into).unwrap().to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        });
        left.retain(|file| !files.as_ref().is_ok_and(|files| files.contains(file)));
        assert!(files.is_err() || left.is_empty(), "left over: {left:?}");
        files
    }

    async fn get(&self, what: FetchWhat) -> Result<Vec<String>, DownloadError> {
        self.get_within(what, Duration::from_secs(120), |_| ()).await
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.fetched().join("into").join(name)).unwrap()
    }
}

/// The files below a directory.
fn walk(dir: &Path) -> Vec<String> {
    let (mut open, mut files) = (vec![dir.to_owned()], Vec::new());
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                files.push(entry.path().strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn url(url: String) -> FetchWhat {
    FetchWhat::Url { url, sha256: sha256(CONTENT) }
}

fn files(files: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect()
}

fn serving(list: &[(&str, &[u8])]) -> Server {
    let files = files(list);
    Server::plain(move |asked, wire| web::file(asked, wire, &files))
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

/// Small packages, made once for each test that wants them. None: tools are missing.
fn packages(dir: &Path, list: &[(&str, &str, &str)]) -> Option<()> {
    for tool in ["rpmbuild", "createrepo_c"] {
        if Command::new(tool).arg("--version").output().is_err() {
            support::skip(tool, &format!("install {tool}"));
            return None;
        }
    }
    for (name, version, release) in list {
        let spec = dir.join(format!("{name}.spec"));
        fs::write(
            &spec,
            format!(
                "Name: {name}\nVersion: {version}\nRelease: {release}\nSummary: s\nLicense: MIT\nBuildArch: noarch\n\
                 %description\nd\n%files\n"
            ),
        )
        .unwrap();
        run(Command::new("rpmbuild")
            .args(["-bb", "--quiet", "--nodeps", "--define"])
            .arg(format!("_topdir {}", dir.display()))
            .arg(&spec));
    }
    Some(())
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The files of a repository, by their paths.
fn repository(rpms: &Path, options: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    run(Command::new("createrepo_c")
        .args(["--quiet", "--no-database"])
        .args(options)
        .arg("--outputdir")
        .arg(dir.path())
        .arg(rpms));
    let mut files = BTreeMap::new();
    for root in [dir.path(), rpms] {
        files.extend(
            walk(root).into_iter().map(|path| (format!("repo/{path}"), fs::read(root.join(&path)).unwrap())),
        );
    }
    files
}

/// The same repository with its primary packed by another program.
fn repacked(
    mut files: BTreeMap<String, Vec<u8>>,
    extension: &str,
    pack: impl Fn(&[u8]) -> Vec<u8>,
) -> BTreeMap<String, Vec<u8>> {
    let path = files.keys().find(|path| path.ends_with("-primary.xml.gz")).unwrap().clone();
    let packed = files.remove(&path).unwrap();
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut content).unwrap();
    let (new, new_path) = (pack(&content), format!("repo/repodata/primary.xml{extension}"));
    let repomd = String::from_utf8(files["repo/repodata/repomd.xml"].clone()).unwrap();
    let repomd = repomd.replace(path.strip_prefix("repo/").unwrap(), new_path.strip_prefix("repo/").unwrap());
    let repomd = repomd.replace(&sha256(&packed), &sha256(&new));
    files.insert("repo/repodata/repomd.xml".to_owned(), repomd.into_bytes());
    files.insert(new_path, new);
    files
}

fn repo(packages: &[&str], arches: &[&str]) -> FetchWhat {
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    FetchWhat::Repo { repo: "base".into(), packages: own(packages), arches: own(arches) }
}

#[tokio::test]
async fn packages_come_from_a_real_repository_however_it_is_packed() {
    let dir = tempfile::tempdir().unwrap();
    let list = [("alpha", "1.9", "1"), ("alpha", "1.10", "1"), ("beta", "2", "1.fc40"), ("gamma", "1", "1")];
    let Some(()) = packages(dir.path(), &list) else { return };
    let rpms = dir.path().join("RPMS");
    let gz = repository(&rpms, &[]);
    let zstd = |content: &[u8]| {
        ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
    };
    for (how, files) in [
        ("xz", repository(&rpms, &["--general-compress-type", "xz"])),
        ("sha512", repository(&rpms, &["--checksum", "sha512"])),
        ("zst", repacked(gz.clone(), ".zst", zstd)),
        ("plain", repacked(gz.clone(), "", <[u8]>::to_vec)),
        ("gz", gz),
    ] {
        let served = files.clone();
        let server = Server::plain(move |asked, wire| web::file(asked, wire, &served));
        let mut site = Site::new();
        site.config.repositories = BTreeMap::from([("base".to_owned(), server.url("repo"))]);
        let got = site.get(repo(&["alpha", "beta-2-1.fc40"], &["noarch"])).await.unwrap();
        assert_eq!(got, ["alpha-1.10-1.noarch.rpm", "beta-2-1.fc40.noarch.rpm"], "{how}");
        assert_eq!(
            site.read("alpha-1.10-1.noarch.rpm"),
            files["repo/noarch/alpha-1.10-1.noarch.rpm"],
            "{how}"
        );
        let mut metadata = site.get(repo(&[], &[])).await.unwrap();
        assert_eq!(metadata.pop().unwrap(), "repodata/repomd.xml", "{how}");
        assert_eq!(metadata.len(), 2, "{how}: {metadata:?}");
        for path in metadata.iter().map(String::as_str).chain(["repodata/repomd.xml"]) {
            assert_eq!(site.read(path), files[&format!("repo/{path}")], "{how}: as it is there");
        }
        let missing = site.get(repo(&["delta"], &[])).await.unwrap_err();
        assert_eq!(missing, DownloadError::NotFound("the repository has no package \"delta\"".to_owned()));
        assert!(matches!(site.get(repo(&["alpha"], &["x86_64"])).await, Err(DownloadError::NotFound(_))));
    }
    let mut site = Site::new();
    let place = tempfile::tempdir().unwrap();
    run(Command::new("cp").arg("-r").arg(&rpms).arg(place.path().join("local")));
    run(Command::new("createrepo_c").arg("--quiet").arg(place.path().join("local")));
    site.config.repositories =
        BTreeMap::from([("base".into(), place.path().join("local").to_str().unwrap().into())]);
    assert_eq!(site.get(repo(&["gamma"], &[])).await.unwrap(), ["gamma-1-1.noarch.rpm"]);
    assert_eq!(site.get(repo(&[], &[])).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_repository_that_lies_is_refused_at_each_level() {
    let dir = tempfile::tempdir().unwrap();
    let Some(()) = packages(dir.path(), &[("alpha", "1", "1")]) else { return };
    let good = repository(&dir.path().join("RPMS"), &[]);
    let with = |path: &str, content: Vec<u8>| {
        let mut files = good.clone();
        *files.get_mut(path).unwrap() = content;
        files
    };
    let primary = good.keys().find(|path| path.ends_with("primary.xml.gz")).unwrap();
    let repomd = String::from_utf8(good["repo/repodata/repomd.xml"].clone()).unwrap();
    let open = repomd.split("<open-checksum type=\"sha256\">").nth(1).unwrap();
    for (files, said) in [
        (with("repo/repodata/repomd.xml", b"<html>".to_vec()), "repomd.xml: it ends in the middle"),
        (
            with("repo/repodata/repomd.xml", repomd.replace(&open[..64], &"0".repeat(64)).into_bytes()),
            "unpacked it is not what",
        ),
        (with("repo/repodata/repomd.xml", vec![b' '; 2 << 20]), "larger than"),
        (with(primary, b"other".to_vec()), "not what its checksum says"),
        (with("repo/noarch/alpha-1-1.noarch.rpm", b"other".to_vec()), "not what its checksum says"),
    ] {
        let server = Server::plain(move |asked, wire| web::file(asked, wire, &files));
        let mut site = Site::new();
        site.config.repositories = BTreeMap::from([("base".to_owned(), server.url("repo"))]);
        let error = site.get(repo(&["alpha"], &[])).await.unwrap_err();
        assert!(matches!(&error, DownloadError::Refused(why) if why.contains(said)), "{said}: {error}");
        let left = walk(&site.fetched());
        assert!(left.is_empty(), "{left:?}");
    }
    let unknown = Site::new().get(repo(&["alpha"], &[])).await.unwrap_err();
    assert!(matches!(unknown, DownloadError::Unsupported(_)), "{unknown}");
}

/// A hub that knows the calls of koji and nothing else.
fn hub(
    builds: &'static [(&'static str, i64)],
    rpms: &'static [(&'static str, &'static str, usize)],
) -> Server {
    Server::plain(move |asked, wire| {
        let body = String::from_utf8(asked.body.clone()).unwrap();
        assert_eq!((asked.method.as_str(), asked.headers["content-type"].as_str()), ("POST", "text/xml"));
        let between = |from: &str, to: &str| {
            body.split(from).nth(1).map(|rest| rest.split(to).next().unwrap().to_owned())
        };
        let parameter = between("<param><value>", "</value></param>").unwrap();
        let fault = |text: &str| {
            format!(
                "<fault><value><struct><member><name>faultCode</name><value><int>1</int></value></member><member><name>faultString</name><value><string>{text}</string></value></member></struct></value></fault>"
            )
        };
        let result = |value: String| format!("<params><param><value>{value}</value></param></params>");
        let member =
            |name: &str, value: String| format!("<member><name>{name}</name><value>{value}</value></member>");
        let text = match between("<methodName>", "</methodName>").unwrap().as_str() {
            "getBuild" => {
                let nvr = parameter.replace("<string>", "").replace("</string>", "");
                result(match builds.iter().position(|(known, _)| *known == nvr) {
                    None => "<nil/>".to_owned(),
                    Some(at) => format!(
                        "<struct>{}{}</struct>",
                        member("id", format!("<int>{at}</int>")),
                        member("state", format!("<int>{}</int>", builds[at].1))
                    ),
                })
            }
            "listRPMs" if parameter == "<int>0</int>" => {
                let rpm = |(name, arch, size): &(&str, &str, usize)| {
                    let string = |value: &str| format!("<string>{value}</string>");
                    format!(
                        "<value><struct>{}{}{}{}{}</struct></value>",
                        member("name", string(name)),
                        member("version", string("5.2^1")),
                        member("release", string("1.fc40")),
                        member("arch", string(arch)),
                        member("size", format!("<int>{size}</int>"))
                    )
                };
                result(format!("<array><data>{}</data></array>", rpms.iter().map(rpm).collect::<String>()))
            }
            other => fault(&format!("Invalid method: {other} {parameter}")),
        };
        answer(
            wire,
            "200 OK",
            &[("Content-Type", "text/xml")],
            format!("<?xml version='1.0'?>\n<methodResponse>{text}</methodResponse>").as_bytes(),
        );
    })
}

#[tokio::test]
async fn a_build_comes_from_koji_over_http() {
    let hub = hub(
        &[("bash-5.2^1-1.fc40", 1), ("bash-5.2^1-2.fc40", 0), ("bash-5.2^1-3.fc40", 3)],
        &[("bash", "src", 7), ("bash", "x86_64", 8), ("bash-doc", "noarch", 9), ("bash", "s390x", 9)],
    );
    let files = serving(&[
        ("packages/bash/5.2%5E1/1.fc40/src/bash-5.2%5E1-1.fc40.src.rpm", b"the src"),
        ("packages/bash/5.2%5E1/1.fc40/x86_64/bash-5.2%5E1-1.fc40.x86_64.rpm", b"the bash"),
        ("packages/bash/5.2%5E1/1.fc40/noarch/bash-doc-5.2%5E1-1.fc40.noarch.rpm", b"the short"),
        ("packages/bash/5.2%5E1/1.fc40/s390x/bash-5.2%5E1-1.fc40.s390x.rpm", b"short"),
    ]);
    let mut site = Site::new();
    site.config.koji = Some(files.url("packages/"));
    site.config.koji_hub = Some(hub.url("kojihub"));
    let koji = |nvr: &str, arches: &[&str]| FetchWhat::Koji {
        build: Nvr::parse(nvr).unwrap(),
        arches: arches.iter().map(|arch| (*arch).to_owned()).collect(),
    };
    let got = site.get(koji("bash-5.2^1-1.fc40", &["x86_64", "noarch"])).await.unwrap();
    assert_eq!(got, ["x86_64/bash-5.2^1-1.fc40.x86_64.rpm", "noarch/bash-doc-5.2^1-1.fc40.noarch.rpm"]);
    assert_eq!(site.read("x86_64/bash-5.2^1-1.fc40.x86_64.rpm"), b"the bash");
    for (nvr, arches, class, said) in [
        ("bash-5.2^1-9.fc40", &["src"][..], ErrorClass::Transient, "koji has no build"),
        ("bash-5.2^1-2.fc40", &["src"], ErrorClass::Transient, "still building"),
        ("bash-5.2^1-3.fc40", &["src"], ErrorClass::Permanent, "failed, was canceled"),
        ("bash-5.2^1-1.fc40", &["riscv64"], ErrorClass::Transient, "no packages for riscv64"),
        ("bash-5.2^1-1.fc40", &["s390x"], ErrorClass::Transient, "has not the 9 bytes"),
    ] {
        let error = site.get(koji(nvr, arches)).await.unwrap_err();
        assert_eq!(error.class(), class, "{nvr}: {error}");
        assert!(error.to_string().contains(said), "{nvr}: {error}");
    }
    site.config.koji_hub = Some(files.url("kojihub"));
    assert!(matches!(site.get(koji("bash-5.2^1-1.fc40", &[])).await, Err(DownloadError::NotFound(_))));
}

#[tokio::test]
async fn an_image_comes_from_a_compose() {
    let image = b"an image";
    let metadata = serde_json::json!({ "header": { "version": "1.2" }, "payload": { "images": { "Server": { "x86_64": [
        { "arch": "x86_64", "type": "boot", "format": "iso", "subvariant": "Server", "path": "Server/x86_64/iso/boot.iso",
          "checksums": { "sha256": sha256(image) }, "size": image.len() },
        { "arch": "x86_64", "type": "dvd", "format": "iso", "subvariant": "Server", "path": "Server/x86_64/iso/dvd.iso",
          "checksums": { "sha256": sha256(b"what it should be") }, "size": 1 },
    ] } } } });
    let server = serving(&[
        ("composes/Fedora-40-20240414.0/compose/metadata/images.json", metadata.to_string().as_bytes()),
        ("composes/Fedora-40-20240414.0/compose/Server/x86_64/iso/boot.iso", image),
        ("composes/Fedora-40-20240414.0/compose/Server/x86_64/iso/dvd.iso", b"what it is"),
    ]);
    let mut site = Site::new();
    let compose = |compose: &str, image: &str| FetchWhat::Compose {
        compose: compose.into(),
        image: image.into(),
        arches: Vec::new(),
    };
    let unset = site.get(compose("Fedora-40-20240414.0", "boot")).await.unwrap_err();
    assert!(matches!(unset, DownloadError::Unsupported(_)), "{unset}");
    site.config.composes = Some(server.url("composes"));
    assert_eq!(site.get(compose("Fedora-40-20240414.0", "Server/boot")).await.unwrap(), ["boot.iso"]);
    assert_eq!(site.read("boot.iso"), image);
    for (name, what, said) in [
        ("Fedora-40-20240414.0", "dvd", "not what its checksum says"),
        ("Fedora-40-20240414.0", "qcow2", "has no image"),
        ("Fedora-41", "boot", "it is not there"),
        ("../../etc", "boot", "no name of a compose"),
    ] {
        let error = site.get(compose(name, what)).await.unwrap_err();
        assert!(error.to_string().contains(said), "{name}: {error}");
    }
}
