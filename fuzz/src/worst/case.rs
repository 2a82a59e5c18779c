//! A rule set and a message as what they are made of: the search changes numbers here, never text.
//!
//! Comes in: nothing, this is data. Goes out: to `program` and `body`, which write both as text, and to `change`. Sizes are bounded
//! here ([`Case::is_bounded`]), so that a case that is as slow as can be ends within seconds and a few hundred MB.

/// One case.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// How many rules there are, all with one condition.
    pub rules: usize,
    /// What each of them waits for.
    pub condition: Condition,
    /// Whether all rules speak of the same values.
    pub constants: Alike,
    /// What a rule that fires asks for.
    pub asks: Asks,
    /// Further members that the body declares, and a rule reads.
    pub declared: usize,
    /// Further fields of an item.
    pub fields: usize,
    /// The message.
    pub message: Message,
}

/// What a message is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The text of the message itself.
    pub text: Filler,
    /// How many elements each list has that some rule reads.
    pub elements: usize,
    /// The text of each element.
    pub element: Filler,
    /// Whether elements are the same.
    pub alike: Alike,
    /// How many subjects there are.
    pub subjects: usize,
    /// Members that nobody declares.
    pub strangers: usize,
    /// Digits of each number.
    pub digits: usize,
    /// How it is written.
    pub written: Written,
    /// Bytes that are put in place of what is there: at so many thousandths of the body.
    pub broken: Vec<(usize, u8)>,
    /// Whether its topic was seen before.
    pub topic: Topic,
}

/// One letter many times, or two by turns that nobody can foresee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filler {
    /// What is repeated.
    pub letter: char,
    /// How often.
    pub length: usize,
    /// How many letters there are.
    pub letters: Letters,
}

/// How many letters a text has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letters {
    /// One.
    One,
    /// Also `z`: an automaton that remembers where it saw which has many states.
    Two,
}

/// Whether things are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alike {
    /// All of them.
    Same,
    /// Each is another.
    Distinct,
}

/// How the texts and lists of a message are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// As they are.
    Plain,
    /// Every character as an escape, in names too.
    Escaped,
    /// Elements are of another shape than declared.
    Misshapen,
}

/// Whether the matcher knows a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// It does.
    Known,
    /// Every message has a topic of its own.
    Fresh,
}

/// What a rule that fires asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// One run for the message.
    Run,
    /// One for each subject.
    RunEach,
    /// One for each text of a list.
    Texts,
    /// One for each subject and text.
    TextsEach,
    /// One for each subject, with the message's text.
    TextEach,
    /// One for each subject, once per list of texts.
    KeyEach,
}

impl Asks {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Run, Self::RunEach, Self::Texts, Self::TextsEach, Self::TextEach, Self::KeyEach];

    /// Whether the list of texts is read.
    pub fn reads_texts(self) -> bool {
        matches!(self, Self::Texts | Self::TextsEach | Self::KeyEach)
    }
}

/// A condition on the message, or on an element of a list: what a value is called depends on where it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The text is a constant.
    Equal,
    /// The text is one of so many.
    Among(usize),
    /// The number is in a range.
    Between,
    /// The text begins with so much of what it is made of.
    Begins(usize),
    /// The text has so many pieces of this length with anything between them, and never the last one.
    Glob {
        /// How many `*`.
        stars: usize,
        /// Letters of each piece.
        piece: usize,
    },
    /// A regular expression with so many states.
    Pattern(Pattern, usize),
    /// Two long texts of the message are compared.
    SameTexts,
    /// The version is older than a constant.
    Older,
    /// The version is one of so many.
    AmongVersions(usize),
    /// The text is an element of a list of texts.
    InTexts,
    /// Some colour is red; most are unheard of.
    Red,
    /// Some name of a part of the message is a constant: a path that leads through a list.
    Names,
    /// On elements of the list of items.
    Quantified(Quantifier, Box<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// All hold.
    And(Vec<Condition>),
    /// One holds.
    Or(Vec<Condition>),
}

/// How many elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// At least one.
    Any,
    /// All.
    All,
    /// None.
    None,
    /// More than there are.
    Count,
}

/// Regular expressions that are hard in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// A state for each way to go.
    Ambiguous,
    /// A long count behind anything.
    Far,
    /// Nested repetition.
    Nested,
    /// A class of thousands of characters, many times.
    Words,
}

/// Most rules of a case.
pub const MOST_RULES: usize = 512;
/// Most elements of a list: enough to see how time grows.
pub const MOST_ELEMENTS: usize = 100_000;
/// Most subjects of a message.
pub const MOST_SUBJECTS: usize = 20_000;
/// Most bytes of a message and of a program.
pub const MOST_BYTES: usize = 1 << 20;
/// Most of what is estimated to be done for one message: rules by subjects by elements, or by letters.
pub const MOST_WORK: u128 = 40_000_000;

impl Case {
    /// Whether it ends soon, even if all that it has is multiplied.
    pub fn is_bounded(&self) -> bool {
        let message = &self.message;
        let depth = u32::try_from(self.condition.depth().max(1)).unwrap_or(u32::MAX);
        let elements = wide(message.elements).saturating_pow(depth).min(5_000_000);
        let letters = wide(message.text.length).saturating_mul(wide(self.condition.states()));
        let in_elements = wide(message.elements).saturating_mul(wide(message.element.length));
        let each = elements.saturating_add(letters).saturating_add(in_elements);
        let work = wide(self.rules).saturating_mul(wide(message.subjects)).saturating_mul(each);
        self.rules <= MOST_RULES
            && message.elements <= MOST_ELEMENTS
            && self.declared.max(self.fields) <= 2_048
            && self.fields.saturating_mul(message.elements) <= 200_000
            && message.subjects.saturating_mul(self.declared.max(1)) <= 1_000_000
            && message.digits <= 20_000
            && message.text.length <= MOST_BYTES / 2
            && message.element.length.saturating_mul(message.elements) <= MOST_BYTES
            && message.digits.saturating_mul(message.elements.max(1)) <= MOST_BYTES
            && message.strangers <= 100_000
            && self.condition.nodes() <= 40
            && self.condition.depth() <= 4
            && work <= MOST_WORK
    }

    /// Whether a list of texts is read.
    pub fn reads_texts(&self) -> bool {
        self.asks.reads_texts() || self.condition.has(&|c| matches!(c, Condition::InTexts))
    }
}

fn wide(number: usize) -> u128 {
    number.max(1) as u128
}

impl Condition {
    fn parts(&self) -> &[Self] {
        match self {
            Self::Quantified(_, of) | Self::Not(of) => std::slice::from_ref(of),
            Self::And(parts) | Self::Or(parts) => parts,
            _ => &[],
        }
    }

    /// Whether it or a part of it is so.
    pub fn has(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        is(self) || self.parts().iter().any(|part| part.has(is))
    }

    /// How deep quantifiers stand in each other.
    pub fn depth(&self) -> usize {
        let below = self.parts().iter().map(Self::depth).max().unwrap_or(0);
        below.saturating_add(usize::from(matches!(self, Self::Quantified(..))))
    }

    /// How many conditions it is made of.
    pub fn nodes(&self) -> usize {
        self.parts().iter().map(Self::nodes).sum::<usize>().saturating_add(1)
    }

    /// What each letter may be compared with.
    fn states(&self) -> usize {
        let own = match self {
            Self::Glob { piece, .. } => *piece,
            Self::Pattern(_, states) | Self::Among(states) | Self::AmongVersions(states) => *states,
            _ => 1,
        };
        self.parts().iter().map(Self::states).max().unwrap_or(1).max(own)
    }
}
