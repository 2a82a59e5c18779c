//! `taskbot demo`: the whole way from a message to a result, on this machine, with nothing installed but what tasks need.
//!
//! Comes in: a directory to use. Goes out: in it a complete site (rules, facts, builds of sample packages, configuration, store,
//! results), and on the terminal what fired, why, and what came of it. The messages pass through a real ZeroMQ publisher on
//! loopback into the same daemon that `taskbot run` is.

mod report;
mod stage;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use taskbot_runtime::config::Config;
use taskbot_runtime::daemon::{Control, Until};
use taskbot_runtime::progress::Progress;
use taskbot_runtime::publisher::Publisher;
use taskbot_runtime::spawn::WorkerProgram;
use taskbot_runtime::store::Reader;
use tokio::sync::{mpsc, watch};

use crate::output::{self, Failure, Format, Paint};
use crate::run::{bar, serve, start_log};

/// Between two messages: slow enough to watch, fast enough not to wait for.
const PACE: Duration = Duration::from_millis(50);
/// How often it is looked whether all is settled.
const LOOK: Duration = Duration::from_millis(100);
/// If nothing moves for this long the demonstration is over, whatever is missing.
const STILL: Duration = Duration::from_secs(120);

/// Play recorded messages into the daemon and watch them become runs and results.
///
/// Uses the seven rules of rules.tb, a ZeroMQ publisher on loopback, task repositories that are really cloned and tasks that
/// really run. A task that needs more than this machine has ends as an infrastructure error that says what is missing.
#[derive(Debug, Args)]
pub struct Demo {
    /// Directory for it; a former demonstration there is replaced.
    #[arg(long, value_name = "DIR", default_value = "taskbot-demo")]
    dir: PathBuf,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Demo {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        if std::env::var_os("TASKBOT_LOG").is_some() {
            start_log();
        }
        tokio::runtime::Runtime::new()?.block_on(self.play())
    }

    async fn play(self) -> Result<ExitCode, Failure> {
        let paint = Paint::of(&io::stdout());
        let human = self.format == Format::Human;
        if human {
            output::line(format!("{} in {}", paint.bold("setting up a site"), self.dir.display()));
        }
        let dir = stage::set(&self.dir).await?;
        let publisher = Publisher::start(&WorkerProgram::current(), 0, PACE).await?;
        let path = stage::configure(&dir, publisher.endpoint())?;
        let config = Config::read(&path)?;
        if human {
            let messages = output::count(stage::messages().count(), "recorded message");
            output::line(format!("{} {messages} through {}", paint.bold("publishing"), publisher.endpoint()));
        }
        let state_dir = config.state_dir.clone();
        watch(config, publisher, human).await?;
        let store = Reader::open(&state_dir)?;
        let outcome = match self.format {
            Format::Json => report::json(&store)?,
            Format::Human => report::print(&store, &self.dir, paint)?,
        };
        Ok(outcome)
    }
}

/// What the daemon told last.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Every message has its fate, every run its end.
    settled: bool,
    at: Instant,
}

/// What has happened so far.
#[derive(Debug, Default)]
struct Tally {
    /// Deliveries whose fate is durable.
    messages: u64,
    runs_asked: u64,
    runs_ended: BTreeSet<i64>,
}

impl Tally {
    fn take(&mut self, progress: &Progress) {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        match progress {
            Progress::Message { runs, .. } => {
                self.messages = self.messages.saturating_add(1);
                self.runs_asked = self.runs_asked.saturating_add(count(runs.len()));
            }
            Progress::Decided { runs, .. } => {
                self.runs_asked = self.runs_asked.saturating_add(count(runs.len()));
            }
            Progress::Run { id, state, .. } if state.is_final() => drop(self.runs_ended.insert(id.0)),
            _ => {}
        }
    }
}

/// Publishes, watches the daemon and stops it when everything is settled.
async fn watch(config: Config, publisher: Publisher, human: bool) -> Result<(), Failure> {
    let (control, orders) = mpsc::channel(1);
    let (events, seen) = watch::channel(Seen { settled: false, at: Instant::now() });
    let total = u64::try_from(stage::messages().count()).unwrap_or(u64::MAX);
    let paint = Paint::of(&io::stdout());
    let messages_bar = bar(total, "messages");
    let runs_bar = bar(0, "runs");
    let mut tally = Tally::default();
    let state_dir = config.state_dir.clone();
    let daemon = serve(config, Until::Stopped, orders, |progress| {
        tally.take(progress);
        messages_bar.set_position(tally.messages);
        runs_bar.set_length(tally.runs_asked);
        runs_bar.set_position(u64::try_from(tally.runs_ended.len()).unwrap_or(u64::MAX));
        if human && !matches!(progress, Progress::Run { state, .. } if !state.is_final()) {
            for sentence in crate::run::sentences(progress, paint) {
                if io::stderr().is_terminal() {
                    messages_bar.suspend(|| output::line(sentence))
                } else {
                    output::line(sentence)
                }
            }
        }
        let settled =
            tally.messages >= total && u64::try_from(tally.runs_ended.len()).unwrap_or(0) >= tally.runs_asked;
        events.send_replace(Seen { settled, at: Instant::now() });
    });
    let stop = async {
        publish(publisher).await?;
        loop {
            tokio::time::sleep(LOOK).await;
            let Seen { settled, at } = *seen.borrow();
            if at.elapsed() > STILL || (settled && nothing_waits(&state_dir)) {
                break;
            }
        }
        // The daemon may have ended by a signal: then there is nobody to stop.
        let _ = control.send(Control::Stop).await;
        std::future::pending::<Result<(), Failure>>().await
    };
    let summary = tokio::select! {
        summary = daemon => summary.map(drop),
        failed = stop => failed,
    };
    messages_bar.finish_and_clear();
    runs_bar.finish_and_clear();
    summary
}

/// Whether no decision waits for a fact and no delivery to a sink is open.
fn nothing_waits(state_dir: &std::path::Path) -> bool {
    Reader::open(state_dir)
        .and_then(|store| store.status())
        .is_ok_and(|s| s.waiting_for.is_empty() && s.outbox == 0)
}

async fn publish(mut publisher: Publisher) -> Result<(), Failure> {
    for message in stage::messages() {
        publisher.send_record(message).await?;
    }
    publisher.finish().await?;
    Ok(())
}
