//! `taskbot cancel`: ends runs.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use taskbot_runtime::dispatch::RunState;
use taskbot_runtime::orders::{self, Order};
use taskbot_runtime::store::RunId;

use crate::output::{self, FINDINGS, Failure, Format, shown};
use crate::site::Site;

/// End runs and clean up after them: a running daemon does it within a second, a stopped one when it starts.
///
/// A run that is over stays as it is. Exit code 1: none of the runs could still be cancelled.
#[derive(Debug, Args)]
pub struct Cancel {
    /// Numbers of the runs, as `taskbot status` lists them.
    #[arg(required = true)]
    runs: Vec<i64>,
    #[command(flatten)]
    site: Site,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Cancel {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let store = self.site.store()?;
        let (mut asked, mut over) = (Vec::new(), Vec::new());
        for number in self.runs {
            let Some(report) = store.run(number)? else {
                return Err(Failure::new(format!(
                    "there is no run #{number}; `taskbot status` lists them; nothing was cancelled"
                )));
            };
            let ended = report.run.state.parse::<RunState>().is_ok_and(RunState::is_final);
            if ended { over.push(report.run) } else { asked.push(report.run) }
        }
        if !asked.is_empty() {
            let runs = asked.iter().map(|run| RunId(run.id)).collect();
            orders::leave(&self.site.config()?.state_dir, &Order::Cancel { runs })
                .map_err(|error| Failure::new(error.to_string()))?;
        }
        match self.format {
            Format::Json => {
                let ids = |runs: &[taskbot_runtime::store::RunRow]| -> Vec<i64> {
                    runs.iter().map(|run| run.id).collect()
                };
                output::json(&json!({ "asked": ids(&asked), "over": ids(&over) }))?;
            }
            Format::Human => {
                for run in &over {
                    output::line(format!("#{} is {} already: {}", run.id, run.state, shown(&run.run)));
                }
                for run in &asked {
                    output::line(format!(
                        "#{} is to be cancelled: {}; a running daemon does it now, a stopped one when it starts",
                        run.id,
                        shown(&run.run)
                    ));
                }
            }
        }
        Ok(if asked.is_empty() { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
    }
}
