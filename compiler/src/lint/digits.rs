//! The numbers that a pattern can match: `^f[3-9][3-9]$` matches f33 to f39, and never f40.
//!
//! Comes in: a regular expression or glob. Goes out: its fixed text before and behind a run of digit classes, and which numbers
//! from 0 to 999 match between them, by trying each. A pattern without one such run, or with one that lists whole numbers, gives
//! nothing: it is not read as "these and later".

use regex_syntax::hir::{Class, Hir, HirKind};
use taskbot_graph::{Glob, Pattern};

/// Numbers below this are tried.
const NUMBERS: u32 = 1000;

/// Which numbers match between fixed texts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    /// Before the number.
    pub(super) before: String,
    /// Behind it.
    pub(super) behind: String,
    /// The numbers that match, rising.
    pub(super) matched: Vec<u32>,
}

impl Numbers {
    /// First and last number of each hole between the smallest and the largest that match.
    pub(super) fn holes(&self) -> Vec<(u32, u32)> {
        let pairs = self.matched.iter().zip(self.matched.iter().skip(1));
        pairs
            .filter(|(a, b)| **b > a.saturating_add(1))
            .map(|(a, b)| (a.saturating_add(1), b.saturating_sub(1)))
            .collect()
    }
}

/// The numbers that a regular expression can match.
pub(super) fn of_regex(text: &str) -> Option<Numbers> {
    let hir = regex_syntax::parse(text).ok()?;
    let mut parts = Vec::new();
    flatten(&hir, &mut parts);
    let mut run = Run::default();
    for part in parts {
        match part.kind() {
            HirKind::Look(_) | HirKind::Empty => {}
            HirKind::Literal(literal) => run.text(std::str::from_utf8(&literal.0).ok()?)?,
            _ => match lengths(part) {
                Some(more) => run.class(more, has_range(part))?,
                // Anything may follow the number.
                None if run.range && is_anything(part) => break,
                None => return None,
            },
        }
    }
    let pattern = Pattern::new(text).ok()?;
    run.numbers(|candidate| pattern.matches(candidate))
}

/// The numbers that a glob can match.
pub(super) fn of_glob(text: &str) -> Option<Numbers> {
    let mut run = Run::default();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '*' if run.range => break,
            '*' | '?' => return None,
            '[' => {
                let (class, behind) = rest.get(1..)?.split_once(']')?;
                let digits = class.chars().all(|c| c.is_ascii_digit() || c == '-');
                if !digits {
                    return None;
                }
                run.class(Lengths { least: 1, most: 1 }, class.contains('-'))?;
                rest = behind;
            }
            _ => {
                run.text(c.encode_utf8(&mut [0; 4]))?;
                rest = rest.get(c.len_utf8()..)?;
            }
        }
    }
    let glob = Glob::new(text).ok()?;
    let open = if rest.is_empty() { "" } else { "x" };
    // A `*` behind the number matches whatever comes, so also nothing.
    run.numbers(|candidate| glob.matches(candidate) || glob.matches(&format!("{candidate}{open}")))
}

/// How many digits there are.
#[derive(Clone, Copy, Debug, Default)]
struct Lengths {
    least: u32,
    most: u32,
}

/// Text, digits, text: as far as a pattern was read.
#[derive(Debug, Default)]
struct Run {
    before: String,
    behind: String,
    digits: Lengths,
    begun: bool,
    /// Whether a class of the run has a range: `[3-9]`, not `[39]`.
    range: bool,
}

impl Run {
    /// Fixed text; digits at its end, or behind a class, belong to the number.
    fn text(&mut self, text: &str) -> Option<()> {
        let mut text = text;
        if self.begun {
            if self.behind.is_empty() {
                let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
                self.longer(text.len().saturating_sub(rest.len()));
                text = rest;
            }
            self.behind.push_str(text);
        } else {
            // Whatever stands before the first class; its digits are looked at once there is one.
            self.before.push_str(text);
        }
        Some(())
    }

    fn class(&mut self, more: Lengths, range: bool) -> Option<()> {
        if !self.behind.is_empty() {
            return None;
        }
        if !self.begun {
            self.begun = true;
            let before = self.before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            self.longer(self.before.len().saturating_sub(before));
            self.before.truncate(before);
        }
        self.digits.least = self.digits.least.saturating_add(more.least);
        self.digits.most = self.digits.most.saturating_add(more.most);
        self.range |= range;
        Some(())
    }

    fn longer(&mut self, digits: usize) {
        let digits = u32::try_from(digits).unwrap_or(u32::MAX);
        self.digits.least = self.digits.least.saturating_add(digits);
        self.digits.most = self.digits.most.saturating_add(digits);
    }

    fn numbers(self, matches: impl Fn(&str) -> bool) -> Option<Numbers> {
        // Without a text before it, it is some number, not a release or version by name.
        if !self.range || self.before.is_empty() {
            return None;
        }
        // Longer numbers match only where something may follow, and that is not the number.
        let power = |digits: u32| 10_u32.checked_pow(digits).unwrap_or(u32::MAX).min(NUMBERS);
        let first = if self.digits.least > 1 { power(self.digits.least.saturating_sub(1)) } else { 0 };
        let fits = |number: &u32| matches(&format!("{}{number}{}", self.before, self.behind));
        let matched: Vec<u32> = (first..power(self.digits.most)).filter(fits).collect();
        Some(Numbers { before: self.before, behind: self.behind, matched })
    }
}

