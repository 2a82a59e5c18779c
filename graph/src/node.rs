//! An expression as the matcher reads it: four words, to be mapped into memory as they are.
//!
//! Comes in: an [`Expr`](crate::Expr) by way of `artifact::write`. Goes out: [`Node`], with the operands' places. The first word
//! holds the kind (6 bits), a variant of it (4), how long its value holds (2) and whether it is worth keeping (1); the others
//! are operands. What has more than three of them, or text, stands in the tables beside.

use crate::graph::{CompareOp, Part, Quantifier, Test};

/// What a node reads: the place of a node, the same as the expression's, or in place of it what is read; see [`Operand`].
pub(crate) type NodeId = u32;
/// Place of a text in the artifact's texts.
pub(crate) type TextRef = u32;
/// No operand.
pub(crate) const NONE: u32 = u32::MAX;

/// An operand: what is read most often needs no node of its own to be looked at. The upper two bits tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    /// A node's place.
    Node(u32),
    EventValue(u32),
    /// A field of what the innermost-but-`n` quantifier is at: `n` below 16, the field below 2^26.
    BoundField(u32, u32),
    Path(u32),
}

const TAG: u32 = 30;
const INLINE_BITS: u32 = (1 << TAG) - 1;
const FIELD: u32 = 26;
const FIELD_BITS: u32 = (1 << FIELD) - 1;

impl Operand {
    #[inline(always)]
    pub(crate) fn decode(operand: NodeId) -> Self {
        let rest = operand & INLINE_BITS;
        match operand >> TAG {
            0 => Self::Node(rest),
            1 => Self::EventValue(rest),
            2 => Self::BoundField(rest >> FIELD, rest & FIELD_BITS),
            _ => Self::Path(rest),
        }
    }

    /// None if the numbers are too large for it, which only a graph of 2^30 expressions has.
    pub(crate) fn encode(self) -> Option<NodeId> {
        let (tag, rest, fits) = match self {
            Self::Node(at) => (0, at, at <= INLINE_BITS),
            Self::EventValue(at) => (1, at, at <= INLINE_BITS),
            Self::BoundField(depth, at) => (2, depth << FIELD | at, depth < 16 && at <= FIELD_BITS),
            // The last one is `NONE`.
            Self::Path(at) => (3, at, at < INLINE_BITS),
        };
        fits.then_some(tag << TAG | rest)
    }
}

/// Numbers in the table of words: the first one's place, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// So many texts of a set are compared sooner than one is hashed.
pub(crate) const FEW_TEXTS: usize = 4;

/// How long a value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Keep {
    /// For the message: it reads the body alone.
    Body,
    /// For one event: it reads values that each event defines.
    Event,
    /// For one subject.
    Subject,
    /// It reads what a quantifier is at.
    Never,
}

/// Whether a value that holds for a while is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Working it out again costs less than looking it up.
    Computing,
    /// Others read it as well.
    Keeping,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Bool(bool),
    Int(i64),
    Float(f64),
    Time(i64),
    Duration(i64),
    Text(TextRef),
    Evr(TextRef),
    Nvr(TextRef),
    /// A literal list: four words for each constant.
    List(Words),
    /// A literal record: the same, all `NONE` for a field that is absent.
    Record(u32, Words),
    Path(u32),
    EventValue(u32),
    Bound(u32),
    Field(NodeId, u32),
    /// A field of what the innermost-but-`n` quantifier is at.
    BoundField(u32, u32),
    Part(NodeId, Part),
    /// Nodes of the fields, or `NONE`.
    MakeRecord(u32, Words),
    MakeNvr([NodeId; 3]),
    Fact(u32, NodeId),
    Else(NodeId, NodeId),
    Compare(CompareOp, NodeId, NodeId),
    /// A comparison with a literal text.
    CompareText(CompareOp, NodeId, TextRef),
    /// A comparison with a literal whole number.
    CompareInt(CompareOp, NodeId, i64),
    /// Four words for each constant.
    In(NodeId, Words),
    /// Up to [`FEW_TEXTS`] texts. Of more, the first third of the words are 16 bits of each text's hash, ascending, two in a word; the
    /// others are the texts.
    InTexts(NodeId, Words),
    InList(NodeId, NodeId),
    Like(NodeId, TextRef),
    /// The last one is the pattern's place among all.
    Matches(NodeId, TextRef, u32),
    Test(Test, NodeId),
    Not(NodeId),
    And(Words),
    Or(Words),
    Quantified(Quantifier, NodeId, NodeId),
    /// The last one may be `NONE`.
    Count(NodeId, NodeId),
}

impl Kind {
    /// Whether it is a value of the rules themselves.
    #[inline]
    pub(crate) fn is_literal(self) -> bool {
        matches!(
            self,
            Self::Bool(_)
                | Self::Int(_)
                | Self::Float(_)
                | Self::Time(_)
                | Self::Duration(_)
                | Self::Text(_)
                | Self::Evr(_)
                | Self::Nvr(_)
                | Self::List(_)
                | Self::Record(..)
        )
    }
}

