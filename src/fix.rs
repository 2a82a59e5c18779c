//! `taskbot check --fix`: suggestions taken, in rounds, until none is left.
//!
//! Comes in: the texts of rule files, and how safe a suggestion must be. Goes out: the new texts with what was mended, a
//! difference to look at, or the files written, each at once with its permissions. Two suggestions for one place are taken in
//! different rounds, the second only if it is still made. The standard library is never touched, nor a file that changed
//! on disk meanwhile. A safe suggestion that broke the rules would be a mistake of the compiler: then nothing is written.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use serde::Serialize;
use similar::TextDiff;
use taskbot_compiler::{
    Compiled, Diagnostic, Domains, Levels, Safety, Selection, SourceText, Suggestion, findings, select,
};

use crate::format::human::harmless;
use crate::format::severities;
use crate::output::{Failure, Paint};
use crate::render::{Places, Spot, Whose, clamp};
use crate::rules::BYTE_ORDER_MARK;

/// Suggestions that each make room for another one end somewhere.
const ROUNDS_MAX: usize = 20;

/// A finding that was mended.
#[derive(Clone, Debug, Serialize)]
pub struct Mended {
    /// Its code.
    pub id: &'static str,
    /// The code's name.
    pub name: &'static str,
    /// What was wrong.
    pub message: String,
    /// Where it was in its round.
    #[serde(flatten)]
    pub spot: Spot,
    /// How safe that was.
    pub safety: Safety,
}

/// A file with another text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As it was named.
    pub path: String,
    /// As it was read.
    pub before: String,
    /// As it shall be.
    pub after: String,
}

/// What mending gives.
#[derive(Debug)]
pub struct Mending {
    /// The program as it is afterwards.
    pub compiled: Compiled,
    /// What is still found.
    pub left: Selection,
    /// What was mended, in order.
    pub mended: Vec<Mended>,
    /// The files that differ.
    pub changes: Vec<Change>,
}

/// Takes the suggestions that are at least as safe as asked for, and compiles again until there is none.
pub fn mend(
    sources: Vec<SourceText>,
    levels: &Levels,
    domains: &Domains,
    safety: Safety,
    compile: impl Fn(&[SourceText]) -> Result<Compiled, Failure>,
) -> Result<Mending, Failure> {
    let mut sources = sources;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources.dedup_by(|a, b| a.path == b.path);
    let before = sources.clone();
    let mut mended = Vec::new();
    let mut compiled = compile(&sources)?;
    let mut left = select(&findings(&compiled, domains), levels);
    for _ in 0..ROUNDS_MAX {
        let taken = round(&compiled, &left.shown, safety);
        if taken.is_empty() {
            break;
        }
        let places = Places::new(&compiled.files);
        for (path, edits) in &taken {
            for source in sources.iter_mut().filter(|source| source.path == *path) {
                source.text = edited(&source.text, edits);
            }
            mended.extend(edits.iter().map(|(diagnostic, suggestion)| Mended {
                id: diagnostic.code.id,
                name: diagnostic.code.name,
                message: diagnostic.message.clone(),
                spot: places.spot(diagnostic.primary.place),
                safety: suggestion.safety,
            }));
        }
        let errors = severities(&left.shown).0;
        compiled = compile(&sources)?;
        left = select(&findings(&compiled, domains), levels);
        if safety == Safety::Safe && severities(&left.shown).0 > errors {
            return Err(Failure::new(
                "a fix would have broken the rules, so nothing was written; please report this",
            ));
        }
    }
    let changes = before.into_iter().zip(sources).filter(|(before, after)| before.text != after.text);
    let change = |(b, a): (SourceText, SourceText)| Change { path: b.path, before: b.text, after: a.text };
    Ok(Mending { left, mended, changes: changes.map(change).collect(), compiled })
}

type Edits<'c> = Vec<(&'c Diagnostic, &'c Suggestion)>;

/// The suggestions to take at once: by file, in order, none touching another.
fn round<'c>(
    compiled: &'c Compiled,
    shown: &'c [Diagnostic],
    safety: Safety,
) -> BTreeMap<&'c str, Edits<'c>> {
    let places = Places::new(&compiled.files);
    let mut edits: Edits<'c> = shown.iter().filter_map(|d| Some((d, d.suggestion.as_ref()?))).collect();
    edits.retain(|(_, s)| s.safety <= safety && places.file(s.place).1 == Whose::Own);
    edits.sort_by_key(|(_, s)| (s.place.file, s.place.start, s.place.end));
    let mut taken: BTreeMap<&str, Edits<'c>> = BTreeMap::new();
    for (diagnostic, suggestion) in edits {
        let in_file = taken.entry(places.file(suggestion.place).0).or_default();
        if in_file.last().is_none_or(|(_, last)| last.place.end < suggestion.place.start) {
            in_file.push((diagnostic, suggestion));
        }
    }
    taken
}

fn edited(text: &str, edits: &Edits<'_>) -> String {
    let mut edited = text.to_owned();
    for (_, suggestion) in edits.iter().rev() {
        let (start, end) = (clamp(text, suggestion.place.start), clamp(text, suggestion.place.end));
        edited.replace_range(start..end.max(start), &suggestion.text);
    }
    edited
}

/// Writes changed files. A file is replaced as a whole, so that nobody reads half of one.
pub fn write(changes: &[Change]) -> Result<(), Failure> {
    changes.iter().try_for_each(|change| {
        replace(change).map_err(|why| Failure::new(format!("cannot write {}: {why}", change.path)))
    })
}

fn replace(change: &Change) -> Result<(), String> {
    let said = |error: std::io::Error| error.to_string();
    // A link goes on pointing to the file.
    let path = fs::canonicalize(Path::new(&change.path)).map_err(said)?;
    let metadata = fs::metadata(&path).map_err(said)?;
    if !metadata.is_file() || metadata.permissions().readonly() {
        return Err("it is not a file that can be written".into());
    }
    let now = fs::read_to_string(&path).map_err(said)?;
    let mark = if now.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.to_string() } else { String::new() };
    if now.strip_prefix(mark.as_str()) != Some(change.before.as_str()) {
        return Err("it was changed meanwhile; check it again".into());
    }
    let folder = path.parent().ok_or("it is in no directory")?;
    let mut new = tempfile::Builder::new().prefix(".taskbot-fix-").tempfile_in(folder).map_err(said)?;
    new.write_all(mark.as_bytes()).and_then(|()| new.write_all(change.after.as_bytes())).map_err(said)?;
    new.as_file().set_permissions(metadata.permissions()).map_err(said)?;
    new.as_file().sync_all().map_err(said)?;
    new.persist(&path).map_err(|error| error.error.to_string())?;
    Ok(())
}

/// Changes as a unified difference, as `patch` reads it; where people look at it, without characters that steer a terminal.
pub fn difference(changes: &[Change], paint: Paint) -> String {
    let one = |change: &Change| {
        let diff = TextDiff::from_lines(&change.before, &change.after);
        let mut unified = diff.unified_diff();
        let text = unified.context_radius(3).header(&change.path, &change.path).to_string();
        if paint.is_on() || io::stdout().is_terminal() {
            text.lines().map(|line| coloured(line, paint)).collect()
        } else {
            text
        }
    };
    changes.iter().map(one).collect()
}

fn coloured(line: &str, paint: Paint) -> String {
    let plain = harmless(line);
    match line.chars().next() {
        Some('+') => format!("{}\n", paint.green(&plain)),
        Some('-') => format!("{}\n", paint.red(&plain)),
        _ => format!("{plain}\n"),
    }
}
