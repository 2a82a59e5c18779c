//! `taskbot status`: how the daemon does.

use std::io;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use taskbot_runtime::dispatch::RunState;
use taskbot_runtime::store;

use crate::output::{self, Failure, Format, Paint, Table, shown};
use crate::site::Site;

/// Runs and quarantined messages that are listed.
const LISTED: u32 = 20;

/// Show how the daemon does: counters, runs, what waits and what was set aside.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    site: Site,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Status {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let store = self.site.store()?;
        let (status, runs, quarantine) = (store.status()?, store.runs(LISTED)?, store.quarantine(LISTED)?);
        if self.format == Format::Json {
            output::json(
                &json!({ "status": status, "newest_runs": runs, "newest_quarantined": quarantine }),
            )?;
            return Ok(ExitCode::SUCCESS);
        }
        let paint = Paint::of(&io::stdout());
        print(&status, paint);
        if !runs.is_empty() {
            output::line("");
            let mut table = Table::new(&["RUN", "STATE", "OUTCOMES", "WHAT", "NOTE"]);
            for run in &runs {
                let note = run.note.as_deref().unwrap_or_default();
                table.row(&[&format!("#{}", run.id), &run.state, &run.outcomes.join(" "), &run.run, note]);
            }
            table.print(paint);
        }
        if !quarantine.is_empty() {
            output::line("");
            let mut table = Table::new(&["QUARANTINED", "TIMES", "TOPIC", "REASON"]);
            for message in &quarantine {
                let id = message.message.as_deref().or(message.sha256.as_deref()).unwrap_or("?");
                let topic = message.topic.as_deref().unwrap_or("?");
                table.row(&[id, &message.times.to_string(), topic, &message.reason]);
            }
            table.print(paint);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Counters and what waits.
pub fn print(status: &store::Status, paint: Paint) {
    // How runs ended is told below, from the runs themselves.
    let counters: Vec<_> =
        status.counters.iter().filter(|(name, _)| name.parse::<RunState>().is_err()).collect();
    if counters.is_empty() {
        output::line("no message has arrived yet");
    } else {
        let mut table = Table::new(&["MESSAGES", ""]);
        counters.iter().for_each(|(name, number)| table.row(&[name, &number.to_string()]));
        table.print(paint);
    }
    if !status.runs.is_empty() {
        output::line("");
        let mut table = Table::new(&["RUNS", ""]);
        status.runs.iter().for_each(|(state, number)| table.row(&[state, &number.to_string()]));
        table.print(paint);
    }
    for fact in &status.waiting_for {
        let why = fact.last_error.as_deref().map_or(String::new(), |e| format!(": {}", shown(e)));
        let tries = output::count(fact.attempts as usize, "failed attempt");
        let waiting = paint.yellow("waiting for");
        output::line(format!(
            "{waiting} {} of {} since {}, {tries}{why}",
            shown(&fact.fact),
            shown(&fact.key),
            fact.since
        ));
    }
    for row in &status.held {
        let requests = output::count(usize::try_from(row.requests).unwrap_or(0), "request");
        let until = row.next.map_or(String::new(), |at| format!(", the next until {at}"));
        let held = paint.yellow("held");
        output::line(format!("{held} by {} of rule {}: {requests}{until}", row.window, shown(&row.rule)));
    }
    if status.undecided > 0 {
        output::line(format!(
            "{} decisions are undecided: a fact has no answer, see `taskbot log`",
            paint.red(&status.undecided.to_string())
        ));
    }
    if !status.sinks.is_empty() {
        output::line("");
        let mut table = Table::new(&["SINK", "WAITING", "PARKED", "LAST ERROR"]);
        for row in &status.sinks {
            let error = row.last_error.as_deref().unwrap_or_default();
            table.row(&[&row.sink, &row.waiting.to_string(), &row.parked.to_string(), error]);
        }
        table.print(paint);
    }
}
