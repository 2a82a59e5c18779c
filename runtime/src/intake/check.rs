//! The validating pass over a message's JSON, by serde_json's reader and a visitor that builds nothing.
//!
//! Comes in: text. Goes out: the places of the fields that an envelope or record is known by, or what is wrong
//! with the text. serde_json itself refuses what is no JSON: `NaN`, lone surrogates, numbers beyond a double,
//! trailing bytes. The visitor adds what JSON permits and this daemon does not: duplicate keys, deep nesting,
//! numbers of 2^64 and beyond. An error ends the reading at once, so the recursion is as deep as the nesting
//! limit and no deeper.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::limits;

/// First second of the year 10000: a later `timestamp` is milliseconds or nonsense.
const TIMESTAMP_END: f64 = 253_402_300_800.0;
/// 2^64: integers from here on are read as doubles and lose digits, so a condition on them could lie.
const NUMBER_END: f64 = 18_446_744_073_709_551_616.0;
/// Most names that are compared each with each.
const COMPARED_KEYS: usize = 16;

/// Checks one value and all below it.
struct Checked<'k, 'de> {
    keys: &'k mut Keys<'de>,
    depth_left: usize,
}

impl<'k, 'de> Checked<'k, 'de> {
    fn new(keys: &'k mut Keys<'de>) -> Self {
        Self { keys, depth_left: limits::MESSAGE_DEPTH }
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(E::custom(format!("nested deeper than {}", limits::MESSAGE_DEPTH))),
        }
    }

    fn again(&mut self) -> Checked<'_, 'de> {
        Checked { keys: self.keys, depth_left: self.depth_left }
    }
}

impl<'de> DeserializeSeed<'de> for Checked<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        if number.abs() < NUMBER_END { Ok(()) } else { Err(E::custom("a number of 2^64 or more")) }
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut below = self.deeper()?;
        while items.next_element_seed(below.again())?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut below = self.deeper()?;
        let first = below.keys.begin();
        while let Some(Key(key)) = members.next_key()? {
            below.keys.0.push(key);
            members.next_value_seed(below.again())?;
        }
        below.keys.end(first)
    }
}

/// A member's name; borrowed from the text unless it holds escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The names of members of all objects that are open, the innermost last: one allocation serves a whole text.
#[derive(Default)]
struct Keys<'a>(Vec<Cow<'a, str>>);

impl<'a> Keys<'a> {
    /// An object begins; what it gives ends it.
    fn begin(&self) -> usize {
        self.0.len()
    }

    /// An object ends: its names must differ.
    fn end<E: Error>(&mut self, first: usize) -> Result<(), E> {
        let twice =
            self.0.get_mut(first..).and_then(twice).map(|key| format!("the key {key:?} is there twice"));
        self.0.truncate(first);
        twice.map_or(Ok(()), |reason| Err(E::custom(reason)))
    }
}

/// A name that is there twice. Few are compared each with each, which is quicker than sorting them.
fn twice<'n, 'a>(names: &'n mut [Cow<'a, str>]) -> Option<&'n Cow<'a, str>> {
    if names.len() > COMPARED_KEYS {
        names.sort_unstable();
        return names.windows(2).find_map(|pair| match pair {
            [first, second] if first == second => Some(second),
            _ => None,
        });
    }
    let names = &*names;
    names.iter().enumerate().find_map(|(at, name)| names.iter().take(at).find(|earlier| *earlier == name))
}

/// Checks that a text is one JSON object within the limits.
pub(super) fn check_object(text: &str) -> Result<(), String> {
    check(text, Checked::new(&mut Keys::default()))?;
    match text.trim_start().as_bytes().first() {
        Some(b'{') => Ok(()),
        Some(b'n') => Err("it is null: a message without a body".to_owned()),
        _ => Err("it is not a JSON object".to_owned()),
    }
}

fn check<'de, S: DeserializeSeed<'de>>(text: &'de str, seed: S) -> Result<S::Value, String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut reader).map_err(|error| refusal(&error))?;
    reader.end().map_err(|error| refusal(&error))?;
    Ok(value)
}

