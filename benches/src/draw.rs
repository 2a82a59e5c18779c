//! Drawing rules.
//!
//! Comes in: a variant, words, topics, random numbers, and how likely a rule's selective condition shall hold. Goes out: rules of one
//! to five conditions. One of them, the *anchor*, is as selective as it is told, so that a message matches about two rules however
//! many there are; the others hold often. Whatever rules speak of is drawn from the same pools as what messages say.

use crate::dice::{Dice, rank_share};
use crate::message::{URL_HEAD, choice_weights};
use crate::rule::{Condition, Literal, On, Rule, SubjectTest, Test};
use crate::shape::{ARCHES, ELEMENT, IDS, Kind, Presence, RAW_TOPICS, Slot, TOPICS, Topics, shape_of};
use crate::vocabulary::{NAMES, TAGS, USERS, Vocabulary};
use crate::workload::Variant;

/// What rules are drawn from.
pub struct Drawer<'w> {
    /// Which kinds of rules.
    pub variant: Variant,
    /// Words.
    pub vocabulary: &'w Vocabulary,
    /// Topics.
    pub topics: &'w Topics,
    /// How often each topic is spoken of.
    pub topic_weights: &'w [f64],
    /// Elements of a list of packages, on average.
    pub mean_elements: f64,
    /// How likely an anchor holds.
    pub precision: f64,
}

