//! Orders: what a command asks of the daemon, left as files in the state directory.
//!
//! Comes in: `taskbot cancel`, `taskbot release`. Goes out: the same to the daemon, which looks often while it runs and
//! once when it starts. An order is durable when the command says so, and is removed when what it asks for is in the
//! store; a crash between repeats it, which changes nothing. The database has one writer, so commands do not write to
//! it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::store::RunId;

/// What is asked of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// End runs and clean up after them.
    Cancel {
        /// Which.
        runs: Vec<RunId>,
    },
    /// Let go of held requests.
    Release {
        /// Of one rule; none: of all.
        rule: Option<String>,
    },
}

/// Why an order could not be left.
#[derive(Debug)]
pub struct OrderError {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the order cannot be left in {}: {}; run the command as the user of the daemon",
            self.path.display(),
            self.error
        )
    }
}

impl std::error::Error for OrderError {}

/// Leaves an order for the daemon of a state directory; it is on disk when this returns.
///
/// # Errors
/// If the directory cannot be written.
pub fn leave(state_dir: &Path, order: &Order) -> Result<(), OrderError> {
    let folder = folder(state_dir);
    let write = || {
        fs::create_dir_all(&folder)?;
        // Names sort by time; the process keeps those of one instant apart.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("{:020}-{}", since.as_nanos(), std::process::id());
        let unfinished = folder.join(format!("{name}.part"));
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(order)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, folder.join(format!("{name}.json")))?;
        File::open(&folder)?.sync_all()
    };
    write().map_err(|error| OrderError { path: folder.clone(), error })
}

/// The orders that wait, oldest first, each with its file; what is none is named by its file alone.
pub(crate) fn waiting(state_dir: &Path) -> Vec<(PathBuf, Option<Order>)> {
    let Ok(entries) = fs::read_dir(folder(state_dir)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    paths.into_iter().map(|path| (read(&path).ok(), path)).map(|(order, path)| (path, order)).collect()
}

/// Removes an order that is carried out.
pub(crate) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "an order stays and is carried out again");
        }
        _ => {}
    }
}

fn read(path: &Path) -> io::Result<Order> {
    let mut text = Vec::new();
    File::open(path)?.take(limits::ORDER_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("orders")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn orders_wait_in_their_order_and_nonsense_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(waiting(dir.path()).is_empty(), "nobody left one");
        let orders = [
            Order::Cancel { runs: vec![RunId(3), RunId(4)] },
            Order::Release { rule: Some("look".into()) },
            Order::Release { rule: None },
        ];
        orders.iter().for_each(|order| leave(dir.path(), order).unwrap());
        fs::write(folder(dir.path()).join("9.json"), "{\"order\":\"dance\"}").unwrap();
        fs::write(folder(dir.path()).join("9.part"), "{").unwrap();
        let found = waiting(dir.path());
        let read: Vec<Option<Order>> = found.iter().map(|(_, order)| order.clone()).collect();
        let expected: Vec<Option<Order>> = orders.into_iter().map(Some).chain([None]).collect();
        assert_eq!(read, expected);
        found.iter().for_each(|(path, _)| remove(path));
        assert!(waiting(dir.path()).is_empty());
    }
}
