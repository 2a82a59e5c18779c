//! What a task left behind, as results.
//!
//! Comes in: the manifest, the run's directories and how its command ended. Goes out: results and what was wrong
//! with them. It never trusts a file's kind, size or words, and never loses a verdict in silence: what cannot be
//! read becomes NEEDS_INSPECTION with the reason, and the file is kept. It is one way for all formats (`format`); what
//! analyzers found is put together over all files first (`findings`).

use std::path::Path;

use serde_json::Map;

use super::exit_code::{self, Said};
use super::findings::{self, Analysis};
use super::format::{Contents, ResultFormat};
use super::left_file::{self, HardLinks, LeftDir, Refused};
use super::manifest::ResultSource;
use super::reported::{Naming, Reported, cut, one_line};
use super::{Manifest, Outcome, RunDirs, Subject, TaskResult, tap};
use crate::executor::Ended;
use crate::limits;

/// Name in the artifact directory of a `$TASKBOT_RESULTS` that could not be read.
pub const REJECTED_RESULTS: &str = "rejected-results";

/// What a run reported.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// At least one result, whatever happened.
    pub results: Vec<TaskResult>,
    /// What was wrong, for people.
    pub problems: Vec<String>,
}

/// Reads the results of a run whose command ended.
///
/// `$TASKBOT_RESULTS` and every file that `results.from` matches are read. Where there is none of them, the end of
/// the command is the one result. Otherwise the end only adds a result: NEEDS_INSPECTION where the command did not
/// end as the manifest's exit codes say, or says "failed" while no result does.
pub fn collect(manifest: &Manifest, dirs: &RunDirs, ended: Ended, subject: &Subject) -> Collected {
    let mut gathered = Gathered {
        manifest,
        subject,
        out: Collected::default(),
        artifacts: None,
        analyses: Vec::new(),
        bytes_left: limits::RESULTS_BYTES,
    };
    match LeftDir::open(&dirs.artifacts, HardLinks::Refused) {
        Ok(artifacts) => gathered.artifacts = Some(artifacts),
        Err(refused) => gathered.problem(format!("artifact directory: {refused}")),
    }
    let found_file = gathered.results_file(&dirs.results_file);
    let found_others = gathered.others(dirs);
    let analyses = std::mem::take(&mut gathered.analyses);
    gathered.add_all(findings::results(analyses));
    gathered.end_of_command(&exit_code::said(&manifest.exit, ended), found_file || found_others);
    gathered.silent_testcases(&exit_code::said(&manifest.exit, ended));
    gathered.out
}

struct Gathered<'a> {
    manifest: &'a Manifest,
    subject: &'a Subject,
    out: Collected,
    artifacts: Option<LeftDir>,
    /// What analyzers found, each with the file that it stands in.
    analyses: Vec<(String, Analysis)>,
    /// How much of files may still be read.
    bytes_left: u64,
}

