//! By which values of a message a rule can be reached.
//!
//! Comes in: a rule's condition. Goes out: its *ways in*: for each part of the condition that can serve, the keys of which a
//! message must hold at least one, or else the condition is false. A key is a column (an expression, read once for a message,
//! a subject or the elements of a list) and what its value must be. A negation, a comparison with another value and whatever
//! reads a fact are no way in. It only has to be right in one direction: whoever holds a key is judged by the whole condition.

use std::ops::Range;

use bumpalo::Bump;
use hashbrown::HashMap;

use super::{is_sampled, number_key, piece_key};
use crate::artifact::place;
use crate::datum::{Datum, hash_text};
use crate::glob;
use crate::graph::{CompareOp, Expr, ExprId, Graph, Quantifier, Test};
use crate::value::Value;

/// Where a key's value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Column {
    /// The list whose elements are each read; none: the value itself.
    pub(crate) list: Option<ExprId>,
    /// The value, for a list one that reads its element; none: the elements are the values.
    pub(crate) value: Option<ExprId>,
}

/// What a column's value must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Need {
    /// A value with this hash.
    Equal(u64),
    /// A text that begins so: length in bytes, one of [`LENGTHS`], and key.
    Prefix(u32, u64),
    /// A text that ends so.
    Suffix(u32, u64),
    /// A text that holds this piece: length in bytes, one of [`GRAMS`], and key.
    Gram(u32, u64),
    /// A number, time or duration between bounds; none: without a bound.
    Between(Option<Bound>, Option<Bound>),
    /// Any value.
    Present,
}

/// A bound of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    /// The value as a number that is ordered alike.
    pub(crate) key: u64,
    pub(crate) edge: Edge,
}

/// Whether a bound belongs to its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Within,
    Outside,
}

/// One key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Key {
    /// Place among [`Ways::columns`].
    pub(crate) column: u32,
    pub(crate) need: Need,
}

/// The ways into the conditions of some rules: their keys stand in one table, so that none has memory of its own.
#[derive(Default)]
pub(crate) struct Ways {
    /// Keys, those of one way together.
    keys: Vec<Key>,
    /// Where the keys of each way are.
    pub(crate) all: Vec<Way>,
    /// What the keys read.
    pub(crate) columns: Vec<Column>,
    places: HashMap<Column, u32>,
    /// The part that is being read.
    part: u32,
}

/// Where the keys of a way are, of which a message must hold one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    start: u32,
    end: u32,
    /// Which part of the whole condition it is, if that is a conjunction.
    pub(crate) part: u32,
}

