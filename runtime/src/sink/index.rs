//! The sink that is a folder of pages: every run with its results and its kept files, for people and for programs.
//!
//! Comes in: a notice, and the run's kept files. Goes out: `<run>/index.html` and `<run>/index.json`, the files below `<run>/files/`,
//! and `index.html` and `index.json` with the newest runs. A file is linked to the same data on disk where that is possible (an
//! image of some gigabytes is a result too), else copied. Everything is replaced as a whole, and told twice is told once. It
//! needs no server but one for files, and the pages no script.
//!
//! ```toml
//! [[sink]]
//! kind = "index"
//! path = "/srv/www/results"
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::{Only, Settings};
use super::error::SinkError;
use super::notice::Notice;
use super::{file, page};
use crate::limits;
use crate::store::ArtifactRow;

/// `kind = "index"`
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
}

fn name() -> String {
    "index".into()
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
}

/// A kept file as pages tell it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Kept {
    /// As the task named it.
    pub(super) path: String,
    pub(super) size_bytes: i64,
    pub(super) sha256: String,
    /// Relative to the run's page; none: the file is gone.
    pub(super) href: Option<String>,
}

/// A run in the list of all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) run: i64,
    pub(super) run_id: String,
    /// Task and arguments.
    pub(super) what: String,
    pub(super) task: String,
    pub(super) state: String,
    /// How many results have each outcome.
    pub(super) outcomes: BTreeMap<String, usize>,
    pub(super) files: usize,
    pub(super) changed_at: String,
}

#[derive(Default, Serialize, Deserialize)]
struct List {
    /// Newest first.
    runs: Vec<Entry>,
}

pub(super) fn deliver(config: &Config, notice: &Notice) -> Result<(), SinkError> {
    let folder = config.path.join(notice.run.run.id.to_string());
    file::make_dir(&folder)?;
    let files: Vec<Kept> = notice
        .run
        .artifacts
        .iter()
        .map(|row| keep(row, &notice.artifacts, &folder))
        .collect::<Result<_, _>>()?;
    let entry = entry(notice);
    let mut document = notice.document()?;
    if let Some(document) = document.as_object_mut() {
        document.insert("run_id".into(), json!(entry.run_id));
        document.insert("artifacts".into(), to_json(&files)?);
        document.insert("entry".into(), to_json(&entry)?);
    }
    file::replace(&folder.join("index.json"), &pretty(&document)?)?;
    file::replace(&folder.join("index.html"), page::of_run(notice, &files).as_bytes())?;
    file::sync_dir(&folder)?;
    let list = list(&config.path, entry);
    file::replace(&config.path.join("index.json"), &pretty(&to_json(&list)?)?)?;
    file::replace(&config.path.join("index.html"), page::of_all(&list.runs).as_bytes())?;
    file::sync_dir(&config.path)
}

fn to_json(value: &impl Serialize) -> Result<Value, SinkError> {
    serde_json::to_value(value).map_err(|e| SinkError::Form(e.to_string()))
}

fn pretty(value: &Value) -> Result<Vec<u8>, SinkError> {
    serde_json::to_vec_pretty(value).map_err(|e| SinkError::Form(e.to_string()))
}

fn entry(notice: &Notice) -> Entry {
    let run = &notice.run;
    let mut outcomes = BTreeMap::new();
    for result in &run.results {
        *outcomes.entry(page::outcome(result.outcome).to_owned()).or_insert(0) += 1;
    }
    Entry {
        run: run.run.id,
        run_id: notice.run_id(),
        what: run.run.run.clone(),
        task: run.run.task.clone(),
        state: run.run.state.clone(),
        outcomes,
        files: run.artifacts.len(),
        changed_at: run.run.changed_at.to_string(),
    }
}

/// The list with this run in it. One that cannot be read is made anew from the runs' own documents.
fn list(path: &Path, entry: Entry) -> List {
    let read = |path: &Path| fs::read(path).ok();
    let known = read(&path.join("index.json")).and_then(|bytes| serde_json::from_slice::<List>(&bytes).ok());
    let mut list = known.unwrap_or_else(|| {
        let folders = fs::read_dir(path).into_iter().flatten().flatten();
        let documents = folders.filter_map(|folder| read(&folder.path().join("index.json")));
        let entries = documents.filter_map(|bytes| {
            let mut document: Value = serde_json::from_slice(&bytes).ok()?;
            serde_json::from_value(document.get_mut("entry")?.take()).ok()
        });
        List { runs: entries.collect() }
    });
    list.runs.retain(|other| other.run != entry.run);
    list.runs.push(entry);
    list.runs.sort_by_key(|entry| std::cmp::Reverse(entry.run));
    list.runs.truncate(limits::INDEX_RUNS);
    list
}

