//! The packages of a repository, read from its `primary` one by one.
//!
//! Comes in: the unpacked XML, what packages are asked for by, architectures. Goes out: where the newest of each is and what it
//! hashes to. What is not asked for is not kept, so a repository of any size costs little memory. A name is asked for as
//! it is (the newest is taken), or with version and release (exactly that one).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use taskbot_graph::Evr;

use super::get::Checksum;
use super::names;
use crate::limits;
use crate::message::MessageText;
use crate::task::download::DownloadError;

/// A package of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    name: String,
    arch: String,
    evr: Evr,
    pub(super) checksum: Checksum,
    /// Below the repository.
    pub(super) href: String,
}

impl Package {
    /// `bash`, `bash-5.2-1` or `bash-5.2-1.x86_64`.
    fn is_asked_for_by(&self, asked: &str) -> bool {
        let Some(rest) = asked.strip_prefix(self.name.as_str()) else { return false };
        let release = self.evr.release.as_deref().unwrap_or_default();
        let exactly = format!("-{}-{release}", self.evr.version);
        rest.is_empty() || rest == exactly || rest == format!("{exactly}.{}", self.arch)
    }
}

/// What is asked for, the newest for each architecture.
pub(super) fn choose(
    primary: impl BufRead,
    asked: &[String],
    arches: &[String],
) -> Result<Vec<Package>, DownloadError> {
    let mut found: BTreeMap<(&str, String, String), Package> = BTreeMap::new();
    let read = each(primary, |package| {
        if !arches.is_empty() && !arches.contains(&package.arch) {
            return;
        }
        for by in asked.iter().filter(|by| package.is_asked_for_by(by)) {
            let key = (by.as_str(), package.name.clone(), package.arch.clone());
            let newer = found.get(&key).is_none_or(|known| known.evr.compare(&package.evr) == Ordering::Less);
            if newer {
                found.insert(key, package.clone());
            }
        }
    });
    read.map_err(|why| {
        DownloadError::Refused(format!("the repository's primary: {}", MessageText::new(why)))
    })?;
    if let Some(missing) = asked.iter().find(|by| !found.keys().any(|(known, ..)| known == by)) {
        let of = if arches.is_empty() { String::new() } else { format!(" for {}", arches.join(", ")) };
        return Err(DownloadError::NotFound(format!("the repository has no package {missing:?}{of}")));
    }
    let mut chosen: Vec<Package> = found.into_values().collect();
    chosen.sort_by(|a, b| a.href.cmp(&b.href));
    chosen.dedup();
    Ok(chosen)
}

/// What was read so far of one `<package>`.
#[derive(Default)]
struct Half {
    name: String,
    arch: String,
    checksum: (String, String),
    evr: Option<Evr>,
    href: String,
}

/// Calls `visit` with each package.
fn each(primary: impl BufRead, mut visit: impl FnMut(&Package)) -> Result<(), String> {
    let mut reader = Reader::from_reader(primary);
    reader.config_mut().expand_empty_elements = true;
    let (mut buffer, mut path, mut half): (_, Vec<String>, _) = (Vec::new(), Vec::new(), Half::default());
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(|e| format!("it is not XML: {e}"))? {
            Event::Start(element) => {
                if path.len() >= limits::RESULTS_DEPTH {
                    return Err("its elements are nested too deep".into());
                }
                path.push(element.name().as_ref().to_owned());
                match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                    ["metadata", "package"] => half = Half::default(),
                    ["metadata", "package", name] => half.open(name, &element)?,
                    _ => {}
                }
            }
            Event::Text(text) => {
                if let [metadata, package, name] = path.as_slice()
                    && metadata == "metadata"
                    && package == "package"
                {
                    half.text(name, &text.xml10_content());
                }
            }
            Event::End(_) => {
                path.pop();
                if let [metadata] = path.as_slice()
                    && metadata == "metadata"
                {
                    visit(&half.whole()?);
                    half = Half::default();
                }
            }
            Event::DocType(_) => return Err("it declares a document type".into()),
            Event::Eof if path.is_empty() => return Ok(()),
            Event::Eof => return Err("it ends in the middle".into()),
            _ => {}
        }
    }
}

