//! The wanted part of a message's body, taken in one pass over its bytes.
//!
//! Comes in: a body that is valid JSON, and the trie of paths that the rules of its topic read. Goes out: a small tree of just
//! those values, in the message's own memory. Everything else is passed over unread (`scan`), and the pass ends as soon as
//! everything wanted was found. It types nothing: that is `reading`, by the dialect that fits.

use std::fmt;

use bumpalo::Bump;
use serde::de::IgnoredAny;

use crate::limits;
use crate::scan::Scanner;

/// A body that is JSON. What was not checked where it came in is checked here, once.
#[derive(Clone, Copy, Debug)]
pub struct Body<'b>(&'b str);

impl<'b> Body<'b> {
    /// Checks bytes. The error says why they are no JSON.
    pub fn check(bytes: &'b [u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|e| e.to_string())?;
        Ok(Self(text))
    }

    /// A body whose validity somebody else has seen to. If it is no JSON the judgement means nothing, but there is one, soon.
    pub fn checked_before(text: &'b str) -> Self {
        Self(text)
    }
}

/// Place of a member's name among all names that a rule set reads.
pub(crate) type NameId = u32;

/// Wanted member names below a place of the body. Elements of a list stand at the place of their list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    members: Vec<Member>,
    /// One bit for each member's length and last byte: most names that are not wanted show no bit here.
    hints: u64,
}

/// A wanted member.
#[derive(Clone, Debug, PartialEq)]
struct Member {
    name: Box<str>,
    id: NameId,
    below: Wanted,
}

impl Wanted {
    /// Adds a path.
    pub(crate) fn add(&mut self, steps: &[NameId], names: &[Box<str>]) {
        let Some((first, rest)) = steps.split_first() else { return };
        let at = match self.members.iter().position(|member| member.id == *first) {
            Some(at) => at,
            None => {
                let name = names.get(*first as usize).cloned().unwrap_or_default();
                self.hints |= hint(name.as_bytes());
                self.members.push(Member { name, id: *first, below: Self::default() });
                self.members.len().saturating_sub(1)
            }
        };
        if let Some(member) = self.members.get_mut(at) {
            member.below.add(rest, names);
        }
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<(usize, &Member)> {
        if self.hints & hint(name) == 0 {
            return None;
        }
        self.members.iter().enumerate().find(|(_, member)| member.name.as_bytes() == name)
    }
}

/// Which of the wanted members an object has shown. Of members with one name the first counts; intake refuses such messages.
#[derive(Default)]
struct Found {
    first: u64,
    others: Vec<usize>,
}

impl Found {
    #[inline]
    fn is_new(&mut self, at: usize) -> bool {
        match u32::try_from(at).ok().and_then(|at| 1u64.checked_shl(at)) {
            Some(bit) => {
                let new = self.first & bit == 0;
                self.first |= bit;
                new
            }
            None => {
                let new = !self.others.contains(&at);
                self.others.push(at);
                new
            }
        }
    }
}

#[inline]
fn hint(name: &[u8]) -> u64 {
    let last = name.last().copied().unwrap_or(0);
    1 << (last.wrapping_mul(5).wrapping_add(u8::try_from(name.len()).unwrap_or(u8::MAX)) & 63)
}

/// A value of the body as JSON has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Raw<'m> {
    Null,
    Bool(bool),
    Int(i64),
    /// A fraction, or a whole number beyond 64 bits.
    Float(f64),
    Text(&'m str),
    List(&'m [Raw<'m>]),
    /// Its wanted members.
    Object(&'m [(NameId, Raw<'m>)]),
}