impl Way {
    /// The places of its keys.
    pub(crate) fn places(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Ways {
    /// The keys of a way.
    pub(crate) fn keys(&self, way: Way) -> &[Key] {
        self.keys.get(way.places()).unwrap_or_default()
    }

    /// How many keys there are, those of no way included.
    pub(crate) fn key_count(&self) -> usize {
        self.keys.len()
    }

    fn push(&mut self, column: Column, need: Need) {
        let new = place(self.columns.len());
        let column = *self.places.entry(column).or_insert_with(|| {
            self.columns.push(column);
            new
        });
        self.keys.push(Key { column, need });
    }

    /// The keys from a place on are a way.
    fn end_way(&mut self, start: usize) {
        self.all.push(Way { start: place(start), end: place(self.keys.len()), part: self.part });
    }

    /// Of the ways from one on leaves the keys of the one that is usually rarest, from a place on; none if there is none.
    fn keep_rarest(&mut self, from: usize, start: usize) -> Option<()> {
        let share = |way: &Way| self.keys(*way).iter().map(|key| key.need.usual_share()).sum::<f64>();
        let ways = self.all.get(from..)?.iter();
        let rarest = ways.map(|way| (share(way), *way)).min_by(|a, b| a.0.total_cmp(&b.0));
        self.all.truncate(from);
        let keys = rarest?.1.places();
        let end = start.saturating_add(keys.len());
        self.keys.copy_within(keys, start);
        self.keys.truncate(end);
        Some(())
    }

    /// Of the ways from one on those that are ranges of one value become one narrower range.
    fn join_ranges(&mut self, from: usize, same_value: impl Fn(&Column) -> bool) {
        let mut kept = from;
        for at in from..self.all.len() {
            let Some(way) = self.all.get(at).copied() else { break };
            if !self.is_joined(from..kept, way, &same_value) {
                if let Some(place) = self.all.get_mut(kept) {
                    *place = way;
                }
                kept = kept.saturating_add(1);
            }
        }
        self.all.truncate(kept);
    }

    /// Whether a way is a range that could be joined to one of some others.
    fn is_joined(&mut self, others: Range<usize>, way: Way, same_value: &impl Fn(&Column) -> bool) -> bool {
        let [Key { column, need: Need::Between(low, high) }] = *self.keys(way) else { return false };
        if !self.columns.get(column as usize).is_some_and(same_value) {
            return false;
        }
        for other in self.all.get(others).unwrap_or_default() {
            if let Some([Key { column: known, need: Need::Between(known_low, known_high) }]) =
                self.keys.get_mut(other.places())
                && *known == column
            {
                (*known_low, *known_high) = (known_low.or(low), known_high.or(high));
                return true;
            }
        }
        false
    }
}

/// Bytes of the pieces by which a text in the middle of a glob is looked up.
pub(crate) const GRAMS: [u32; 2] = [4, 8];
/// Prefixes and suffixes are looked up at these lengths, so that a value is hashed only so often.
pub(crate) const LENGTHS: [u32; 8] = [1, 2, 3, 4, 6, 8, 12, 16];
/// Keys of one way in; what needs more is reached otherwise, or always.
const KEYS_PER_WAY: usize = 256;

/// What is known of expressions once for all rules.
pub(crate) struct Known {
    /// Whether it reads a fact.
    pub(crate) facts: Vec<bool>,
    /// How many quantifiers around it it reads.
    pub(crate) free: Vec<u32>,
}

impl Known {
    pub(crate) fn new(graph: &Graph) -> Self {
        let mut known = Self { facts: Vec::new(), free: Vec::new() };
        for expr in &graph.exprs {
            let mut facts = matches!(expr, Expr::Fact(..));
            let mut free = if let Expr::Bound(depth) = expr { depth.saturating_add(1) } else { 0 };
            expr.operands(&mut |operand| {
                facts |= known.facts.get(operand as usize).copied().unwrap_or(true);
                let reads = known.free.get(operand as usize).copied().unwrap_or(u32::MAX);
                let bound =
                    matches!(expr, Expr::Quantified(_, _, c) | Expr::Count(_, Some(c)) if *c == operand);
                free = free.max(if bound { reads.saturating_sub(1) } else { reads });
            });
            known.facts.push(facts);
            known.free.push(free);
        }
        known
    }
}

/// Adds the ways into a condition, one for each of its parts that can serve.
pub(crate) fn ways(graph: &Graph, known: &Known, condition: ExprId, out: &mut Ways) {
    let reader = Reader { graph, known, list: None };
    out.part = 0;
    let Some(Expr::And(parts)) = reader.expr(condition) else { return reader.ways(condition, out) };
    let from = out.all.len();
    for (at, part) in (0..).zip(parts) {
        out.part = at;
        reader.ways(*part, out);
    }
    out.join_ranges(from, |column| column.list.is_none());
}

/// Reads a condition at one place: outside of quantifiers, or on the elements of one list.
#[derive(Clone, Copy)]
struct Reader<'g> {
    graph: &'g Graph,
    known: &'g Known,
    list: Option<ExprId>,
}

impl<'g> Reader<'g> {
    fn expr(&self, id: ExprId) -> Option<&'g Expr> {
        self.graph.exprs.get(id as usize)
    }

    /// Adds all ways: each part of a conjunction is one, also of a conjunction on the elements of a list.
    fn ways(&self, condition: ExprId, out: &mut Ways) {
        match self.expr(condition) {
            Some(Expr::And(parts)) => {
                let from = out.all.len();
                parts.iter().for_each(|part| self.ways(*part, out));
                // Outside of a quantifier different elements of a list may hold the two.
                out.join_ranges(from, |column| column.list.is_none() || self.list.is_some());
            }
            Some(Expr::Like(of, glob)) => {
                let Some(column) = self.column(*of) else { return };
                of_glob(glob, |need| {
                    let start = out.keys.len();
                    out.push(column, need);
                    out.end_way(start);
                });
            }
            Some(Expr::Quantified(Quantifier::Any, list, condition)) if self.list.is_none() => {
                if let Some(list) = self.list_of(*list) {
                    Reader { list: Some(list), ..*self }.ways(*condition, out);
                }
            }
            _ => {
                let start = out.keys.len();
                match self.way(condition, out) {
                    Some(()) => out.end_way(start),
                    None => out.keys.truncate(start),
                }
            }
        }
    }

