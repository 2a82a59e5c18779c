//! The decoder against a stream that libzmq sent, against every way to split it, and against hostile bytes.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;

/// Small, so that tests reach all of them.
const BOUNDS: Bounds =
    Bounds { kept_bytes: 1000, kept_frames: 2, head_bytes: 100, read_bytes: 5000, read_frames: 5 };

/// What libzmq 4.3.5 sent as a PUB socket with heartbeats: greeting, READY, the answer to a PING, two messages, a
/// PING.
fn libzmq() -> Vec<u8> {
    let mut stream = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
    stream.resize(GREETING_BYTES, 0);
    stream.extend(b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB\x04\x09\x04PONGabcd");
    stream.extend(b"\x01\x03a.b\0\x08{\"i\": 1}\x01\x03a.b\x02\0\0\0\0\0\0\x01\x2c");
    stream.extend([b'x'; 300]);
    stream.extend(b"\x04\x07\x04PING\0\0");
    stream
}

fn handshake() -> Vec<u8> {
    let start = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL";
    let ready = command("READY", b"\x0bSocket-Type\0\0\0\x04XPUB\x08Identity\0\0\0\0");
    let mut stream = start.to_vec();
    stream.resize(GREETING_BYTES, 0);
    stream.extend(ready);
    stream
}

struct Understood {
    heard: Vec<Heard>,
    error: Option<ZmtpError>,
    /// Most that was held at any time.
    held_bytes: usize,
}

/// Decodes a stream that comes in pieces of these sizes, again and again.
fn understand(stream: &[u8], sizes: &[usize]) -> Understood {
    let mut decoder = Decoder::new(BOUNDS);
    let mut understood = Understood { heard: Vec::new(), error: None, held_bytes: 0 };
    let (mut rest, mut sizes) = (stream, sizes.iter().cycle());
    while !rest.is_empty() {
        let mut piece = split_front(&mut rest, *sizes.next().unwrap());
        loop {
            let taken = decoder.take(&mut piece);
            understood.held_bytes = understood.held_bytes.max(held_bytes(&decoder));
            match taken {
                Ok(Some(heard)) => understood.heard.push(heard),
                Ok(None) => break,
                Err(error) => {
                    understood.error = Some(error);
                    return understood;
                }
            }
        }
        assert!(piece.is_empty(), "all of it was taken");
    }
    understood
}

fn held_bytes(decoder: &Decoder) -> usize {
    let reading = match &decoder.reading {
        Reading::Greeting(held) | Reading::Header(held) | Reading::Command { body: held, .. } => {
            held.capacity()
        }
        Reading::Frame { .. } => 0,
    };
    reading
        + match &decoder.assembly.held {
            Held::Frames(frames) => frames.iter().map(Vec::capacity).sum::<usize>(),
            Held::Skim { head, .. } => head.capacity(),
        }
}

fn after_handshake(stream: &[u8]) -> Understood {
    let mut understood = understand(&[&handshake(), stream].concat(), &[usize::MAX]);
    assert_eq!(understood.heard.drain(..2).collect::<Vec<_>>(), [Heard::Greeting, Heard::Ready { minor: 1 }]);
    understood
}

fn message(frames: &[&[u8]]) -> Heard {
    Heard::Message(frames.iter().map(|frame| frame.to_vec()).collect())
}

#[test]
fn what_libzmq_sends_is_understood() {
    let understood = understand(&libzmq(), &[usize::MAX]);
    let expected = [
        Heard::Greeting,
        Heard::Ready { minor: 1 },
        Heard::Pong,
        message(&[b"a.b", b"{\"i\": 1}"]),
        message(&[b"a.b", &[b'x'; 300]]),
        Heard::Ping { context: Vec::new() },
    ];
    assert_eq!((understood.heard.as_slice(), understood.error), (&expected[..], None));
}

#[test]
fn what_is_sent_is_what_the_protocol_says() {
    let greeting = greeting();
    assert_eq!(&greeting[..16], b"\xff\0\0\0\0\0\0\0\0\x7f\x03\x01NULL");
    assert_eq!((greeting.len(), &greeting[16..]), (64, &[0; 48][..]));
    assert_eq!(ready(), b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB");
    assert_eq!(subscribe_to_all(), b"\0\x01\x01");
    assert_eq!(ping(), b"\x04\x07\x04PING\0\0");
    assert_eq!(pong(b"abcd"), b"\x04\x09\x04PONGabcd");
    assert_eq!(frame(MORE, &[7; 256])[..10], [3, 0, 0, 0, 0, 0, 0, 1, 0, 7]);
}

#[test]
fn a_peer_that_is_no_publisher_of_zmtp_3_is_an_error_with_a_reason() {
    let mechanism = |name: &[u8]| {
        let mut greeting = greeting();
        greeting[12..12 + name.len()].copy_from_slice(name);
        greeting
    };
    let version = |major: u8| [&greeting()[..10], &[major, 0]].concat();
    let after_greeting = |more: &[u8]| [&greeting(), more].concat();
    let cases: Vec<(Vec<u8>, ZmtpError)> = vec![
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), ZmtpError::NotZmtp),
        (b"\x01\0".to_vec(), ZmtpError::NotZmtp),
        (b"\xff\0\0\0\0\0\0\0\0\0".to_vec(), ZmtpError::NotZmtp),
        (version(1), ZmtpError::Version(2)),
        (mechanism(b"CURVE"), ZmtpError::Mechanism("CURVE".to_owned())),
        (mechanism(b"NULLX"), ZmtpError::Mechanism("NULLX".to_owned())),
        (after_greeting(b"\0\x01x"), ZmtpError::Early),
        (after_greeting(&ping()), ZmtpError::Early),
        (after_greeting(b"\x05\x01x"), ZmtpError::Flags(5)),
        (after_greeting(b"\x08\x01x"), ZmtpError::Flags(8)),
        (
            after_greeting(&command("READY", b"\x0bsocket-type\0\0\0\x04PUSH")),
            ZmtpError::NoPublisher("PUSH".to_owned()),
        ),
        (after_greeting(&command("READY", b"")), ZmtpError::Command("a READY without a socket type")),
        (
            after_greeting(&command("READY", b"\x0bSocket-Type\xff\xff\xff\xffPUB")),
            ZmtpError::Command("a READY that is cut off"),
        ),
        (after_greeting(&command("ERROR", b"\x07go away")), ZmtpError::Refusal("go away".to_owned())),
        (after_greeting(&command("ERROR", b"\x09cut")), ZmtpError::Refusal(String::new())),
        (after_greeting(b"\x04\0"), ZmtpError::Command("a command without a name")),
        (after_greeting(b"\x04\x01\x05"), ZmtpError::Command("a command without a name")),
        (after_greeting(b"\x06\0\0\0\0\0\0\x40\x01"), ZmtpError::LargeCommand(0x4001)),
    ];
    for (stream, expected) in cases {
        for size in [1, usize::MAX] {
            let understood = understand(&stream, &[size]);
            assert_eq!(understood.error.as_ref(), Some(&expected), "{stream:?}");
        }
    }
}