impl<'m> Raw<'m> {
    /// A member of an object.
    #[inline]
    pub(crate) fn member(&self, name: NameId) -> Option<&'m Self> {
        match self {
            Self::Object(members) => members.iter().find(|(n, _)| *n == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// What it is, for people, shortened.
    pub(crate) fn sketch(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(b) => b.to_string(),
            Self::Int(n) => n.to_string(),
            Self::Float(f) => f.to_string(),
            Self::Text(t) => {
                let short: String = t.chars().take(60).collect();
                let mark = if short.len() < t.len() { "…" } else { "" };
                format!("{:?}{mark}", short)
            }
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Object(_) => "an object".into(),
        }
    }
}

/// Reads the wanted part of a body. The error says which bound it exceeds.
pub(crate) fn read<'m>(body: Body<'m>, wanted: &Wanted, memory: &'m Bump) -> Result<Raw<'m>, String> {
    let scanner = Scanner::new(body.0.as_bytes());
    let at = scanner.skip_space(0);
    // Enough for most messages, so that they grow no further.
    let (items, members) = (Vec::with_capacity(64), Vec::with_capacity(64));
    let mut reader = Reader { text: body.0, scanner, memory, items, members };
    reader.value(at, wanted, limits::BODY_DEPTH).map(|(raw, _)| raw).map_err(|bound| bound.to_string())
}

/// The members of the outermost object that have these names, each as the text of its value: `"x"`, `{...}`. Of several
/// members of one name the first counts.
pub fn members<'t, const N: usize>(text: &'t str, names: [&str; N]) -> [Option<&'t str>; N] {
    let mut found = [None; N];
    let mut scanner = Scanner::new(text.as_bytes());
    let mut at = scanner.skip_space(0).saturating_add(1);
    let mut left = N;
    while left > 0 {
        at = scanner.skip_space(at);
        if scanner.byte(at) != b'"' {
            break;
        }
        let end = scanner.string_end(at.saturating_add(1));
        let name = text.get(at.saturating_add(1)..end).unwrap_or_default();
        let value = behind_colon(&scanner, end);
        at = scanner.skip_value(value);
        let place = names.iter().position(|n| *n == name).and_then(|place| found.get_mut(place));
        if let Some(empty @ None) = place {
            *empty = text.get(value..at);
            left = left.saturating_sub(1);
        }
        at = scanner.skip_space(at).saturating_add(1);
    }
    found
}

/// The value that follows the name whose closing quote is at `quote`.
#[inline]
fn behind_colon(scanner: &Scanner<'_>, quote: usize) -> usize {
    // Nearly every writer puts a colon there, and at most one space behind it.
    if scanner.byte(quote.saturating_add(1)) == b':' {
        let value = quote.saturating_add(2);
        let value = value.saturating_add(usize::from(scanner.byte(value) == b' '));
        if scanner.byte(value) > b' ' {
            return value;
        }
    }
    let colon = scanner.skip_space(quote.saturating_add(1));
    scanner.skip_space(colon.saturating_add(1))
}

/// Which bound a body exceeds.
#[derive(Clone, Copy, Debug)]
enum TooMuch {
    Nesting,
    Elements,
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nesting => write!(f, "nested deeper than {}", limits::BODY_DEPTH),
            Self::Elements => write!(f, "a list of more than {} elements", limits::LIST_ELEMENTS),
        }
    }
}

struct Reader<'m> {
    text: &'m str,
    scanner: Scanner<'m>,
    memory: &'m Bump,
    /// Elements of the lists that are being read, of the innermost last.
    items: Vec<Raw<'m>>,
    /// Members of the objects that are being read.
    members: Vec<(NameId, Raw<'m>)>,
}

impl<'m> Reader<'m> {
    /// The value that begins at `at`, and the position behind it.
    fn value(&mut self, at: usize, wanted: &Wanted, depth: u32) -> Result<(Raw<'m>, usize), TooMuch> {
        let next = at.saturating_add(1);
        match self.scanner.byte(at) {
            b'"' => {
                let end = self.scanner.string_end(next);
                Ok((Raw::Text(self.string(next, end)), end.saturating_add(1)))
            }
            b'{' | b'[' if depth == 0 => Err(TooMuch::Nesting),
            b'{' => self.object(next, wanted, depth.saturating_sub(1)),
            b'[' => self.list(next, wanted, depth.saturating_sub(1)),
            first => {
                let end = self.scanner.scalar_end(at);
                let text = self.text.get(at..end).unwrap_or_default();
                let raw = match first {
                    b'n' => Raw::Null,
                    b't' => Raw::Bool(true),
                    b'f' => Raw::Bool(false),
                    _ => number(text),
                };
                Ok((raw, end.max(next)))
            }
        }
    }