/// Brings a kept file below the run's folder.
fn keep(row: &ArtifactRow, from: &Path, folder: &Path) -> Result<Kept, SinkError> {
    let mut kept =
        Kept { path: row.path.clone(), size_bytes: row.size_bytes, sha256: row.sha256.clone(), href: None };
    let relative = Path::new(&row.path);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let (source, target) = (from.join(relative), folder.join("files").join(relative));
    // What was recorded is a plain file below the run's own directory; nothing else is given away.
    if !plain || !fs::symlink_metadata(&source).is_ok_and(|meta| meta.is_file()) {
        return Ok(kept);
    }
    let failed = |e| SinkError::Io(target.clone(), e);
    let is_there = fs::symlink_metadata(&target)
        .is_ok_and(|meta| meta.is_file() && i64::try_from(meta.len()) == Ok(row.size_bytes));
    if !is_there {
        if let Some(parent) = target.parent() {
            file::make_dir(parent)?;
        }
        place(&source, &target).map_err(failed)?;
    }
    kept.href = Some(format!("files/{}", page::url_path(&row.path)));
    Ok(kept)
}

fn place(source: &Path, target: &Path) -> io::Result<()> {
    let new = target.with_added_extension("new");
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    if fs::hard_link(source, &new).is_err() {
        fs::copy(source, &new)?;
        fs::File::open(&new)?.sync_all()?;
    }
    fs::rename(&new, target)?;
    // Renaming one name of a file to another of the same file does nothing.
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::super::notice::tests::{notice, result};
    use super::*;
    use crate::task::Outcome;

    fn row(path: &str, bytes: &[u8]) -> ArtifactRow {
        ArtifactRow {
            path: path.into(),
            size_bytes: i64::try_from(bytes.len()).unwrap(),
            sha256: "ab".repeat(32),
        }
    }

    /// A site with two kept files, one that is gone, and one that would lead out.
    fn told(dir: &Path, results: Vec<crate::task::TaskResult>) -> (Config, Notice) {
        let kept = dir.join("kept");
        fs::create_dir_all(kept.join("a b")).unwrap();
        fs::write(kept.join("image.iso"), b"iso").unwrap();
        fs::write(kept.join("a b/<i>.log"), b"log").unwrap();
        fs::write(dir.join("secret"), b"no").unwrap();
        let mut notice = notice(results);
        notice.artifacts = kept;
        notice.run.artifacts = vec![
            row("image.iso", b"iso"),
            row("a b/<i>.log", b"log"),
            row("gone.log", b"x"),
            row("../secret", b"no"),
        ];
        (toml::from_str(&format!("path = '{}'", dir.join("www").display())).unwrap(), notice)
    }

    fn json(path: &Path) -> Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn files_are_there_under_their_links_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let (config, notice) = told(dir.path(), Vec::new());
        deliver(&config, &notice).unwrap();
        deliver(&config, &notice).unwrap();
        let folder = dir.path().join("www/7");
        let document = json(&folder.join("index.json"));
        let hrefs: Vec<_> =
            document["artifacts"].as_array().unwrap().iter().map(|file| &file["href"]).collect();
        assert_eq!(
            hrefs,
            [&json!("files/image.iso"), &json!("files/a%20b/%3Ci%3E.log"), &Value::Null, &Value::Null]
        );
        assert_eq!(fs::read(folder.join("files/image.iso")).unwrap(), b"iso");
        assert_eq!(fs::read(folder.join("files/a b/<i>.log")).unwrap(), b"log");
        let html = fs::read_to_string(folder.join("index.html")).unwrap();
        assert!(
            html.contains("href=\"files/a%20b/%3Ci%3E.log\"") && html.contains(&"ab".repeat(32)),
            "{html}"
        );
        assert!(!html.contains("href=\"../secret") && !html.contains("<i>"), "{html}");
        let left = |path: PathBuf| fs::read_dir(path).unwrap().count();
        assert_eq!((left(folder.join("files")), left(folder), left(dir.path().join("www"))), (2, 3, 3));
    }

    #[test]
    fn the_list_has_each_run_once_newest_first_and_mends_itself() {
        let dir = tempfile::tempdir().unwrap();
        let failed = vec![
            result("a.b", Outcome::Failed, "n", json!({})),
            result("a.c", Outcome::Failed, "n", json!({})),
        ];
        let (config, mut notice) = told(dir.path(), failed);
        for run in [3, 9, 7, 9] {
            notice.run.run.id = run;
            deliver(&config, &notice).unwrap();
        }
        let list = dir.path().join("www/index.json");
        let runs = || -> Vec<i64> {
            json(&list)["runs"].as_array().unwrap().iter().map(|run| run["run"].as_i64().unwrap()).collect()
        };
        assert_eq!(runs(), [9, 7, 3]);
        assert_eq!(json(&list)["runs"][0]["outcomes"], json!({"FAILED": 2}));
        fs::write(&list, "{").unwrap();
        notice.run.run.id = 8;
        deliver(&config, &notice).unwrap();
        assert_eq!(runs(), [9, 8, 7, 3]);
    }
}
