//! One result as a format reports it, before anybody checked it.
//!
//! Comes in: what a reader of a format found. Goes out: the same shape for all formats, with names, texts and paths as
//! untrusted as the file that they stood in; `results` brings them into bounds.

use serde_json::{Map, Value};

use super::Outcome;
use crate::limits;

/// Whether a reported name is the whole name of a test case, or one within the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// `dist.rpmlint`.
    Full,
    /// `test_parse`, to be put below the task's name.
    Local,
}

/// One result as a format reports it.
#[derive(Clone, Debug)]
pub(super) struct Reported {
    pub(super) name: String,
    pub(super) naming: Naming,
    pub(super) outcome: Outcome,
    pub(super) item: Option<String>,
    pub(super) item_type: Option<String>,
    pub(super) note: String,
    pub(super) artifacts: Vec<String>,
    pub(super) data: Map<String, Value>,
}

impl Reported {
    pub(super) fn local(name: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            name: name.into(),
            naming: Naming::Local,
            outcome,
            item: None,
            item_type: None,
            note: String::new(),
            artifacts: Vec::new(),
            data: Map::new(),
        }
    }
}

/// Text on one line, white space runs as one space, control characters dropped.
pub(super) fn one_line(text: &str) -> String {
    let words =
        text.split_whitespace().map(|word| word.chars().filter(|c| !c.is_control()).collect::<String>());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Text of at most so many bytes, with a sign where it was cut.
pub(crate) fn cut(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max_bytes.saturating_sub('…'.len_utf8()));
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// A name below another. Names stay so short that a long one above many does not fill the memory, and so long that one
/// which is too long for a test case is told as such.
pub(super) fn below(above: &str, name: &str) -> String {
    let bound = limits::RESULT_NAME_BYTES;
    format!("{}.{}", cut(above, bound), cut(name, bound))
}
