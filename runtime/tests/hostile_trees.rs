//! P18: trees that want to run code, escape or fill the disk, through the real worker.
#![expect(clippy::unwrap_used, reason = "tests")]

mod origin;
mod support;

use std::fs;

use git2::Oid;
use origin::{FILE, LINK, Origin, PROGRAM, SUBMODULE, TREE};
use taskbot_runtime::fetch::FetchError;

/// Entries that no honest git writes, each as a tree of its own.
#[tokio::test]
async fn p18_hostile_names_and_links_are_refused() {
    let names: [&[u8]; 18] = [
        b".git",
        b".GIT",
        b".gIt",
        b".git ",
        b".git.",
        b".git . .",
        b".git::$INDEX_ALLOCATION",
        b"git~1",
        b"GIT~2",
        ".g\u{200c}it".as_bytes(),
        "\u{feff}.git".as_bytes(),
        b"a\\..\\.git\\hooks",
        b"a\nb",
        b"a\x1b[2Jb",
        b"a\rb",
        b"/etc",
        b"a/../../b",
        b"..",
    ];
    let origin = Origin::new();
    let below = origin.tree(&[(FILE, b"config", origin.blob(b"[core]\n\tfsmonitor = touch /tmp/escaped\n"))]);
    let file = origin.blob(b"x");
    let trees = names.iter().map(|name| (TREE, *name, below));
    for (mode, name, id) in trees.chain([(FILE, b".git".as_slice(), file), (LINK, b".git", file)]) {
        let commit = origin.commit("main", origin.tree(&[(mode, name, id)]));
        let error = origin.checkout(&commit).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused(_) | FetchError::Unreachable(_)), "{name:?}: {error:?}");
        assert!(!error.to_string().contains(['\x1b', '\n']), "{error}");
        assert!(origin.is_clean());
    }
    let targets: [&[u8]; 8] = [
        b"/",
        b"/proc/self/root",
        b"..",
        b"a/../..",
        b"./../x",
        b"b/..",
        b".git/hooks/post-checkout",
        b"x\0y",
    ];
    for target in targets {
        let commit = origin.commit("main", origin.tree(&[(LINK, b"l", origin.blob(target))]));
        let error = origin.checkout(&commit).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused(_)), "{target:?}: {error:?}");
        assert!(origin.is_clean());
    }
}

/// What is odd but harmless is written as files, and nothing of it is run.
#[tokio::test]
async fn p18_hooks_filters_submodules_and_odd_modes_are_only_files() {
    let origin = Origin::new();
    let marker = origin.dir.path().join("marker");
    let code = format!("#!/bin/sh\ntouch {}\n", marker.display());
    let script = origin.blob(code.as_bytes());
    let hooks = origin.tree(&[(PROGRAM, b"post-checkout", script)]);
    let modules = origin.blob(
        format!("[submodule \"s\"]\n\tpath = s\n\turl = ext::sh -c 'touch {}'\n", marker.display())
            .as_bytes(),
    );
    let config =
        origin.blob(format!("[filter \"evil\"]\n\tsmudge = touch {}\n", marker.display()).as_bytes());
    let tree = origin.tree(&[
        (FILE, b".gitattributes", origin.blob(b"* filter=evil text eol=crlf working-tree-encoding=UTF-16\n")),
        (FILE, b".gitconfig", config),
        (FILE, b".gitmodules", modules),
        (LINK, b"chain-a", origin.blob(b"chain-b")),
        (LINK, b"chain-b", origin.blob(b"chain-a")),
        (TREE, b"hooks", hooks),
        (0o104_755, b"setuid", script),
        (SUBMODULE, b"s", Oid::from_str(&"1".repeat(40)).unwrap()),
        (0o100_777, b"writable", script),
        (FILE, b"\xff\xfe", script),
        (FILE, b"CASE", origin.blob(b"upper")),
        (FILE, b"case", origin.blob(b"lower")),
    ]);
    let commit = origin.commit("main", tree);
    origin.checkout(&commit).await.unwrap();
    let to = origin.destination();
    assert!(!marker.exists(), "something was run");
    assert_eq!(fs::read(to.join("writable")).unwrap(), code.as_bytes(), "no filter, no encoding");
    assert_eq!(
        (fs::read(to.join("CASE")).unwrap(), fs::read(to.join("case")).unwrap()),
        (b"upper".to_vec(), b"lower".to_vec())
    );
    assert!(fs::read(to.join("chain-a")).is_err() && !to.join("s").exists());
    for name in ["setuid", "writable", "hooks/post-checkout"] {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(to.join(name)).unwrap().permissions());
        assert_eq!(mode & 0o7022, 0, "{name}: {mode:o}");
    }
}

/// Trees that are larger than they look.
#[tokio::test]
async fn p18_endless_trees_end_at_their_bounds() {
    let origin = Origin::new();
    let one = origin.blob(b"x");
    let names: Vec<Vec<u8>> = (0..100_000).map(|at| format!("{at:07}").into_bytes()).collect();
    let entries: Vec<(u32, &[u8], Oid)> = names.iter().map(|name| (FILE, name.as_slice(), one)).collect();
    let wide = origin.commit("wide", origin.tree(&entries));
    let mut folded = origin.tree(&[(FILE, b"f", one)]);
    let mut deep = folded;
    for _ in 0..40 {
        folded = origin.tree(&[(TREE, b"a", folded), (TREE, b"b", folded)]);
    }
    for _ in 0..200 {
        deep = origin.tree(&[(TREE, b"d", deep)]);
    }
    let (folded, deep) = (origin.commit("folded", folded), origin.commit("deep", deep));
    let twice = origin.commit("twice", origin.tree(&[(FILE, b"a", one), (FILE, b"a", one)]));
    for (commit, said) in [
        (wide, "more than 20000 files"),
        (folded, "more than"),
        (deep, "directories deep"),
        (twice, "exists"),
    ] {
        let error = origin.checkout(&commit).await.unwrap_err();
        assert!(matches!(&error, FetchError::Refused(why) if why.contains(said)), "{said}: {error:?}");
        assert!(origin.is_clean());
    }
}
