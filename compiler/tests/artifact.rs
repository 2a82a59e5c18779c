//! P12 and the artifact's half of P14: the same program gives the same bytes, and bytes are never trusted.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use taskbot_compiler::{SourceText, compile};
use taskbot_graph::{Body, Graph, LoadError, Matcher, NoFacts, explain};
use xxhash_rust::xxh3::xxh3_64;

const BODY: &str = r#"{"new": 1, "name": "kernel", "version": "6.11", "release": "1.fc40", "update": {"alias": "A", "builds": []}}"#;
const TOPICS: [&str; 2] = ["buildsys.build.state.change", "bodhi.update.request.testing"];

fn source(path: &str, text: &str) -> SourceText {
    SourceText { path: path.into(), text: text.into() }
}

fn artifact() -> Vec<u8> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../rules.tb")).unwrap();
    compile(&[source("rules.tb", &text)], &[]).graph.unwrap().to_bytes()
}

#[test]
fn p12_the_order_of_files_does_not_change_a_byte() {
    let files = ["a.tb", "b.tb", "c.tb"].map(|path| {
        let name = path.trim_end_matches(".tb");
        source(
            path,
            &format!("rule {name} on koji.build.completed where package.name == \"{name}\" run rpmlint\n"),
        )
    });
    let [a, b, c] = files;
    let first = compile(&[a.clone(), b.clone(), c.clone()], &[]).graph.unwrap().to_bytes();
    for order in [[&c, &b, &a], [&b, &a, &c], [&c, &a, &b]] {
        for _ in 0..10 {
            let again = compile(&order.map(Clone::clone), &[]).graph.unwrap().to_bytes();
            assert!(again == first, "the bytes differ");
        }
    }
}

#[test]
fn only_what_the_matcher_reads_changes_the_hash() {
    let plain = compile(&[source("r.tb", "on koji.build.completed run rpmlint\n")], &[]).graph.unwrap();
    let commented =
        compile(&[source("r.tb", "# why\n\non koji.build.completed   run rpmlint\n")], &[]).graph.unwrap();
    let other = compile(&[source("r.tb", "on koji.build.failed run rpmlint\n")], &[]).graph.unwrap();
    assert_eq!(plain.hash(), commented.hash());
    assert_ne!(plain.hash(), other.hash());
}

#[test]
fn p14_damaged_bytes_are_refused() {
    let bytes = artifact();
    assert!(Graph::from_bytes(&bytes).is_ok());
    let refused = |bytes: &[u8]| Matcher::load(bytes.into()).unwrap_err();
    for length in 0..bytes.len().min(600) {
        assert!(
            matches!(refused(&bytes[..length]), LoadError::NotAnArtifact | LoadError::Damaged),
            "cut at {length}"
        );
    }
    assert_eq!(refused(&bytes[..bytes.len() - 1]), LoadError::Damaged);
    for at in (16..bytes.len()).step_by(31) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert_eq!(refused(&flipped), LoadError::Damaged, "bit flipped at {at}");
    }
    let mut newer = bytes.clone();
    newer[8] = 99;
    assert_eq!(refused(&newer), LoadError::Version { found: 99 });
    let mut foreign = bytes.clone();
    foreign[12..16].reverse();
    assert_eq!(refused(&foreign), LoadError::ByteOrder);
    assert_eq!(refused(b"#!/bin/sh"), LoadError::NotAnArtifact);
    let codes = [&newer, &foreign].map(|bytes| refused(bytes).code());
    assert_eq!(codes, ["artifact-version", "artifact-byte-order"]);
}

/// Somebody who can write a right checksum can write any tables; loading and judging them must still end without a panic, and
/// in no more memory than their own size calls for.
#[test]
fn p14_forged_bytes_never_panic() {
    let bytes = artifact();
    let header = 16 + 8 + 32 + 11 * 8;
    let mut accepted = 0;
    for round in 0..10_000_usize {
        let mut forged = bytes.clone();
        for step in 0..=round % 3 {
            // Half of them in the first half, which the matcher reads; a tenth in the lengths of the sections.
            let span = if round % 2 == 0 { bytes.len() - header } else { (bytes.len() - header) / 4 };
            let at = match round % 10 {
                9 => 56 + (round * 7 + step) % 88,
                _ => header + (round * 7919 + step * 104_729) % span,
            };
            forged[at] = forged[at].wrapping_add(1 + u8::try_from(round % 255).unwrap());
        }
        let checksum = xxh3_64(&forged[24..]).to_ne_bytes();
        forged[16..24].copy_from_slice(&checksum);
        let Ok(matcher) = Matcher::load((&forged).into()) else { continue };
        accepted += 1;
        for topic in TOPICS {
            let body = Body::check(BODY.as_bytes()).unwrap();
            let _ = matcher.judge(topic, body, &NoFacts);
            let _ = matcher.fired(topic, body, &NoFacts);
        }
        if round % 20 == 0
            && let Ok(graph) = Graph::from_bytes(&forged)
        {
            for topic in TOPICS {
                let _ = explain(&graph, topic, BODY.as_bytes(), &NoFacts);
            }
        }
    }
    assert!(accepted > 500, "only {accepted} forgeries were loadable: the test tries nothing");
}
