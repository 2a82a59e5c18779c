//! Loading rules: files from disk, manifests of the standard tasks, compiled together.
//!
//! Comes in: paths as the user wrote them; a directory stands for the .tb files in it. Goes out: what the compiler makes of them.
//! It changes nothing and prints nothing.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use taskbot_compiler::{Compiled, Compiler, Manifest, ManifestInput, Needed, SourceText, compile, imports};
use taskbot_runtime::task;

use crate::output::Failure;

/// Largest rule file: about 50 000 rules.
pub const FILE_BYTES_MAX: u64 = 16 << 20;
/// Most files that a program may be made of.
const FILES_MAX: usize = 10_000;

/// At the beginning of a file, as editors of other systems write it; it is no text.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// Compiles rule files, together with the standard library.
pub fn load(paths: &[PathBuf]) -> Result<Compiled, Failure> {
    compiled(&sources(paths)?)
}

/// The same with a compiler that remembers the rules of last time.
pub fn load_again<'c>(compiler: &'c mut Compiler, paths: &[PathBuf]) -> Result<&'c Compiled, Failure> {
    Ok(compiler.compile(&sources(paths)?, &manifests()?))
}

/// Compiles the texts of rule files, together with the standard library.
pub fn compiled(sources: &[SourceText]) -> Result<Compiled, Failure> {
    Ok(compile(sources, &manifests()?))
}

/// The texts of rule files, and of those that they use.
pub fn sources(paths: &[PathBuf]) -> Result<Vec<SourceText>, Failure> {
    let mut sources = files(paths)?.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    add_imports(&mut sources);
    Ok(sources)
}

/// The rule files that these paths stand for.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        add(path, &mut files)?;
    }
    Ok(files)
}

/// Adds the files that others use, and those that these use. One that cannot be read is left to the compiler, which knows who asks
/// for it.
fn add_imports(sources: &mut Vec<SourceText>) {
    let mut at = 0;
    while let Some(source) = sources.get(at) {
        for path in imports(source) {
            if sources.len() < FILES_MAX
                && !sources.iter().any(|s| s.path == path)
                && Path::new(&path).is_file()
                && let Ok(read) = read(Path::new(&path))
            {
                sources.push(read);
            }
        }
        at = at.saturating_add(1);
    }
}

fn add(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |e: std::io::Error| Failure::new(format!("cannot read {}: {e}", path.display()));
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        if entry.extension().is_some_and(|e| e == "tb") {
            found.push(entry);
        }
    }
    if found.is_empty() {
        return Err(Failure::new(format!("{} holds no .tb file", path.display())));
    }
    found.sort();
    files.extend(found);
    Ok(())
}

/// The text of a rule file.
pub fn read(path: &Path) -> Result<SourceText, Failure> {
    let fail = |why: String| Failure::new(format!("cannot read {}: {why}", path.display()));
    // A pipe or device has no length, and may have no end.
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| fail(e.to_string()))?;
    let most = FILE_BYTES_MAX.saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(|e| fail(e.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(fail(format!("it has more than {FILE_BYTES_MAX} bytes; split it")));
    }
    let text = String::from_utf8(bytes).map_err(|e| fail(format!("it is not UTF-8 text: {e}")))?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).map(str::to_owned).unwrap_or(text);
    Ok(SourceText { path: path.display().to_string(), text })
}

/// The inputs of the standard tasks, for comparison with their declarations.
fn manifests() -> Result<Vec<Manifest>, Failure> {
    let mut manifests = Vec::new();
    for standard in taskbot_stdlib::tasks() {
        let Some((_, bytes, _)) = standard.files.iter().find(|(path, ..)| *path == "task.toml") else {
            continue;
        };
        let manifest = task::Manifest::parse(&String::from_utf8_lossy(bytes))
            .map_err(|e| Failure::new(format!("standard task {}: {e}", standard.name)))?;
        let inputs = manifest.inputs.into_iter().map(|input| ManifestInput {
            name: input.name,
            ty: input.type_name,
            needed: if input.default.is_some() { Needed::No } else { Needed::Yes },
        });
        manifests.push(Manifest { task: standard.name.to_owned(), inputs: inputs.collect() });
    }
    Ok(manifests)
}
