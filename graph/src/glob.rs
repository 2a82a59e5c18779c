//! Globs: `like "python3-*"`.
//!
//! Comes in: a pattern of the rule and a text of the message. Goes out: whether the pattern matches the whole text. Linear in
//! the text for each `*` of the pattern, never exponential, whatever the text is.

/// A checked pattern: `*` is any text, `?` any one character, `[ab]` or `[a-z]` one of them, `[!a]` none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

/// The next piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step<'p> {
    Any,
    One,
    Char(char),
    /// What stands between the brackets, without the sign of negation.
    Class {
        negated: bool,
        members: &'p str,
    },
}

impl Glob {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let mut rest = pattern;
        while !rest.is_empty() {
            let (step, behind) = step(rest).ok_or("a `[` without its `]`")?;
            if let Step::Class { members, .. } = step
                && let Some((low, high)) = ranges(members).find(|(low, high)| high < low)
            {
                return Err(format!("the range {low}-{high} is backwards"));
            }
            rest = behind;
        }
        Ok(Self(pattern.to_owned()))
    }

    /// The same as an anchored regular expression, for whoever compares patterns with each other.
    pub fn regex(&self) -> String {
        let letter = |c: char| format!("\\x{{{:x}}}", c as u32);
        let mut out = String::from(r"(?s)\A");
        let mut rest = self.0.as_str();
        while let Some((step, behind)) = step(rest) {
            match step {
                Step::Any => out.push_str(".*"),
                Step::One => out.push('.'),
                Step::Char(c) => out.push_str(&letter(c)),
                Step::Class { negated, members } => {
                    out.push_str(if negated { "[^" } else { "[" });
                    for (low, high) in ranges(members) {
                        out.push_str(&format!("{}-{}", letter(low), letter(high)));
                    }
                    out.push(']');
                }
            }
            rest = behind;
        }
        out + r"\z"
    }

    /// Whether the pattern matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        matches(&self.0, text)
    }
}

/// Whether a pattern, read as it stands, matches a whole text. One that [`Glob::new`] refuses matches nothing.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut rest) = (pattern, text);
    // Where to go on after the last `*`: what follows it, and the text that it has not swallowed yet.
    let mut retry: Option<(&str, &str)> = None;
    loop {
        (pattern, rest) = behind_common(pattern, rest);
        let next = step(pattern);
        if let Some((Step::Any, behind)) = next {
            if behind.is_empty() {
                return true;
            }
            pattern = behind;
            retry = Some((behind, rest));
            continue;
        }
        let mut ahead = rest.chars();
        match (next, ahead.next()) {
            (None, None) => return pattern.is_empty(),
            (Some((step, behind)), Some(c)) if step.accepts(c) => {
                (pattern, rest) = (behind, ahead.as_str());
                continue;
            }
            _ => {}
        }
        let Some((behind, from)) = retry.as_mut() else { return false };
        let mut swallowed = from.chars();
        if swallowed.next().is_none() {
            return false;
        }
        *from = swallowed.as_str();
        (pattern, rest) = (behind, from);
    }
}

/// What follows the plain ASCII characters with which both begin: most of a pattern, so they are compared as bytes.
#[inline]
fn behind_common<'p, 't>(pattern: &'p str, text: &'t str) -> (&'p str, &'t str) {
    let plain = |byte: u8| byte.is_ascii() && !matches!(byte, b'*' | b'?' | b'[');
    let both = pattern.bytes().zip(text.bytes());
    let common = both.take_while(|(p, t)| p == t && plain(*p)).count();
    (pattern.get(common..).unwrap_or_default(), text.get(common..).unwrap_or_default())
}

/// A piece of text that every text holds which a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The text itself.
    Whole(String),
    Begin(String),
    End(String),
    Within(String),
}

impl Piece {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Whole(text) | Self::Begin(text) | Self::End(text) | Self::Within(text) => text,
        }
    }
}

/// The plain pieces of a pattern that are not empty.
pub(crate) fn pieces(pattern: &str) -> Vec<Piece> {
    let (mut pieces, mut text, mut first, mut rest) = (Vec::new(), String::new(), true, pattern);
    while let Some((step, behind)) = step(rest) {
        rest = behind;
        if let Step::Char(c) = step {
            text.push(c);
            continue;
        }
        let piece = std::mem::take(&mut text);
        if !piece.is_empty() {
            pieces.push(if first { Piece::Begin(piece) } else { Piece::Within(piece) });
        }
        first = false;
    }
    // What follows a `[` that is not closed matches nothing: then no piece is wrong.
    if first {
        pieces.push(Piece::Whole(text));
    } else if !text.is_empty() {
        pieces.push(Piece::End(text));
    }
    pieces
}

/// The first piece of a pattern and what follows; none at its end, or if a `[` is not closed.
fn step(pattern: &str) -> Option<(Step<'_>, &str)> {
    let first = pattern.chars().next()?;
    let rest = pattern.get(first.len_utf8()..)?;
    match first {
        '*' => Some((Step::Any, rest.trim_start_matches('*'))),
        '?' => Some((Step::One, rest)),
        '[' => {
            let negated = rest.starts_with(['!', '^']);
            let members = if negated { rest.get(1..)? } else { rest };
            // A `]` right at the beginning is a member.
            let end = members.char_indices().skip(1).find(|(_, c)| *c == ']')?.0;
            Some((Step::Class { negated, members: members.get(..end)? }, members.get(end..)?.get(1..)?))
        }
        c => Some((Step::Char(c), rest)),
    }
}

/// The ranges of a class; a single member is a range of one. A hyphen at the end is a member.
fn ranges(members: &str) -> impl Iterator<Item = (char, char)> {
    let mut chars = members.chars();
    std::iter::from_fn(move || {
        let low = chars.next()?;
        let mut ahead = chars.clone();
        match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) => {
                chars = ahead;
                Some((low, high))
            }
            _ => Some((low, low)),
        }
    })
}

impl Step<'_> {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Char(x) => *x == c,
            Self::Class { negated, members } => {
                ranges(members).any(|(low, high)| (low..=high).contains(&c)) != *negated
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
    fn pieces_are_what_no_wildcard_stands_for() {
        use Piece::{Begin, End, Whole, Within};
        let text = str::to_owned;
        assert_eq!(pieces("abc"), [Whole(text("abc"))]);
        assert_eq!(pieces("pyt*-x"), [Begin(text("pyt")), End(text("-x"))]);
        assert_eq!(pieces("[n-r]ython-req*[!a]s?"), [Within(text("ython-req")), Within(text("s"))]);
        assert_eq!(pieces("?*"), []);
        assert_eq!(pieces(""), [Whole(String::new())]);
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
