//! The tables of an artifact, read in place.
//!
//! Comes in: the artifact's bytes and where its sections lie. Goes out: slices of words, nothing copied, and what stands at a
//! place in them. Every access is checked: a place that does not exist holds nothing. All words are in the machine's own byte
//! order, which the header states.

use bytemuck::{Pod, try_cast_slice};

use crate::node::{Kind, NONE, Node, NodeId, Operand, TextRef, Words};

/// The artifact's sections, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// Enums, records, facts, tasks, paths, events, topics: few, in postcard's encoding.
    Declarations,
    Nodes,
    Words,
    /// Each with its length before it.
    Texts,
    Rules,
    /// Matrix, tasks and clauses of rules, each once, in postcard's encoding with its length before it.
    Details,
    Events,
    /// Places of all rules, those of one event together.
    Ranks,
    /// What is read of a message to look rules up.
    Sources,
    /// One bit for keys of the hash table: most that are looked for show none.
    Filter,
    /// Where each bucket of the hash table begins, and where the last one ends.
    Buckets,
    /// The hash table of the index, bucket by bucket.
    Slots,
    /// What slots with several candidates hold.
    Candidates,
    /// The whole graph and its sources, in postcard's encoding: for people and tools, the matcher never looks here.
    People,
}

/// How many sections there are.
pub(crate) const SECTIONS: usize = 14;

/// A rule that a message may concern, with what to look at before its condition: `[rank, check]`. The rank is the rule's place in the
/// table of ranks, shifted by one bit, which says that it is judged for each subject. `check` is 0, or what the value of a column
/// must be; see `index`.
pub(crate) type Candidate = [u32; 2];
/// Set in the rank of a rule that is judged for each subject.
pub(crate) const BY_SUBJECT: u32 = 1;

/// Set in the event of a rule that is judged for each subject.
const SUBJECT_RULE: u32 = 1 << 31;

/// One rule, as far as every message may need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleHead {
    pub(crate) name: TextRef,
    pub(crate) event: u32,
    pub(crate) by_subject: bool,
    /// Or `NONE`.
    pub(crate) condition: NodeId,
    pub(crate) details: u32,
}

impl RuleHead {
    pub(crate) fn encode(self) -> [u32; 4] {
        let event = if self.by_subject { self.event | SUBJECT_RULE } else { self.event };
        [self.name, event, self.condition, self.details]
    }

    #[inline]
    fn decode([name, event, condition, details]: [u32; 4]) -> Self {
        Self { name, event: event & !SUBJECT_RULE, by_subject: event & SUBJECT_RULE != 0, condition, details }
    }
}

/// What the index knows of one event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventHead {
    /// Ranks of all its rules, in the order of their places.
    pub(crate) rules: [u32; 2],
    /// Candidates that no column leads to: they are judged on every message.
    pub(crate) always: [u32; 2],
    /// For each of its dialects the sources of its columns, among the words, and how many columns there are.
    pub(crate) columns: [u32; 2],
}

impl EventHead {
    pub(crate) fn encode(self) -> [u32; 6] {
        let ([a, b], [c, d], [e, f]) = (self.rules, self.always, self.columns);
        [a, b, c, d, e, f]
    }

    #[inline]
    fn decode([a, b, c, d, e, f]: [u32; 6]) -> Self {
        Self { rules: [a, b], always: [c, d], columns: [e, f] }
    }
}

/// The tables, borrowed from the artifact's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables<'a> {
    pub(crate) nodes: &'a [[u32; 4]],
    pub(crate) words: &'a [u32],
    texts: &'a [u8],
    pub(crate) rules: &'a [[u32; 4]],
    details: &'a [u8],
    pub(crate) events: &'a [[u32; 6]],
    pub(crate) ranks: &'a [u32],
    pub(crate) sources: &'a [[u32; 6]],
    pub(crate) filter: &'a [u32],
    pub(crate) buckets: &'a [u32],
    pub(crate) slots: &'a [[u32; 3]],
    pub(crate) candidates: &'a [Candidate],
}

/// A section as words; empty if its length or place does not fit.
fn cast<T: Pod>(section: &[u8]) -> &[T] {
    try_cast_slice(section).unwrap_or_default()
}

/// A run of a table.
#[inline]
pub(crate) fn run<T>(table: &[T], [start, len]: [u32; 2]) -> &[T] {
    let start = start as usize;
    table.get(start..start.saturating_add(len as usize)).unwrap_or_default()
}

