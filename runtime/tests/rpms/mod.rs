//! Real packages and repositories, made by `rpmbuild` and `createrepo_c` from a few lines each.
//!
//! Comes in: names of packages with the lines of their spec files. Goes out: `.rpm` files and repositories as tasks find them.
//! Each different package is built once in a test binary.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

/// A package by its full name, `libfoo-1.0-1.fc40.x86_64` or `app-2:1.0-1.fc40.noarch`, and further lines of its spec's head.
pub type Rpm = (&'static str, &'static str);

/// What was built already, by what it was built from.
static BUILT: LazyLock<Mutex<BTreeMap<Rpm, PathBuf>>> = LazyLock::new(Mutex::default);
static BUILD_DIR: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// The file of each package.
pub fn build(rpms: &[Rpm]) -> Vec<PathBuf> {
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut missing: BTreeMap<&str, Vec<Rpm>> = BTreeMap::new();
    for rpm in rpms.iter().filter(|rpm| !built.contains_key(*rpm)) {
        missing.entry(rpm.0.rsplit_once('.').unwrap().1).or_default().push(*rpm);
    }
    for (arch, rpms) in missing {
        let top = BUILD_DIR.path().join(built.len().to_string());
        fs::create_dir_all(&top).unwrap();
        let specs: Vec<PathBuf> = rpms.iter().map(|rpm| write_spec(&top, rpm)).collect();
        let done = Command::new("rpmbuild")
            .args(["-bb", "--quiet", "--nodeps", "--target", arch])
            .args(["--define", &format!("_topdir {}", top.display()), "--define", "debug_package %{nil}"])
            .args(["--define", "__os_install_post %{nil}"])
            .args(&specs)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        for rpm in rpms {
            let [name, version, release] = parts(rpm.0);
            let version = version.split_once(':').map_or(version, |(_, version)| version);
            let file = top.join("RPMS").join(arch).join(format!("{name}-{version}-{release}.{arch}.rpm"));
            assert!(file.is_file(), "{}", file.display());
            built.insert(rpm, file);
        }
    }
    rpms.iter().map(|rpm| built[rpm].clone()).collect()
}

/// Name, version with its epoch, release.
fn parts(full_name: &str) -> [&str; 3] {
    let (nvr, _) = full_name.rsplit_once('.').unwrap();
    let (nv, release) = nvr.rsplit_once('-').unwrap();
    let (name, version) = nv.rsplit_once('-').unwrap();
    [name, version, release]
}

fn write_spec(top: &Path, (full_name, lines): &Rpm) -> PathBuf {
    let [name, version, release] = parts(full_name);
    let (epoch, version) = version.split_once(':').unwrap_or(("0", version));
    let files: Vec<&str> = lines.lines().filter_map(|line| line.strip_prefix("File: ")).collect();
    let install: String =
        files.iter().map(|file| format!("install -D /dev/null %{{buildroot}}{file}\n")).collect();
    let head: Vec<&str> = lines.lines().filter(|line| !line.starts_with("File: ")).collect();
    let spec = top.join(format!("{full_name}.spec"));
    let text = format!(
        "Name: {name}\nEpoch: {epoch}\nVersion: {version}\nRelease: {release}\nSummary: A package of a test\nLicense: MIT\n\
         AutoReqProv: no\n{}\n%description\nA package of a test.\n%install\n{install}%files\n{}\n",
        head.join("\n"),
        files.join("\n")
    );
    fs::write(&spec, text).unwrap();
    spec
}

/// Fills a folder with packages and makes it a repository.
pub fn repository(folder: &Path, rpms: &[Rpm]) {
    copy(folder, rpms);
    let done =
        Command::new("createrepo_c").args(["--quiet", "--compatibility"]).arg(folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Puts packages into a folder.
pub fn copy(folder: &Path, rpms: &[Rpm]) {
    fs::create_dir_all(folder).unwrap();
    for file in build(rpms) {
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
}
