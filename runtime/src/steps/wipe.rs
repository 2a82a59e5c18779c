//! Removing what attempts leave on the disk.
//!
//! Comes in: the directory of an attempt, or at the start that of all runs. Goes out: nothing is there any more, or
//! what could not be removed. A task may take the rights from its own directories; they are given back first. It
//! never follows a link, and of the runs it leaves alone those that are still open.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::store::RunId;

/// Removes a directory with all that is in it; one that is not there is fine.
pub(super) fn remove_all(dir: &Path) -> io::Result<()> {
    let removed = match fs::remove_dir_all(dir) {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            give_rights_back(dir)?;
            fs::remove_dir_all(dir)
        }
        removed => removed,
    };
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Lets the owner read and change a directory and all below it.
fn give_rights_back(dir: &Path) -> io::Result<()> {
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        let mode = fs::symlink_metadata(&dir)?.permissions().mode();
        if mode & 0o700 != 0o700 {
            fs::set_permissions(&dir, Permissions::from_mode(mode | 0o700))?;
        }
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Removes the directories of runs that are over, which a crash or a failed clean-up left.
pub(crate) fn sweep(state_dir: &Path, open: &BTreeSet<RunId>) {
    let Ok(entries) = fs::read_dir(state_dir.join("runs")) else { return };
    for entry in entries.flatten() {
        let run = entry.file_name().to_str().and_then(|name| name.parse().ok()).map(RunId);
        let dir = entry.path();
        match run.filter(|run| !open.contains(run)).map(|_| remove_all(&dir)) {
            Some(Ok(())) => tracing::info!(dir = %dir.display(), "removed what an ended run had left"),
            Some(Err(error)) => {
                tracing::warn!(dir = %dir.display(), %error, "an ended run left this; remove it by hand");
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn locked(dir: &Path) {
        let below = dir.join("a/b");
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join("file"), "x").unwrap();
        for dir in [below, dir.join("a")] {
            fs::set_permissions(dir, Permissions::from_mode(0o000)).unwrap();
        }
    }

    #[test]
    fn directories_without_rights_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let attempt = dir.path().join("attempt");
        locked(&attempt);
        // Root needs no rights: so they are looked at as well.
        give_rights_back(&attempt).unwrap();
        let mode = |name: &str| fs::metadata(attempt.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("a"), mode("a/b")), (0o700, 0o700));
        fs::remove_dir_all(&attempt).unwrap();
        locked(&attempt);
        remove_all(&attempt).unwrap();
        assert!(!attempt.exists());
        remove_all(&attempt).unwrap();
    }

    #[test]
    fn a_sweep_leaves_open_runs_and_what_is_no_run() {
        let dir = tempfile::tempdir().unwrap();
        for run in ["1", "2", "mine"] {
            locked(&dir.path().join("runs").join(run).join("1"));
        }
        sweep(dir.path(), &BTreeSet::from([RunId(2)]));
        let left = |run: &str| dir.path().join("runs").join(run).exists();
        assert_eq!((left("1"), left("2"), left("mine")), (false, true, true));
        give_rights_back(dir.path()).unwrap();
    }
}