#[test]
fn versions_decide_about_heartbeats_and_later_ones_are_taken() {
    for (version, minor) in [([3, 0], 0), ([3, 1], 1), ([3, 9], 9), ([4, 0], u8::MAX)] {
        let mut stream = handshake();
        stream[10..12].copy_from_slice(&version);
        let heard = understand(&stream, &[usize::MAX]).heard;
        assert_eq!(heard, [Heard::Greeting, Heard::Ready { minor }], "{version:?}");
    }
}

#[test]
fn commands_are_obeyed_also_between_the_frames_of_a_message() {
    let long = command("PING", b"\0\x0a0123456789abcdefXX");
    let stream = [frame(MORE, b"t"), long, command("LATER", b"?"), frame(0, b"e"), pong(b"")].concat();
    let understood = after_handshake(&stream);
    let ping = Heard::Ping { context: b"0123456789abcdef".to_vec() };
    assert_eq!(understood.heard, [ping, message(&[b"t", b"e"]), Heard::Pong]);
    assert_eq!(
        after_handshake(&command("PING", b"\0")).error.unwrap().to_string(),
        "it sent a PING without a time to live"
    );
}

#[test]
fn of_a_message_beyond_its_bounds_head_length_and_hash_are_left() {
    let hash = Fingerprint::of;
    let large = [frame(MORE, b"topic"), frame(0, &[b'x'; 996])].concat();
    let whole = [&b"topic"[..], &[b'x'; 996]].concat();
    let skimmed =
        Skimmed { head: whole[..100].to_vec(), sha256: hash(&whole), length_bytes: 1001, frames: 2 };
    let many = [frame(MORE, b"a"), frame(MORE, b""), frame(0, b"b")].concat();
    let three = Skimmed { head: b"ab".to_vec(), sha256: hash(b"ab"), length_bytes: 2, frames: 3 };
    let just = [frame(MORE, b"topic"), frame(0, &[b'x'; 995])].concat();
    let understood = after_handshake(&[large, many, just, frame(0, b"")].concat());
    let expected =
        [Heard::Skimmed(skimmed), Heard::Skimmed(three), message(&[b"topic", &[b'x'; 995]]), message(&[b""])];
    assert_eq!((understood.heard.as_slice(), understood.error), (&expected[..], None));
}

