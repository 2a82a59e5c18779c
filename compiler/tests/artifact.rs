//! P12 and the artifact's half of P14: the same program gives the same bytes, and bytes are never trusted.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use sha2::{Digest, Sha256};
use taskbot_compiler::{SourceText, compile};
use taskbot_graph::{Graph, LoadError, NoFacts, explain, judge};

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
    for length in 0..bytes.len().min(300) {
        assert!(Graph::from_bytes(&bytes[..length]).is_err(), "cut at {length}");
    }
    assert_eq!(Graph::from_bytes(&bytes[..bytes.len() - 1]), Err(LoadError::Damaged));
    for at in (8..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(Graph::from_bytes(&flipped).is_err(), "bit flipped at {at}");
    }
    let mut newer = bytes.clone();
    newer[8] = 99;
    assert_eq!(Graph::from_bytes(&newer), Err(LoadError::Version { found: 99 }));
    assert_eq!(Graph::from_bytes(b"#!/bin/sh"), Err(LoadError::NotAnArtifact));
}

/// Somebody who can write a right checksum can write any graph; loading and judging it must still end without a panic.
#[test]
fn p14_forged_bytes_never_panic() {
    let bytes = artifact();
    let header = 8 + 4 + 8 + 8 + 32;
    let mut accepted = 0;
    for round in 0..5_000_usize {
        let mut forged = bytes.clone();
        for step in 0..=round % 3 {
            let at = header + (round * 7919 + step * 104_729) % (bytes.len() - header);
            forged[at] = forged[at].wrapping_add(1 + u8::try_from(round % 255).unwrap());
        }
        let digest = Sha256::digest(&forged[header..]);
        forged[header - 32..header].copy_from_slice(&digest);
        if let Ok(graph) = Graph::from_bytes(&forged) {
            accepted += 1;
            for topic in TOPICS {
                let _ = judge(&graph, topic, BODY.as_bytes(), &NoFacts);
                let _ = explain(&graph, topic, BODY.as_bytes(), &NoFacts);
            }
        }
    }
    assert!(accepted > 50, "only {accepted} forgeries were loadable: the test tries nothing");
}
