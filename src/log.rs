//! `taskbot log`: what happened, or one run in full.

mod follow;

use std::io;
use std::process::ExitCode;

use clap::Args;
use taskbot_runtime::steps;
use taskbot_runtime::store::{RunId, RunReport};

use crate::output::{self, Failure, Format, Paint, Table, shown};
use crate::site::Site;

/// Show what happened, newest last; or one run in full: why it exists, its steps, results and output.
#[derive(Debug, Args)]
pub struct Log {
    /// Number of a run.
    run: Option<i64>,
    /// Show the run's output as it comes, through all its attempts, until the run is over.
    #[arg(short, long, requires = "run", conflicts_with = "format")]
    follow: bool,
    #[command(flatten)]
    site: Site,
    /// At most this many lines.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Log {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let store = self.site.store()?;
        let paint = Paint::of(&io::stdout());
        if let Some(number) = self.run {
            let report = store.run(number)?.ok_or_else(|| {
                Failure::new(format!("there is no run #{number}; `taskbot status` lists them"))
            })?;
            let state_dir = self.site.config()?.state_dir;
            if self.follow {
                return follow::follow(&store, &state_dir, report);
            }
            match self.format {
                Format::Json => output::json(&report)?,
                Format::Human => print_run(&report, &steps::artifact_dir(&state_dir, RunId(number)), paint),
            }
            return Ok(ExitCode::SUCCESS);
        }
        let lines = store.log(self.limit)?;
        match self.format {
            Format::Json => output::json(&lines)?,
            Format::Human => {
                for line in &lines {
                    let run = line.run.map_or(String::new(), |run| format!(" #{run}"));
                    let level = match line.level.as_str() {
                        "error" => paint.red("error"),
                        "warn" => paint.yellow("warn"),
                        other => other.to_owned(),
                    };
                    output::line(format!(
                        "{} {level}{run} {}",
                        paint.dim(&line.at.to_string()),
                        shown(&line.text)
                    ));
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_run(report: &RunReport, artifacts: &std::path::Path, paint: Paint) {
    let run = &report.run;
    output::line(format!("{} {}", paint.bold(&format!("#{}", run.id)), shown(&run.run)));
    output::line(format!(
        "state {}{}",
        paint.verdict(&run.state),
        run.note.as_ref().map_or(String::new(), |n| format!(": {}", shown(n)))
    ));
    let commit = report.commit.as_deref().unwrap_or("not cloned yet");
    output::line(format!("task {} at {}", shown(&report.repository), shown(commit)));
    for reason in &report.reasons {
        let about = reason.about_run.map_or(String::new(), |run| format!(", about run #{run}"));
        output::line(format!(
            "because of {} on {} ({}{about})",
            shown(&reason.rule),
            shown(&reason.topic),
            shown(&reason.message)
        ));
    }
    for request in report.requests.iter().filter(|request| request.state != "through") {
        let instead = request.instead.as_ref().map_or(String::new(), |id| format!(", for {}", shown(id)));
        let until = request.until.map_or(String::new(), |at| format!(" until {at}"));
        output::line(format!(
            "asked for by {} as well ({}): {}{until}{instead}",
            shown(&request.rule),
            shown(&request.message),
            request.state
        ));
    }
    output::line("");
    let mut table = Table::new(&["ATTEMPT", "STEP", "STATE", "STARTED", "DETAIL"]);
    for step in &report.steps {
        let detail = step.detail.as_deref().unwrap_or_default();
        table.row(&[
            &step.attempt.to_string(),
            &step.step,
            &step.state,
            &step.started_at.to_string(),
            detail,
        ]);
    }
    table.print(paint);
    if !report.results.is_empty() {
        output::line("");
        let mut table = Table::new(&["OUTCOME", "TESTCASE", "ITEM", "NOTE"]);
        for result in &report.results {
            table.row(&[&output::outcome(result.outcome), &result.testcase, &result.item, &result.note]);
        }
        table.print(paint);
    }
    for artifact in &report.artifacts {
        let path = artifacts.join(&artifact.path);
        output::line(format!("kept {} ({} bytes)", shown(&path.display().to_string()), artifact.size_bytes));
    }
}
