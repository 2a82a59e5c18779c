//! Writes the lists that `lib.rs` embeds: every `*.tb`, every folder of `tasks/` and of `samples/`.
//!
//! A build script and not a crate for embedding, because the executable bit of a task's files has to come along.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    println!("cargo::rerun-if-changed=.");
    let mut code = String::from("const MODULES: &[(&str, &str)] = &[\n");
    for path in sorted(&root)? {
        if path.extension().is_some_and(|e| e == "tb") {
            let name = path.file_stem().unwrap_or_default();
            let _ = writeln!(code, "    ({name:?}, include_str!({})),", here(&root, &path)?);
        }
    }
    code.push_str("];\n");
    for (constant, folder) in [("TASKS", "tasks"), ("SAMPLES", "samples")] {
        let _ = writeln!(code, "const {constant}: &[FileTree] = &[");
        for tree in sorted(&root.join(folder))?.into_iter().filter(|path| path.is_dir()) {
            let name = tree.file_name().unwrap_or_default();
            let _ = writeln!(code, "    FileTree {{ name: {name:?}, files: &[");
            files(&root, &tree, &tree, &mut code)?;
            code.push_str("    ] },\n");
        }
        code.push_str("];\n");
    }
    fs::write(out.join("embedded.rs"), code)
}

fn files(root: &Path, tree: &Path, folder: &Path, code: &mut String) -> io::Result<()> {
    for path in sorted(folder)? {
        if path.is_dir() {
            files(root, tree, &path, code)?;
            continue;
        }
        let executable = fs::metadata(&path)?.permissions().mode() & 0o100 != 0;
        let mode = if executable { "Executable" } else { "Plain" };
        let name = path.strip_prefix(tree).map_err(io::Error::other)?;
        let file = here(root, &path)?;
        let _ = writeln!(code, "        ({name:?}, include_bytes!({file}), FileMode::{mode}),");
    }
    Ok(())
}

/// A file's path as code, from wherever this crate is when the code is compiled: a copied or moved checkout may bring the
/// generated list along.
fn here(root: &Path, path: &Path) -> io::Result<String> {
    let below = Path::new("/").join(path.strip_prefix(root).map_err(io::Error::other)?);
    Ok(format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), {below:?})"))
}

/// Entries of a folder, hidden ones and caches left out, in the order of their names.
fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with('.') && name != "__pycache__" {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
