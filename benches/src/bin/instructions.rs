//! Work whose instructions are counted; see `benches/instructions.sh`.
//!
//! Comes in: `prepare DIR` or `run DIR CASE`. The first draws and compiles the work and writes it to files; the second loads one case and
//! matches its messages, once so that what is built lazily is there, then once within [`counted`], which alone the counting
//! looks at. Goes out: files; or the number of messages.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use taskbot_benches::ours::{Ours, make};
use taskbot_benches::vocabulary::Vocabulary;
use taskbot_benches::workload::{Variant, workload_of};

/// Name, variant, rules, messages.
const CASES: [(&str, Variant, usize, usize); 5] = [
    ("base-1k", Variant::Base, 1_000, 200),
    ("base-10k", Variant::Base, 10_000, 200),
    ("skew-1k", Variant::Skew, 1_000, 200),
    ("language-1k", Variant::Language, 1_000, 200),
    ("big-1k", Variant::Big, 1_000, 2),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["prepare", folder] => prepare(Path::new(folder)),
        ["run", folder, case] => run(Path::new(folder), case),
        _ => Err("instructions prepare DIR, or instructions run DIR CASE".into()),
    }
}

/// Writes all cases, and tells their names.
#[expect(clippy::print_stdout, reason = "a command's result")]
fn prepare(folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    for (name, variant, rules, messages) in CASES {
        let work = workload_of(variant, rules, messages, 1, &Vocabulary::default());
        fs::write(folder.join(format!("{name}.artifact")), make(&work.program)?.artifact)?;
        // JSON as `json.dumps` writes it has no line ends.
        fs::write(folder.join(format!("{name}.jsonl")), work.messages.join(&b'\n'))?;
        println!("{name}");
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a command's result")]
fn run(folder: &Path, case: &str) -> Result<(), Box<dyn Error>> {
    let ours = Ours::load(&fs::read(folder.join(format!("{case}.artifact")))?)?;
    let text = fs::read_to_string(folder.join(format!("{case}.jsonl")))?;
    let messages: Vec<&str> = text.split('\n').collect();
    let warm: usize = messages.iter().map(|text| ours.matches(text)).sum();
    let fired = counted(&ours, &messages);
    if fired != warm {
        return Err(format!("{warm} rules fire, then {fired}").into());
    }
    println!("{}", messages.len());
    Ok(())
}

#[inline(never)]
fn counted(ours: &Ours, messages: &[&str]) -> usize {
    messages.iter().map(|text| black_box(ours.matches(black_box(text)))).sum()
}
