//! The packages of a build.
//!
//! Comes in: a build and architectures. Goes out: its packages as `<arch>/<file>`. From a directory (koji's `packages/`, mounted):
//! the files that lie there, and no link is followed. From a URL: the files that the hub says the build has; a listing in
//! HTML is a page for people. The hub knows no checksum of the files, so their size is compared, and what it says is believed
//! as the site's configuration says where it is.

use std::path::{Path, PathBuf};

use taskbot_graph::Nvr;

use super::get::{Getter, Origin, Wanted, local};
use super::{folder, hub, names};
use crate::limits;
use crate::task::download::DownloadError;
use crate::task::left_file::{HardLinks, LeftDir, Refused};

pub(super) fn get(getter: &mut Getter, build: &Nvr, arches: &[String]) -> Result<(), DownloadError> {
    let Some(base) = getter.site.koji.clone() else {
        return Err(DownloadError::Unsupported(
            "where builds are is not configured; set `koji` in [downloads] to a directory laid out as \
             <name>/<version>/<release>/<arch>/*.rpm, or to the URL of one together with `koji_hub`"
                .to_owned(),
        ));
    };
    match local(&base) {
        Some(dir) => from_directory(getter, dir, build, arches),
        None if base.contains("://") => from_url(getter, &base, build, arches),
        None => {
            Err(DownloadError::Unsupported("[downloads] koji must be an absolute path or a URL".to_owned()))
        }
    }
}

fn from_url(getter: &mut Getter, base: &str, build: &Nvr, arches: &[String]) -> Result<(), DownloadError> {
    let Some(hub_url) = getter.site.koji_hub.clone() else {
        return Err(DownloadError::Unsupported(
            "[downloads] koji is a URL, so `koji_hub` must say where koji's hub is".to_owned(),
        ));
    };
    let packages = hub::packages(&getter.client, &hub_url, build)?;
    let wanted = packages.iter().filter(|package| arches.is_empty() || arches.contains(&package.arch));
    let mut any = false;
    for package in wanted {
        let path = format!("{}/{}/{}/{}", build.name, build.version, build.release, package.path());
        if !names::is_relative_path(&path) {
            return Err(DownloadError::Refused(format!("{build}: the hub names a package {path:?}")));
        }
        let wanted =
            Wanted { max_bytes: package.size_bytes, ..Wanted::new(names::below(base, &path), Origin::Site) };
        let file = getter.obtain(&wanted)?;
        if file.as_file().metadata()?.len() != package.size_bytes {
            return Err(DownloadError::Failed(format!(
                "{path}: it has not the {} bytes that the hub says",
                package.size_bytes
            )));
        }
        getter.keep(file, package.path().as_ref())?;
        any = true;
    }
    if any {
        Ok(())
    } else {
        Err(DownloadError::NotFound(format!("{build} has no packages for {}", arches.join(", "))))
    }
}

/// Of each wanted folder, its regular files. A folder `src` may hold an unpacked source tree (the layout for machines
/// without rpm); it is copied as it is.
fn from_directory(
    getter: &mut Getter,
    base: &Path,
    build: &Nvr,
    arches: &[String],
) -> Result<(), DownloadError> {
    let source = base.join(&build.name).join(&build.version).join(&build.release);
    let not_found = |what: &Path| {
        DownloadError::NotFound(format!("{build} is not below [downloads] koji: no {}", what.display()))
    };
    let dir = match LeftDir::open(&source, HardLinks::Allowed) {
        Ok(dir) => dir,
        Err(Refused::Missing) => return Err(not_found(&source)),
        Err(other) => return Err(DownloadError::Refused(format!("{}: {other}", source.display()))),
    };
    let (paths, passed_over) = dir.walk(limits::DOWNLOAD_FILES, limits::ARTIFACT_DEPTH);
    if let Some(why) = passed_over.first() {
        return Err(DownloadError::Refused(format!("{}: {why}", source.display())));
    }
    // Logs, images and signatures lie beside the architectures.
    let wanted = |path: &&PathBuf| {
        let arch = path.components().next().map(|part| part.as_os_str());
        let listed = arches.is_empty() || arches.iter().any(|wanted| Some(wanted.as_ref()) == arch);
        listed && path.components().nth(1).is_some() && !path.starts_with("data")
    };
    let mut any = false;
    for path in paths.iter().filter(wanted) {
        folder::copy(getter, &dir, path)?;
        any = true;
    }
    if any { Ok(()) } else { Err(not_found(&source.join(arches.join(", ")))) }
}
