//! How long a reviewer waits: `cargo bench -p taskbot-compiler`.
//!
//! Rules as a distribution would write them, with a fixed seed: a package or a list of packages, globs, versions, facts, windows. For
//! each number of rules: compiling, compiling again after one of them changed, and linting, in seconds of processor time, so that other
//! work on the machine counts as little as possible; the best of three. Numbers of rules may be given, and `--no-lints`.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints its table")]

use std::fmt::Write as _;
use std::time::Duration;

use taskbot_compiler::{Compiler, Domains, SourceText, lint};

/// A generator with a fixed seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33).checked_rem(sides).unwrap_or_default()
    }
}

fn rules(count: usize) -> String {
    let mut dice = Dice(2026);
    let mut text = String::new();
    for at in 0..count {
        let package = |dice: &mut Dice| format!("package-{}", dice.roll(20_000));
        let (a, b, c) = (package(&mut dice), package(&mut dice), package(&mut dice));
        let condition = match dice.roll(6) {
            0 | 1 => format!("package.name == \"{a}\""),
            2 => format!("package.name in [\"{a}\", \"{b}\", \"{c}\"]"),
            3 => format!("package.name like \"{a}-*\" and not (package.name like \"*-devel\")"),
            4 => format!("package.name == \"{a}\" and package.evr >= \"{}.0-1\"", dice.roll(9)),
            _ => format!("package.lang == C and package.name != \"{a}\" and package.name like \"{at}*\""),
        };
        let (event, task) = match dice.roll(3) {
            0 => ("bodhi.update.testing", "rpmlint"),
            1 => ("koji.build.completed", "static-analysis"),
            _ => ("bodhi.update.stable", "depcheck"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "rule r{at} on {event} where {condition} run {task}");
    }
    text
}

/// The same rules, but one in the middle asks for another package.
fn with_one_changed(text: &str, count: usize) -> String {
    let name = format!("rule r{} on ", count / 2);
    let (before, rest) = text.split_once(&name).expect("the rule is there");
    let (_, after) = rest.split_once('\n').expect("it ends with its line");
    format!("{before}{name}koji.build.completed where package.name == \"changed\" run rpmlint\n{after}")
}

/// The processor time of this thread so far, as Linux tells it.
fn processor_time() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux kernel with schedstat");
    let nanos = told.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("nanoseconds come first"))
}

/// What something gives, and its processor time.
fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let start = processor_time();
    let given = what();
    (given, processor_time() - start)
}

/// Seconds for a first time, for a second time with one rule changed, and for the lints; and what they find.
fn measure(count: usize, lints: bool) -> ([f64; 3], usize) {
    let text = rules(count);
    let source = |text: String| [SourceText { path: "rules.tb".into(), text }];
    let (first, second) = (source(text.clone()), source(with_one_changed(&text, count)));
    let (mut best, mut findings) = ([Duration::MAX; 3], 0);
    for _ in 0..3 {
        let mut compiler = Compiler::default();
        let (right, compiling) = timed(|| compiler.compile(&first, &[]).graph.is_some());
        assert!(right, "the generated rules compile");
        let (compiled, again) = timed(|| compiler.compile(&second, &[]));
        let (found, linting) = timed(|| if lints { lint(compiled, &Domains::default()).len() } else { 0 });
        findings = found;
        best = [best[0].min(compiling), best[1].min(again), best[2].min(linting)];
    }
    (best.map(|d| d.as_secs_f64()), findings)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let lints = !arguments.iter().any(|argument| argument == "--no-lints");
    let given: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let counts = if given.is_empty() { vec![1, 1_000, 10_000, 100_000] } else { given };
    println!(
        "{:>8} {:>10} {:>10} {:>9} {:>10} {:>9}",
        "rules", "compile s", "µs a rule", "again s", "lint s", "findings"
    );
    for count in counts {
        let ([compiling, again, linting], findings) = measure(count, lints);
        let each = compiling * 1e6 / u32::try_from(count).map(f64::from).expect("small");
        println!("{count:>8} {compiling:>10.3} {each:>10.1} {again:>9.3} {linting:>10.3} {findings:>9}");
    }
}
