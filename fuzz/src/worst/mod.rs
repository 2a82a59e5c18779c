//! The search for what is slow to judge.
//!
//! Comes in: a kind of case, a seed, a time. Goes out: the worst case that was found, what it costs, and with which of its sizes the
//! cost grows. It climbs: of each case a few things are changed, and what costs more for each byte becomes the next one. What
//! takes long is not made larger, so that a search ends when it is told to; nothing is written, and no process is started.

pub mod body;
pub mod case;
pub mod change;
pub mod kind;
pub mod measure;
pub mod program;

use std::time::{Duration, Instant};

use case::{Case, Condition};
use kind::{By, Kind};
use measure::{Cost, Ready, count, nanoseconds};

use crate::mutate::Numbers;

/// A case that takes longer is not made larger.
const LONG: Duration = Duration::from_millis(80);
/// What is too little to be measured, in share of the best.
const NOISE: f64 = 1.03;
/// Changes without gain after which the search begins anew, from the first case.
const PATIENCE: usize = 150;

/// The worst that was found.
#[derive(Clone, Debug)]
pub struct Worst {
    /// The case.
    pub case: Case,
    /// What it costs.
    pub cost: Cost,
    /// How many cases were measured.
    pub tried: usize,
}

/// Searches for a while.
///
/// # Errors
/// The first case of the kind does not compile, which is a mistake of the search.
pub fn search(kind: &Kind, seed: u64, time: Duration) -> Result<Worst, String> {
    let began = Instant::now();
    let mut numbers = Numbers::new(seed);
    let first = (kind.first)();
    let mut here = Worst { cost: Ready::new(&first)?.cost(), case: first, tried: 1 };
    let (start, mut worst, mut in_vain) = (here.clone(), here.clone(), 0);
    while began.elapsed() < time {
        let case = change::change(&here.case, kind.open, &mut numbers);
        in_vain += 1;
        if let Some(cost) = tried(&case, &here, kind.by) {
            worst.tried += 1;
            if cost.score(kind.by) > here.cost.score(kind.by) * NOISE {
                (here.case, here.cost, in_vain) = (case, cost, 0);
            }
        }
        if here.cost.score(kind.by) > worst.cost.score(kind.by) {
            (worst.case, worst.cost) = (here.case.clone(), here.cost);
        }
        if in_vain > PATIENCE {
            (here, in_vain) = (start.clone(), 0);
        }
    }
    Ok(worst)
}

/// What a case costs; none: it is out of bounds, or larger than one that takes long already.
fn tried(case: &Case, than: &Worst, by: By) -> Option<Cost> {
    if !case.is_bounded() || case == &than.case {
        return None;
    }
    let mut ready = Ready::new(case).ok()?;
    let grows = ready.body.len() > than.cost.bytes || ready.program.len() > than.cost.program_bytes;
    (than.cost.time(by) < LONG || !grows).then(|| ready.cost())
}

/// A size of a case.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// What is counted.
    pub name: &'static str,
    /// Whether whoever sends the message can make it as large as it likes.
    of_message: bool,
    of: fn(&mut Case) -> Option<&mut usize>,
}

/// All sizes.
pub const SIZES: [Size; 9] = [
    Size { name: "rules", of_message: false, of: |case| Some(&mut case.rules) },
    Size { name: "elements", of_message: true, of: |case| Some(&mut case.message.elements) },
    Size { name: "text", of_message: true, of: |case| Some(&mut case.message.text.length) },
    Size { name: "element's text", of_message: true, of: |case| Some(&mut case.message.element.length) },
    Size { name: "subjects", of_message: true, of: |case| Some(&mut case.message.subjects) },
    Size { name: "declared", of_message: false, of: |case| Some(&mut case.declared) },
    Size { name: "strangers", of_message: true, of: |case| Some(&mut case.message.strangers) },
    Size { name: "fields", of_message: false, of: |case| Some(&mut case.fields) },
    Size { name: "constant", of_message: false, of: |case| constant(&mut case.condition) },
];

fn constant(condition: &mut Condition) -> Option<&mut usize> {
    match condition {
        Condition::Among(size)
        | Condition::AmongVersions(size)
        | Condition::Begins(size)
        | Condition::Pattern(_, size)
        | Condition::Glob { piece: size, .. } => Some(size),
        Condition::Quantified(_, of) | Condition::Not(of) => constant(of),
        Condition::And(parts) | Condition::Or(parts) => parts.iter_mut().find_map(constant),
        _ => None,
    }
}

/// With which sizes the cost grows, and by which power: the case beside one of half the size.
pub fn powers(worst: &Worst, by: By) -> Vec<(&'static Size, usize, f64)> {
    let power = |size: &'static Size| {
        let mut half = worst.case.clone();
        let of = (size.of)(&mut half)?;
        let whole = *of;
        *of = whole / 2;
        let cost = Ready::new(&half).ok().filter(|_| whole >= 4)?.cost();
        // Both in turn: the machine may have become faster since the case was found.
        let known = Ready::new(&worst.case).ok()?.cost();
        let power = (nanoseconds(known.time(by)) / nanoseconds(cost.time(by)).max(1.0)).log2();
        (power > 0.3).then_some((size, whole, power))
    };
    SIZES.iter().filter_map(power).collect()
}

/// The case with sizes of the message doubled for as long as they stay within the limits and it takes less than a while; and the
/// power of the message's bytes by which the time grew at the last step.
pub fn enlarged(worst: &Worst, by: By, sizes: &[&Size], most: Duration) -> (Worst, Option<f64>) {
    let (mut large, mut power) = (worst.clone(), None);
    let sizes: Vec<&&Size> = sizes.iter().filter(|size| size.of_message).collect();
    while large.cost.time(by) < most && !sizes.is_empty() {
        let mut next = large.case.clone();
        for size in &sizes {
            if let Some(of) = (size.of)(&mut next) {
                *of = of.saturating_mul(2);
            }
        }
        if next.message.elements > case::MOST_ELEMENTS || next.message.subjects > case::MOST_SUBJECTS {
            break;
        }
        let Ok(mut ready) = Ready::new(&next) else { break };
        let cost = ready.cost();
        let time = nanoseconds(cost.time(by)) / nanoseconds(large.cost.time(by)).max(1.0);
        power = Some(time.ln() / (count(cost.bytes) / count(large.cost.bytes)).ln().max(0.01));
        (large.case, large.cost) = (next, cost);
    }
    (large, power)
}
