//! What is wrong with a task's repository, found by reading it.
//!
//! Comes in: a checkout. Goes out: remarks with file and line. An error is something that a run would stumble over: a manifest that is
//! not understood, a program that is not there or cannot be executed, an input that nobody declared, a key that anybody can
//! read. A warning is something that does less than its author thinks. It never runs anything, and what it cannot read as text it
//! passes over.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::left_file::{HardLinks, LeftDir};
use super::manifest::{Command, Manifest, ManifestError};
use super::plan::environment_name;
use super::prepare::is_there;
use super::toml_section::close;
use crate::limits;

/// How bad a remark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A run would stumble over it.
    Error,
    /// It does less than it looks like.
    Warning,
}

/// Something to mend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Remark {
    /// The file, relative to the repository.
    pub file: String,
    /// Line from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// How bad.
    pub severity: Severity,
    /// What is wrong and what to do.
    pub message: String,
}

/// Variables of the contract that every run has.
const VARIABLES: &[&str] = &[
    "TASKBOT_ARTIFACTS",
    "TASKBOT_ATTEMPT",
    "TASKBOT_DEADLINE",
    "TASKBOT_EVENT",
    "TASKBOT_FETCHED",
    "TASKBOT_RESULTS",
    "TASKBOT_RUN_ID",
    "TASKBOT_WORKDIR",
];
const INPUT: &str = "TASKBOT_INPUT_";
/// Beginnings of keys and passwords that have a form of their own.
const KEYS: &[&str] =
    &["-----BEGIN RSA PRIVATE", "-----BEGIN PRIVATE", "-----BEGIN OPENSSH PRIVATE", "-----BEGIN EC PRIVATE"];
const TOKENS: &[(&str, usize)] =
    &[("ghp_", 36), ("github_pat_", 40), ("glpat-", 20), ("AKIA", 16), ("xoxb-", 20)];
/// A run that may hold a place for longer is worth a question.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// All remarks on a repository, by file and line.
pub fn lint(checkout: &Path) -> Vec<Remark> {
    let mut lint = Lint { checkout, texts: texts(checkout), remarks: Vec::new() };
    lint.keys();
    match Manifest::read(checkout) {
        Ok(manifest) => lint.manifest(&manifest),
        Err(ManifestError::Invalid(problems)) => {
            for problem in problems {
                lint.remark(Severity::Error, "task.toml", problem.line, problem.message);
            }
        }
        Err(other) => lint.remark(Severity::Error, "task.toml", 0, other.to_string()),
    }
    lint.remarks.sort();
    lint.remarks.dedup();
    lint.remarks
}

/// Files that are text, without what git and test data hold.
fn texts(checkout: &Path) -> Vec<(PathBuf, String)> {
    let Ok(dir) = LeftDir::open(checkout, HardLinks::Allowed) else { return Vec::new() };
    let (paths, _) = dir.walk(limits::LINT_FILES, limits::ARTIFACT_DEPTH);
    let own = |path: &PathBuf| !path.components().any(|part| part.as_os_str() == ".git");
    paths
        .into_iter()
        .filter(own)
        .filter_map(|path| {
            let bytes = dir.read(&path, limits::LINT_FILE_BYTES).ok()?;
            Some((path, String::from_utf8(bytes).ok()?))
        })
        .collect()
}

struct Lint<'a> {
    checkout: &'a Path,
    texts: Vec<(PathBuf, String)>,
    remarks: Vec<Remark>,
}

