//! The command: writes work to files, prints the table.
//!
//! Comes in: a command line. Goes out: files, or Markdown. It refuses to print a time for a wrong result.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use taskbot_benches::digest::{difference, summary};
use taskbot_benches::measure::{Effort, Figures, measure};
use taskbot_benches::naive::Naive;
use taskbot_benches::ours::{Ours, make};
use taskbot_benches::table;
use taskbot_benches::vocabulary::Vocabulary;
use taskbot_benches::workload::{Variant, Workload, workload};

/// Measures taskbot's matcher.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes `rules.tb` and `messages.jsonl`.
    Generate {
        #[arg(long, value_enum)]
        variant: Variant,
        #[arg(long)]
        rules: usize,
        #[command(flatten)]
        work: Work,
        /// Folder to write to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Measures, and prints the table.
    Table {
        #[arg(long, value_enum, value_delimiter = ',', default_values_t = Variant::ALL)]
        variants: Vec<Variant>,
        /// Numbers of rules.
        #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000, 100_000])]
        rules: Vec<usize>,
        /// Also `base` with a million rules: 10 GB of memory and some minutes.
        #[arg(long)]
        million: bool,
        /// Few passes: the order of magnitude.
        #[arg(long)]
        quick: bool,
        #[command(flatten)]
        work: Work,
        /// Put it between the marks of this file, instead of printing it.
        #[arg(long)]
        write: Option<PathBuf>,
    },
    /// Compares the matcher's answers with the naive reference's.
    Compare {
        #[arg(long, value_enum)]
        variant: Variant,
        #[arg(long)]
        rules: usize,
        #[command(flatten)]
        work: Work,
    },
}

/// What the work is drawn from.
#[derive(clap::Args)]
struct Work {
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A file of words, or `made-up` for the second built-in list.
    #[arg(long)]
    vocabulary: Option<PathBuf>,
}

impl Work {
    fn vocabulary(&self) -> std::io::Result<Vocabulary> {
        match &self.vocabulary {
            None => Ok(Vocabulary::default()),
            Some(name) if name.as_os_str() == "made-up" => Ok(Vocabulary::made_up()),
            Some(file) => fs::read_to_string(file).map(|text| Vocabulary::read(&text)),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    match Options::parse().command {
        Command::Generate { variant, rules, work, out } => {
            let drawn = workload(variant, rules, work.seed, &work.vocabulary()?);
            fs::create_dir_all(&out)?;
            fs::write(out.join("rules.tb"), &drawn.program)?;
            let lines = drawn.messages.iter().flat_map(|bytes| bytes.iter().chain(b"\n")).copied();
            fs::write(out.join("messages.jsonl"), lines.collect::<Vec<u8>>())?;
            tell(&drawn);
        }
        Command::Table { variants, rules, million, quick, work, write } => {
            let mut wanted: Vec<(Variant, usize)> = Vec::new();
            for variant in &variants {
                wanted.extend(rules.iter().map(|rules| (*variant, *rules)));
                wanted.extend((million && *variant == Variant::Base).then_some((*variant, 1_000_000)));
            }
            let figures = figures(&wanted, &work, effort(quick))?;
            put(&table::markdown(&figures, &command_line()), write)?;
        }
        Command::Compare { variant, rules, work } => {
            let drawn = workload(variant, rules, work.seed, &work.vocabulary()?);
            tell(&drawn);
            compare(&drawn)?;
        }
    }
    Ok(())
}

fn effort(quick: bool) -> Effort {
    if quick {
        Effort { budget: Duration::from_millis(300), passes: 2 }
    } else {
        Effort { budget: Duration::from_secs(5), passes: 5 }
    }
}

fn figures(wanted: &[(Variant, usize)], work: &Work, effort: Effort) -> Result<Vec<Figures>, Box<dyn Error>> {
    let vocabulary = work.vocabulary()?;
    let measured = wanted.iter().map(|(variant, rules)| {
        progress(&format!("{} {rules}", variant.name()));
        let drawn = workload(*variant, *rules, work.seed, &vocabulary);
        measure(&drawn, *variant, effort)
            .map_err(|error| format!("{} {rules}: {error}", variant.name()).into())
    });
    measured.collect()
}

/// The command as it was typed, with cargo's part.
fn command_line() -> String {
    let typed: Vec<String> = std::env::args().skip(1).collect();
    let features = if cfg!(feature = "intake") { " --features intake" } else { "" };
    format!("cargo run --release -p taskbot-benches{features} -- {}", typed.join(" "))
}

#[expect(clippy::print_stdout, reason = "a command's result")]
fn put(table: &str, file: Option<PathBuf>) -> Result<(), Box<dyn Error>> {
    let Some(file) = file else {
        println!("{table}");
        return Ok(());
    };
    let text = table::put_between_marks(&fs::read_to_string(&file)?, table)?;
    Ok(fs::write(file, text)?)
}

#[expect(clippy::print_stderr, reason = "what a command tells besides its result")]
fn progress(what: &str) {
    eprintln!("{what}");
}

#[expect(clippy::print_stderr, reason = "what a command tells besides its result")]
fn tell(work: &Workload) {
    let naive = Naive::new(&work.topics, &work.rules);
    let matches: usize =
        work.messages.iter().enumerate().map(|(at, bytes)| naive.judge(at, bytes).len()).sum();
    let bytes: usize = work.messages.iter().map(Vec::len).sum();
    let lengths = work.messages.iter().map(Vec::len);
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    let each = |all: usize| all as f64 / work.messages.len().max(1) as f64;
    eprintln!(
        "{} rules, {} messages of {:.0} bytes ({} to {}), {:.2} matches a message",
        work.rules.len(),
        work.messages.len(),
        each(bytes),
        lengths.clone().min().unwrap_or_default(),
        lengths.max().unwrap_or_default(),
        each(matches)
    );
}

#[expect(clippy::print_stdout, reason = "a command's result")]
fn compare(work: &Workload) -> Result<(), Box<dyn Error>> {
    let naive = Naive::new(&work.topics, &work.rules);
    let ours = Ours::load(&make(&work.program)?.artifact)?;
    let (mut expected, mut got) = (Vec::new(), Vec::new());
    for (at, bytes) in work.messages.iter().enumerate() {
        expected.extend(naive.judge(at, bytes));
        got.extend(ours.judge(at, bytes));
    }
    let (naive_sum, ours_sum) = (summary(expected.clone()), summary(got.clone()));
    if naive_sum != ours_sum {
        return Err(format!("wrong answers: {}", difference(&got, &expected)).into());
    }
    println!("equal: {} firings, sha256 {}", ours_sum.firings, ours_sum.sha256);
    Ok(())
}