    fn object(&mut self, mut at: usize, wanted: &Wanted, depth: u32) -> Result<(Raw<'m>, usize), TooMuch> {
        let base = self.members.len();
        let mut found = Found::default();
        let end = loop {
            if self.members.len().saturating_sub(base) == wanted.members.len() {
                break self.scanner.skip_closes(at, 1);
            }
            at = self.scanner.skip_space(at);
            match self.scanner.byte(at) {
                b'"' => {}
                b',' => {
                    at = at.saturating_add(1);
                    continue;
                }
                _ => break at.saturating_add(1),
            }
            let name_at = at.saturating_add(1);
            let name_end = self.scanner.string_end(name_at);
            let value = behind_colon(&self.scanner, name_end);
            match self.wanted_member(name_at, name_end, wanted) {
                Some((place, member)) if found.is_new(place) => {
                    let (raw, end) = self.value(value, &member.below, depth)?;
                    self.members.push((member.id, raw));
                    at = end;
                }
                _ => at = self.scanner.skip_value(value),
            }
        };
        let members = self.memory.alloc_slice_copy(self.members.get(base..).unwrap_or_default());
        self.members.truncate(base);
        Ok((Raw::Object(members), end))
    }

    #[inline]
    fn wanted_member<'w>(&self, from: usize, to: usize, wanted: &'w Wanted) -> Option<(usize, &'w Member)> {
        let name = self.text.as_bytes().get(from..to)?;
        let plain = wanted.find(name);
        if plain.is_none() && self.scanner.may_hold_escape(from) && name.contains(&b'\\') {
            return wanted.find(self.string(from, to).as_bytes());
        }
        plain
    }

    fn list(&mut self, mut at: usize, wanted: &Wanted, depth: u32) -> Result<(Raw<'m>, usize), TooMuch> {
        let base = self.items.len();
        loop {
            at = self.scanner.skip_space(at);
            match self.scanner.byte(at) {
                b',' => at = at.saturating_add(1),
                b']' | b'}' | 0 => break,
                _ => {
                    if self.items.len().saturating_sub(base) >= limits::LIST_ELEMENTS {
                        return Err(TooMuch::Elements);
                    }
                    let (raw, end) = self.value(at, wanted, depth)?;
                    self.items.push(raw);
                    at = end;
                }
            }
        }
        let items = self.memory.alloc_slice_copy(self.items.get(base..).unwrap_or_default());
        self.items.truncate(base);
        Ok((Raw::List(items), at.saturating_add(1)))
    }

    /// The text between two quotes.
    #[inline]
    fn string(&self, from: usize, to: usize) -> &'m str {
        let text = self.text.get(from..to).unwrap_or_default();
        if !self.scanner.may_hold_escape(from) || !text.as_bytes().contains(&b'\\') {
            return text;
        }
        let quoted = self.text.get(from.saturating_sub(1)..to.saturating_add(1)).unwrap_or_default();
        let plain: String = serde_json::from_str(quoted).unwrap_or_default();
        self.memory.alloc_str(&plain)
    }
}

