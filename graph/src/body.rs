//! The wanted part of a message's body, taken in one pass over its bytes.
//!
//! Comes in: a body that is valid JSON, and the trie of paths that the rules of its topic read. Goes out: a small tree of just
//! those values, in the message's own memory. Everything else is passed over unread (`scan`), and the pass ends as soon as
//! everything wanted was found. Who waits for a value is told of it, or of its absence, on the way. It types nothing: that is
//! `reading`, by the dialect that fits.

use std::fmt;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use hashbrown::HashMap;
use serde::de::IgnoredAny;

use crate::limits;
use crate::scan::{Pair, Quoted, Scanner};

/// A body that is JSON. What was not checked where it came in is checked here, once. What stands behind it in its text nobody
/// looks at.
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
    places: HashMap<Box<str>, usize>,
    /// One bit for each member's length and last byte: most names that are not wanted show no bit here.
    hints: u64,
    /// The bits of members whose absence somebody is told of.
    awaited: u64,
}

/// A wanted member.
#[derive(Clone, Debug, PartialEq)]
struct Member {
    name: Box<str>,
    key: Key,
    /// Its place among the members.
    place: usize,
    /// A bit that no other of the first 64 members has; later ones have none.
    bit: u64,
    id: NameId,
    below: Wanted,
    /// Who is told what its value is.
    on_value: Vec<u32>,
    /// Who is told that it is absent.
    on_absence: Vec<u32>,
}

/// What is told of places of the body while it is read. Within lists nobody is told of anything.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told<'m> {
    /// This stands there.
    Value(Raw<'m>),
    /// Nothing does: an object on the way has no such member.
    Absence,
}

impl Wanted {
    /// Adds a path.
    pub(crate) fn add(&mut self, steps: &[NameId], names: &[Box<str>]) {
        let Some((first, rest)) = steps.split_first() else { return };
        let name = names.get(*first as usize).cloned().unwrap_or_default();
        let at = match self.places.get(&name) {
            Some(at) => *at,
            None => {
                let place = self.members.len();
                self.places.insert(name.clone(), place);
                self.hints |= hint(name.as_bytes());
                let key = Key::of(name.as_bytes());
                let bit = 1u64.unbounded_shl(u32::try_from(place).unwrap_or(u32::MAX));
                let (below, on_value, on_absence) = (Self::default(), Vec::new(), Vec::new());
                self.members.push(Member { name, key, place, bit, id: *first, below, on_value, on_absence });
                place
            }
        };
        if let Some(member) = self.members.get_mut(at) {
            member.below.add(rest, names);
        }
    }

    /// Somebody is to be told what stands at the end of a path that was added.
    pub(crate) fn tell_value(&mut self, steps: &[NameId], names: &[Box<str>], who: u32) {
        let Some((first, rest)) = steps.split_first() else { return };
        let Some(member) = self.member_mut(*first, names) else { return };
        match rest {
            [] => member.on_value.push(who),
            _ => member.below.tell_value(rest, names, who),
        }
    }

    /// Somebody is to be told that an object on the way has no such member.
    pub(crate) fn tell_absence(&mut self, steps: &[NameId], names: &[Box<str>], who: u32) {
        let Some((first, rest)) = steps.split_first() else { return };
        let Some(member) = self.member_mut(*first, names) else { return };
        let bit = member.bit;
        member.on_absence.push(who);
        member.below.tell_absence(rest, names, who);
        self.awaited |= bit;
    }

    fn member_mut(&mut self, id: NameId, names: &[Box<str>]) -> Option<&mut Member> {
        self.members.get_mut(*self.places.get(names.get(id as usize)?)?)
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<&Member> {
        if self.hints & hint(name) == 0 {
            return None;
        }
        if self.members.len() > FEW_MEMBERS {
            return self.members.get(*self.places.get(str::from_utf8(name).ok()?)?);
        }
        let key = Key::of(name);
        let found = self.members.iter().find(|member| member.key == key)?;
        if name.len() <= KEY_BYTES {
            return Some(found);
        }
        self.members.iter().find(|member| member.name.as_bytes() == name)
    }
}

/// So many members are looked through sooner than one is hashed or searched for.
const FEW_MEMBERS: usize = 16;

/// Length, beginning and end of a name: all of it, unless it is longer than [`KEY_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    len: usize,
    begin: u64,
    end: u64,
}

const KEY_BYTES: usize = 16;

impl Key {
    #[inline]
    fn of(name: &[u8]) -> Self {
        let (begin, end) = match (name.first_chunk(), name.last_chunk()) {
            (Some(begin), Some(end)) => (u64::from_le_bytes(*begin), u64::from_le_bytes(*end)),
            _ => match (name.first_chunk(), name.last_chunk()) {
                (Some(begin), Some(end)) => {
                    (u32::from_le_bytes(*begin).into(), u32::from_le_bytes(*end).into())
                }
                _ => (name.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), 0),
            },
        };
        Self { len: name.len(), begin, end }
    }
}

