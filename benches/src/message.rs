//! Messages as a bus carries them.
//!
//! Comes in: a topic and random numbers. Goes out: the bytes of a whole envelope as python's `json.dumps` writes them: a blank after
//! `,` and `:`, everything beyond ASCII escaped. Half carry a certificate and a signature, half have their top-level members in
//! another order, so that `msg` may come before `topic`. Certificates and signatures are noise of the usual length.

use std::io;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::dice::Dice;
use crate::shape::{ARCHES, ELEMENT, IDS, Kind, Presence, RELEASES, Slot, Topics, shape_of};
use crate::vocabulary::{NAMES, TAGS, USERS, Vocabulary};

/// How large a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 0.5 to 9 kB, 3 kB on average.
    Usual,
    /// 430 kB, with 300 to 3 500 packages in each list.
    Big,
}

/// Lists of packages have so many elements on average.
pub fn mean_elements(size: Size) -> f64 {
    match size {
        Size::Usual => 3.0,
        Size::Big => 1_900.0,
    }
}

const BIG_BYTES: usize = 430_000;

/// A JSON value whose members keep their order.
#[derive(Clone, Debug)]
enum Tree {
    Null,
    Flag(bool),
    Number(i64),
    Fraction(f64),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Flag(flag) => to.serialize_bool(*flag),
            Self::Number(number) => to.serialize_i64(*number),
            Self::Fraction(number) => to.serialize_f64(*number),
            Self::Text(text) => to.serialize_str(text),
            Self::List(items) => items.serialize(to),
            Self::Object(members) => {
                let mut map = to.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// Layout and escapes of `json.dumps`.
struct Python;

impl serde_json::ser::Formatter for Python {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for c in text.chars() {
            if c.is_ascii() {
                write!(out, "{c}")?;
            } else {
                for unit in c.encode_utf16(&mut units) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

fn dumps(tree: &Tree) -> Vec<u8> {
    let mut out = Vec::new();
    // A `Vec` takes everything, and the tree has no keys but text.
    let _ = tree.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Python));
    out
}

/// What messages are drawn from.
pub struct Writer<'w> {
    /// Words.
    pub vocabulary: &'w Vocabulary,
    /// Topics.
    pub topics: &'w Topics,
    /// How large they are.
    pub size: Size,
}

impl Writer<'_> {
    /// The envelope of one message of a topic.
    pub fn envelope(&self, dice: &mut Dice, topic: usize) -> Vec<u8> {
        let name = self.topics.names.get(topic).map_or("", String::as_str);
        let environment = if dice.chance(0.5) { "prod" } else { "stg" };
        let mut members = vec![
            ("topic".to_owned(), Tree::Text(format!("org.example.{environment}.{name}"))),
            ("msg".to_owned(), self.body(dice, topic)),
            ("msg_id".to_owned(), Tree::Text(format!("2026-{}", noise(dice, b"0123456789abcdef-", 36)))),
            ("timestamp".to_owned(), number(1_700_000_000_usize.saturating_add(dice.below(60_000_000)))),
            ("i".to_owned(), number(dice.below(5_000))),
            ("username".to_owned(), Tree::Text("fedmsg".to_owned())),
        ];
        if dice.chance(0.5) {
            let length = dice.between(1_500, 2_000);
            members.push(("certificate".to_owned(), Tree::Text(base64(dice, length))));
            members.push(("signature".to_owned(), Tree::Text(base64(dice, 172))));
            members.push(("crypto".to_owned(), Tree::Text("x509".to_owned())));
        }
        if dice.chance(0.5) {
            dice.shuffle(&mut members);
        }
        dumps(&Tree::Object(members))
    }

    fn body(&self, dice: &mut Dice, topic: usize) -> Tree {
        let mut body = Vec::new();
        for slot in shape_of(topic) {
            let value = match slot.presence {
                Presence::Sometimes if dice.chance(0.05) => Tree::Null,
                Presence::Sometimes if dice.chance(0.25) => continue,
                _ => self.value(dice, slot),
            };
            insert(&mut body, slot.path, value);
        }
        let wanted = match self.size {
            Size::Usual => 100.0 + 6_300.0 * dice.unit().powf(4.6),
            Size::Big => 0.0,
        };
        let mut length = 0.0;
        while length < wanted {
            let filler = self.filler(dice);
            #[expect(clippy::cast_precision_loss, reason = "some kilobytes")]
            let more = dumps(&filler).len() as f64 + 12.0;
            length += more;
            let name = format!("{}_{}", dice.one_of(&FILLERS), body.len());
            let inside = body.iter().rposition(|(_, value)| matches!(value, Tree::Object(_)));
            let inside = inside.filter(|_| dice.chance(0.5)).and_then(|at| body.get_mut(at));
            let place = match inside {
                Some((_, Tree::Object(members))) => members,
                _ => &mut body,
            };
            place.insert(dice.below(place.len().saturating_add(1)), (name, filler));
        }
        Tree::Object(body)
    }

    fn value(&self, dice: &mut Dice, slot: &Slot) -> Tree {
        match slot.kind {
            Kind::Name => Tree::Text(self.vocabulary.name(dice.rank(NAMES))),
            Kind::User => Tree::Text(self.vocabulary.user(dice.rank(USERS))),
            Kind::Choice(words) => {
                Tree::Text(words.get(choice(dice, words)).map_or("", |word| word).to_owned())
            }
            Kind::Id => number(dice.below(IDS)),
            Kind::Small => number(dice.below(100)),
            Kind::Flag => Tree::Flag(dice.chance(0.7)),
            Kind::Url => Tree::Text(format!("{URL_HEAD}{}", self.vocabulary.name(dice.rank(NAMES)))),
            Kind::Note => {
                let count = dice.between(3, 9);
                Tree::Text(self.words(dice, count))
            }
            Kind::Tags => {
                let count = dice.between(0, 4);
                Tree::List((0..count).map(|_| Tree::Text(self.vocabulary.tag(dice.rank(TAGS)))).collect())
            }
            Kind::Packages => self.packages(dice),
            Kind::Builds => {
                let count = dice.between(1, 5);
                Tree::List((0..count).map(|_| Tree::Text(self.build(dice))).collect())
            }
        }
    }

    fn packages(&self, dice: &mut Dice) -> Tree {
        let count = match self.size {
            Size::Usual => dice.between(0, 6),
            Size::Big => dice.between(300, 3_500),
        };
        let bytes_each = BIG_BYTES.checked_div(count).unwrap_or_default();
        let element = |dice: &mut Dice| {
            let mut members = Vec::new();
            for slot in ELEMENT {
                insert(&mut members, slot.path, self.value(dice, slot));
            }
            if self.size == Size::Big {
                let so_far = dumps(&Tree::Object(members.clone())).len().saturating_add(16);
                members.push((
                    "checksum".to_owned(),
                    Tree::Text(base64(dice, bytes_each.saturating_sub(so_far))),
                ));
            }
            Tree::Object(members)
        };
        Tree::List((0..count).map(|_| element(dice)).collect())
    }

    /// Name, version and release of a build.
    fn build(&self, dice: &mut Dice) -> String {
        let [a, b, c, r] = [dice.below(12), dice.below(20), dice.below(10), dice.between(1, 9)];
        format!("{}-{a}.{b}.{c}-{r}.fc41", self.vocabulary.name(dice.rank(NAMES)))
    }

    fn words(&self, dice: &mut Dice, count: usize) -> String {
        let words: Vec<&str> = (0..count).map(|_| self.vocabulary.word(dice.rank(NAMES))).collect();
        words.join(" ")
    }

    /// Something that no rule reads.
    fn filler(&self, dice: &mut Dice) -> Tree {
        match dice.below(6) {
            0 => Tree::Fraction(dice.unit() * 1_000.0),
            1 => Tree::List((0..dice.between(1, 12)).map(|_| number(dice.below(100_000))).collect()),
            2 => {
                let count = dice.between(5, 60);
                let text = self.words(dice, count);
                Tree::Text(format!(
                    "{text}\n\t\"quoted\" {}",
                    dice.one_of(&["naïve café", "漢字", "🎉 done", "C:\\dir", "plain"])
                ))
            }
            3 => Tree::Object(
                (0..dice.between(1, 6))
                    .map(|at| {
                        (
                            format!("{}_{at}", dice.one_of(&["name", "id", "state"])),
                            Tree::Text(self.vocabulary.user(dice.rank(USERS))),
                        )
                    })
                    .collect(),
            ),
            4 => {
                let entry = |dice: &mut Dice| {
                    let arch = ARCHES.get(choice(dice, ARCHES)).map_or("", |word| word);
                    let release = RELEASES.get(choice(dice, RELEASES)).map_or("", |word| word);
                    Tree::Object(vec![
                        ("arch".to_owned(), Tree::Text(arch.to_owned())),
                        ("release".to_owned(), Tree::Text(release.to_owned())),
                        ("done".to_owned(), Tree::Flag(dice.chance(0.5))),
                        ("parent".to_owned(), Tree::Null),
                        ("log".to_owned(), Tree::Text(format!("{URL_HEAD}{}", dice.below(IDS)))),
                    ])
                };
                Tree::List((0..dice.between(1, 5)).map(|_| entry(dice)).collect())
            }
            _ => Tree::Text(base64(dice, 64)),
        }
    }
}

/// How each link begins.
pub const URL_HEAD: &str = "https://src.example.org/rpms/";
const FILLERS: [&str; 8] = ["comment", "history", "meta", "notes", "extra", "changes", "thread", "options"];

/// How often each of some words is seen.
pub fn choice_weights(words: &[&str]) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    (1..=words.len()).map(|at| (at as f64).powf(-1.5)).collect()
}

fn choice(dice: &mut Dice, words: &[&str]) -> usize {
    dice.weighted(&choice_weights(words))
}

fn number(value: usize) -> Tree {
    Tree::Number(i64::try_from(value).unwrap_or_default())
}

fn insert(members: &mut Vec<(String, Tree)>, path: &[&str], value: Tree) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        return members.push(((*first).to_owned(), value));
    }
    let at = members.iter().position(|(name, _)| name == first).unwrap_or_else(|| {
        members.push(((*first).to_owned(), Tree::Object(Vec::new())));
        members.len().saturating_sub(1)
    });
    if let Some((_, Tree::Object(below))) = members.get_mut(at) {
        insert(below, rest, value);
    }
}

fn noise(dice: &mut Dice, letters: &[u8], length: usize) -> String {
    (0..length).filter_map(|_| dice.pick(letters).map(|letter| char::from(*letter))).collect()
}

fn base64(dice: &mut Dice, length: usize) -> String {
    noise(dice, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", length)
}
