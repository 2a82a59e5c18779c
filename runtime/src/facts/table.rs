//! The provider that looks into a file.
//!
//! Comes in: a TOML or JSON file, fact -> key -> value; it is looked at for each group of questions, so that an edit counts
//! at once, and read anew only if it was written since, for reading a long one takes longer than all else about a message.
//! Goes out: the values, or "no such key". It never writes the file; one that cannot be read is a failure, not an
//! absent key.
//!
//! ```toml
//! ["nvr.lang"]
//! curl = "C"
//! ```

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use taskbot_graph::FactKey;

use super::ProviderError;
use crate::limits;
use crate::store::StoredAnswer;

/// A file, and what it held when it was last read.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    held: Mutex<Option<(Written, Arc<serde_json::Value>)>>,
}

/// By what a file that was written again is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    at: SystemTime,
    length_bytes: u64,
}

impl Written {
    /// None: so lately that the clock of the file system may not tell a further edit from it.
    fn of(file: &Metadata, now: SystemTime) -> Option<Self> {
        let at = file.modified().ok()?;
        let settled = now.duration_since(at).is_ok_and(|age| age > limits::FILE_CLOCK);
        settled.then_some(Self { at, length_bytes: file.len() })
    }
}

impl Table {
    /// In this file.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, held: Mutex::new(None) }
    }

    /// The answers to some keys of one fact, in the same order.
    pub(super) fn ask(&self, keys: &[FactKey]) -> Vec<Result<StoredAnswer, ProviderError>> {
        answers(&self.path, self.read(), keys)
    }

    fn read(&self) -> Result<Arc<serde_json::Value>, String> {
        let now = SystemTime::now();
        let written = std::fs::metadata(&self.path).ok().and_then(|file| Written::of(&file, now));
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, table)) = held.as_ref().filter(|(known, _)| Some(*known) == written) {
            return Ok(Arc::clone(table));
        }
        let table = Arc::new(read(&self.path)?);
        *held = written.map(|written| (written, Arc::clone(&table)));
        Ok(table)
    }
}

fn answers(
    path: &Path,
    table: Result<Arc<serde_json::Value>, String>,
    keys: &[FactKey],
) -> Vec<Result<StoredAnswer, ProviderError>> {
    let failed = |what: String| ProviderError::transient(format!("{}: {what}", path.display()));
    match table {
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
        Table::new(path.to_owned()).ask(std::slice::from_ref(key)).pop().unwrap()
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

    #[test]
    fn an_edit_counts_at_once_also_of_a_table_that_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("facts.toml");
        let long_ago = SystemTime::UNIX_EPOCH;
        let write = |language: &str, written: Option<SystemTime>| {
            std::fs::write(&path, format!("[\"nvr.lang\"]\ncurl = \"{language}\"\n")).unwrap();
            if let Some(at) = written {
                std::fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
            }
        };
        let table = Table::new(path.clone());
        let language = || table.ask(&[key("nvr.lang", "curl")]).pop().unwrap().unwrap();
        write("C", Some(long_ago));
        assert_eq!(language(), Some(json!("C")));
        // It is held: what is there now bears the same time and length.
        write("D", Some(long_ago));
        assert_eq!(language(), Some(json!("C")));
        for edited in ["E", "F", "G"] {
            write(edited, None);
            assert_eq!(language(), Some(json!(edited)));
        }
        std::fs::remove_file(&path).unwrap();
        assert!(table.ask(&[key("nvr.lang", "curl")]).pop().unwrap().is_err());
    }
}
