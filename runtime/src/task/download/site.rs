//! `[downloads]` of the daemon's configuration: what a site says about files that tasks and their repositories come from.
//!
//! Comes in: the table, and the directory that its relative paths start from. Goes out: bases that are URLs or absolute
//! directories, and for each URL the places to ask, in order. It never contacts anybody.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where external files are, and whom a fetch may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DownloadConfig {
    /// Base of koji's `packages/` layout, `<base>/<name>/<version>/<release>/<arch>/*.rpm`: a directory, or a URL together
    /// with `koji_hub`.
    pub koji: Option<String>,
    /// URL of koji's hub, which says what a build consists of.
    pub koji_hub: Option<String>,
    /// Directory or URL with a folder for each compose.
    pub composes: Option<String>,
    /// Package repositories that tasks name by a word: directories or URLs.
    pub repositories: BTreeMap<String, String>,
    /// Folders of this machine that tasks ask for by name (`[[fetch]] site`).
    pub site: BTreeMap<String, PathBuf>,
    /// For the beginning of a URL, what to ask in its place, in order, before it.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// Hosts that may have addresses of this machine or site.
    pub allow_private: Vec<String>,
    /// PEM file with the certificates that are believed instead of the system's.
    pub ca: Option<PathBuf>,
    /// Directory for what is kept between runs; none: nothing is. The daemon's is below its state directory.
    #[serde(skip)]
    pub cache: Option<PathBuf>,
}

impl DownloadConfig {
    /// Makes paths absolute.
    pub(crate) fn resolve(&mut self, base: &Path) {
        let places = [&mut self.koji, &mut self.composes].into_iter().flatten();
        let mirrors = self.mirrors.values_mut().flatten();
        for place in places.chain(self.repositories.values_mut()).chain(mirrors) {
            if !place.contains("://") {
                *place = base.join(&*place).display().to_string();
            }
        }
        let files = self.site.values_mut().chain(&mut self.ca);
        files.for_each(|path| *path = base.join(&*path));
    }

    /// # Errors
    /// What cannot be meant.
    pub(crate) fn check(&self) -> Result<(), String> {
        let known = |place: &str| {
            ["https://", "http://", "file:///"].iter().any(|scheme| place.starts_with(scheme))
                || !place.contains("://")
        };
        let places = [("koji", &self.koji), ("composes", &self.composes)];
        let places = places.into_iter().filter_map(|(key, place)| Some((key, place.as_ref()?)));
        let repositories = self.repositories.iter().map(|(name, place)| (name.as_str(), place));
        let mirrors =
            self.mirrors.iter().flat_map(|(from, to)| to.iter().map(|place| (from.as_str(), place)));
        for (key, place) in places.chain(repositories).chain(mirrors) {
            if !known(place) {
                return Err(format!(
                    "downloads: `{key}`: '{place}' is neither http(s)://, file:/// nor a directory"
                ));
            }
        }
        for (key, url) in self
            .koji_hub
            .iter()
            .map(|hub| ("koji_hub", hub))
            .chain(self.mirrors.keys().map(|k| ("mirrors", k)))
        {
            if !url.starts_with("https://") && !url.starts_with("http://") {
                return Err(format!("downloads.{key}: '{url}' is no URL; write https://..."));
            }
        }
        match self.mirrors.keys().find(|from| !from.ends_with('/')) {
            Some(from) => {
                Err(format!("downloads.mirrors: '{from}' must end with a slash, to end with a whole word"))
            }
            None => Ok(()),
        }
    }

    /// The places that may stand for a URL, in the order in which they are asked; the URL itself is the last.
    pub(crate) fn places(&self, url: &str) -> Vec<String> {
        let mirrored = self
            .mirrors
            .iter()
            .filter_map(|(from, to)| Some((from.len(), url.strip_prefix(from.as_str())?, to)));
        let (rest, mirrors) = match mirrored.max_by_key(|(length, ..)| *length) {
            Some((_, rest, mirrors)) => (rest, mirrors.as_slice()),
            None => ("", &[][..]),
        };
        let mirrors = mirrors.iter().map(|mirror| format!("{}/{rest}", mirror.trim_end_matches('/')));
        mirrors.chain([url.to_owned()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_come_first_and_the_longest_beginning_counts() {
        let mirrors =
            |from: &str, to: &[&str]| (from.to_owned(), to.iter().map(|m| (*m).to_owned()).collect());
        let config = DownloadConfig {
            mirrors: BTreeMap::from([
                mirrors("https://h/", &["https://m1/h/"]),
                mirrors("https://h/git/", &["/srv/git", "https://m2"]),
            ]),
            ..DownloadConfig::default()
        };
        assert_eq!(
            config.places("https://h/git/a/b"),
            ["/srv/git/a/b", "https://m2/a/b", "https://h/git/a/b"]
        );
        assert_eq!(config.places("https://h/x"), ["https://m1/h/x", "https://h/x"]);
        assert_eq!(config.places("https://hh/x"), ["https://hh/x"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let base = DownloadConfig::default;
        let text = |text: &str| Some(text.to_owned());
        for (config, said) in [
            (DownloadConfig { koji: text("ftp://h/"), ..base() }, "`koji`"),
            (DownloadConfig { koji_hub: text("h/kojihub"), ..base() }, "koji_hub"),
            (
                DownloadConfig { mirrors: BTreeMap::from([("https://h".to_owned(), Vec::new())]), ..base() },
                "slash",
            ),
            (DownloadConfig { mirrors: BTreeMap::from([("h/".to_owned(), Vec::new())]), ..base() }, "no URL"),
            (DownloadConfig { repositories: BTreeMap::from([("b".into(), "x://".into())]), ..base() }, "`b`"),
        ] {
            assert!(config.check().is_err_and(|why| why.contains(said)), "{said}");
        }
        let mut good = DownloadConfig { koji: text("packages"), composes: text("http://h/"), ..base() };
        assert_eq!(good.check(), Ok(()));
        good.resolve(Path::new("/etc/taskbot"));
        assert_eq!(
            (good.koji.as_deref(), good.composes.as_deref()),
            (Some("/etc/taskbot/packages"), Some("http://h/"))
        );
    }
}
