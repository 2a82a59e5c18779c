//! `taskbot results`: what the tasks found.

use std::io;
use std::process::ExitCode;

use clap::Args;
use taskbot_runtime::store::{ResultFilter, ResultRow};

use crate::outcome_word::OutcomeWord;
use crate::output::{self, Failure, Format, Paint, Table};
use crate::site::Site;

/// Show what the tasks found, newest first.
#[derive(Debug, Args)]
pub struct Results {
    #[command(flatten)]
    site: Site,
    /// Of this run only.
    #[arg(long, value_name = "NUMBER")]
    run: Option<i64>,
    /// About this item only, like curl-8.6.0-7.fc40.
    #[arg(long)]
    item: Option<String>,
    /// Of this test case only, like dist.rpmlint.
    #[arg(long)]
    testcase: Option<String>,
    /// With this outcome only.
    #[arg(long, value_enum, ignore_case = true)]
    outcome: Option<OutcomeWord>,
    /// At most this many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Results {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let filter = ResultFilter {
            run: self.run,
            item: self.item,
            testcase: self.testcase,
            outcome: self.outcome.map(|o| output::outcome(o.outcome())),
        };
        let store = self.site.store()?;
        if let Some(number) = self.run
            && store.run(number)?.is_none()
        {
            return Err(Failure::new(format!("there is no run #{number}; `taskbot status` lists them")));
        }
        let results = store.results(&filter, self.limit)?;
        if self.format == Format::Json {
            output::json(&results)?;
            return Ok(ExitCode::SUCCESS);
        }
        let paint = Paint::of(&io::stdout());
        if results.is_empty() {
            output::line("no such results; `taskbot status` shows what is under way");
            return Ok(ExitCode::SUCCESS);
        }
        print(&results, paint);
        Ok(ExitCode::SUCCESS)
    }
}

/// One line a result.
pub fn print(results: &[ResultRow], paint: Paint) {
    let mut table = Table::new(&["RUN", "OUTCOME", "TESTCASE", "ITEM", "NOTE"]);
    for ResultRow { run, result, .. } in results {
        let outcome = output::outcome(result.outcome);
        table.row(&[&format!("#{run}"), &outcome, &result.testcase, &result.item, &result.note]);
    }
    table.print(paint);
}