impl Lint<'_> {
    fn remark(&mut self, severity: Severity, file: impl AsRef<Path>, line: usize, message: String) {
        let file = file.as_ref().display().to_string();
        self.remarks.push(Remark { file, line, severity, message });
    }

    /// Where the manifest speaks of something; 0: nowhere in one word.
    fn line_of(&self, word: &str) -> usize {
        let manifest = self.texts.iter().find(|(path, _)| path == Path::new("task.toml"));
        manifest
            .and_then(|(_, text)| text.lines().position(|line| line.contains(word)))
            .map_or(0, |at| at + 1)
    }

    fn manifest(&mut self, manifest: &Manifest) {
        let commands = [
            ("run.command", Some(&manifest.run)),
            ("prepare.run", manifest.prepare.as_ref()),
            ("cleanup.run", manifest.cleanup.as_ref()),
        ];
        for (key, command) in commands.into_iter().filter_map(|(key, command)| Some((key, command?))) {
            self.command(manifest, key, command);
        }
        self.variables(manifest);
        self.testcases(manifest);
        if manifest.summary.is_empty() {
            let message = "`task.summary` is missing: one line for those who see its results".into();
            self.remark(Severity::Warning, "task.toml", self.line_of("[task]"), message);
        }
        if !self.checkout.join("README.md").is_file() {
            let message = "is missing: say what is tested and what a failure means".into();
            self.remark(Severity::Warning, "README.md", 0, message);
        }
    }

    fn command(&mut self, manifest: &Manifest, key: &str, command: &Command) {
        let Some(program) = command.argv.first() else { return };
        let line = self.line_of(&format!("\"{program}\""));
        if command.timeout > LONG {
            let message = format!(
                "`{key}` may take {} hours and holds a place that long",
                command.timeout.as_secs() / 3600
            );
            self.remark(Severity::Warning, "task.toml", self.line_of("timeout"), message);
        }
        if !program.contains('/') {
            let promised = manifest.packages.iter().any(|package| package.tool == *program);
            if !promised && !is_there(program) {
                let message = format!(
                    "`{key}`: there is no `{program}` on this machine, and `prepare.packages` names no package for it"
                );
                self.remark(Severity::Warning, "task.toml", line, message);
            }
            return;
        }
        let path = self.checkout.join(program);
        let name = Path::new(program).strip_prefix(".").unwrap_or(Path::new(program)).to_owned();
        match path.metadata() {
            Err(_) if program.starts_with('/') => {}
            Err(_) => {
                let message = format!("`{key}`: {program} is not in the repository");
                self.remark(Severity::Error, "task.toml", line, message);
            }
            Ok(meta) if !meta.is_file() => {
                self.remark(Severity::Error, "task.toml", line, format!("`{key}`: {program} is no file"));
            }
            Ok(meta) => {
                if meta.permissions().mode() & 0o111 == 0 {
                    let message = format!("cannot be executed: chmod +x {program}");
                    self.remark(Severity::Error, &name, 0, message);
                }
                let text = self.texts.iter().find(|(path, _)| *path == name);
                if text.is_some_and(|(_, text)| !text.starts_with("#!")) {
                    let message = "has no first line that names its interpreter, such as #!/bin/sh".into();
                    self.remark(Severity::Error, &name, 1, message);
                }
            }
        }
    }

    /// Variables that scripts read, against those that a run has.
    fn variables(&mut self, manifest: &Manifest) {
        let inputs: Vec<String> = manifest.inputs.iter().map(|input| environment_name(&input.name)).collect();
        let known: Vec<&str> = VARIABLES.iter().copied().chain(inputs.iter().map(String::as_str)).collect();
        let (mut found, mut used) = (Vec::new(), BTreeSet::new());
        for (path, text) in self.texts.iter().filter(|(path, _)| !is_page(path)) {
            for (at, line) in text.lines().enumerate() {
                for word in variables(line) {
                    used.insert(word.to_owned());
                    if known.contains(&word) || word == INPUT {
                        continue;
                    }
                    let hint = close(word, &known);
                    let (severity, message) = match word.strip_prefix(INPUT) {
                        Some(_) => (
                            Severity::Error,
                            format!("reads ${word}, which [inputs] of task.toml does not declare{hint}"),
                        ),
                        None => (Severity::Warning, format!("reads ${word}, which no run has{hint}")),
                    };
                    found.push((severity, path.clone(), at + 1, message));
                }
            }
        }
        for (severity, path, line, message) in found {
            self.remark(severity, path, line, message);
        }
        // scripts that put names together, or read all of them, cannot be judged by their words
        if used.contains(INPUT) {
            return;
        }
        for (input, variable) in manifest.inputs.iter().zip(&inputs) {
            let template = format!("{{{}}}", input.name);
            let in_manifest = self.line_of(&template) > 0;
            if !in_manifest && !used.contains(variable) {
                let message = format!(
                    "input `{}` is used nowhere: no ${variable} in a script, no {template} in task.toml",
                    input.name
                );
                self.remark(Severity::Warning, "task.toml", self.line_of(&input.name), message);
            }
        }
    }

    /// Test cases that must report, against what scripts can report.
    fn testcases(&mut self, manifest: &Manifest) {
        // the names in files of other formats come into being when they are written
        if !manifest.results_from.is_empty() {
            return;
        }
        let full_name = manifest.full_name();
        for testcase in manifest.testcases.iter().filter(|testcase| **testcase != full_name) {
            let short = testcase.strip_prefix(&format!("{full_name}.")).unwrap_or(testcase);
            let scripts =
                self.texts.iter().filter(|(path, _)| path != Path::new("task.toml") && !is_page(path));
            if !scripts.into_iter().any(|(_, text)| text.contains(short)) {
                let message = format!(
                    "no script speaks of the test case {testcase}: each run would report it as NEEDS_INSPECTION"
                );
                self.remark(Severity::Warning, "task.toml", self.line_of(testcase), message);
            }
        }
    }

    /// Keys and passwords: whoever may read the repository has them.
    fn keys(&mut self) {
        let mut found = Vec::new();
        for (path, text) in &self.texts {
            for (at, line) in text.lines().enumerate() {
                if KEYS.iter().any(|key| line.starts_with(key)) || holds_token(line) {
                    found.push((path.clone(), at + 1));
                }
            }
        }
        for (path, line) in found {
            let message = "looks like a key: everybody who can read the repository has it; take it out and make a new one";
            self.remark(Severity::Error, path, line, message.into());
        }
    }
}

/// Words that begin as the contract's variables do.
fn variables(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("TASKBOT_").filter_map(|(at, _)| {
        let before = line.get(..at)?.chars().next_back();
        let rest = line.get(at..)?;
        let end = rest
            .find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
            .unwrap_or(rest.len());
        rest.get(..end).filter(|_| !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_'))
    })
}

fn holds_token(line: &str) -> bool {
    TOKENS.iter().any(|(prefix, length)| {
        line.match_indices(prefix).any(|(at, _)| {
            let rest = line.get(at + prefix.len()..).unwrap_or_default();
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').count() >= *length
        })
    })
}

/// Pages for people speak of variables without reading them.
fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md" || extension == "rst" || extension == "txt")
}
