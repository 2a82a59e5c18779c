//! Name-version-release: how builds are named.
//!
//! Comes in: text such as `bash-5.2.26-3.fc40`, or the three parts. Goes out: the parts, compared and printed as one. The
//! name may hold hyphens, version and release may not (RPM forbids it), so the split is from the right.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::evr::Evr;

/// A build's name, version and release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Nvr {
    /// Name of the package.
    pub name: String,
    /// Version, without hyphen.
    pub version: String,
    /// Release, without hyphen.
    pub release: String,
}

/// The parts of a build's name, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NvrParts<'t> {
    pub(crate) name: &'t str,
    pub(crate) version: &'t str,
    pub(crate) release: &'t str,
}

impl Nvr {
    /// Reads `name-version-release`; none unless all three are there.
    pub fn parse(text: &str) -> Option<Self> {
        NvrParts::parse(text).map(NvrParts::owned)
    }

    /// Puts parts together; none if one is empty, holds white space or control characters, or a hyphen where none may be.
    pub fn new(name: &str, version: &str, release: &str) -> Option<Self> {
        NvrParts::new(name, version, release).map(NvrParts::owned)
    }

    /// Its version and release; a build's name holds no epoch, so it counts as 0.
    pub fn evr(&self) -> Evr {
        Evr { epoch: 0, version: self.version.clone(), release: Some(self.release.clone()) }
    }
}

impl<'t> NvrParts<'t> {
    /// As [`Nvr::parse`].
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let hyphen = |text: &str| text.bytes().rposition(|byte| byte == b'-');
        let (rest, release) = text.split_at_checked(hyphen(text)?)?;
        let (name, version) = rest.split_at_checked(hyphen(rest)?)?;
        Self::new(name, version.get(1..)?, release.get(1..)?)
    }

    /// As [`Nvr::new`].
    pub(crate) fn new(name: &'t str, version: &'t str, release: &'t str) -> Option<Self> {
        let printed = |s: &str| s.bytes().all(|byte| byte.is_ascii_graphic());
        let clean = |s: &str| {
            !s.is_empty() && (printed(s) || !s.chars().any(|c| c.is_whitespace() || c.is_control()))
        };
        let part = |s: &str| clean(s) && !s.bytes().any(|byte| byte == b'-');
        (clean(name) && part(version) && part(release)).then_some(Self { name, version, release })
    }

    fn owned(self) -> Nvr {
        Nvr { name: self.name.to_owned(), version: self.version.to_owned(), release: self.release.to_owned() }
    }
}

impl fmt::Display for Nvr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NvrParts { name: &self.name, version: &self.version, release: &self.release }.fmt(f)
    }
}

impl fmt::Display for NvrParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.name, self.version, self.release)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn splits_from_the_right() {
        let nvr = Nvr::parse("fedup-dracut-0.8.0-2.fc20").unwrap();
        assert_eq!(
            (nvr.name.as_str(), nvr.version.as_str(), nvr.release.as_str()),
            ("fedup-dracut", "0.8.0", "2.fc20")
        );
        assert_eq!(nvr.to_string(), "fedup-dracut-0.8.0-2.fc20");
    }

    #[test]
    fn refuses_what_is_no_build() {
        assert_eq!(Nvr::parse("é-1-ü").map(|nvr| nvr.to_string()).as_deref(), Some("é-1-ü"));
        for text in [
            "\u{2003}-1-1",
            "a-1-\u{85}",
            "-",
            "--",
            "",
            "curl",
            "curl-8.6.0",
            "-1-1",
            "a--1",
            "a b-1-1",
            "a-1-\n",
        ] {
            assert_eq!(Nvr::parse(text), None, "{text:?}");
        }
    }
}