#[test]
fn what_no_bound_allows_is_refused_at_its_header() {
    let header = |size: u64| [&[LONG][..], &size.to_be_bytes()].concat();
    for size in [5001, 1 << 40, u64::MAX] {
        let understood = after_handshake(&header(size));
        assert_eq!(understood.error, Some(ZmtpError::LargeMessage(size)));
        assert!(understood.held_bytes < 200, "{}", understood.held_bytes);
        let split = [frame(MORE, b"topic"), header(size)].concat();
        let with_topic = size.saturating_add(5);
        assert_eq!(after_handshake(&split).error, Some(ZmtpError::LargeMessage(with_topic)));
    }
    let endless = frame(MORE, b"").repeat(10);
    assert_eq!(after_handshake(&endless).error, Some(ZmtpError::ManyFrames(6)));
}

#[test]
fn room_is_made_for_what_came_and_not_for_what_was_announced() {
    let announced = [&[LONG][..], &1000_u64.to_be_bytes(), &[b'x'; 10]].concat();
    let stream = [handshake(), announced].concat();
    let mut decoder = Decoder::new(BOUNDS);
    let mut bytes = stream.as_slice();
    while decoder.take(&mut bytes).unwrap().is_some() {}
    assert!(held_bytes(&decoder) <= 20, "{}", held_bytes(&decoder));
}

/// Frames as an honest or careless publisher sends them.
fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..600);
    let one = prop_oneof![
        4 => (prop::collection::vec(any::<u8>(), 0..20), body.clone())
            .prop_map(|(topic, envelope)| [frame(MORE, &topic), frame(0, &envelope)].concat()),
        1 => body.prop_map(|body| frame(0, &body)),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(|context| command("PING", &context)),
        1 => "[A-Z]{1,9}".prop_map(|name| command(&name, b"data")),
    ];
    let all = prop::collection::vec(one, 0..12);
    all.prop_map(|all| [libzmq(), handshake()[GREETING_BYTES..].to_vec(), all.concat()].concat())
}

proptest! {
    #[test]
    fn splits_change_nothing(stream in traffic(), sizes in prop::collection::vec(1_usize..80, 1..20)) {
        let whole = understand(&stream, &[usize::MAX]);
        let split = understand(&stream, &sizes);
        prop_assert_eq!(whole.heard, split.heard);
        prop_assert_eq!(whole.error, split.error);
    }

    /// Bytes of a real stream are changed, left out and put in.
    #[test]
    fn mutated_streams_never_panic_nor_hold_more_than_allowed(
        stream in traffic(),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), 0..3, any::<u8>()), 1..8),
        late in any::<bool>(),
        sizes in prop::collection::vec(1_usize..2000, 1..20),
    ) {
        let mut stream = stream;
        for (at, how, byte) in mutations {
            // Past the handshake half of the time, for what comes after it is reached by few otherwise.
            let from = if late { 91 } else { 0 };
            let at = from + at.index(stream.len() - from);
            match how {
                0 => stream[at] = byte,
                1 => drop(stream.remove(at)),
                _ => stream.insert(at, byte),
            }
        }
        let whole = understand(&stream, &[usize::MAX]);
        let split = understand(&stream, &sizes);
        let most = 2 * limits::ZMTP_COMMAND_BYTES + 1000;
        prop_assert!(whole.held_bytes.max(split.held_bytes) <= most.min(2 * stream.len() + 100));
        prop_assert_eq!((whole.heard, whole.error), (split.heard, split.error));
    }

    #[test]
    fn noise_after_the_handshake_is_no_harm(noise in prop::collection::vec(any::<u8>(), 0..3000)) {
        let understood = after_handshake(&noise);
        prop_assert!(understood.held_bytes <= 2 * noise.len() + 200);
    }
}
