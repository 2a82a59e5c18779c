//! `taskbot test`: runs the tests that stand beside rules.
//!
//! Comes in: rule files with `test` blocks. Goes out: for each test whether it passed, else what differs and why; on demand the
//! branch coverage of the rules. Tests run in parallel and are told in the order of their files. Stations: `message` (what is
//! given), `judge` (what differs), `coverage`, `report` and `junit` (how it is told), `record` (a message becomes a test).

mod coverage;
mod facts;
mod judge;
mod junit;
mod message;
mod record;
mod report;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::{Args, ValueEnum};
use taskbot_compiler::{Compiled, TypedTest};
use taskbot_graph::{Graph, TopicFilter};

use self::coverage::{Conditions, Counts};
use self::judge::{Judged, Problem};
use crate::output::{self, FINDINGS, Failure, Paint};
use crate::site::Site;
use crate::{check, rules};

/// Run the tests that stand beside rules.
///
/// A test gives a message, sets the facts that rules ask for, and says which runs are expected. Nothing is started and nobody is
/// asked. Exit code 0: all passed; 1: a test failed, or less is covered than wanted; 2: wrong usage.
#[derive(Debug, Args)]
pub struct Test {
    /// Rule files, or directories of .tb files.
    #[arg(required_unless_present = "rules")]
    files: Vec<PathBuf>,
    /// Run only tests whose name holds this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Say which parts of the rules' conditions the tests saw hold, and fail.
    #[arg(long)]
    coverage: bool,
    /// Fail if the tests cover less than this much of the rules' branches.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
    #[command(flatten)]
    record: record::Record,
    #[command(flatten)]
    site: Site,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: TestFormat,
}

/// Who reads the output of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TestFormat {
    /// People on a terminal.
    #[default]
    Human,
    /// Programs: one JSON document.
    Json,
    /// Tools that show JUnit XML.
    Junit,
}

/// A test with what came of it.
#[derive(Debug)]
pub struct Ended<'t> {
    /// The test.
    pub test: &'t TypedTest,
    /// What is not as it expects; empty: it passed.
    pub problems: Vec<Problem>,
}

impl Test {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let filter = self.site.config()?.topic_filter()?;
        let files: Vec<PathBuf> = self.files.iter().chain(self.record.rules()).cloned().collect();
        let compiled = rules::load(&files)?;
        let Some(graph) = &compiled.graph else {
            check::print_findings(&compiled, Paint::of(&io::stderr())).into_iter().for_each(output::remark);
            return Ok(ExitCode::from(FINDINGS));
        };
        if self.record.is_wanted() {
            return self.record.run(&compiled, graph, &filter, &files);
        }
        let wanted = |test: &&TypedTest| self.filter.as_ref().is_none_or(|text| test.name.contains(text));
        let tests: Vec<&TypedTest> = compiled.program.tests.iter().filter(wanted).collect();
        if tests.is_empty() {
            return Err(match &self.filter {
                Some(text) => Failure::new(format!("no test's name holds {text:?}")),
                None => Failure::new(
                    "there is no test in these files; write one, or let `taskbot test --record MESSAGE` write it",
                ),
            });
        }
        let conditions = Conditions::of(&compiled, graph);
        let (ended, counts) = run_all(&compiled, graph, &tests, &conditions, &filter);
        let shown = self.coverage || self.min_coverage.is_some();
        let coverage = shown.then(|| coverage::coverage(&compiled, &conditions, &counts));
        match self.format {
            TestFormat::Human => report::print(&compiled, &ended, Paint::of(&io::stdout())),
            TestFormat::Json => report::print_json(&compiled, &ended, coverage.as_ref())?,
            TestFormat::Junit => output::line(junit::document(&compiled, &ended)?.trim_end()),
        }
        let least = usize::from(self.min_coverage.unwrap_or(0));
        let mut failed = ended.iter().any(|e| !e.problems.is_empty());
        if let Some(coverage) = &coverage {
            failed = failed || coverage.percent < least;
            if self.format == TestFormat::Human {
                report::print_coverage(coverage, least, Paint::of(&io::stdout()));
            }
        }
        Ok(if failed { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
    }
}

/// Runs tests on as many threads as there are processors; what comes out is in the order of the tests.
fn run_all<'t>(
    compiled: &Compiled,
    graph: &Graph,
    tests: &[&'t TypedTest],
    conditions: &Conditions,
    filter: &TopicFilter,
) -> (Vec<Ended<'t>>, Counts) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(tests.len());
    let next = AtomicUsize::new(0);
    let gathered: Mutex<(Vec<(usize, Ended<'t>)>, Counts)> = Mutex::new((Vec::new(), conditions.unseen()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Vec::new();
                let mut counts = conditions.unseen();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(test) = tests.get(at) else { break };
                    let Judged { problems, message } = judge::run(compiled, graph, test, filter);
                    if let Some((topic, body)) = message {
                        conditions.see(graph, &topic, &body, &message::TestFacts(&test.facts), &mut counts);
                    }
                    mine.push((at, Ended { test, problems }));
                }
                let mut all = gathered.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                all.0.append(&mut mine);
                all.1.merge(&counts);
            });
        }
    });
    let (mut ended, counts) = gathered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    ended.sort_by_key(|(at, _)| *at);
    (ended.into_iter().map(|(_, ended)| ended).collect(), counts)
}
