//! Places in source text, as people and programs are told them.
//!
//! Comes in: places in bytes, and the files. Goes out: file, line and column (both from 1, columns in characters or, where a
//! format wants it, in UTF-16 code units), or the text itself. Every place is clamped to the text, so that none is refused.

use serde::Serialize;
use taskbot_graph::{Place, SourceFile};

/// A place for programs and for one line of text.
#[derive(Clone, Debug, Serialize)]
pub struct Spot {
    /// The file as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Spot {
    /// `rules.tb:3:7`
    pub fn short(&self) -> String {
        format!("{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Where a place is.
pub fn spot(files: &[SourceFile], place: Place) -> Spot {
    let Some(file) = files.get(place.file as usize) else {
        return Spot { file: String::new(), line: 0, column: 0 };
    };
    let before = file.text.get(..clamp(&file.text, place.start)).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let column = before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1);
    Spot { file: file.path.clone(), line: before.matches('\n').count().saturating_add(1), column }
}

/// The text of a place.
pub fn quoted(files: &[SourceFile], place: Place) -> &str {
    let text = files.get(place.file as usize).map_or("", |f| f.text.as_str());
    text.get(clamp(text, place.start)..clamp(text, place.end)).unwrap_or_default()
}

/// A byte offset within the text and on a character's boundary.
pub fn clamp(text: &str, at: u32) -> usize {
    let at = (at as usize).min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Files whose lines were counted once, for many places.
#[derive(Debug)]
pub struct Places<'f> {
    files: &'f [SourceFile],
    /// Byte offsets of the lines of each file.
    lines: Vec<Vec<usize>>,
}

impl<'f> Places<'f> {
    /// Of these files.
    pub fn new(files: &'f [SourceFile]) -> Self {
        let starts = |text: &str| {
            let behind = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
            std::iter::once(0).chain(behind).collect()
        };
        Self { files, lines: files.iter().map(|file| starts(&file.text)).collect() }
    }

    /// The file of a place, and whether it is one of the user's own.
    pub fn file(&self, place: Place) -> (&'f str, Whose) {
        let at = place.file as usize;
        let whose = if at < taskbot_stdlib::modules().len() { Whose::Standard } else { Whose::Own };
        (self.files.get(at).map_or("", |file| file.path.as_str()), whose)
    }

    /// Where a place begins, the column in characters.
    pub fn spot(&self, place: Place) -> Spot {
        let (line, before) = self.line(place, place.start);
        let column = before.chars().count().saturating_add(1);
        Spot { file: self.file(place).0.to_owned(), line, column }
    }

    /// Where a place ends: the first character behind it.
    pub fn end(&self, place: Place) -> Spot {
        self.spot(Place { start: place.end.max(place.start), ..place })
    }

    /// Line and column of the beginning of a place, the column in UTF-16 code units.
    pub fn utf16(&self, place: Place) -> (usize, usize) {
        let (line, before) = self.line(place, place.start);
        (line, before.encode_utf16().count().saturating_add(1))
    }

    /// The whole line that a place begins on.
    pub fn whole_line(&self, place: Place) -> &'f str {
        let (_, before) = self.line(place, place.start);
        let text = self.files.get(place.file as usize).map_or("", |file| file.text.as_str());
        let start = clamp(text, place.start).saturating_sub(before.len());
        text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default()
    }

    /// The line of an offset, from 1, and its text before the offset.
    fn line(&self, place: Place, at: u32) -> (usize, &'f str) {
        let (Some(file), Some(lines)) =
            (self.files.get(place.file as usize), self.lines.get(place.file as usize))
        else {
            return (0, "");
        };
        let at = clamp(&file.text, at);
        let line = lines.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|line| lines.get(line)).copied().unwrap_or_default();
        (line, file.text.get(start..at).unwrap_or_default())
    }
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The standard library's, which is in this program and not on disk.
    Standard,
    /// The user's.
    Own,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spots_count_characters_from_one() {
        let files = [SourceFile { path: "a.tb".into(), text: "é\n  xé y".into() }];
        let place = Place { file: 0, start: 9, end: 10 };
        let spot = spot(&files, place);
        assert_eq!((spot.line, spot.column), (2, 6));
        let counted = Places::new(&files).spot(place);
        assert_eq!((counted.line, counted.column), (2, 6));
    }

    #[test]
    fn columns_of_utf16_count_code_units() {
        let files = [SourceFile { path: "a.tb".into(), text: "x\né😀 y\r\n".into() }];
        let places = Places::new(&files);
        let place = Place { file: 0, start: 9, end: 10 };
        assert_eq!(places.utf16(place), (2, 5));
        assert_eq!((places.spot(place).column, places.end(place).column), (4, 5));
        assert_eq!(places.whole_line(place), "é😀 y");
        let beyond = Place { file: 0, start: 99, end: 7 };
        assert_eq!((places.utf16(beyond), places.whole_line(beyond)), ((3, 1), ""));
        let nowhere = Place { file: 7, start: 0, end: 0 };
        assert_eq!((places.utf16(nowhere), places.whole_line(nowhere)), ((0, 1), ""));
    }
}
