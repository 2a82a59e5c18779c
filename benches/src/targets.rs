//! What is aimed at.
//!
//! Comes in: figures of several workloads. Goes out: one line for each target whose figures are there: floor, aim, what was measured,
//! and whether it is met. All are ratios within one run, but for the compile rate and the bytes.

use crate::measure::Figures;
use crate::workload::Variant;

/// One target and its figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What.
    pub what: String,
    /// The figure.
    pub figure: f64,
    /// Must be reached.
    pub floor: f64,
    /// Should be reached.
    pub aim: f64,
    /// Which direction is good.
    pub better: Better,
}

/// Which direction is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The more the better.
    More,
    /// The less the better.
    Less,
}

impl Line {
    /// How far it is.
    pub fn verdict(&self) -> &'static str {
        let reached = |bound: f64| match self.better {
            Better::More => self.figure >= bound,
            Better::Less => self.figure <= bound,
        };
        if reached(self.aim) {
            "aim met"
        } else if reached(self.floor) {
            "floor met"
        } else {
            "**missed**"
        }
    }
}

/// P/T: variant, rules, floor, aim.
const RATIOS: [(Variant, usize, f64, f64); 6] = [
    (Variant::Base, 1_000, 4.0, 7.0),
    (Variant::Base, 10_000, 2.0, 5.0),
    (Variant::Base, 100_000, 1.0, 2.5),
    (Variant::Base, 1_000_000, 0.3, 1.0),
    (Variant::Hard, 100_000, 1.0, 2.5),
    (Variant::Skew, 100_000, 0.4, 1.5),
];

/// T(100k)/T(1k): variant, floor, aim.
const GROWTH: [(Variant, f64, f64); 3] =
    [(Variant::Base, 5.0, 2.0), (Variant::Simple, 3.5, 2.0), (Variant::Skew, 6.0, 2.0)];

/// T/P of big messages: rules, floor, aim.
const BIG: [(usize, f64, f64); 2] = [(1_000, 0.8, 0.3), (100_000, 7.0, 1.0)];

/// The lines whose figures are there.
pub fn lines(all: &[Figures]) -> Vec<Line> {
    let of = |variant: Variant, rules: usize| all.iter().find(|f| f.variant == variant && f.rules == rules);
    let line = |what: String, figure: f64, floor: f64, aim: f64, better: Better| Line {
        what,
        figure,
        floor,
        aim,
        better,
    };
    let mut found = Vec::new();
    for (variant, rules, floor, aim) in RATIOS {
        let what = format!("{}, P/T at {}", variant.name(), short(rules));
        found.extend(of(variant, rules).map(|f| line(what, f.ratio(), floor, aim, Better::More)));
    }
    for (variant, floor, aim) in GROWTH {
        if let (Some(few), Some(many)) = (of(variant, 1_000), of(variant, 100_000)) {
            let what = format!("{}, growth T(100k)/T(1k)", variant.name());
            found.push(line(what, many.matching_us / few.matching_us, floor, aim, Better::Less));
        }
    }
    for (rules, floor, aim) in BIG {
        let what = format!("big, T/P at {}", short(rules));
        found.extend(of(Variant::Big, rules).map(|f| line(what, 1.0 / f.ratio(), floor, aim, Better::Less)));
    }
    if let Some(f) = of(Variant::Base, 100_000) {
        let rate = 100.0 / f.compile_all_s();
        found.push(line(
            "base, thousand rules/s compiled at 100k".to_owned(),
            rate,
            100.0,
            500.0,
            Better::More,
        ));
        found.push(line(
            "base, bytes a rule at 100k".to_owned(),
            f.bytes_a_rule(),
            220.0,
            100.0,
            Better::Less,
        ));
        let [p50, p99, _] = f.percentiles_us;
        found.push(line("base, p99/p50 at 100k".to_owned(), p99 / p50, 3.5, 2.5, Better::Less));
    }
    if let Some(f) = of(Variant::Base, 1_000_000) {
        if let Some(less) = of(Variant::Base, 100_000) {
            let ([.., many], [.., few]) = (f.compile_s, less.compile_s);
            found.push(line("base, build(1M)/build(100k)".to_owned(), many / few, 12.0, 10.5, Better::Less));
        }
        let share = 100.0 * f.load_s / f.compile_all_s();
        let what = "base, load to the first match, % of compiling, at 1M".to_owned();
        found.push(line(what, share, 3.0, 0.1, Better::Less));
    }
    found
}

/// `1k`, `1M`.
pub fn short(number: usize) -> String {
    match number {
        n if n >= 1_000_000 => format!("{}M", n / 1_000_000),
        n if n >= 1_000 => format!("{}k", n / 1_000),
        n => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_looks_in_the_good_direction() {
        let line = |figure, better| Line { what: String::new(), figure, floor: 4.0, aim: 7.0, better };
        assert_eq!(line(7.1, Better::More).verdict(), "aim met");
        assert_eq!(line(4.0, Better::More).verdict(), "floor met");
        assert_eq!(line(3.9, Better::More).verdict(), "**missed**");
        let less = |figure| Line { floor: 5.0, aim: 2.0, ..line(figure, Better::Less) };
        assert_eq!(less(1.0).verdict(), "aim met");
        assert_eq!(less(5.1).verdict(), "**missed**");
    }
}
