//! What is known of the world that rules speak of: the keys of facts that come from table files.
//!
//! Comes in: table files, as the daemon's table provider reads them (TOML, or JSON by the name's ending): fact -> key -> value. Goes
//! out: by fact, every key that has a value. It reads nothing else and judges nothing: that is the lints' business.

use std::path::PathBuf;

use serde_json::Value;
use taskbot_compiler::Domains;
use taskbot_runtime::facts::read_table;

use crate::output::Failure;

/// Reads table files; a fact that several of them hold has the keys of all.
pub fn load(tables: &[PathBuf]) -> Result<Domains, Failure> {
    let mut domains = Domains::default();
    for path in tables {
        let failed =
            |why: String| Failure::new(format!("cannot read the facts of {}: {why}", path.display()));
        let Value::Object(table) = read_table(path).map_err(failed)? else {
            return Err(failed("it is no table of facts".into()));
        };
        for (fact, answers) in table {
            let Value::Object(answers) = answers else {
                return Err(failed(format!("`{fact}` is no table of keys and values")));
            };
            let known = answers.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key);
            domains.keys.entry(fact).or_default().extend(known);
        }
    }
    Ok(domains)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::fs;

    use super::*;

    #[test]
    fn the_keys_of_all_tables_are_joined() {
        let dir = tempfile::tempdir().unwrap();
        let (toml, json) = (dir.path().join("a.toml"), dir.path().join("b.json"));
        fs::write(&toml, "[\"nvr.lang\"]\ncurl = \"C\"\n[\"nvr.arches\"]\ncurl = [\"s390x\"]\n").unwrap();
        fs::write(&json, r#"{"nvr.lang": {"bash": "C", "gone": null}}"#).unwrap();
        let domains = load(&[toml, json]).unwrap();
        assert_eq!(domains.keys["nvr.lang"].iter().collect::<Vec<_>>(), ["bash", "curl"]);
        assert_eq!(domains.keys["nvr.arches"].len(), 1);
    }

    #[test]
    fn a_table_that_cannot_be_read_is_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(&[dir.path().join("nowhere.toml")]).is_err());
        for (name, text) in [("a.toml", "[nvr"), ("b.toml", "lang = 1\n"), ("c.json", "[1]")] {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            assert!(load(&[path]).is_err(), "{text}");
        }
    }
}