    /// Adds the keys of one way in. None: there is none, and whatever was added is to be taken away again.
    fn way(&self, part: ExprId, out: &mut Ways) -> Option<()> {
        let start = out.keys.len();
        let mut one = |need: Need, of: ExprId| {
            out.push(self.column(of)?, need);
            Some(())
        };
        match self.expr(part)? {
            Expr::Compare(op, a, b) => self.comparison(*op, *a, *b, out),
            Expr::In(of, set) => {
                let column = self.column(*of)?;
                (set.len() <= KEYS_PER_WAY).then_some(())?;
                set.iter().try_for_each(|value| {
                    out.push(column, Need::Equal(hash(value)?));
                    Some(())
                })
            }
            Expr::InList(of, list) => {
                let Some(Expr::Const(value)) = self.expr(*of) else { return None };
                let column = Column { list: Some(self.list_of(*list)?), value: None };
                out.push(column, Need::Equal(hash(value)?));
                Some(())
            }
            Expr::Matches(of, pattern) => one(of_regex(pattern)?, *of),
            Expr::Test(Test::Has, of) => one(Need::Present, *of),
            Expr::And(_) | Expr::Like(..) => {
                let from = out.all.len();
                self.ways(part, out);
                out.keep_rarest(from, start)
            }
            Expr::Or(parts) => parts.iter().try_for_each(|branch| {
                self.way(*branch, out)?;
                (out.keys.len().saturating_sub(start) <= KEYS_PER_WAY).then_some(())
            }),
            Expr::Quantified(Quantifier::Any, list, condition) => self.elements(*list, *condition, out),
            // A condition that is a value: it must be true.
            Expr::EventValue(_) | Expr::Path(_) | Expr::Field(..) | Expr::Bound(_) => {
                one(Need::Equal(hash(&Value::Bool(true))?), part)
            }
            _ => None,
        }
    }

    /// The best of the ways into a condition on the elements of a list.
    fn elements(&self, list: ExprId, condition: ExprId, out: &mut Ways) -> Option<()> {
        Reader { list: Some(self.list_of(list)?), ..*self }.way(condition, out)
    }

    fn comparison(&self, op: CompareOp, a: ExprId, b: ExprId, out: &mut Ways) -> Option<()> {
        let (op, of, value) = match (self.expr(a)?, self.expr(b)?) {
            (_, Expr::Const(value)) => (op, a, value),
            (Expr::Const(value), _) => (mirrored(op), b, value),
            _ => return None,
        };
        if let (Some(Expr::Count(list, Some(condition))), Value::Int(n)) = (self.expr(of), value) {
            let some = match op {
                CompareOp::GreaterOrEqual | CompareOp::Equal => *n >= 1,
                CompareOp::Greater => *n >= 0,
                _ => false,
            };
            return if some { self.elements(*list, *condition, out) } else { None };
        }
        let column = self.column(of)?;
        let bound = |edge| Some(Some(Bound { key: number(value)?, edge }));
        let need = match op {
            CompareOp::Equal => Need::Equal(hash(value)?),
            CompareOp::NotEqual => return None,
            CompareOp::Less => Need::Between(None, bound(Edge::Outside)?),
            CompareOp::LessOrEqual => Need::Between(None, bound(Edge::Within)?),
            CompareOp::Greater => Need::Between(bound(Edge::Outside)?, None),
            CompareOp::GreaterOrEqual => Need::Between(bound(Edge::Within)?, None),
        };
        out.push(column, need);
        Some(())
    }

