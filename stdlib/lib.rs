//! The standard library: modules in the language, the standard tasks, and sample packages to try them on.
//!
//! Comes in: the files of this folder, embedded when it is built (`build.rs`). Goes out: their names and bytes. It never
//! reads a file at run time and knows neither the language nor the contract of tasks.
#![forbid(unsafe_code)]

/// Whether a file may be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMode {
    /// Mode 0644.
    Plain,
    /// Mode 0755.
    Executable,
}

/// A folder of files: a task's repository or a sample package.
#[derive(Clone, Copy, Debug)]
pub struct FileTree {
    /// Its name, `rpmlint`.
    pub name: &'static str,
    /// `(path relative to the folder with "/", bytes, mode)`, in the order of the paths.
    pub files: &'static [(&'static str, &'static [u8], FileMode)],
}

/// A standard task, each a complete task repository.
pub type StandardTask = FileTree;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The modules, `(name without ".tb", text)`, in the order of their names.
pub fn modules() -> &'static [(&'static str, &'static str)] {
    MODULES
}

/// The standard tasks, in the order of their names.
pub fn tasks() -> &'static [StandardTask] {
    TASKS
}

/// Small source packages with known properties, written for tests and for the demonstration.
pub fn samples() -> &'static [FileTree] {
    SAMPLES
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_task_has_a_manifest_a_readme_and_a_command_that_can_run() {
        assert!(tasks().iter().any(|task| task.name == "rpmlint"));
        for task in tasks() {
            let mode = |wanted: &str| task.files.iter().find(|(path, ..)| *path == wanted).map(|file| file.2);
            assert_eq!(mode("task.toml"), Some(FileMode::Plain), "{}", task.name);
            assert_eq!(mode("README.md"), Some(FileMode::Plain), "{}", task.name);
            assert!(task.files.iter().any(|file| file.2 == FileMode::Executable), "{}", task.name);
            let executable_without_shebang = task
                .files
                .iter()
                .find(|(_, bytes, mode)| *mode == FileMode::Executable && !bytes.starts_with(b"#!"));
            assert_eq!(executable_without_shebang, None, "{}", task.name);
        }
    }

    #[test]
    fn embedded_bytes_are_those_of_the_files() {
        let task = tasks().iter().find(|task| task.name == "rpmlint").unwrap();
        let (path, bytes, _) = task.files.iter().find(|(path, ..)| *path == "task.toml").unwrap();
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tasks/rpmlint").join(path);
        assert_eq!(std::fs::read(file).unwrap(), *bytes);
    }
}
