//! Fetching against local repositories, tame and hostile (P18).
#![expect(clippy::unwrap_used, reason = "tests")]

mod origin;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use git2::{Oid, Signature};
use origin::{FILE, LINK, Origin, PROGRAM, SUBMODULE, TREE};
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::fetch::{FetchError, FetchRequest, checkout_with, resolve_with};
use taskbot_runtime::task::download::DownloadConfig;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_pinned_commit_is_written_with_its_modes_and_links() {
    let origin = Origin::new();
    let run = origin.blob(b"#!/bin/sh\r\n$Id$\n");
    let text = origin.blob(b"contract = 1\n");
    let attributes = origin.blob(b"* text eol=crlf ident filter=evil\n");
    let below = origin.tree(&[(LINK, b"up", origin.blob(b"../run")), (FILE, b"x", text)]);
    let tree = origin.tree(&[
        (FILE, b".gitattributes", attributes),
        (SUBMODULE, b"other", Oid::from_str(&"1".repeat(40)).unwrap()),
        (PROGRAM, b"run", run),
        (TREE, b"sub", below),
        (0o100_666, b"task.toml", text),
    ]);
    let old = origin.commit("main", tree);
    let elsewhere = origin.commit("other", origin.tree(&[(FILE, b"new", text)]));
    fs::create_dir(origin.destination()).unwrap();
    origin.checkout(&old).await.unwrap();
    let read = |name: &str| fs::read(origin.destination().join(name)).unwrap();
    let mode =
        |name: &str| fs::metadata(origin.destination().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(read("run"), b"#!/bin/sh\r\n$Id$\n", "no filter, no line ends");
    assert_eq!(read("sub/up"), read("run"));
    assert_eq!((mode("run"), mode("task.toml"), mode("sub/x")), (0o755, 0o644, 0o644));
    assert!(!origin.destination().join("other").exists() && !origin.destination().join(".git").exists());
    let again = origin.checkout(&old).await.unwrap_err();
    assert!(again.to_string().contains("not empty"), "{again}");

    let program = support::worker();
    let url = format!("file://{}", origin.url());
    let resolve = async |reference| {
        resolve_with(&program, &url, reference, Duration::from_secs(20), &DownloadConfig::default()).await
    };
    assert_eq!(resolve(Some("other")).await.unwrap(), elsewhere);
    assert_eq!(resolve(Some("refs/heads/main")).await.unwrap(), old);
    assert_eq!(resolve(Some(&old)).await.unwrap(), old);
    let commit = origin.repository.find_object(Oid::from_str(&old).unwrap(), None).unwrap();
    let tagger = Signature::new("a", "a@b", &git2::Time::new(0, 0)).unwrap();
    origin.repository.tag("v1", &commit, &tagger, "annotated", false).unwrap();
    assert_eq!(resolve(Some("v1")).await.unwrap(), old, "the commit, not the tag");
    origin.repository.set_head("refs/heads/main").unwrap();
    assert_eq!(resolve(None).await.unwrap(), old);
    assert!(matches!(resolve(Some("absent")).await, Err(FetchError::NotFound(_))));
}

#[tokio::test]
async fn p18_hostile_trees_are_refused_and_leave_nothing() {
    let text = Oid::from_str("0").unwrap();
    let cases: [(&str, u32, &[u8], &[u8]); 10] = [
        ("parent", FILE, b"..", b"x"),
        ("git", TREE, b".GIT", b""),
        ("git-short", TREE, b"git~1", b""),
        ("path", FILE, b"../escaped", b"x"),
        ("absolute", FILE, b"/tmp/taskbot-escaped", b"x"),
        ("link-absolute", LINK, b"l", b"/etc/passwd"),
        ("link-out", LINK, b"l", b"../origin/config"),
        ("link-deep", LINK, b"l", b"a/../../origin"),
        ("link-empty", LINK, b"l", b""),
        ("long", FILE, &[b'n'; 300], b"x"),
    ];
    for (branch, mode, name, content) in cases {
        let origin = Origin::new();
        let id = if mode == TREE {
            origin.tree(&[(FILE, b"config", origin.blob(b""))])
        } else {
            origin.blob(content)
        };
        let commit = origin.commit(branch, origin.tree(&[(mode, name, id)]));
        let error = origin.checkout(&commit).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused(_) | FetchError::Unreachable(_)), "{branch}: {error}");
        assert!(origin.is_clean(), "{branch}");
    }
    // A link and a directory of one name: what is in the directory must not be written through the link.
    let origin = Origin::new();
    let below = origin.tree(&[(FILE, b"config", origin.blob(b"x"))]);
    let link = origin.blob(b"b");
    for entries in [[(LINK, &b"a"[..], link), (TREE, b"a", below)], [(TREE, b"a", below), (LINK, b"a", link)]]
    {
        let commit = origin.commit("twice", origin.tree(&entries));
        let error = origin.checkout(&commit).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused(_)), "{error}");
        assert!(origin.is_clean());
    }
    let missing = origin.commit("missing", origin.tree(&[(FILE, b"a", text)]));
    assert!(origin.checkout(&missing).await.is_err());
    assert!(origin.is_clean());
}

