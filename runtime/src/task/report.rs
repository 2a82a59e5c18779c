//! One result more in `$TASKBOT_RESULTS`, from within a run.
//!
//! Comes in: the file, which may not be there yet, and a result. Goes out: the file with it. A result with the name, item
//! and type of one that is there takes its place. The file is whole at every moment: a new one takes its place, so that a
//! script that is killed leaves what it had reported. Processes that report at once wait for each other at the folder, so
//! that nothing is lost. A file that cannot be read is left as it is, and so is one that would leave its bounds: what is
//! refused here would be refused at the end of the run as well, when nobody can mend it.

use std::fmt;
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use serde_json::{Map, Value, json};

use super::left_file::{self, HardLinks, LeftDir, Refused};
use super::{Outcome, result_yaml};
use crate::limits;

/// A result as a script reports it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The verdict.
    pub outcome: Outcome,
    /// With a dot the whole name of a test case, without one a name below the task's; none: the task's own result.
    pub testcase: Option<String>,
    /// What was tested; none: the run's subject.
    pub item: Option<String>,
    /// Kind of the item; none: that of the run's subject.
    pub item_type: Option<String>,
    /// One line for people.
    pub note: Option<String>,
    /// Files below the artifact directory, as `artifact_path` gives them.
    pub artifacts: Vec<String>,
    /// Free extra data.
    pub data: Vec<(String, String)>,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is one more.
    Added,
    /// It took the place of an earlier one.
    Replaced,
}

/// Why a result is not reported.
#[derive(Debug)]
pub enum ReportError {
    /// The file is there and cannot be used.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The report is none that would be accepted.
    Refused(String),
    /// A file of a result is not there, or is none that is kept.
    Artifact {
        /// The file as it was named.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Reading or writing failed.
    Io {
        /// What could not be done.
        what: String,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, why } => {
                write!(f, "{} cannot be used and is left as it is: {why}", file.display())
            }
            Self::Refused(why) => write!(f, "{why}"),
            Self::Artifact { file, why } => write!(f, "artifact {}: {why}", file.display()),
            Self::Io { what, error } => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for ReportError {}

/// Keys of a result that have an option of their own.
const RESERVED: &[&str] = &[
    "outcome",
    "result",
    "checkname",
    "testcase",
    "test",
    "name",
    "item",
    "type",
    "note",
    "artifact",
    "artifacts",
    "log",
    "logs",
];

/// Puts a result into the file of results.
///
/// # Errors
/// A file that cannot be used, a result that leaves the bounds, or what the system says. The file is then as it was.
pub fn report(results_file: &Path, report: Report) -> Result<Place, ReportError> {
    let entry = entry(report)?;
    let folder = results_file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // held until the end of the function; the lock of a process that dies ends with it
    let _lock = lock(folder)?;
    let mut items = match left_file::read_file(results_file, limits::RESULTS_FILE_BYTES, HardLinks::Refused) {
        Ok(bytes) => read(bytes).map_err(|why| unreadable(results_file, why))?,
        Err(Refused::Missing) => Vec::new(),
        Err(refused) => return Err(unreadable(results_file, refused.to_string())),
    };
    let place = put(&mut items, entry).map_err(|why| unreadable(results_file, why))?;
    if items.len() > limits::RESULTS_PER_RUN {
        let most = limits::RESULTS_PER_RUN;
        return Err(ReportError::Refused(format!(
            "a run has at most {most} results; report some of them as one"
        )));
    }
    let mut text = serde_json::to_vec_pretty(&json!({ "results": items }))
        .map_err(|error| io_error("writing results", error.into()))?;
    text.push(b'\n');
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > limits::RESULTS_FILE_BYTES {
        return Err(ReportError::Refused(format!(
            "with it the results of the run are larger than {} bytes; keep data in a file, as --artifact",
            limits::RESULTS_FILE_BYTES
        )));
    }
    replace(folder, results_file, &text)?;
    Ok(place)
}

/// The path of a file relative to the artifact directory: of one that is there, by its path from there or, for a file
/// within it, any other.
///
/// # Errors
/// There is no such file below the directory, or it is none that is kept: a link, a pipe, a device.
pub fn artifact_path(artifacts: &Path, file: &Path) -> Result<String, ReportError> {
    let wrong = |why: String| ReportError::Artifact { file: file.to_owned(), why };
    let dir = LeftDir::open(artifacts, HardLinks::Refused)
        .map_err(|refused| wrong(format!("the artifact directory {}: {refused}", artifacts.display())))?;
    let inner = std::path::absolute(file).ok();
    let inner = inner.as_deref().and_then(|file| file.strip_prefix(artifacts).ok());
    let refused = match dir.open_file(file) {
        Ok(_) => return utf8(file).map_err(wrong),
        Err(refused) => refused,
    };
    match inner.map(|inner| (inner, dir.open_file(inner))) {
        Some((inner, Ok(_))) => utf8(inner).map_err(wrong),
        Some((_, Err(refused))) => Err(wrong(refused.to_string())),
        None if matches!(refused, Refused::Missing | Refused::Escapes) => Err(wrong(format!(
            "there is no such file in $TASKBOT_ARTIFACTS ({}); write it there, or copy it, before the report",
            artifacts.display()
        ))),
        None => Err(wrong(refused.to_string())),
    }
}

fn utf8(path: &Path) -> Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| "its name is not UTF-8".into())
}