/// Kinds of anchors with their weights, for the variants `base`, `simple` and `hard`.
const ANCHORS: [(Anchor, [f64; 3]); 9] = [
    (Anchor::Is, [26.0, 35.0, 2.0]),
    (Anchor::In, [16.0, 20.0, 1.0]),
    (Anchor::Prefix, [9.0, 15.0, 15.0]),
    (Anchor::Suffix, [5.0, 0.0, 15.0]),
    (Anchor::Glob, [6.0, 0.0, 20.0]),
    (Anchor::Range, [10.0, 0.0, 35.0]),
    (Anchor::Any, [18.0, 30.0, 2.0]),
    (Anchor::AnyLoose, [4.0, 0.0, 10.0]),
    (Anchor::Tag, [6.0, 0.0, 0.0]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Is,
    In,
    Prefix,
    Suffix,
    Glob,
    Range,
    /// An element of that name and architecture.
    Any,
    /// An element whose size and name are within bounds.
    AnyLoose,
    Tag,
}

impl Drawer<'_> {
    /// Draws one rule.
    pub fn rule(&self, dice: &mut Dice, number: usize) -> Rule {
        let (topic, on) = self.place(dice);
        let raw = matches!(on, On::Raw(_));
        let mut slots: Vec<Slot> = shape_of(topic).to_vec();
        slots.retain(|slot| !raw || !matches!(slot.kind, Kind::Tags | Kind::Packages | Kind::Builds));
        let count = dice.weighted(&[25.0, 30.0, 20.0, 15.0, 10.0]);
        let mut conditions = self.anchors(dice, &slots);
        if matches!(on, On::Subjects(_)) {
            conditions.push(self.subject(dice));
        }
        let taken = anchored(&conditions);
        let mut free: Vec<Slot> = slots.iter().filter(|slot| !taken.contains(&slot.path)).copied().collect();
        dice.shuffle(&mut free);
        let plain = self.variant == Variant::Simple;
        let mut sides: Vec<Condition> =
            free.iter().filter_map(|slot| self.side(dice, slot, Sides::of(plain))).take(count).collect();
        if !plain && sides.len() >= 2 && dice.chance(0.1) {
            let pair = sides.drain(..2).collect();
            sides.push(Condition::Or(pair));
        }
        conditions.append(&mut sides);
        dice.shuffle(&mut conditions);
        if self.variant == Variant::Skew && on == On::Topic(HOT_TOPIC) {
            let shared = shape_of(HOT_TOPIC).iter().find(|slot| slot.path == ["state"]);
            let shared =
                shared.map(|slot| Condition::Value(*slot, Test::Is(Literal::Text("complete".to_owned()))));
            conditions.retain(|c| !matches!(c, Condition::Value(slot, _) if slot.path == ["state"]));
            conditions.splice(0..0, shared);
        }
        Rule { number, on, conditions }
    }

    /// A topic, and whether the rule names it or a pattern that covers it.
    fn place(&self, dice: &mut Dice) -> (usize, On) {
        if self.variant == Variant::Skew && dice.chance(0.9) {
            return (HOT_TOPIC, On::Topic(HOT_TOPIC));
        }
        let topic = dice.weighted(self.topic_weights);
        let exact = if topic >= TOPICS - RAW_TOPICS { On::Raw(topic) } else { On::Topic(topic) };
        let has_builds = shape_of(topic).iter().any(|slot| slot.kind == Kind::Builds);
        let form = if self.variant == Variant::Simple { 0.0 } else { dice.unit() };
        let pattern = |dice: &mut Dice, patterns: &[(String, Vec<usize>)]| {
            let of: Vec<usize> = patterns
                .iter()
                .enumerate()
                .filter(|(_, (_, of))| of.contains(&topic))
                .map(|(at, _)| at)
                .collect();
            dice.pick(&of).copied()
        };
        let on = if form < 0.7 {
            None
        } else if form < 0.85 {
            pattern(dice, &self.topics.stars).map(On::Star)
        } else {
            pattern(dice, &self.topics.hashes).map(On::Hash)
        };
        let subjects =
            self.variant == Variant::Language && has_builds && on.is_none() && exact == On::Topic(topic);
        match (on, subjects) {
            (None, true) if dice.chance(0.8) => (topic, On::Subjects(topic)),
            (on, _) => (topic, on.unwrap_or(exact)),
        }
    }

    fn anchors(&self, dice: &mut Dice, slots: &[Slot]) -> Vec<Condition> {
        if self.variant != Variant::Simple && dice.chance(0.07) {
            let parts = (0..2).map(|_| self.anchor(dice, slots, self.precision / 2.0)).collect();
            return vec![Condition::Or(parts)];
        }
        vec![self.anchor(dice, slots, self.precision)]
    }

    /// A condition that holds about as often as told.
    fn anchor(&self, dice: &mut Dice, slots: &[Slot], share: f64) -> Condition {
        let column = match self.variant {
            Variant::Simple => 1,
            Variant::Hard => 2,
            _ => 0,
        };
        let weights: Vec<f64> =
            ANCHORS.iter().map(|(_, w)| w.get(column).copied().unwrap_or_default()).collect();
        let kind = ANCHORS.get(dice.weighted(&weights)).map_or(Anchor::Is, |(kind, _)| *kind);
        let find = |wanted: Kind| slots.iter().find(|slot| slot.kind == wanted).copied();
        let name = find(Kind::Name);
        // Among few rules each must match often: they speak of states and releases.
        let choice = slots.iter().find_map(|slot| match slot.kind {
            Kind::Choice(words) if dice.chance((share - 0.1) * 1.5) => Some((slot, words)),
            _ => None,
        });
        if let Some((slot, words)) = choice {
            return Condition::Value(*slot, choice_test(dice, words, Sides::Plain));
        }
        let drawn = match kind {
            Anchor::Any | Anchor::AnyLoose => {
                find(Kind::Packages).map(|list| self.any(dice, list, kind, share))
            }
            // Tags are few: a selective one there is none.
            Anchor::Tag => find(Kind::Tags).filter(|_| share > 1.0 / 500.0).map(|list| {
                Condition::Any(list, vec![(None, Test::Is(Literal::Text(self.tag(dice, share / 2.0))))])
            }),
            Anchor::Range => find(Kind::Id).map(|slot| Condition::Value(slot, within(dice, share))),
            _ => name.map(|slot| Condition::Value(slot, self.name_test(dice, kind, share))),
        };
        let fallback = || name.map(|slot| Condition::Value(slot, self.name_test(dice, Anchor::Is, share)));
        drawn.or_else(fallback).unwrap_or(Condition::Or(Vec::new()))
    }

    /// A name whose share among all names said is about `share`, on average.
    fn name(&self, dice: &mut Dice, share: f64) -> String {
        self.vocabulary.name(dice.between(1, reach(NAMES, share)))
    }

    fn tag(&self, dice: &mut Dice, share: f64) -> String {
        self.vocabulary.tag(dice.between(1, reach(TAGS, share)))
    }

    fn name_test(&self, dice: &mut Dice, kind: Anchor, share: f64) -> Test {
        // The name seen most often is seen that often; more needs a set.
        let most = rank_share(1, NAMES);
        if kind == Anchor::In || share > most * 1.5 {
            let least = if share > most { (share / most).min(30.0) } else { 2.0 };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 2 and 30")]
            let count = dice.between(least as usize, 50);
            #[expect(clippy::cast_precision_loss, reason = "between 2 and 50")]
            let ranks = reach(NAMES, share / count as f64).max(count);
            let mut names: Vec<String> =
                (0..count).map(|_| self.vocabulary.name(dice.between(1, ranks))).collect();
            names.sort_unstable();
            names.dedup();
            dice.shuffle(&mut names);
            return Test::In(names);
        }
        let name = self.name(dice, share);
        let cut = dice.between(1, 3);
        match kind {
            Anchor::Prefix => {
                Test::Prefix(name.get(..name.len().saturating_sub(cut)).unwrap_or(&name).to_owned())
            }
            Anchor::Suffix => Test::Suffix(name.get(cut.min(2)..).unwrap_or(&name).to_owned()),
            Anchor::Glob => Test::Glob(glob_of(dice, &name)),
            _ => Test::Is(Literal::Text(name)),
        }
    }

    fn any(&self, dice: &mut Dice, list: Slot, kind: Anchor, share: f64) -> Condition {
        let of = |wanted: &str| ELEMENT.iter().find(|slot| slot.path == [wanted]).copied();
        let each = share / self.mean_elements;
        let first_arch = ARCHES.first().map_or("", |arch| arch);
        let usual_arch = (of("arch"), Test::Is(Literal::Text(first_arch.to_owned())));
        if kind == Anchor::AnyLoose {
            let width = (each * 50.0).clamp(0.02, 0.5);
            let name = self.name_test(dice, Anchor::Glob, each / width);
            return Condition::Any(list, vec![(of("size"), within(dice, width)), (of("name"), name)]);
        }
        let mut tests = vec![(of("name"), self.name_test(dice, Anchor::Is, each * 1.8)), usual_arch];
        if dice.chance(0.3) {
            let (release, most) = (of("release"), crate::shape::RELEASES.iter().take(3));
            tests.push((release, Test::In(most.map(|word| (*word).to_owned()).collect())));
        }
        if dice.chance(0.3) && self.variant != Variant::Simple {
            tests.push((of("size"), Test::AtLeast(small_part(dice, IDS))));
        }
        Condition::Any(list, tests)
    }

    /// A condition that holds often; none that the variant may have on this slot.
    fn side(&self, dice: &mut Dice, slot: &Slot, sides: Sides) -> Option<Condition> {
        let test = match (slot.kind, sides) {
            (_, _) if slot.presence == Presence::Sometimes && dice.chance(0.5) => Test::Has,
            (Kind::Choice(words), sides) => choice_test(dice, words, sides),
            (Kind::Url, _) => Test::Prefix(URL_HEAD.to_owned()),
            (_, Sides::Plain) => return None,
            (Kind::Flag, _) => Test::Is(Literal::Flag(true)),
            (Kind::Small, _) if dice.chance(0.5) => {
                Test::AtLeast(i64::try_from(dice.between(1, 40)).unwrap_or(1))
            }
            (Kind::Small, _) => Test::Below(i64::try_from(dice.between(60, 99)).unwrap_or(99)),
            (Kind::Id, _) => Test::AtLeast(small_part(dice, IDS)),
            (Kind::User, _) => Test::IsNot(Literal::Text(self.vocabulary.user(dice.rank(USERS)))),
            (Kind::Name, _) if dice.chance(0.4) => {
                let name = self.name(dice, 0.001);
                Test::Not(Box::new(Test::Glob(format!("{}*", name.get(..4).unwrap_or(&name)))))
            }
            (Kind::Name, _) => Test::IsNot(Literal::Text(self.name(dice, 0.01))),
            (Kind::Note, _) if self.variant == Variant::Language && dice.chance(0.5) => {
                Test::Not(Box::new(Test::Matches(format!("^{}( |$)", self.vocabulary.word(dice.below(50))))))
            }
            (Kind::Note, _) => {
                Test::Not(Box::new(Test::Glob(format!("*{}*", self.vocabulary.word(dice.below(90))))))
            }
            (Kind::Tags | Kind::Packages | Kind::Builds, _) => return None,
        };
        Some(Condition::Value(*slot, test))
    }

    /// A condition on one build of the message.
    fn subject(&self, dice: &mut Dice) -> Condition {
        Condition::Subject(match dice.weighted(&[0.5, 1.5, 1.5, 0.7]) {
            0 => SubjectTest::Name(Test::Prefix(self.vocabulary.word(dice.below(40)).to_owned())),
            1 => SubjectTest::Name(Test::Matches(format!(
                "^[a-{}]",
                char::from(b'f'.saturating_add(u8::try_from(dice.below(18)).unwrap_or(0)))
            ))),
            2 => {
                let number = |dice: &mut Dice, most| u64::try_from(dice.between(1, most)).unwrap_or(1);
                let version = [number(dice, 11), number(dice, 19), number(dice, 9), number(dice, 9)];
                SubjectTest::Older(version, "fc41".to_owned())
            }
            _ => SubjectTest::Dependants(100),
        })
    }
}

