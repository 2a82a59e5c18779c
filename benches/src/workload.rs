//! The work: rules and messages of one variant.
//!
//! Comes in: a variant, a number of rules, a seed, a vocabulary. Goes out: rules, the program's text, the messages' bytes; the same
//! input gives the same bytes. Messages do not depend on the number of rules. How selective rules are is found out on a sample, so
//! that a message matches about [`MATCHES`] rules.

use crate::dice::Dice;
use crate::draw::{Drawer, HOT_TOPIC};
use crate::message::{Size, Writer, mean_elements};
use crate::naive::Naive;
use crate::program;
use crate::rule::Rule;
use crate::shape::{Kind, TOPICS, Topics, shape_of};
use crate::vocabulary::Vocabulary;

/// Rules that a message matches, on average.
pub const MATCHES: f64 = 2.0;

/// Which rules and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Variant {
    /// Everything that peers have in some way.
    Base,
    /// What all of them have: exact topics, equality, sets, prefixes, existence, tests of one element.
    Simple,
    /// Nine rules in ten share a topic and their first condition; half of the messages are of that topic.
    Skew,
    /// Hardly any selective equality.
    Hard,
    /// Messages of 430 kB with lists of 300 to 3 500 elements.
    Big,
    /// The whole language: also subjects, versions, regular expressions, facts.
    Language,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Base, Self::Simple, Self::Skew, Self::Hard, Self::Big, Self::Language];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Simple => "simple",
            Self::Skew => "skew",
            Self::Hard => "hard",
            Self::Big => "big",
            Self::Language => "language",
        }
    }

    /// How many messages a full run has.
    pub fn messages(self) -> usize {
        if self == Self::Big { 40 } else { 2_000 }
    }

    fn size(self) -> Size {
        if self == Self::Big { Size::Big } else { Size::Usual }
    }
}

/// Rules and messages.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Topics and patterns.
    pub topics: Topics,
    /// The rules as they were drawn.
    pub rules: Vec<Rule>,
    /// The same as a program.
    pub program: String,
    /// Whole envelopes.
    pub messages: Vec<Vec<u8>>,
}

/// The work of a variant, with its full number of messages.
pub fn workload(variant: Variant, rules: usize, seed: u64, vocabulary: &Vocabulary) -> Workload {
    workload_of(variant, rules, variant.messages(), seed, vocabulary)
}

/// The work of a variant, with a number of messages.
pub fn workload_of(
    variant: Variant,
    rules: usize,
    messages: usize,
    seed: u64,
    vocabulary: &Vocabulary,
) -> Workload {
    let topics = Topics::new(vocabulary);
    let weights = topic_weights(variant);
    let writer = Writer { vocabulary, topics: &topics, size: variant.size() };
    let mut dice = Dice::new(seed, 1);
    let messages: Vec<Vec<u8>> = (0..messages)
        .map(|_| {
            let hot = variant == Variant::Skew && dice.chance(0.5);
            let topic = if hot { HOT_TOPIC } else { dice.weighted(&weights) };
            writer.envelope(&mut dice, topic)
        })
        .collect();
    let mut drawer = Drawer {
        variant,
        vocabulary,
        topics: &topics,
        topic_weights: &weights,
        mean_elements: mean_elements(variant.size()),
        precision: 1.0,
    };
    let rules = draw_rules(&mut drawer, rules, seed, &messages);
    let program = program::text(&topics, &rules);
    Workload { topics, rules, program, messages }
}

/// How often each topic is seen: few of them make most of the traffic.
fn topic_weights(variant: Variant) -> Vec<f64> {
    let weight = |topic: usize| {
        let packages = shape_of(topic).iter().any(|slot| slot.kind == Kind::Packages);
        #[expect(clippy::cast_precision_loss, reason = "64 topics")]
        // 27 and 64 have no common factor: neighbours in number differ in rank.
        let rank = topic.wrapping_mul(27).wrapping_rem(TOPICS).saturating_add(1) as f64;
        if variant == Variant::Big && !packages { 0.0 } else { rank.powf(-0.8) }
    };
    (0..TOPICS).map(weight).collect()
}

/// Rules enough for a sample of [`Drawer::precision`].
const SAMPLE: usize = 10_000;
/// Few rules may by chance match far more or less than on average; so often others are drawn.
const TRIES: u64 = 20;

fn draw_rules(drawer: &mut Drawer<'_>, count: usize, seed: u64, messages: &[Vec<u8>]) -> Vec<Rule> {
    let draw = |drawer: &Drawer<'_>, count: usize, salt: u64| -> Vec<Rule> {
        let mut dice = Dice::new(seed, salt);
        (0..count).map(|number| drawer.rule(&mut dice, number)).collect()
    };
    let sample = count.saturating_mul(20).min(SAMPLE);
    for round in 0..5 {
        let mean = mean_matches(drawer.topics, &draw(drawer, sample, 2), messages);
        #[expect(clippy::cast_precision_loss, reason = "up to a million")]
        let mean = mean * count as f64 / sample.max(1) as f64;
        // A first sample may match nothing that can be counted.
        let factor = if mean > 0.0 { MATCHES / mean } else { 10.0 };
        let factor = if round == 0 { factor } else { factor.clamp(0.2, 5.0) };
        drawer.precision = (drawer.precision * factor).clamp(1e-7, 1.0);
    }
    let off = |rules: &[Rule]| (mean_matches(drawer.topics, rules, messages) - MATCHES).abs();
    let mut best = draw(drawer, count, 3);
    if count <= SAMPLE {
        let mut least = off(&best);
        for salt in 4..4_u64.saturating_add(TRIES) {
            if least <= 0.2 {
                break;
            }
            let other = draw(drawer, count, salt);
            let distance = off(&other);
            if distance < least {
                (best, least) = (other, distance);
            }
        }
    }
    best
}

/// How many rules a message matches, on average.
pub fn mean_matches(topics: &Topics, rules: &[Rule], messages: &[Vec<u8>]) -> f64 {
    let naive = Naive::new(topics, rules);
    let all: usize = messages.iter().enumerate().map(|(at, bytes)| naive.judge(at, bytes).len()).sum();
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let mean = all as f64 / messages.len().max(1) as f64;
    mean
}
