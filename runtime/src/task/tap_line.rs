//! One line of TAP.
//!
//! Comes in: a line without its indentation. Goes out: what it is, with its texts unescaped (`\#` is `#`, `\\` is `\`), or
//! nothing where it is no TAP. It knows no line before or after.

use super::Outcome;

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// `ok 1 - name # SKIP why`.
    Test(Test),
    /// `1..4 # why`.
    Plan(Plan),
    /// `Bail out! why`.
    BailOut(String),
    /// `pragma +strict`.
    Pragma { name: &'a str, on: bool },
    /// `# Subtest: name`; the name may be empty.
    Subtest(String),
    /// `TAP version 14`.
    Version,
}

/// A test that ran.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) outcome: Outcome,
    pub(super) number: Option<u64>,
    /// May be empty.
    pub(super) description: String,
    /// Why it is skipped or to do.
    pub(super) note: String,
    /// How long it took, as node-tap writes it behind a `#`: no part of a name that should stay.
    pub(super) time: Option<String>,
}

/// How many tests there are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) count: u64,
    /// Why there are none.
    pub(super) reason: String,
}

/// What a line is.
pub(super) fn item(line: &str) -> Option<Item<'_>> {
    let line = line.trim_end();
    if let Some(rest) = after_word(line, "not ok") {
        return Some(Item::Test(test(rest, Outcome::Failed)));
    }
    if let Some(rest) = after_word(line, "ok") {
        return Some(Item::Test(test(rest, Outcome::Passed)));
    }
    if let Some(plan) = plan(line) {
        return Some(Item::Plan(plan));
    }
    if let Some(rest) = line.strip_prefix("# Subtest") {
        let name = rest.strip_prefix(':').or(rest.is_empty().then_some(""))?;
        return Some(Item::Subtest(unescaped(name.trim())));
    }
    const BAIL_OUT: &str = "Bail out!";
    if line.get(..BAIL_OUT.len()).is_some_and(|head| head.eq_ignore_ascii_case(BAIL_OUT)) {
        return Some(Item::BailOut(unescaped(line.get(BAIL_OUT.len()..)?.trim())));
    }
    if let Some(rest) = line.strip_prefix("pragma ") {
        let (on, name) = match rest.strip_prefix('+') {
            Some(name) => (true, name),
            None => (false, rest.strip_prefix('-')?),
        };
        let is_key = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        return (is_key && !name.is_empty()).then_some(Item::Pragma { name, on });
    }
    let version = line.strip_prefix("TAP version ")?;
    version.bytes().all(|byte| byte.is_ascii_digit()).then_some(Item::Version)
}

/// What follows a word that ends there.
fn after_word<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(word)?;
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then_some(rest)
}

fn test(rest: &str, said: Outcome) -> Test {
    let rest = rest.trim_start();
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, after) = rest.split_at(digits);
    // `ok 2nd try` has no number
    let (number, rest) = match number.parse() {
        Ok(number) if after.is_empty() || after.starts_with([' ', '\t', '-', '#']) => (Some(number), after),
        _ => (None, rest),
    };
    let (description, directive) = split_directive(rest);
    let timed = description.rsplit_once(" # time=").filter(|(_, time)| !time.contains(char::is_whitespace));
    let (description, time) = timed.map_or((description, None), |(before, time)| (before, Some(time)));
    let (outcome, note) = match &directive {
        Some((Directive::Skip, why)) => (Outcome::Info, format!("skipped: {why}")),
        Some((Directive::Todo, why)) => (Outcome::Info, format!("to do: {why}")),
        None => (said, String::new()),
    };
    let description = unescaped(description.trim());
    let description = match description.strip_prefix('-') {
        Some(rest) if rest.is_empty() || rest.starts_with(char::is_whitespace) => rest.trim().to_owned(),
        _ => description,
    };
    let note = note.trim_end_matches([':', ' ']).to_owned();
    Test { outcome, number, description, note, time: time.map(str::to_owned) }
}

fn plan(line: &str) -> Option<Plan> {
    let rest = line.strip_prefix("1..")?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, rest) = rest.split_at(digits);
    let reason = match rest.trim_start().strip_prefix('#') {
        Some(reason) => reason.trim(),
        None if rest.trim().is_empty() => "",
        None => return None,
    };
    let reason = directive(reason).map_or_else(|| unescaped(reason), |(_, why)| why);
    Some(Plan { count: count.parse().ok()?, reason })
}

/// What turns a verdict into a remark.
#[derive(Debug, PartialEq, Eq)]
enum Directive {
    Skip,
    Todo,
}

/// A description, and what the first `#` that delimits says. That is one that is not escaped, stands behind white space
/// (or an escaped backslash) and before white space or a known word: the `#` of an address or a bug number is text.
fn split_directive(text: &str) -> (&str, Option<(Directive, String)>) {
    let mut escaped = false;
    let mut may_delimit = true;
    for (at, c) in text.char_indices() {
        if c == '#' && !escaped && may_delimit {
            let rest = text.get(at + 1..).unwrap_or_default();
            let known = directive(rest.trim_start());
            if known.is_some() || rest.is_empty() || rest.starts_with(char::is_whitespace) {
                let whole = if known.is_some() { text.get(..at).unwrap_or_default() } else { text };
                return (whole, known);
            }
        }
        may_delimit = c.is_whitespace() || (c == '\\' && escaped);
        escaped = c == '\\' && !escaped;
    }
    (text, None)
}

