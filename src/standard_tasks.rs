//! The standard tasks as git repositories, so that they are cloned like any other task.
//!
//! Comes in: the tasks embedded in this binary. Goes out: a directory with a bare `NAME.git` for each, at a commit that only
//! depends on their files. Made once for each version of them, through the fetch worker.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use taskbot_runtime::fetch::{self, RepositoryFile};
use taskbot_runtime::spawn::WorkerProgram;
use taskbot_stdlib::FileMode;

use crate::output::Failure;

/// Makes what is missing below the state directory; gives the directory of the repositories.
pub async fn prepare(state_dir: &Path) -> Result<PathBuf, Failure> {
    // A name for this version of the files, not a protection: it only keeps versions apart.
    let mut hasher = DefaultHasher::new();
    for task in taskbot_stdlib::tasks() {
        (
            task.name,
            task.files
                .iter()
                .map(|(path, bytes, mode)| (path, bytes, *mode == FileMode::Executable))
                .collect::<Vec<_>>(),
        )
            .hash(&mut hasher);
    }
    let folder = state_dir.join("standard-tasks").join(format!("{:016x}", hasher.finish()));
    for task in taskbot_stdlib::tasks() {
        let repository = folder.join(format!("{}.git", task.name));
        if repository.join("HEAD").exists() {
            continue;
        }
        let files = task.files.iter().map(|(path, bytes, mode)| RepositoryFile {
            path: (*path).to_owned(),
            bytes: bytes.to_vec(),
            executable: *mode == FileMode::Executable,
        });
        fetch::make_repository(&WorkerProgram::current(), files.collect(), &repository).await.map_err(
            |e| Failure::new(format!("cannot lay out the standard tasks in {}: {e}", folder.display())),
        )?;
    }
    Ok(folder)
}
