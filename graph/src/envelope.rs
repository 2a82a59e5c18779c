//! The members of an envelope that matching needs.
//!
//! Comes in: the text of a JSON object, and names. Goes out: the members that have them, each as text. Nothing is read, and what
//! stands behind the last of them is not even looked at. It does not know which names a bus gives to topic and body, and it
//! checks nothing: text that is no JSON gives members without meaning.

use crate::body::Body;
use crate::scan::Scanner;

/// The members of the outermost object that have these names, each as the text of its value: `"x"`, `{...}`. Of several
/// members of one name the first counts.
pub fn members<'t, const N: usize>(text: &'t str, names: [&str; N]) -> [Option<&'t str>; N] {
    let mut found = [None; N];
    let mut left = N;
    let mut outermost = Outermost::of(text);
    while left > 0
        && let Some((name, value)) = outermost.next_member()
    {
        let end = outermost.pass_over(value);
        if let Some(empty) = place_for(name, &names, &mut found) {
            *empty = text.get(value.0..end);
            left = left.saturating_sub(1);
        }
    }
    found
}

/// [`members`], and one more as the body that it is, whose validity somebody has seen to. It is passed over only if one of the
/// others may stand behind it: where a body ends nobody needs to know.
pub fn body_and_members<'t, const N: usize>(
    text: &'t str,
    body: &str,
    names: [&str; N],
) -> (Option<Body<'t>>, [Option<&'t str>; N]) {
    let (mut body_found, mut found) = (None, [None; N]);
    let mut left = N;
    let mut outermost = Outermost::of(text);
    while (left > 0 || body_found.is_none())
        && let Some((name, value)) = outermost.next_member()
    {
        if body_found.is_none() && name == body.as_bytes() {
            body_found = text.get(value.0..).map(Body::checked_before);
            if left == 0 {
                break;
            }
        }
        let end = outermost.pass_over(value);
        if let Some(empty) = place_for(name, &names, &mut found) {
            *empty = text.get(value.0..end);
            left = left.saturating_sub(1);
        }
    }
    (body_found, found)
}

/// Where a member's text belongs, unless it is there already.
#[inline]
fn place_for<'f, 't>(
    name: &[u8],
    names: &[&str],
    found: &'f mut [Option<&'t str>],
) -> Option<&'f mut Option<&'t str>> {
    let place = names.iter().position(|n| n.as_bytes() == name)?;
    found.get_mut(place).filter(|place| place.is_none())
}

/// A walk over the members of a text's outermost object.
struct Outermost<'t> {
    scanner: Scanner<'t>,
    /// Where the next member may begin.
    at: usize,
}

impl<'t> Outermost<'t> {
    fn of(text: &'t str) -> Self {
        let scanner = Scanner::new(text.as_bytes());
        Self { scanner, at: scanner.skip_space(0) + 1 }
    }

    /// A member's name as it is written, and where its value begins, which is to be passed over next.
    #[inline]
    fn next_member(&mut self) -> Option<(&'t [u8], (usize, u8))> {
        let quote = self.scanner.skip_space(self.at);
        if self.scanner.byte(quote) != b'"' {
            return None;
        }
        let end = self.scanner.string_end(quote + 1);
        Some((self.scanner.bytes(quote + 1, end), self.scanner.behind_colon(end)))
    }

    /// Passes over the value that begins at `at`, and the comma. Gives the position behind the value.
    #[inline]
    fn pass_over(&mut self, (at, first): (usize, u8)) -> usize {
        let end = self.scanner.skip_value(at, first);
        self.at = self.scanner.skip_space(end) + 1;
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_no_json_ends_too(text in "[\\[\\]{}\":,a0 \\\\]{0,200}") {
            let _ = members(&text, ["a", ""]);
            let _ = body_and_members(&text, "a0", ["a", ""]);
        }
    }

    #[test]
    fn members_of_an_envelope() {
        let text = r#" {"i": 1, "msg": {"topic": "no"}, "topic": "a.b", "x": [{"msg": 2}], "msg": 3}"#;
        assert_eq!(
            members(text, ["topic", "msg", "none"]),
            [Some("\"a.b\""), Some(r#"{"topic": "no"}"#), None]
        );
        assert_eq!(members("", ["a"]), [None]);
        assert_eq!(members("[1]", ["a"]), [None]);
    }
}
