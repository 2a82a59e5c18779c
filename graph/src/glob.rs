//! Globs: `like "python3-*"`.
//!
//! Comes in: a pattern of the rule and a text of the message. Goes out: whether the pattern matches the whole text. Linear in
//! the text for each `*` of the pattern, never exponential, whatever the text is.

/// A checked pattern: `*` is any text, `?` any one character, `[ab]` or `[a-z]` one of them, `[!a]` none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Any,
    One,
    Char(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            let step = match c {
                '*' if steps.last() == Some(&Step::Any) => continue,
                '*' => Step::Any,
                '?' => Step::One,
                '[' => {
                    let negated = chars.next_if(|c| matches!(c, '!' | '^')).is_some();
                    let mut ranges = Vec::new();
                    loop {
                        let low = chars.next().ok_or("a `[` without its `]`")?;
                        if low == ']' && !ranges.is_empty() {
                            break;
                        }
                        if chars.next_if_eq(&'-').is_some() {
                            let high = chars.next().ok_or("a `[` without its `]`")?;
                            if high == ']' {
                                ranges.extend([(low, low), ('-', '-')]);
                                break;
                            }
                            if high < low {
                                return Err(format!("the range {low}-{high} is backwards"));
                            }
                            ranges.push((low, high));
                        } else {
                            ranges.push((low, low));
                        }
                    }
                    Step::Class { negated, ranges }
                }
                c => Step::Char(c),
            };
            steps.push(step);
        }
        Ok(Self(steps))
    }

    /// The same as an anchored regular expression, for whoever compares patterns with each other.
    pub fn regex(&self) -> String {
        let letter = |c: char| format!("\\x{{{:x}}}", c as u32);
        let mut out = String::from(r"(?s)\A");
        for step in &self.0 {
            match step {
                Step::Any => out.push_str(".*"),
                Step::One => out.push('.'),
                Step::Char(c) => out.push_str(&letter(*c)),
                Step::Class { negated, ranges } => {
                    out.push_str(if *negated { "[^" } else { "[" });
                    for (low, high) in ranges {
                        out.push_str(&format!("{}-{}", letter(*low), letter(*high)));
                    }
                    out.push(']');
                }
            }
        }
        out + r"\z"
    }

    /// Whether the pattern matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        let mut at = 0;
        let mut rest = text.chars();
        // Where to go on after the last `*`: the step behind it, and the text that it has not swallowed yet.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let step = self.0.get(at);
            if step == Some(&Step::Any) {
                at = at.saturating_add(1);
                retry = Some((at, rest.clone()));
                continue;
            }
            let mut ahead = rest.clone();
            let matched = match (step, ahead.next()) {
                (None, None) => return true,
                (Some(step), Some(c)) => step.accepts(c),
                _ => false,
            };
            if matched {
                (at, rest) = (at.saturating_add(1), ahead);
                continue;
            }
            let Some((behind, from)) = retry.as_mut() else { return false };
            if from.next().is_none() {
                return false;
            }
            (at, rest) = (*behind, from.clone());
        }
    }
}

impl Step {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Char(x) => *x == c,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn matches_whole_texts() {
        for (pattern, text, expected) in [
            ("python3-*", "python3-requests", true),
            ("python3-*", "python3", false),
            ("*-devel", "a-devel-devel", true),
            ("f[34]?", "f40", true),
            ("f[!3]?", "f39", false),
            ("[a-c-]x", "-x", true),
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn malformed_patterns_are_errors() {
        assert!(Glob::new("a[").is_err());
        assert!(Glob::new("[z-a]").is_err());
    }

    #[test]
    fn a_hostile_text_costs_linear_time() {
        let glob = Glob::new("*a*a*a*a*a*a*b").unwrap();
        assert!(!glob.matches(&"a".repeat(20_000)));
    }
}
