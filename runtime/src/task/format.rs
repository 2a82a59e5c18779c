//! Formats of files of results.
//!
//! Comes in: a format's name as manifests write it, or the bytes of a file. Goes out: what the file reports, or why it
//! cannot be used. Every reader refuses what is not whole: half a file is no report. What can be read is still
//! untrusted; `results` brings it into bounds.

use super::findings::Analysis;
use super::reported::Reported;
use super::{firehose, junit, result_yaml, sarif, tap, tmt_results};

/// A format of files of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultFormat {
    /// YAML or JSON: ResultYAML, results.yml of the Standard Test Interface.
    Results,
    /// JUnit XML.
    Junit,
    /// Test Anything Protocol, versions 12 to 14.
    Tap,
    /// SARIF 2.1.0.
    Sarif,
    /// Firehose XML.
    Firehose,
    /// results.yaml of tmt.
    Tmt,
}

/// What a file reports.
#[derive(Debug)]
pub(super) enum Contents {
    /// Tests, each with its verdict.
    Tests(Vec<Reported>),
    /// Runs of analyzers, each with its findings.
    Analyses(Vec<Analysis>),
}

impl ResultFormat {
    /// All formats by the names that manifests write.
    pub(super) const NAMED: [(&'static str, Self); 6] = [
        ("results", Self::Results),
        ("junit", Self::Junit),
        ("tap", Self::Tap),
        ("sarif", Self::Sarif),
        ("firehose", Self::Firehose),
        ("tmt", Self::Tmt),
    ];

    /// Reads a file of this format that stands in a folder below the artifacts.
    pub(super) fn read(self, bytes: Vec<u8>, folder: &str) -> Result<Contents, String> {
        let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text")?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        match self {
            Self::Results => result_yaml::read(text).map(Contents::Tests),
            Self::Junit => junit::read(text).map(Contents::Tests),
            Self::Tap => match tap::read(text)? {
                reported if reported.is_empty() => Err("it has no line of TAP".into()),
                reported => Ok(Contents::Tests(reported)),
            },
            Self::Sarif => sarif::read(text).map(Contents::Analyses),
            Self::Firehose => firehose::read(text).map(|analysis| Contents::Analyses(vec![analysis])),
            Self::Tmt => tmt_results::read(text, folder).map(Contents::Tests),
        }
    }
}
