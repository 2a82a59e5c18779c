//! Downloads from a directory laid out as koji lays out packages.

#![expect(clippy::unwrap_used, reason = "tests")]

mod task_run;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use task_run::Run;
use taskbot_graph::Nvr;
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::task::PlannedFetch;
use taskbot_runtime::task::download::{DownloadConfig, DownloadError};
use taskbot_runtime::task::plan::FetchWhat;

fn base() -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    let build = base.path().join("bash/5.2/1.fc40");
    for file in
        ["src/bash.src.rpm", "x86_64/bash.rpm", "s390x/bash.rpm", "noarch/doc.rpm", "data/logs/build.log"]
    {
        let file = build.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, file.to_str().unwrap()).unwrap();
    }
    // koji links files of one build into several places
    fs::hard_link(build.join("noarch/doc.rpm"), base.path().join("second-name")).unwrap();
    base
}

fn fetch(nvr: &str, arches: &[&str]) -> PlannedFetch {
    let arches = arches.iter().map(|arch| (*arch).to_owned()).collect();
    PlannedFetch { what: FetchWhat::Koji { build: Nvr::parse(nvr).unwrap(), arches }, into: "rpms".into() }
}

fn get(fetch: &PlannedFetch, koji: Option<String>) -> Result<Vec<String>, DownloadError> {
    let run = Run::new(Path::new("/checkout"));
    let files = run.download(fetch, &DownloadConfig { koji, ..DownloadConfig::default() })?;
    let relative = |path: &std::path::PathBuf| {
        assert!(path.is_file());
        path.strip_prefix(&run.dirs.fetched).unwrap().to_str().unwrap().to_owned()
    };
    Ok(files.iter().map(relative).collect())
}

#[test]
fn a_build_comes_by_architecture() {
    let base = base();
    let koji = Some(base.path().to_str().unwrap().to_owned());
    let files = get(&fetch("bash-5.2-1.fc40", &["x86_64", "noarch"]), koji.clone()).unwrap();
    assert_eq!(files, ["rpms/noarch/doc.rpm", "rpms/x86_64/bash.rpm"]);
    let url = koji.map(|path| format!("file://{path}"));
    let files = get(&fetch("bash-5.2-1.fc40", &[]), url).unwrap();
    assert_eq!(files.len(), 4, "all architectures, no logs: {files:?}");
}

#[test]
fn what_is_not_there_may_come_later() {
    let base = base();
    let koji = Some(base.path().to_str().unwrap().to_owned());
    for (nvr, arch) in [("bash-5.2-2.fc40", "src"), ("zsh-1-1", "src"), ("bash-5.2-1.fc40", "riscv64")] {
        let error = get(&fetch(nvr, &[arch]), koji.clone()).unwrap_err();
        assert!(matches!(error, DownloadError::NotFound(_)), "{error:?}");
        assert_eq!(error.class(), ErrorClass::Transient);
    }
}

#[test]
fn what_is_not_configured_says_so() {
    let fetch = fetch("bash-5.2-1.fc40", &[]);
    for (koji, said) in [
        (None, "set `koji` in [downloads]"),
        (Some("https://kojipkgs.example.org/packages"), "`koji_hub` must say where"),
        (Some("relative/path"), "must be an absolute path or a URL"),
    ] {
        let error = get(&fetch, koji.map(str::to_owned)).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(error.class(), ErrorClass::Permanent);
    }
}

#[test]
fn links_in_the_source_are_not_followed() {
    let base = base();
    let koji = Some(base.path().to_str().unwrap().to_owned());
    symlink("/etc/passwd", base.path().join("bash/5.2/1.fc40/x86_64/link.rpm")).unwrap();
    let error = get(&fetch("bash-5.2-1.fc40", &["x86_64"]), koji.clone()).unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    fs::create_dir_all(base.path().join("linked/1")).unwrap();
    symlink("/etc", base.path().join("linked/1/1")).unwrap();
    let error = get(&fetch("linked-1-1", &[]), koji).unwrap_err();
    assert!(matches!(error, DownloadError::Refused(_)), "{error:?}");
}

#[test]
fn a_folder_of_the_site_is_copied_whole_and_only_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("f40/repodata")).unwrap();
    fs::write(folder.path().join("f40/repodata/repomd.xml"), "<repomd/>").unwrap();
    let config = |name: &str| DownloadConfig {
        site: [(name.to_owned(), folder.path().to_owned())].into(),
        ..DownloadConfig::default()
    };
    let wanted =
        PlannedFetch { what: FetchWhat::Site { name: "repositories".into() }, into: "repositories".into() };
    let run = Run::new(Path::new("/checkout"));
    let files = run.download(&wanted, &config("repositories")).unwrap();
    assert_eq!(files, [run.dirs.fetched.join("repositories/f40/repodata/repomd.xml")]);
    assert_eq!(fs::read_to_string(files.first().unwrap()).unwrap(), "<repomd/>");
    let error = run.download(&wanted, &config("other")).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Permanent);
    assert!(error.to_string().contains("[downloads.site]"), "{error}");
    // a task sees what lies in the folder, not what a link in it points to
    symlink("/etc/passwd", folder.path().join("f40/passwd")).unwrap();
    let error = run.download(&wanted, &config("repositories")).unwrap_err();
    assert!(matches!(&error, DownloadError::Refused(why) if why.contains("f40/passwd")), "{error}");
}