/// The topic that `skew` is about.
pub const HOT_TOPIC: usize = 0;

/// Which conditions may stand beside the anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sides {
    /// What every peer can say.
    Plain,
    All,
}

impl Sides {
    fn of(plain: bool) -> Self {
        if plain { Self::Plain } else { Self::All }
    }
}

/// The paths that conditions speak of.
fn anchored(conditions: &[Condition]) -> Vec<&'static [&'static str]> {
    let of = |condition: &Condition| match condition {
        Condition::Value(slot, _) | Condition::Any(slot, _) => vec![slot.path],
        Condition::Or(parts) => anchored(parts),
        Condition::Subject(_) => Vec::new(),
    };
    conditions.iter().flat_map(of).collect()
}

/// How far down the ranks one has to draw evenly, so that what is drawn is said that often.
fn reach(ranks: usize, share: f64) -> usize {
    let (mut low, mut high) = (1, ranks);
    while low < high {
        let middle = low.midpoint(high);
        #[expect(clippy::cast_precision_loss, reason = "pools are small")]
        let seen = rank_share(middle, ranks) / middle as f64;
        if seen > share {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    low
}

/// A range of that share of all numbers.
fn within(dice: &mut Dice, share: f64) -> Test {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below IDS"
    )]
    let width = ((IDS as f64 * share.min(1.0)) as usize).max(1);
    let low = dice.below(IDS.saturating_sub(width));
    let number = |n: usize| i64::try_from(n).unwrap_or_default();
    Test::Within(number(low), number(low.saturating_add(width)))
}

