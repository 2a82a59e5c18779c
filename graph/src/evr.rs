//! RPM versions and their order.
//!
//! Comes in: `epoch:version-release`. Goes out: an order equal to RPM's own `rpmvercmp` (rpm-software-management/rpm,
//! docs/manual/dependencies and lib/rpmvercmp): segments of digits or letters, digits above letters, `~` below everything,
//! `^` above the end but below any further segment. It never compares versions as strings.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Epoch, version and, where known, release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Evr {
    /// 0 where none is written.
    pub epoch: u64,
    /// The version.
    pub version: String,
    /// None: compares as equal to every release, as RPM does.
    pub release: Option<String>,
}

/// The parts of a version, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EvrParts<'t> {
    pub(crate) epoch: u64,
    pub(crate) version: &'t str,
    pub(crate) release: Option<&'t str>,
}

impl Evr {
    /// Reads `[epoch:]version[-release]`; none if a part is empty, the epoch no number, or a hyphen too many.
    pub fn parse(text: &str) -> Option<Self> {
        EvrParts::parse(text).map(|parts| Self {
            epoch: parts.epoch,
            version: parts.version.to_owned(),
            release: parts.release.map(str::to_owned),
        })
    }

    /// RPM's order. No `Ord`: without a release it is equal to every release, so equality is not transitive.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.parts().compare(&other.parts())
    }

    fn parts(&self) -> EvrParts<'_> {
        EvrParts { epoch: self.epoch, version: &self.version, release: self.release.as_deref() }
    }
}

impl fmt::Display for Evr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().fmt(f)
    }
}

impl<'t> EvrParts<'t> {
    /// As [`Evr::parse`].
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => (epoch.parse().ok()?, rest),
            None => (0, text),
        };
        let (version, release) = match rest.split_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        let part = |s: &str| {
            !s.is_empty()
                && !s.contains(['-', ':'])
                && !s.chars().any(|c| c.is_whitespace() || c.is_control())
        };
        (part(version) && release.is_none_or(part)).then_some(Self { epoch, version, release })
    }

    /// As [`Evr::compare`].
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let release = || match (self.release, other.release) {
            (Some(a), Some(b)) => compare_versions(a, b),
            _ => Ordering::Equal,
        };
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_versions(self.version, other.version))
            .then_with(release)
    }
}

impl fmt::Display for EvrParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch != 0 {
            write!(f, "{}:", self.epoch)?;
        }
        write!(f, "{}", self.version)?;
        if let Some(release) = self.release {
            write!(f, "-{release}")?;
        }
        Ok(())
    }
}

/// Compares two versions or two releases as RPM does.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let separator = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
    let (mut a, mut b) = (a, b);
    loop {
        a = a.trim_start_matches(separator);
        b = b.trim_start_matches(separator);
        match (a.strip_prefix('~'), b.strip_prefix('~')) {
            (Some(x), Some(y)) => {
                (a, b) = (x, y);
                continue;
            }
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => {}
        }
        match (a.strip_prefix('^'), b.strip_prefix('^')) {
            (Some(x), Some(y)) => {
                (a, b) = (x, y);
                continue;
            }
            (Some(_), None) => return if b.is_empty() { Ordering::Greater } else { Ordering::Less },
            (None, Some(_)) => return if a.is_empty() { Ordering::Less } else { Ordering::Greater },
            (None, None) => {}
        }
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        let numeric = a.starts_with(|c: char| c.is_ascii_digit());
        let (head_a, rest_a) = segment(a, numeric);
        let (head_b, rest_b) = segment(b, numeric);
        if head_b.is_empty() {
            return if numeric { Ordering::Greater } else { Ordering::Less };
        }
        let order = if numeric { compare_numbers(head_a, head_b) } else { head_a.cmp(head_b) };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

/// The leading run of digits (or of letters), and what follows.
fn segment(text: &str, numeric: bool) -> (&str, &str) {
    let belongs = |c: char| if numeric { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
    let end = text.find(|c: char| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// Numbers of any length: without leading zeros, the longer is the greater.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Pairs in the style of RPM's own rpmvercmp test: left, expected order, right.
    #[test]
    fn orders_like_rpm() {
        for (a, order, b) in [
            ("1.0", '=', "1.0"),
            ("1.0", '<', "2.0"),
            ("2.0.1", '>', "2.0"),
            ("2.0.1a", '>', "2.0.1"),
            ("5.5p1", '<', "5.5p10"),
            ("10xyz", '<', "10.1xyz"),
            ("xyz10", '<', "xyz10.1"),
            ("xyz.4", '<', "8"),
            ("5.5p2", '<', "5.6p1"),
            ("6.5p1", '>', "5.6p1"),
            ("6.0.rc1", '>', "6.0"),
            ("10b2", '>', "10a1"),
            ("1.0aa", '>', "1.0a"),
            ("10.0001", '=', "10.1"),
            ("10.0001", '<', "10.0039"),
            ("20101121", '=', "20101121"),
            ("2_0", '=', "2.0"),
            ("a", '=', "a_"),
            ("1.0~rc1", '<', "1.0"),
            ("1.0~rc1~git123", '<', "1.0~rc1"),
            ("1.0^", '>', "1.0"),
            ("1.0^git1", '<', "1.01"),
            ("1.0^git1", '>', "1.0"),
            ("1.0^20160101", '<', "1.0.1"),
            ("1.0~rc1^git1", '>', "1.0~rc1"),
            ("1.0^git1~pre", '<', "1.0^git1"),
            ("99999999999999999999999", '>', "99999999999999999999998"),
        ] {
            let expected = match order {
                '<' => Ordering::Less,
                '>' => Ordering::Greater,
                _ => Ordering::Equal,
            };
            assert_eq!(compare_versions(a, b), expected, "{a} {order} {b}");
            assert_eq!(compare_versions(b, a), expected.reverse(), "{b} against {a}");
        }
    }

    #[test]
    fn epoch_decides_first_and_missing_release_is_any() {
        let evr = |t: &str| Evr::parse(t).unwrap();
        assert_eq!(evr("1:0.1-1").compare(&evr("9.0-9")), Ordering::Greater);
        assert_eq!(evr("1.0").compare(&evr("1.0-7.fc40")), Ordering::Equal);
        assert_eq!(evr("1.0-2.fc40").compare(&evr("1.0-10.fc40")), Ordering::Less);
    }
}