fn refusal(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Syntax | Category::Eof => format!("not JSON: {error}"),
        Category::Data | Category::Io => error.to_string(),
    }
}

/// The fields that an envelope or a record is known by; everything in it is checked, also what is not kept.
#[derive(Default)]
pub(super) struct Fields<'a> {
    topic: Option<&'a RawValue>,
    /// Body of a fedmsg envelope.
    pub(super) msg: Option<&'a RawValue>,
    /// Body of a fedora-messaging record.
    pub(super) body: Option<&'a RawValue>,
    /// Id of a fedmsg envelope.
    pub(super) msg_id: Option<&'a RawValue>,
    /// Id of a fedora-messaging record.
    pub(super) id: Option<&'a RawValue>,
    timestamp: Option<&'a RawValue>,
    headers: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Headers {
    #[serde(rename = "sent-at")]
    sent_at: Option<String>,
}

impl<'a> Fields<'a> {
    /// Reads and checks an envelope or record.
    pub(super) fn read(text: &'a str) -> Result<Self, String> {
        check(text, FieldsSeed)
    }

    /// The topic, not yet judged.
    pub(super) fn topic(&self) -> Result<String, String> {
        self.text("topic", self.topic)?.ok_or_else(|| "the envelope has no `topic`".to_owned())
    }

    /// A field that is a string, null or absent.
    pub(super) fn text(&self, name: &str, field: Option<&RawValue>) -> Result<Option<String>, String> {
        match field {
            None => Ok(None),
            Some(raw) => serde_json::from_str(raw.get()).map_err(|_| format!("`{name}` is not a string")),
        }
    }

    /// fedmsg's `timestamp`: seconds since 1970, an integer or (old and datagrepper's) a float.
    pub(super) fn timestamp(&self) -> Result<Option<SystemTime>, String> {
        let Some(raw) = self.timestamp else { return Ok(None) };
        let seconds: Option<f64> =
            serde_json::from_str(raw.get()).map_err(|_| "`timestamp` is not a number".to_owned())?;
        match seconds {
            None => Ok(None),
            Some(seconds) if (0.0..TIMESTAMP_END).contains(&seconds) => {
                Ok(Some(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds)))
            }
            Some(seconds) => Err(format!("`timestamp` is {seconds}, which is no time in seconds since 1970")),
        }
    }

    /// fedora-messaging's header `sent-at`.
    pub(super) fn sent_at(&self) -> Result<Option<String>, String> {
        let Some(raw) = self.headers else { return Ok(None) };
        let headers: Option<Headers> = serde_json::from_str(raw.get())
            .map_err(|_| "`headers` is not an object with a string `sent-at`".to_owned())?;
        Ok(headers.and_then(|headers| headers.sent_at))
    }

    fn slot(&mut self, key: &str) -> Option<&mut Option<&'a RawValue>> {
        Some(match key {
            "topic" => &mut self.topic,
            "msg" => &mut self.msg,
            "body" => &mut self.body,
            "msg_id" => &mut self.msg_id,
            "id" => &mut self.id,
            "timestamp" => &mut self.timestamp,
            "headers" => &mut self.headers,
            _ => return None,
        })
    }
}

struct FieldsSeed;

impl<'de> DeserializeSeed<'de> for FieldsSeed {
    type Value = Fields<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Fields<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object: an envelope or record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        let mut keys = Keys::default();
        let first = keys.begin();
        while let Some(Key(key)) = members.next_key()? {
            match fields.slot(&key) {
                None => members.next_value_seed(Checked::new(&mut keys))?,
                Some(slot) => {
                    let raw: &RawValue = members.next_value()?;
                    check(raw.get(), Checked::new(&mut keys))
                        .map_err(|e| A::Error::custom(format!("in `{key}`: {e}")))?;
                    *slot = Some(raw);
                }
            }
            keys.0.push(key);
        }
        keys.end(first)?;
        Ok(fields)
    }
}
