//! A message as the daemon holds it after intake, and its text, which is never trusted.
//!
//! Comes in: what intake took from a delivery. Goes out: `Message`, the input of matching and of the store. It
//! never reaches a command line: text of a message is a `MessageText`, which has no conversion to a path,
//! option or environment name.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

/// Text that came from outside. `Display` escapes control and bidirectional characters; the raw text is only for
/// structured places (JSON, SQL parameters, environment values).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageText(String);

impl MessageText {
    /// Wraps text that came from outside.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether nothing of a text has to be escaped.
    pub fn prints(text: &str) -> bool {
        !text.chars().any(misleads)
    }

    /// The raw text, for places with their own framing: JSON, SQL parameters, the value of an environment variable.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if Self::prints(&self.0) {
            return f.write_str(&self.0);
        }
        self.0
            .chars()
            .try_for_each(|c| if misleads(c) { write!(f, "{}", c.escape_unicode()) } else { f.write_char(c) })
    }
}

/// Control characters, marks of direction, and the separators of lines and paragraphs.
fn misleads(c: char) -> bool {
    let mark = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || !c.is_ascii() && mark(c)
}

impl fmt::Debug for MessageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// One verified message of a bus, in the one shape that all dialects of transport are brought to.
#[derive(Clone, Debug)]
pub struct Message {
    /// The bus's own id (`msg_id`, `message_id`); where it gives none, `sha256:` and the hash of topic and body.
    pub id: MessageText,
    /// The whole topic as sent, prefix and environment included.
    pub topic: MessageText,
    /// The message's body (`msg` of a fedmsg envelope, the AMQP body): valid JSON within the limits.
    pub body: Vec<u8>,
    /// When its sender says it was sent.
    pub sent_at: Option<SystemTime>,
    /// Name of the configured source that delivered it.
    pub source: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misleads_a_reader_is_escaped() {
        for c in ['\n', '\u{1b}', '\u{61c}', '\u{200e}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}'] {
            assert_eq!(MessageText::new(format!("a{c}b")).to_string(), format!("a{}b", c.escape_unicode()));
            assert!(!MessageText::prints(&format!("a{c}b")));
        }
        assert_eq!(MessageText::new("zażółć ‐ ok").to_string(), "zażółć ‐ ok");
    }
}