/// A number as serde_json reads it: whole ones within 64 bits as such, all others as doubles.
fn number(text: &str) -> Raw<'static> {
    match text.parse::<i64>() {
        // The sign would be lost.
        Ok(0) if text.starts_with('-') => Raw::Float(-0.0),
        Ok(whole) => Raw::Int(whole),
        Err(_) => Raw::Float(text.parse().unwrap_or(f64::NAN)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value as Json;

    fn wanted(paths: &[&[&str]]) -> (Wanted, Vec<Box<str>>) {
        let (mut wanted, mut names) = (Wanted::default(), Vec::<Box<str>>::new());
        for path in paths {
            let mut steps = Vec::new();
            for step in *path {
                let known = names.iter().position(|n| **n == **step);
                steps.push(u32::try_from(known.unwrap_or(names.len())).unwrap());
                if known.is_none() {
                    names.push((*step).into());
                }
            }
            wanted.add(&steps, &names);
        }
        (wanted, names)
    }

    /// What was read, as JSON again.
    fn json(raw: &Raw<'_>, names: &[Box<str>]) -> Json {
        match raw {
            Raw::Null => Json::Null,
            Raw::Bool(b) => (*b).into(),
            Raw::Int(n) => (*n).into(),
            Raw::Float(f) => (*f).into(),
            Raw::Text(t) => (*t).into(),
            Raw::List(items) => items.iter().map(|item| json(item, names)).collect(),
            Raw::Object(members) => {
                members.iter().map(|(n, v)| (names[*n as usize].to_string(), json(v, names))).collect()
            }
        }
    }

    /// The wanted part, by serde_json.
    fn part(value: &Json, wanted: &Wanted) -> Json {
        match value {
            Json::Array(items) => items.iter().map(|item| part(item, wanted)).collect(),
            Json::Object(members) => members
                .iter()
                .filter_map(|(n, v)| Some((n.clone(), part(v, &wanted.find(n.as_bytes())?.1.below))))
                .collect(),
            other => other.clone(),
        }
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(|n| (n as f64).into()),
            (-1e6..1e6f64).prop_map(Json::from),
            "([a-e\"\\\\{}\\[\\]:, \u{0}-\u{1f}é☃𝄞]){0,70}".prop_map(Json::from),
        ];
        leaf.prop_recursive(5, 60, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Json::from),
                prop::collection::btree_map("[a-d\"é\\\\]{1,2}", inner, 0..8)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_reads(value in any_json(), ascii in any::<bool>(), pretty in any::<bool>()) {
            let paths: [&[&str]; 6] = [&["a"], &["b", "a"], &["b", "c"], &["é"], &["aa", "b", "\"\\"], &["\"", "a"]];
            let (wanted, names) = wanted(&paths);
            let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
            let mut text = write(&value).unwrap();
            if ascii {
                text = text.replace('é', "\\u00e9").replace('𝄞', "\\ud834\\udd1e");
            }
            let memory = Bump::new();
            let raw = read(Body::check(text.as_bytes()).unwrap(), &wanted, &memory).unwrap();
            prop_assert_eq!(json(&raw, &names), part(&value, &wanted), "{}", text);
        }

        #[test]
        fn what_is_no_json_ends_too(bytes in "[\\[\\]{}\":,a0 \\\\]{0,200}") {
            let (wanted, _) = wanted(&[&["a"], &["", "a"], &["a0"]]);
            let _ = read(Body::checked_before(&bytes), &wanted, &Bump::new());
            let _ = members(&bytes, ["a", ""]);
        }
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        for text in ["", "{", "{}x", "nul", "\u{fffe}"] {
            assert!(Body::check(text.as_bytes()).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(Body::check(deep.as_bytes()).is_err());
        assert!(read(Body::checked_before(&deep), &Wanted::default(), &Bump::new()).is_err());
    }

    #[test]
    fn members_of_an_envelope() {
        let text = r#" {"i": 1, "msg": {"topic": "no"}, "topic": "a.b", "x": [{"msg": 2}], "msg": 3}"#;
        assert_eq!(
            members(text, ["topic", "msg", "none"]),
            [Some("\"a.b\""), Some(r#"{"topic": "no"}"#), None]
        );
        assert_eq!(members("", ["a"]), [None]);
        assert_eq!(members("[1]", ["a"]), [None]);
    }
}
