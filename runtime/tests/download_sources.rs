//! Downloads from package repositories, koji and composes: from real ones where tools make them, else from servers that keep to
//! what is documented.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod download_site;
mod support;
mod web;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use download_site::{Site, serving, sha256, walk};
use taskbot_graph::Nvr;
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::task::download::DownloadError;
use taskbot_runtime::task::plan::FetchWhat;
use web::{Server, answer};

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
                "<fault><value><struct><member><name>faultCode</name><value><int>1</int></value></member>\
                 <member><name>faultString</name><value><string>{text}</string></value></member></struct></value></fault>"
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
