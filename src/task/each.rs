//! `taskbot task run DIR --each FILES`: one run for each file, several at once, and one table of all.
//!
//! Comes in: a task, files or folders of them. Goes out: what each run said, worst last, so that it stands above the prompt. Every run
//! has a directory of its own below `--out`, named as the file. A file that tells no inputs is a row like the others; it stops nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use taskbot_runtime::steps::{LocalRun, LocalTask, run_task};
use taskbot_runtime::task::{Manifest, Outcome};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::run::{RunFormat, passed};
use super::{inputs, junit, show};
use crate::output::{self, FINDINGS, Failure, Paint, Table};

/// Whole numbers of a task's own result that become columns.
const COUNTED: [&str; 2] = ["errors", "warnings"];
/// What stands in the place of an outcome where there is none.
const NO_RESULT: &str = "no result";

/// What came of one file.
struct Row {
    name: String,
    told: Result<LocalRun, String>,
}

/// As many runs at once as there are processors.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs the task for each file.
pub async fn run(
    manifest: &Manifest,
    task: LocalTask,
    paths: &[PathBuf],
    jobs: usize,
    format: RunFormat,
    cancel: &CancellationToken,
) -> Result<ExitCode, Failure> {
    let files = files(paths)?;
    let total = files.len();
    let bar = crate::run::bar(total as u64, "runs");
    let mut rows: BTreeMap<usize, Row> = BTreeMap::new();
    let mut running = JoinSet::new();
    let mut waiting = files.into_iter().enumerate();
    loop {
        while running.len() < jobs && !cancel.is_cancelled() {
            let Some((at, (name, file))) = waiting.next() else { break };
            match inputs::of_file(manifest, &task.inputs, &file)
                .and_then(|inputs| inputs::check(manifest, &inputs).map(|()| inputs))
            {
                Err(failure) => drop(rows.insert(at, Row { name, told: Err(failure.to_string()) })),
                Ok(inputs) => {
                    let (out, cancel) = (task.out.join(&name), cancel.clone());
                    let task = LocalTask { inputs, out, fetched: vec![file], ..task.clone() };
                    running.spawn(async move { (at, name, run_task(task, &cancel, |_| {}).await) });
                }
            }
        }
        let Some(ended) = running.join_next().await else { break };
        let (at, name, run) = ended?;
        rows.insert(at, Row { name, told: Ok(run) });
        bar.set_position(rows.len() as u64);
        bar.set_message(summary(rows.values()));
    }
    bar.finish_and_clear();
    let rows: Vec<Row> = rows.into_values().collect();
    tell(manifest, &rows, format)?;
    if format == RunFormat::Human {
        output::line(format!("what was kept of each: {}/FILE/kept", task.out.display()));
    }
    if rows.len() < total {
        output::remark(format!("stopped: {} of {total} files were not begun", total - rows.len()));
    }
    let good = rows.len() == total && rows.iter().all(|row| row.told.as_ref().is_ok_and(passed));
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// All files, those of folders by name, each with a name that no other has.
fn files(paths: &[PathBuf]) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let unreadable = |e: io::Error| Failure::new(format!("cannot read {}: {e}", path.display()));
        let path_here = std::path::absolute(path)?;
        if std::fs::metadata(&path_here).map_err(unreadable)?.is_dir() {
            let entries = std::fs::read_dir(&path_here).map_err(unreadable)?;
            let entries: Vec<PathBuf> =
                entries.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>().map_err(unreadable)?;
            let mut files: Vec<PathBuf> = entries.into_iter().filter(|entry| entry.is_file()).collect();
            files.sort();
            found.extend(files);
        } else {
            found.push(path_here);
        }
    }
    if found.is_empty() {
        return Err(Failure::new("--each: there is no file in these folders"));
    }
    let mut taken = BTreeSet::new();
    let named = found.into_iter().map(|file| {
        let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if taken.insert(name.clone()) {
            Ok((name, file))
        } else {
            Err(Failure::new(format!(
                "--each: two files are named {name}; give one of them in a run of its own"
            )))
        }
    });
    named.collect()
}

impl Row {
    /// The worst outcome; none: there is no result.
    fn outcome(&self) -> Option<Outcome> {
        let rank = |outcome: &Outcome| match outcome {
            Outcome::Info => 0,
            Outcome::Passed => 1,
            Outcome::NeedsInspection => 2,
            Outcome::Failed => 3,
        };
        let run = self.told.as_ref().ok().filter(|run| run.failure().is_none())?;
        run.results.iter().map(|result| result.outcome).max_by_key(rank)
    }

