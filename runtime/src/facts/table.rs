//! The provider that looks into a file.
//!
//! Comes in: a TOML or JSON file, fact -> key -> value, read anew for each group of questions so that an edit counts at
//! once. Goes out: the values, or "no such key". It never writes the file; one that cannot be read is a failure, not an
//! absent key.
//!
//! ```toml
//! ["nvr.lang"]
//! curl = "C"
//! ```

use std::path::Path;

use taskbot_graph::FactKey;

use super::ProviderError;
use crate::store::StoredAnswer;

/// The answers to some keys of one fact, in the same order.
pub(super) fn ask(path: &Path, keys: &[FactKey]) -> Vec<Result<StoredAnswer, ProviderError>> {
    let failed = |what: String| ProviderError::transient(format!("{}: {what}", path.display()));
    match read(path) {
        Ok(table) => keys
            .iter()
            .map(|key| {
                let fact =
                    table.get(&key.fact).ok_or_else(|| failed(format!("has no table \"{}\"", key.fact)))?;
                Ok(fact.get(&key.key).filter(|value| !value.is_null()).cloned())
            })
            .collect(),
        Err(what) => keys.iter().map(|_| Err(failed(what.clone()))).collect(),
    }
}

/// A whole table, fact -> key -> value.
///
/// # Errors
/// Why it cannot be read, in words, without the path.
pub fn read(path: &Path) -> Result<serde_json::Value, String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    if path.extension().is_some_and(|extension| extension == "json") {
        serde_json::from_str(&text).map_err(|e| e.to_string())
    } else {
        toml::from_str(&text).map_err(|e| e.message().to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn ask(path: &Path, key: &FactKey) -> Result<StoredAnswer, ProviderError> {
        super::ask(path, std::slice::from_ref(key)).pop().unwrap()
    }

    fn key(fact: &str, key: &str) -> FactKey {
        FactKey { fact: fact.into(), key: key.into() }
    }

    #[test]
    fn a_key_that_is_not_there_is_absent_a_table_that_is_not_there_is_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("facts.toml", "[\"nvr.lang\"]\ncurl = \"C\"\n\"x.y\" = [\"s390x\"]\n"),
            ("facts.json", r#"{"nvr.lang": {"curl": "C", "x.y": ["s390x"], "gone": null}}"#),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            assert_eq!(ask(&path, &key("nvr.lang", "curl")), Ok(Some(json!("C"))));
            assert_eq!(ask(&path, &key("nvr.lang", "x.y")), Ok(Some(json!(["s390x"]))));
            assert_eq!(ask(&path, &key("nvr.lang", "gone")), Ok(None));
            assert!(ask(&path, &key("nvr.arches", "curl")).is_err());
        }
        assert!(ask(&dir.path().join("nowhere.toml"), &key("nvr.lang", "curl")).is_err());
        let broken = dir.path().join("broken.toml");
        std::fs::write(&broken, "[nvr").unwrap();
        assert!(ask(&broken, &key("nvr.lang", "curl")).is_err());
    }
}
