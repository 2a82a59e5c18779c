//! The command `worst-match`: searches each kind for its share of the time and prints what was found.
//!
//! Comes in: words of the command line. Goes out: a table on standard output and, if a folder is named, the program and the message
//! of each kind. Files are written when a kind is done, each in one go; nothing else is left behind, however it ends.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use taskbot_fuzz::worst::kind::{By, KINDS, Kind};
use taskbot_fuzz::worst::measure::{Ready, count, nanoseconds};
use taskbot_fuzz::worst::{self, Size, Worst};

/// Its name.
pub const NAME: &str = "worst-match";
/// How it is called.
pub const USAGE: &str =
    "taskbot-fuzz worst-match [--kind KIND] [--minutes MINUTES] [--seed SEED] [--out FOLDER]";
/// A case is not doubled any more once it takes this long.
const LONG: Duration = Duration::from_millis(500);

/// What is asked for.
struct Order {
    kinds: Vec<&'static Kind>,
    /// For all kinds together.
    time: Duration,
    seed: u64,
    out: Option<PathBuf>,
}

/// Runs it.
pub fn run(arguments: &[String]) -> ExitCode {
    let Some(order) = order(arguments) else {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        eprintln!("usage: {USAGE}, where KIND is one of {}", names.join(", "));
        return ExitCode::from(2);
    };
    match search(&order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn order(arguments: &[String]) -> Option<Order> {
    let mut order = Order { kinds: KINDS.iter().collect(), time: minutes(5.0)?, seed: 0, out: None };
    for pair in arguments.chunks(2) {
        let [name, value] = pair else { return None };
        match name.as_str() {
            "--kind" => order.kinds = vec![KINDS.iter().find(|kind| kind.name == value)?],
            "--minutes" => order.time = minutes(value.parse().ok()?)?,
            "--seed" => order.seed = value.parse().ok()?,
            "--out" => order.out = Some(value.into()),
            _ => return None,
        }
    }
    Some(order)
}

fn minutes(minutes: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(minutes * 60.0).ok()
}

fn search(order: &Order) -> Result<(), String> {
    let share = order.time.div_f64(count(order.kinds.len()));
    println!("seed {}; processor time of one thread, the least of some repetitions\n", order.seed);
    println!(
        "| kind | cases | message bytes | rules | µs | ns/byte | ns/(rule x element) | trees | grows with |"
    );
    println!("| --- | --: | --: | --: | --: | --: | --: | --: | --- |");
    for kind in &order.kinds {
        let worst = worst::search(kind, order.seed, share).map_err(|e| format!("{}: {e}", kind.name))?;
        let powers = worst::powers(&worst, kind.by);
        let shown: Vec<String> =
            powers.iter().map(|(size, of, power)| format!("{} {of}^{power:.1}", size.name)).collect();
        println!("{}", row(kind.name, kind.by, &worst, &shown.join(", ")));
        let sizes: Vec<&Size> = powers.iter().map(|(size, ..)| *size).collect();
        let (large, power) = worst::enlarged(&worst, kind.by, &sizes, LONG);
        if let Some(power) = power {
            println!(
                "{}",
                row(&format!("{}, larger", kind.name), kind.by, &large, &format!("bytes^{power:.1}"))
            );
        }
        if let Some(folder) = &order.out {
            write(folder, kind.name, &large).map_err(|e| format!("{}: {e}", folder.display()))?;
        }
    }
    Ok(())
}

fn row(name: &str, by: By, Worst { case, cost, tried }: &Worst, grows: &str) -> String {
    let time = nanoseconds(cost.time(by));
    let rules = case.rules.saturating_add(case.declared);
    let elements = count(case.message.elements.max(case.message.subjects));
    let trees = cost.trees(by).map_or("no JSON".to_owned(), |trees| format!("{trees:.1}"));
    format!(
        "| {name} | {tried} | {} | {rules} | {:.0} | {:.1} | {:.1} | {trees} | {grows} |",
        cost.bytes,
        time / 1e3,
        time / count(cost.bytes),
        time / count(rules) / elements,
    )
}

/// Writes a program and its message.
fn write(folder: &Path, name: &str, worst: &Worst) -> io::Result<()> {
    let ready = Ready::new(&worst.case).map_err(io::Error::other)?;
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(format!("{name}.tb")), &ready.program)?;
    std::fs::write(folder.join(format!("{name}.json")), &ready.body)
}
