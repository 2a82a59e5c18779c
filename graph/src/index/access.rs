//! By which values of a message a rule can be reached.
//!
//! Comes in: a rule's condition. Goes out: its *ways in*: for each part of the condition that can serve, the keys of which a
//! message must hold at least one, or else the condition is false. A key is a column (an expression, read once for a message,
//! a subject or the elements of a list) and what its value must be. A negation, a comparison with another value and whatever
//! reads a fact are no way in. It only has to be right in one direction: whoever holds a key is judged by the whole condition.

use super::{is_sampled, piece_key};
use crate::datum::hash_text;
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
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) value: Value,
    pub(crate) edge: Edge,
}

/// Whether a bound belongs to its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Within,
    Outside,
}

/// One key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) column: Column,
    pub(crate) need: Need,
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

/// The ways into a condition, one for each of its parts that can serve.
pub(crate) fn ways(graph: &Graph, known: &Known, condition: ExprId) -> Vec<Vec<Key>> {
    Reader { graph, known, list: None }.ways(condition)
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

    /// All ways: each part of a conjunction is one, also of a conjunction on the elements of a list.
    fn ways(&self, condition: ExprId) -> Vec<Vec<Key>> {
        match self.expr(condition) {
            Some(Expr::And(parts)) => {
                self.join_ranges(parts.iter().flat_map(|part| self.ways(*part)).collect())
            }
            Some(Expr::Like(of, glob)) => match self.column(*of) {
                Some(column) => of_glob(glob).into_iter().map(|need| vec![Key { column, need }]).collect(),
                None => Vec::new(),
            },
            Some(Expr::Quantified(Quantifier::Any, list, condition)) if self.list.is_none() => self
                .list_of(*list)
                .map_or(Vec::new(), |list| Reader { list: Some(list), ..*self }.ways(*condition)),
            _ => self.way(condition).into_iter().collect(),
        }
    }

    /// One way in.
    fn way(&self, part: ExprId) -> Option<Vec<Key>> {
        let one = |need: Need, of: ExprId| Some(vec![Key { column: self.column(of)?, need }]);
        match self.expr(part)? {
            Expr::Compare(op, a, b) => self.comparison(*op, *a, *b),
            Expr::In(of, set) => {
                let column = self.column(*of)?;
                let key = |value| Some(Key { column, need: Need::Equal(hash(value)?) });
                (set.len() <= KEYS_PER_WAY).then_some(())?;
                set.iter().map(key).collect()
            }
            Expr::InList(of, list) => {
                let Some(Expr::Const(value)) = self.expr(*of) else { return None };
                let column = Column { list: Some(self.list_of(*list)?), value: None };
                Some(vec![Key { column, need: Need::Equal(hash(value)?) }])
            }
            Expr::Matches(of, pattern) => one(of_regex(pattern)?, *of),
            Expr::Test(Test::Has, of) => one(Need::Present, *of),
            Expr::And(_) | Expr::Like(..) => {
                let share = |way: &Vec<Key>| way.iter().map(|key| key.need.usual_share()).sum::<f64>();
                self.ways(part).into_iter().min_by(|a, b| share(a).total_cmp(&share(b)))
            }
            Expr::Or(parts) => {
                let mut keys = Vec::new();
                for branch in parts {
                    keys.extend(self.way(*branch)?);
                    (keys.len() <= KEYS_PER_WAY).then_some(())?;
                }
                Some(keys)
            }
            Expr::Quantified(Quantifier::Any, list, condition) => self.elements(*list, *condition),
            // A condition that is a value: it must be true.
            Expr::EventValue(_) | Expr::Path(_) | Expr::Field(..) | Expr::Bound(_) => {
                one(Need::Equal(hash(&Value::Bool(true))?), part)
            }
            _ => None,
        }
    }

    /// The best of the ways into a condition on the elements of a list.
    fn elements(&self, list: ExprId, condition: ExprId) -> Option<Vec<Key>> {
        let inner = Reader { list: Some(self.list_of(list)?), ..*self };
        inner.way(condition)
    }

    fn comparison(&self, op: CompareOp, a: ExprId, b: ExprId) -> Option<Vec<Key>> {
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
            return if some { self.elements(*list, *condition) } else { None };
        }
        let column = self.column(of)?;
        let bound = |edge| Some(Bound { value: value.clone(), edge });
        let need = match op {
            CompareOp::Equal => Need::Equal(hash(value)?),
            CompareOp::NotEqual => return None,
            _ if !ranged(value) => return None,
            CompareOp::Less => Need::Between(None, bound(Edge::Outside)),
            CompareOp::LessOrEqual => Need::Between(None, bound(Edge::Within)),
            CompareOp::Greater => Need::Between(bound(Edge::Outside), None),
            CompareOp::GreaterOrEqual => Need::Between(bound(Edge::Within), None),
        };
        Some(vec![Key { column, need }])
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
        value => crate::datum::Datum::of(value, &bumpalo::Bump::new()).hash(),
    }
}

/// Whether all values of its kind stand in one order.
fn ranged(value: &Value) -> bool {
    match value {
        Value::Float(f) => !f.is_nan(),
        value => matches!(value, Value::Int(_) | Value::Time(_) | Value::Duration(_)),
    }
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

/// What every text has that a glob matches: how it begins, how it ends, and what is within.
fn of_glob(pattern: &str) -> Vec<Need> {
    let pieces = glob::pieces(pattern);
    let need = |piece: &glob::Piece| match piece {
        // Not by its hash: what is no text, a build for one, has another hash than its text.
        glob::Piece::Whole(text) | glob::Piece::Begin(text) => begin(text),
        glob::Piece::End(text) => end(text),
        glob::Piece::Within(_) => None,
    };
    let grams = pieces.iter().filter_map(|piece| gram(piece.text()));
    pieces.iter().filter_map(need).chain(grams).collect()
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

impl Reader<'_> {
    /// Two ranges of one value in one conjunction are one narrower range.
    fn join_ranges(&self, ways: Vec<Vec<Key>>) -> Vec<Vec<Key>> {
        let mut joined: Vec<Vec<Key>> = Vec::with_capacity(ways.len());
        for way in ways {
            // Outside of a quantifier different elements of a list may hold the two.
            if let [Key { column, need: Need::Between(low, high) }] = way.as_slice()
                && (column.list.is_none() || self.list.is_some())
                && let Some((known_low, known_high)) = joined.iter_mut().find_map(|way| range_on(column, way))
            {
                *known_low = known_low.take().or_else(|| low.clone());
                *known_high = known_high.take().or_else(|| high.clone());
            } else {
                joined.push(way);
            }
        }
        joined
    }
}

fn range_on<'w>(
    column: &Column,
    way: &'w mut [Key],
) -> Option<(&'w mut Option<Bound>, &'w mut Option<Bound>)> {
    match way {
        [Key { column: known, need: Need::Between(low, high) }] if known == column => Some((low, high)),
        _ => None,
    }
}
