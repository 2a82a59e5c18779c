//! The archive source: plain, gzip, complete at its end, and no faster than the inbox.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use taskbot_runtime::source::{Delivery, Settled, SourceConfig, SourceError, SourceEvents, Wire, run};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

fn recording(lines: usize) -> String {
    (0..lines).map(|i| format!("{{\"topic\": \"a.b\", \"msg\": {{\"i\": {i}}}}}\n")).collect()
}

fn start(
    path: &Path,
) -> (tokio::task::JoinHandle<Result<(), SourceError>>, mpsc::Receiver<Delivery>, CancellationToken) {
    let (sender, deliveries) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let config = SourceConfig::Archive { name: "replay".to_owned(), path: path.to_owned() };
    let source = run(config, sender, stop.clone(), SourceEvents::new(|_| {}));
    (tokio::spawn(source), deliveries, stop)
}

async fn lines(mut deliveries: mpsc::Receiver<Delivery>, fate: Settled) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(delivery) = deliveries.recv().await {
        assert_eq!(delivery.source, "replay");
        let Wire::Record { line } = delivery.wire else { panic!("{:?}", delivery.wire) };
        lines.push(String::from_utf8(line).unwrap());
        delivery.settle.send(fate).unwrap();
    }
    lines
}

fn file(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn plain_and_gzip_are_told_by_their_first_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let text = recording(2000);
    // Two members, as appending to a .gz makes.
    let mut zipped = Vec::new();
    for part in [text.get(..5000).unwrap(), text.get(5000..).unwrap()] {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(part.as_bytes()).unwrap();
        zipped.extend(encoder.finish().unwrap());
    }
    let expected: Vec<&str> = text.lines().collect();
    for (name, bytes) in [("plain.gz", text.as_bytes()), ("zipped.jsonl", &zipped)] {
        let (source, deliveries, _stop) = start(&file(&dir, name, bytes));
        assert_eq!(lines(deliveries, Settled::Committed).await, expected, "{name}");
        source.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_was_given_back_is_no_complete_replay() {
    let dir = tempfile::tempdir().unwrap();
    let (source, deliveries, _stop) = start(&file(&dir, "r", recording(3).as_bytes()));
    assert_eq!(lines(deliveries, Settled::Returned).await.len(), 3);
    assert!(matches!(source.await.unwrap(), Err(SourceError::Returned { messages: 3 })));
}

#[tokio::test]
async fn files_that_cannot_be_read_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let broken = file(&dir, "broken.gz", b"\x1f\x8b\x08nothing more");
    for path in [dir.path().join("absent"), dir.path().to_owned(), broken] {
        let (source, deliveries, _stop) = start(&path);
        assert!(lines(deliveries, Settled::Committed).await.is_empty());
        let error = source.await.unwrap().unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    let (source, deliveries, _stop) = start(&file(&dir, "empty", b""));
    assert!(lines(deliveries, Settled::Committed).await.is_empty());
    source.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_full_inbox_holds_it_back_and_stop_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let (source, mut deliveries, stop) = start(&file(&dir, "r", recording(100).as_bytes()));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(deliveries.len(), 4);
    assert!(deliveries.recv().await.is_some());
    stop.cancel();
    source.await.unwrap().unwrap();
}
