//! `taskbot result`: a script reports a result of the run that it is in.
//!
//! Comes in: a verdict with what belongs to it, and `$TASKBOT_RESULTS` of the run. Goes out: the result in that file, and a line
//! for the run's log. It judges nothing: a reported failure is a report that worked, with exit code 0.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use taskbot_runtime::task::report::{Place, Report, artifact_path, report};

use crate::outcome_word::OutcomeWord;
use crate::output::{self, Failure, shown};

const EXAMPLES: &str = "Examples, in a task's script:
  taskbot result passed
  taskbot result failed check_dns --note \"no answer from 192.0.2.1\" --artifact dns.log
  taskbot result failed dist.rpmlint --item \"$TASKBOT_INPUT_PACKAGE\" --type koji_build --data errors=2

  # the verdict of a script that may be killed: said first, and once more at the end
  taskbot result error dist.upgrade --note \"it did not come to its end\"
  if ./upgrade; then taskbot result passed dist.upgrade; else taskbot result failed dist.upgrade; fi

Exit codes: 0 reported, whatever the outcome, 2 not reported: the results are as they were.";

/// Report a result, from within a task that is running.
///
/// The result is put into $TASKBOT_RESULTS, which taskbot reads when the task ends. A second report of the same test case about the
/// same item takes the place of the first. Scripts may report as often as they like, also several at once. Where a task also
/// fails by its exit code, both are told.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportResult {
    /// What came out; pass, fail, skip and error are understood as well.
    #[arg(value_enum, ignore_case = true)]
    outcome: OutcomeWord,
    /// The test case: with a dot its whole name, like dist.rpmlint, without one a part of the task. Default: the task itself.
    testcase: Option<String>,
    /// What was tested, like curl-8.6.0-7.fc40. Default: what the run is about.
    #[arg(long)]
    item: Option<String>,
    /// Kind of the item, like koji_build. Default: that of what the run is about.
    #[arg(long = "type", value_name = "TYPE")]
    item_type: Option<String>,
    /// One line for people.
    #[arg(long)]
    note: Option<String>,
    /// A file in $TASKBOT_ARTIFACTS that shows it; may be given several times.
    #[arg(long, value_name = "FILE")]
    artifact: Vec<PathBuf>,
    /// Anything else to keep, like `arch=x86_64`; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    data: Vec<String>,
}

impl ReportResult {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let results_file = of_the_run("TASKBOT_RESULTS")?;
        let artifacts = match self.artifact.as_slice() {
            [] => Vec::new(),
            files => {
                let dir = of_the_run("TASKBOT_ARTIFACTS")?;
                files.iter().map(|file| artifact_path(&dir, file)).collect::<Result<_, _>>()?
            }
        };
        let data = self.data.iter().map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| Failure::new(format!("--data {pair}: write NAME=VALUE, like arch=x86_64")))?;
            Ok((name.to_owned(), value.to_owned()))
        });
        let outcome = self.outcome.outcome();
        let about = self.testcase.clone().unwrap_or_else(|| "the task".into());
        let place = report(
            &results_file,
            Report {
                outcome,
                testcase: self.testcase,
                item: self.item,
                item_type: self.item_type,
                note: self.note,
                artifacts,
                data: data.collect::<Result<_, Failure>>()?,
            },
        )?;
        let before = if place == Place::Replaced { ", in place of an earlier report" } else { "" };
        output::line(format!("reported: {} {}{before}", output::outcome(outcome), shown(&about)));
        Ok(ExitCode::SUCCESS)
    }
}

/// A path that a run gives to its task.
fn of_the_run(variable: &str) -> Result<PathBuf, Failure> {
    std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from).ok_or_else(|| {
        Failure::new(format!(
            "${variable} is not set: this reports a result from within a task that taskbot runs; to try it, `taskbot task run DIR`"
        ))
    })
}