/// P18: ten directories of ten directories of ... : small to send, endless to write.
#[tokio::test]
async fn p18_a_tree_bomb_ends_at_the_bound() {
    let origin = Origin::new();
    let mut tree = origin.tree(&[(FILE, b"f", origin.blob(b"x"))]);
    for _ in 0..10 {
        let names = [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"];
        tree = origin.tree(&names.map(|name| (TREE, name.as_slice(), tree)));
    }
    let commit = origin.commit("bomb", tree);
    let error = origin.checkout(&commit).await.unwrap_err();
    assert!(error.to_string().contains("more than 20000 files"), "{error}");
    let mut deep = origin.tree(&[(FILE, b"f", origin.blob(b"x"))]);
    for _ in 0..70 {
        deep = origin.tree(&[(TREE, b"d", deep)]);
    }
    let commit = origin.commit("deep", deep);
    let error = origin.checkout(&commit).await.unwrap_err();
    assert!(error.to_string().contains("directories deep"), "{error}");
    let huge = origin.blob(&vec![0; 30 << 20]);
    let names: [[u8; 1]; 18] = std::array::from_fn(|i| [b'a' + u8::try_from(i).unwrap()]);
    let commit =
        origin.commit("huge", origin.tree(&names.each_ref().map(|name| (FILE, name.as_slice(), huge))));
    let error = origin.checkout(&commit).await.unwrap_err();
    assert!(error.to_string().contains("bytes in all"), "{error}");
    assert!(origin.is_clean());
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_told_apart() {
    let origin = Origin::new();
    origin.commit("main", origin.tree(&[(FILE, b"f", origin.blob(b"x"))]));
    let program = support::worker();
    let absent = origin.checkout(&"2".repeat(40)).await.unwrap_err();
    assert!(matches!(absent, FetchError::NotFound(_)), "{absent}");
    assert_eq!(absent.class(), ErrorClass::Permanent);
    for url in [
        "http://h/r",
        "git://h/r",
        "ssh://h/r",
        "user@host:r",
        "ext::sh -c id",
        "-x",
        "relative",
        "https://h/a b",
    ] {
        let request = FetchRequest { url: url.to_owned(), ..origin.request(&"2".repeat(40)) };
        let error = checkout_with(&program, request, &CancellationToken::new()).await.unwrap_err();
        assert!(matches!(error, FetchError::Request(_)), "{url}: {error}");
        let error = resolve_with(&program, url, None, Duration::from_secs(5), &DownloadConfig::default())
            .await
            .unwrap_err();
        assert!(matches!(error, FetchError::Request(_)), "{url}: {error}");
    }
    let secret = resolve_with(
        &program,
        "http://me:secret@h/r",
        None,
        Duration::from_secs(5),
        &DownloadConfig::default(),
    )
    .await
    .unwrap_err();
    assert!(!secret.to_string().contains("secret"), "{secret}");
    let short = origin.checkout("abc").await.unwrap_err();
    assert!(matches!(short, FetchError::Request(_)), "{short}");
    let gone = FetchRequest { url: "/nonexistent/repository".to_owned(), ..origin.request(&"2".repeat(40)) };
    let error = checkout_with(&program, gone, &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable(_) | FetchError::NotFound(_)), "{error}");
    assert!(origin.is_clean());
}

/// P18: a server that takes the connection and says nothing.
#[tokio::test]
async fn p18_a_mute_server_ends_at_the_deadline_and_on_cancel() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = Origin::new();
    let url = format!("https://127.0.0.1:{}/r", mute.local_addr().unwrap().port());
    let site = DownloadConfig { allow_private: vec!["127.0.0.1".to_owned()], ..DownloadConfig::default() };
    let request =
        FetchRequest { url, site, deadline: Duration::from_secs(1), ..origin.request(&"2".repeat(40)) };
    let (program, cancel) = (support::worker(), CancellationToken::new());
    let started = Instant::now();
    let error = checkout_with(&program, request.clone(), &cancel).await.unwrap_err();
    assert!(matches!(error, FetchError::TimedOut(_)), "{error}");
    assert_eq!(error.class(), ErrorClass::Transient);
    cancel.cancel();
    let error = checkout_with(&program, request, &cancel).await.unwrap_err();
    assert!(matches!(error, FetchError::Cancelled), "{error}");
    assert!(started.elapsed() < Duration::from_secs(60));
    assert!(origin.is_clean());
}
