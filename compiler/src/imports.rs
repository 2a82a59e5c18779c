//! Imports: `use "other.tb"`.
//!
//! Comes in: the files of a program, and their `use` lines. Goes out: which further files a file asks for, for whoever loads them;
//! and, once all are there, what is wrong: a file that is missing, files that use each other in a circle. It reads no file.

use std::collections::BTreeMap;

use taskbot_graph::{Place, SourceFile};

use crate::SourceText;
use crate::diagnostic::{Diagnostic, TB0215, TB0216};
use crate::names::Names;

/// The paths of the files that a file uses, beside it: `rules/a.tb` and `use "b.tb"` give `rules/b.tb`.
pub fn imports(source: &SourceText) -> Vec<String> {
    taskbot_grammar::uses(&source.text).iter().filter_map(|path| beside(&source.path, &path.text)).collect()
}

/// A path beside a file, without `.` and with `..` resolved; none if it is absolute or names no rule file.
pub(crate) fn beside(file: &str, path: &str) -> Option<String> {
    // Only rules are read: a diagnostic quotes what it is about.
    if !path.ends_with(".tb") || path.starts_with('/') || path.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| !p.is_empty() && *p != "..") => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}

/// Reports files that are not there, and circles.
pub(crate) fn check(names: &Names<'_>, files: &[SourceFile], diagnostics: &mut Vec<Diagnostic>) {
    let places: BTreeMap<&str, u32> =
        files.iter().zip(0..).map(|(file, at)| (file.path.as_str(), at)).collect();
    // For each file, the files that it uses, with the place of the `use`.
    let mut uses: BTreeMap<u32, Vec<(u32, Place)>> = BTreeMap::new();
    for import in &names.imports {
        let place = import.place(import.node.span);
        let path = files.get(import.file as usize).and_then(|file| beside(&file.path, &import.node.text));
        match path.as_deref().and_then(|path| places.get(path)) {
            Some(used) => uses.entry(import.file).or_default().push((*used, place)),
            None => {
                let help = match path {
                    Some(path) => {
                        format!("there is no readable file {path}; the path is taken from beside this file")
                    }
                    None => "write the path of a .tb file, relative to this one".to_owned(),
                };
                let message = format!("cannot use {:?}", import.node.text);
                diagnostics.push(Diagnostic::new(&TB0215, place, message, "no such file").help(help));
            }
        }
    }
    let mut state = BTreeMap::new();
    for file in uses.keys() {
        circle(*file, &uses, &mut state, &mut Vec::new(), files, diagnostics);
    }
}

/// How far a file was followed.
#[derive(Clone, Copy, PartialEq)]
enum Followed {
    Open,
    Done,
}

fn circle(
    at: u32,
    uses: &BTreeMap<u32, Vec<(u32, Place)>>,
    state: &mut BTreeMap<u32, Followed>,
    way: &mut Vec<u32>,
    files: &[SourceFile],
    diagnostics: &mut Vec<Diagnostic>,
) {
    if state.insert(at, Followed::Open) == Some(Followed::Done) {
        state.insert(at, Followed::Done);
        return;
    }
    way.push(at);
    for (used, place) in uses.get(&at).into_iter().flatten() {
        if state.get(used) == Some(&Followed::Open) {
            let from = way.iter().position(|w| w == used).unwrap_or_default();
            let around = way.iter().skip(from).chain([used]);
            let names: Vec<&str> =
                around.filter_map(|f| files.get(*f as usize)).map(|f| f.path.as_str()).collect();
            let message = format!("files use each other in a circle: {}", names.join(" -> "));
            let help = "move what both need into a third file, or join them";
            diagnostics.push(Diagnostic::new(&TB0216, *place, message, "closes the circle").help(help));
        } else {
            circle(*used, uses, state, way, files, diagnostics);
        }
    }
    way.pop();
    state.insert(at, Followed::Done);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_from_beside_its_file() {
        let cases = [
            ("rules.tb", "b.tb", Some("b.tb")),
            ("a/rules.tb", "./b.tb", Some("a/b.tb")),
            ("a/rules.tb", "../b.tb", Some("b.tb")),
            ("rules.tb", "../b.tb", Some("../b.tb")),
            ("/etc/taskbot/rules.tb", "sub/b.tb", Some("/etc/taskbot/sub/b.tb")),
            ("rules.tb", "/b.tb", None),
            ("rules.tb", "", None),
            ("rules.tb", "../passwd", None),
        ];
        for (file, path, expected) in cases {
            assert_eq!(beside(file, path).as_deref(), expected, "{file} {path}");
        }
    }
}