/// Bytes that stand behind their length: one byte, or [`LONG`] and four.
#[inline]
pub(super) fn counted(bytes: &[u8], at: u32) -> &[u8] {
    let found = bytes.get(at as usize..).and_then(<[u8]>::split_first).and_then(|(length, rest)| {
        if *length != LONG {
            return rest.get(..usize::from(*length));
        }
        let (length, rest) = rest.split_first_chunk::<4>()?;
        rest.get(..u32::from_le_bytes(*length) as usize)
    });
    found.unwrap_or_default()
}

/// In place of a length that does not fit into a byte.
pub(super) const LONG: u8 = u8::MAX;

impl<'a> Tables<'a> {
    /// The tables whose bytes `section` gives.
    pub(crate) fn new(section: impl Fn(Section) -> &'a [u8]) -> Self {
        Self {
            nodes: cast(section(Section::Nodes)),
            words: cast(section(Section::Words)),
            texts: section(Section::Texts),
            rules: cast(section(Section::Rules)),
            details: section(Section::Details),
            events: cast(section(Section::Events)),
            ranks: cast(section(Section::Ranks)),
            sources: cast(section(Section::Sources)),
            filter: cast(section(Section::Filter)),
            buckets: cast(section(Section::Buckets)),
            slots: cast(section(Section::Slots)),
            candidates: cast(section(Section::Candidates)),
        }
    }

    #[inline]
    pub(crate) fn node(&self, id: NodeId) -> Option<Node> {
        self.nodes.get(id as usize).and_then(|words| Node::decode(*words))
    }

    /// The same, not yet read.
    #[inline]
    pub(crate) fn packed(&self, id: NodeId) -> Option<[u32; 4]> {
        self.nodes.get(id as usize).copied()
    }

    #[inline]
    pub(crate) fn text(&self, at: TextRef) -> &'a str {
        std::str::from_utf8(self.text_bytes(at)).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn text_bytes(&self, at: TextRef) -> &'a [u8] {
        counted(self.texts, at)
    }

    #[inline]
    pub(crate) fn list(&self, words: Words) -> &'a [u32] {
        run(self.words, [words.start, words.len])
    }

    #[inline]
    pub(crate) fn rule(&self, place: u32) -> Option<RuleHead> {
        self.rules.get(place as usize).map(|words| RuleHead::decode(*words))
    }

    #[inline]
    pub(crate) fn event(&self, place: u32) -> EventHead {
        self.events.get(place as usize).map_or_else(EventHead::default, |words| EventHead::decode(*words))
    }

    pub(crate) fn details(&self, at: u32) -> &'a [u8] {
        counted(self.details, at)
    }
}

/// The places of nodes that a kind of node refers to.
pub(crate) fn operands(tables: &Tables<'_>, node: Node, visit: &mut impl FnMut(NodeId)) {
    match node.kind {
        Kind::Field(a, _)
        | Kind::Part(a, _)
        | Kind::Fact(_, a)
        | Kind::CompareText(_, a, _)
        | Kind::CompareInt(_, a, _)
        | Kind::In(a, _)
        | Kind::InTexts(a, _)
        | Kind::Like(a, _)
        | Kind::Matches(a, _, _)
        | Kind::Test(_, a)
        | Kind::Not(a) => visit(a),
        Kind::Else(a, b) | Kind::Compare(_, a, b) | Kind::InList(a, b) | Kind::Quantified(_, a, b) => {
            visit(a);
            visit(b);
        }
        Kind::Count(list, of) => {
            visit(list);
            if of != NONE {
                visit(of);
            }
        }
        Kind::MakeNvr(parts) => parts.into_iter().for_each(visit),
        Kind::And(list) | Kind::Or(list) => tables.list(list).iter().for_each(|id| visit(*id)),
        Kind::MakeRecord(_, fields) => {
            tables.list(fields).iter().filter(|id| **id != NONE).for_each(|id| visit(*id));
        }
        _ => {}
    }
}

/// The path that an operand is, by itself or as a node.
pub(crate) fn path_of(tables: &Tables<'_>, operand: NodeId) -> Option<u32> {
    match Operand::decode(operand) {
        Operand::Path(path) if operand != NONE => Some(path),
        Operand::Node(id) => match tables.node(id)?.kind {
            Kind::Path(path) => Some(path),
            _ => None,
        },
        _ => None,
    }
}
