//! Typed reading of a TOML table, with a problem for each thing that is not as it should be.
//!
//! Comes in: a parsed table with the places of its parts. Goes out: strings, durations, sizes; problems with their
//! line and, for an unknown key, the closest known one. It knows which keys a section has only from
//! `manifest_reader::KEYS`.

use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::manifest::{Input, Problem};
use super::manifest_reader::KEYS;
use super::plan::placeholders;
use crate::limits;

/// A table of the file with the name of its section and where it begins.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    pub(super) name: &'static str,
    pub(super) at: usize,
    pub(super) table: Option<&'a DeTable<'a>>,
}

impl<'a> Section<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table?.get(key)
    }

    pub(super) fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }
}

pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    pub(super) problems: Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn problem(&mut self, at: usize, message: String) {
        let line = self.text.bytes().take(at).filter(|b| *b == b'\n').count() + 1;
        self.problems.push(Problem { line, message });
    }

    pub(super) fn check_keys(&mut self, section: Section<'_>) {
        let known =
            KEYS.iter().find(|(name, _)| *name == section.name).map(|(_, keys)| *keys).unwrap_or_default();
        for (key, _) in section.table.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let path = section.path(name);
                let hint = close(name, known);
                let hint = if hint.is_empty() { format!("; known: {}", known.join(", ")) } else { hint };
                self.problem(key.span().start, format!("unknown key `{path}`{hint}"));
            }
        }
    }

    /// The table `name` (`run.exit`: the table `exit` of `parent`) with its keys checked; where it is absent, a
    /// section without keys.
    pub(super) fn section<'a>(&mut self, parent: Section<'a>, name: &'static str) -> Section<'a> {
        let key = name.rsplit('.').next().unwrap_or(name);
        let at = parent.get(key).map_or(parent.at, |value| value.span().start);
        let section = Section { name, at, table: self.table(parent, key) };
        self.check_keys(section);
        section
    }

    pub(super) fn table<'a>(&mut self, parent: Section<'a>, key: &str) -> Option<&'a DeTable<'a>> {
        let value = parent.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                self.problem(value.span().start, format!("`{}` must be a table", parent.path(key)));
                None
            }
        }
    }

    pub(super) fn string(&mut self, section: Section<'_>, key: &str) -> Option<String> {
        let value = section.get(key)?;
        match value.get_ref().as_str() {
            Some(text) if !text.chars().any(char::is_control) => Some(text.to_owned()),
            Some(_) => {
                let message = format!("`{}` holds control characters", section.path(key));
                self.problem(value.span().start, message);
                None
            }
            None => {
                self.problem(value.span().start, format!("`{}` must be a string", section.path(key)));
                None
            }
        }
    }

    /// A string that is fit for a part of a dotted name.
    pub(super) fn word(&mut self, section: Section<'_>, key: &str) -> Option<String> {
        let text = self.string(section, key)?;
        let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if starts && text.len() <= 64 && text.chars().all(fit) {
            return Some(text);
        }
        let message =
            format!("`{}`: {text:?} must be letters, digits, `-`, `_`, `.`, at most 64", section.path(key));
        self.problem(section.at, message);
        None
    }

    pub(super) fn strings(&mut self, section: Section<'_>, key: &str) -> Option<Vec<String>> {
        let value = section.get(key)?;
        let strings = match value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let sound = |strings: &Vec<String>| !strings.iter().any(|s| s.contains('\0'));
        let strings = strings.filter(sound);
        if strings.is_none() {
            let message = format!("`{}` must be a list of strings", section.path(key));
            self.problem(value.span().start, message);
        }
        strings
    }

    pub(super) fn template(&mut self, section: Section<'_>, key: &str, inputs: &[Input]) -> Option<String> {
        let text = self.string(section, key)?;
        self.check_template(section, key, &text, inputs);
        Some(text)
    }

    pub(super) fn templates(
        &mut self,
        section: Section<'_>,
        key: &str,
        inputs: &[Input],
    ) -> Option<Vec<String>> {
        let texts = self.strings(section, key)?;
        for text in &texts {
            self.check_template(section, key, text, inputs);
        }
        Some(texts)
    }

    pub(super) fn check_template(&mut self, section: Section<'_>, key: &str, text: &str, inputs: &[Input]) {
        let names: Vec<_> = inputs.iter().map(|input| input.name.as_str()).collect();
        for name in placeholders(text) {
            if !names.contains(&name) {
                let at = section.get(key).map_or(section.at, |value| value.span().start);
                let path = section.path(key);
                self.problem(at, format!("`{path}`: there is no input `{name}`{}", close(name, &names)));
            }
        }
    }

    pub(super) fn truth(&mut self, section: Section<'_>, key: &str) -> Option<bool> {
        let value = section.get(key)?;
        if let DeValue::Boolean(truth) = value.get_ref() {
            return Some(*truth);
        }
        self.problem(value.span().start, format!("`{}` must be true or false", section.path(key)));
        None
    }

    pub(super) fn whole(&mut self, section: Section<'_>, key: &str, max: u64) -> Option<u64> {
        let value = section.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| *number <= max);
        if number.is_none() {
            let bound = if max == u64::MAX { String::new() } else { format!(" of at most {max}") };
            let message = format!("`{}` must be a whole number{bound}", section.path(key));
            self.problem(value.span().start, message);
        }
        number
    }

    pub(super) fn duration(&mut self, section: Section<'_>, key: &str) -> Option<Duration> {
        let value = section.get(key)?;
        let duration = value.get_ref().as_str().and_then(|text| with_unit(text, DURATION_UNITS));
        let duration = duration.map(Duration::from_secs);
        let duration = duration.filter(|d| !d.is_zero() && *d <= limits::TASK_TIMEOUT_MAX);
        if duration.is_none() {
            let message = format!(
                "`{}` must be a duration such as \"90s\", \"20m\" or \"2h\", at most \"7d\"",
                section.path(key)
            );
            self.problem(value.span().start, message);
        }
        duration
    }

    pub(super) fn size(&mut self, section: Section<'_>, key: &str) -> Option<u64> {
        let value = section.get(key)?;
        let size = value.get_ref().as_str().and_then(size_bytes);
        if size.is_none() {
            let message = format!("`{}` must be a size such as \"512M\" or \"2G\"", section.path(key));
            self.problem(value.span().start, message);
        }
        size
    }
}

/// Suffix and factor; seconds.
const DURATION_UNITS: &[(&str, u64)] = &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
/// Suffix and factor; bytes.
const SIZE_UNITS: &[(&str, u64)] = &[("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];

/// A size as people write it, `512M` or `2G`, in bytes.
pub(crate) fn size_bytes(text: &str) -> Option<u64> {
    with_unit(text, SIZE_UNITS)
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, factor) =
        units.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)))?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    if digits { number.parse::<u64>().ok()?.checked_mul(factor) } else { None }
}

/// `; did you mean ...?` where a known name is close.
pub(super) fn close(said: &str, known: &[&str]) -> String {
    known
        .iter()
        .map(|name| (strsim::osa_distance(said, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}
