//! Python environments for the peers that are written in Python: made once under `target/`, versions pinned in `tests/peers`.
//!
//! Comes in: the name of a requirements file. Goes out: its interpreter, or none where the packages cannot be had.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::require;
use super::site::project;

/// The interpreter of the environment of `tests/peers/NAME.txt`; none: the test ends as skipped.
pub fn environment(name: &str) -> Option<PathBuf> {
    let requirements = project().join(format!("tests/peers/{name}.txt"));
    let wanted = fs::read_to_string(&requirements).unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("peers-{name}"));
    fs::create_dir_all(&folder).unwrap();
    // Tests run side by side; one of them makes it.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (made, venv) = (folder.join("made"), folder.join("venv"));
    let python = venv.join("bin/python");
    let ready = fs::read_to_string(&made).is_ok_and(|made| made == wanted) || {
        let _ = fs::remove_dir_all(&venv);
        let install = ["-m", "pip", "install", "--quiet", "--no-deps", "-r", requirements.to_str().unwrap()];
        succeeds(Command::new("python3").args(["-m", "venv"]).arg(&venv))
            && succeeds(Command::new(&python).args(install))
            && fs::write(&made, &wanted).is_ok()
    };
    require("python", ready).then_some(python)
}

fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A script of `tests/peers`.
pub fn script(name: &str) -> PathBuf {
    project().join("tests/peers").join(name)
}
