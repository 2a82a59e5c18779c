//! What stood at a place of many messages.
//!
//! Comes in: JSON values, one after another. Goes out: how often each kind was there, and what strings looked like. It keeps counts and a
//! few words, no message: the same memory for any number of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use taskbot_graph::Nvr;

/// Different words that a place may hold and still be an enum; one more is kept to know.
pub const WORDS_KEPT: usize = 12;
/// Members beyond which an object is a table, not a record.
const MEMBERS_KEPT: usize = 200;
/// Longest word.
const WORD_CHARS: usize = 32;

/// Counts for one place.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// `null`.
    pub nulls: u64,
    /// true and false.
    pub bools: u64,
    /// Whole numbers of 64 bits.
    pub ints: u64,
    /// Other numbers.
    pub floats: u64,
    /// Strings.
    pub texts: u64,
    /// Strings that are an nvr.
    pub nvrs: u64,
    /// Strings that are an nvr whose release names a distribution, `1.fc40`.
    pub built: u64,
    /// Strings by their text, while they are few and short words.
    pub words: BTreeMap<String, u64>,
    /// Whether some string was no short word, or there are too many of them.
    pub any_text: bool,
    /// Lists.
    pub lists: u64,
    /// All elements of all lists.
    pub items: Option<Box<Seen>>,
    /// Objects.
    pub objects: u64,
    /// Objects whose `name`, `version` and `release` make an nvr.
    pub triples: u64,
    /// Their members.
    pub members: BTreeMap<String, Seen>,
    /// Whether there were more members than a record has.
    pub too_many_members: bool,
}

impl Seen {
    /// Takes note of a value.
    pub fn see(&mut self, value: &Value) {
        let count = match value {
            Value::Null => &mut self.nulls,
            Value::Bool(_) => &mut self.bools,
            Value::Number(number) if number.is_i64() => &mut self.ints,
            Value::Number(_) => &mut self.floats,
            Value::String(text) => {
                self.see_text(text);
                &mut self.texts
            }
            Value::Array(items) => {
                let about = self.items.get_or_insert_default();
                items.iter().for_each(|item| about.see(item));
                &mut self.lists
            }
            Value::Object(members) => {
                self.see_members(members);
                &mut self.objects
            }
        };
        *count = count.saturating_add(1);
    }

    /// How often something other than null was there.
    pub fn present(&self) -> u64 {
        [self.bools, self.ints, self.floats, self.texts, self.lists, self.objects]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    fn see_text(&mut self, text: &str) {
        if let Some(nvr) = Nvr::parse(text).filter(|_| !text.contains([',', '/'])) {
            self.nvrs = self.nvrs.saturating_add(1);
            self.built = self.built.saturating_add(u64::from(is_built(&nvr.release)));
        }
        if self.any_text || !is_word(text) {
            self.any_text = true;
            self.words.clear();
            return;
        }
        let times = self.words.entry(text.to_owned()).or_default();
        *times = times.saturating_add(1);
        if self.words.len() > WORDS_KEPT {
            self.any_text = true;
            self.words.clear();
        }
    }

    fn see_members(&mut self, members: &Map<String, Value>) {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        if let (Some(name), Some(version), Some(release)) = (text("name"), text("version"), text("release")) {
            self.triples = self.triples.saturating_add(u64::from(Nvr::new(name, version, release).is_some()));
        }
        for (name, value) in members {
            if self.members.len() >= MEMBERS_KEPT && !self.members.contains_key(name) {
                self.too_many_members = true;
            } else {
                self.members.entry(name.clone()).or_default().see(value);
            }
        }
    }
}

/// A release with the tag of a distribution: `1.fc40`, `3.el9_2`.
fn is_built(release: &str) -> bool {
    let tagged = |tag: &str| {
        release.match_indices(tag).any(|(at, _)| {
            release
                .get(at.saturating_add(tag.len())..)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
    };
    [".fc", ".el", ".epel", ".eln", ".module_el", ".module_f", ".cs"].into_iter().any(tagged)
}

/// A short word, as states have them: `FINISHED`, `in_progress`.
fn is_word(text: &str) -> bool {
    text.len() <= WORD_CHARS
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphabetic() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_are_counted_and_words_are_given_up_when_they_are_many() {
        let mut seen = Seen::default();
        for n in 0..20 {
            seen.see(&json!({ "state": if n % 2 == 0 { "open" } else { "closed" }, "user": format!("u{}", "x".repeat(n)), "n": n }));
        }
        assert_eq!((seen.objects, seen.members["n"].ints), (20, 20));
        assert_eq!(seen.members["state"].words.len(), 2);
        assert!(seen.members["user"].any_text && seen.members["user"].words.is_empty());
    }

    #[test]
    fn builds_are_told_by_their_release() {
        assert!(is_built("1.fc40") && is_built("3.el9_2"));
        assert!(!is_built("1.final") && !is_built("4"));
    }
}