/// The result as it stands in the file.
fn entry(report: Report) -> Result<Map<String, Value>, ReportError> {
    let refused = |why: String| Err(ReportError::Refused(why));
    let mut entry = Map::new();
    for (key, text) in report.data {
        if key.is_empty() || key.contains(':') {
            return refused(format!("data {key:?}: a key is some text without `:`"));
        }
        if RESERVED.contains(&key.as_str()) {
            return refused(format!(
                "data `{key}` is a part of the result itself and has an argument of its own"
            ));
        }
        if entry.insert(key.clone(), Value::String(text)).is_some() {
            return refused(format!("data `{key}` is given twice"));
        }
    }
    if serde_json::to_string(&entry).map_or(usize::MAX, |json| json.len()) > limits::RESULT_DATA_BYTES {
        return refused(format!(
            "data of a result is at most {} bytes; write it to a file and name that as --artifact",
            limits::RESULT_DATA_BYTES
        ));
    }
    if report.artifacts.len() > limits::RESULT_ARTIFACTS {
        return refused(format!("a result names at most {} artifacts", limits::RESULT_ARTIFACTS));
    }
    for (key, what, text) in [
        ("name", "the test case", report.testcase),
        ("item", "the item", report.item),
        ("type", "the type", report.item_type),
    ] {
        let Some(text) = text else { continue };
        if text.trim().is_empty() || text.len() > limits::RESULT_NAME_BYTES {
            return refused(format!("{what} is empty, or longer than {} bytes", limits::RESULT_NAME_BYTES));
        }
        entry.insert(key.into(), Value::String(text));
    }
    entry.insert("outcome".into(), json!(report.outcome));
    entry.extend(report.note.map(|note| ("note".to_owned(), Value::String(note))));
    if !report.artifacts.is_empty() {
        entry.insert("artifacts".into(), json!(report.artifacts));
    }
    Ok(entry)
}

fn read(bytes: Vec<u8>) -> Result<Vec<Value>, String> {
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text")?;
    // a file that a script made empty in advance
    if text.trim().is_empty() { Ok(Vec::new()) } else { result_yaml::items(&text) }
}

/// Puts an entry in the place of one about the same, else at the end.
fn put(items: &mut Vec<Value>, entry: Map<String, Value>) -> Result<Place, String> {
    let about = |index: usize, item: &Value| {
        let reported = result_yaml::result(index, item.clone())?;
        Ok::<_, String>((reported.name, reported.naming, reported.item, reported.item_type))
    };
    let entry = Value::Object(entry);
    let new = about(items.len(), &entry)?;
    for (index, item) in items.iter_mut().enumerate() {
        if about(index, item)? == new {
            *item = entry;
            return Ok(Place::Replaced);
        }
    }
    items.push(entry);
    Ok(Place::Added)
}