    fn word(&self) -> String {
        self.outcome().map_or_else(|| NO_RESULT.to_owned(), output::outcome)
    }

    fn note(&self) -> String {
        match &self.told {
            Err(why) => why.clone(),
            Ok(run) => match (run.failure(), run.results.first()) {
                (Some(failure), _) => failure.message.clone(),
                (None, Some(result)) => result.note.clone(),
                (None, None) => String::new(),
            },
        }
    }

    /// A whole number that the task's first result tells.
    fn counted(&self, key: &str) -> Option<u64> {
        self.told.as_ref().ok()?.results.first()?.data.get(key)?.as_u64()
    }
}

/// `40 PASSED, 9 FAILED, 1 no result`.
fn summary<'r>(rows: impl Iterator<Item = &'r Row>) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(row.word()).or_default() += 1;
    }
    let counted: Vec<String> = counts.into_iter().map(|(word, number)| format!("{number} {word}")).collect();
    counted.join(", ")
}

fn tell(manifest: &Manifest, rows: &[Row], format: RunFormat) -> Result<(), Failure> {
    match format {
        RunFormat::Human => table(rows),
        RunFormat::Json => output::json(&Value::Array(rows.iter().map(document).collect()))?,
        RunFormat::Junit => {
            let failed = rows.iter().filter_map(|row| Some((row, row.told.as_ref().err()?)));
            for (row, why) in failed {
                output::remark(format!("{}: {}", output::shown(&row.name), output::shown(why)));
            }
            let name = |row: &Row| format!("{} {}", manifest.full_name(), row.name);
            let runs: Vec<_> =
                rows.iter().filter_map(|row| Some((name(row), row.told.as_ref().ok()?))).collect();
            output::line(junit::document(&runs)?);
        }
    }
    Ok(())
}

fn document(row: &Row) -> Value {
    let mut document = match &row.told {
        Ok(run) => show::document(run),
        Err(why) => json!({ "steps": [], "results": [], "artifacts": [], "infrastructure_error": why }),
    };
    if let Value::Object(fields) = &mut document {
        fields.insert("file".into(), json!(row.name));
        fields.insert("outcome".into(), json!(row.outcome()));
    }
    document
}

fn table(rows: &[Row]) {
    let paint = Paint::of(&io::stdout());
    let columns: Vec<&str> =
        COUNTED.into_iter().filter(|key| rows.iter().any(|row| row.counted(key).is_some())).collect();
    let upper: Vec<String> = columns.iter().map(|key| key.to_uppercase()).collect();
    let heading: Vec<&str> =
        ["FILE", "OUTCOME"].into_iter().chain(upper.iter().map(String::as_str)).chain(["NOTE"]).collect();
    let mut table = Table::new(&heading);
    let mut sorted: Vec<&Row> = rows.iter().collect();
    let numbers = |row: &Row| COUNTED.map(|key| row.counted(key).unwrap_or(0));
    sorted.sort_by_key(|row| (badness(row), numbers(row)));
    for row in sorted {
        let counts: Vec<String> = columns
            .iter()
            .map(|key| row.counted(key).map_or_else(|| "-".into(), |n| n.to_string()))
            .collect();
        let (word, note) = (row.word(), row.note());
        let mut cells: Vec<&str> = vec![&row.name, &word];
        cells.extend(counts.iter().map(String::as_str));
        cells.push(&note);
        table.row(&cells);
    }
    table.print(paint);
    output::line(format!("\n{}: {}", output::count(rows.len(), "file"), summary(rows.iter())));
}

/// What stands lower in the table.
fn badness(row: &Row) -> u8 {
    match row.outcome() {
        Some(Outcome::Info) => 0,
        Some(Outcome::Passed) => 1,
        None => 2,
        Some(Outcome::NeedsInspection) => 3,
        Some(Outcome::Failed) => 4,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn folders_are_read_and_names_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.rpm", "a.rpm", "other/b.rpm"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let names = |paths: &[PathBuf]| {
            files(paths).map(|files| files.into_iter().map(|(n, _)| n).collect::<Vec<_>>())
        };
        assert_eq!(names(&[dir.path().to_owned()]).unwrap(), ["a.rpm", "b.rpm"]);
        let twice = names(&[dir.path().join("b.rpm"), dir.path().join("other")]).unwrap_err();
        assert!(twice.to_string().contains("two files are named b.rpm"), "{twice}");
        assert!(names(&[dir.path().join("gone")]).unwrap_err().to_string().contains("gone"));
    }
}
