#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;

const TOPIC: &str = "org.fedoraproject.prod.bodhi.update.request.testing";

fn judge(wire: Wire) -> Result<Message, Quarantine> {
    accept(wire, "bus", &IntakeLimits::default())
}

fn fedmsg(envelope: &str) -> Result<Message, Quarantine> {
    judge(Wire::Fedmsg { topic: TOPIC.into(), envelope: envelope.into() })
}

fn with_msg(msg: &str) -> Result<Message, Quarantine> {
    fedmsg(&format!(r#"{{"topic": "{TOPIC}", "msg_id": "2013-1", "timestamp": 1356998400, "msg": {msg}}}"#))
}

fn reason(judged: Result<Message, Quarantine>) -> String {
    match judged {
        Ok(message) => panic!("accepted: {message:?}"),
        Err(quarantine) => quarantine.reason,
    }
}

#[test]
fn an_envelope_becomes_a_message() {
    let message = with_msg(r#"{"update": {"title": "käpy-1-1.fc20"}}"#).unwrap();
    assert_eq!(message.id.expose(), "2013-1");
    assert_eq!(message.topic.expose(), TOPIC);
    assert_eq!(message.body, r#"{"update": {"title": "käpy-1-1.fc20"}}"#.as_bytes());
    assert_eq!(message.sent_at, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_356_998_400)));
    assert_eq!(message.source, "bus");
}

#[test]
fn an_old_envelope_has_no_id_and_a_float_time() {
    let envelope = format!(r#"{{"topic":"{TOPIC}","timestamp":1344000000.25,"msg":{{"a":1}}}}"#);
    let message = fedmsg(&envelope).unwrap();
    assert_eq!(message.sent_at, Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_344_000_000_250)));
    assert!(message.id.expose().starts_with("sha256:"));
    assert_eq!(message.id, fedmsg(&envelope).unwrap().id, "the same message is known again");
    let other = envelope.replace(r#""a":1"#, r#""a":2"#);
    assert_ne!(message.id, fedmsg(&other).unwrap().id);
}

#[test]
fn an_amqp_message_is_its_body() {
    let wire = |body: &str| Wire::Amqp {
        routing_key: TOPIC.to_owned(),
        message_id: Some("7e1f".to_owned()),
        sent_at: Some("2018-11-28T13:02:14.5+00:00".to_owned()),
        body: body.into(),
    };
    let message = judge(wire(r#"{"a": 1}"#)).unwrap();
    assert_eq!(message.id.expose(), "7e1f");
    assert_eq!(message.sent_at, Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_543_410_134_500)));
    assert_eq!(judge(wire("null")).unwrap_err().topic, Some(MessageText::new(TOPIC)));
    assert_eq!(reason(judge(wire("[1]"))), "body: it is not a JSON object");
}

#[test]
fn a_record_is_either_dialect() {
    let record = |line: &str| judge(Wire::Record { line: line.into() });
    let line =
        r#"{"topic": "a.b", "body": {"x": 1}, "headers": {"sent-at": "2019-01-01T00:00:00Z"}, "id": "u1"}"#;
    let message = record(line).unwrap();
    assert_eq!((message.id.expose(), message.topic.expose()), ("u1", "a.b"));
    assert!(message.sent_at.is_some());
    assert_eq!(record(r#"{"topic": "a.b", "msg": {}, "msg_id": "2013-2"}"#).unwrap().id.expose(), "2013-2");
    assert_eq!(reason(record(r#"{"topic": "a.b"}"#)).split(' ').next(), Some("neither"));
    assert_eq!(reason(record(r#"{"topic": "a.b", "msg": {}, "body": {}}"#)).split(' ').next(), Some("both"));
}

#[test]
fn frame_and_envelope_must_agree() {
    let wire =
        |topic: &str| Wire::Fedmsg { topic: topic.into(), envelope: r#"{"topic":"a.b","msg":{}}"#.into() };
    assert!(judge(wire("a.b")).is_ok());
    assert_eq!(reason(judge(wire("a.bc"))), "the topic frame says `a.bc`, the envelope `a.b`");
    assert_eq!(reason(fedmsg(r#"{"msg": {}}"#)), "the envelope has no `topic`");
    assert_eq!(fedmsg(r#"{"msg": {}}"#).unwrap_err().topic, None);
    let other = Wire::Fedmsg { topic: vec![0xff], envelope: r#"{"topic":"a.b","msg":{}}"#.into() };
    assert_eq!(reason(judge(other)), "the topic frame is not UTF-8");
}

/// P07: each bound is refused with a reason.
#[test]
fn p07_what_is_refused() {
    for (msg, expected) in [
        ("null", "`msg` is null"),
        ("3", "`msg` is not a JSON object"),
        (r#"{"a": 1, "\u0061": 2}"#, "the key \"a\" is there twice"),
        (r#"{"l": [{"a": 1, "b": 2, "a": 3}]}"#, "the key \"a\" is there twice"),
        (r#"{"a": NaN}"#, "expected value"),
        (r#"{"a": -Infinity}"#, "invalid number"),
        (r#"{"a": "\ud800"}"#, "unexpected end of hex escape"),
        (r#"{"a": "\udc00 "}"#, "lone"),
        (r#"{"a": 18446744073709551616}"#, "a number of 2^64 or more"),
        (r#"{"a": 1e400}"#, "number out of range"),
        (r#"{"a": 1"#, "EOF"),
        (r#"{"a": "b\u001b[2J" x}"#, "expected"),
    ] {
        let reason = reason(with_msg(msg));
        assert!(reason.contains(expected), "{msg}: {reason}");
    }
    assert!(with_msg(r#"{"a": 18446744073709551615, "b": -9223372036854775808, "c": 1.5e10}"#).is_ok());
    assert!(reason(fedmsg("not JSON")).contains("expected"));
    assert!(reason(fedmsg(r#"{"topic": "t", "topic": "t", "msg": {}}"#)).contains("twice"));
    assert!(reason(fedmsg(r#"{"topic": "t", "x": {"y":1,"y":2}, "msg": {}}"#)).contains("twice"));
    let not_text = Wire::Record { line: b"{\"topic\": \"\xff\"}".to_vec() };
    assert_eq!(reason(judge(not_text)), "not UTF-8 at byte 11");
}

#[test]
fn p07_depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", r#"{"a":"#.repeat(depth - 1) + "{", "}".repeat(depth));
    assert!(with_msg(&nested(limits::MESSAGE_DEPTH)).is_ok());
    assert!(reason(with_msg(&nested(limits::MESSAGE_DEPTH + 1))).contains("nested deeper than 64"));
    for deep in
        ["[".repeat(100_000), nested(10_000), format!(r#"{{"topic":"t","msg":{}"#, "[".repeat(500_000))]
    {
        assert!(judge(Wire::Record { line: deep.into() }).is_err());
    }
}

#[test]
fn p07_an_oversized_message_leaves_its_head_and_hash() {
    let line = vec![b'a'; 20 << 20];
    let quarantine = judge(Wire::Record { line }).unwrap_err();
    assert_eq!(quarantine.reason, "20971520 bytes are more than the limit of 1048576");
    assert_eq!(quarantine.head.len(), limits::QUARANTINE_HEAD_BYTES);
    assert_eq!(quarantine.length_bytes, 20 << 20);
    // head -c 1048576 /dev/zero | tr '\0' a | sha256sum
    assert_eq!(quarantine.sha256, "9bc1b2a288b26af7257a36277ae3816a7d4f16e89c1e7e77d0a5c48bad62b360");
}

#[test]
fn topics_and_ids_are_bounded_and_print() {
    let with_topic = |topic: &str| {
        judge(Wire::Record { line: format!(r#"{{"topic": "{topic}", "msg": {{}}}}"#).into_bytes() })
    };
    assert!(with_topic("org.centos.prod.ci").is_ok());
    assert!(reason(with_topic("")).contains("empty"));
    assert!(reason(with_topic(&"t".repeat(1001))).contains("1001 bytes"));
    let hostile = with_topic("a\\u001b[2J\\u202e").unwrap_err();
    assert!(hostile.reason.contains("do not print"), "{}", hostile.reason);
    assert!(!hostile.reason.contains(['\u{1b}', '\u{202e}']));
    let id = format!(r#"{{"topic": "t", "msg": {{}}, "msg_id": "{}"}}"#, "i".repeat(1001));
    assert!(reason(judge(Wire::Record { line: id.into() })).contains("message id"));
    let time = r#"{"topic": "t", "msg": {}, "timestamp": 1e300}"#;
    assert!(reason(judge(Wire::Record { line: time.into() })).contains("2^64"));
    let time = r#"{"topic": "t", "msg": {}, "timestamp": 1543410134500}"#;
    assert!(reason(judge(Wire::Record { line: time.into() })).contains("no time"));
}

#[test]
fn what_the_transport_refused_is_kept_as_it_is() {
    let wire = Wire::Refused {
        head: vec![b'x'; 100_000],
        sha256: None,
        length_bytes: 1 << 40,
        reason: "a frame of 1 TiB".to_owned(),
    };
    let quarantine = judge(wire).unwrap_err();
    assert_eq!((quarantine.head.len(), quarantine.length_bytes), (limits::QUARANTINE_HEAD_BYTES, 1 << 40));
    assert_eq!((quarantine.reason.as_str(), quarantine.sha256.as_str()), ("a frame of 1 TiB", ""));
}

fn samples() -> [String; 3] {
    [
        format!(
            r#"{{"topic": "{TOPIC}", "msg_id": "2013-1", "i": 3, "timestamp": 1.5e9,
                "msg": {{"a": ["é\ud83d\ude00", {{"b": null}}]}}}}"#
        ),
        r#"{"topic": "a.b", "body": {"x": -1, "y": {"z": [true, false, 1.25]}},
            "headers": {"sent-at": "2019-01-01T00:00:00Z"}, "id": "u1"}"#
            .to_owned(),
        r#"{"topic": "a.b", "msg": {}}"#.to_owned(),
    ]
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0_u8..4, any::<u8>());
    (0_usize..3, prop::collection::vec(edit, 0..6)).prop_map(|(sample, edits)| {
        let mut bytes = samples()[sample].clone().into_bytes();
        for (place, kind, byte) in edits {
            let at = place.index(bytes.len().max(1));
            match kind {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.truncate(at),
                _ => bytes.insert(at.min(bytes.len()), *b"{}[]\",:\\0".get(usize::from(byte) % 9).unwrap()),
            }
        }
        bytes
    })
}

/// JSON as a text is made of it.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(&'static str),
    List(Vec<Tree>),
    /// Names, each with whether it is spelled with an escape.
    Object(Vec<(u8, bool, Tree)>),
}

impl Tree {
    fn text(&self) -> String {
        let joined = |parts: Vec<String>| parts.join(", ");
        match self {
            Self::Leaf(text) => (*text).to_owned(),
            Self::List(items) => format!("[{}]", joined(items.iter().map(Self::text).collect())),
            Self::Object(members) => {
                let member = |(name, escaped, value): &(u8, bool, Self)| {
                    let x = if *escaped { "\\u0078" } else { "x" };
                    format!("\"{x}{name}\": {}", value.text())
                };
                format!("{{{}}}", joined(members.iter().map(member).collect()))
            }
        }
    }

    fn is_allowed(&self) -> bool {
        match self {
            Self::Leaf(text) => *text != "18446744073709551616",
            Self::List(items) => items.iter().all(Self::is_allowed),
            Self::Object(members) => {
                let names: BTreeSet<u8> = members.iter().map(|(name, ..)| *name).collect();
                names.len() == members.len() && members.iter().all(|(.., value)| value.is_allowed())
            }
        }
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaves = [r#""a""#, "18446744073709551615", "-1.5e3", "null", r#""\u00e9""#, "18446744073709551616"];
    // One in many is not allowed.
    let leaf = (0_usize..60).prop_map(move |at| Tree::Leaf(leaves[if at == 0 { 5 } else { at % 5 }]));
    leaf.prop_recursive(4, 64, 24, |below| {
        let member = (0_u8..200, any::<bool>(), below.clone());
        prop_oneof![
            prop::collection::vec(below, 0..5).prop_map(Tree::List),
            prop::collection::vec(member, 0..24).prop_map(Tree::Object),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Few names and many, plain and escaped, at every depth, in the body and beside it.
    #[test]
    fn p07_a_message_is_accepted_if_no_object_names_a_member_twice(tree in trees()) {
        let members = Tree::Object(vec![(0, false, tree)]);
        let text = members.text();
        prop_assert_eq!(with_msg(&text).is_ok(), members.is_allowed(), "{}", text);
        let beside = format!(r#"{{"topic": "{TOPIC}", "msg": {{}}, "more": {text}}}"#);
        prop_assert_eq!(fedmsg(&beside).is_ok(), members.is_allowed(), "{}", beside);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(34_000))]

    /// P06: 10^5 messages (each on three ways in) crash nothing; what is accepted is an object that serde_json
    /// reads as well, and reasons are printable.
    #[test]
    fn p06_mutated_messages_are_accepted_or_refused(line in mutated()) {
        let wire = Wire::Record { line: line.clone() };
        match judge(wire) {
            Ok(message) => {
                let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
                prop_assert!(body.is_object());
                prop_assert!(check_topic(message.topic.expose()).is_ok());
            }
            Err(quarantine) => {
                prop_assert!(!quarantine.reason.is_empty());
                prop_assert!(!quarantine.reason.chars().any(char::is_control));
                prop_assert_eq!(quarantine.length_bytes, line.len() as u64);
            }
        }
        let _ = judge(Wire::Fedmsg { topic: b"a.b".to_vec(), envelope: line.clone() });
        let _ = judge(Wire::Amqp { routing_key: "a.b".to_owned(), message_id: None, sent_at: None, body: line });
    }
}
