//! A package repository as createrepo_c writes it and dnf reads it.
//!
//! Comes in: a repository, names of packages, architectures. Goes out: the newest of those packages; without names the
//! metadata alone, as it is there (`repodata/repomd.xml`, primary, filelists), for tasks that solve dependencies. Only
//! `repomd.xml` is believed as it comes, over TLS or because the site says so; everything below it has a checksum in what
//! was read before: the metadata, its unpacked content, each package.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;
use tempfile::NamedTempFile;

use super::get::{Checksum, Getter, Origin, Wanted};
use super::names;
use super::packages;
use crate::limits;
use crate::message::MessageText;
use crate::task::download::DownloadError;
use crate::task::xml::{Node, walk};
use crate::worker::http::shown;

const REPOMD: &str = "repodata/repomd.xml";
/// What solvers read; the rest is changelogs, databases and pictures.
const FOR_SOLVERS: [&str; 2] = ["primary", "filelists"];

pub(super) fn get(
    getter: &mut Getter,
    repository: &str,
    packages: &[String],
    arches: &[String],
) -> Result<(), DownloadError> {
    let (base, origin) = place(getter, repository)?;
    let repomd =
        Wanted { max_bytes: limits::REPOMD_BYTES, ..Wanted::new(names::below(&base, REPOMD), origin) };
    let mut file = getter.obtain(&repomd)?;
    let data = read_repomd(&text(&mut file)?).map_err(|why| refused(&repomd.place, &why))?;
    let primary = data
        .iter()
        .find(|data| data.kind == "primary")
        .ok_or_else(|| refused(&repomd.place, "it names no primary"))?;
    if packages.is_empty() {
        for data in data.iter().filter(|data| FOR_SOLVERS.contains(&data.kind.as_str())) {
            let packed = getter.obtain(&data.wanted(&base, origin))?;
            getter.keep(packed, data.href.as_ref())?;
        }
        return getter.keep(file, REPOMD.as_ref());
    }
    let packed = getter.obtain(&primary.wanted(&base, origin))?;
    let unpacked = unpack(packed, primary, &getter.into, limits::REPO_METADATA_BYTES)
        .map_err(|why| refused(&primary.href, &why))?;
    let chosen = packages::choose(BufReader::new(unpacked.reopen()?), packages, arches)?;
    for package in chosen {
        let wanted = Wanted {
            checksum: Some(package.checksum),
            ..Wanted::new(names::below(&base, &package.href), origin)
        };
        let file = getter.obtain(&wanted)?;
        getter.keep(file, names::file_name(&package.href).as_ref())?;
    }
    Ok(())
}

/// A URL of the task's, or the place that the site gives for a word.
fn place(getter: &Getter, repository: &str) -> Result<(String, Origin), DownloadError> {
    if let Some(place) = getter.site.repositories.get(repository) {
        return Ok((place.clone(), Origin::Site));
    }
    if repository.contains("://") {
        return Ok((repository.to_owned(), Origin::Task));
    }
    let known: Vec<&str> = getter.site.repositories.keys().map(String::as_str).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(DownloadError::Unsupported(format!(
        "where the repository {repository:?} is is not configured; [downloads] `repositories` has {known}"
    )))
}

fn refused(what: &str, why: &str) -> DownloadError {
    DownloadError::Refused(format!("{}: {}", shown(what), MessageText::new(why)))
}

