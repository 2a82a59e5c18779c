//! A task's own repository: its manifest, its inputs, and the results that it leaves behind.
//!
//! Comes in: a checkout and typed arguments. Goes out: what to run with which environment, and typed results. It never
//! starts a process and never writes to a store.
//!
//! In the order of a run's steps: `Manifest::read` -> `Manifest::check_inputs` -> `Manifest::plan` ->
//! `prepare_check` -> `download::download` -> (the executor runs the plan's commands) -> `results::collect` ->
//! `artifacts::index`. `docs/tasks.md` is the contract as authors of tasks read it; a test compares its keys with
//! those read here.

use serde::{Deserialize, Serialize};

pub mod artifacts;
mod bounded;
pub mod download;
mod exit_code;
mod findings;
mod firehose;
mod format;
mod junit;
pub(crate) mod left_file;
pub mod lint;
pub mod manifest;
mod manifest_fetch;
mod manifest_reader;
pub mod plan;
pub mod prepare;
pub mod report;
pub(crate) mod reported;
mod result_yaml;
pub mod results;
mod sarif;
mod tap;
mod tap_document;
mod tap_line;
mod tmt_results;
mod toml_section;
pub(crate) mod xml;

pub use format::ResultFormat;
pub use manifest::{Manifest, ManifestError};
pub use plan::{Plan, PlannedCommand, PlannedFetch, RunDirs, RunIds, Subject};
pub use prepare::{MissingTools, prepare_check};
pub(crate) use toml_section::size_bytes;

/// What a result says about its item. A run's state is another thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// It did what it should.
    Passed,
    /// Nothing to judge, worth knowing.
    Info,
    /// It did not do what it should.
    Failed,
    /// Somebody has to look: the task did not say clearly.
    NeedsInspection,
}

/// One result of one test case about one item, in the one shape that all result formats are brought to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// Dotted name of the test case, `dist.rpmlint`.
    pub testcase: String,
    /// The verdict.
    pub outcome: Outcome,
    /// What was tested, `gnome-shell-45.1-1.fc39`.
    pub item: String,
    /// Kind of the item, `koji_build`.
    #[serde(rename = "type")]
    pub item_type: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Paths of kept files or logs, relative to the run's artifact directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// Free extra data.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub data: serde_json::Map<String, serde_json::Value>,
}