/// `SKIP why`, `skipped: why`, `TODO why`: with whatever follows the word up to white space.
fn directive(text: &str) -> Option<(Directive, String)> {
    let (word, why) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let head = word.get(..4)?;
    let directive = if head.eq_ignore_ascii_case("skip") {
        Directive::Skip
    } else if head.eq_ignore_ascii_case("todo") {
        Directive::Todo
    } else {
        return None;
    };
    Some((directive, unescaped(why.trim())))
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.next_if(|next| c == '\\' && matches!(next, '\\' | '#'));
        out.push(next.unwrap_or(c));
    }
    out
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "tests")]

    use super::*;
    use Outcome::{Failed, Info, Passed};

    fn of(line: &str) -> (Outcome, Option<u64>, String, String) {
        match item(line) {
            Some(Item::Test(test)) => (test.outcome, test.number, test.description, test.note),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_test_has_a_number_a_description_and_a_directive() {
        for (line, outcome, number, description, note) in [
            ("ok", Passed, None, "", ""),
            ("not ok 3", Failed, Some(3), "", ""),
            ("ok 4 - a - b", Passed, Some(4), "a - b", ""),
            ("ok 4 a", Passed, Some(4), "a", ""),
            ("ok 4 - --help works", Passed, Some(4), "--help works", ""),
            ("ok --help works", Passed, None, "--help works", ""),
            ("ok 2nd try", Passed, None, "2nd try", ""),
            ("not ok 1 # TODO", Info, Some(1), "", "to do"),
            ("ok 1 - a # SKIP why", Info, Some(1), "a", "skipped: why"),
            ("ok 1 - a # Skipped: why", Info, Some(1), "a", "skipped: why"),
            ("ok 3 - #SkIp why", Info, Some(3), "", "skipped: why"),
            (
                "ok 2 see https://example.com/page.html#skip is a url",
                Passed,
                Some(2),
                "see https://example.com/page.html#skip is a url",
                "",
            ),
            ("ok 2 - mends #123 # TODO later", Info, Some(2), "mends #123", "to do: later"),
        ] {
            let expected = (outcome, number, description.to_owned(), note.to_owned());
            assert_eq!(of(line), expected, "{line}");
        }
    }

    /// The cases that the text of version 14 lists.
    #[test]
    fn escaped_signs_are_text() {
        for (line, description, note) in [
            ("ok 1 - hello # todo", "hello", "to do"),
            (r"ok 2 - hello \# todo", "hello # todo", ""),
            (r"ok 3 - hello # todo hash \# character", "hello", "to do: hash # character"),
            ("ok 4 - hello # todo hash # character", "hello", "to do: hash # character"),
            (r"ok 5 - hello \\# todo hash \# character", r"hello \", "to do: hash # character"),
            ("ok 7 - hello # description # todo", "hello # description # todo", ""),
            (r"ok 8 - hello \\\\\\\# todo", r"hello \\\# todo", ""),
            (r"ok 9 - C:\temp", r"C:\temp", ""),
        ] {
            let (_, _, found, why) = of(line);
            assert_eq!((found.as_str(), why.as_str()), (description, note), "{line}");
        }
    }

    #[test]
    fn a_time_is_no_part_of_the_name() {
        let Some(Item::Test(test)) = item("not ok 1 - group # time=83.318ms") else { panic!("no test") };
        assert_eq!((test.description.as_str(), test.time.as_deref()), ("group", Some("83.318ms")));
        assert_eq!(of("ok 1 - a # time=1 and more").2, "a # time=1 and more");
    }

    #[test]
    fn other_lines_of_tap() {
        let plan = |count, reason: &str| Some(Item::Plan(Plan { count, reason: reason.into() }));
        assert_eq!(item("1..4"), plan(4, ""));
        assert_eq!(item("1..0 # SKIP no network"), plan(0, "no network"));
        assert_eq!(item("1..0 # no \\# network"), plan(0, "no # network"));
        assert_eq!(item("bail OUT! gone"), Some(Item::BailOut("gone".into())));
        assert_eq!(item("pragma -strict"), Some(Item::Pragma { name: "strict", on: false }));
        assert_eq!(item("# Subtest: a \\# b"), Some(Item::Subtest("a # b".into())));
        assert_eq!(item("# Subtest"), Some(Item::Subtest(String::new())));
        assert_eq!(item("TAP version 14"), Some(Item::Version));
    }

    #[test]
    fn what_only_looks_like_tap_is_none() {
        for line in [
            "",
            "okay",
            "ok, let us begin",
            "not okay",
            "1..x",
            "1..",
            "1..4 apples",
            "1..99999999999999999999999",
            "pragma strict",
            "pragma +a b",
            "pragma +",
            "# Subtests: a",
            "# a comment",
            "TAP version x",
            "Bail in!",
        ] {
            assert_eq!(item(line), None, "{line}");
        }
    }
}