/// One bit for a name's length and last byte.
#[inline]
fn hint(name: &[u8]) -> u64 {
    let last = usize::from(name.last().copied().unwrap_or(0));
    1 << (last.wrapping_mul(5).wrapping_add(name.len()) & 63)
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
    /// Its wanted members, ordered by name if they are more than [`FEW_MEMBERS`].
    Object(&'m [(NameId, Raw<'m>)]),
}

impl<'m> Raw<'m> {
    /// A member of an object.
    #[inline]
    pub(crate) fn member(&self, name: NameId) -> Option<&'m Self> {
        match self {
            Self::Object(members) if members.len() > FEW_MEMBERS => {
                let at = members.binary_search_by_key(&name, |(n, _)| *n).ok()?;
                members.get(at).map(|(_, value)| value)
            }
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

/// Reads the wanted part of a body, and tells those who wait for it what stands where. The error says which bound it exceeds.
pub(crate) fn read<'m>(
    body: Body<'m>,
    wanted: &Wanted,
    memory: &'m Bump,
    tell: impl FnMut(&[u32], Told<'m>),
) -> Result<Raw<'m>, String> {
    let scanner = Scanner::new(body.0.as_bytes());
    let at = scanner.skip_space(0);
    // Enough for most messages, so that they grow no further.
    let (items, members) = (BumpVec::with_capacity_in(64, memory), BumpVec::with_capacity_in(64, memory));
    let mut reader = Reader { text: body.0, scanner, memory, items, members, lists: 0, tell };
    reader
        .value((at, scanner.byte(at)), wanted, limits::BODY_DEPTH)
        .map(|(raw, _)| raw)
        .map_err(|bound| bound.to_string())
}

/// The position behind a value, or one within it.
#[derive(Clone, Copy)]
struct Behind {
    at: usize,
    /// Containers which are still open there: of an object nothing is looked at once all that is wanted of it was found, and
    /// of the last one nobody asks where it ends.
    open: u32,
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

/// Which wanted members an object has shown so far.
struct Seen<'m> {
    bits: u64,
    /// By their places, where some have no bit.
    all: &'m mut [bool],
}

impl<'m> Seen<'m> {
    #[inline]
    fn none(wanted: &Wanted, memory: &'m Bump) -> Self {
        let many = wanted.members.last().filter(|last| last.bit == 0);
        let all =
            many.map_or_else(Default::default, |last| memory.alloc_slice_fill_copy(last.place + 1, false));
        Self { bits: 0, all }
    }

    #[inline]
    fn is_new(&mut self, member: &Member) -> bool {
        if member.bit == 0 {
            return self.all.get_mut(member.place).is_some_and(|seen| !std::mem::replace(seen, true));
        }
        let is_new = self.bits & member.bit == 0;
        self.bits |= member.bit;
        is_new
    }
}

struct Reader<'m, T> {
    text: &'m str,
    scanner: Scanner<'m>,
    memory: &'m Bump,
    /// Elements of the lists that are being read, of the innermost last.
    items: BumpVec<'m, Raw<'m>>,
    /// Members of the objects that are being read.
    members: BumpVec<'m, (NameId, Raw<'m>)>,
    /// How many lists are open.
    lists: u32,
    tell: T,
}