fn text(file: &mut NamedTempFile) -> Result<String, DownloadError> {
    let mut text = String::new();
    file.reopen()?.take(limits::REPOMD_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// One file of metadata.
#[derive(Debug, Default)]
struct Data {
    kind: String,
    href: String,
    checksum: Option<Checksum>,
    open_checksum: Option<Checksum>,
}

impl Data {
    fn wanted(&self, base: &str, origin: Origin) -> Wanted {
        let place = names::below(base, &self.href);
        Wanted {
            checksum: self.checksum.clone(),
            max_bytes: limits::REPO_METADATA_BYTES,
            ..Wanted::new(place, origin)
        }
    }
}

fn read_repomd(text: &str) -> Result<Vec<Data>, String> {
    let (mut all, mut data) = (Vec::new(), Data::default());
    let (mut algorithm, mut content) = (String::new(), String::new());
    walk(text, |path, node| {
        match (path, node) {
            ("repomd/data", Node::Open(mut attributes)) => {
                data = Data { kind: attributes.remove("type").unwrap_or_default(), ..Data::default() };
            }
            ("repomd/data/location", Node::Open(mut attributes)) => {
                if attributes.contains_key("xml:base") {
                    return Err(
                        "its files are said to be elsewhere (xml:base), which is not supported".into()
                    );
                }
                data.href = attributes.remove("href").unwrap_or_default();
            }
            ("repomd/data/checksum" | "repomd/data/open-checksum", Node::Open(mut attributes)) => {
                algorithm = attributes.remove("type").unwrap_or_default();
                content.clear();
            }
            ("repomd/data/checksum" | "repomd/data/open-checksum", Node::Text(text)) => {
                content.push_str(text)
            }
            ("repomd/data/checksum", Node::Close) => {
                data.checksum = Checksum::named(&algorithm, content.trim())
            }
            ("repomd/data/open-checksum", Node::Close) => {
                data.open_checksum = Checksum::named(&algorithm, content.trim())
            }
            ("repomd/data", Node::Close) => all.push(std::mem::take(&mut data)),
            _ => {}
        }
        Ok(())
    })?;
    match all.iter().filter(|data| FOR_SOLVERS.contains(&data.kind.as_str())).find_map(Data::fault) {
        None => Ok(all),
        Some(fault) => Err(fault),
    }
}

impl Data {
    fn fault(&self) -> Option<String> {
        if !names::is_relative_path(&self.href) {
            Some(format!("the location {:?} of {} is no path below the repository", self.href, self.kind))
        } else if self.checksum.is_none() {
            Some(format!("{} has no checksum of type sha256 or sha512", self.kind))
        } else {
            None
        }
    }
}

/// The unpacked content, compared with its checksum.
fn unpack(
    packed: NamedTempFile,
    data: &Data,
    beside: &Path,
    max_bytes: u64,
) -> Result<NamedTempFile, String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let source = packed.reopen().map_err(|e| said(&e))?;
    let reader = match data.href.rsplit('.').next() {
        Some("xml") => return Ok(packed),
        Some(extension) => unpacker(BufReader::new(source), extension)?,
        None => return Err("it has no extension that says how it is packed".to_owned()),
    };
    let mut reader = reader.take(max_bytes);
    let mut unpacked = NamedTempFile::new_in(beside).map_err(|e| said(&e))?;
    let right = match &data.open_checksum {
        Some(checksum) => checksum.copy(&mut reader, &mut unpacked),
        None => std::io::copy(&mut reader, &mut unpacked).map(|_| true),
    };
    match right {
        Err(error) => Err(format!("it cannot be unpacked: {error}")),
        Ok(_) if reader.limit() == 0 => Err(format!("unpacked it is larger than {max_bytes} bytes")),
        Ok(false) => Err("unpacked it is not what its checksum says".to_owned()),
        Ok(true) => Ok(unpacked),
    }
}

fn unpacker(source: BufReader<File>, extension: &str) -> Result<Box<dyn Read>, String> {
    let memory_kib = u32::try_from(limits::UNPACK_MEMORY_BYTES >> 10).unwrap_or(u32::MAX);
    match extension {
        "gz" => Ok(Box::new(MultiGzDecoder::new(source))),
        "xz" => Ok(Box::new(XzReader::new_mem_limit(source, true, memory_kib))),
        "zst" => {
            Ok(Box::new(StreamingDecoder::new(source).map_err(|e| format!("it cannot be unpacked: {e}"))?))
        }
        other => Err(format!("it is packed as .{other}; known are .gz, .xz, .zst and plain .xml")),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn repomd(location: &str, algorithm: &str) -> String {
        let hex = "0".repeat(64);
        format!(
            "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><data type=\"primary\">\
             <checksum type=\"{algorithm}\">{hex}</checksum><location {location}/></data>\
             <data type=\"other\"><location href=\"../x\"/></data></repomd>"
        )
    }

    #[test]
    fn metadata_below_the_repository_with_a_checksum_is_taken() {
        let data = read_repomd(&repomd("href=\"repodata/a.xml.gz\"", "sha256")).unwrap();
        assert_eq!((data.len(), data[0].href.as_str()), (2, "repodata/a.xml.gz"));
        assert_eq!(data[0].checksum, Some(Checksum::Sha256("0".repeat(64))));
        for (location, algorithm, said) in [
            ("href=\"../a.xml.gz\"", "sha256", "no path below"),
            ("href=\"/etc/passwd\"", "sha256", "no path below"),
            ("href=\"http://h/a.xml\"", "sha256", "no path below"),
            ("", "sha256", "no path below"),
            ("href=\"a.xml\" xml:base=\"http://h/\"", "sha256", "xml:base"),
            ("href=\"a.xml\"", "md5", "no checksum of type sha256"),
            ("href=\"a.xml\"", "sha512", "no checksum of type sha256"),
        ] {
            let why = read_repomd(&repomd(location, algorithm)).unwrap_err();
            assert!(why.contains(said), "{location}: {why}");
        }
    }

    #[test]
    fn a_bomb_ends_at_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let unpacked = |length: usize| {
            let mut packed = NamedTempFile::new_in(&dir).unwrap();
            let mut writer = GzEncoder::new(&mut packed, Compression::fast());
            writer.write_all(&vec![b' '; length]).unwrap();
            writer.finish().unwrap();
            let data = Data { href: "primary.xml.gz".into(), ..Data::default() };
            unpack(packed, &data, dir.path(), 1 << 20).map(|file| file.as_file().metadata().unwrap().len())
        };
        assert_eq!(unpacked((1 << 20) - 1), Ok((1 << 20) - 1));
        assert!(unpacked(8 << 20).unwrap_err().contains("larger than 1048576 bytes"));
    }
}
