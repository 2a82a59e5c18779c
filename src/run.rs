//! `taskbot run`: the daemon.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use taskbot_runtime::config::Config;
use taskbot_runtime::daemon::{self, Control, Options, Summary, Until};
use taskbot_runtime::dispatch::RunState;
use taskbot_runtime::progress::Progress;
use taskbot_runtime::spawn::WorkerProgram;
use taskbot_runtime::store::RunId;
use tokio::sync::mpsc;

use crate::output::{self, Failure, Format, Paint};
use crate::site::{self, Site};

/// Events of progress that wait to be shown; the daemon drops what is beyond.
const PROGRESS_WAITING: usize = 4096;

/// How long threads may still take once the daemon has ended.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// Listen to the configured sources and run what the rules ask for.
///
/// Ends on Ctrl-C or SIGTERM within ten seconds; what is under way is resumed by the next start. SIGHUP loads the rules anew;
/// bad ones change nothing.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    site: Site,
    /// End when all sources have ended (recordings do) and everything is settled.
    #[arg(long)]
    until_idle: bool,
    /// Who reads the output: people get a log and a summary, programs one event a line.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Run {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        start_log();
        let config = self.site.config()?;
        if config.sources.is_empty() {
            return Err(Failure::new(
                "no source is configured: add a [[source]] to taskbot.toml, see `taskbot demo --help`",
            ));
        }
        let until = if self.until_idle { Until::Idle } else { Until::Stopped };
        let runtime = tokio::runtime::Runtime::new()?;
        let (_control, orders) = mpsc::channel(1);
        let mut told = BTreeMap::new();
        let summary = runtime.block_on(serve(config, until, orders, |progress| {
            if self.format == Format::Json || is_news(progress, &mut told) {
                show(progress, self.format);
            }
        }));
        // A download under way sits in a thread that nothing can stop; the next start does it again.
        runtime.shutdown_timeout(SHUTDOWN);
        let summary = summary?;
        match self.format {
            Format::Json => output::json_line(
                &json!({ "event": "ended", "generation": summary.generation, "status": summary.status }),
            )?,
            Format::Human => crate::status::print(&summary.status, Paint::of(&io::stdout())),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs the daemon and hands its progress on until it ends.
pub async fn serve(
    config: Config,
    until: Until,
    orders: mpsc::Receiver<Control>,
    mut show: impl FnMut(&Progress),
) -> Result<Summary, Failure> {
    let reload = site::reload(config.rules.clone());
    // Rules with an error start nothing: not even the standard tasks are laid out for them.
    reload().map_err(Failure::new)?;
    let config = site::with_standard_tasks(config).await?;
    let (observer, mut progress) = mpsc::channel(PROGRESS_WAITING);
    let options = Options { until, workers: WorkerProgram::current(), observer: Some(observer) };
    let daemon = daemon::run(config, reload, orders, options);
    tokio::pin!(daemon);
    loop {
        tokio::select! {
            Some(event) = progress.recv() => show(&event),
            summary = &mut daemon => {
                while let Ok(event) = progress.try_recv() {
                    show(&event);
                }
                return Ok(summary?);
            }
        }
    }
}

/// The daemon's log on standard error, by `TASKBOT_LOG` (like `info` or `taskbot_runtime=debug`).
pub fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("TASKBOT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(Paint::of(&io::stderr()).is_on())
        .with_writer(io::stderr)
        .init();
}

/// Whether a person has not heard this yet: several steps of a run share a state.
fn is_news(progress: &Progress, told: &mut BTreeMap<RunId, (RunState, u32)>) -> bool {
    match progress {
        Progress::Run { id, state, .. } if state.is_final() => {
            told.remove(id).is_none_or(|(last, _)| last != *state)
        }
        Progress::Run { id, state, attempt, .. } => {
            told.insert(*id, (*state, *attempt)) != Some((*state, *attempt))
        }
        _ => true,
    }
}

fn show(progress: &Progress, format: Format) {
    match format {
        Format::Json => {
            if let Ok(text) = serde_json::to_string(progress) {
                output::line(text);
            }
        }
        Format::Human => sentences(progress, Paint::of(&io::stdout())).into_iter().for_each(output::line),
    }
}

/// What a person wants to hear of an event; nothing of the rest.
pub fn sentences(progress: &Progress, paint: Paint) -> Vec<String> {
    match progress {
        Progress::Ready { sources, .. } => {
            vec![format!("{} listening to {}", paint.green("ready:"), sources.join(", "))]
        }
        Progress::Message { topic, runs, reasons, .. } => {
            let topic = topic.as_deref().unwrap_or("a message");
            let asked = runs.iter().map(|run| format!("{} {run}  {}", paint.bold("run"), paint.dim(topic)));
            let refused = reasons.iter().map(|why| format!("{} {topic}: {why}", paint.yellow("quarantined")));
            asked.chain(refused).collect()
        }
        Progress::Decided { topic, runs, .. } => {
            let topic = topic.as_deref().unwrap_or("a message");
            runs.iter().map(|run| format!("{} {run}  {}", paint.bold("run"), paint.dim(topic))).collect()
        }
        Progress::Run { id, run, state, attempt } => {
            let state = state.to_string();
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            vec![format!("  #{id} {}{again}  {}", paint.verdict(&state), paint.dim(run))]
        }
        Progress::Download { id, file, done_bytes, total_bytes } => {
            let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
            let of = total_bytes.map_or(String::new(), |total| format!(" of {}", megabytes(total)));
            vec![format!("  #{id} downloading {file}: {}{of} MB", megabytes(*done_bytes))]
        }
        Progress::Reloaded { generation } => vec![format!("rules loaded anew: {generation}")],
        Progress::ReloadRefused { reason } => vec![format!("{} {reason}", paint.red("rules refused:"))],
        Progress::SourceEnded { source, error } => {
            vec![format!(
                "source {source} ended{}",
                error.as_ref().map_or(String::new(), |e| format!(": {e}"))
            )]
        }
    }
}

/// A bar for work of known length, where somebody watches.
pub fn bar(length: u64, what: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix:>12} {bar:30} {pos}/{len} {wide_msg}");
    let bar = ProgressBar::new(length).with_prefix(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