    /// The column of a value that can be read at this place, and without a fact.
    fn column(&self, value: ExprId) -> Option<Column> {
        let at = value as usize;
        let free = *self.known.free.get(at)?;
        if *self.known.facts.get(at)? || matches!(self.expr(value)?, Expr::Const(_)) {
            return None;
        }
        match (free, self.list) {
            (0, _) => Some(Column { list: None, value: Some(value) }),
            (1, Some(list)) => Some(Column { list: Some(list), value: Some(value) }),
            _ => None,
        }
    }

    /// A list that can be read outside of any quantifier.
    fn list_of(&self, list: ExprId) -> Option<ExprId> {
        let at = list as usize;
        (*self.known.free.get(at)? == 0 && !*self.known.facts.get(at)?).then_some(list)
    }
}

/// The hash under which a literal is looked up.
fn hash(value: &Value) -> Option<u64> {
    match value {
        Value::Text(text) => Some(hash_text(text)),
        // Lists and records have none, so they need no memory.
        value => Datum::of(value, &Bump::new()).hash(),
    }
}

/// A value of which all of its kind stand in one order, as a number that is ordered alike.
fn number(value: &Value) -> Option<u64> {
    number_key(Datum::of(value, &Bump::new()))
}

fn mirrored(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Less => CompareOp::Greater,
        CompareOp::LessOrEqual => CompareOp::GreaterOrEqual,
        CompareOp::Greater => CompareOp::Less,
        CompareOp::GreaterOrEqual => CompareOp::LessOrEqual,
        same => same,
    }
}

/// Tells what every text has that a glob matches: how it begins, how it ends, and what is within.
fn of_glob(pattern: &str, tell: impl FnMut(Need)) {
    let pieces = glob::pieces(pattern);
    let need = |piece: &glob::Piece| match piece {
        // Not by its hash: what is no text, a build for one, has another hash than its text.
        glob::Piece::Whole(text) | glob::Piece::Begin(text) => begin(text),
        glob::Piece::End(text) => end(text),
        glob::Piece::Within(_) => None,
    };
    let grams = pieces.iter().filter_map(|piece| gram(piece.text()));
    pieces.iter().filter_map(need).chain(grams).for_each(tell);
}

/// A piece of a text that stands somewhere: as long as can be, and one of the sample that is looked up.
fn gram(text: &str) -> Option<Need> {
    GRAMS.iter().rev().find_map(|length| {
        let mut keys = text.as_bytes().windows(*length as usize).map(piece_key);
        keys.find(|key| is_sampled(*key)).map(|key| Need::Gram(*length, key))
    })
}

/// What every text begins with that an anchored regular expression matches; none if that is not plain to see.
fn of_regex(pattern: &str) -> Option<Need> {
    let rest = pattern.strip_prefix('^')?;
    if rest.contains('|') {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ' ' | '/');
    let end = rest.find(|c| !plain(c)).unwrap_or(rest.len());
    let (begin, behind) = rest.split_at_checked(end)?;
    let begin = match behind.chars().next() {
        // The last character may be missing.
        Some('?' | '*' | '+' | '{') => begin.get(..begin.len().checked_sub(1)?)?,
        _ => begin,
    };
    self::begin(begin)
}

/// The longest of the lengths that are looked up.
fn longest(text: &str) -> Option<u32> {
    LENGTHS.iter().rev().find(|length| **length as usize <= text.len()).copied()
}

fn begin(text: &str) -> Option<Need> {
    let length = longest(text)?;
    Some(Need::Prefix(length, piece_key(text.as_bytes().get(..length as usize)?)))
}

fn end(text: &str) -> Option<Need> {
    let length = longest(text)?;
    let from = text.len().checked_sub(length as usize)?;
    Some(Need::Suffix(length, piece_key(text.as_bytes().get(from..)?)))
}

impl Need {
    /// The share of values that are guessed to hold it, before anything is known of the rules.
    pub(crate) fn usual_share(&self) -> f64 {
        let rarity = |length: u32| 0.35f64.powi(length.min(5).cast_signed());
        match self {
            Self::Equal(_) => 0.02,
            Self::Prefix(length, _) | Self::Suffix(length, _) => rarity(*length),
            Self::Gram(4, _) => 0.02,
            Self::Gram(..) => 0.01,
            Self::Between(Some(_), Some(_)) => 0.1,
            Self::Between(..) => 0.5,
            Self::Present => 0.8,
        }
    }
}
