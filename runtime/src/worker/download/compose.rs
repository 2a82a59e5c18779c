//! Images of a compose.
//!
//! Comes in: a compose's name, what the image must be, architectures. Goes out: for each architecture the one image that fits,
//! chosen by the compose's `metadata/images.json` (productmd), which also says what it hashes to. Only that file is believed
//! as it comes, since the site's configuration says where composes are.

use std::io::Read;

use serde::Deserialize;
use std::collections::BTreeMap;

use super::get::{Checksum, Getter, Origin, Wanted};
use super::names;
use crate::limits;
use crate::message::MessageText;
use crate::task::download::DownloadError;
use crate::worker::http::shown;

/// What `images.json` says, as far as anything here reads it.
#[derive(Debug, Deserialize)]
struct Metadata {
    payload: Payload,
}

#[derive(Debug, Deserialize)]
struct Payload {
    /// By variant, then by the architecture of the variant.
    images: BTreeMap<String, BTreeMap<String, Vec<Image>>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Image {
    arch: String,
    path: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    format: String,
    #[serde(default)]
    subvariant: String,
    #[serde(default)]
    checksums: BTreeMap<String, String>,
}

pub(super) fn get(
    getter: &mut Getter,
    compose: &str,
    image: &str,
    arches: &[String],
) -> Result<(), DownloadError> {
    let Some(composes) = getter.site.composes.clone() else {
        return Err(DownloadError::Unsupported(
            "where composes are is not configured; set `composes` in [downloads] to a directory or URL"
                .to_owned(),
        ));
    };
    if !names::is_file_name(compose) {
        return Err(DownloadError::Refused(format!("{compose:?} is no name of a compose")));
    }
    // What is below `compose/` in a compose that pungi made.
    let base = names::below(&composes, &format!("{compose}/compose"));
    let index = names::below(&base, "metadata/images.json");
    let wanted =
        Wanted { max_bytes: limits::COMPOSE_METADATA_BYTES, ..Wanted::new(index.clone(), Origin::Site) };
    let mut text = String::new();
    getter.obtain(&wanted)?.reopen()?.take(limits::COMPOSE_METADATA_BYTES).read_to_string(&mut text)?;
    let metadata: Metadata = serde_json::from_str(&text).map_err(|error| {
        DownloadError::Refused(format!("{}: {}", shown(&index), MessageText::new(error.to_string())))
    })?;
    for image in choose(&metadata.payload, image, arches).map_err(|why| why.within(compose))? {
        let wanted = Wanted {
            checksum: Some(image.checksum),
            ..Wanted::new(names::below(&base, &image.path), Origin::Site)
        };
        let file = getter.obtain(&wanted)?;
        getter.keep(file, names::file_name(&image.path).as_ref())?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    path: String,
    checksum: Checksum,
}

#[derive(Debug, PartialEq, Eq)]
enum NotChosen {
    Missing(String),
    Unfit(String),
}

impl NotChosen {
    fn within(self, compose: &str) -> DownloadError {
        match self {
            Self::Missing(what) => DownloadError::NotFound(format!("{compose} {}", MessageText::new(what))),
            Self::Unfit(what) => DownloadError::Refused(format!("{compose} {}", MessageText::new(what))),
        }
    }
}

/// For each architecture the one image of which all words of `asked` (`Server/dvd/iso`) are the variant, subvariant, type or
/// format.
fn choose(payload: &Payload, asked: &str, arches: &[String]) -> Result<Vec<Chosen>, NotChosen> {
    let mut fitting: BTreeMap<&str, Vec<&Image>> = BTreeMap::new();
    for (variant, by_arch) in &payload.images {
        for image in by_arch.values().flatten() {
            let is = |word: &str| {
                [variant, &image.subvariant, &image.kind, &image.format]
                    .into_iter()
                    .any(|known| known == word)
            };
            if asked.split('/').all(is) && (arches.is_empty() || arches.contains(&image.arch)) {
                fitting.entry(&image.arch).or_default().push(image);
            }
        }
    }
    let missing = arches.iter().find(|arch| !fitting.contains_key(arch.as_str()));
    if missing.is_some() || fitting.is_empty() {
        let of = missing.map(|arch| format!(" for {arch}")).unwrap_or_default();
        return Err(NotChosen::Missing(format!("has no image {asked:?}{of}")));
    }
    let one = |(arch, images): (&str, Vec<&Image>)| match images.as_slice() {
        [image] => image.chosen(),
        several => {
            let paths: Vec<&str> = several.iter().take(5).map(|image| image.path.as_str()).collect();
            Err(NotChosen::Unfit(format!("has several images {asked:?} for {arch}: {}", paths.join(", "))))
        }
    };
    fitting.into_iter().map(one).collect()
}

impl Image {
    fn chosen(&self) -> Result<Chosen, NotChosen> {
        if !names::is_relative_path(&self.path) {
            return Err(NotChosen::Unfit(format!("has an image {:?}, which is no path below it", self.path)));
        }
        let checksum = self.checksums.iter().find_map(|(algorithm, hex)| Checksum::named(algorithm, hex));
        match checksum {
            Some(checksum) => Ok(Chosen { path: self.path.clone(), checksum }),
            None => Err(NotChosen::Unfit(format!("has no sha256 or sha512 of {}", self.path))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn payload() -> Payload {
        let image = |arch: &str, kind: &str, subvariant: &str, path: &str| {
            serde_json::json!({ "arch": arch, "type": kind, "format": "iso", "subvariant": subvariant, "path": path,
                "checksums": { "md5": "0", "sha256": "b".repeat(64) }, "size": 1, "volume_id": null })
        };
        serde_json::from_value(serde_json::json!({ "images": {
            "Server": {
                "x86_64": [image("x86_64", "boot", "Server", "Server/b.iso"), image("x86_64", "dvd", "Server", "Server/d.iso")],
                "aarch64": [image("aarch64", "boot", "Server", "Server/a.iso")],
            },
            "Spins": { "x86_64": [image("x86_64", "live", "KDE", "../k.iso"), image("x86_64", "boot", "Spins", "Spins/b.iso")] },
        }}))
        .unwrap()
    }

    #[test]
    fn one_image_of_each_architecture_is_chosen() {
        let arches = |arches: &[&str]| arches.iter().map(|arch| (*arch).to_owned()).collect::<Vec<_>>();
        let chosen = |asked: &str, of: &[&str]| {
            choose(&payload(), asked, &arches(of))
                .map(|images| images.into_iter().map(|image| image.path).collect::<Vec<_>>())
        };
        assert_eq!(chosen("dvd", &[]).unwrap(), ["Server/d.iso"]);
        assert_eq!(chosen("Server/boot/iso", &[]).unwrap(), ["Server/a.iso", "Server/b.iso"]);
        assert_eq!(chosen("Server/boot", &["aarch64"]).unwrap(), ["Server/a.iso"]);
        assert!(matches!(chosen("boot", &["x86_64"]), Err(NotChosen::Unfit(why)) if why.contains("several")));
        assert!(
            matches!(chosen("dvd", &["aarch64"]), Err(NotChosen::Missing(why)) if why.contains("aarch64"))
        );
        assert!(matches!(chosen("qcow2", &[]), Err(NotChosen::Missing(_))));
        assert!(
            matches!(chosen("KDE/live", &[]), Err(NotChosen::Unfit(why)) if why.contains("no path below"))
        );
    }
}
