//! One recorded message in a file: a fedmsg envelope or a fedora-messaging record, as the archive source takes them.
//!
//! Comes in: a file's bytes. Goes out: topic and body, judged by the same intake as the daemon's; or the reason why the daemon
//! would set the message aside. A bare body is given the topic that the caller knows.

use serde_json::value::RawValue;
use taskbot_runtime::intake::{self, IntakeLimits};
use taskbot_runtime::source::Wire;

/// A message as intake left it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The whole topic, prefix and environment included.
    pub topic: String,
    /// A JSON object within the limits.
    pub body: Vec<u8>,
}

/// Whether bytes are a whole message, with topic and body, and not a bare body.
pub fn is_whole(bytes: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        topic: &'a RawValue,
        #[serde(borrow)]
        msg: Option<&'a RawValue>,
        #[serde(borrow)]
        body: Option<&'a RawValue>,
    }
    serde_json::from_slice::<Envelope>(bytes)
        .is_ok_and(|e| e.topic.get().starts_with('"') && (e.msg.is_some() || e.body.is_some()))
}

/// Reads a whole message.
///
/// # Errors
/// Why the daemon would quarantine it.
pub fn whole(bytes: &[u8], limits: &IntakeLimits) -> Result<Recorded, String> {
    let line = bytes.trim_ascii().to_vec();
    let message = intake::accept(Wire::Record { line }, "file", limits).map_err(|q| q.reason)?;
    Ok(Recorded { topic: message.topic.expose().to_owned(), body: message.body })
}

/// Reads a bare body.
///
/// # Errors
/// Why the daemon would quarantine a message with this body.
pub fn body(bytes: &[u8], limits: &IntakeLimits) -> Result<Vec<u8>, String> {
    let text = String::from_utf8_lossy(bytes);
    whole(format!(r#"{{"topic": "body", "body": {text}}}"#).as_bytes(), limits).map(|message| message.body)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn whole_messages_and_bare_bodies_are_told_apart() {
        assert!(is_whole(br#"{"topic": "a.b.prod.c", "msg": {}}"#));
        assert!(is_whole(br#"{"topic": "a.b.prod.c", "body": {}, "id": "1"}"#));
        assert!(!is_whole(br#"{"topic": 1, "body": {}}"#), "a body with a member of that name");
        assert!(!is_whole(br#"{"update": {}}"#));
    }

    #[test]
    fn both_pass_the_same_intake() {
        let limits = IntakeLimits::default();
        assert_eq!(body(br#"{"a": 1}"#, &limits).unwrap(), br#"{"a": 1}"#);
        assert!(body(br#"{"a": 1, "a": 2}"#, &limits).unwrap_err().contains('a'));
        assert!(body(b"[1]", &limits).is_err());
        assert_eq!(
            whole(b"{\"topic\": \"a.b.prod.c\",\n \"msg\": {}}\n", &limits).unwrap().topic,
            "a.b.prod.c"
        );
    }
}