impl Gathered<'_> {
    fn problem(&mut self, problem: String) {
        if self.out.problems.len() < limits::RESULTS_PROBLEMS {
            self.out.problems.push(problem);
        }
    }

    /// `$TASKBOT_RESULTS`; whether there was one.
    fn results_file(&mut self, path: &Path) -> bool {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return false };
        let parent = match LeftDir::open(parent, HardLinks::Refused) {
            Ok(parent) => parent,
            Err(refused) => {
                self.unreadable("$TASKBOT_RESULTS", &format!("its directory: {refused}"), "");
                return true;
            }
        };
        let read = match parent.read(Path::new(name), limits::RESULTS_FILE_BYTES) {
            Err(Refused::Missing) => return false,
            Err(refused) => Err(refused.to_string()),
            Ok(bytes) => ResultFormat::Results.read(bytes, ""),
        };
        if read.is_err() {
            let artifacts = self.artifacts.as_ref().ok_or(Refused::Missing);
            if let Err(refused) = artifacts.and_then(|to| parent.move_to(name, to, REJECTED_RESULTS)) {
                self.problem(format!("$TASKBOT_RESULTS could not be kept: {refused}"));
            }
        }
        self.add("$TASKBOT_RESULTS", REJECTED_RESULTS, read);
        true
    }

    /// The formats of `results.from`; whether there was any file of them.
    fn others(&mut self, dirs: &RunDirs) -> bool {
        if self.manifest.results_from.is_empty() {
            return false;
        }
        let paths = self
            .artifacts
            .as_ref()
            .map_or(Vec::new(), |artifacts| artifacts.walk(limits::ARTIFACT_FILES, limits::ARTIFACT_DEPTH).0);
        let mut found = 0;
        for source in &self.manifest.results_from {
            let format = match source {
                ResultSource::Files { format, .. } => *format,
                ResultSource::TapLog => {
                    found += usize::from(self.tap_log(&dirs.log_file));
                    continue;
                }
            };
            let ours = |path: &Path| path.as_os_str() == REJECTED_RESULTS;
            for path in paths.iter().filter(|path| source.matches(path) && !ours(path)) {
                found += 1;
                if found > limits::RESULTS_FILES {
                    let why = format!("more than {} files of results", limits::RESULTS_FILES);
                    self.unreadable("results.from", &why, "");
                    return true;
                }
                self.one_file(format, path);
            }
        }
        found > 0
    }

    fn one_file(&mut self, format: ResultFormat, path: &Path) {
        let bytes = match &self.artifacts {
            Some(artifacts) => {
                let max_bytes = limits::RESULTS_FILE_BYTES.min(self.bytes_left);
                artifacts.read(path, max_bytes).map_err(|e| e.to_string())
            }
            None => Err("the artifact directory is gone".into()),
        };
        let read_bytes = bytes.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.bytes_left = self.bytes_left.saturating_sub(read_bytes);
        let folder = path.parent().map_or_else(String::new, |folder| folder.to_string_lossy().into_owned());
        let name = path.to_string_lossy();
        self.add(&name, &name, bytes.and_then(|bytes| format.read(bytes, &folder)));
    }

    /// TAP within the log; whether there is any.
    fn tap_log(&mut self, log: &Path) -> bool {
        let read = left_file::read_file(log, limits::TASK_LOG_BYTES + (64 << 10), HardLinks::Refused);
        let read = match read {
            Err(Refused::Missing) => return false,
            Err(refused) => Err(refused.to_string()),
            Ok(bytes) => tap::read(&String::from_utf8_lossy(&bytes)),
        };
        if read.as_ref().is_ok_and(Vec::is_empty) {
            return false;
        }
        self.add("the log", "", read.map(Contents::Tests));
        true
    }

    /// What a file reports; or that it cannot be used, and where it is kept among the artifacts.
    fn add(&mut self, name: &str, kept: &str, read: Result<Contents, String>) {
        match read {
            Ok(Contents::Tests(reported)) => self.add_all(reported),
            Ok(Contents::Analyses(analyses)) => {
                self.analyses.extend(analyses.into_iter().map(|analysis| (kept.to_owned(), analysis)));
            }
            Err(why) => self.unreadable(name, &why, kept),
        }
    }

    fn add_all(&mut self, reported: Vec<Reported>) {
        for one in reported {
            if self.out.results.len() >= limits::RESULTS_PER_RUN {
                let why = format!("more than {} results", limits::RESULTS_PER_RUN);
                self.unreadable("the results", &why, "");
                return;
            }
            let result = self.checked(one);
            self.out.results.push(result);
        }
    }

    /// A report with everything in bounds; what is not turns it to NEEDS_INSPECTION, with the reason.
    fn checked(&mut self, reported: Reported) -> TaskResult {
        let mut wrong: Vec<String> = Vec::new();
        let full_name = self.manifest.full_name();
        let testcase = match (reported.naming, one_line(&reported.name)) {
            (_, name) if name.is_empty() => full_name,
            (Naming::Local, name) if !self.manifest.testcases.contains(&name) => {
                format!("{full_name}.{name}")
            }
            (_, name) => name,
        };
        let mut named = |what: &str, text: String| {
            if text.len() > limits::RESULT_NAME_BYTES {
                wrong.push(format!("its {what} is longer than {} bytes", limits::RESULT_NAME_BYTES));
            }
            cut(&text, limits::RESULT_NAME_BYTES)
        };
        let testcase = named("test case", testcase);
        let item = reported.item.filter(|item| !item.is_empty());
        let item = named("item", item.map_or_else(|| self.subject.item.clone(), |item| one_line(&item)));
        let item_type = reported.item_type.filter(|kind| !kind.is_empty());
        let item_type =
            named("type", item_type.map_or_else(|| self.subject.item_type.clone(), |kind| one_line(&kind)));
        let artifacts = self.artifact_paths(reported.artifacts, &mut wrong);
        let mut data = reported.data;
        if serde_json::to_string(&data).map_or(usize::MAX, |json| json.len()) > limits::RESULT_DATA_BYTES {
            wrong.push(format!("its data is larger than {} bytes", limits::RESULT_DATA_BYTES));
            data = Map::new();
        }
        let mut note = one_line(&reported.note);
        let mut outcome = reported.outcome;
        if !wrong.is_empty() {
            note = format!("reported {outcome:?}, but {}; {note}", wrong.join(", "));
            outcome = Outcome::NeedsInspection;
            self.problem(format!("{testcase}: {}", wrong.join(", ")));
        }
        let note = cut(&note, limits::RESULT_NOTE_BYTES);
        TaskResult { testcase, outcome, item, item_type, note, artifacts, data }
    }

    /// Paths of files that are really there, relative to the artifact directory.
    fn artifact_paths(&mut self, said: Vec<String>, wrong: &mut Vec<String>) -> Vec<String> {
        if said.len() > limits::RESULT_ARTIFACTS {
            wrong.push(format!("it names more than {} artifacts", limits::RESULT_ARTIFACTS));
        }
        let mut paths = Vec::new();
        for path in said.into_iter().take(limits::RESULT_ARTIFACTS) {
            let path = path.strip_prefix("./").map_or(path.as_str(), |rest| rest).to_owned();
            let file =
                self.artifacts.as_ref().map_or(Err(Refused::Missing), |dir| dir.open_file(Path::new(&path)));
            match file {
                Ok(_) => paths.push(path),
                Err(Refused::Missing) => {
                    self.problem(format!("artifact {:?}: there is no such file", cut(&path, 200)));
                }
                Err(refused) => wrong.push(format!("artifact {:?}: {refused}", cut(&path, 200))),
            }
        }
        paths
    }

    /// A file of results that cannot be used; it is kept if it is a file at all.
    fn unreadable(&mut self, name: &str, why: &str, kept: &str) {
        let why = cut(&one_line(why), limits::RESULT_NOTE_BYTES / 2);
        self.problem(format!("{name}: {why}"));
        let is_kept = |dir: &LeftDir| !kept.is_empty() && dir.open_file(Path::new(kept)).is_ok();
        let artifacts =
            if self.artifacts.as_ref().is_some_and(is_kept) { vec![kept.to_owned()] } else { Vec::new() };
        self.own(Outcome::NeedsInspection, format!("{name} cannot be used: {why}"), artifacts);
    }

    /// A result of the task as a whole.
    fn own(&mut self, outcome: Outcome, note: String, artifacts: Vec<String>) {
        self.out.results.push(TaskResult {
            testcase: self.manifest.full_name(),
            outcome,
            item: self.subject.item.clone(),
            item_type: self.subject.item_type.clone(),
            note,
            artifacts,
            data: Map::new(),
        });
    }

    fn end_of_command(&mut self, said: &Said, found: bool) {
        if !found {
            let (outcome, note) = exit_code::outcome(said);
            self.own(outcome, note, Vec::new());
            return;
        }
        let bad = |result: &TaskResult| matches!(result.outcome, Outcome::Failed | Outcome::NeedsInspection);
        match said {
            Said::Unclear(why) => {
                let note = format!("it reported results, but {why}: they may be incomplete");
                self.own(Outcome::NeedsInspection, note, Vec::new());
            }
            Said::Fail if !self.out.results.iter().any(bad) => {
                let note = "its exit code says failed, none of its results does".into();
                self.own(Outcome::NeedsInspection, note, Vec::new());
            }
            Said::Pass | Said::Fail | Said::Skip => {}
        }
    }

    fn silent_testcases(&mut self, said: &Said) {
        for testcase in &self.manifest.testcases {
            if self.out.results.iter().any(|result| result.testcase == *testcase) {
                continue;
            }
            let (outcome, note) = match said {
                Said::Skip => (Outcome::Info, "skipped"),
                _ => (Outcome::NeedsInspection, "declared in `results.testcases`, but it never reported"),
            };
            self.out.results.push(TaskResult {
                testcase: testcase.clone(),
                outcome,
                item: self.subject.item.clone(),
                item_type: self.subject.item_type.clone(),
                note: note.into(),
                artifacts: Vec::new(),
                data: Map::new(),
            });
        }
    }
}
