//! Intake on real messages: each is accepted, or refused with a reason.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use taskbot_runtime::intake::{IntakeLimits, accept};
use taskbot_runtime::source::Wire;

fn lines(file: &Path) -> Vec<Vec<u8>> {
    let reader = BufReader::new(MultiGzDecoder::new(std::fs::File::open(file).unwrap()));
    reader.split(b'\n').map(Result::unwrap).filter(|line| !line.is_empty()).collect()
}

/// (accepted, reasons of the others)
fn judge(wires: impl Iterator<Item = Wire>) -> (usize, Vec<String>) {
    let (accepted, refused): (Vec<_>, Vec<_>) =
        wires.map(|wire| accept(wire, "corpus", &IntakeLimits::default())).partition(Result::is_ok);
    (accepted.len(), refused.into_iter().map(|refusal| refusal.unwrap_err().reason).collect())
}

#[test]
fn p06_every_recorded_message_is_accepted_or_refused_with_a_reason() {
    let Some(corpus) = support::corpus() else { return };
    for file in ["fedmsg.jsonl.gz", "fedora-messaging.jsonl.gz"] {
        let lines = lines(&corpus.join(file));
        let (accepted, reasons) = judge(lines.iter().map(|line| Wire::Record { line: line.clone() }));
        assert!(accepted * 100 >= lines.len() * 97, "{file}: {accepted} of {}: {reasons:#?}", lines.len());
        for reason in &reasons {
            let known = ["is null", "no `msg`", "neither `msg`", "not a JSON object"];
            assert!(known.iter().any(|known| reason.contains(known)), "{file}: {reason}");
        }
    }
}

#[test]
fn recorded_envelopes_pass_as_fedmsg_off_the_wire() {
    let Some(corpus) = support::corpus() else { return };
    let lines = lines(&corpus.join("fedmsg.jsonl.gz"));
    let wires = lines.iter().map(|line| {
        let envelope: serde_json::Value = serde_json::from_slice(line).unwrap();
        let topic = envelope.get("topic").unwrap().as_str().unwrap().as_bytes().to_vec();
        Wire::Fedmsg { topic, envelope: line.clone() }
    });
    let (accepted, reasons) = judge(wires);
    assert!(accepted * 100 >= lines.len() * 97, "{accepted} of {}: {reasons:#?}", lines.len());
}
