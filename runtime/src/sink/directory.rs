//! The sink that is a directory: `<path>/<run>.json` with everything about a run, `<path>/<run>.xml` as JUnit.
//!
//! Comes in: a run's document. Goes out: two files, each replaced as a whole, so a reader never sees half of one and
//! a second delivery changes nothing. File names are made of the run's number alone.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::{SinkError, junit};
use crate::store::RunReport;

pub(super) fn deliver(path: &Path, run: &RunReport) -> Result<(), SinkError> {
    let json = serde_json::to_vec_pretty(run).map_err(|e| SinkError::Form(e.to_string()))?;
    let xml = junit::document(run).map_err(|e| SinkError::Form(e.to_string()))?;
    fs::create_dir_all(path).map_err(|e| SinkError::Io(path.to_owned(), e))?;
    for (extension, bytes) in [("json", json), ("xml", xml)] {
        let file = path.join(format!("{}.{extension}", run.run.id));
        replace(&file, &bytes).map_err(|e| SinkError::Io(file.clone(), e))?;
    }
    // The names must be on disk as well before the parcel counts as delivered.
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|e| SinkError::Io(path.to_owned(), e))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_added_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}