impl<'m, T: FnMut(&[u32], Told<'m>)> Reader<'m, T> {
    /// The value that begins at a position with this byte.
    #[inline]
    fn value(
        &mut self,
        (at, first): (usize, u8),
        wanted: &Wanted,
        depth: u32,
    ) -> Result<(Raw<'m>, Behind), TooMuch> {
        match first {
            b'{' | b'[' if depth == 0 => Err(TooMuch::Nesting),
            b'{' => self.object(at + 1, wanted, depth - 1),
            b'[' => self.list(at + 1, wanted, depth - 1),
            _ => {
                let (raw, at) = if first == b'"' {
                    let (text, at) = self.text(at + 1);
                    (Raw::Text(text), at)
                } else {
                    self.scalar(at)
                };
                Ok((raw, Behind { at, open: 0 }))
            }
        }
    }

    /// The object whose first member may begin at `from`.
    #[inline(never)]
    fn object(&mut self, from: usize, wanted: &Wanted, depth: u32) -> Result<(Raw<'m>, Behind), TooMuch> {
        let scanner = self.scanner;
        let base = self.members.len();
        let all = base + wanted.members.len();
        let mut seen = Seen::none(wanted, self.memory);
        let mut behind = Behind { at: from, open: 0 };
        let end = loop {
            if self.members.len() == all {
                break Behind { at: behind.at, open: behind.open + 1 };
            }
            let quote = match scanner.next_name(self.end_of(behind)) {
                Ok(quote) => quote,
                Err(end) => break Behind { at: end + 1, open: 0 },
            };
            let pair = scanner.member(quote);
            let Some(member) = self.new_member(&pair, quote, wanted, &mut seen) else {
                behind = Behind { at: scanner.skip_value(pair.value, pair.first), open: 0 };
                continue;
            };
            if pair.first == b'"' {
                let (text, at) = self.text(pair.value + 1);
                self.member(member, Raw::Text(text));
                behind = Behind { at, open: 0 };
                continue;
            }
            let raw;
            (raw, behind) = self.value((pair.value, pair.first), &member.below, depth)?;
            self.member(member, raw);
        };
        if wanted.awaited & !seen.bits != 0 && self.lists == 0 {
            self.absent(wanted, seen.bits);
        }
        let members = self.memory.alloc_slice_copy(self.members.get(base..).unwrap_or_default());
        if members.len() > FEW_MEMBERS {
            members.sort_unstable_by_key(|(name, _)| *name);
        }
        self.members.truncate(base);
        Ok((Raw::Object(members), end))
    }

    #[inline]
    fn member(&mut self, member: &Member, raw: Raw<'m>) {
        self.members.push((member.id, raw));
        if !member.on_value.is_empty() && self.lists == 0 {
            (self.tell)(&member.on_value, Told::Value(raw));
        }
    }

    /// Tells of the members that an object does not have.
    fn absent(&mut self, wanted: &Wanted, seen: u64) {
        for member in wanted.members.iter().filter(|member| wanted.awaited & !seen & member.bit != 0) {
            (self.tell)(&member.on_absence, Told::Absence);
        }
    }

    /// The position behind the value itself.
    #[inline]
    fn end_of(&self, behind: Behind) -> usize {
        if behind.open == 0 { behind.at } else { self.scanner.skip_closes(behind.at, behind.open) }
    }

    /// The wanted member that this is, unless its object has shown it before: of members with one name the first counts, and
    /// intake refuses such messages.
    #[inline]
    fn new_member<'w>(
        &self,
        pair: &Pair<'m>,
        quote: usize,
        wanted: &'w Wanted,
        seen: &mut Seen<'_>,
    ) -> Option<&'w Member> {
        let member = match wanted.find(pair.name) {
            None if pair.escapes => {
                let end = quote + 1 + pair.name.len();
                wanted.find(self.without_escapes(quote + 1, end).as_bytes())?
            }
            plain => plain?,
        };
        seen.is_new(member).then_some(member)
    }

    /// The list whose first element may begin at `from`.
    #[inline(never)]
    fn list(&mut self, from: usize, wanted: &Wanted, depth: u32) -> Result<(Raw<'m>, Behind), TooMuch> {
        let scanner = self.scanner;
        let base = self.items.len();
        let mut next = scanner.behind_comma(from);
        self.lists += 1;
        while !matches!(next.1, b']' | b'}' | 0) {
            if self.items.len() - base >= limits::LIST_ELEMENTS {
                return Err(TooMuch::Elements);
            }
            if next.1 == b'"' {
                let (text, at) = self.text(next.0 + 1);
                self.items.push(Raw::Text(text));
                next = scanner.behind_comma(at);
                continue;
            }
            let (raw, behind) = self.value(next, wanted, depth)?;
            self.items.push(raw);
            next = scanner.behind_comma(self.end_of(behind));
        }
        let items = self.memory.alloc_slice_copy(self.items.get(base..).unwrap_or_default());
        self.items.truncate(base);
        self.lists -= 1;
        Ok((Raw::List(items), Behind { at: next.0 + 1, open: 0 }))
    }

    /// The text whose first character is at `from`, and the position behind its closing quote.
    #[inline]
    fn text(&self, from: usize) -> (&'m str, usize) {
        let Quoted { end, escapes } = self.scanner.quoted(from);
        if escapes {
            return (self.without_escapes(from, end), end + 1);
        }
        (self.text.get(from..end).unwrap_or_default(), end + 1)
    }

    #[cold]
    fn without_escapes(&self, from: usize, to: usize) -> &'m str {
        let quoted = self.text.get(from - 1..to + 1).unwrap_or_default();
        let plain: String = serde_json::from_str(quoted).unwrap_or_default();
        self.memory.alloc_str(&plain)
    }

    /// The number or word that begins at `at`.
    #[inline(never)]
    fn scalar(&self, at: usize) -> (Raw<'m>, usize) {
        if let Some((whole, end)) = self.scanner.short_whole(at) {
            return (Raw::Int(whole), end);
        }
        let end = self.scanner.scalar_end(at);
        let text = self.text.get(at..end).unwrap_or_default();
        let raw = match text.as_bytes().first() {
            Some(b'n') => Raw::Null,
            Some(b't') => Raw::Bool(true),
            Some(b'f') => Raw::Bool(false),
            _ => number(text),
        };
        // At least one byte, whatever it is.
        (raw, end.max(at + 1))
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
mod tests;
