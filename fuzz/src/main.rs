//! `cargo run --release -p taskbot-fuzz -- TARGET SECONDS [SEED]`: a target for a while, from a seed on; or
//! `... -- worst-match [--kind KIND] [--minutes MINUTES] [--seed SEED] [--out FOLDER]`: what is slow to judge.
#![forbid(unsafe_code)]

mod worst_match;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use taskbot_fuzz::{TARGETS, hunt, mutate};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == worst_match::NAME
    {
        return worst_match::run(rest);
    }
    let number = |at: usize| arguments.get(at).map(|text| text.parse::<u64>().ok());
    let target = arguments.first().and_then(|name| TARGETS.iter().find(|t| t.name == name));
    let (Some(target), Some(Some(seconds)), seed) = (target, number(1), number(2)) else {
        let names: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
        eprintln!("usage: taskbot-fuzz TARGET SECONDS [SEED], where TARGET is one of {}", names.join(", "));
        eprintln!("       {}", worst_match::USAGE);
        return ExitCode::from(2);
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let corpus = match hunt::corpus(&root) {
        Ok(corpus) => corpus,
        Err(error) => {
            eprintln!("the project's rule files cannot be read: {error}");
            return ExitCode::from(2);
        }
    };
    println!("{} texts to begin with", corpus.len());
    let first = seed.flatten().unwrap_or(0);
    let found = hunt::hunt(*target, &corpus, first.., Duration::from_secs(seconds));
    let (slowest, seed) = found.slowest;
    println!("{}: {} cases from seed {first}, slowest {slowest:?} (seed {seed})", target.name, found.cases);
    let Some((seed, small)) = found.failure else { return ExitCode::SUCCESS };
    println!("seed {seed} fails; a small text that does:\n{small}");
    println!("the whole text has {} bytes", mutate::text(&corpus, seed).len());
    ExitCode::FAILURE
}