/// Waits until nobody else writes results there.
fn lock(folder: &Path) -> Result<std::os::fd::OwnedFd, ReportError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let what = || format!("the folder of $TASKBOT_RESULTS, {}", folder.display());
    let folder =
        rustix::fs::open(folder, flags, Mode::empty()).map_err(|errno| io_error(what(), errno.into()))?;
    loop {
        match rustix::fs::flock(&folder, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(folder),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(io_error(what(), errno.into())),
        }
    }
}

/// Puts a new file in the place of the old one.
fn replace(folder: &Path, file: &Path, text: &[u8]) -> Result<(), ReportError> {
    let failed = |error: io::Error| io_error(format!("writing {}", file.display()), error);
    let mut new = tempfile::Builder::new()
        .prefix(".results-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(failed)?;
    new.write_all(text).map_err(failed)?;
    new.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}

fn unreadable(file: &Path, why: String) -> ReportError {
    ReportError::Unreadable { file: file.to_owned(), why }
}

fn io_error(what: impl Into<String>, error: io::Error) -> ReportError {
    ReportError::Io { what: what.into(), error }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn of(outcome: Outcome, testcase: &str) -> Report {
        Report {
            outcome,
            testcase: Some(testcase.into()),
            item: None,
            item_type: None,
            note: None,
            artifacts: Vec::new(),
            data: Vec::new(),
        }
    }

    fn results(file: &Path) -> Value {
        serde_json::from_slice::<Value>(&fs::read(file).unwrap()).unwrap()["results"].take()
    }

    #[test]
    fn a_report_is_added_and_a_second_of_the_same_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("results.yml");
        assert_eq!(report(&file, of(Outcome::NeedsInspection, "a")).unwrap(), Place::Added);
        assert_eq!(report(&file, of(Outcome::Passed, "dist.b")).unwrap(), Place::Added);
        let about_another = Report { item: Some("x-1-1".into()), ..of(Outcome::Failed, "a") };
        assert_eq!(report(&file, about_another).unwrap(), Place::Added);
        let again = Report {
            note: Some("fine".into()),
            artifacts: vec!["a.log".into()],
            data: vec![("arch".into(), "x86_64".into())],
            ..of(Outcome::Passed, "a")
        };
        assert_eq!(report(&file, again).unwrap(), Place::Replaced);
        assert_eq!(
            results(&file),
            json!([
                {"name": "a", "outcome": "PASSED", "note": "fine", "artifacts": ["a.log"], "arch": "x86_64"},
                {"name": "dist.b", "outcome": "PASSED"},
                {"name": "a", "item": "x-1-1", "outcome": "FAILED"},
            ])
        );
        let left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["results.yml"], "nothing is left beside it");
    }

    #[test]
    fn results_that_a_script_wrote_by_hand_stay() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("results.yml");
        fs::write(
            &file,
            "results:\n- {checkname: dist.a, outcome: FAILED, deep: {x: [1]}}\n- {test: b, result: pass}\n",
        )
        .unwrap();
        assert_eq!(report(&file, of(Outcome::Info, "c")).unwrap(), Place::Added);
        assert_eq!(report(&file, of(Outcome::Failed, "b")).unwrap(), Place::Replaced);
        assert_eq!(
            results(&file),
            json!([
                {"checkname": "dist.a", "outcome": "FAILED", "deep": {"x": [1]}},
                {"name": "b", "outcome": "FAILED"},
                {"name": "c", "outcome": "INFO"},
            ])
        );
        fs::write(&file, "").unwrap();
        report(&file, of(Outcome::Passed, "a")).unwrap();
        assert_eq!(results(&file).as_array().unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_used_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("results.yml");
        for content in ["results: [", "just words", "- {note: no outcome}"] {
            fs::write(&file, content).unwrap();
            let said = report(&file, of(Outcome::Passed, "a")).unwrap_err().to_string();
            assert!(said.contains("cannot be used and is left as it is"), "{said}");
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
        }
        fs::remove_file(&file).unwrap();
        symlink("/etc/hostname", &file).unwrap();
        let said = report(&file, of(Outcome::Passed, "a")).unwrap_err().to_string();
        assert!(said.contains("symbolic link"), "{said}");
        let said = report(&dir.path().join("no/r"), of(Outcome::Passed, "a")).unwrap_err().to_string();
        assert!(said.starts_with("the folder of $TASKBOT_RESULTS"), "{said}");
    }

    #[test]
    fn what_would_be_refused_later_is_refused_now() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("results.yml");
        let data =
            |key: &str, text: String| Report { data: vec![(key.into(), text)], ..of(Outcome::Passed, "a") };
        let twice = Report {
            data: vec![("k".into(), "1".into()), ("k".into(), "2".into())],
            ..of(Outcome::Passed, "a")
        };
        for (wrong, why) in [
            (data("a:b", "x".into()), "without `:`"),
            (data("note", "x".into()), "an argument of its own"),
            (data("k", "x".repeat(limits::RESULT_DATA_BYTES)), "at most 262144 bytes"),
            (twice, "given twice"),
            (of(Outcome::Passed, " "), "the test case is empty"),
            (of(Outcome::Passed, &"n".repeat(513)), "longer than 512 bytes"),
        ] {
            let said = report(&file, wrong).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
            assert!(!file.exists());
        }
        let full = vec![
            json!({ "outcome": "PASSED", "name": "x", "k": "y".repeat(420) });
            limits::RESULTS_PER_RUN - 1
        ];
        fs::write(&file, json!({ "results": full }).to_string()).unwrap();
        let large = data("k", "x".repeat(limits::RESULT_DATA_BYTES - 100));
        let said = report(&file, large).unwrap_err().to_string();
        assert!(said.contains("larger than 4194304 bytes"), "{said}");
        fs::write(&file, json!(vec![json!({ "outcome": "PASSED" }); limits::RESULTS_PER_RUN]).to_string())
            .unwrap();
        let said = report(&file, of(Outcome::Passed, "a")).unwrap_err().to_string();
        assert!(said.contains("at most 10000 results"), "{said}");
    }

    #[test]
    fn reports_at_once_are_all_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("results.yml");
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    for number in 0..10 {
                        report(file, of(Outcome::Passed, &format!("t{thread}-{number}"))).unwrap();
                        report(file, of(Outcome::Info, "of all")).unwrap();
                    }
                });
            }
        });
        assert_eq!(results(&file).as_array().unwrap().len(), 81);
    }

    #[test]
    fn artifacts_are_named_from_their_directory() {
        let dir = tempfile::tempdir().unwrap();
        let artifacts = dir.path().join("artifacts");
        fs::create_dir_all(artifacts.join("sub")).unwrap();
        fs::write(artifacts.join("sub/a.log"), "x").unwrap();
        fs::write(dir.path().join("outside.log"), "x").unwrap();
        symlink("/etc/hostname", artifacts.join("link")).unwrap();
        let path = |file: &str| artifact_path(&artifacts, Path::new(file)).map_err(|error| error.to_string());
        assert_eq!(path("sub/a.log").unwrap(), "sub/a.log");
        assert_eq!(path(artifacts.join("sub/a.log").to_str().unwrap()).unwrap(), "sub/a.log");
        assert!(path("missing.log").unwrap_err().contains("no such file in $TASKBOT_ARTIFACTS"));
        let outside = path(dir.path().join("outside.log").to_str().unwrap()).unwrap_err();
        assert!(outside.contains("copy it"), "{outside}");
        assert!(path("link").unwrap_err().contains("symbolic link"));
        assert!(path("sub").unwrap_err().contains("a directory"));
    }
}
