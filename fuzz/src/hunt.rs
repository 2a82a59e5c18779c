//! Running a target over many texts, and making one that fails small.
//!
//! Comes in: a target, texts and seeds. Goes out: how many cases ran, how long the slowest took, and the first failure.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io};

use taskbot_grammar::tokens;

use crate::{Target, mutate};

/// What a hunt came to.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// Texts that were tried.
    pub cases: u64,
    /// How long the slowest took, and its seed.
    pub slowest: (Duration, u64),
    /// The seed of the first text for which the target does not hold, and a small text of that kind.
    pub failure: Option<(u64, String)>,
}

/// Tries the texts of these seeds until one fails or the time is over.
pub fn hunt(target: Target, corpus: &[String], seeds: impl Iterator<Item = u64>, time: Duration) -> Hunt {
    let began = Instant::now();
    let mut found = Hunt { cases: 0, slowest: (Duration::ZERO, 0), failure: None };
    for seed in seeds {
        if began.elapsed() > time {
            break;
        }
        let text = mutate::text(corpus, seed);
        let begun = Instant::now();
        if !holds(target, &text) {
            found.failure = Some((seed, smaller(target, text)));
            break;
        }
        found.cases = found.cases.saturating_add(1);
        found.slowest = found.slowest.max((begun.elapsed(), seed));
    }
    found
}

/// Whether a target holds for a text.
pub fn holds(target: Target, text: &str) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.holds)(text))).is_ok()
}

/// Takes words out for as long as the target fails.
fn smaller(target: Target, text: String) -> String {
    let mut words: Vec<String> = tokens(&text).iter().map(|t| t.span.of(&text).to_owned()).collect();
    let mut step = words.len();
    while step > 0 {
        let mut at = 0;
        while at < words.len() {
            let mut fewer = words.clone();
            fewer.drain(at..at.saturating_add(step).min(words.len()));
            if holds(target, &fewer.concat()) {
                at = at.saturating_add(step);
            } else {
                words = fewer;
            }
        }
        step /= 2;
    }
    words.concat()
}

/// The rule files of the project and the programs of its documentation.
///
/// # Errors
/// A folder or file could not be read.
pub fn corpus(root: &Path) -> io::Result<Vec<String>> {
    let mut texts = Vec::new();
    for folder in ["", "stdlib", "tests/ui", "tests/spec", "docs/language", "docs/diagnostics"] {
        let folder = root.join(folder);
        if !folder.is_dir() {
            continue;
        }
        let mut paths = fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        for path in paths {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("tb") => texts.push(fs::read_to_string(path)?),
                Some("md") => texts.extend(programs(&fs::read_to_string(path)?)),
                _ => {}
            }
        }
    }
    Ok(texts)
}

/// The `tb` blocks of a page.
fn programs(page: &str) -> Vec<String> {
    let blocks = page.split("\n```tb").skip(1).filter_map(|rest| rest.split_once('\n'));
    blocks.filter_map(|(_, body)| body.split("\n```").next()).map(|body| format!("{body}\n")).collect()
}
