//! What the demonstration shows at its end.
//!
//! Comes in: the store that the daemon left. Goes out: each run with its rules, its state and its results, the failures in
//! full, and the commands that lead on. Exit code 0 whatever the tasks found: finding defects is what they are for.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use taskbot_runtime::dispatch::RunState;
use taskbot_runtime::store::{Reader, ResultFilter};

use crate::output::{self, Failure, Paint, Table, shown};
use crate::results;

const ALL: u32 = 10_000;

/// For programs.
pub fn json(store: &Reader) -> Result<ExitCode, Failure> {
    let mut runs = store.runs(ALL)?;
    runs.reverse();
    output::json(&json!({
        "status": store.status()?,
        "runs": runs,
        "results": store.results(&ResultFilter::default(), ALL)?,
        "quarantine": store.quarantine(ALL)?,
    }))?;
    Ok(ExitCode::SUCCESS)
}

/// For people.
pub fn print(store: &Reader, dir: &Path, paint: Paint) -> Result<ExitCode, Failure> {
    let status = store.status()?;
    let mut runs = store.runs(ALL)?;
    runs.reverse();
    output::line(format!("\n{}", paint.bold("What became of the messages")));
    for (name, number) in status.counters.iter().filter(|(name, _)| name.parse::<RunState>().is_err()) {
        output::line(format!("  {number:>3}  {name}"));
    }
    output::line(format!("\n{}", paint.bold("What fired, why, and what came of it")));
    let mut table = Table::new(&["RUN", "STATE", "RESULTS", "WHAT", "BECAUSE OF"]);
    for run in &runs {
        let rules = run.rules.join(", ");
        table.row(&[&format!("#{}", run.id), &run.state, &tally(&run.outcomes), &run.run, &rules]);
    }
    table.print(paint);

    let mut found = store.results(&ResultFilter::default(), ALL)?;
    found.reverse();
    output::line(format!("\n{}", paint.bold("Results")));
    results::print(&found, paint);

    let unavailable: Vec<_> = runs.iter().filter(|run| run.state == "infrastructure-error").collect();
    if !unavailable.is_empty() {
        output::line(format!("\n{}", paint.bold("Not done here, and why")));
        for run in unavailable {
            output::line(format!(
                "  #{} {}: {}",
                run.id,
                run.task,
                shown(run.note.as_deref().unwrap_or("no reason recorded"))
            ));
        }
    }
    let quarantine = store.quarantine(ALL)?;
    if !quarantine.is_empty() {
        output::line(format!("\n{}", paint.bold("Set aside")));
        for message in &quarantine {
            output::line(format!(
                "  {}: {}",
                shown(message.topic.as_deref().unwrap_or("?")),
                shown(&message.reason)
            ));
        }
    }
    let config = dir.join("taskbot.toml");
    let first = runs.first().map_or(1, |r| r.id);
    output::line(format!("\n{}", paint.bold("Look further")));
    let program = std::env::args().next().unwrap_or_else(|| "taskbot".into());
    for command in [
        format!("{program} log {first} --config {}", config.display()),
        format!("{program} results --config {} --outcome FAILED", config.display()),
        format!("{program} explain 00000000-0000-4000-8000-000000000004 --config {}", config.display()),
        format!("{program} check {}", dir.join("rules.tb").display()),
        format!("ls {}", dir.join("results").display()),
    ] {
        output::line(format!("  {command}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// `2 FAILED, 1 PASSED`
fn tally(outcomes: &[String]) -> String {
    let mut kinds: Vec<&String> = outcomes.iter().collect();
    kinds.sort();
    kinds.dedup();
    let count = |kind: &String| outcomes.iter().filter(|o| *o == kind).count();
    kinds.into_iter().map(|kind| format!("{} {kind}", count(kind))).collect::<Vec<_>>().join(", ")
}