impl Half {
    fn open(&mut self, name: &str, element: &BytesStart<'_>) -> Result<(), String> {
        let attribute = |key: &str| -> Result<Option<String>, String> {
            let found = element.try_get_attribute(key).map_err(|e| format!("it is not XML: {e}"))?;
            let value =
                found.map(|a| a.normalized_value(quick_xml::XmlVersion::Implicit1_0).map(|v| v.into_owned()));
            value.transpose().map_err(|e| format!("attribute {key}: {e}"))
        };
        match name {
            "version" => {
                let (epoch, version, release) = (attribute("epoch")?, attribute("ver")?, attribute("rel")?);
                let epoch = epoch.unwrap_or_default();
                let epoch =
                    if epoch.is_empty() { 0 } else { epoch.parse().map_err(|_| "an epoch is no number")? };
                self.evr = version.map(|version| Evr { epoch, version, release });
            }
            "location" if attribute("xml:base")?.is_some() => {
                return Err("its packages are said to be elsewhere (xml:base), which is not supported".into());
            }
            "location" => self.href = attribute("href")?.unwrap_or_default(),
            "checksum" => self.checksum = (attribute("type")?.unwrap_or_default(), String::new()),
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, name: &str, text: &str) {
        match name {
            "name" => self.name.push_str(text),
            "arch" => self.arch.push_str(text),
            "checksum" => self.checksum.1.push_str(text.trim()),
            _ => {}
        }
    }

    fn whole(&mut self) -> Result<Package, String> {
        let Self { name, arch, checksum: (algorithm, hex), evr, href } = std::mem::take(self);
        let fault = |what: &str| format!("the package {name:?} {what}");
        if !names::is_relative_path(&href) {
            return Err(fault("has a location that is no path below the repository"));
        }
        let checksum = Checksum::named(&algorithm, &hex)
            .ok_or_else(|| fault("has no checksum of type sha256 or sha512"))?;
        let evr = evr.ok_or_else(|| fault("has no version"))?;
        Ok(Package { name, arch, evr, checksum, href })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn package(name: &str, arch: &str, (epoch, version, release): (&str, &str, &str), href: &str) -> String {
        let hex = "a".repeat(64);
        format!(
            "<package type=\"rpm\"><name>{name}</name><arch>{arch}</arch><version epoch=\"{epoch}\" ver=\"{version}\" rel=\"{release}\"/>\
             <checksum type=\"sha256\" pkgid=\"YES\">{hex}</checksum><location href=\"{href}\"/>\
             <format><rpm:provides><rpm:entry name=\"{name}\"/></rpm:provides><name>not this</name></format></package>"
        )
    }

    fn primary(packages: &[String]) -> String {
        format!("<?xml version=\"1.0\"?>\n<metadata packages=\"1\">{}</metadata>", packages.concat())
    }

    fn chosen(xml: &str, asked: &[&str], arches: &[&str]) -> Result<Vec<String>, DownloadError> {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let packages = choose(xml.as_bytes(), &own(asked), &own(arches))?;
        Ok(packages.into_iter().map(|package| package.href).collect())
    }

    #[test]
    fn the_newest_of_each_architecture_is_chosen_by_rpms_order() {
        let xml = primary(&[
            package("bash", "x86_64", ("0", "5.10", "1"), "b/bash-5.10-1.x86_64.rpm"),
            package("bash", "x86_64", ("0", "5.9", "9"), "b/bash-5.9-9.x86_64.rpm"),
            package("bash", "x86_64", ("1", "4", "1"), "b/bash-4-1.x86_64.rpm"),
            package("bash", "i686", ("0", "5.10~rc1", "1"), "b/bash-5.10~rc1-1.i686.rpm"),
            package("bash-doc", "noarch", ("0", "5", "1"), "b/bash-doc-5-1.noarch.rpm"),
        ]);
        assert_eq!(
            chosen(&xml, &["bash"], &[]).unwrap(),
            ["b/bash-4-1.x86_64.rpm", "b/bash-5.10~rc1-1.i686.rpm"]
        );
        assert_eq!(chosen(&xml, &["bash"], &["x86_64", "noarch"]).unwrap(), ["b/bash-4-1.x86_64.rpm"]);
        assert_eq!(chosen(&xml, &["bash-5.9-9"], &[]).unwrap(), ["b/bash-5.9-9.x86_64.rpm"]);
        let both = ["bash-5.9-9.x86_64", "bash-doc", "bash-doc-5-1"];
        assert_eq!(
            chosen(&xml, &both, &[]).unwrap(),
            ["b/bash-5.9-9.x86_64.rpm", "b/bash-doc-5-1.noarch.rpm"]
        );
        let missing = chosen(&xml, &["zsh"], &["x86_64"]).unwrap_err();
        assert_eq!(
            missing,
            DownloadError::NotFound("the repository has no package \"zsh\" for x86_64".into())
        );
    }

    #[test]
    fn what_leads_elsewhere_or_is_no_whole_document_is_refused() {
        let good = package("a", "noarch", ("0", "1", "1"), "a.rpm");
        for (xml, said) in [
            (primary(&[package("a", "noarch", ("0", "1", "1"), "../../etc/passwd")]), "no path below"),
            (primary(&[package("a", "noarch", ("x", "1", "1"), "a.rpm")]), "no number"),
            (primary(&[good.replace("sha256", "md5")]), "no checksum"),
            (primary(&[good.replace("<location", "<location xml:base=\"http://h/\"")]), "xml:base"),
            (primary(std::slice::from_ref(&good)).replace("</metadata>", ""), "ends in the middle"),
            (format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{}", primary(&[good])), "document type"),
            ("<a>".repeat(1000), "nested too deep"),
        ] {
            let error = chosen(&xml, &["a"], &[]).unwrap_err();
            assert!(matches!(&error, DownloadError::Refused(why) if why.contains(said)), "{said}: {error}");
        }
    }
}
