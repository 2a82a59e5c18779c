//! `taskbot fmt`: what it writes, what it says, and that it never leaves half a file.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

const UGLY: &str = "on  koji.build.completed run   rpmlint # why\n";
const FINE: &str = "on koji.build.completed run rpmlint # why\n";
const BROKEN: &str = "on koji.build.completed\n  where run rpmlint\n";

/// Exit code, standard output, standard error.
fn fmt(dir: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_taskbot"))
        .arg("fmt")
        .args(arguments)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code().unwrap(), text(ended.stdout), text(ended.stderr))
}

#[test]
fn files_are_replaced_and_keep_their_permissions() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("real.tb");
    fs::write(&file, UGLY).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.tb", dir.path().join("link.tb")).unwrap();
    let (code, out, err) = fmt(dir.path(), &["link.tb"], "");
    assert_eq!((code, out.as_str()), (0, "link.tb\n"), "{err}");
    assert_eq!(err, "1 file changed, 0 as it should be\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), FINE);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(dir.path().join("link.tb").is_symlink());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside");
    assert_eq!(fmt(dir.path(), &["."], "").2, "0 files changed, 2 as it should be\n");
}

#[test]
fn check_and_diff_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.tb");
    fs::write(&file, UGLY).unwrap();
    assert_eq!(fmt(dir.path(), &["--check", "a.tb"], "").0, 1);
    let (code, out, _) = fmt(dir.path(), &["--diff", "a.tb"], "");
    let removed = UGLY.trim_end();
    let added = FINE.trim_end();
    assert_eq!((code, out), (0, format!("--- a.tb\n+++ a.tb\n@@ -1 +1 @@\n-{removed}\n+{added}\n")));
    assert_eq!(fs::read_to_string(&file).unwrap(), UGLY);
    fs::write(&file, FINE).unwrap();
    assert_eq!(fmt(dir.path(), &["--check", "a.tb"], "").0, 0);
}

#[test]
fn a_file_with_syntax_errors_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.tb"), BROKEN).unwrap();
    fs::write(dir.path().join("b.tb"), UGLY).unwrap();
    let (code, out, err) = fmt(dir.path(), &["."], "");
    assert_eq!((code, out.as_str()), (1, "./b.tb\n"), "{err}");
    assert!(err.starts_with("./a.tb:2: left alone: 1 syntax error"), "{err}");
    assert_eq!(fs::read_to_string(dir.path().join("a.tb")).unwrap(), BROKEN);
}

#[test]
fn standard_input_goes_to_standard_output() {
    let here = Path::new(".");
    assert_eq!(fmt(here, &["-"], UGLY), (0, FINE.to_owned(), String::new()));
    assert_eq!(fmt(here, &["-"], ""), (0, String::new(), String::new()));
    assert_eq!(fmt(here, &["-", "--check"], UGLY).0, 1);
    let (code, out, err) = fmt(here, &["-"], BROKEN);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("standard input:2: left alone"), "{err}");
    assert_eq!(fmt(here, &["-", "a.tb"], "").0, 2);
}