/// A number in the lowest two fifths.
fn small_part(dice: &mut Dice, of: usize) -> i64 {
    i64::try_from(dice.below(of.wrapping_mul(2).wrapping_div(5))).unwrap_or_default()
}

fn choice_test(dice: &mut Dice, words: &[&str], sides: Sides) -> Test {
    let word = |at: usize| words.get(at).map_or("", |word| word).to_owned();
    let kinds: &[f64] = if sides == Sides::Plain { &[1.0, 1.0] } else { &[1.0, 1.0, 1.0, 0.6] };
    match dice.weighted(kinds) {
        0 => Test::Is(Literal::Text(word(0))),
        1 => {
            let mut some: Vec<String> = (0..dice.between(2, 4)).map(word).collect();
            dice.shuffle(&mut some);
            Test::In(some)
        }
        2 => Test::IsNot(Literal::Text(word(dice.between(1, words.len().saturating_sub(1))))),
        _ => Test::Not(Box::new(Test::Is(Literal::Text(word(dice.weighted(&choice_weights(words)).max(1)))))),
    }
}

/// A glob that the name fits.
fn glob_of(dice: &mut Dice, name: &str) -> String {
    let (head, tail) = name.split_once('-').unwrap_or((name, ""));
    let cut = |text: &str, keep: usize| text.get(..keep.min(text.len())).unwrap_or(text).to_owned();
    match dice.below(3) {
        // `pyt*-requests`
        0 => format!("{}*-{tail}", cut(head, 3)),
        // `python-?equests`
        1 => format!("{head}-?{}", tail.get(1..).unwrap_or_default()),
        // `[n-r]ython-req*sts`
        _ => {
            let first = head.as_bytes().first().copied().unwrap_or(b'a');
            let (low, high) = (first.saturating_sub(2).max(b'a'), first.saturating_add(2).min(b'z'));
            let end = tail.get(tail.len().saturating_sub(2)..).unwrap_or(tail);
            format!(
                "[{}-{}]{}-{}*{end}",
                char::from(low),
                char::from(high),
                head.get(1..).unwrap_or_default(),
                cut(tail, 3)
            )
        }
    }
}