/// A concatenation as its parts, groups opened.
fn flatten<'h>(hir: &'h Hir, out: &mut Vec<&'h Hir>) {
    match hir.kind() {
        HirKind::Concat(parts) => parts.iter().for_each(|part| flatten(part, out)),
        HirKind::Capture(group) => flatten(&group.sub, out),
        _ => out.push(hir),
    }
}

/// How many digits an expression matches; none if it matches anything else.
fn lengths(hir: &Hir) -> Option<Lengths> {
    let one = |n: u32| Lengths { least: n, most: n };
    match hir.kind() {
        HirKind::Empty => Some(one(0)),
        HirKind::Literal(literal) => {
            let digits = literal.0.iter().all(u8::is_ascii_digit);
            digits.then(|| one(u32::try_from(literal.0.len()).unwrap_or(u32::MAX)))
        }
        HirKind::Class(class) => is_digits(class).then(|| one(1)),
        HirKind::Capture(group) => lengths(&group.sub),
        HirKind::Repetition(repetition) => {
            let of = lengths(&repetition.sub)?;
            let most = repetition.max.map_or(u32::MAX, |max| of.most.saturating_mul(max));
            Some(Lengths { least: of.least.saturating_mul(repetition.min), most })
        }
        HirKind::Concat(parts) => parts.iter().try_fold(one(0), |sum, part| {
            let part = lengths(part)?;
            Some(Lengths {
                least: sum.least.saturating_add(part.least),
                most: sum.most.saturating_add(part.most),
            })
        }),
        HirKind::Alternation(parts) => {
            let parts = parts.iter().map(lengths).collect::<Option<Vec<_>>>()?;
            Some(Lengths {
                least: parts.iter().map(|part| part.least).min()?,
                most: parts.iter().map(|part| part.most).max()?,
            })
        }
        HirKind::Look(_) => None,
    }
}

/// Digits alone; `\d` also knows those of other scripts.
fn is_digits(class: &Class) -> bool {
    let Class::Unicode(class) = class else { return false };
    let digits = |c: char| if c.is_ascii() { c.is_ascii_digit() } else { c.is_numeric() };
    class.iter().next().is_some_and(|range| range.start().is_ascii_digit())
        && class.iter().all(|range| {
            digits(range.start()) && digits(range.end()) && range.start().is_ascii() == range.end().is_ascii()
        })
}

/// Whether a class below it has a range.
fn has_range(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => class.iter().any(|range| range.start() < range.end()),
        HirKind::Capture(group) => has_range(&group.sub),
        HirKind::Repetition(repetition) => has_range(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(has_range),
        _ => false,
    }
}

/// `.*` and `.+`
pub(super) fn is_anything(hir: &Hir) -> bool {
    let HirKind::Repetition(repetition) = hir.kind() else { return false };
    let any = regex_syntax::hir::Dot::AnyCharExceptLF;
    repetition.max.is_none() && *repetition.sub == Hir::dot(any)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn holes_lie_between_the_smallest_and_the_largest_number() {
        for (pattern, before, matched, first_hole) in [
            ("^f[3-9][3-9]$", "f", 49, Some((40, 42))),
            ("^f4[0-2]$", "f", 3, None),
            ("^f[34][0-9]", "f", 20, None),
            ("^f[1-9][0-9]?$", "f", 99, None),
            (r"^f\d+$", "f", 1000, None),
            ("^f([8-9]|[1-4][0-9])$", "f", 42, None),
            ("^f(3[3-9]|4[0-2])-updates$", "f", 10, None),
            ("^f(3[3-9]|5[0-2]).*", "f", 10, Some((40, 49))),
            ("dist-f[3-4][3-9]", "dist-f", 14, Some((40, 42))),
        ] {
            let numbers = of_regex(pattern).unwrap();
            assert_eq!(numbers.before, before, "{pattern}");
            assert_eq!(numbers.matched.len(), matched, "{pattern}: {:?}", numbers.matched);
            assert_eq!(numbers.holes().first().copied(), first_hole, "{pattern}");
        }
        assert_eq!(of_glob("f[3-9][3-9]*").unwrap().holes()[0], (40, 42));
        assert_eq!(of_glob("f[34][0-9]-updates").unwrap().holes(), []);
    }

    #[test]
    fn lists_of_numbers_and_other_patterns_are_not_read() {
        for pattern in
            ["^f(39|41)$", "^f[39]$", "^kernel-.*$", "[3-9][3-9]", "^f[a-z]$", "^.*[0-9]$", "^f[3-9]x[0-9]$"]
        {
            assert_eq!(of_regex(pattern), None, "{pattern}");
        }
        assert_eq!(of_glob("f*"), None);
        assert_eq!(of_glob("f3?"), None);
    }
}
