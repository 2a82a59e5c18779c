//! The sink that is a directory: a file for each run in each wanted format.
//!
//! Comes in: a notice. Goes out: `<run>.json` with everything about the run, `<run>.xml` (JUnit), `<run>.sarif` (SARIF 2.1.0),
//! `<run>.firehose.xml`. Each is replaced as a whole, so a reader never sees half of one and a second delivery changes nothing. File
//! names are made of the run's number alone.
//!
//! ```toml
//! [[sink]]
//! kind = "directory"
//! path = "results"
//! formats = ["json", "junit", "sarif", "firehose"]
//! ```

use std::path::PathBuf;

use serde::Deserialize;

use super::config::{Only, Settings};
use super::error::SinkError;
use super::notice::Notice;
use super::{file, firehose, junit, sarif};

/// `kind = "directory"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name.
    #[serde(default = "name")]
    name: String,
    /// What it is told.
    #[serde(default)]
    only: Only,
    /// The directory; made if absent.
    path: PathBuf,
    /// What is written.
    #[serde(default = "formats")]
    formats: Vec<Format>,
}

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Everything about the run, as `taskbot runs --format json` shows it.
    Json,
    /// JUnit XML.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
    /// Firehose XML.
    Firehose,
}

fn name() -> String {
    "directory".into()
}
fn formats() -> Vec<Format> {
    vec![Format::Json, Format::Junit]
}

impl Settings for Config {
    fn name(&self) -> &str {
        &self.name
    }
    fn only(&self) -> &Only {
        &self.only
    }
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.path]
    }
    fn check(&self) -> Result<(), String> {
        if self.formats.is_empty() {
            Err("`formats` is empty: name what is to be written".into())
        } else {
            Ok(())
        }
    }
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Junit => "xml",
            Self::Sarif => "sarif",
            Self::Firehose => "firehose.xml",
        }
    }

    fn document(self, notice: &Notice) -> Result<Vec<u8>, SinkError> {
        let form = |e: std::io::Error| SinkError::Form(e.to_string());
        let json = |value: &serde_json::Value| {
            serde_json::to_vec_pretty(value).map_err(|e| SinkError::Form(e.to_string()))
        };
        match self {
            Self::Json => json(&notice.document()?),
            Self::Junit => junit::document(&notice.run).map_err(form),
            Self::Sarif => json(&sarif::document(notice)),
            Self::Firehose => firehose::document(notice).map_err(form),
        }
    }
}

pub(super) fn deliver(config: &Config, notice: &Notice) -> Result<(), SinkError> {
    file::make_dir(&config.path)?;
    for format in &config.formats {
        let name = format!("{}.{}", notice.run.run.id, format.extension());
        file::replace(&config.path.join(name), &format.document(notice)?)?;
    }
    file::sync_dir(&config.path)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::notice::tests::{notice, result};
    use super::*;
    use crate::task::Outcome;

    #[test]
    fn a_second_delivery_changes_nothing_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "path = '{}'\nformats = ['json', 'junit', 'sarif', 'firehose']",
            dir.path().join("out").display()
        );
        let config: Config = toml::from_str(&text).unwrap();
        let notice = notice(vec![result("test.look", Outcome::Failed, "no", serde_json::json!({}))]);
        let listed = || {
            let entries = std::fs::read_dir(dir.path().join("out")).unwrap().map(Result::unwrap);
            let mut all: Vec<_> =
                entries.map(|e| (e.file_name(), std::fs::read(e.path()).unwrap())).collect();
            all.sort();
            all
        };
        deliver(&config, &notice).unwrap();
        let once = listed();
        let names: Vec<_> = once.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["7.firehose.xml", "7.json", "7.sarif", "7.xml"]);
        deliver(&config, &notice).unwrap();
        assert_eq!(listed(), once);
    }
}
