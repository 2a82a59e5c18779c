//! The documentation of the configuration is what the daemon reads.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use taskbot_runtime::config::Config;

/// Examples of `taskbot.toml` on a page: its blocks fenced as `toml`.
fn examples(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(page);
    let text = fs::read_to_string(path).unwrap();
    let blocks = text.split("\n```toml\n").skip(1);
    blocks.map(|block| block.split_once("\n```").unwrap().0.to_owned()).collect()
}

/// The keys that the tables of docs/configuration.md list, `executor.parallel`.
fn keys() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/configuration.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

#[test]
fn every_example_is_accepted() {
    let (configuration, readme) = (examples("docs/configuration.md"), examples("README.md"));
    assert!(!configuration.is_empty() && !readme.is_empty());
    for example in configuration.iter().chain(&readme) {
        let parsed = Config::parse(example, Path::new("/etc/taskbot/taskbot.toml"));
        assert!(parsed.is_ok(), "{}\n{example}", parsed.err().unwrap());
    }
}

/// An unknown key is refused, so a key that stands in the accepted example exists.
#[test]
fn every_listed_key_but_the_internal_one_stands_in_the_example() {
    let example = examples("docs/configuration.md").pop().unwrap();
    let keys = keys();
    assert!(keys.len() > 25, "{keys:?}");
    for key in keys.iter().filter(|key| *key != "standard_tasks") {
        let last = key.rsplit('.').next().unwrap();
        let written = example.lines().any(|line| line.split(" = ").next() == Some(last));
        assert!(written, "the example does not show `{key}`");
    }
}

/// Serde names all keys of a table when one is wrong: each of them is documented.
#[test]
fn every_key_that_is_read_is_listed() {
    let keys = keys();
    for (section, table) in [
        ("", ""),
        ("topics", "[topics]\n"),
        ("source", "[[source]]\nkind = \"fedmsg\"\n"),
        ("source", "[[source]]\nkind = \"amqp\"\n"),
        ("source", "[[source]]\nkind = \"archive\"\n"),
        ("source.tls", "[[source]]\nkind = \"amqp\"\nurl = \"\"\nqueue = \"\"\n[source.tls]\n"),
        ("facts.*", "[facts.\"a.b\"]\n"),
        ("executor", "[executor]\n"),
        ("limits", "[limits]\n"),
        ("downloads", "[downloads]\n"),
        ("sink", "[[sink]]\nkind = \"directory\"\n"),
        ("sink", "[[sink]]\nkind = \"index\"\n"),
        ("sink", "[[sink]]\nkind = \"resultsdb\"\n"),
        ("sink", "[[sink]]\nkind = \"webhook\"\n"),
        ("sink", "[[sink]]\nkind = \"fedmsg\"\n"),
        ("sink", "[[sink]]\nkind = \"amqp\"\n"),
        ("sink.only", "[[sink]]\nkind = \"index\"\n[sink.only]\n"),
        ("sink.auth", "[[sink]]\nkind = \"webhook\"\n[sink.auth]\n"),
        ("sink.sign", "[[sink]]\nkind = \"fedmsg\"\n[sink.sign]\n"),
        ("sink.tls", "[[sink]]\nkind = \"amqp\"\n[sink.tls]\n"),
    ] {
        let error = Config::parse(&format!("{table}zzzz = 1\n"), Path::new("/taskbot.toml")).unwrap_err();
        let known: Vec<&str> = error.message.split('`').skip(1).step_by(2).filter(|k| *k != "zzzz").collect();
        assert!(!known.is_empty(), "{}", error.message);
        for key in known {
            let full = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            let below = format!("{full}.");
            assert!(keys.iter().any(|k| *k == full || k.starts_with(&below)), "`{full}` is not documented");
        }
    }
}
