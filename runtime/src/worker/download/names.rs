//! Names and paths that a server or its files give.
//!
//! Comes in: text. Goes out: whether it may be a file's name or a path below a base. It decides what is written where,
//! so it takes what real repositories, builds and composes have and nothing else.

use crate::limits;

/// One part of a path, with nothing special about it.
pub(super) fn is_file_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= limits::FETCH_NAME_BYTES
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+~^%-".contains(&b))
}

/// Some such parts, joined by slashes.
pub(super) fn is_relative_path(path: &str) -> bool {
    path.len() <= limits::FETCH_URL_BYTES && path.split('/').all(is_file_name)
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A path below a base that may end with a slash. `^` is no character of URLs, and `+` and `~` need no escape in a path.
pub(super) fn below(base: &str, path: &str) -> String {
    let path = if base.contains("://") { path.replace('^', "%5E") } else { path.to_owned() };
    format!("{}/{path}", base.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_and_paths_are_taken() {
        for path in
            ["a", "Packages/b/bash-5.2.15-1.fc40~rc1^git+x.x86_64.rpm", "repodata/0a-primary.xml.gz", "a%20b"]
        {
            assert!(is_relative_path(path), "{path}");
        }
        for path in [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            ".hidden",
            "-rf",
            "a b",
            "a\nb",
            "a\\b",
            "http://h/a",
            "ä",
            "a?b",
            "a#b",
        ] {
            assert!(!is_relative_path(path), "{path:?}");
        }
        assert!(!is_file_name("a/b") && !is_file_name(&"a".repeat(256)));
    }

    #[test]
    fn paths_are_put_below_bases() {
        assert_eq!(below("https://h/r/", "a^b+c"), "https://h/r/a%5Eb+c");
        assert_eq!(below("/srv/r", "a^b"), "/srv/r/a^b");
        assert_eq!(file_name("a/b"), "b");
    }
}
