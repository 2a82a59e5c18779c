//! Topic and body of an envelope.
//!
//! Comes in: the text of a JSON object, and the names of two members. Goes out: the one as text, the other as the body that it is.
//! Nothing is read, and what stands behind the last of them is not even looked at. It does not know how a bus names them, and it
//! checks nothing: text that is no JSON gives members without meaning.

use crate::body::Body;
use crate::scan::Scanner;

/// The member of the outermost object that is the topic, as it is written (`"a.b"`), and the one that is the body, whose validity
/// somebody has seen to. Of several members of one name the first counts. The body is passed over only if the topic stands
/// behind it: where a body ends nobody needs to know.
pub fn topic_and_body<'t>(text: &'t str, topic_name: &str, body_name: &str) -> Option<(&'t str, Body<'t>)> {
    let (mut topic, mut body) = (None, None);
    let mut outermost = Outermost::of(text);
    loop {
        let (name, value) = outermost.next_member()?;
        if body.is_none() && name == body_name.as_bytes() {
            body = text.get(value.0..);
        }
        if topic.is_none() || body.is_none() {
            let end = outermost.pass_over(value);
            if topic.is_none() && name == topic_name.as_bytes() {
                topic = text.get(value.0..end);
            }
        }
        if let (Some(topic), Some(body)) = (topic, body) {
            return Some((topic, Body::checked_before(body)));
        }
    }
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
            let _ = topic_and_body(&text, "a", "a0");
            let _ = topic_and_body(&text, "", "a");
        }
    }

    #[test]
    fn both_are_found_wherever_they_stand() {
        let topic = |text| topic_and_body(text, "topic", "msg").map(|(topic, _)| topic);
        let text = r#" {"i": 1, "msg": {"topic": "no"}, "topic": "a.b", "x": [{"msg": 2}], "msg": 3}"#;
        assert_eq!(topic(text), Some("\"a.b\""));
        assert_eq!(topic(r#"{"topic": "a", "msg": {}}"#), Some("\"a\""));
        for text in [r#"{"topic": "a"}"#, r#"{"msg": {}}"#, "", "[1]"] {
            assert_eq!(topic(text), None, "{text}");
        }
    }
}
