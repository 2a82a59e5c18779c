//! How long a reviewer waits: `cargo bench -p taskbot-compiler`.
//!
//! Rules as a distribution would write them, with a fixed seed: a package or a list of packages, globs, versions, facts, windows. For
//! each number of rules: compiling, and linting on top of it, in seconds; the best of three.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints its table")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use taskbot_compiler::{Domains, SourceText, compile, lint};

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

fn main() {
    println!("{:>8} {:>10} {:>10} {:>10} {:>9}", "rules", "compile s", "lint s", "µs a rule", "findings");
    for count in [1, 1_000, 10_000, 100_000] {
        let source = SourceText { path: "rules.tb".into(), text: rules(count) };
        let (mut best, mut findings) = ([Duration::MAX; 2], 0);
        for _ in 0..3 {
            let start = Instant::now();
            let compiled = compile(std::slice::from_ref(&source), &[]);
            let compiling = start.elapsed();
            assert!(compiled.graph.is_some(), "the generated rules compile");
            let start = Instant::now();
            findings = lint(&compiled, &Domains::default()).len();
            let linting = start.elapsed();
            best = [best[0].min(compiling), best[1].min(linting)];
        }
        let [compiling, linting] = best.map(|d| d.as_secs_f64());
        let each = (compiling + linting) * 1e6 / u32::try_from(count).map(f64::from).expect("small");
        println!("{count:>8} {compiling:>10.3} {linting:>10.3} {each:>10.1} {findings:>9}");
    }
}
