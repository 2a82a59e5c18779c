//! Making a bare repository with one commit, from files in memory.
//!
//! Comes in: files and an empty directory. Goes out: a bare repository whose `main` and HEAD are one commit, and its id. The same
//! files always give the same id: author and time are fixed. No index, no work tree, no configuration of the user.

use std::path::Path;

use git2::{FileMode, Oid, Repository, Signature, Time};

use super::{FetchAnswer, RepositoryFile};

pub(super) fn make(bare: &Path, files: &[RepositoryFile]) -> Result<FetchAnswer, FetchAnswer> {
    let repository = Repository::init_bare(bare)?;
    let names: Vec<(Vec<&str>, &RepositoryFile)> =
        files.iter().map(|f| (f.path.split('/').collect(), f)).collect();
    let tree = tree(&repository, &names, 0)?;
    let tree = repository.find_tree(tree)?;
    let author = Signature::new("taskbot", "taskbot@localhost", &Time::new(0, 0))?;
    let commit = repository.commit(Some("refs/heads/main"), &author, &author, "standard task", &tree, &[])?;
    repository.set_head("refs/heads/main")?;
    Ok(FetchAnswer::Done(commit.to_string(), Vec::new()))
}

/// The tree of the files that share their first `depth` words.
fn tree(
    repository: &Repository,
    files: &[(Vec<&str>, &RepositoryFile)],
    depth: usize,
) -> Result<Oid, git2::Error> {
    let mut builder = repository.treebuilder(None)?;
    let mut rest = files;
    while let Some((words, file)) = rest.first() {
        let Some(word) = words.get(depth) else { break };
        let same = rest.iter().take_while(|(w, _)| w.get(depth) == Some(word)).count();
        let (group, behind) = rest.split_at(same);
        rest = behind;
        if words.len() == depth.saturating_add(1) {
            let blob = repository.blob(&file.bytes)?;
            let mode = if file.executable { FileMode::BlobExecutable } else { FileMode::Blob };
            builder.insert(word, blob, mode.into())?;
        } else {
            builder.insert(word, tree(repository, group, depth.saturating_add(1))?, FileMode::Tree.into())?;
        }
    }
    builder.write()
}