/// A node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) keep: Keep,
    pub(crate) worth: Worth,
}

const KEEPS: [Keep; 4] = [Keep::Body, Keep::Event, Keep::Subject, Keep::Never];
const COMPARISONS: [CompareOp; 6] = [
    CompareOp::Equal,
    CompareOp::NotEqual,
    CompareOp::Less,
    CompareOp::LessOrEqual,
    CompareOp::Greater,
    CompareOp::GreaterOrEqual,
];
const PARTS: [Part; 4] = [Part::Name, Part::Version, Part::Release, Part::Evr];
const TESTS: [Test; 3] = [Test::Has, Test::IsNull, Test::IsAbsent];
const QUANTIFIERS: [Quantifier; 3] = [Quantifier::Any, Quantifier::All, Quantifier::None];

fn place<T: PartialEq>(all: &[T], one: &T) -> u32 {
    all.iter().position(|x| x == one).and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of 64 bits")]
fn halves(bits: u64) -> [u32; 2] {
    [bits as u32, (bits >> 32) as u32]
}

fn whole(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl Node {
    /// The four words.
    pub(crate) fn encode(self) -> [u32; 4] {
        let number = |op: u32, bits: u64| {
            let [low, high] = halves(bits);
            (op, 0, [low, high, 0])
        };
        let (op, variant, [a, b, c]) = match self.kind {
            Kind::Bool(truth) => (0, 0, [u32::from(truth), 0, 0]),
            Kind::Int(n) => number(1, n.cast_unsigned()),
            Kind::Float(f) => number(2, f.to_bits()),
            Kind::Time(t) => number(3, t.cast_unsigned()),
            Kind::Duration(d) => number(4, d.cast_unsigned()),
            Kind::Text(text) => (5, 0, [text, 0, 0]),
            Kind::Evr(text) => (6, 0, [text, 0, 0]),
            Kind::Nvr(text) => (7, 0, [text, 0, 0]),
            Kind::List(items) => (8, 0, [items.start, items.len, 0]),
            Kind::Record(id, fields) => (9, 0, [fields.start, fields.len, id]),
            Kind::Path(path) => (10, 0, [path, 0, 0]),
            Kind::EventValue(value) => (11, 0, [value, 0, 0]),
            Kind::Bound(depth) => (12, 0, [depth, 0, 0]),
            Kind::Field(of, at) => (13, 0, [of, at, 0]),
            Kind::Part(of, part) => (14, place(&PARTS, &part), [of, 0, 0]),
            Kind::MakeRecord(id, fields) => (15, 0, [fields.start, fields.len, id]),
            Kind::MakeNvr(parts) => (16, 0, parts),
            Kind::Fact(fact, key) => (17, 0, [fact, key, 0]),
            Kind::Else(first, second) => (18, 0, [first, second, 0]),
            Kind::Compare(op, a, b) => (19, place(&COMPARISONS, &op), [a, b, 0]),
            Kind::CompareText(op, of, text) => (20, place(&COMPARISONS, &op), [of, text, 0]),
            Kind::CompareInt(op, of, n) => {
                let [low, high] = halves(n.cast_unsigned());
                (21, place(&COMPARISONS, &op), [of, low, high])
            }
            Kind::In(of, set) => (22, 0, [of, set.start, set.len]),
            Kind::InTexts(of, set) => (23, 0, [of, set.start, set.len]),
            Kind::InList(of, list) => (24, 0, [of, list, 0]),
            Kind::Like(of, glob) => (25, 0, [of, glob, 0]),
            Kind::Matches(of, text, pattern) => (26, 0, [of, text, pattern]),
            Kind::Test(test, of) => (27, place(&TESTS, &test), [of, 0, 0]),
            Kind::Not(of) => (28, 0, [of, 0, 0]),
            Kind::And(parts) => (29, 0, [parts.start, parts.len, 0]),
            Kind::Or(parts) => (30, 0, [parts.start, parts.len, 0]),
            Kind::Quantified(quantifier, list, of) => (31, place(&QUANTIFIERS, &quantifier), [list, of, 0]),
            Kind::Count(list, of) => (32, 0, [list, of, 0]),
            Kind::BoundField(depth, at) => (33, 0, [depth, at, 0]),
        };
        let worth = u32::from(self.worth == Worth::Keeping);
        [op | variant << 6 | place(&KEEPS, &self.keep) << 10 | worth << 12, a, b, c]
    }

    /// Reads four words; none if they are no node.
    pub(crate) fn decode(words: [u32; 4]) -> Option<Self> {
        Some(Self { kind: Kind::decode(words)?, keep: Keep::decode(words), worth: Worth::decode(words) })
    }
}

impl Keep {
    #[inline]
    pub(crate) fn decode([head, ..]: [u32; 4]) -> Self {
        match head >> 10 & 3 {
            0 => Self::Body,
            1 => Self::Event,
            2 => Self::Subject,
            _ => Self::Never,
        }
    }
}

impl Worth {
    #[inline]
    pub(crate) fn decode([head, ..]: [u32; 4]) -> Self {
        if head >> 12 & 1 == 1 { Self::Keeping } else { Self::Computing }
    }
}

impl Kind {
    /// Reads what four words do; none if they are no node. Inlined, so that what they do is branched on once.
    #[inline(always)]
    pub(crate) fn decode([head, a, b, c]: [u32; 4]) -> Option<Self> {
        let variant = (head >> 6 & 15) as usize;
        let words = |start, len| Words { start, len };
        let comparison = || COMPARISONS.get(variant).copied();
        Some(match head & 63 {
            0 => Kind::Bool(a == 1),
            1 => Kind::Int(whole(a, b).cast_signed()),
            2 => Kind::Float(f64::from_bits(whole(a, b))),
            3 => Kind::Time(whole(a, b).cast_signed()),
            4 => Kind::Duration(whole(a, b).cast_signed()),
            5 => Kind::Text(a),
            6 => Kind::Evr(a),
            7 => Kind::Nvr(a),
            8 => Kind::List(words(a, b)),
            9 => Kind::Record(c, words(a, b)),
            10 => Kind::Path(a),
            11 => Kind::EventValue(a),
            12 => Kind::Bound(a),
            13 => Kind::Field(a, b),
            14 => Kind::Part(a, *PARTS.get(variant)?),
            15 => Kind::MakeRecord(c, words(a, b)),
            16 => Kind::MakeNvr([a, b, c]),
            17 => Kind::Fact(a, b),
            18 => Kind::Else(a, b),
            19 => Kind::Compare(comparison()?, a, b),
            20 => Kind::CompareText(comparison()?, a, b),
            21 => Kind::CompareInt(comparison()?, a, whole(b, c).cast_signed()),
            22 => Kind::In(a, words(b, c)),
            23 => Kind::InTexts(a, words(b, c)),
            24 => Kind::InList(a, b),
            25 => Kind::Like(a, b),
            26 => Kind::Matches(a, b, c),
            27 => Kind::Test(*TESTS.get(variant)?, a),
            28 => Kind::Not(a),
            29 => Kind::And(words(a, b)),
            30 => Kind::Or(words(a, b)),
            31 => Kind::Quantified(*QUANTIFIERS.get(variant)?, a, b),
            32 => Kind::Count(a, b),
            33 => Kind::BoundField(a, b),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operand_is_read_as_it_was_written() {
        let node = Operand::Node(INLINE_BITS);
        for operand in [node, Operand::EventValue(9), Operand::BoundField(15, 3), Operand::Path(0)] {
            assert_eq!(operand.encode().map(Operand::decode), Some(operand));
        }
        for operand in [Operand::Node(1 << TAG), Operand::BoundField(16, 0), Operand::Path(INLINE_BITS)] {
            assert_eq!(operand.encode(), None);
        }
    }

    #[test]
    fn every_kind_is_read_as_it_was_written() {
        let words = Words { start: 7, len: 9 };
        let mut kinds = vec![
            Kind::Bool(true),
            Kind::Int(-5),
            Kind::Float(-0.5),
            Kind::Time(i64::MIN),
            Kind::Duration(i64::MAX),
            Kind::Text(1),
            Kind::Evr(2),
            Kind::Nvr(3),
            Kind::List(words),
            Kind::Record(4, words),
            Kind::Path(5),
            Kind::EventValue(6),
            Kind::Bound(1),
            Kind::Field(2, 3),
            Kind::BoundField(1, 3),
            Kind::MakeRecord(3, words),
            Kind::MakeNvr([1, 2, 3]),
            Kind::Fact(1, 2),
            Kind::Else(1, 2),
            Kind::In(1, words),
            Kind::InTexts(1, words),
            Kind::InList(1, 2),
            Kind::Like(1, 2),
            Kind::Matches(1, 2, 3),
            Kind::Not(1),
            Kind::And(words),
            Kind::Or(words),
            Kind::Count(1, NONE),
        ];
        for op in COMPARISONS {
            kinds.extend([Kind::Compare(op, 1, 2), Kind::CompareText(op, 1, 2), Kind::CompareInt(op, 1, -2)]);
        }
        kinds.extend(PARTS.map(|part| Kind::Part(1, part)));
        kinds.extend(TESTS.map(|test| Kind::Test(test, 1)));
        kinds.extend(QUANTIFIERS.map(|quantifier| Kind::Quantified(quantifier, 1, 2)));
        for kind in kinds {
            for (keep, worth) in KEEPS.into_iter().zip([Worth::Computing, Worth::Keeping].repeat(2)) {
                let node = Node { kind, keep, worth };
                assert_eq!(Node::decode(node.encode()), Some(node));
            }
        }
        assert_eq!(Node::decode([63, 0, 0, 0]), None);
    }
}
